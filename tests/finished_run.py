"""A run with two finished iterations of three, filled by hand: in a folder, or in the database."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from codelutra.adapters import WEIGHTS
from codelutra.cli import main
from codelutra.config import RefineConfig
from codelutra.evaluation import score
from codelutra.ledger import Ledger
from codelutra.models import file_sha256, model_revision
from codelutra.records import (
    Adapter,
    PreferencePair,
    Sample,
    Split,
    TrainingFacts,
    Verdict,
    VerdictKind,
)
from codelutra.run_folder import RunFolder

PROMPT = "-- rows of t with b at least 3?\n"
HELDOUT = ("ccsswwwh", "cccsswww", "ccccccsw")  # verdicts of eight tasks, a word a policy
VALIDATION = ("cwww", "cccw", "ccww")
KINDS = {
    "c": VerdictKind.CORRECT,
    "s": VerdictKind.SYNTAX_ERROR,
    "w": VerdictKind.WRONG_RESULT,
    "h": VerdictKind.HARNESS_ERROR,
}


def make_adapter(model: str, folder: Path, seed: int, targets: Any = "all-linear") -> Path:
    """A LoRA whose B is not zero, as after training."""
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=targets, task_type="CAUSAL_LM")
    policy = get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    policy.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapters(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("trained")
    return [make_adapter(tiny_model, home / f"adapter-{seed}", seed) for seed in (1, 2)]


def add_graded(ledger: Ledger, iteration: int, split: Split, word: str) -> None:
    samples = [Sample(f"{split}-{place}", 0, "SELECT 1;") for place in range(len(word))]
    ledger.add_samples(iteration, split, samples)
    verdicts = {s.key: Verdict(KINDS[c]) for s, c in zip(samples, word, strict=True)}
    ledger.add_verdicts(iteration, split, verdicts)
    ledger.add_scores(iteration, score(ledger.samples(iteration, split)), split)


def fill(ledger: Ledger, adapters: list[Path], *, with_validation: bool = True) -> Ledger:
    """Two finished iterations of three."""
    model, parent = ledger.config.model, ""
    for iteration, word in enumerate(HELDOUT):
        add_graded(ledger, iteration, "heldout", word)
        if with_validation:
            add_graded(ledger, iteration, "validation", VALIDATION[iteration])
        if iteration == 0:
            continue
        drawn = [Sample(f"train-{n}", i, "x") for n in range(5) for i in range(2 * iteration)]
        ledger.add_samples(iteration, "train", drawn)
        pairs = [PreferencePair(f"train-{n}", "a", "b", n or None, 4) for n in range(3)]
        ledger.add_pairs(iteration, pairs)
        ledger.add_training_facts(iteration, TrainingFacts(3 - iteration, iteration, 9, 7))
        folder = ledger.folder / f"adapter-{iteration}"
        shutil.copytree(adapters[iteration - 1], folder)
        sha256 = file_sha256(folder / WEIGHTS)
        made_of = (model, model_revision(model), "previous" if parent else "base", parent)
        ledger.add_adapter(iteration, Adapter(str(folder), sha256, *made_of, "c" * 64, "d" * 64))
        parent = sha256
    return ledger


Run = SimpleNamespace  # ledger, and its name on the command line


@pytest.fixture(params=["folder", "database"])
def new_run(
    request: pytest.FixtureRequest, database: Path, tiny_model: str, tmp_path: Path
) -> Callable[..., Run]:
    def make(**settings: Any) -> Run:
        chosen = {"model": tiny_model, "iterations": 3, "tasks": str(tmp_path / "my|set.jsonl")}
        config = RefineConfig(**{**chosen, **settings})
        if request.param == "folder":
            return Run(ledger=RunFolder(tmp_path / "run", config), name=str(tmp_path / "run"))

        from codelutra.run_rows import RunRows
        from storage import db, jobs

        jobs.prepare(database)
        with db.open_session() as session:
            run = jobs.submit(
                session,
                config=config.model_dump(mode="json"),
                name="run",
                num_train=5,
                num_heldout=8,
            )
        return Run(ledger=RunRows(run.id, run.workflow_id), name=str(run.id))

    return make


@pytest.fixture
def run(new_run: Callable[..., Run], adapters: list[Path]) -> Run:
    made = new_run()
    fill(made.ledger, adapters)
    return made


@pytest.fixture
def filled(tiny_model: str, tmp_path: Path, adapters: list[Path]) -> Ledger:
    return fill(RunFolder(tmp_path / "run", RefineConfig(model=tiny_model, iterations=3)), adapters)


def export(run: str | Path, out: Path, *options: str) -> int:
    return main(["export", "adapter", str(run), "--out", str(out), *options])


def nothing_left(out: Path) -> bool:
    return not [path for path in out.parent.iterdir() if path.name.startswith(out.name)]
