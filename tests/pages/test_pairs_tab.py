"""The Pairs tab without a browser: what an act leads to, what is said, what is drawn anew."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from codelutra.config import RefineConfig
from codelutra.tasks import load_tasks
from codelutra.tasks.quarantine import quarantined, release
from pages import pairs as tab
from pages.pair_look import Look
from storage import db, pairs, queries, recording
from storage.pair_models import PreferencePair
from storage.pair_queue import PairFilter
from tests.storage.rows import iteration

MARKUP = "<img src=x onerror=alert(1)>"
LOOK, VERSION, WHO, TURN, SAID = -5, -4, -3, -2, -1  # outputs of an act
FOCUS = tab.NUM_OUTPUTS - 3  # before the look and the version
NUM_PAIRS = 4


@pytest.fixture
def run_id(store: Path) -> int:
    """A run with two pairs for each of two starter tasks."""
    config = RefineConfig.for_model("starter").model_dump(mode="json")
    tasks = [task for task in load_tasks("starter") if task.kind == "sql"][:2]
    with db.open_session() as session:
        run = queries.create_run(session, name="starter", config=config, num_train=2, num_heldout=1)
        assert run.id
        rows = [
            {"task_id": task.task_id, "chosen": task.gold, "rejected": f"{MARKUP} {number}",
             "chosen_index": None, "rejected_index": None}
            for task in tasks for number in range(2)
        ]  # fmt: skip
        recording.add_pairs(session, iteration_id=iteration(session, run.id, 1), rows=rows)
        return run.id


def look(run_id: int, **wanted: Any) -> Look:
    return Look(PairFilter(run_id, order="newest", **wanted))


def get(pair_id: int) -> PreferencePair:
    with db.open_session() as session:
        pair = pairs.get(session, pair_id=pair_id)
    assert pair
    return pair


def ask(now: Look, seen: Any = None, who: str = "ann", **asked: Any) -> list[Any]:
    return tab.act(now, seen, {"token": "t" + who, "who": who, "turn": 1, **asked})


def test_a_decision_leads_to_the_next_pair_and_says_nothing(run_id: int) -> None:
    outputs = ask(look(run_id, state="pending"), do="keep", pair=NUM_PAIRS, version=0)
    assert get(NUM_PAIRS).state == "kept"
    assert outputs[LOOK].pair_id == NUM_PAIRS - 1
    assert outputs[SAID] == '<div role="status"></div>'
    assert 'data-turn="1"' in outputs[TURN]


def test_who_was_slower_is_told_and_loses_nothing_of_the_other(run_id: int) -> None:
    ask(look(run_id), who="bob", do="keep", pair=1, version=0)
    outputs = ask(look(run_id), who="<b>ann", do="veto", pair=1, version=0, reason="trivial")
    assert "bob has changed pair 1 since you opened it: it is kept" in outputs[SAID]
    assert get(1).state == "kept"
    outputs = ask(look(run_id), who="<b>ann", do="undo")
    assert "&lt;b&gt;ann has nothing to undo in this run" in outputs[SAID]


def test_a_task_is_put_away_with_its_pairs_and_undo_takes_the_vetoes_back(run_id: int) -> None:
    outputs = ask(look(run_id), do="quarantine", pair=NUM_PAIRS)
    task_id = get(NUM_PAIRS).task_id
    assert f"{task_id} is in quarantine" in outputs[SAID]
    assert "2 pairs of this run are vetoed" in outputs[SAID]
    assert task_id in quarantined("starter")
    outputs = ask(look(run_id), do="undo")
    assert "The veto of 2 pairs is undone" in outputs[SAID]
    assert {get(pair_id).state for pair_id in range(1, NUM_PAIRS + 1)} == {"pending"}
    release("starter", [task_id])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"do": "burn", "version": 0}, "&#x27;burn&#x27; is no decision"),
        ({"do": "veto", "version": 0, "reason": MARKUP}, "is no reason"),
        ({"do": "try", "version": 0, "side": "left", "text": "x"}, "is no side of a pair"),
        ({"do": "try", "version": 7, "side": "chosen", "text": "x"}, "has changed since"),
    ],
)
def test_what_makes_no_sense_is_said_as_text(run_id: int, asked: Any, said: str) -> None:
    outputs = ask(look(run_id), pair=1, **asked)
    assert said in outputs[SAID]
    assert "<img" not in outputs[SAID]
    assert get(1).state == "pending"


def test_a_tick_draws_only_what_is_news(run_id: int) -> None:
    first = ask(look(run_id), do="open", pair=1)
    assert f'data-pair="{1}"' in first[FOCUS]
    assert "<img" not in first[FOCUS]
    quiet = ask(first[LOOK], first[VERSION], do="tick", pair=1, version=0)
    assert all(part == gr.skip() for part in quiet[:WHO])
    assert quiet[SAID] == gr.skip()  # what was said stays to be read
    ask(look(run_id), who="bob", do="skip", pair=2, version=0)
    news = ask(first[LOOK], first[VERSION], do="tick", pair=1, version=0)
    assert news[FOCUS] == gr.skip()  # another pair: who reads or writes here is left in peace
    assert any(part != gr.skip() for part in news[:FOCUS])


def test_an_empty_lab_says_where_pairs_come_from(store: Path) -> None:
    outputs = tab.show(look(0))
    assert 'data-state="empty"' in outputs[FOCUS]
    assert "Refine tab" in outputs[FOCUS]
