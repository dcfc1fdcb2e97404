"""The training section: its curves, its yield, and what is sent again while a run trains."""

import json
import time

import gradio as gr
import pytest

from pages import ablation, training_section, trends, what_changed
from pages.funnel import funnel_bars
from pages.training_curves import PANELS, curve, smooth
from pages.training_section import NEWEST, show_section
from storage import db, recording
from storage.curves import Curves
from storage.health import Funnel
from storage.models import Sample, TrainingStep

FACTS = {"num_pairs": 2, "num_dropped": 3, "stock_tokens": 82, "run_tokens": 20, "fallback": ""}
DUAL = {"loss__dpo": 0.6, "loss__sft": 0.4, "rewards__accuracies": 0.75}


def steps(count, **metrics):
    return Curves([(n, metrics) for n in range(1, count + 1)], [])


def panel(key):
    return next(panel for panel in PANELS if panel.key == key)


def test_the_terms_of_the_loss_are_lines_apart_with_the_newest_value():
    figure = curve(panel("loss"), steps(3, **{"loss": 1.0, "loss/dpo": 0.6, "loss/sft": 0.4}), "r")
    assert [line.name for line in figure.data] == ["DPO 0.6", "SFT 0.4"]
    assert [list(line.y) for line in figure.data] == [[0.6] * 3, [0.4] * 3]
    assert figure.data[0].line.dash != figure.data[1].line.dash
    assert figure.layout.uirevision == "r"


def test_a_term_that_the_mode_does_not_have_is_left_out():
    figure = curve(panel("loss"), steps(3, **{"loss": 1.0, "loss/dpo": 0.6}), "r")
    assert [line.name for line in figure.data] == ["DPO 0.6"]
    total = curve(panel("loss"), steps(3, loss=1.0), "r")
    assert [line.name for line in total.data] == ["total 1"]
    nothing = curve(panel("margins"), steps(3, loss=1.0), "r")
    assert not nothing.data
    assert nothing.layout.annotations[0].text == "not part of this training"


def test_a_value_that_was_no_number_is_a_gap():
    rows = steps(3, grad_norm=1.0)
    rows.steps[1] = (2, {"grad_norm": None})
    assert list(curve(panel("grad-norm"), rows, "r").data[0].y) == [1.0, None, 1.0]


def test_an_accuracy_is_in_percent_from_0_to_100():
    figure = curve(panel("accuracies"), steps(2, **{"rewards/accuracies": 0.75}), "r")
    assert list(figure.data[0].y) == [75.0, 75.0]
    assert figure.data[0].name == "accuracy 75%"
    assert figure.layout.yaxis.range == (-3, 103)


def test_many_steps_are_smoothed_over_a_light_line():
    light, mean = curve(panel("grad-norm"), steps(40, grad_norm=2.0), "r").data
    assert light.opacity < 1
    assert not light.showlegend
    assert list(mean.y) == [2.0] * 40
    assert smooth([0.0, 3.0, None, 6.0, 0.0], 3) == [1.5, 1.5, None, 3.0, 3.0]


def test_the_newest_trained_iteration_is_followed_until_one_is_picked(add_run, add_steps):
    run_id = add_run((0.3, 0.6))
    add_steps(run_id, 1, 1, 3, **DUAL)
    outputs = show_section(run_id)
    assert "<b>Iteration 1</b>, step 3." in outputs[2]
    add_steps(run_id, 2, 1, 5, **DUAL)
    followed = show_section(run_id, NEWEST, outputs[-1])
    assert "<b>Iteration 2</b>, step 5." in followed[2]
    assert followed[0].choices == [("newest", 0), ("iteration 1", 1), ("iteration 2", 2)]
    picked = show_section(run_id, 1, followed[-1])
    assert json.loads(picked[3])["version"] == f"{run_id}-1-3"


def test_an_iteration_that_has_not_begun_to_train_says_so(add_run, add_steps):
    run_id = add_run((0.3, 0.6, 0.7))
    add_steps(run_id, 1, 1, 3, **DUAL)
    outputs = show_section(run_id, 2)
    assert "has not begun to train" in outputs[2]
    assert json.loads(outputs[3])["figures"] == {}


def test_only_what_is_new_is_sent_again(add_run, add_steps):
    run_id = add_run((0.3, 0.6))
    add_steps(run_id, 1, 1, 3, **DUAL)
    seen = show_section(run_id)[-1]
    assert show_section(run_id, NEWEST, seen) == [gr.skip()] * training_section.NUM_OUTPUTS
    add_steps(run_id, 1, 4, 4, **DUAL)
    picker, section, note, curves, funnel, now = show_section(run_id, NEWEST, seen)
    assert (picker, section, funnel) == (gr.skip(), gr.skip(), gr.skip())
    assert "step 4" in note
    drawn = json.loads(curves)
    assert drawn["version"] == f"{run_id}-1-4"
    assert set(drawn["figures"]) == {panel.key for panel in PANELS}
    assert show_section(run_id, NEWEST, now)[3] == gr.skip()


