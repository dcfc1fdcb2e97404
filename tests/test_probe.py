"""The probe tells the adapter from its base, from the one before it and from any other."""

from pathlib import Path

import pytest

from codelutra.errors import GenerationError
from codelutra.probe import Probe, check_answer, read_probe, write_probe

PROBE = Probe([1, 2, 3, 4], base=[-3.0, -3.0, -3.0], parent=[-2.0, -2.0, -2.0],
              adapter=[-1.0, -1.0, -1.0])  # fmt: skip


def test_the_adapter_within_the_noise_of_another_precision_is_believed() -> None:
    assert "the adapter answers" in check_answer(PROBE, [-1.01, -0.98, -1.0])


@pytest.mark.parametrize(
    ("found", "who"),
    [
        (PROBE.base, "the base model answers"),
        (PROBE.parent, "the adapter before it answers"),
        ([5.0, -4.0, 2.0], "another policy answers"),
    ],
)
def test_whoever_else_answers_is_named(found: list[float], who: str) -> None:
    with pytest.raises(GenerationError, match=who):
        check_answer(PROBE, found)


def test_adapters_that_changed_nothing_are_said_to_be_alike() -> None:
    same = Probe([1, 2], [-1.0], [-1.0], [-1.0])
    assert "too much alike to tell apart" in check_answer(same, [-1.001])


def test_it_lies_beside_the_weights_and_may_be_missing(tmp_path: Path) -> None:
    assert read_probe(str(tmp_path)) is None
    write_probe(tmp_path, PROBE)
    assert read_probe(str(tmp_path)) == PROBE
