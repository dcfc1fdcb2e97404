"""Where no run can be executed: nothing offers to, and the page says why."""

import gradio as gr
import pytest

from codelutra.backends import ZERO_GPU, why_no_runs
from codelutra.errors import GenerationError
from codelutra.phase import PhaseChild
from pages import form, pair_acts, place, refine, shell
from pages.before import before
from pages.pair_look import Look
from pages.roles import OF_GRADIO, name_of
from pages.start_form import preset_note
from storage.db import StorageError
from storage.pair_queue import PairFilter

REASON = "ZeroGPU lends its GPU for a minute a call"


@pytest.fixture
def zero_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ZERO_GPU, "true")


def buttons() -> dict[str, bool]:
    blocks = shell.build().blocks.values()
    found = [each for each in blocks if isinstance(each, gr.Button) and each.elem_id]
    return {str(each.elem_id): each.interactive for each in found}


def test_a_machine_with_torch_offers_runs(store):
    assert (why_no_runs({}), place.notice()) == ("", "")
    assert (buttons()["start"], buttons()["try"]) == (True, True)


def test_without_what_a_run_needs_the_form_starts_nothing_and_says_why(zero_gpu, store):
    assert REASON in place.notice()
    assert (buttons()["start"], buttons()["try"]) == (False, False)
    values = form.preset_values("starter", "starter", "starter")
    assert before(values) == ""
    assert preset_note("starter", values)  # the settings can still be copied to a lab
    with pytest.raises(GenerationError, match=f"no run can be executed here: {REASON}"):
        form.queue_runs(values)
    assert "No run can be executed in this place" in refine.show(refine.Look())[1]


def test_a_run_that_came_here_is_resumed_from_neither_tab(zero_gpu, add_run):
    run_id = add_run((0.3,))
    with pytest.raises(StorageError, match=f"run {run_id} stays as it is: {REASON}"):
        place.resume(run_id)
    with pytest.raises(StorageError, match="stays as it is"):
        pair_acts.act(Look(PairFilter(run_id)), {"do": "resume"})


def test_no_phase_is_begun_there(zero_gpu, tmp_path):
    with pytest.raises(GenerationError, match="no model can be loaded here"):
        PhaseChild("serve", log=tmp_path / "log", error=GenerationError)


def test_the_sign_in_button_may_ask_who_somebody_is():
    assert set(OF_GRADIO) == {name_of(gr.LoginButton._check_login_status)}
