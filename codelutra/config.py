"""Every setting of a run: one frozen model a concern. Forms, CLI and docs read the descriptions."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

STARTER = "starter"
UNSAFE = "--unsafe-local-execution"
UNSAFE_HELP = (
    "where no sandbox can be had (no Linux, no seccomp), run programs with your own rights: "
    "they can then read, change and delete what you can"
)
MAX_NEW_TOKENS = "longest completion, tokens (ours); 0 = by the length of the set's golds"
_UNSAFE_VARIABLE = "CODELUTRA_UNSAFE_LOCAL_EXECUTION"  # so that child processes know it, too


def home() -> Path:
    """The folder that holds the database, run folders and caches (CODELUTRA_HOME)."""
    return Path(os.environ.get("CODELUTRA_HOME") or default_home()).expanduser()


def default_home() -> Path:
    """Where it is when nothing else is said."""
    return Path.home() / ".codelutra"


def allow_unfenced() -> None:
    """The user accepts that programs run with their own rights where no fence can be had."""
    os.environ[_UNSAFE_VARIABLE] = "1"


def may_run_unfenced() -> bool:
    return os.environ.get(_UNSAFE_VARIABLE) == "1"


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SamplingConfig(Settings):
    num_samples: int = Field(10, ge=1, le=200, description="programs per task, n (the paper)")
    temperature: float = Field(1.0, ge=0, le=2, description="0 is greedy (ours; paper unknown)")
    temperatures: tuple[Annotated[float, Field(ge=0, le=2)], ...] = Field(
        (), description="of iteration 1, 2, ...; the last one stays; empty = the one above always"
    )
    top_p: float = Field(0.95, gt=0, le=1, description="nucleus mass; 1 = off (Codex: 0.95)")
    max_new_tokens: int = Field(256, ge=0, description=MAX_NEW_TOKENS)
    batch_size: int = Field(200, ge=1, description="completions generated at once (ours)")
    low_yield: float = Field(
        0.05, ge=0, le=1, description="share of correct first samples below which more are drawn"
    )
    extra_samples: int = Field(
        10, ge=0, le=200, description="more programs per unsolved task and wave, on a low yield"
    )
    max_temperature: float = Field(
        1.3, ge=0, le=2, description="bound of the temperature raised on a low yield (IRPO: 1.3)"
    )


class SandboxConfig(Settings):
    timeout_s: float = Field(5.0, gt=0, description="CPU seconds a program may use (ours)")
    memory_mb: int = Field(1024, ge=64, description="address space above the warm process, MB")
    max_rows: int = Field(10_000, ge=1, description="rows fetched from one query (ours)")
    workers: int = Field(0, ge=0, description="parallel sandboxes; 0 = one per CPU core")


class PairingConfig(Settings):
    max_pairs: int = Field(10, ge=1, description="pairs per task, K (the paper)")
    gold_if_unsolved: bool = Field(
        True, description="gold as chosen when no sample is correct (Iterative RPO, GSM8K)"
    )


class TrainingConfig(Settings):
    mode: Literal["dual", "dpo", "sft"] = Field(
        "dual", description="dual = DPO + NLL of the chosen; dpo and sft are the ablations"
    )
    beta: float = Field(0.1, gt=0, description="DPO temperature (Iterative RPO)")
    sft_weight: float = Field(1.0, ge=0, description="weight of the NLL term (Iterative RPO)")
    reference: Literal["previous", "base"] = Field(
        "previous", description="frozen policy of the DPO term (Iterative RPO: previous)"
    )
    lora_rank: int = Field(16, ge=1, description="LoRA r (ours)")
    lora_alpha: int = Field(32, ge=1, description="LoRA scale (ours)")
    lora_targets: str = Field(
        "all-linear",
        min_length=1,
        description="all-linear (QLoRA), or module names with commas: q_proj,v_proj",
    )
    learning_rate: float = Field(5e-5, gt=0, description="AdamW peak (ours; paper unknown)")
    learning_rate_decay: float = Field(
        1.0, gt=0, le=1, description="factor on the rate from each iteration to the next (ours)"
    )
    epochs: int = Field(1, ge=1, description="passes over the pairs (one: the paper)")
    batch_size: int = Field(
        8, ge=1, description="pairs per optimiser step, rounded up to whole tasks (ours)"
    )
    max_length: int = Field(1024, ge=16, description="tokens; longer pairs are dropped, counted")
    max_tokens: int = Field(
        16384, ge=16, description="tokens run at once; a larger step is taken in parts (ours)"
    )
    share_prefixes: Literal["auto", "never"] = Field(
        "auto", description="auto: what pairs of a task share is run once, where that is exact"
    )
    precision: Literal["auto", "bfloat16", "float32"] = Field(
        "auto", description="auto: bfloat16 where the processor has it, else float32"
    )
    gradient_checkpointing: Literal["auto", "on", "off"] = Field(
        "auto", description="auto: on a GPU; less memory, more time"
    )
    load_in_4bit: bool = Field(False, description="base in 4 bits (QLoRA); needs CUDA")
    num_processes: int = Field(1, ge=1, description="GPUs, each a process of accelerate launch")
    checkpoint_s: float = Field(
        60.0, ge=0, description="seconds between checkpoints; a killed training resumes there"
    )


class EvaluationConfig(Settings):
    max_new_tokens: int = Field(256, ge=0, description=MAX_NEW_TOKENS)
    batch_size: int = Field(200, ge=1, description="completions generated at once (ours)")


class TransformersBackend(Settings):
    backend: Literal["transformers"] = "transformers"
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        "auto", description="auto: bfloat16 where the processor has it, else float32"
    )


class VllmBackend(Settings):
    backend: Literal["vllm"] = "vllm"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="auto: bfloat16 where the processor has it, else float32"
    )
    adapter: Literal["auto", "lora", "merged"] = Field(
        "auto", description="auto: merged into the weights of a small model, else beside them"
    )
    gpu_memory_utilization: float = Field(
        0.9, gt=0, le=1, description="share of the GPU's memory that vLLM takes (vLLM: 0.9)"
    )
    max_model_len: int = Field(
        8192, ge=0, description="tokens of prompt and completion; 0 = the model's window (ours)"
    )
    max_num_seqs: int = Field(256, ge=1, description="completions under way at once (ours)")
    tensor_parallel: int = Field(1, ge=1, description="GPUs that share the model's layers")


def check_address(url: str) -> None:
    """Of a server. Addresses are shown, stored and given away. Raises ValueError."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address such as http://127.0.0.1:8000/v1")
    if "@" in urlsplit(url).netloc:
        raise ValueError("an address holds no password: set CODELUTRA_API_KEY instead")


