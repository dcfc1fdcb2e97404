"""The engine: one child for a policy, killed at any moment without a sample lost or doubled."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelutra.config import TransformersBackend
from codelutra.errors import AdapterError, GenerationError, StopRequested
from codelutra.generation import Drawn, Engine, GenerationRequest, Policy
from codelutra.probe import FILE
from codelutra.records import Sample
from codelutra.starter import MODEL_DIR
from codelutra.tasks import load_tasks
from tests.generation.adapters import make_adapter
from tests.test_phase import phase_children

BACKEND = TransformersBackend(dtype="float32")
POLICY = Policy(BACKEND, str(MODEL_DIR))
REQUEST = GenerationRequest(2, 1.0, 0.95, max_new_tokens=8, seed=3)
TASKS = load_tasks("starter")[::40]  # 20 of them


def draw(engine: Engine, log: Path, policy: Policy = POLICY, **changes: Any) -> list[Drawn]:
    settings = {
        "batch_size": 4,
        "done": set(),
        "log": log,
        "should_stop": lambda: False,
        **changes,
    }
    return list(engine.generate(policy, TASKS, REQUEST, **settings))


def samples(drawn: list[Drawn]) -> list[Sample]:
    return [sample for each in drawn for sample in each.samples]


def children_of_mine() -> Callable[[], set[int]]:
    others = {child.pid for child in phase_children(os.getpid())}
    return lambda: {child.pid for child in phase_children(os.getpid())} - others


def test_a_policy_stays_loaded_until_another_one_or_the_end(tmp_path: Path) -> None:
    mine = children_of_mine()
    adapter = make_adapter(tmp_path / "adapter", size=0.1)
    with Engine() as engine:
        first = draw(engine, tmp_path / "log")
        (child,) = mine()
        assert samples(draw(engine, tmp_path / "log")) == samples(first)
        assert mine() == {child}
        other = draw(engine, tmp_path / "log", replace(POLICY, adapter=adapter))
        assert len(mine() - {child}) == 1
        assert not mine() & {child}
        assert samples(other) != samples(first)
        engine.close()
        assert not mine()
        assert samples(draw(engine, tmp_path / "log")) == samples(first)
    assert not mine()


def test_the_log_is_told_that_the_adapter_answers(tmp_path: Path) -> None:
    adapter, notes = make_adapter(tmp_path / "adapter"), []
    with Engine() as engine:
        draw(engine, tmp_path / "log", replace(POLICY, adapter=adapter), on_note=notes.append)
    assert len(notes) == 1
    assert notes[0].startswith("probe: the adapter answers, 0.0")


def test_another_adapter_in_its_place_is_refused_though_its_hash_is_recorded(
    tmp_path: Path,
) -> None:
    """The probe was written when the adapter was trained: weights of another one do not fit."""
    right, wrong = (make_adapter(tmp_path / name, seed=n) for n, name in enumerate("ab"))
    Path(wrong.path, FILE).write_bytes(Path(right.path, FILE).read_bytes())
    with Engine() as engine, pytest.raises(GenerationError, match="another policy answers"):
        draw(engine, tmp_path / "log", replace(POLICY, adapter=wrong))


def test_a_damaged_adapter_is_not_loaded(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter")
    with Engine() as engine, pytest.raises(AdapterError, match="is damaged or was replaced"):
        draw(engine, tmp_path / "log", replace(POLICY, adapter=replace(adapter, sha256="0" * 64)))


def test_a_stop_is_obeyed_within_seconds_and_the_child_is_gone(tmp_path: Path) -> None:
    mine = children_of_mine()
    with Engine() as engine:
        stops = iter([False, False, True])
        with pytest.raises(StopRequested):
            draw(engine, tmp_path / "log", should_stop=lambda: next(stops))
        assert not mine()


def test_prompts_that_are_too_long_are_named(tmp_path: Path) -> None:
    long = TASKS[0].model_copy(update={"prompt": "SELECT 1; " * 2000})
    with Engine() as engine:
        drawn = list(
            engine.generate(
                POLICY,
                [long, *TASKS[1:3]],
                REQUEST,
                batch_size=100,
                done=set(),
                log=tmp_path / "log",
                should_stop=lambda: False,
            )
        )
    total = Drawn()
    for each in drawn:
        total += each
    assert total.too_long == [long.task_id]
    assert "the prompts of 1 tasks are too long for the model" in total.in_words(1.0)
    assert [s.completion for s in total.samples if s.task_id == long.task_id] == ["", ""]


def test_the_longest_completion_follows_from_the_golds(tmp_path: Path) -> None:
    notes: list[str] = []
    request = replace(REQUEST, max_new_tokens=0, num_samples=1, temperature=0.0)
    with Engine() as engine:
        (drawn,) = engine.generate(
            POLICY,
            TASKS[:4],
            request,
            batch_size=4,
            done=set(),
            log=tmp_path / "log",
            should_stop=lambda: False,
            on_note=notes.append,
        )
    assert notes[-1].startswith("longest completion ")
    assert int(notes[-1].split()[2]) > 64
    assert drawn.num_cut == 0


@pytest.mark.slow
def test_a_killed_child_ten_times_at_random_chunks_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    mine = children_of_mine()
    with Engine() as engine:
        whole = samples(draw(engine, tmp_path / "log"))
        engine.close()
        kept: list[Sample] = []
        chance, deaths = random.Random(5), 0
        while len(kept) < len(whole):
            done = {s.task_id for s in kept}
            left = (len(whole) - len(kept)) // 4  # chunks
            until = chance.randrange(0, 2) if deaths < 10 and left > 1 else -1
            try:
                for number, drawn in enumerate(
                    engine.generate(
                        POLICY,
                        TASKS,
                        REQUEST,
                        batch_size=4,
                        done=done,
                        log=tmp_path / "log",
                        should_stop=lambda: False,
                    )
                ):
                    if number == until:  # what was drawn is stored or not: both happen
                        deaths += 1
                        if chance.random() < 0.3:
                            kept += drawn.samples
                        for child in mine():
                            os.kill(child, signal.SIGKILL)
                        break
                    kept += drawn.samples
            finally:
                engine.close()
    assert deaths >= 10
    assert max(Counter(s.key for s in kept).values()) == 1
    assert sorted(kept, key=lambda s: s.key) == sorted(whole, key=lambda s: s.key)
