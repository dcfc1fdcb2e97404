"""A graded program as people see it: everything a model wrote is text."""

from codelutra.records import ExtractionRule
from pages.programs import EMPTY, FOUND, programs
from storage import db, queries, recording
from storage.models import Sample


def sample(**changes: object) -> Sample:
    values = {"completion": "SELECT 1", "verdict": "correct", "detail": "1 row (1), as expected"}
    return Sample(iteration_id=1, split="train", task_id="t", index=0, **{**values, **changes})


def test_verdict_reason_program_and_print_are_shown():
    html = programs([sample(verdict="runtime_error", detail="KeyError", output="so far")])
    assert 'data-verdict="runtime_error"' in html
    for part in ("runtime error", "KeyError", "SELECT 1", "printed", "so far"):
        assert part in html


def test_nothing_printed_and_not_flaky_is_not_mentioned():
    html = programs([sample()])
    assert "printed" not in html
    assert "flaky" not in html
    assert "flaky" in programs([sample(flaky=True)])
    assert programs([]) == EMPTY


def test_it_is_said_how_a_program_was_found_unless_it_is_the_whole_text():
    assert "code found in a fenced block" in programs([sample(extraction="fenced")])
    both = programs([sample(extraction="thought chatter_cut")])
    assert "thinking left out, prose around the code left out" in both
    whole = programs([sample()])
    assert all(programs([sample(extraction=rule)]) == whole for rule in ("bare", "empty"))
    assert "thinking left out<" in programs([sample(extraction="thought bare")])
    assert set(ExtractionRule) == {*FOUND, "bare", "empty"} - {"thought"}


def test_what_a_program_says_is_no_markup():
    evil = "<img src=x onerror=alert(1)>"
    html = programs([sample(completion=evil, detail=evil, output=evil)])
    assert "<img" not in html
    assert html.count("&lt;img") == 3


def test_the_newest_graded_ones_of_the_newest_iteration_are_shown(add_run):
    run_id = add_run()
    with db.open_session() as session:
        for number in (0, 1, 2):
            iteration = recording.ensure_iteration(session, run_id=run_id, number=number)
            recording.add_samples(
                session,
                iteration_id=iteration,
                split="train",
                rows=[
                    {
                        "task_id": f"{number}-{n}", "index": 0, "completion": "", "detail": "",
                        "verdict": "correct" if number < 2 else None, "seconds": 0.0,
                        "flaky": False, "output": "", "extraction": "",
                    }
                    for n in range(3)
                ],
            )  # fmt: skip
        found = queries.latest_graded(session, run_id=run_id, limit=2)
        assert [row.task_id for row in found] == ["1-2", "1-1"]
