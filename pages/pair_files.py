"""A run's pairs as a file for others, and a file of pairs that others made for a run."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from gradio.events import api

from codelutra.errors import CodeLutraError
from codelutra.pair_export import FORMATS, TRAINING, WHICH, Tally
from codelutra.pair_rows import export_run, exported_rows
from pages.format import count, text
from pages.pair_look import Look
from storage import db, pair_imports, queries, run_status
from storage.db import StorageError
from storage.pair_models import PairImport
from storage.run_status import RunStatus

FOLDER = "codelutra-export-"
KEPT_S = 3600.0  # a file that was made is there to be downloaded
ROWS = 1000  # that a program is given at once
SHOWN = 20  # refused rows that are listed
STATES = [("training set", TRAINING), *((which, which) for which in WHICH[1:])]
KINDS = [("JSONL", FORMATS[0]), ("Parquet", FORMATS[1])]
NO_RUN = "Choose a run first."


@dataclass(frozen=True)
class PairFiles:
    state: gr.Dropdown
    kind: gr.Radio
    make: gr.Button
    made: gr.HTML
    download: gr.DownloadButton
    upload: gr.File
    skip_bad: gr.Checkbox
    give: gr.Button
    message: gr.HTML
    seen: gr.State  # what the message was made of


def make(run_id: int, which: str, suffix: str) -> tuple[Path, Tally]:
    """A new file with a run's pairs, in a folder for downloads. Raises CodeLutraError."""
    if which not in WHICH or suffix not in FORMATS:
        raise CodeLutraError(f"choose {', '.join(WHICH)} and {' or '.join(FORMATS)}")
    for old in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        if old.owner() == Path.home().owner() and time.time() - old.stat().st_mtime > KEPT_S:
            shutil.rmtree(old, ignore_errors=True)
    # Gradio serves nothing from CODELUTRA_HOME.
    path = Path(tempfile.mkdtemp(prefix=FOLDER)) / f"run-{run_id}-{which}{suffix}"
    return path, export_run(run_id, path, which)


def keep(run_id: int, upload: str, *, skip_bad: bool) -> int:
    """Keep the uploaded file for the worker, who reads and executes it; the import's number."""
    given = Path(upload)
    if given.suffix.lower() not in FORMATS:
        raise CodeLutraError(f"{given.name}: give a {' or a '.join(FORMATS)} file")
    with db.open_session() as session:
        if queries.get_run(session, run_id=run_id) is None:
            raise CodeLutraError(f"there is no run {run_id}")
        newest = pair_imports.newest(session, run_id=run_id)
    if newest and pair_imports.status(newest) in run_status.UNDER_WAY:
        raise CodeLutraError(f"{newest.name} is being imported into this run: wait for its end")
    kept = db.current().home / "imports" / f"{uuid4().hex}{given.suffix.lower()}"
    kept.parent.mkdir(exist_ok=True)
    shutil.copyfile(given, kept)
    wish = PairImport(run_id=run_id, name=given.name, path=str(kept), skip_bad=skip_bad)
    with db.open_session() as session:
        return pair_imports.submit(session, wish)


def export_pairs(run_id: int, state: str = TRAINING) -> list[dict[str, Any]]:
    """A run's pairs as `export pairs` writes them, the first 1,000: for all, use that command."""
    try:
        if state not in WHICH:
            raise CodeLutraError(f"state is one of {', '.join(WHICH)}")
        return list(islice(exported_rows(run_id, state), ROWS))
    except CodeLutraError as error:
        raise gr.Error(str(error), print_exception=False) from error


def pair_import(import_id: int) -> dict[str, Any]:
    """An import: its status, how far it is, and its result (null until it has ended)."""
    with db.open_session() as session:
        wish = pair_imports.get(session, import_id=import_id)
    if wish is None:
        raise gr.Error(f"there is no import {import_id}", print_exception=False)
    status = pair_imports.status(wish)
    failed = pair_imports.error(wish) if status is RunStatus.FAILED else None
    return {"run": wish.run_id, "file": wish.name, "status": status.value, "done": wish.done,
            "total": wish.total, "result": wish.result, "error": failed}  # fmt: skip


def describe(wish: PairImport | None, status: RunStatus | None, failed: str = "") -> str:
    """The newest import of a run."""
    if wish is None or status is None:
        return ""
    name = f"<b>{text(wish.name)}</b>"
    if status is RunStatus.FAILED:
        return _note("bad", f"{name}: nothing was stored. {text(failed)}")
    if status is RunStatus.CANCELLED:
        return _note("bad", f"{name} was stopped, nothing was stored: give it once more.")
    if status is RunStatus.INTERRUPTED:
        return _note("", f"{name}: the worker stopped; the import goes on when it starts.")
    if status is RunStatus.QUEUED:
        return _note("", f"{name} waits for the worker.")
    if wish.result is None and not wish.total:
        return _note("", f"{name} is being read.")
    if wish.result is None:
        far = f"{count(wish.done)} of {count(wish.total)} pairs executed"
        bar = f'<progress max="{wish.total}" value="{wish.done}" aria-label="{far}"></progress>'
        return _note("", f"{name}: {far} {bar}")
    return _result(name, wish.result)


