"""The card of exported pairs on the Hub. Every number in it is counted in the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from codelutra import __version__
from codelutra.config import RefineConfig
from codelutra.pair_export import COLUMNS, TRAINING, Tally, shown_model

FEATURES = {str: "string", int: "int64", bool: "bool", float: "float64"}
DESCRIPTION = """\
Preference pairs of programs, made by [CodeLutra](https://arxiv.org/abs/2411.05199): {model} wrote
programs for the tasks of `{tasks}`, each was executed in a sandbox and graded against the task's
own program or tests, and a correct one was paired with an incorrect one of the same task.

**It is** the columns `prompt`, `chosen` and `rejected` that TRL's `DPOTrainer` reads, and where
each pair comes from. {which}

**It is not** a benchmark, and a verdict is no proof: `correct` means that a program gave what the
task's gold gives, on that task's inputs."""
WHICH = {
    TRAINING: "These are the pairs that the training of each iteration reads or has read: people's "
    "vetoes are left out, pairs that they flipped have their sides exchanged.",
    "": "These are pairs as review left them (the column `state`): those that were flipped have "
    "their sides exchanged, and vetoed ones, where there are some, should not be trained on.",
}
LICENCE = (
    "No licence is stated here: those of the base model and of the tasks hold. Prompts and golds "
    "are the task set's, the other programs are the model's output, and `reviewer` holds the names "
    "by which people reviewed."
)
LOAD = """\
```python
from datasets import load_dataset

pairs = load_dataset({repo!r}, split="train")
pairs = pairs.select_columns(["prompt", "chosen", "rejected"])  # for DPOTrainer
```"""


@dataclass(frozen=True)
class DatasetCard:
    repo: str
    file: str  # in the repository
    config: RefineConfig
    which: str  # of pair_export.WHICH
    tally: Tally

    def text(self) -> str:
        """README.md: YAML front matter and Markdown."""
        tasks = Path(self.config.tasks).name or self.config.tasks
        model, tally = shown_model(self.config.model), self.tally
        description = DESCRIPTION.format(
            model=f"`{model}`", tasks=tasks, which=WHICH.get(self.which, WHICH[""])
        )
        parts = [
            self._front_matter(),
            f"# Preference pairs of {model} on {tasks}",
            _wrapped(description),
            LOAD.format(repo=self.repo),
            "## What is in it",
            f"{tally.total:,} pairs, {tally.num_edited:,} of them with a program that a person "
            "edited and execution proved.",
            *_tables(tally),
            "## Columns",
            _table(("column", "type", "meaning"),
                   [(f"`{n}`", FEATURES[k], m) for n, (k, m) in COLUMNS.items()]),
            "## How it was made",
            _wrapped(self._making()),
            "## Licence",
            _wrapped(LICENCE),
            f"Written by CodeLutra {__version__}.",
        ]  # fmt: skip
        return "\n\n".join(parts) + "\n"

    def _making(self) -> str:
        config = self.config
        sampling, pairing = config.sampling, config.pairing
        gold = (
            "the task's own program where none was correct"
            if pairing.gold_if_unsolved
            else "none where none was correct"
        )
        return (
            f"{sampling.num_samples} programs a task and iteration at temperature "
            f"{sampling.temperature:g} (more where few were correct), seed {config.seed}; at most "
            f"{pairing.max_pairs} pairs a task; chosen is a program with the verdict `correct`, or "
            f"{gold}; programs whose verdict changed when they were run again are in no pair. "
            "Iteration 1 is written by the base model, iteration t by the adapter that iteration "
            "t - 1 trained (`adapter_sha256`). Imported pairs were made elsewhere; where their "
            "task is one of the set, both programs were executed, too."
        )

    def _front_matter(self) -> str:
        lines = [
            "task_categories:", "- text-generation",
            "tags:", *(f"- {tag}" for tag in ("codelutra", "dpo", "preference", "trl", "code")),
            "configs:", "- config_name: default", "  data_files:", "  - split: train",
            f"    path: {self.file}",
            "dataset_info:", "  features:",
            *(line for name, (kind, _) in COLUMNS.items()
              for line in (f"  - name: {name}", f"    dtype: {FEATURES[kind]}")),
        ]  # fmt: skip
        return "\n".join(["---", *lines, "---"])


def _tables(tally: Tally) -> list[str]:
    counted: dict[str, Mapping[Any, int]] = {
        "state": tally.states,
        "verdict of the rejected": tally.verdicts,
        "source": tally.sources,
        "iteration": dict(sorted(tally.iterations.items())),
        "reason of a veto": tally.reasons,
    }
    return [
        _table((name, "pairs"), [(str(kind), f"{number:,}") for kind, number in found.items()])
        for name, found in counted.items()
        if found
    ]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _wrapped(text: str) -> str:
    return "\n\n".join(fill(part, 100, break_on_hyphens=False) for part in text.split("\n\n"))
