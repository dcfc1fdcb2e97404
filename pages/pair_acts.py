"""What a person does to pairs, from the page: decide, undo, edit, re-run, put a task away."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from codelutra.reviews import VetoReason
from codelutra.tasks.quarantine import quarantine
from pages import place
from pages.format import count
from pages.pair_look import Look, Who, step
from storage import db, pairs, queries, reviews, trials
from storage.db import StorageError
from storage.pair_models import PreferencePair, Trial
from storage.pair_queue import PairFilter
from storage.reviews import STATES, Decision

REPEATS = 5  # of a re-run: what chance decides shows in few
EDIT_RUNS = 2  # of an edited program: one that is chance is not taken
MAX_NAME, MAX_NOTE = 60, 500  # characters


def act(look: Look, asked: Mapping[str, Any]) -> tuple[Look, str]:
    """Do what was asked: (where the visitor looks next, what there is to say, as text).

    Raises StorageError.
    """
    do, who = str(asked.get("do")), look.who
    if seen := asked.get("pair"):  # what the person saw, not what is shown meanwhile
        look = replace(look, pair_id=int(seen))
    match do:
        case "open":
            return look, ""
        case "next" | "back":
            return _step(look, back=do == "back")
        case "all":
            return Look(PairFilter(look.filter.run_id), who=who), ""
        case "resume":
            place.resume(look.filter.run_id)
            return look, "The training begins: what you decide now counts for later iterations."
        case "undo":
            return _undo(look)
        case "rerun":
            _rerun(int(asked["pair"]), who)
            return look, ""
        case "try":
            _try(
                int(asked["pair"]),
                int(asked["version"]),
                str(asked["side"]),
                str(asked["text"]),
                who,
            )
            return look, ""
        case "quarantine":
            return _quarantine(look, int(asked["pair"]))
    reason, note = str(asked.get("reason") or ""), str(asked.get("note") or "")
    decide(int(asked["pair"]), int(asked["version"]), do, who, reason, note)
    return _step(look)


def decide(
    pair_id: int, version: int, action: str, who: Who, reason: str = "", note: str = ""
) -> PreferencePair:
    decision = decision_of(action, who.name, reason, note)
    with db.open_session() as session:
        return reviews.decide(session, pair_id=pair_id, version=version, decision=decision)


def decision_of(action: str, name: str, reason: str = "", note: str = "") -> Decision:
    """Raises StorageError where it makes no sense."""
    if action not in STATES:
        raise StorageError(f"{action!r} is no decision: choose {', '.join(STATES)}")
    if reason and reason not in list(VetoReason):
        raise StorageError(f"{reason!r} is no reason: choose {', '.join(VetoReason)}")
    if action != "veto":
        reason = ""
    return Decision(action, name[:MAX_NAME].strip() or "desk", reason, note[:MAX_NOTE].strip())


def _step(look: Look, *, back: bool = False) -> tuple[Look, str]:
    with db.open_session() as session:
        found = step(session, look, back=back)
    if found.pair_id != look.pair_id:
        return found, ""
    return found, "There is no pair before this one." if back else "This was the last pair."


def _undo(look: Look) -> tuple[Look, str]:
    """Back to the pair that is as it was."""
    with db.open_session() as session:
        done = reviews.undo(session, run_id=look.filter.run_id, reviewer=look.who.name)
    if done is None:
        return look, f"{look.who.name} has nothing to undo in this run."
    said = []
    if done.num_restored > 1:
        said.append(f"The {done.action} of {count(done.num_restored)} pairs is undone.")
    if done.num_changed_since:
        said.append(
            f"{count(done.num_changed_since)} of these pairs stay as they are: somebody has "
            "changed them since."
        )
    return replace(look, pair_id=done.pair_id or look.pair_id), " ".join(said)


def _rerun(pair_id: int, who: Who) -> None:
    with db.open_session() as session:
        pair, tasks = _pair_and_tasks(session, pair_id)
        for side in ("chosen", "rejected"):
            trials.submit(
                session,
                Trial(tasks=tasks, task_id=pair.task_id, completion=getattr(pair, side),
                      repeats=REPEATS, pair_id=pair_id, pair_version=pair.version, side=side,
                      reviewer=who.name),
            )  # fmt: skip


def _try(pair_id: int, version: int, side: str, program: str, who: Who) -> None:
    """The worker takes the program for the side when its verdict allows."""
    if side not in ("chosen", "rejected"):
        raise StorageError(f"{side!r} is no side of a pair")
    with db.open_session() as session:
        pair, tasks = _pair_and_tasks(session, pair_id)
        if pair.version != version:
            raise StorageError(f"pair {pair_id} has changed since you opened it: look at it again")
        if program.strip() == getattr(pair, side).strip():
            raise StorageError("the program is as it was: change it first")
        trials.submit(
            session,
            Trial(tasks=tasks, task_id=pair.task_id, completion=program, repeats=EDIT_RUNS,
                  pair_id=pair_id, pair_version=version, side=side, is_edit=True,
                  reviewer=who.name),
        )  # fmt: skip


def _quarantine(look: Look, pair_id: int) -> tuple[Look, str]:
    """New runs leave the task out, and this run's pairs of it are vetoed: undo takes that back."""
    with db.open_session() as session:
        pair, tasks = _pair_and_tasks(session, pair_id)
        quarantine(tasks, {pair.task_id: f"by {look.who.name}, on the Pairs tab"})
        wanted = PairFilter(pair.run_id, task_id=pair.task_id)
        decision = decision_of("veto", look.who.name, VetoReason.OTHER, "its task is quarantined")
        _, number = reviews.decide_all(session, wanted=wanted, decision=decision)
    look, _ = _step(look)
    return look, (
        f"{pair.task_id} is in quarantine: pairs and new runs leave it out (the Tasks tab "
        f"releases it). {count(number)} pairs of this run are vetoed."
    )


def _pair_and_tasks(session: Any, pair_id: int) -> tuple[PreferencePair, str]:
    pair = pairs.get(session, pair_id=pair_id)
    run = queries.get_run(session, run_id=pair.run_id) if pair else None
    if pair is None or run is None:
        raise StorageError(f"there is no pair {pair_id}")
    return pair, str(run.config["tasks"])
