"""What leaves out work must not change a token."""

import pytest

from codelutra.config import TransformersBackend
from codelutra.errors import ModelError
from codelutra.generation import Chunk, GenerationRequest, load_generator
from codelutra.generation.transformers_backend import TransformersGenerator
from codelutra.starter import MODEL_DIR
from codelutra.tasks import load_tasks

PROMPTS = tuple(task.prompt for task in load_tasks("starter")[::20])  # 40 of them


@pytest.fixture(scope="module")
def starter() -> TransformersGenerator:
    return TransformersGenerator(TransformersBackend(dtype="float32"), str(MODEL_DIR))


def test_rows_that_end_early_leave_the_others_as_plain_generate_has_them(
    starter: TransformersGenerator,
) -> None:
    """One prefill a prompt, rows that leave some at a time: all at once."""
    encoded = starter.tokenizer(list(PROMPTS), return_tensors="pt", padding=True)
    ids = starter.model.generate(**encoded, max_new_tokens=70, do_sample=False)
    new = ids[:, encoded["input_ids"].shape[1] :]
    texts = starter.tokenizer.batch_decode(new, skip_special_tokens=True)
    greedy = GenerationRequest(2, 0.0, 1.0, max_new_tokens=70, seed=0)
    ((_, drawn),) = starter.generate([Chunk(0, PROMPTS)], greedy)
    assert len({one.num_tokens for one, _ in drawn}) > 10, "they end at different tokens"
    assert [[each.text for each in two] for two in drawn] == [[text] * 2 for text in texts]


def test_the_space_that_a_completion_begins_with_is_kept(starter: TransformersGenerator) -> None:
    prompt = starter.reader.token_ids(["x = 1\n"])[0]
    new = starter.tokenizer("    return x")["input_ids"]
    assert starter.reader.completion(prompt, new) == "    return x"


def test_a_model_that_cannot_be_loaded_is_named_in_one_line(tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("empty")
    with pytest.raises(ModelError, match=f"cannot load {folder}"):
        load_generator({"backend": "transformers"}, str(folder))
