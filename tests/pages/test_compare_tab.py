"""The Compare tab without a browser: what is asked, what is said of it, what is kept."""

import json
from typing import Any

import pytest

from codelutra.errors import CodeLutraError
from pages.compare import form, history, tab
from pages.compare.ask import Wish, again, ask, balanced
from pages.compare.html import EMPTY
from pages.compare.pairs import make_pair
from pages.compare.states import find, first_two
from storage import comparisons, db
from storage.compare_models import Comparison
from storage.db import StorageError

BASE, OTHER = "base:starter", "http://127.0.0.1:9/v1 other"
HOSTILE = "<script>window.broken = 1</script>\x1b[31m\x00\u202e"


def wish(**changes: Any) -> Wish:
    return Wish(**{"prompt": "SELECT", "states": [BASE, OTHER], **changes})


def asked(**changes: Any) -> int:
    with db.open_session() as session:
        return ask(session, wish(**changes))


def answer(number: int, *rows: dict[str, Any], proofs: list[dict[str, Any]] | None = None) -> None:
    """As the worker does, one sample a column."""
    with db.open_session() as session:
        values = {(place, 0): {"state": "done", **row} for place, row in enumerate(rows)}
        comparisons.set_answers(session, comparison_id=number, rows=values)
        comparisons.set_proofs(session, comparison_id=number, proofs=proofs or [{}, {}])
        comparisons.finish(session, comparison_id=number)


