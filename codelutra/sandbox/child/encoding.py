"""Turns a program's answer into JSON: exact types only, size and depth capped, never pickle.

Runs in the untrusted child, so it proves nothing: the trusted side checks every node again
(`sandbox/decoding.py`, which lists the node forms). Knows nothing of tasks or verdicts.
"""

import collections
import contextlib
import datetime
import json
from collections.abc import Callable
from typing import Any

from digest import NoDigest, digest

Node = Any

MAX_BYTES = 1 << 20  # of the encoded answer
MAX_NODES = 200_000
MAX_DEPTH = 32
MAX_BRIEF = 1 << 12  # bytes of a reply that is told in full where digests will do
UNIT_NS = {
    "W": 604_800_000_000_000,
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
NAT = -(2**63)
TOO_LARGE = f"result larger than {MAX_BYTES >> 20} MiB or {MAX_NODES} values"


class Unencodable(Exception):
    """The answer has a type, size or depth that no verdict is given for."""


class Encoder:
    """Encodes with the libraries of one tier; `numpy` and `pandas` are None where not loaded."""

    def __init__(self, numpy: Any = None, pandas: Any = None) -> None:
        self.np, self.pd = numpy, pandas
        self.nodes_left = 0
        self.dumps = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
        self.scalars = {type(None), bool, int, float, str}
        self.handlers: dict[type, Callable[[Any, int], Node]] = dict(self._builtin_handlers())
        if numpy is not None:
            self.handlers |= self._numpy_handlers(numpy)
        if pandas is not None:
            self.handlers |= self._pandas_handlers(pandas)

    def accept_equals(self) -> None:
        """For tests that compare with ==: kinds of dict that Python calls equal to a dict."""
        for kind in (collections.Counter, collections.OrderedDict, collections.defaultdict):
            self.handlers[kind] = self._dict

    def encode(self, value: object) -> bytes:
        """JSON of `value`; raises Unencodable."""
        self.nodes_left = MAX_NODES
        payload = self.dumps(self.node(value, 0)).encode("ascii")
        if len(payload) > MAX_BYTES:
            raise Unencodable(TOO_LARGE)
        return payload

    def encode_brief(self, value: object) -> bytes:
        """As `encode`, but a digest of a long value that has one."""
        if not isinstance(value, str | bytes | list | tuple) or len(value) <= MAX_BRIEF:
            # Too much, or an integer of thousands of digits: a digest may do.
            with contextlib.suppress(Unencodable, ValueError):
                payload = self.encode(value)
                if len(payload) <= MAX_BRIEF:
                    return payload
        try:
            return self.dumps(["digest", digest(value)]).encode("ascii")
        except (NoDigest, RecursionError):
            return self.encode(value)

    def node(self, value: Any, depth: int) -> Node:
        kind = type(value)
        if kind in self.scalars:
            if kind is str:
                self._spend(1 + len(value) // 16)
            return value
        handler = self.handlers.get(kind)
        if handler is None:
            raise Unencodable(f"unsupported result type {kind.__module__}.{kind.__qualname__}")
        if depth >= MAX_DEPTH:
            raise Unencodable(f"result nested deeper than {MAX_DEPTH} levels")
        return handler(value, depth + 1)

    def _spend(self, count: int) -> None:
        self.nodes_left -= count
        if self.nodes_left < 0:
            raise Unencodable(TOO_LARGE)

    def _nodes(self, values: Any, depth: int) -> list[Node]:
        self._spend(len(values))
        return [self.node(value, depth) for value in values]

    def _builtin_handlers(self) -> dict[type, Callable[[Any, int], Node]]:
        def sequence(tag: str) -> Callable[[Any, int], Node]:
            return lambda value, depth: [tag, self._nodes(value, depth)]

        return {
            list: sequence("list"),
            tuple: sequence("tuple"),
            set: sequence("set"),
            frozenset: sequence("frozenset"),
            dict: self._dict,
            bytes: self._bytes,
            complex: lambda value, _: ["complex", value.real, value.imag],
            datetime.datetime: self._datetime,
            datetime.date: lambda value, _: ["date", value.isoformat()],
            datetime.timedelta: lambda value, _: [
                "timedelta",
                (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds,
            ],
        }

    def _dict(self, value: dict[Any, Any], depth: int) -> Node:
        self._spend(2 * len(value))
        return ["dict", [[self.node(k, depth), self.node(v, depth)] for k, v in value.items()]]

    def _bytes(self, value: bytes, _: int) -> Node:
        self._spend(len(value) // 8)
        return ["bytes", value.hex()]

    def _datetime(self, value: datetime.datetime, _: int) -> Node:
        return ["datetime", value.isoformat()]

    def _numpy_handlers(self, np: Any) -> dict[type, Callable[[Any, int], Node]]:
        table: dict[type, Callable[[Any, int], Node]] = {
            np.ndarray: self._array,
            np.bool_: lambda value, _: bool(value),
            np.str_: lambda value, _: str(value),
            np.bytes_: lambda value, depth: self._bytes(bytes(value), depth),
            np.datetime64: lambda value, _: ["datetime64", *self._nanoseconds(value)],
            np.timedelta64: lambda value, _: ["timedelta64", *self._nanoseconds(value)],
        }
        for name in np.sctypeDict.values():
            if issubclass(name, np.integer) and name not in table:
                table[name] = lambda value, _: int(value)
            elif issubclass(name, np.floating):
                table[name] = lambda value, _: float(value)
            elif issubclass(name, np.complexfloating):
                table[name] = lambda value, _: ["complex", float(value.real), float(value.imag)]
        return table

    def _array(self, array: Any, depth: int) -> Node:
        shape = [int(side) for side in array.shape]
        return ["ndarray", array.dtype.kind, shape, self._array_values(array, depth)]

    def _array_values(self, array: Any, depth: int) -> list[Node]:
        """The elements in C order; datetimes and timedeltas as nanoseconds, None for NaT."""
        kind = array.dtype.kind
        if kind in "biu":
            self._spend(array.size)
            return array.ravel().tolist()  # type: ignore[no-any-return]
        if kind == "f":
            self._spend(array.size)
            return array.ravel().astype("float64").tolist()  # type: ignore[no-any-return]
        if kind == "c":
            self._spend(array.size)
            return [[value.real, value.imag] for value in array.ravel().astype("complex128")]
        if kind in "mM":
            return self._nanoseconds(array)
        if kind in "USOT":
            if array.size > self.nodes_left:
                raise Unencodable(TOO_LARGE)
            return self._nodes(array.ravel().tolist(), depth)
        raise Unencodable(f"unsupported array type {array.dtype}")

    def _nanoseconds(self, array: Any) -> list[int | None]:
        array = self.np.asarray(array)
        self._spend(array.size)
        unit, count = self.np.datetime_data(array.dtype)
        if unit not in UNIT_NS:
            if array.dtype.kind == "m":
                raise Unencodable(f"unsupported array type {array.dtype}")
            array, unit, count = array.astype("datetime64[s]"), "s", 1
        factor = UNIT_NS[unit] * count
        ticks = array.ravel().astype("int64").tolist()
        return [None if tick == NAT else tick * factor for tick in ticks]

    def _pandas_handlers(self, pd: Any) -> dict[type, Callable[[Any, int], Node]]:
        table: dict[type, Callable[[Any, int], Node]] = {
            pd.Series: lambda value, depth: [
                "series",
                self._index(value.index, depth),
                *self._column(value, depth),
            ],
            pd.DataFrame: self._frame,
            pd.Categorical: lambda value, depth: [
                "categorical",
                *self._column(pd.Series(value), depth),
            ],
            pd.Timestamp: self._timestamp,
            pd.Timedelta: lambda value, _: ["pd_timedelta", *self._nanoseconds(value.to_numpy())],
            pd.Period: lambda value, _: ["period", value.freqstr, int(value.ordinal)],
            pd.Interval: lambda value, depth: [
                "interval",
                value.closed,
                self.node(value.left, depth),
                self.node(value.right, depth),
            ],
            type(pd.NA): lambda value, _: ["NA"],
            type(pd.NaT): lambda value, _: ["NaT"],
        }
        for name in dir(pd):
            if name.endswith("Index"):
                table[getattr(pd, name)] = self._index
        return table

    def _timestamp(self, value: Any, _: int) -> Node:
        zone = None if value.tz is None else str(value.tz)
        return ["timestamp", zone, *self._nanoseconds(value.to_numpy())]

    def _frame(self, frame: Any, depth: int) -> Node:
        columns = [
            list(self._column(frame.iloc[:, place], depth)) for place in range(frame.shape[1])
        ]
        return [
            "frame",
            self._index(frame.columns, depth),
            self._index(frame.index, depth),
            columns,
        ]

    def _index(self, index: Any, depth: int) -> Node:
        """One [kind, values] a level; names are left out, no verdict depends on them."""
        if type(index) not in self.handlers:
            raise Unencodable(f"unsupported index type {type(index).__qualname__}")
        levels = [index]
        if isinstance(index, self.pd.MultiIndex):
            levels = [index.get_level_values(place) for place in range(index.nlevels)]
        return ["index", [list(self._column(level, depth)) for level in levels]]

    def _column(self, column: Any, depth: int) -> tuple[str, list[Node]]:
        """dtype kind and values of a Series or a flat Index; None is every missing value."""
        dtype, kind = column.dtype, str(column.dtype.kind)
        if len(column) > self.nodes_left:
            raise Unencodable(TOO_LARGE)
        if isinstance(dtype, self.np.dtype) and kind != "O":
            return kind, self._array_values(column.to_numpy(), depth)
        values = column.to_numpy(dtype=object).tolist()
        self._spend(len(values))
        missing = {id(self.pd.NA), id(self.pd.NaT)}
        return kind, [
            None
            if id(value) in missing or (type(value) is float and value != value)
            else self.node(value, depth)
            for value in values
        ]
