"""The contract every backend passes."""

import pytest

from codelutra.config import TransformersBackend
from codelutra.errors import ModelError
from codelutra.generation import GenerationRequest, Generator, load_generator
from codelutra.generation.transformers_backend import TransformersGenerator
from codelutra.starter import MODEL_DIR
from codelutra.tasks import load_tasks

PROMPTS = ["SELECT", "SELECT a FROM t WHERE b >= 3;\n-- how many?\n", "x"]


@pytest.fixture(scope="module")
def generator(tiny_model: str) -> Generator:
    return load_generator({"backend": "transformers", "dtype": "float32"}, tiny_model, "")


def request(n: int, temperature: float, seed: int = 0) -> GenerationRequest:
    return GenerationRequest(n, temperature, 1.0, max_new_tokens=12, seed=seed)


def test_n_completions_per_prompt_that_do_not_echo_it(generator: Generator) -> None:
    completions = generator.generate(PROMPTS, request(3, 1.0))
    assert [len(texts) for texts in completions] == [3, 3, 3]
    assert not any(t.startswith(p) for p, ts in zip(PROMPTS, completions, strict=True) for t in ts)


def test_same_seed_same_text_and_another_seed_another(generator: Generator) -> None:
    first, same, other = (generator.generate(PROMPTS, request(2, 1.0, s)) for s in (1, 1, 2))
    assert first == same != other


def test_prompt_order_and_padding_do_not_change_a_greedy_answer(generator: Generator) -> None:
    together = generator.generate(PROMPTS, request(1, 0.0))
    apart = [generator.generate([prompt], request(1, 0.0))[0] for prompt in PROMPTS]
    assert together == apart
    assert generator.generate(PROMPTS[::-1], request(1, 0.0)) == together[::-1]


def test_one_prefill_for_all_samples_is_what_plain_generate_gives(
    generator: TransformersGenerator,
) -> None:
    expected = []
    for prompt in PROMPTS:
        encoded = generator.tokenizer(prompt, return_tensors="pt")
        ids = generator.model.generate(
            **encoded, max_new_tokens=12, do_sample=False, pad_token_id=0
        )
        new = ids[0, encoded["input_ids"].shape[1] :]
        expected.append([generator.tokenizer.decode(new, skip_special_tokens=True)] * 2)
    assert generator.generate(PROMPTS, request(2, 0.0)) == expected


def test_rows_that_end_early_leave_the_others_as_plain_generate_has_them() -> None:
    starter = TransformersGenerator(TransformersBackend(dtype="float32"), str(MODEL_DIR), "")
    prompts = [task.prompt for task in load_tasks("starter")[::80]]
    encoded = starter.tokenizer(prompts, return_tensors="pt", padding=True)
    ids = starter.model.generate(**encoded, max_new_tokens=40, do_sample=False)
    new = ids[:, encoded["input_ids"].shape[1] :]
    texts = starter.tokenizer.batch_decode(new, skip_special_tokens=True)
    lengths = {len(starter.tokenizer(text)["input_ids"]) for text in texts}
    assert len(lengths) > 2
    greedy = GenerationRequest(1, 0.0, 1.0, max_new_tokens=40, seed=0)
    assert starter.generate(prompts, greedy) == [[text] for text in texts]


def test_a_nucleus_leaves_unlikely_tokens_out(generator: Generator) -> None:
    narrow = GenerationRequest(4, 1.0, 1e-6, max_new_tokens=12, seed=0)
    greedy = generator.generate(PROMPTS, request(1, 0.0))
    assert generator.generate(PROMPTS, narrow) == [texts * 4 for texts in greedy]


def test_a_model_that_cannot_be_loaded_is_named_in_one_line(tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("empty")
    with pytest.raises(ModelError, match=f"cannot load {folder}"):
        load_generator({"backend": "transformers"}, str(folder), "")
