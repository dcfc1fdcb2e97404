"""A base with a chat template reads the same on Compare, in a batch and in `serve` as in a run."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from codelutra.answering import prompt_of
from codelutra.batch import run_batch
from codelutra.config import RefineConfig, TransformersBackend
from codelutra.generation import Chunk, GenerationRequest, load_generator
from codelutra.model_states import ModelState
from codelutra.models import has_chat_template
from codelutra.serving.api import build
from codelutra.serving.curl import curl_line
from codelutra.serving.switching import SwitchingGenerator
from codelutra.starter import MODEL_DIR
from codelutra.tasks import load_tasks
from tests.generation.test_chat_template import CHATML
from tests.training.families import make_model

FLOAT32 = {"backend": "transformers", "dtype": "float32"}
PROMPT = load_tasks("starter")[7].prompt
MESSAGE = {"role": "user", "content": PROMPT}
TOKENS = 12
GREEDY = {"model": "base", "temperature": 0, "max_tokens": TOKENS}


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Like Qwen2.5, with what Llama's tokenizer does besides: it begins every text by a token that
    the template begins with, too."""
    model = make_model(tmp_path_factory.mktemp("chat"), "qwen2", tie_word_embeddings=False)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.bos_token = first = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{first} $A", special_tokens=[(first, tokenizer.eos_token_id)]
    )
    tokenizer.chat_template = "{{ bos_token }}" + CHATML
    tokenizer.save_pretrained(model)
    assert AutoTokenizer.from_pretrained(model)("a")["input_ids"][0] == tokenizer.bos_token_id
    return model


@pytest.fixture(scope="module")
def client(chat_model: str) -> TestClient:
    generator = SwitchingGenerator(TransformersBackend(dtype="float32"), chat_model, "never")
    return TestClient(build(generator, "base", revision="", token="", may_load=False))


@pytest.fixture(scope="module")
def said_in_a_run(chat_model: str) -> str:
    request = GenerationRequest(1, 0.0, 1.0, TOKENS, 0)
    drawn = load_generator(FLOAT32, chat_model, "").generate([Chunk(0, (PROMPT,))], request)
    ((_, ((completion,),)),) = drawn
    return completion.text


def test_a_column_says_what_the_run_says(
    client: TestClient, chat_model: str, said_in_a_run: str
) -> None:
    state = ModelState("base", "base", "base", chat_model)
    answer = client.post("/v1/completions", json={**GREEDY, "prompt": prompt_of(state, PROMPT)})
    assert answer.json()["choices"][0]["text"] == said_in_a_run
    bare = client.post("/v1/completions", json={**GREEDY, "prompt": PROMPT})
    assert bare.json()["choices"][0]["text"] != said_in_a_run
    never = ModelState("base", "base", "base", chat_model, chat_template="never")
    assert prompt_of(never, PROMPT) == PROMPT


@pytest.mark.slow
def test_a_batch_says_what_the_run_says(
    chat_model: str, said_in_a_run: str, tmp_path: Path
) -> None:
    config = RefineConfig.for_model(
        chat_model, generation=FLOAT32, evaluation={"max_new_tokens": TOKENS},
        sampling={"max_new_tokens": TOKENS},
    )  # fmt: skip
    state = ModelState("base", "base", "base", chat_model)
    tasks = [load_tasks("starter")[7]]
    batch = run_batch([state], tasks, config, log=tmp_path / "log")
    (sample,) = batch.samples["base"].values()
    assert sample.completion == said_in_a_run


def test_a_served_base_answers_messages_as_the_run_answers_its_prompt(
    client: TestClient, said_in_a_run: str
) -> None:
    wish = {**GREEDY, "messages": [MESSAGE]}
    whole = client.post("/v1/chat/completions", json=wish).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": said_in_a_run}
    with client.stream("POST", "/v1/chat/completions", json={**wish, "stream": True}) as stream:
        lines = [line.removeprefix("data: ") for line in stream.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    events = [json.loads(line) for line in lines]
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    parts = [choice["delta"]["content"] for event in events for choice in event["choices"]]
    assert "".join(parts) == said_in_a_run
    refused = client.post("/v1/chat/completions", json={**wish, "tools": []})
    assert (refused.status_code, "tools" in refused.text) == (422, True)


def test_a_base_without_a_template_says_where_to_ask(chat_model: str) -> None:
    generator = SwitchingGenerator(TransformersBackend(), str(MODEL_DIR), "never")
    client = TestClient(build(generator, "base", revision="", token="", may_load=False))
    answer = client.post("/v1/chat/completions", json={**GREEDY, "messages": [MESSAGE]})
    assert answer.status_code == 400
    assert "no chat template: ask /v1/completions" in answer.text
    assert not has_chat_template("starter")
    assert has_chat_template(chat_model)
    for is_chat, path in ((False, "/v1/completions"), (True, "/v1/chat/completions")):
        assert f"http://a{path} " in curl_line("http://a", "iteration-1", is_chat=is_chat)
