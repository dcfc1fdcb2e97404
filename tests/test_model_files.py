"""A model of the Hub is downloaded by this process; children know no token and ask nobody."""

import os
import time
from pathlib import Path

import pytest
from huggingface_hub import try_to_load_from_cache

from codelutra import model_files
from codelutra.child_environment import for_children, is_secret, without_secrets
from codelutra.errors import ModelError, StopRequested
from codelutra.model_files import fetch_model
from tests.fake_hub import REPO, Hub, hub

__all__ = ["hub"]


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "_fetched", set())


def cached() -> set[str]:
    config = try_to_load_from_cache(REPO, "config.json")
    assert isinstance(config, str)
    return {path.name for path in Path(config).parent.rglob("*")}


def test_only_what_loading_needs_is_fetched_and_once(hub: Hub) -> None:
    needed = {"config.json", "tokenizer.json", "model.safetensors", "README.md"}
    other = {"onnx/model.safetensors", "consolidated.safetensors", "run.py", "pytorch_model.bin"}
    hub.files = dict.fromkeys(needed | other, b"{}")
    fetch_model(REPO)
    assert cached() == needed
    hub.asked.clear()
    model_files._fetched.clear()  # as after a restart
    fetch_model(REPO)
    assert hub.asked == []


def test_pickles_are_taken_where_there_is_nothing_else(hub: Hub) -> None:
    hub.files = dict.fromkeys({"config.json", "pytorch_model.bin"}, b"{}")
    fetch_model(REPO)
    assert cached() == {"config.json", "pytorch_model.bin"}


def test_a_tokenizer_alone_for_what_another_machine_samples(hub: Hub) -> None:
    hub.files = dict.fromkeys({"config.json", "tokenizer.json", "model.safetensors"}, b"{}")
    fetch_model(REPO, weights=False)
    assert cached() == {"config.json", "tokenizer.json"}


def test_a_refusal_is_one_line(hub: Hub) -> None:
    hub.token = "another"
    with pytest.raises(ModelError, match=f"^cannot load {REPO}: 401") as refused:
        fetch_model(REPO)
    assert "\n" not in str(refused.value)


def test_a_download_can_be_stopped(hub: Hub) -> None:
    hub.delay_s, started = 3, time.monotonic()
    with pytest.raises(StopRequested):
        fetch_model(REPO, should_stop=lambda: True)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("HF_TOKEN", "hf_x"), ("HUGGING_FACE_HUB_TOKEN", "x"), ("CODELUTRA_API_KEY", "x"),
     ("OPENAI_API_KEY", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("PGPASSWORD", "x"),
     ("CODELUTRA_USERS", "ann:owner:x"), ("DATABASE_URL", "postgresql://me:x@host/lab"),
     ("CODELUTRA_SNAPSHOT", "ftp://me:x@host/lab"), ("OAUTH_CLIENT_SECRET", "x"),
     ("CODELUTRA_SERVE_KEY", "x"), ("SSH_AUTH_SOCK", "/x"),
     ("GOOGLE_APPLICATION_CREDENTIALS", "/x")],
)  # fmt: skip
def test_what_opens_doors_is_for_no_child(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert name not in for_children()
    with without_secrets():
        assert name not in os.environ
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOKENIZERS_PARALLELISM", "false"), ("KEYBOARD", "us"), ("MONKEY", "x"), ("PATH", "/bin"),
     ("HF_HOME", "/x"), ("DATABASE_URL", "sqlite:////lab"), ("CUDA_VISIBLE_DEVICES", "0"),
     ("https_proxy", "http://me:x@proxy:1")],
)  # fmt: skip
def test_the_rest_is(name: str, value: str) -> None:
    assert not is_secret(name, value)


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_being_offline_is_the_childrens_alone(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    if before is not None:
        monkeypatch.setenv("HF_HUB_OFFLINE", before)
    with without_secrets():
        pass
    assert os.environ.get("HF_HUB_OFFLINE") == before
