"""A run kept in files: the ledger of the command line and the tests.

One JSON object a line, appended and flushed; a line cut short by a crash is dropped when the
folder is opened again, so what it held is done again.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError, StopRequested
from codelutra.log_lines import one_event
from codelutra.records import (
    Adapter,
    Alert,
    PairNotes,
    PreferencePair,
    Sample,
    SampleKey,
    Scores,
    Split,
    TrainingFacts,
    Trust,
    Verdict,
    VerdictKind,
    Veto,
)
from codelutra.reviews import ReviewFacts

Report = Callable[[int, str, int, int], None]


class RunFolder:
    """Implements `Ledger`. `report` is called with (iteration, phase, done, total)."""

    def __init__(
        self,
        folder: Path,
        config: RefineConfig,
        report: Report = lambda *_: None,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder = folder
        self.config = config
        self.report = report
        self.stop_requested = stop_requested
        self._steps: dict[int, set[int]] = {}  # of training, by iteration
        folder.mkdir(parents=True, exist_ok=True)
        self._check_config(folder / "config.json")

    def _check_config(self, path: Path) -> None:
        """A folder belongs to one configuration: mixing two would give untrue numbers."""
        mine = self.config.model_dump(mode="json")
        if not path.exists():
            _replace(path, json.dumps(mine, indent=1))
        elif json.loads(path.read_text()) != mine:
            raise CodeLutraError(
                f"{self.folder} holds a run with other settings: give another --out folder"
            )

    def _file(self, name: str, iteration: int) -> Path:
        return self.folder / f"{name}-{iteration}.jsonl"

    def last_iteration(self) -> int:
        return self.config.iterations

    def trust(self) -> Trust:
        path = self.folder / "trust.json"
        return Trust(**json.loads(path.read_text())) if path.exists() else Trust()

    def add_trust(self, trust: Trust) -> None:
        is_unfenced = trust.is_unfenced or self.trust().is_unfenced
        kept = replace(trust, is_unfenced=is_unfenced)
        _replace(self.folder / "trust.json", json.dumps(asdict(kept)))

    def samples(self, iteration: int, split: Split) -> list[Sample]:
        rows = _read(self._file(f"samples-{split}", iteration))
        verdicts = {
            (row["task_id"], row["index"]): Verdict(
                VerdictKind(row["kind"]),
                row["detail"],
                row["seconds"],
                row.get("flaky", False),
                row.get("output", ""),
                row.get("extraction", ""),
            )
            for row in _read(self._file(f"verdicts-{split}", iteration))
        }
        samples = [Sample(row["task_id"], row["index"], row["completion"]) for row in rows]
        return [Sample(*s.key, s.completion, verdicts.get(s.key)) for s in samples]

    def add_samples(self, iteration: int, split: Split, samples: Sequence[Sample]) -> None:
        known = {sample.key for sample in self.samples(iteration, split)}
        rows = [
            {"task_id": s.task_id, "index": s.index, "completion": s.completion}
            for s in samples
            if s.key not in known
        ]
        _append(self._file(f"samples-{split}", iteration), rows)

    def add_verdicts(
        self, iteration: int, split: Split, verdicts: Mapping[SampleKey, Verdict]
    ) -> None:
        known = {s.key for s in self.samples(iteration, split) if s.verdict}
        rows = [
            {"task_id": key[0], "index": key[1], **asdict(verdict)}
            for key, verdict in verdicts.items()
            if key not in known
        ]
        _append(self._file(f"verdicts-{split}", iteration), rows)

    def pairs(self, iteration: int) -> list[PreferencePair] | None:
        path = self._file("pairs", iteration)
        return _pairs(path) if path.exists() else None

    def add_pairs(
        self, iteration: int, pairs: Sequence[PreferencePair], notes: Sequence[PairNotes] = ()
    ) -> None:
        path = self._file("pairs", iteration)
        if path.exists():
            return
        rows = [asdict(pair) for pair in pairs]
        for row, note in zip(rows, notes, strict=False):
            row |= {"warnings": note.warnings, "doubt": note.doubt}
        _replace(path, "".join(json.dumps(row) + "\n" for row in rows))

    def wait_for_review(self, iteration: int) -> None:
        asked = self._file("review", iteration)
        if not asked.exists():
            _replace(asked, "")
            raise StopRequested(
                f"the pairs of iteration {iteration} wait for review in "
                f"{self._file('pairs', iteration)}: take out the lines that should not train, "
                "then run the same command again"
            )

    def training_pairs(self, iteration: int) -> list[PreferencePair]:
        """The file of the pairs, out of which people may take lines until the training begins."""
        path = self._file("training-pairs", iteration)
        if not path.exists():
            _replace(path, self._file("pairs", iteration).read_text())
        return _pairs(path)

    def noted_pairs(
        self, iteration: int, *, trained: bool
    ) -> list[tuple[PreferencePair, PairNotes]]:
        """The pairs and what is noted of them; `trained`: as training reads or has read them."""
        path = self._file("training-pairs", iteration)
        if not trained or not path.exists():
            path = self._file("pairs", iteration)
        notes = [
            PairNotes(tuple(row.get("warnings", ())), row.get("doubt", 0.0)) for row in _read(path)
        ]
        return list(zip(_pairs(path), notes, strict=True))

    def review_facts(self, iteration: int) -> ReviewFacts | None:
        return None  # nobody reviews a folder but by hand

    def vetoes(self) -> list[Veto]:
        return []

    def adapter(self, iteration: int) -> Adapter | None:
        row = self._value("adapter", iteration)
        return Adapter(**row) if row else None

    def add_adapter(self, iteration: int, adapter: Adapter) -> None:
        self._set_value("adapter", iteration, asdict(adapter))

    def scores(self, iteration: int, split: Split = "heldout") -> Scores | None:
        row = self._value(f"scores-{split}", iteration)
        return Scores(**{**row, "ci95": tuple(row["ci95"])}) if row else None

    def add_scores(self, iteration: int, scores: Scores, split: Split = "heldout") -> None:
        self._set_value(f"scores-{split}", iteration, asdict(scores))

    def training_facts(self, iteration: int) -> TrainingFacts | None:
        row = self._value("facts", iteration)
        return TrainingFacts(**row) if row else None

    def add_training_facts(self, iteration: int, facts: TrainingFacts) -> None:
        self._set_value("facts", iteration, asdict(facts))

    def alerts(self, iteration: int) -> list[Alert]:
        return [Alert(**row) for row in _read(self._file("alerts", iteration))]

    def add_alert(self, iteration: int, alert: Alert) -> None:
        if alert.kind not in {known.kind for known in self.alerts(iteration)}:
            _append(self._file("alerts", iteration), [asdict(alert)])

    def add_seconds(self, iteration: int, phase: str, seconds: float, tokens: int = 0) -> None:
        row = {"phase": phase, "seconds": seconds, "tokens": tokens}
        _append(self._file("seconds", iteration), [row])

    def seconds(self, iteration: int) -> dict[str, float]:
        total: dict[str, float] = {}
        for row in _read(self._file("seconds", iteration)):
            total[row["phase"]] = total.get(row["phase"], 0.0) + row["seconds"]
        return total

    def tokens(self, iteration: int) -> dict[str, int]:
        total: Counter[str] = Counter()
        for row in _read(self._file("seconds", iteration)):
            total[row["phase"]] += row.get("tokens", 0)
        return dict(+total)

    def add_training_metrics(self, iteration: int, step: int, metrics: dict[str, Any]) -> None:
        path = self._file("training", iteration)
        if iteration not in self._steps:
            self._steps[iteration] = {row["step"] for row in self.training_metrics(iteration)}
        if step not in self._steps[iteration]:  # a resumed training repeats what it lost
            self._steps[iteration].add(step)
            _append(path, [{"step": step, **metrics}])

    def training_metrics(self, iteration: int) -> list[dict[str, Any]]:
        """A row an optimiser step, as TRL names them, and `step`."""
        return _read(self._file("training", iteration))

    def log(self, message: str) -> None:
        with (self.folder / "run.log").open("a", encoding="utf-8") as file:
            file.write(one_event(message) + "\n")

    def _value(self, name: str, iteration: int) -> dict[str, Any] | None:
        path = self.folder / f"{name}-{iteration}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def _set_value(self, name: str, iteration: int, value: dict[str, Any]) -> None:
        path = self.folder / f"{name}-{iteration}.json"
        if not path.exists():
            _replace(path, json.dumps(value))


def _pairs(path: Path) -> list[PreferencePair]:
    names = [column.name for column in fields(PreferencePair)]
    return [PreferencePair(**{n: row[n] for n in names if n in row}) for row in _read(path)]


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    # A last line without its newline was cut short by a crash.
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def _append(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    _drop_cut_line(path)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())


def _drop_cut_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)


def _replace(path: Path, text: str) -> None:
    """Write all or nothing."""
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
