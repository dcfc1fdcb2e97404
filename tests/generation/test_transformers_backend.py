"""What leaves out work must not change a token."""

import pytest
import torch
from transformers import AutoModelForCausalLM, BloomConfig, DynamicCache, TopPLogitsWarper

from codelutra.config import TransformersBackend
from codelutra.errors import ModelError
from codelutra.generation import Chunk, GenerationRequest, load_generator
from codelutra.generation.roomy_cache import BLOCK, RoomyLayer, new_cache
from codelutra.generation.transformers_backend import TransformersGenerator, draw_from_nucleus
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


@pytest.mark.parametrize("spread", [0.1, 4.0])  # a nucleus of most tokens, and one of a few
def test_tokens_are_drawn_as_often_as_the_nucleus_says(spread: float) -> None:
    torch.manual_seed(0)
    logits = spread * torch.randn(1, 200)
    kept = TopPLogitsWarper(0.9)(None, logits).softmax(dim=-1)[0]
    drawn = draw_from_nucleus(logits.softmax(dim=-1).expand(50_000, -1), 0.9)
    counts = drawn[:, 0].bincount(minlength=200)
    assert counts[kept == 0].sum() == 0
    expected = 50_000 * kept[kept > 0]
    chi2 = float(((counts[kept > 0] - expected) ** 2 / expected).sum())
    assert chi2 < len(expected) + 4 * (2 * len(expected)) ** 0.5


@pytest.mark.parametrize("top_p", [0.5, 1.0])
def test_a_draw_that_rounds_up_stays_within_the_nucleus(
    monkeypatch: pytest.MonkeyPatch, top_p: float
) -> None:
    """One random number in some ten millions does, and a run draws more."""
    monkeypatch.setattr(torch, "rand_like", lambda mass, generator: torch.ones_like(mass))
    probs = torch.tensor([[0.1, 0.6, 0.3]])
    assert draw_from_nucleus(probs, top_p).tolist() == [[1 if top_p == 0.5 else 0]]


def test_a_cache_with_room_is_read_as_one_without(starter: TransformersGenerator) -> None:
    """Rows of unequal length, steps over the end of a block, rows that leave."""
    torch.manual_seed(0)
    model = starter.model
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1]], device=model.device)
    roomy, plain = new_cache(model), DynamicCache(config=model.config)
    assert all(isinstance(layer, RoomyLayer) for layer in roomy.layers)
    ids = torch.randint(5, 1000, (3, 5), device=model.device)
    with torch.inference_mode():
        for step in range(2 * BLOCK + 3):
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            known = {"attention_mask": mask, "position_ids": positions}
            one, two = (
                model(input_ids=ids, past_key_values=cache, **known).logits[:, -1]
                for cache in (roomy, plain)
            )
            assert torch.allclose(one, two, rtol=0, atol=1e-4)
            if step == BLOCK:
                for cache in (roomy, plain):
                    cache.batch_select_indices(torch.tensor([0, 2], device=model.device))
                mask, one = mask[[0, 2]], one[[0, 2]]
            ids = one.argmax(dim=-1, keepdim=True)
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    assert roomy.get_seq_length() == plain.get_seq_length() == 5 + 2 * BLOCK + 2


def test_a_model_with_position_biases_of_its_own_gets_the_usual_cache() -> None:
    bloom = AutoModelForCausalLM.from_config(
        BloomConfig(vocab_size=8, hidden_size=32, n_layer=2, n_head=4)
    )
    assert not any(isinstance(layer, RoomyLayer) for layer in new_cache(bloom).layers)
