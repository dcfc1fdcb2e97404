"""A run's pairs as a file for others: JSONL or Parquet in TRL's explicit-prompt preference form.

Knows no command line, no database and no Hub.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codelutra import __version__
from codelutra.config import STARTER
from codelutra.errors import CodeLutraError
from codelutra.records import PairNotes, VerdictKind
from codelutra.reviews import PairState, ReviewedPair, as_trained
from codelutra.run_folder import RunFolder
from codelutra.tasks import load_tasks

FORMATS = (".jsonl", ".parquet")
TRAINING = "training"  # what training reads: all but the vetoed ones
ALL = "all"
WHICH = (TRAINING, ALL, *(state.value for state in PairState))
OWN = ("sampled", "gold")  # sources of a pair that the run's own policy wrote
ROWS_AT_ONCE = 1000
# Every column is of one type and never null: readers of JSONL tell types from the first rows.
COLUMNS: dict[str, tuple[type, str]] = {
    "prompt": (str, "what the model reads, without a chat template"),
    "chosen": (str, "the completion to prefer"),
    "rejected": (str, "the other one"),
    "task_id": (str, "the task in its set"),
    "run": (str, "the run's number, or the name of its folder"),
    "iteration": (int, "1 is the first: its pairs are written by the base model"),
    "source": (str, "sampled; gold: chosen is the task's own program; imported: from elsewhere"),
    "chosen_index": (int, "which of the task's samples; -1: the gold or imported"),
    "rejected_index": (int, "the same of the rejected"),
    "rejected_verdict": (str, "what execution said of the rejected; empty: it was not executed"),
    "state": (str, "review: pending (nobody decided), kept, vetoed, flipped, skipped"),
    "reason": (str, "of a veto"),
    "reviewer": (str, "who reviewed it last, as they call themselves"),
    "edited": (bool, "a person's program, proved by execution, stands on a side"),
    "warnings": (str, "reasons to look twice, with commas between"),
    "doubt": (float, "0 to 1"),
    "base_model": (str, "of the policy that wrote the rejected; empty: it comes from elsewhere"),
    "adapter_sha256": (str, "of that policy; empty: the base model itself"),
    "codelutra": (str, "version that exported it"),
}


@dataclass(frozen=True)
class StoredPair:
    """A pair as its run keeps it: never flipped, with its review and notes."""

    iteration: int
    reviewed: ReviewedPair
    reviewer: str = ""
    rejected_verdict: str = ""  # of the program that stands there now
    notes: PairNotes = field(default_factory=PairNotes)


@dataclass(frozen=True)
class Origin:
    """What is the same for many pairs of a run."""

    run: str
    model: str
    prompts: Mapping[str, str]  # by task_id
    adapters: Mapping[int, str]  # sha256 by the iteration that trained it


@dataclass
class Tally:
    """What an export holds."""

    total: int = 0
    states: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    iterations: Counter[int] = field(default_factory=Counter)
    num_edited: int = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self.total += 1
        self.states[row["state"]] += 1
        self.verdicts[row["rejected_verdict"] or "not executed"] += 1
        self.sources[row["source"]] += 1
        self.iterations[row["iteration"]] += 1
        self.num_edited += row["edited"]
        if row["state"] == PairState.VETOED:
            self.reasons[row["reason"] or "no reason given"] += 1


def is_wanted(stored: StoredPair, which: str) -> bool:
    state = stored.reviewed.state
    return which == ALL or (state != PairState.VETOED if which == TRAINING else state == which)


def row_of(stored: StoredPair, origin: Origin) -> dict[str, Any]:
    """A line of the file. Raises CodeLutraError where the set does not have the task any more."""
    reviewed, pair = stored.reviewed, as_trained(stored.reviewed)
    prompt = pair.prompt or origin.prompts.get(pair.task_id, "")
    if not prompt:
        raise CodeLutraError(
            f"the task set has no task {pair.task_id!r} any more, so the prompt of its pairs is "
            "not known: bring the set back as it was when the run was made"
        )
    is_own = reviewed.source in OWN
    values = {
        "prompt": prompt,
        "chosen": pair.chosen,
        "rejected": pair.rejected,
        "task_id": pair.task_id,
        "run": origin.run,
        "iteration": stored.iteration,
        "source": reviewed.source,
        "chosen_index": -1 if pair.chosen_index is None else pair.chosen_index,
        "rejected_index": -1 if pair.rejected_index is None else pair.rejected_index,
        "rejected_verdict": _verdict(stored),
        "state": reviewed.state,
        "reason": reviewed.reason,
        "reviewer": stored.reviewer,
        "edited": reviewed.is_edited,
        "warnings": ",".join(stored.notes.warnings),
        "doubt": stored.notes.doubt,
        "base_model": shown_model(origin.model) if is_own else "",
        "adapter_sha256": origin.adapters.get(stored.iteration - 1, "") if is_own else "",
        "codelutra": __version__,
    }
    return {name: _clean(kind(values[name])) for name, (kind, _) in COLUMNS.items()}


def shown_model(model: str) -> str:
    """A Hub id or `starter` as it is; of a folder its last part: the rest is nobody's business."""
    path = Path(model).expanduser()
    if model == STARTER or not (model.startswith((".", "/", "~")) or path.is_dir()):
        return model
    return path.name or path.resolve().name


