"""Before you start: what the run that is filled in needs, what there is, and how long it takes."""

import time
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.fit import Estimate, Need, estimate, gib
from codelutra.fit_terms import TaskFacts, facts_of
from codelutra.machine import Machine, look
from codelutra.measured import measured_folders
from codelutra.model_shape import ModelShape, read_shape
from codelutra.pace import Measured, forecast, of_row
from codelutra.pace import words as time_words
from codelutra.tasks import load_tasks, select_tasks
from codelutra.tasks.findings import NO_LABEL
from codelutra.tasks.quarantine import leave_out_quarantined
from pages.form import build_config, configs_of, in_labels
from pages.format import count, text
from pages.place import can_run
from pages.task_list import current_findings
from storage import db
from storage.db import StorageError
from storage.pace import measured_runs

UNTIL = "Try one task or a first iteration has run"
ALONE = "none is sampled: the base alone is scored"
KEPT_S = 30  # what was read of tasks and models is read again after so long
LOOKED_S = 5  # and the machine
STATES = {"yes": "fits", "tight": "tight", "busy": "not free now", "no": "does not fit"}
LOOKS = {"yes": "good", "tight": "warn", "busy": "warn", "no": "bad"}


def before(values: Mapping[str, Any]) -> str:
    """HTML for what is filled in; `values` are those of the form."""
    if not can_run():
        return ""  # what fits here is no question then
    try:
        config = leave_out_quarantined(build_config(values))
        num_runs = len(configs_of(values))
        facts = _facts(config, _now(KEPT_S))
    except (CodeLutraError, StorageError) as error:
        return _section(f'<p class="faint">{text(error)}</p>')
    shape = _shape(config.model, _now(KEPT_S))
    rows = _work(config, facts, num_runs=num_runs)
    if isinstance(shape, str):
        return _section(_list([("Memory, disk", f"unknown: {text(shape)}"), *rows]))
    found = estimate(shape, facts, config, _machine(_now(LOOKED_S)))
    return _section(
        _list([_model(shape), *_needs(found), *rows]) + _warnings(found) + _terms(found)
    )


def _model(shape: ModelShape) -> tuple[str, str]:
    """Its shape was read, so it is one that can be loaded; trying one task does load it."""
    where = "on this machine" if shape.is_here else "downloaded by the first run"
    return ("Model", f"{shape.parameters / 1e6:,.1f} M parameters, {where}")


def _needs(found: Estimate) -> list[tuple[str, str]]:
    """A row a place: of the phases there, which come one after the other, the largest counts."""
    rows = []
    for place in dict.fromkeys(need.place for need in found.needs):
        here = [need for need in found.needs if need.place == place]
        need = max(here, key=lambda need: (list(STATES).index(need.state), need.most))
        label = "Download" if "Hub" in place else place.split(" in ")[0].split(" of ")[0]
        state = f'<b class="fit-{LOOKS[need.state]}">{STATES[need.state]}</b>'
        rows.append(
            (label[0].upper() + label[1:], f"{_span(need)} of {gib(need.free)} free {state}")
        )
    return rows


def _work(config: RefineConfig, facts: TaskFacts, *, num_runs: int) -> list[tuple[str, str]]:
    drawn = config.iterations * facts.num_train * config.sampling.num_samples
    validation = f", {count(facts.num_validation)} validation" if facts.num_validation else ""
    with db.open_session() as session:
        rows = measured_runs(session, model=config.model)
    runs = [of_row(**vars(row)) for row in rows] + _folders(config.model, _now(KEPT_S))
    known = forecast(runs, config, facts)
    return [
        *([("Runs", count(num_runs))] if num_runs > 1 else []),
        ("Time" + ", each" * (num_runs > 1), text(time_words(known, until=UNTIL))),
        (
            "Tasks",
            f"{count(facts.num_train)} training{validation}, {count(facts.num_heldout)} held-out",
        ),
        ("Programs", f"{count(drawn)} sampled and executed" if drawn else ALONE),
        *([("Kinds", _kinds(config))] if config.train_kind else []),
        ("Golds", _golds(config)),
    ]


def _golds(config: RefineConfig) -> str:
    """Whether the set's golds were run, and how many of those that count give no label."""
    with db.open_session() as session:
        check = current_findings(session, tasks=config.tasks)
    if check is None:
        return "not checked yet: Check golds on the Tasks tab"
    away = set(config.quarantined)
    bad = {
        found["task_id"]
        for found in check.findings or []
        if found["problem"] in NO_LABEL and found["task_id"] not in away
    }
    if bad:
        words = f"{count(len(bad))} of {count(check.total)} fail or are not repeatable"
        return f'{words}: quarantine them on the Tasks tab <b class="fit-warn">look</b>'
    return f'{count(check.total)} checked, none is left that fails <b class="fit-good">sound</b>'


def _kinds(config: RefineConfig) -> str:
    """Which are scored, of a run that trains on one."""
    tasks = select_tasks(load_tasks(config.tasks), config)
    scored = Counter(task.kind for task in tasks if task.split == "heldout")
    words = ", ".join(f"{count(number)} {text(kind)}" for kind, number in sorted(scored.items()))
    return f"trained on {text(config.train_kind)}, held-out: {words}"


def _warnings(found: Estimate) -> str:
    states = [need.state for need in found.needs]
    kind, role = ("bad", ' role="alert"') if "no" in states else ("warn", "")
    lines = "<br>".join(text(in_labels(_sentence(line))) for line in found.warnings)
    return f'<div class="note {kind}"{role}>{lines}</div>' if lines else ""


def _terms(found: Estimate) -> str:
    """Every term of every sum, for those who want to know why."""
    shape = found.shape
    parts = []
    for need in found.needs:
        terms = "".join(
            f"<li>{text(part.name)}: {_amounts(part.least, part.most)} "
            f'<span class="faint">{text(part.why)}</span></li>'
            for part in need.parts
        )
        parts.append(f"<h5>{text(_sentence(need.phase))}, {_span(need)}</h5><ul>{terms}</ul>")
    about = f"{count(shape.parameters)} parameters, {shape.source}"
    return (
        f"<details><summary>How this is reckoned</summary><p>{text(about)}. The lower end is taken "
        "whatever the tasks are, the upper end if every program is as long as it may be, with "
        f"15 % on top.</p>{''.join(parts)}</details>"
    )


def _span(need: Need) -> str:
    return _amounts(need.least, need.most)


def _amounts(least: float, most: float) -> str:
    low, high = gib(least), gib(most)
    if low == high:
        return low
    return f"{low.removesuffix(high[-4:])} to {high}"


def _list(rows: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"


def _section(body: str) -> str:
    return f'<section class="before"><h4>Before you start</h4>{body}</section>'


def _sentence(line: str) -> str:
    return line[0].upper() + line[1:]


@lru_cache(maxsize=16)
def _facts(config: RefineConfig, _now: int) -> TaskFacts:
    return facts_of(select_tasks(load_tasks(config.tasks), config))


@lru_cache(maxsize=16)
def _shape(model: str, _now: int) -> ModelShape | str:
    """A model's shape, or why it is not known."""
    try:
        return read_shape(model)
    except CodeLutraError as error:
        return str(error)


@lru_cache(maxsize=16)
def _folders(model: str, _now: int) -> list[Measured]:
    return measured_folders(model)


@lru_cache(maxsize=1)
def _machine(_now: int) -> Machine:
    return look()


def _now(every_s: int) -> int:
    """The same number until the next look is due."""
    return int(time.monotonic() // every_s)
