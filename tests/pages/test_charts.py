"""The figures hold one point a policy, with its interval and count, of one run or of several."""

import pytest

from pages import charts, mix_charts
from pages.overlay import MAX_RUNS, load_lines, with_passes
from pages.run_view import list_rows
from pages.trend_table import table, tables
from storage import db, recording
from tests.trend_runs import add_policy, submit

FIGURES = (charts.accuracy, charts.pass_at_k, charts.syntax_errors, mix_charts.verdict_mix,
           mix_charts.phase_time)  # fmt: skip


def lines_of(*run_ids):
    with db.open_session() as session:
        rows = {row.id: row for row in list_rows(session)}
        lines = load_lines(session, [rows[run_id] for run_id in run_ids])
        return [with_passes(session, line) for line in lines]


@pytest.fixture
def lines(add_run):
    return lines_of(add_run((0.3, 0.6, 0.7)))


def test_accuracy_has_a_point_a_policy_within_its_band(lines):
    band, line = charts.accuracy(lines).data[:2]
    assert list(line.x) == [0, 1, 2]
    assert list(line.y) == pytest.approx([30, 60, 70])
    assert list(line.customdata[0]) == [100, "22.0 to 38.0"]
    assert list(band.x) == [0, 1, 2, 2, 1, 0]
    assert list(band.y) == pytest.approx([38, 68, 78, 62, 52, 22])


def test_a_single_point_has_its_interval_as_a_bar(add_run):
    line = charts.accuracy(lines_of(add_run((0.3,)))).data[0]
    assert (list(line.error_y.array), list(line.error_y.arrayminus)) == (
        pytest.approx([8]),
        pytest.approx([8]),
    )


def test_verdicts_add_up_to_a_hundred(lines):
    bars = mix_charts.verdict_mix(lines).data
    assert [bar.name for bar in bars] == ["correct", "wrong result", "syntax error"]
    assert [sum(heights) for heights in zip(*(bar.y for bar in bars), strict=True)] == [100] * 3


def test_syntax_errors_are_shown_greedy_and_sampled(lines):
    greedy, sampled = charts.syntax_errors(lines).data
    assert list(greedy.y) == pytest.approx([10, 10, 10])
    assert list(sampled.x) == []


def test_one_point_and_none_make_figures_too(add_run):
    for run_id in (add_run((0.3,)), add_run()):
        for figure in FIGURES:
            assert figure(lines_of(run_id)).to_json()


def test_the_table_has_a_row_a_policy(lines):
    html = table(lines[0].points)
    assert html.count("<tr>") == 4
    assert "iteration 2" in html
    assert "22.0 to 38.0" in html


def test_validation_is_a_line_of_its_own_beside_the_held_out_one(add_run):
    found = lines_of(add_run((0.3, 0.6), (0.35, 0.7)))
    _, heldout, validation, labels = charts.accuracy(found).data
    assert (heldout.name, validation.name) == ("held-out", "validation")
    assert list(validation.y) == pytest.approx([35, 70])
    assert validation.line.dash != heldout.line.dash
    assert list(validation.customdata[1]) == [20, "50.0 to 90.0"]
    assert list(labels.y) == pytest.approx([22, 52])  # out of the way of the better line
    assert set(labels.textposition) == {"bottom center"}


def test_the_promoted_policy_is_marked_in_words_in_its_row_alone(add_run):
    html = table(lines_of(add_run((0.3, 0.6, 0.7), (0.35, 0.7, 0.6)))[0].points)
    rows = html.split("<tbody>")[1].split("</tr>")
    assert ["promoted</span>" in row for row in rows[:3]] == [False, True, False]
    assert "Validation pass@1" in html
    assert "70.0% <small>50.0 to 90.0, n = 20</small>" in rows[1]


def test_without_validation_there_is_no_such_column(lines):
    assert "alidation" not in tables(lines)


def test_several_runs_are_told_apart_by_more_than_their_colour(add_run):
    several = lines_of(*(add_run((0.3, 0.6)) for _ in range(MAX_RUNS)))
    drawn = [line for line in charts.accuracy(several).data if line.name != "95 % band"]
    assert [line.name for line in drawn] == [f"run {line.row.id}" for line in several]
    assert len({(line.line.dash, line.marker.symbol) for line in drawn}) == MAX_RUNS
    bars = mix_charts.verdict_mix(several).data
    assert list(bars[0].x[0][:3]) == ["run 1", "run 1", "run 2"]
    assert list(bars[0].x[1][:3]) == ["base", "1", "base"]
    assert tables(several).count("<table") == MAX_RUNS


def test_pass_at_k_is_of_the_policy_that_the_programs_were_drawn_from(store):
    rows = submit("drawn", sampling={"num_samples": 4})
    add_policy(rows, 0, 0.5)
    with db.open_session() as session:
        where = recording.ensure_iteration(session, run_id=rows.run_id, number=1)
        verdicts = {"a": "cw-h", "b": "wwww", "c": "cccc"}  # - is not graded yet
        words = {"c": "correct", "w": "wrong_result", "h": "harness_error", "-": None}
        programs = [
            {"task_id": task, "index": i, "completion": "x", "verdict": words[sign], "detail": "",
             "seconds": 0.0, "flaky": False, "output": "", "extraction": ""}
            for task, signs in verdicts.items() for i, sign in enumerate(signs)
        ]  # fmt: skip
        more = [programs[0] | {"task_id": "b", "index": 4}]  # of a low yield
        recording.add_samples(session, iteration_id=where, split="train", rows=programs + more)
    (line,) = lines_of(rows.run_id)
    assert list(line.passes) == [0]
    (only,) = line.passes[0]
    assert (only.k, only.num_tasks) == (1, 3)
    assert only.mean == pytest.approx((1 / 2 + 0 + 1) / 3)


@pytest.mark.parametrize(("iterations", "words"), [(0, "the base alone"), (1, "comes with")])
def test_pass_at_k_of_a_run_without_samples_says_whether_they_come(store, iterations, words):
    rows = submit("sampled", iterations=iterations)
    add_policy(rows, 0, 0.5)
    (note,) = charts.pass_at_k(lines_of(rows.run_id)).layout.annotations
    assert words in note.text


def test_time_is_stacked_by_phase_with_the_tokens_of_training(store):
    rows = submit("timed")
    for number in (0, 1):
        add_policy(rows, number, 0.5)
    bars = {bar.name: bar for bar in mix_charts.phase_time(lines_of(rows.run_id)).data}
    assert list(bars["train"].y) == [0, 91]
    assert bars["train"].customdata[1][0] == "1 min 31 s, 602 tokens"  # two passes of 301
    assert list(bars["evaluate"].y) == [12, 12]
