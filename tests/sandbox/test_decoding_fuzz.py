"""Any bytes at all from a program's process: no crash, no verdict, at worst a runtime error."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codelutra.compare_answers import answers_difference
from codelutra.sandbox import ExecutionResult
from codelutra.sandbox.decoding import CHECKERS, decode
from codelutra.sandbox.python_runner import Job, interpret

TAGS = sorted(CHECKERS)
KINDS = [*"biufcmMUSOTV", "", "object"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([*TAGS, *KINDS, "00ff", "2020-01-01", "2020-01-01T00:00:00+00:00"]),
)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.builds(lambda tag, fields: [tag, *fields], st.sampled_from(TAGS), st.lists(inner)),
        st.builds(lambda tag, items: [tag, items], st.sampled_from(TAGS), st.lists(inner)),
        st.builds(lambda kind, items: [kind, items], st.sampled_from(KINDS), st.lists(inner)),
        st.dictionaries(st.text(max_size=3), inner, max_size=2),
    ),
    max_leaves=12,
)
JSON = NODES.map(lambda node: json.dumps(node).encode())
PAYLOADS = st.one_of(
    st.binary(max_size=200),
    JSON,
    st.builds(lambda text, cut: text[: cut % (len(text) + 1)], JSON, st.integers(0, 1000)),
    st.builds(lambda text, extra: text + extra, JSON, st.binary(max_size=4)),
)
GOLDS = [["list", [1, 2]], ["dict", [["k", 1.5]]], 3, None, ["ndarray", "i", [2], [1, 2]]]


def check(payload: bytes) -> None:
    framed = b"R" + len(payload).to_bytes(8, "big") + payload
    for num_calls in (0, 2):
        assert outcome_of(payload, num_calls).outcome == "runtime_error"
    assert outcome_of(b"C" + framed, 2).outcome == "runtime_error"
    asked = outcome_of(2 * (b"C" + framed) + b"C", 2)
    result = outcome_of(framed, 0)
    assert asked.outcome == result.outcome
    try:
        node = decode(payload)
    except ValueError:
        assert result.outcome == "runtime_error"
        assert result.detail
        return
    assert result.outcome == "ok"
    for gold in GOLDS:
        difference = answers_difference(gold, node)
        assert difference is None or isinstance(difference, str)


def outcome_of(stream: bytes, num_calls: int) -> ExecutionResult:
    return interpret(Job(b"K" + stream, 0, 0.0, False, ""), 5.0, num_calls)


FUZZ = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=500, **FUZZ)
@given(PAYLOADS)
def test_any_bytes_are_a_value_or_a_runtime_error(payload: bytes) -> None:
    check(payload)


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("CODELUTRA_FUZZ", "4000")), **FUZZ)
@given(PAYLOADS)
def test_many_more_bytes_are_a_value_or_a_runtime_error(payload: bytes) -> None:
    check(payload)
