"""The part of the Refine form that makes an ablation of a run."""

import gradio as gr
from gradio.components import Component

from codelutra.ablation import AXES
from pages import form

EXAMPLES = {
    "training.mode": "dual, dpo, sft",
    "training.beta": "0.1, 0.5",
    "training.sft_weight": "1, 0.5, 0",
    "training.reference": "previous, base",
    "pairing.max_pairs": "5, 10",
    "sampling.num_samples": "5, 10, 20",
    "seed": "0, 1, 2",
}


def fields() -> dict[str, Component]:
    """A field a setting that can be varied; all empty for a single run."""
    with gr.Accordion("Vary (ablation)", open=False, elem_id="vary"):
        gr.HTML(
            '<p class="faint">Several values with commas: each makes a run that differs in it '
            "alone, queued one behind the other and drawn as one chart on Trends.</p>"
        )
        varied = {
            form.VARY[path]: gr.Textbox(
                "", label=form.LABELS[path], placeholder=EXAMPLES[path], max_lines=1,
                min_width=120, elem_id=f"vary-{path.replace('.', '-')}",
            )
            for path in AXES
        }  # fmt: skip
        plan = gr.Radio(
            [("one setting at a time", "each"), ("every combination", "all")], value="each",
            label="Of several settings", elem_id="vary-plan",
        )  # fmt: skip
    return {**varied, form.PLAN: plan}