def _result(name: str, result: dict[str, Any]) -> str:
    refused = result["num_refused"]
    if not result["is_stored"]:
        said = f"{name}: nothing was stored, {count(refused)} rows are bad. Mend them, or leave "
        said += "bad rows out."
    else:
        said = f"{name}: {count(result['num_added'])} pairs joined iteration {result['iteration']}"
        said += f" ({count(result['num_executed'])} executed)."
        if result["num_duplicates"]:
            said += f" {count(result['num_duplicates'])} skipped, the run has them already."
        if refused:
            said += f" {count(refused)} refused."
    rows = "".join(
        f"<li>line {int(problem['line'])}: {text(problem['reason'])}</li>"
        for problem in result["problems"][:SHOWN]
    )
    if refused > SHOWN:
        rows += f"<li>and {count(refused - SHOWN)} more</li>"
    listed = f'<ul class="refused">{rows}</ul>' if rows else ""
    kind = "bad" if not result["is_stored"] else "good" if result["num_added"] else ""
    return _note(kind, said) + listed


def _note(kind: str, said: str) -> str:
    role = "alert" if kind == "bad" else "status"
    return f'<div class="note {kind}" role="{role}">{said}</div>'


def poll(look: Look, seen: Any) -> list[Any]:
    """The message about the newest import, and what it was made of; skips when nothing is new."""
    with db.open_session() as session:
        wish = pair_imports.newest(session, run_id=look.filter.run_id)
    status = pair_imports.status(wish) if wish else None
    now = [wish.id, status.value, wish.done, wish.total] if wish and status else [0]
    if now == seen:
        return [gr.skip(), gr.skip()]
    failed = pair_imports.error(wish) if wish and status is RunStatus.FAILED else ""
    return [describe(wish, status, failed), now]


def render() -> PairFiles:
    with gr.Accordion("Import and export", open=False, elem_id="pair-files"):
        with gr.Row():
            state = gr.Dropdown(STATES, value=TRAINING, label="Pairs", min_width=130)
            kind = gr.Radio(KINDS, value=FORMATS[0], label="Format", min_width=130)
        button = gr.Button("Make the file", elem_id="pair-make")
        made = gr.HTML("", elem_id="pair-made")
        download = gr.DownloadButton("Download", visible=False, elem_id="pair-download")
        upload = gr.File(
            label="Pairs made elsewhere: .jsonl or .parquet with prompt, chosen, rejected",
            file_types=list(FORMATS), height=110, elem_id="pair-upload",
        )  # fmt: skip
        skip_bad = gr.Checkbox(
            label="Leave bad rows out", info="otherwise one of them keeps the whole file out",
            elem_id="pair-skip-bad",
        )  # fmt: skip
        give = gr.Button("Import into this run", elem_id="pair-give")
        message = gr.HTML("", elem_id="pair-import-message")
    return PairFiles(
        state, kind, button, made, download, upload, skip_bad, give, message, gr.State(None)
    )


def wire(files: PairFiles, look: gr.State, timer: gr.Timer, quiet: dict[str, Any]) -> None:
    """`timer` is the tab's: only while it is seen anything is asked."""

    def on_make(now: Look, which: str, suffix: str) -> list[Any]:
        try:
            if not now.filter.run_id:
                raise CodeLutraError(NO_RUN)
            path, tally = make(now.filter.run_id, which, suffix)
        except (CodeLutraError, StorageError) as error:
            return [_note("bad", text(error)), gr.DownloadButton(visible=False)]
        size = path.stat().st_size / 1e6
        label = f"Download {path.name} ({size:.1f} MB)"
        said = f"{count(tally.total)} pairs, ready to download."
        return [_note("good", said), gr.DownloadButton(label, value=str(path), visible=True)]

    def on_give(now: Look, upload: str | None, skip_bad: bool, seen: Any) -> list[Any]:
        try:
            if not now.filter.run_id or not upload:
                raise CodeLutraError("choose a file" if now.filter.run_id else NO_RUN)
            keep(now.filter.run_id, upload, skip_bad=skip_bad)
        except (CodeLutraError, StorageError) as error:
            return [_note("bad", text(error)), seen, gr.skip()]
        return [*poll(now, None), None]

    def forget() -> list[Any]:
        """What was made by another choice is not offered."""
        return ["", gr.DownloadButton(visible=False)]

    slow = {name: value for name, value in quiet.items() if name != "queue"}
    slow |= {"show_progress": "minimal", "show_progress_on": files.made}
    files.make.click(on_make, [look, files.state, files.kind], [files.made, files.download], **slow)
    for choice in (files.state, files.kind):
        choice.input(forget, None, [files.made, files.download], **quiet)
    files.give.click(
        on_give, [look, files.upload, files.skip_bad, files.seen],
        [files.message, files.seen, files.upload], **quiet,
    )  # fmt: skip
    timer.tick(poll, [look, files.seen], [files.message, files.seen], **quiet)
    api(export_pairs, api_name="export_pairs")
    api(pair_import, api_name="pair_import")
