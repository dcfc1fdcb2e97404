"""The trusted decoder: takes what the encoder writes, refuses everything else by ValueError."""

import datetime
import json
import random
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import codelutra.sandbox
from codelutra.sandbox.decoding import Node, decode

sys.path.insert(0, str(Path(codelutra.sandbox.__file__).parent / "child"))
from encoding import Encoder, Unencodable

del sys.path[0]
ENCODER = Encoder(np, pd)
FRAME = pd.DataFrame(
    {"i": [1, 2], "f": [1.5, None], "s": ["a", None], "b": [True, False]}, index=["x", "y"]
)
VALUES = [
    None,
    True,
    10**30,
    1.5,
    float("nan"),
    "text \ud800",
    b"bytes",
    [1, (2,), {3}, frozenset({4})],
    {"k": {1: None}},
    1 + 2j,
    datetime.datetime(2020, 1, 2, 3, tzinfo=datetime.UTC),
    datetime.date(2020, 1, 2),
    datetime.timedelta(days=-1, microseconds=3),
    np.int8(3),
    np.float32(0.5),
    np.bool_(True),
    np.str_("x"),
    np.datetime64("2020-01"),
    np.datetime64("NaT"),
    np.timedelta64(3, "h"),
    np.arange(6).reshape(2, 3),
    np.array([1.5, np.nan]),
    np.array([1 + 2j]),
    np.array(["a", "b"]),
    np.array([None, "x", 1], dtype=object),
    np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"),
    np.array(3),
    np.zeros((0, 3)),
    FRAME,
    FRAME["f"],
    FRAME.set_index(["i", "s"]),
    FRAME.groupby("i").agg(["min", "max"]),
    pd.DataFrame(),
    pd.Series([1, None], dtype="Int64"),
    pd.Series(pd.date_range("2020", periods=2, tz="Europe/Berlin")),
    pd.Series(pd.to_datetime(["2020", None])),
    pd.Series(pd.to_timedelta([1, None], unit="h")),
    pd.Series([1, 2]).astype("category"),
    pd.cut(pd.Series([1, 5]), 2).value_counts(),
    pd.period_range("2020", periods=2, freq="M"),
    pd.RangeIndex(3),
    pd.Timestamp("2020", tz="UTC"),
    pd.Timedelta("1h"),
    pd.NaT,
    pd.NA,
    pd.Categorical(["a", None]),
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_every_supported_value_passes_the_checks(value: object) -> None:
    decode(ENCODER.encode(value))


@pytest.mark.parametrize(
    "value",
    [object(), int, lambda: 1, np.zeros(2, "i4,i4"), np.ma.masked_array([1]), iter([]), range(3)],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused_by_name(value: object) -> None:
    with pytest.raises(Unencodable, match="unsupported"):
        ENCODER.encode(value)


def test_numpy_scalars_become_plain_numbers() -> None:
    assert decode(ENCODER.encode([np.int64(3), np.float64(0.5), np.bool_(False)]))[1] == [
        3,
        0.5,
        False,
    ]


@pytest.mark.parametrize(
    "node",
    [
        {"a": 1},
        [],
        [1],
        ["unknown", 1],
        ["list"],
        ["list", 1],
        ["list", [["evil"]]],
        ["dict", [[1]]],
        ["bytes", "zz"],
        ["complex", 1, 2],
        ["ndarray", "i", [2], [1]],
        ["ndarray", "i", [-1, -1], [1]],
        ["ndarray", "i", [True], [1]],
        ["ndarray", "i", [1], ["x"]],
        ["ndarray", "f", [1], [1]],
        ["ndarray", "c", [1], [[1]]],
        ["ndarray", "M", [1], [["list"]]],
        ["index", []],
        ["index", [["i", [1]], ["i", []]]],
        ["series", ["index", [["i", [1]]]], "i", []],
        ["series", ["list", []], "i", []],
        ["frame", ["index", [["O", ["a"]]]], ["index", [["i", [0]]]], []],
        ["frame", ["index", [["O", ["a"]]]], ["index", [["i", [0]]]], [["i", []]]],
        ["timestamp", 1, 1],
        ["interval", "left", 1],
        ["period", 1, "x"],
        ["NA", 1],
    ],
    ids=str,
)
def test_malformed_nodes_are_refused(node: Node) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(json.dumps(node).encode())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"1" * 5000,
        b'["list",[' * 50 + b"]]" * 50,
        b"1" * (1 << 21),
    ],
    ids=range(7),
)
def test_junk_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(payload)


def test_mutated_answers_never_crash_the_decoder() -> None:
    rng = random.Random(0)
    seeds = [ENCODER.encode(value) for value in VALUES]
    for _ in range(3000):
        payload = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            payload[rng.randrange(len(payload))] = rng.choice(b'[]{},:"0123ae-.\\')
        try:
            decode(bytes(payload))
        except ValueError:
            continue
