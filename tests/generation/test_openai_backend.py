"""Servers that fail, refuse or lie: retried, passed over, or never believed."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from codelutra.backends import check_backend
from codelutra.config import OpenAIBackend, RefineConfig
from codelutra.errors import GenerationError
from codelutra.generation import Chunk, GenerationRequest, Generator, load_generator
from codelutra.generation.serving import Serving
from codelutra.starter import MODEL_DIR
from tests.generation.adapters import make_adapter
from tests.generation.fake_server import FakeServer, serving

MODEL = str(MODEL_DIR)
REQUEST = GenerationRequest(2, 1.0, 0.95, max_new_tokens=4, seed=0)
PROMPTS = tuple(f"SELECT {number}" for number in range(6))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(FakeServer(MODEL)) as server:
        yield server


@pytest.fixture
def other() -> Iterator[FakeServer]:
    with serving(FakeServer(MODEL)) as server:
        yield server


def loaded(*urls: str, adapter: str = "", **settings: Any) -> Generator:
    backend = {"backend": "openai", "base_urls": urls, "max_retries": 2, **settings}
    return load_generator(backend, MODEL, adapter)


def drawn(generator: Generator) -> list[list[str]]:
    ((_, completions),) = generator.generate([Chunk(0, PROMPTS)], REQUEST)
    return [[each.text for each in of_prompt] for of_prompt in completions]


def test_a_busy_server_is_asked_again_and_nothing_comes_twice(server: FakeServer) -> None:
    expected = drawn(loaded(server.url))
    server.failures, server.prompts = [503, 429, 500], []
    assert drawn(loaded(server.url)) == expected
    assert server.failures == []
    assert sorted(server.prompts) == sorted(PROMPTS)


def test_several_servers_take_turns(server: FakeServer, other: FakeServer) -> None:
    drawn(loaded(server.url, other.url))
    assert (len(server.prompts), len(other.prompts)) == (3, 3)


def test_a_server_that_keeps_failing_is_left_to_the_others(
    server: FakeServer, other: FakeServer
) -> None:
    server.failures = [500] * 100
    assert len(drawn(loaded(server.url, other.url, max_retries=0))) == len(PROMPTS)
    assert sorted(other.prompts) == sorted(PROMPTS)


def test_when_all_fail_each_one_says_why(server: FakeServer) -> None:
    server.failures = [500] * 100
    with pytest.raises(GenerationError, match=f"{server.url}.*busy"):
        drawn(loaded(server.url, max_retries=0))


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(GenerationError, match=r"http://127\.0\.0\.1:9/v1 does not answer"):
        loaded("http://127.0.0.1:9/v1", max_retries=0)


def test_a_model_that_is_not_served_is_named_with_those_that_are(server: FakeServer) -> None:
    with pytest.raises(GenerationError, match=f"does not serve other.*{MODEL}"):
        loaded(server.url, model="other")


def test_a_server_that_cannot_load_the_adapter_never_answers_in_its_place(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter")
    with serving(FakeServer(MODEL, loads_adapters=False)) as server:
        assert drawn(loaded(server.url))  # as a base it may answer
        with pytest.raises(GenerationError, match=r"cannot load .* adapter.*--enable-lora"):
            loaded(server.url, adapter=adapter.path)


def test_the_adapter_is_served_under_its_hash_and_not_loaded_twice(
    server: FakeServer, tmp_path: Path
) -> None:
    adapter = make_adapter(tmp_path / "adapter")
    for _ in range(2):
        drawn(loaded(server.url, adapter=adapter.path))
    assert set(server.generators) == {MODEL, f"codelutra-{adapter.sha256}"}
    assert set(server.names) == {f"codelutra-{adapter.sha256}"}


def test_one_of_several_that_answers_with_the_base_is_found_out(
    server: FakeServer, tmp_path: Path
) -> None:
    adapter = make_adapter(tmp_path / "adapter")
    with serving(FakeServer(MODEL, deaf_to="adapters")) as liar:
        config = OpenAIBackend(base_urls=(server.url, liar.url))
        job = {
            "backend": config.model_dump(),
            "model": MODEL,
            "adapter": adapter.path,
            "chat_template": "auto",
            "request": vars(REQUEST),
            "chunks": {},
            "golds": [],
        }
        with pytest.raises(GenerationError, match="the base model answers"):
            Serving()(job, lambda message: None)


def test_addresses_may_come_as_one_line() -> None:
    backend = {"backend": "openai", "base_urls": "http://a:1/v1/, https://b/v1"}
    config = RefineConfig.for_model("starter", generation=backend)
    assert config.generation.base_urls == ("http://a:1/v1", "https://b/v1")
    with pytest.raises(ValueError, match="is no address"):
        OpenAIBackend(base_urls="gpu-box")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="set CODELUTRA_API_KEY") as refused:
        OpenAIBackend(base_urls="https://me:secret@gpu-box:8000/v1")
    assert "secret" not in str(refused.value).split("[type=")[0]


def test_before_a_run_its_servers_must_be_there_and_load_adapters(server: FakeServer) -> None:
    def config(*urls: str) -> RefineConfig:
        generation = {"backend": "openai", "base_urls": urls, "model": MODEL}
        return RefineConfig.for_model("starter", generation=generation)

    check_backend(config(server.url))
    with pytest.raises(GenerationError, match="no server is named"):
        check_backend(config())
    with (
        serving(FakeServer(MODEL, loads_adapters=False)) as base_only,
        pytest.raises(GenerationError, match=r"cannot load adapters.*--enable-lora"),
    ):
        check_backend(config(server.url, base_only.url))


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_a_run_is_refused_with_the_way_to_get_it() -> None:
    config = RefineConfig.for_model("starter", generation={"backend": "vllm"})
    with pytest.raises(GenerationError, match=r"pip install -r requirements-gpu\.txt"):
        check_backend(config)
