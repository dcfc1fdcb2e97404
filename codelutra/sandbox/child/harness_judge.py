"""Plays DS-1000's own test on what a program returned, in a fenced process of our own.

The reference is here, the program never is. Both answers take the same way through plain data, so
that neither has an advantage; `codelutra/harness.py` says how names and types come along.
"""

import json
import sys
from typing import Any

import replay

MAX_SHOWN = 80


def judge(plan: str, _: list[str], replies: str) -> str:
    """'' when every case's test holds, else what does not."""
    parts = json.loads(plan)
    import encoding
    import numpy

    encoder = encoding.Encoder(numpy, sys.modules.get("pandas"))
    encoder.accept_equals()
    scope: dict[str, Any] = {"__name__": "harness"}
    exec(parts["context"], scope)
    helpers: dict[str, Any] = {}
    exec(parts["outputs"], helpers)
    for case, node in enumerate(json.loads(replies), 1):
        import random

        random.seed(case)
        numpy.random.seed(case)
        _, expected = scope["generate_test_case"](case)
        same_way = json.loads(encoder.encode(helpers["out"](expected)))
        got = restore(node)
        try:
            holds = scope["exec_test"](got, restore(same_way))
        except Exception as error:
            return f"case {case}: the test raises {type(error).__name__}: {error}"
        if not holds:
            return f"case {case}: {shown(got)} is not what is expected"
    if "test_string" in scope:
        try:
            scope["test_string"](parts["solution"])
        except AssertionError:
            return "the program is not written as the question asks"
    return ""


def shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def restore(node: Any) -> Any:
    return typed(rebuild(node))


def typed(value: Any) -> Any:
    """What `out` of the harness said beside a value, put back on it."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(typed, value))
    if not isinstance(value, dict):
        return value
    if "<kind>" not in value:
        return {key: typed(each) for key, each in value.items()}
    kind, inner = value["<kind>"], value["value"]
    if kind == "sparse":
        import scipy.sparse

        family = "array" if value["is_array"] else "matrix"
        return getattr(scipy.sparse, f"{value['format']}_{family}")(typed(inner))
    if kind == "array":
        return inner.astype(value["dtypes"])
    if kind == "scalar":
        import numpy

        return numpy.dtype(value["dtypes"]).type(inner)
    return labelled(kind, inner, value)


def labelled(kind: str, inner: Any, said: dict[str, Any]) -> Any:
    """A frame, series or index with its names and dtypes."""
    if kind == "index":
        inner = as_type(inner, said["dtypes"])
        inner.names = said["names"]
        return inner
    if kind == "series":
        inner.index = as_type(inner.index, said["index"])
        inner = as_type(inner, said["dtypes"])
        inner.name, inner.index.names = said["names"]
        return inner
    columns = [as_type(inner.iloc[:, n], dtype) for n, dtype in enumerate(said["dtypes"])]
    import pandas

    frame = pandas.concat(columns, axis=1) if columns else inner
    frame.columns, frame.index = (
        as_type(inner.columns, said["columns"]),
        as_type(inner.index, said["index"]),
    )
    frame.columns.names, frame.index.names = said["names"]
    return frame


def as_type(values: Any, dtype: str) -> Any:
    """Left as it is where it has no such type: the same on both sides."""
    try:
        return values if str(values.dtype) == dtype else values.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        return values


def rebuild(node: Any) -> Any:
    """The value of a node (`sandbox/decoding.py`), numpy's and pandas' kinds included."""
    return replay.rebuild(node, KINDS)


def array(kind: str, shape: list[int], values: list[Any]) -> Any:
    return column(kind, values).reshape(shape)


def column(kind: str, values: list[Any]) -> Any:
    """A flat array of the kind; None is NaT in times, and a missing value among objects."""
    import numpy

    if kind in "biuf":
        names = {"b": "bool", "i": "int64", "u": "uint64", "f": "float64"}
        if None not in values:
            return numpy.array(values, dtype=names[kind])
    if kind == "c":
        return numpy.array([complex(*value) for value in values], dtype="complex128")
    if kind in "mM" and all(value is None or type(value) is int for value in values):
        ticks = [-(2**63) if value is None else value for value in values]
        name = "datetime64[ns]" if kind == "M" else "timedelta64[ns]"
        return numpy.array(ticks, dtype="int64").view(name)
    found = numpy.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        found[place] = numpy.nan if value is None else rebuild(value)
    return found.astype(str) if kind == "U" else found


def index(levels: list[Any]) -> Any:
    import pandas

    columns = [column(*level) for level in levels]
    return pandas.Index(columns[0]) if len(columns) == 1 else pandas.MultiIndex.from_arrays(columns)


def series(labels: Any, kind: str, values: list[Any]) -> Any:
    import pandas

    return pandas.Series(column(kind, values), index=rebuild(labels))


def frame(names: Any, labels: Any, columns: list[Any]) -> Any:
    import pandas

    rows = rebuild(labels)
    parts = {place: pandas.Series(column(*each), index=rows) for place, each in enumerate(columns)}
    made = pandas.DataFrame(parts, index=rows)
    made.columns = rebuild(names)
    return made


def of_pandas(name: str) -> Any:
    return getattr(sys.modules["pandas"], name)


def timestamp(zone: str | None, nanoseconds: int) -> Any:
    moment = of_pandas("Timestamp")(nanoseconds)
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def of_numpy(name: str) -> Any:
    return lambda ticks: getattr(sys.modules["numpy"], name)(
        "NaT" if ticks is None else ticks, "ns"
    )


KINDS = {
    "ndarray": array,
    "index": index,
    "series": series,
    "frame": frame,
    "categorical": lambda kind, values: of_pandas("Categorical")(column(kind, values)),
    "timestamp": timestamp,
    "pd_timedelta": lambda ticks: of_pandas("Timedelta")(ticks),
    "period": lambda freq, ordinal: of_pandas("Period")(ordinal=ordinal, freq=freq),
    "interval": lambda closed, *ends: of_pandas("Interval")(*map(rebuild, ends), closed=closed),
    "datetime64": of_numpy("datetime64"),
    "timedelta64": of_numpy("timedelta64"),
    "NA": lambda: of_pandas("NA"),
    "NaT": lambda: of_pandas("NaT"),
}
