"""Shared fixtures: a home of its own for every test, and a tiny random model."""

import os
from pathlib import Path

import pytest

from codelutra.machine import num_cores

# Read by torch as it loads, in children too: on tiny models threads wait more than they compute,
# ten times as long where another process wants the same cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


MAX_WORKERS = 8  # each loads torch: a gigabyte


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For whole suites one more than cores, as many tests wait for a child; none for tests that are
    named on the command line, so that they start at once, print as they go and can be stopped in a
    debugger."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return 0
    return min(MAX_WORKERS, num_cores() + 1)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's own CODELUTRA_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CODELUTRA_HOME", str(folder))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random two-layer Llama with the starter's tokenizer: milliseconds, not answers."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from codelutra.starter import MODEL_DIR

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)
