"""Sampling with vLLM's offline engine, in the process that holds this object and no other."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Read when vLLM is imported. The engine runs in this process where one GPU is enough: a process
# of its own would outlive a killed parent and keep the GPU's memory.
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
# Threads bound to cores starve whatever else runs there, grading before all.
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind

from codelutra.adapters import WEIGHTS, lora_rank
from codelutra.config import VllmBackend
from codelutra.errors import GenerationError
from codelutra.generation.backend import TOO_LONG, Chunk, Completion, DrawnChunk, GenerationRequest
from codelutra.generation.reading import Reader, first_line, load_tokenizer, window_of
from codelutra.generation.transformers_backend import has_fast_bfloat16
from codelutra.merging import merged_policy
from codelutra.models import file_sha256

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM has LoRA kernels for
MERGE_BELOW = 10**9  # parameters: merging takes seconds there, LoRA costs at every token
CPU_CACHE_GIB = 1


class VllmGenerator:
    """Implements `Generator`. Each adapter has a name and id of its own, from its hash."""

    def __init__(
        self,
        config: VllmBackend,
        model: str,
        adapter: str = "",
        chat_template: str = "auto",
    ) -> None:
        tokenizer = load_tokenizer(model)
        model_config = AutoConfig.from_pretrained(model)
        window = window_of(model_config)
        limits = [length for length in (config.max_model_len, window) if length]
        self.reader = Reader(tokenizer, chat_template, min(limits, default=None))
        # In one process its generator can be seeded: a seed for each request costs a fifth more.
        self.is_alone = config.tensor_parallel == 1
        self.lora: LoRARequest | None = None
        if adapter and _is_merged(config, model_config):
            with TemporaryDirectory(prefix="codelutra-merged-") as folder:
                merged_policy(model, adapter, _dtype(config)).save_pretrained(folder)
                self.llm = _engine(config, folder, model, self.reader.window)
        else:
            self.llm = _engine(config, model, model, self.reader.window, adapter)
            self.lora = _lora_request(adapter) if adapter else None

    def generate(self, chunks: Iterable[Chunk], request: GenerationRequest) -> Iterator[DrawnChunk]:
        """All prompts are under way at once; a chunk is yielded with the last of its prompts."""
        engine = self.llm.llm_engine
        if self.is_alone:
            torch.manual_seed(request.seed)
        drawn: dict[int, list[list[Completion]]] = {}
        left: dict[int, int] = {}  # prompts of a chunk that are under way
        place: dict[str, tuple[int, int]] = {}  # vLLM's id of a prompt -> chunk, position
        for chunk in chunks:
            read = self.reader.token_ids(chunk.prompts)
            drawn[chunk.number] = [[TOO_LONG] * request.num_samples for _ in read]
            left[chunk.number] = 0
            for position, ids in enumerate(read):
                if self.reader.fits(ids, request.max_new_tokens):
                    name = f"{chunk.number}/{position}"
                    place[name] = chunk.number, position
                    left[chunk.number] += 1
                    engine.add_request(
                        name,
                        {"prompt_token_ids": ids},
                        _parameters(request, None if self.is_alone else (chunk.number, position)),
                        lora_request=self.lora,
                    )
        yield from ((number, drawn.pop(number)) for number in list(left) if not left[number])
        while engine.has_unfinished_requests():
            for output in engine.step():
                if not output.finished:
                    continue
                number, position = place[output.request_id]
                drawn[number][position] = self._completions(output, request)
                left[number] -= 1
                if not left[number]:
                    yield number, drawn.pop(number)

    def _completions(self, output: Any, request: GenerationRequest) -> list[Completion]:
        drawn = [
            Completion(
                each.text,
                len(each.token_ids),
                "end" if each.finish_reason == "stop" else "length",
                each.cumulative_logprob if request.logprobs else None,
            )
            for each in sorted(output.outputs, key=lambda each: each.index)
        ]
        return drawn if len(drawn) == request.num_samples else drawn * request.num_samples

    def token_logprobs(self, token_ids: Sequence[int]) -> list[list[float]]:
        parameters = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0)
        (output,) = self.llm.generate(
            [{"prompt_token_ids": list(token_ids)}],
            parameters,
            lora_request=self.lora,
            use_tqdm=False,
        )
        scored = zip(token_ids[1:], output.prompt_logprobs[1:], strict=True)
        return [[float(known[token].logprob) for token, known in scored]]


def _engine(
    config: VllmBackend, weights: str, tokenizer: str, window: int | None, adapter: str = ""
) -> LLM:
    lora: dict[str, Any] = {}
    if adapter:
        rank = lora_rank(adapter)
        allowed = [each for each in RANKS if each >= rank]
        if not allowed:
            raise GenerationError(
                f"vLLM serves adapters of rank {RANKS[-1]} at most, {adapter} has rank {rank}: "
                "set generation.adapter=merged"
            )
        lora = {"enable_lora": True, "max_lora_rank": allowed[0], "max_loras": 1}
    if not torch.cuda.is_available():
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(CPU_CACHE_GIB))
        lora["enforce_eager"] = True  # compiling takes longer than a small model's sampling
    if config.tensor_parallel > 1:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"
    try:
        return LLM(
            model=weights,
            tokenizer=tokenizer,
            dtype=_dtype(config),
            max_model_len=window,
            max_num_seqs=config.max_num_seqs,
            gpu_memory_utilization=config.gpu_memory_utilization,
            tensor_parallel_size=config.tensor_parallel,
            enable_prefix_caching=True,
            **lora,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise GenerationError(f"vLLM cannot load {weights}: {first_line(error)}") from error


def _dtype(config: VllmBackend) -> str:
    if config.dtype != "auto":
        return config.dtype
    return "bfloat16" if has_fast_bfloat16() else "float32"


def _is_merged(config: VllmBackend, model_config: Any) -> bool:
    if config.adapter != "auto":
        return config.adapter == "merged"
    with torch.device("meta"):
        parameters = AutoModelForCausalLM.from_config(model_config).num_parameters()
    return bool(parameters < MERGE_BELOW)


def _lora_request(adapter: str) -> LoRARequest:
    sha256 = file_sha256(Path(adapter) / WEIGHTS)
    # vLLM keeps an adapter by name and by number: neither is ever used for another one.
    return LoRARequest(f"codelutra-{sha256}", 1 + int(sha256[:7], 16), adapter)


def _parameters(request: GenerationRequest, place: tuple[int, int] | None) -> SamplingParams:
    """Of the prompt at a chunk's `place`; without it the engine's own generator is drawn from."""
    greedy = request.temperature == 0
    return SamplingParams(
        n=1 if greedy else request.num_samples,  # vLLM refuses to repeat a greedy one
        temperature=request.temperature,
        top_p=1.0 if greedy else request.top_p,
        max_tokens=request.max_new_tokens,
        seed=None if greedy or place is None else _seed(request.seed, *place),
        stop=list(request.stop),
        logprobs=0 if request.logprobs else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _seed(seed: int, number: int, position: int) -> int:
    """Of one prompt. vLLM counts up from it for the n samples: neighbours must lie far apart."""
    digest = hashlib.blake2b(f"{seed}/{number}/{position}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")
