"""A base with a chat template reads prompts as a user's messages, one without as they are."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from codelutra.chat import model_prompt
from codelutra.generation import Chunk, GenerationRequest, Generator, load_generator
from codelutra.starter import MODEL_DIR

CHATML = (
    "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
WRAPPED = "<|user|>\nHow many?\n<|assistant|>\n"


@pytest.fixture
def chat_model(tiny_model: str, tmp_path: Path) -> str:
    """The tiny model, with a tokenizer that has a template."""
    folder = tmp_path / "chat"
    folder.mkdir()
    for path in Path(tiny_model).iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_the_starter_reads_prompts_as_they_are() -> None:
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    assert model_prompt(tokenizer, "How many?") == "How many?"


def test_a_chat_model_reads_a_message_and_the_opening_of_its_answer(chat_model: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(chat_model)
    assert model_prompt(tokenizer, "How many?") == WRAPPED


def test_a_beginning_that_the_tokenizer_adds_is_not_doubled(chat_model: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(chat_model)
    first = tokenizer.eos_token
    tokenizer.bos_token, tokenizer.chat_template = first, "{{ bos_token }}" + CHATML

    class Adding:
        """What Llama's tokenizer does with every text."""

        chat_template, bos_token = tokenizer.chat_template, first
        bos_token_id = tokenizer.bos_token_id
        apply_chat_template = staticmethod(tokenizer.apply_chat_template)

        def __call__(self, text: str) -> dict[str, list[int]]:
            return {"input_ids": [self.bos_token_id, *tokenizer(text)["input_ids"]]}

    assert model_prompt(tokenizer, "How many?") == first + WRAPPED
    assert model_prompt(Adding(), "How many?") == WRAPPED


def test_samples_continue_the_template_unless_that_is_off(chat_model: str) -> None:
    backend = {"backend": "transformers", "dtype": "float32"}
    request = GenerationRequest(2, 1.0, 1.0, 12, seed=3)
    chat = load_generator(backend, chat_model, "")
    bare = load_generator(backend, chat_model, "", "never")

    def drawn(generator: Generator, prompt: str) -> list:
        return list(generator.generate([Chunk(0, (prompt,))], request))

    assert drawn(chat, "How many?") == drawn(bare, WRAPPED) != drawn(bare, "How many?")