def write_pairs(rows: Iterable[dict[str, Any]], out: Path) -> Tally:
    """Write the file `out`, all or nothing, and tell what is in it."""
    check_out(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    tally = Tally()
    write = _write_jsonl if out.suffix == ".jsonl" else _write_parquet
    try:
        write(_counted(rows, tally), partial)
        if not tally.total:
            raise CodeLutraError("no pair of the run is like that: there is nothing to export")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return tally


def export_folder(ledger: RunFolder, out: Path, which: str, number: int | None = None) -> Tally:
    """The pairs of a run kept in files, where review is done by hand and leaves no trace."""
    numbers = [number] if number is not None else range(1, ledger.config.iterations + 1)
    prompts = {task.task_id: task.prompt for task in load_tasks(ledger.config.tasks)}
    writers = {n - 1: found.sha256 for n in numbers if (found := ledger.adapter(n - 1))}
    origin = Origin(ledger.folder.resolve().name, ledger.config.model, prompts, writers)
    stored = (one for n in numbers for one in _of_folder(ledger, n, which) if is_wanted(one, which))
    return write_pairs((row_of(one, origin) for one in stored), out)


def _of_folder(ledger: RunFolder, number: int, which: str) -> Iterator[StoredPair]:
    verdicts = {
        sample.key: sample.verdict.kind.value
        for sample in ledger.samples(number, "train")
        if sample.verdict
    }
    for pair, notes in ledger.noted_pairs(number, trained=which == TRAINING):
        source = "gold" if pair.chosen_index is None else "sampled"
        reviewed = ReviewedPair(pair, PairState.PENDING.value, source=source)
        verdict = verdicts.get((pair.task_id, pair.rejected_index or 0), "")
        yield StoredPair(number, reviewed, "", verdict, notes)


def check_out(out: Path) -> None:
    """Raise CodeLutraError where no file can be written, before any work is done for it."""
    if out.suffix not in FORMATS:
        raise CodeLutraError(f"--out {out}: call it FILE{' or FILE'.join(FORMATS)}")
    if out.exists():
        raise CodeLutraError(f"{out} exists: give another --out, or take it away")


def _counted(rows: Iterable[dict[str, Any]], tally: Tally) -> Iterator[dict[str, Any]]:
    for row in rows:
        tally.add(row)
        yield row


def _write_jsonl(rows: Iterator[dict[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    kinds: dict[type, Callable[[], Any]] = {
        str: pyarrow.string, int: pyarrow.int64, bool: pyarrow.bool_, float: pyarrow.float64,
    }  # fmt: skip
    schema = pyarrow.schema([(name, kinds[kind]()) for name, (kind, _) in COLUMNS.items()])
    batch: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as file:
        for row in rows:
            batch.append(row)
            if len(batch) == ROWS_AT_ONCE:
                file.write_table(pyarrow.Table.from_pylist(batch, schema))
                batch.clear()
        file.write_table(pyarrow.Table.from_pylist(batch, schema))


def _verdict(stored: StoredPair) -> str:
    """Of what is exported as rejected: in a flipped pair that is the program that was chosen."""
    if stored.reviewed.state != PairState.FLIPPED:
        return stored.rejected_verdict
    was_executed = stored.reviewed.source in OWN or stored.rejected_verdict
    return VerdictKind.CORRECT.value if was_executed else ""


def _clean(value: Any) -> Any:
    """Half surrogates are no text in either format."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