def test_the_yield_is_counted_again_when_sampling_has_moved_on(add_run):
    run_id = add_run((0.3, 0.6))
    seen = show_section(run_id)[-1]
    where = {"run_id": run_id, "iteration": 1, "phase": "sample", "total": 1000}
    sent = []
    for done in (0, 10, 500):
        with db.open_session() as session:
            recording.set_progress(session, **where, done=done, new=False)
        outputs = show_section(run_id, NEWEST, seen)
        sent.append(outputs[4] != gr.skip())
        seen = outputs[-1] if sent[-1] else seen
    assert sent == [True, False, True]


def test_the_yield_is_never_much_older_than_its_pairs(add_run, monkeypatch):
    run_id = add_run((0.3, 0.6))
    before = trends.screen({"run": str(run_id)}).parts["training-funnel"]
    with db.open_session() as session:
        where = recording.ensure_iteration(session, run_id=run_id, number=1)
        row = {"task_id": "new", "index": 0, "completion": "SELECT 1", "verdict": "correct"}
        session.add(Sample(iteration_id=where, split="train", **row))
        session.commit()
    later = time.monotonic() + training_section.FUNNEL_S
    monkeypatch.setattr(training_section.time, "monotonic", lambda: later)
    assert trends.screen({"run": str(run_id)}).parts["training-funnel"] != before


def test_another_run_is_followed_from_its_newest_iteration(add_run, add_steps):
    first, second = add_run((0.3, 0.6)), add_run((0.3, 0.6, 0.7))
    for number in (1, 2):
        add_steps(second, number, 1, 3, **DUAL)
    outputs = show_section(second, 1, show_section(first)[-1])
    assert "<b>Iteration 2</b>" in outputs[2]
    assert outputs[0].value == NEWEST


def test_a_run_without_a_trained_iteration_has_no_section(add_run):
    assert not show_section(add_run((0.3,)))[1].visible
    assert not show_section(None)[1].visible


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (FACTS, "<b>Prefix sharing:</b> 4.1 times fewer tokens than stock (20 instead of 82"),
        (FACTS, "3 pairs were too long and left out."),
        (FACTS | {"num_dropped": 1}, "1 pair was too long"),
        (FACTS | {"fallback": "<i>no</i> mask"},
         "<b>Stock TRL batches:</b> &lt;i&gt;no&lt;/i&gt; mask."),
    ],
)  # fmt: skip
def test_what_was_given_to_the_training_is_said(add_run, add_steps, facts, said):
    run_id = add_run((0.3, 0.6))
    add_steps(run_id, 1, 1, 2, **DUAL)
    with db.open_session() as session:
        where = recording.ensure_iteration(session, run_id=run_id, number=1)
        recording.add_training_facts(session, iteration_id=where, facts=facts)
    assert said in show_section(run_id)[2]


def test_the_bars_of_a_yield_have_numbers_and_shares_of_the_stage_before():
    html = funnel_bars(Funnel(320, 3200, 3168, 160, 32, 1000, 900, None))
    items = [item.split("</b>") for item in html.split("<li ")[1:]]
    numbers = [before.rsplit("<b>")[-1] for before, _ in items]
    assert numbers == ["320", "3,200", "3,168", "160", "32", "1,000", "900", "–"]
    assert "99.0% of programs" in items[2][1]
    assert "50.0% of tasks" in items[3][1]
    assert "90.0% of pairs" in items[6][1]
    assert "width:90.0%" in items[6][0]
    assert "%" not in items[7][1]


def test_before_pairing_the_stages_to_come_have_no_number():
    html = funnel_bars(Funnel(0, 0, 0, 0, None, None, None, None))
    assert html.count("<b>–</b>") == 3
    assert "gold" not in html


def test_the_page_counts_its_outputs_right(add_run):
    assert len(trends.show(add_run((0.3, 0.6)))) == (
        trends.NUM_OUTPUTS
        + what_changed.NUM_OUTPUTS
        + training_section.NUM_OUTPUTS
        + ablation.NUM_OUTPUTS
        + 1  # what the page asks from now on
    )


def test_a_long_training_keeps_its_peaks_and_its_last_value(add_run, add_steps):
    run_id = add_run((0.3, 0.6))
    add_steps(run_id, 1, 1, 1200, grad_norm=1.0)
    with db.open_session() as session:
        where = recording.ensure_iteration(session, run_id=run_id, number=1)
        session.get_one(TrainingStep, (where, 777)).metrics = {"grad_norm": 900.0}
        session.get_one(TrainingStep, (where, 1200)).metrics = {"grad_norm": 7.0}
    outputs = show_section(run_id)
    assert "Drawn are the lowest, highest and mean values of 240 parts." in outputs[2]
    light, mean = json.loads(outputs[3])["figures"]["grad-norm"]["data"]
    assert len(light["x"]) <= training_section.MAX_POINTS
    assert max(light["y"]) == 900.0
    assert (light["x"][-1], light["y"][-1]) == (1200, 7.0)
    assert 1 < max(mean["y"]) < 900


def test_an_address_may_name_the_iteration(add_run, add_steps):
    run_id = add_run((0.3, 0.6, 0.7))
    for number in (1, 2):
        add_steps(run_id, number, 1, 3, **DUAL)
    assert show_section(run_id, 1)[0].value == 1
    assert show_section(run_id, 7)[0].value == NEWEST
