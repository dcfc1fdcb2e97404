"""The runs that wait, and what is kept of a run for those who come later: settings, tags, note."""

from collections.abc import Sequence

from pydantic import ValidationError

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from pages.format import caption, text
from pages.run_view import RunRow, RunView
from pages.start_form import same_elsewhere


def queue_list(rows: Sequence[RunRow], order: Sequence[int]) -> str:
    """In the order in which they start, each with the buttons that move it; '' where none waits."""
    titles = {row.id: row.title for row in rows}
    items = [
        f"<li><span>{text(titles.get(run_id, f'Run {run_id}'))}</span>"
        f"{_move(run_id, -1, 'Earlier', is_possible=place > 0)}"
        f"{_move(run_id, 1, 'Later', is_possible=place < len(order) - 1)}</li>"
        for place, run_id in enumerate(order)
    ]
    if not items:
        return ""
    title = caption("Waiting", "they start by themselves, in this order")
    return f'{title}<ol class="queue">{"".join(items)}</ol>'


def settings_of(view: RunView | None) -> str:
    """How to start the same run again, without the page."""
    if view is None:
        return ""
    try:
        return same_elsewhere([config_of_run(view)])
    except CodeLutraError as error:
        return f'<p class="faint">{text(error)}</p>'


def config_of_run(view: RunView) -> RefineConfig:
    try:
        return RefineConfig.model_validate(view.config)
    except ValidationError as error:
        raise CodeLutraError(
            f"run {view.row.id} was made by another version of CodeLutra, whose settings are not "
            "those of this one"
        ) from error


def _move(run_id: int, by: int, name: str, *, is_possible: bool) -> str:
    off = "" if is_possible else " disabled"
    return (
        f'<button class="small" type="button" data-run="{run_id}" data-by="{by}"'
        f' aria-label="Start run {run_id} {name.lower()}"{off}>{name}</button>'
    )
