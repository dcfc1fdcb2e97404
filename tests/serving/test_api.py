"""Our own server: every adapter answers as it does alone, and says what it loaded."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from codelutra.adapters import WEIGHTS
from codelutra.config import TransformersBackend
from codelutra.generation import Chunk, GenerationRequest, load_generator
from codelutra.models import file_sha256
from codelutra.serving.api import build
from codelutra.serving.switching import SwitchingGenerator
from codelutra.starter import MODEL_DIR
from codelutra.tasks import load_tasks
from tests.generation.adapters import make_adapter

MODEL = str(MODEL_DIR)
PROMPT = load_tasks("starter")[7].prompt
FLOAT32 = {"backend": "transformers", "dtype": "float32"}
GREEDY = {"prompt": PROMPT, "temperature": 0, "max_tokens": 40}
DRAWN = {"prompt": PROMPT, "temperature": 1.0, "top_p": 0.9, "max_tokens": 24, "n": 3, "seed": 5}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("adapters")
    return {name: make_adapter(folder / name, seed=n, size=0.3).path
            for n, name in enumerate(("one", "two"))}  # fmt: skip


@pytest.fixture(scope="module")
def client(adapters: dict[str, str]) -> Iterator[TestClient]:
    config = TransformersBackend.model_validate(FLOAT32)
    generator = SwitchingGenerator(config, MODEL, "never")
    app = build(generator, "base", revision="r", token="secret", may_load=True)
    with TestClient(app, headers={"authorization": "Bearer secret"}) as client:
        for name, folder in adapters.items():
            body = {"lora_name": name, "lora_path": folder}
            assert client.post("/v1/load_lora_adapter", json=body).status_code == 200
        yield client


def complete(client: TestClient, model: str, **wish: object) -> list[str]:
    answer = client.post("/v1/completions", json={"model": model, **wish})
    assert answer.status_code == 200, answer.text
    return [choice["text"] for choice in answer.json()["choices"]]


def alone(adapter: str) -> str:
    generator = load_generator(FLOAT32, MODEL, adapter)
    request = GenerationRequest(1, 0.0, 1.0, 40, 0)
    ((_, ((found,),)),) = generator.generate([Chunk(0, (PROMPT,))], request)
    return found.text


def test_each_of_three_that_answer_at_once_says_what_it_says_alone(
    client: TestClient, adapters: dict[str, str]
) -> None:
    said: dict[str, str] = {}

    def ask(model: str) -> None:
        said[model] = complete(client, model, **GREEDY)[0]

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("base", "one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {name: alone(adapters.get(name, "")) for name in ("base", "one", "two")}
    assert len(set(said.values())) == 3


def test_the_same_seed_draws_the_same_whatever_else_is_drawn(client: TestClient) -> None:
    first = complete(client, "one", **DRAWN)
    other = threading.Thread(target=complete, args=(client, "two"), kwargs={**DRAWN, "seed": 6})
    other.start()
    again = complete(client, "one", **DRAWN)
    other.join()
    assert first == again
    assert len(set(first)) > 1
    assert complete(client, "one", **{**DRAWN, "seed": 7}) != first


def test_what_is_streamed_adds_up_to_the_whole(client: TestClient) -> None:
    import json

    wish = {"model": "one", **DRAWN, "stream": True, "stop": [")"]}
    with client.stream("POST", "/v1/completions", json=wish) as stream:
        lines = [line.removeprefix("data: ") for line in stream.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    events = [json.loads(line) for line in lines]
    said = ["", "", ""]
    for event in events:
        for choice in event["choices"]:
            said[choice["index"]] += choice["text"]
    assert said == complete(client, "one", **DRAWN, stop=[")"])
    assert all(")" not in text for text in said)
    assert events[-1]["usage"]["completion_tokens"] > 3


def test_models_are_listed_with_the_hash_of_what_was_loaded(
    client: TestClient, adapters: dict[str, str]
) -> None:
    found = {row["id"]: row for row in client.get("/v1/models").json()["data"]}
    assert set(found) == {"base", "one", "two"}
    assert found["base"]["revision"] == "r"
    for name, folder in adapters.items():
        assert found[name]["sha256"] == file_sha256(Path(folder) / WEIGHTS)


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"model": "three"}, 404, "three"),
        ({"prompt": PROMPT * 40}, 400, "this model holds 512"),
        ({"prompt": [1_000_000]}, 400, "token ids are below"),
        ({"logit_bias": {}}, 422, "logit_bias"),
        ({"max_tokens": 0}, 422, "max_tokens"),
    ],
)
def test_what_cannot_be_done_is_said(
    client: TestClient, change: dict[str, object], code: int, word: str
) -> None:
    answer = client.post("/v1/completions", json={"model": "base", **GREEDY, **change})
    assert answer.status_code == code
    assert word in answer.text


def test_nobody_is_answered_without_the_token(client: TestClient) -> None:
    for header in ("Bearer other", "secretx", ""):
        answer = client.get("/v1/models", headers={"authorization": header})
        assert answer.status_code == 401


def test_an_adapter_that_cannot_be_loaded_leaves_the_others(
    client: TestClient, tmp_path: Path
) -> None:
    for name, folder in (("x", "/no/such/adapter"), ("one", str(tmp_path))):
        body = {"lora_name": name, "lora_path": folder}
        answer = client.post("/v1/load_lora_adapter", json=body)
        assert answer.status_code == 400
        assert "adapter" in answer.text
    assert complete(client, "base", **GREEDY)