class OpenAIBackend(Settings):
    backend: Literal["openai"] = "openai"
    base_urls: tuple[str, ...] = Field(
        (), description="servers, used in turn: http://gpu-box:8000/v1, more with commas"
    )
    model: str = Field("", description="the base as the server names it; empty = the run's model")
    concurrency: int = Field(16, ge=1, description="prompts under way per server (ours)")
    timeout_s: float = Field(600.0, gt=0, description="for one prompt's completions (ours)")
    max_retries: int = Field(5, ge=0, description="per prompt, with exponential backoff (ours)")

    @field_validator("base_urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """One string with commas, as a form or the command line gives it."""
        if not isinstance(value, str):
            return value
        return tuple(url.strip().rstrip("/") for url in value.split(",") if url.strip())

    @field_validator("base_urls")
    @classmethod
    def _are_urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            check_address(url)
        return value


GenerationBackend = Annotated[
    TransformersBackend | VllmBackend | OpenAIBackend, Field(discriminator="backend")
]


def default_backend() -> TransformersBackend | VllmBackend:
    """vLLM where it is installed and there is an NVIDIA GPU; asked without loading either."""
    has_gpu = Path("/dev/nvidiactl").exists()
    return VllmBackend() if has_gpu and find_spec("vllm") else TransformersBackend()


class RefineConfig(Settings):
    """Everything that decides what a run does; stored with it and never changed afterwards."""

    tasks: str = Field(STARTER, min_length=1, description="task set: a name or a JSONL file")
    model: str = Field(STARTER, min_length=1, description="starter, a Hub id or a local folder")
    iterations: int = Field(
        4, ge=0, le=50, description="rounds of refinement (the paper: 4); 0 = score the base alone"
    )
    seed: int = Field(0, ge=0, description="of sampling, pairing and training")
    train_kind: str = Field(
        "", description="kind of the tasks trained on, e.g. sql; all kinds are scored; empty = all"
    )
    max_train: int = Field(0, ge=0, description="training tasks used; 0 = all")
    max_heldout: int = Field(0, ge=0, description="held-out tasks used; 0 = all")
    validation_share: float = Field(
        0.2, ge=0, le=0.5, description="of the training tasks, kept to choose the iteration (ours)"
    )
    stop: Literal["fixed", "no_gain"] = Field(
        "fixed", description="no_gain: end early when the gain on validation may be chance"
    )
    patience: int = Field(
        1, ge=1, description="iterations in a row without a gain that end a no_gain run (ours)"
    )
    pause_before_training: bool = Field(
        False, description="pause each iteration when its pairs are made, to review them"
    )
    chat_template: Literal["auto", "never"] = Field(
        "auto", description="auto: prompts are user messages where the base has a chat template"
    )
    smoke: bool = Field(
        False, description="a smoke test: one hard task, and no pair is no failure (smoke.py)"
    )
    quarantined: tuple[str, ...] = Field((), description="tasks left out, by id, when it was made")
    stop_strings: tuple[str, ...] = Field(
        (), description="a completion ends before the first of these, e.g. for bases without chat"
    )
    generation: GenerationBackend = Field(default_factory=default_backend)
    sampling: SamplingConfig = SamplingConfig()
    sandbox: SandboxConfig = SandboxConfig()
    pairing: PairingConfig = PairingConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def training_of(self, iteration: int) -> TrainingConfig:
        """The training settings of an iteration, 1 the first: its own learning rate."""
        rate = self.training.learning_rate * self.training.learning_rate_decay ** (iteration - 1)
        return self.training.model_copy(update={"learning_rate": rate})

    def sampling_of(self, iteration: int) -> SamplingConfig:
        """The sampling settings of an iteration, 1 the first: its own temperature."""
        planned = self.sampling.temperatures
        if not planned:
            return self.sampling
        temperature = planned[min(iteration, len(planned)) - 1]
        return self.sampling.model_copy(update={"temperature": temperature})

    @classmethod
    def for_model(cls, model: str, **changes: Any) -> "RefineConfig":
        """The defaults that suit `model`, with `changes` (plain nested dicts) on top."""
        defaults = MODEL_DEFAULTS.get(model, {})
        if "generation" in changes and "backend" not in changes["generation"]:
            named = {"backend": default_backend().backend, **changes["generation"]}
            changes = {**changes, "generation": named}
        return cls.model_validate(merge(merge({"model": model}, defaults), changes))


# A 4M-parameter model from scratch needs a far larger step than a pretrained 8B one, and its
# programs are short. Measured here, after one iteration: two passes in small steps at 1e-3 solve
# more and unlearn more syntax errors than one pass, larger steps or 5e-4, and half the rate from
# iteration to iteration keeps what the first one gained; of beta 0.1, 0.5 and 1
# the first unlearns fewest of them.
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    STARTER: {
        "sampling": {"max_new_tokens": 96},
        "evaluation": {"max_new_tokens": 96},
        "training": {
            "beta": 0.5,
            "learning_rate": 1e-3,
            "learning_rate_decay": 0.5,
            "epochs": 2,
            "batch_size": 4,
            "max_length": 512,
        },
    },
}


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, both nested."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged
