"""What earlier runs on this machine took: those of the dashboard, and those of the command line."""

import json
from pathlib import Path

from pydantic import ValidationError

from codelutra import pace
from codelutra.config import RefineConfig, home
from codelutra.pace import PHASES, Measured
from codelutra.run_folder import RunFolder
from storage import db
from storage.pace import measured_runs


def earlier_runs(model: str) -> list[Measured]:
    """Of `model`, as it was named; the dashboard's first, each kind with the newest first."""
    return measured_rows(model) + measured_folders(model)


def measured_rows(model: str) -> list[Measured]:
    place = home()
    url = db.database_url(place)
    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():  # opening it would make it
        return []
    try:
        db.init(place)
        with db.open_session() as session:
            rows = measured_runs(session, model=model)
    except db.StorageError:
        return []  # no reason to refuse an estimate of everything else
    return [pace.of_row(**vars(row)) for row in rows]


def measured_folders(model: str) -> list[Measured]:
    paths = (home() / "cli").glob("*/config.json")
    found = []
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            config = RefineConfig.model_validate(json.loads(path.read_text()))
        except (OSError, ValueError, ValidationError):
            continue  # of another version
        if config.model == model:
            name = "an earlier smoke test" if config.smoke else "an earlier `refine`"
            found.append(measured_of(RunFolder(path.parent, config), name))
        if len(found) == pace.RECENT:
            break
    return found


def measured_of(ledger: RunFolder, name: str) -> Measured:
    """Of the iterations that are evaluated."""
    config = ledger.config
    seconds: dict[str, float] = {}
    amounts = dict.fromkeys(PHASES, 0)
    num_pairs = num_train = 0
    for number in range(config.iterations + 1):
        if not ledger.scores(number) or (config.smoke and number == 0):
            continue
        for phase, taken in ledger.seconds(number).items():
            seconds[phase] = seconds.get(phase, 0.0) + taken
        drawn = ledger.samples(number, "train")
        pairs = len(ledger.pairs(number) or [])
        scored = len(ledger.samples(number, "heldout")) + len(ledger.samples(number, "validation"))
        for phase in ("sample", "execute", "pair"):
            amounts[phase] += len(drawn)
        amounts["train"] += pairs * config.training.epochs
        amounts["evaluate"] += scored
        num_pairs += pairs
        num_train += len({sample.task_id for sample in drawn})
    steps = 0.0
    if config.smoke and (facts := ledger.training_facts(1)):
        rates = [row.get("tokens_per_second") for row in ledger.training_metrics(1)]
        steps = pace.seconds_of_steps(facts.run_tokens, rates)
    return Measured(name, config.tasks, config.smoke, seconds, amounts, num_pairs, num_train, steps)
