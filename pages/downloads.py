"""What can be taken along: a run's report, and the numbers of every chart that is shown."""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from codelutra.bundle import write_bundle
from codelutra.errors import CodeLutraError
from codelutra.report import report
from codelutra.report_text import as_html, as_markdown
from codelutra.run_rows import read_run
from pages.format import caption
from pages.numbers import Number, numbers, training_numbers, write_csv, write_parquet
from pages.overlay import load_lines, with_passes
from pages.run_view import list_rows
from pages.training_curves import METRICS
from storage import curves, db, health, jobs

MAX_POINTS = 1000  # of a training curve
KINDS = {
    "html": "Report (HTML)",
    "md": "Report (Markdown)",
    "csv": "Numbers (CSV)",
    "parquet": "Numbers (Parquet)",
    "zip": "Bundle, to run it again",
}
SAVE = "() => document.querySelector('#download-file').click()"


def write_report(run_id: int, kind: str) -> Path:
    """As `python -m codelutra report` writes it, with the run's name and status."""
    with db.open_session() as session:
        row = next(row for row in list_rows(session, limit=0, wanted=run_id))
    with read_run(run_id) as ledger:
        blocks = report(ledger, name=f"Run {run_id}, {row.name}", status=str(jobs.status(run_id)))
    text = (as_html if kind == "html" else as_markdown)(blocks)
    return _put(f"run-{run_id}.{kind}", lambda path: path.write_text(text, encoding="utf-8"))


def write_run_bundle(run_id: int) -> Path:
    """As `python -m codelutra export bundle` writes it."""
    with read_run(run_id) as ledger:
        return _put(
            f"run-{run_id}-bundle.zip",
            lambda path: write_bundle(ledger, path, name=f"Run {run_id}"),
        )


def write_numbers(run_ids: Sequence[int], kind: str) -> Path:
    rows = numbers_of(run_ids)
    write = write_csv if kind == "csv" else write_parquet
    return _put(f"run-{'-'.join(map(str, run_ids))}.{kind}", lambda path: write(rows, path))


def numbers_of(run_ids: Sequence[int]) -> list[Number]:
    found: list[Number] = []
    with db.open_session() as session:
        rows = {row.id: row for id in run_ids for row in list_rows(session, limit=0, wanted=id)}
        for line in load_lines(session, [rows[id] for id in run_ids]):
            found += numbers(with_passes(session, line))
            for training in health.trainings(session, run_id=line.row.id):
                drawn = curves.read_curves(
                    session, iteration_id=training.iteration_id, metrics=METRICS,
                    max_points=MAX_POINTS,
                )  # fmt: skip
                found += training_numbers(line.row.id, training.number, drawn)
    return found


def download(run_id: int | None, others: Sequence[int] | None, kind: str) -> str:
    """A button's handler: the file that the browser then saves."""
    if not run_id:
        raise gr.Error("There is no run to download yet.", print_exception=False)
    try:
        if kind in ("html", "md"):
            return str(write_report(run_id, kind))
        if kind == "zip":
            return str(write_run_bundle(run_id))
        return str(write_numbers([run_id, *(others or ())], kind))
    except CodeLutraError as error:
        raise gr.Error(str(error), print_exception=False) from error


def render_downloads(picker: gr.Dropdown, others: gr.Dropdown) -> None:
    """Buttons of their own, for a DownloadButton saves what it had before the click."""
    with gr.Column(elem_id="downloads"):
        gr.HTML(caption("Download", "the run, or the numbers of every chart above"))
        file = gr.DownloadButton(visible="hidden", elem_id="download-file")
        with gr.Row(elem_id="download-buttons"):
            for kind, name in KINDS.items():
                button = gr.Button(name, size="sm", min_width=120, elem_id=f"download-{kind}")

                def write(run_id: int | None, chosen: Sequence[int], kind: str = kind) -> str:
                    return download(run_id, chosen, kind)

                quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
                made = button.click(write, [picker, others], file, **quiet)
                made.success(None, js=SAVE)


@cache
def _folder() -> Path:
    """One a process: a file of the same run replaces the one before."""
    return Path(tempfile.mkdtemp(prefix="codelutra-downloads-"))


def _put(name: str, write: Callable[[Path], object]) -> Path:
    path = _folder() / name
    part = path.with_suffix(f".{os.urandom(4).hex()}")  # two visitors may ask at once
    write(part)
    part.replace(path)
    return path
