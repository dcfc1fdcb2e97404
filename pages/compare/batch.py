"""Many prompts through the states that are chosen: pass rates, and a table to take away."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from codelutra.errors import CodeLutraError
from codelutra.tasks import list_task_sets
from pages.compare.states import find
from pages.format import count, interval, percent, text
from storage import batches, db
from storage.compare_models import Batch
from storage.db import StorageError
from storage.run_status import UNDER_WAY, RunStatus

OWN = ""  # the tasks that the run was scored on


@dataclass(frozen=True)
class BatchForm:
    tasks: gr.Dropdown
    upload: gr.File
    start: gr.Button
    stop: gr.Button
    message: gr.HTML
    download: gr.DownloadButton
    seen: gr.State


def start(run_id: int | None, keys: Sequence[str], tasks: str, upload: str | None) -> int:
    """Queued; its number. Raises CodeLutraError."""
    if not run_id:
        raise CodeLutraError("choose a run under `Votes and pairs`: its settings count")
    name = tasks or f"held-out tasks of run {run_id}"
    if upload:
        kept = db.current().home / "batches" / f"{uuid4().hex}.jsonl"
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(upload, kept)
        tasks, name = str(kept), Path(upload).name
    with db.open_session() as session:
        newest = batches.newest(session)
        if newest and batches.status(newest) in UNDER_WAY:
            raise CodeLutraError("a batch is under way: wait for its end, or stop it")
        states = [find(session, key) for key in dict.fromkeys(keys) if key]
        if any(state.kind == "remote" for state in states):
            raise CodeLutraError("a batch asks states of this machine only")
        row = Batch(
            run_id=run_id, tasks=tasks, name=name, states=[state.as_row() for state in states]
        )
        return batches.submit(session, row)


def describe(batch: Batch | None, status: RunStatus | None, failed: str = "") -> str:
    if batch is None or status is None:
        return ""
    name = f"<b>{text(batch.name)}</b>"
    if status is RunStatus.FAILED:
        return (
            f'<div class="note bad" role="alert" data-batch="failed">{name}: {text(failed)}</div>'
        )
    if status is RunStatus.CANCELLED:
        return f'<div class="note" data-batch="stopped">{name}: stopped, nothing was kept.</div>'
    if batch.scores is None:
        far = f"{count(batch.done)} of {count(batch.total)} answers" if batch.total else "waits"
        if status is RunStatus.INTERRUPTED:
            far += "; the worker is not running"
        bar = f'<progress max="{batch.total or 1}" value="{batch.done}"></progress>'
        return (
            f'<div class="note" role="status" data-batch="open">{name}: {far} {bar} '
            f"{text(batch.note)}</div>"
        )
    return f'<div data-batch="over"><p>{name}</p>{_table(batch.scores)}</div>'


def _table(scores: Sequence[dict[str, Any]]) -> str:
    head = "".join(f'<th scope="col">{n}</th>' for n in ("State", "pass@1", "Correct", "Of"))
    rows = "".join(
        f'<tr><th scope="row">{text(one["label"])}</th><td>{_share(one)}</td>'
        f"<td>{count(one['num_correct'])}</td><td>{count(one['num_graded'])}</td></tr>"
        for one in scores
    )
    return (
        f'<div class="table-scroll"><table class="numbers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _share(one: dict[str, Any]) -> str:
    if not one["num_graded"]:
        return "not judged"
    return f"{percent(one['pass_at_1'])} <small>{interval(*one['ci95'])}</small>"


def poll(seen: Any) -> list[Any]:
    """The message, the download, and what they were made of."""
    with db.open_session() as session:
        batch = batches.newest(session)
    status = batches.status(batch) if batch else None
    now = [batch.id, status.value, batch.done, batch.note] if batch and status else [0]
    if now == seen:
        return [gr.skip()] * 3
    failed = batches.error(batch) if batch and status is RunStatus.FAILED else ""
    button = gr.DownloadButton(visible=False)
    if batch and batch.path and Path(batch.path).is_file():
        # Gradio serves nothing from CODELUTRA_HOME.
        copy = Path(tempfile.mkdtemp(prefix="codelutra-export-")) / Path(batch.path).name
        shutil.copyfile(batch.path, copy)
        button = gr.DownloadButton("Download the table (CSV)", value=str(copy), visible=True)
    return [describe(batch, status, failed), button, now]


def render() -> BatchForm:
    with gr.Accordion("Batch: many prompts", open=False, elem_id="compare-batch"):
        gr.HTML(
            '<p class="faint">One greedy answer a task from each state that is chosen above, with '
            "the settings of the run under <b>Votes and pairs</b>: on its own held-out tasks these "
            "are its own scores.</p>"
        )
        tasks = gr.Dropdown([("held-out tasks of the run", OWN)], value=OWN, label="Tasks")
        upload = gr.File(
            label="or a file: JSONL with a prompt a line, or whole tasks",
            file_types=[".jsonl"], height=100,
        )  # fmt: skip
        with gr.Row():
            begin = gr.Button("Start the batch", elem_id="compare-batch-start", min_width=90)
            end = gr.Button("Stop", min_width=60)
        message = gr.HTML("", elem_id="compare-batch-message")
        download = gr.DownloadButton("Download", visible=False)
    return BatchForm(tasks, upload, begin, end, message, download, gr.State(None))


def sets() -> Any:
    """What there is to choose from now."""
    return gr.Dropdown(choices=[("held-out tasks of the run", OWN), *list_task_sets()])


def wire(
    form: BatchForm, states: Sequence[Any], run: Any, timer: gr.Timer, quiet: dict[str, Any]
) -> None:
    def on_start(run_id: int | None, tasks: str, upload: str | None, *keys: str) -> list[Any]:
        try:
            start(run_id, keys, tasks or OWN, upload)
        except (CodeLutraError, StorageError, OSError) as error:
            return [_bad(error), gr.skip(), gr.skip()]
        return poll(None)

    def on_stop() -> list[Any]:
        with db.open_session() as session:
            newest = batches.newest(session)
        if newest and newest.id and batches.status(newest) in UNDER_WAY:
            batches.stop(newest.id)
        return poll(None)

    told = [form.message, form.download, form.seen]
    form.start.click(on_start, [run, form.tasks, form.upload, *states], told, **quiet)
    form.stop.click(on_stop, None, told, **quiet)
    timer.tick(poll, form.seen, told, **quiet)


def _bad(error: Exception) -> str:
    return f'<div class="note bad" role="alert">{text(error)}</div>'