def ran(verdict: str, **more: Any) -> dict[str, Any]:
    return {"outcome": "ok", "verdict": verdict, "detail": "", "seconds": 0.0, "output": "",
            "extraction": "bare", "flaky": False, "program": "", "shown": None, **more}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"prompt": "  "}, "write a prompt"),
        ({"prompt": "x" * 200_000}, "longer than 100,000"),
        ({"states": [BASE]}, "2 to 4"),
        ({"states": [BASE] * 5}, "2 to 4"),
        ({"states": [BASE, "run:9/1"]}, "no adapter of run:9/1"),
        ({"states": [BASE, "run:x"]}, "no adapter of run:x"),
        ({"states": [BASE, "/nowhere"]}, "no model state"),
        ({"states": [BASE, "http://a/v1"]}, "name the model"),
        ({"states": [BASE, "base:mine"]}, "no run is of the base"),
        ({"tasks": "starter", "task_id": "no"}, "has no task 'no'"),
        ({"own": {"kind": "sql"}}, "SQLite file"),
        ({"max_new_tokens": 0}, "the longest answer is from 1"),
        ({"temperature": 1.0, "num_samples": 999}, "n is from 1 to 50"),
        ({"seed": -1}, "the seed is from 0"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(store, changes, word) -> None:
    with pytest.raises(CodeLutraError, match=word) as caught:
        asked(**changes)
    assert "\n" not in str(caught.value)
    with db.open_session() as session:
        assert comparisons.count(session) == 0


def test_what_a_model_wrote_is_text_wherever_it_is_shown(store) -> None:
    number = asked(prompt=f"say {HOSTILE}")
    shown = {"head": [HOSTILE], "rows": [[HOSTILE]], "num_rows": 1, "num_columns": 1, "digest": "x"}
    result = ran("wrong_result", detail=HOSTILE, output=HOSTILE, shown=shown)
    answer(number, {"text": HOSTILE, "result": result}, {"text": "", "ending": "stop"},
           proofs=[{"model": HOSTILE, "problem": HOSTILE}, {}])  # fmt: skip
    html, _ = tab.load(number)
    with db.open_session() as session:
        html += history.table(session)
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") >= 6
    assert "\x1b" not in html
    assert "An empty answer" in html
    assert "This answer is not true" in html


def test_a_probe_says_of_each_two_columns_whether_they_are_one_model(store) -> None:
    number = asked(states=[BASE, OTHER, f"{OTHER} again"])
    proofs = [{"model": "starter", "num_tokens": 0, "seconds": 1.0}, {}, {}]
    answer(number, *({"text": text} for text in ("a", "a", "b")), proofs=proofs)
    logprobs = [[-1.0, -2.0], [-1.0, -2.001], [-1.0, -3.0]]
    found = {"places": [0, 1, 2], "tokens": ["<i>", "b"], "logprobs": logprobs}
    with db.open_session() as session:
        comparisons.set_probe(session, comparison_id=number, probe=found)
    html, _ = tab.load(number)
    assert "To A and B every token of the answer is equally likely (0.001 nats" in html
    for one in "AB":
        assert f"{one} and C first differ at token 2, <code>b</code>" in html
    assert '<span class="first" title="A -2.000, C -3.000">b</span>' in html
    assert "<i>" not in html.replace("<i hidden", "")
    assert "A and B differ" not in html  # the same text
    assert "the answers of A and C differ" in html
    assert "tokens/s" not in html  # the server counted none


def test_blind_columns_have_no_name_before_the_vote_and_one_vote_only(store) -> None:
    number = asked(is_blind=True)
    answer(number, {"text": "a"}, {"text": "b"}, proofs=[{"model": "starter"}, {"model": "other"}])
    html, before = tab.load(number)
    assert "starter" not in html
    assert "127.0.0.1" not in html
    with db.open_session() as session:
        assert "starter" not in history.table(session)
        comparisons.vote(session, comparison_id=number, choice="1", voter="ada")
    html, after = tab.load(number)
    assert "starter" in html
    assert before != after
    with pytest.raises(StorageError, match="has a vote already"), db.open_session() as session:
        comparisons.vote(session, comparison_id=number, choice="0", voter="bob")


def test_each_state_stands_first_as_often_as_the_other(store) -> None:
    for _ in range(6):
        asked(is_blind=True)
    with db.open_session() as session:
        counted = comparisons.times_first(session, keys=[BASE, f"remote:{OTHER}"])
        assert counted == {BASE: 3, f"remote:{OTHER}": 3}
        states = [find(session, key) for key in (BASE, OTHER)]
        assert sorted(s.key for s in balanced(session, states)) == sorted(s.key for s in states)


def test_asking_again_keeps_what_was_answered_and_draws_anew(store) -> None:
    number = asked(temperature=1.0, num_samples=3)
    with db.open_session() as session:
        row = comparisons.get(session, comparison_id=number)
        second = again(session, row)
        other = comparisons.get(session, comparison_id=second)
        assert (other.prompt, other.columns) == (row.prompt, row.columns)
        assert other.settings["seed"] != row.settings["seed"]
        assert len(comparisons.answers(session, comparison_id=second)) == 6


def test_a_pair_needs_proof_and_a_run(store, add_run) -> None:
    run_id, number = add_run(), asked()
    answer(number, {"text": "a", "result": ran("wrong_result")}, {"text": "b", "result": ran("")})
    with pytest.raises(CodeLutraError, match="choose the run"):
        make_pair(number, None, 0, 1)
    with pytest.raises(CodeLutraError, match="no expected answer"):
        make_pair(number, run_id, 0, 1)
    html, _ = tab.load(number)
    assert 'data-do="pair"' not in html
    assert "No preference pair" in html


def test_history_is_searched_and_taken_away(store) -> None:
    first, second = asked(prompt="count the trains"), asked(prompt="100% of_it")
    answer(first, {"text": "SELECT wheels"}, {"text": "b"})
    with db.open_session() as session:
        for words, found in (("WHEELS trains", [first]), ("0% f_i", [second]), ("nothing", [])):
            assert [row.id for row in comparisons.page(session, words=words)] == found
        path, number = history.export(session, "jsonl", "wheels")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert (number, [row["completion"] for row in rows]) == (1, ["SELECT wheels", "b"])
        path, number = history.export(session, "csv")
        assert number == 2
        assert path.read_text().startswith("comparison,created_at")


def test_somebody_who_closed_the_page_is_not_waited_for(store) -> None:
    number = asked()
    with db.open_session() as session:
        assert not comparisons.is_unwanted(session, comparison_id=number)
        row = session.get_one(Comparison, number)
        row.seen_at -= comparisons.UNSEEN * 2
    with db.open_session() as session:
        assert comparisons.is_unwanted(session, comparison_id=number)
        comparisons.set_note(session, comparison_id=number, note="run 1 has the machine")
    with db.open_session() as session:
        assert not comparisons.is_unwanted(session, comparison_id=number)
    tab.load(number)  # a page that shows it
    with db.open_session() as session:
        comparisons.set_note(session, comparison_id=number, note="")
        assert not comparisons.is_unwanted(session, comparison_id=number)
        comparisons.stop(session, comparison_id=number)
        assert comparisons.is_unwanted(session, comparison_id=number)


def test_a_comparison_that_is_opened_can_be_asked_anew_from_the_form(store) -> None:
    own = {"kind": "python", "database": "", "setup": "x = 1", "gold": "result = x"}
    number = asked(prompt="say x", own=own)
    with db.open_session() as session:
        row = comparisons.get(session, comparison_id=number)
        states, rest = form.filled(session, row)[:4], form.filled(session, row)[5:]
        keys = [state["value"] for state in states]
        assert keys == [BASE, f"remote:{OTHER}", "", ""]
        tasks, task_id, prompt, *fields, of_set, its_own = rest
        assert (tasks["value"], task_id, prompt, fields) == ("", "", "say x", [*own.values()])
        assert (of_set.visible, its_own.visible) == (False, True)
        ask(session, wish(states=keys[:2]))
        assert len(form.renewed(session)) == len(form.filled(session, None))


def test_an_address_with_a_password_is_not_kept(store) -> None:
    with db.open_session() as session, pytest.raises(CodeLutraError, match="holds no password"):
        find(session, "http://ann:secret@gpu-box:8000/v1 model")


def test_without_a_run_there_is_the_base_and_a_word_of_what_the_tab_is_for(store) -> None:
    with db.open_session() as session:
        assert first_two(session) == [BASE]
    assert tab.load(0)[0] == EMPTY
    assert tab.load(99)[0] == EMPTY
    assert tab.open_address({"comparison": "<b>"})[0] == 0
