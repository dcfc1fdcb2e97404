"""From a judgement to a preference pair: one that a run imports, after the same checks."""

import json
from typing import Any
from uuid import uuid4

from codelutra.errors import CodeLutraError
from codelutra.votes import find_pair
from pages.pair_files import describe
from storage import comparisons, db, pair_imports, queries
from storage.compare_models import Comparison
from storage.models import Run
from storage.pair_models import PairImport
from storage.run_status import RunStatus


def make_pair(comparison_id: int, run_id: int | None, chosen: int, rejected: int) -> int:
    """The worker runs both programs once more, where the run knows the task; the import's number.

    Raises CodeLutraError: what was not proven correct here is never chosen.
    """
    with db.open_session() as session:
        row = comparisons.get(session, comparison_id=comparison_id)
        run = queries.get_run(session, run_id=run_id) if run_id else None
        answers = comparisons.answers(session, comparison_id=comparison_id)
    if row is None or run is None:
        raise CodeLutraError("choose the run that is to learn from it")
    mine, theirs = ([a for a in answers if a.place == place] for place in (chosen, rejected))
    pair = find_pair([a.result for a in mine], [a.result for a in theirs])
    if isinstance(pair, str):
        raise CodeLutraError(f"no pair: {pair}")
    given = {**_task(row, run), "chosen": mine[pair[0]].text, "rejected": theirs[pair[1]].text}
    path = db.current().home / "imports" / f"{uuid4().hex}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(given) + "\n", encoding="utf-8")
    wish = PairImport(
        run_id=run.id or 0, name=f"comparison {comparison_id}", path=str(path),
        comparison_id=comparison_id,
    )  # fmt: skip
    with db.open_session() as session:
        return pair_imports.submit(session, wish)


def _task(row: Comparison, run: Run) -> dict[str, Any]:
    if row.tasks and row.tasks == run.config["tasks"]:
        return {"task_id": row.task_id, "prompt": row.prompt}
    return {"prompt": row.prompt}


def note(comparison_id: int) -> tuple[str, list[Any]]:
    """What became of the newest pair of a comparison, as HTML, and what that was made of."""
    with db.open_session() as session:
        wish = pair_imports.of_comparison(session, comparison_id=comparison_id)
    if wish is None:
        return "", []
    status = pair_imports.status(wish)
    failed = pair_imports.error(wish) if status is RunStatus.FAILED else ""
    html = describe(wish, status, failed)
    if wish.result and wish.result["num_added"]:
        html += (
            f'<p><a href="?tab=pairs&run={wish.run_id}&source=compare">Look at it on the Pairs tab'
            "</a></p>"
        )
    return html, [wish.id, status.value, wish.done]
