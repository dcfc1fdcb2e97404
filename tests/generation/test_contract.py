"""The contract that every backend passes, each with the real thing behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from codelutra.generation import Chunk, Completion, GenerationRequest, Generator, load_generator
from codelutra.probe import check_answer, read_probe
from codelutra.starter import MODEL_DIR
from codelutra.tasks import load_tasks
from tests.generation.adapters import TEXT, make_adapter
from tests.generation.backends import (
    TRANSFORMERS,
    VLLM_LORA,
    VLLM_MERGED,
    needs_vllm,
    vllm_server,
)
from tests.generation.fake_server import FakeServer, serving

MODEL = str(MODEL_DIR)
PROMPTS = [task.prompt for task in load_tasks("starter")[::160]]
ADAPTER = {"folder": ""}
GREEDY = GenerationRequest(1, 0.0, 1.0, max_new_tokens=48, seed=0)
DRAWN = GenerationRequest(3, 1.0, 0.95, max_new_tokens=24, seed=7)


@pytest.fixture(
    scope="module",
    params=[
        "transformers",
        "openai",
        pytest.param("vllm", marks=needs_vllm),
        pytest.param("vllm-lora", marks=needs_vllm),
        pytest.param("vllm-server", marks=needs_vllm),
    ],
)
def generator(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generator]:
    adapter = make_adapter(tmp_path_factory.mktemp("adapters") / "adapter").path
    ADAPTER["folder"] = adapter
    if request.param == "openai":
        with serving(FakeServer(MODEL)) as server:
            yield load_generator({"backend": "openai", "base_urls": server.url}, MODEL, adapter)
    elif request.param == "vllm-server":
        with vllm_server() as url:
            backend = {"backend": "openai", "base_urls": url, "model": "starter-served"}
            yield load_generator(backend, MODEL, adapter)
    else:
        backends = {"transformers": TRANSFORMERS, "vllm": VLLM_MERGED, "vllm-lora": VLLM_LORA}
        yield load_generator(backends[request.param], MODEL, adapter)


def draw(
    generator: Generator, prompts: Sequence[str], request: GenerationRequest, size: int = 2
) -> list[list[Completion]]:
    """In prompt order, whatever the order in which the chunks came."""
    cut = [tuple(prompts[start : start + size]) for start in range(0, len(prompts), size)]
    chunks = [Chunk(number, each) for number, each in enumerate(cut)]
    drawn = dict(generator.generate(chunks, request))
    assert sorted(drawn) == list(range(len(cut))), "every chunk is reported once"
    return [completions for number in sorted(drawn) for completions in drawn[number]]


def texts(drawn: list[list[Completion]]) -> list[list[str]]:
    return [[each.text for each in completions] for completions in drawn]


def test_n_completions_a_prompt_that_do_not_echo_it(generator: Generator) -> None:
    drawn = draw(generator, PROMPTS, DRAWN)
    assert [len(each) for each in drawn] == [3] * len(PROMPTS)
    assert any(len(set(each)) > 1 for each in texts(drawn)), "they are drawn, not repeated"
    assert not any(
        prompt in text for prompt, each in zip(PROMPTS, texts(drawn), strict=True) for text in each
    )


def test_same_seed_same_text_and_another_seed_another(generator: Generator) -> None:
    first, same = (texts(draw(generator, PROMPTS, DRAWN)) for _ in range(2))
    other = texts(draw(generator, PROMPTS, replace(DRAWN, seed=8)))
    assert first == same != other


def test_prompts_of_one_chunk_and_chunks_of_one_text_draw_each_their_own(
    generator: Generator,
) -> None:
    drawn = texts(draw(generator, [PROMPTS[0]] * 4, replace(DRAWN, num_samples=2)))
    assert len({tuple(each) for each in drawn}) > 1


def test_prompt_order_and_neighbours_do_not_change_a_greedy_answer(generator: Generator) -> None:
    together = texts(draw(generator, PROMPTS, GREEDY))
    apart = [texts(draw(generator, [prompt], GREEDY))[0] for prompt in PROMPTS]
    assert together == apart
    assert texts(draw(generator, PROMPTS[::-1], GREEDY, size=3)) == together[::-1]


def test_greedy_may_be_asked_for_several_times(generator: Generator) -> None:
    (one,), (two,) = (
        texts(draw(generator, PROMPTS[:1], replace(GREEDY, num_samples=n))) for n in (1, 2)
    )
    assert two == one * 2


def test_a_completion_ends_at_the_end_of_text_or_at_the_limit(generator: Generator) -> None:
    drawn = [each for (each,) in draw(generator, PROMPTS, replace(GREEDY, max_new_tokens=96))]
    assert {each.ending for each in drawn} >= {"end"}
    assert not any("<|" in each.text for each in drawn)
    cut = [each for (each,) in draw(generator, PROMPTS, replace(GREEDY, max_new_tokens=3))]
    assert [(each.ending, each.num_tokens) for each in cut] == [("length", 3)] * len(cut)


def test_a_completion_ends_before_the_first_stop_string(generator: Generator) -> None:
    whole = [text for (text,) in texts(draw(generator, PROMPTS, GREEDY))]
    middle = len(whole[0]) // 2
    stop = (whole[0][middle : middle + 3], "no such text")
    stopped = draw(generator, PROMPTS, replace(GREEDY, stop=stop))
    assert [text for (text,) in texts(stopped)] == [text.split(stop[0])[0] for text in whole]
    assert stopped[0][0].ending == "end"


def test_a_prompt_longer_than_the_window_is_reported_and_the_others_are_answered(
    generator: Generator,
) -> None:
    prompts = [PROMPTS[0], "SELECT 1; " * 2000, PROMPTS[1]]
    drawn = draw(generator, prompts, GREEDY, size=3)
    assert [each.ending == "too_long" for (each,) in drawn] == [False, True, False]
    assert drawn[1][0].text == ""
    kept = [drawn[0], drawn[2]]
    assert texts(kept) == texts(draw(generator, [prompts[0], prompts[2]], GREEDY))


def test_a_nucleus_leaves_unlikely_tokens_out(generator: Generator) -> None:
    narrow = texts(draw(generator, PROMPTS, replace(DRAWN, top_p=1e-6)))
    greedy = texts(draw(generator, PROMPTS, replace(GREEDY, max_new_tokens=24)))
    assert narrow == [each * 3 for each in greedy]


def test_log_probabilities_are_there_when_asked_for(generator: Generator) -> None:
    request = replace(GREEDY, max_new_tokens=4)
    (without,) = draw(generator, PROMPTS[:1], request)[0]
    (completion,) = draw(generator, PROMPTS[:1], replace(request, logprobs=True))[0]
    assert without.logprob is None
    assert completion.logprob is not None
    tokenizer = generator.reader.tokenizer
    prompt = tokenizer(PROMPTS[0])["input_ids"]
    (known,) = generator.token_logprobs(prompt + tokenizer(completion.text)["input_ids"])
    assert completion.logprob == pytest.approx(sum(known[len(prompt) - 1 :]), abs=1e-3)


def test_the_adapter_answers_and_not_the_base(generator: Generator) -> None:
    probe = read_probe(ADAPTER["folder"])
    assert probe is not None
    for found in generator.token_logprobs(TEXT):
        assert found == pytest.approx(probe.adapter, abs=1e-3)
        assert max(abs(a - b) for a, b in zip(found, probe.base, strict=True)) > 0.1
        assert "the adapter answers" in check_answer(probe, found)
