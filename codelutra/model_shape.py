"""A model's shape without loading it: sizes from its config.json and the headers of its weights.

Imports no torch; a model that is not on this machine costs a few small requests to the Hub.
"""

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from codelutra.errors import ModelError
from codelutra.models import check_model, resolve_model

HUB_TIMEOUT_S = 5.0
# Names that other families give the same thing (GPT-2, OPT, Falcon).
ALIASES = {
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "num_hidden_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "num_attention_heads": ("num_attention_heads", "n_head"),
    "intermediate_size": ("intermediate_size", "n_inner", "ffn_dim"),
}
# Their feed-forward part has two matrices; that of the others has three (a gated one).
UNGATED = ("starcoder2", "gpt2", "gpt_neox", "gpt_bigcode", "phi", "opt", "falcon", "bloom")
Matrix = tuple[int, int]  # (out, in)


@dataclass(frozen=True)
class ModelShape:
    """Sizes are counts unless they say bytes; `linears` are the matrices inside the layers."""

    model: str
    parameters: int
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    linears: tuple[Matrix, ...]
    file_bytes: int  # of the weights on the Hub or on the disk
    is_here: bool  # False: it is downloaded by the first run
    source: str  # of `parameters`
    window: int = 0  # tokens of a prompt and its completion; 0: its config does not say

    @property
    def linear_parameters(self) -> int:
        return sum(rows * columns for rows, columns in self.linears)

    def lora_parameters(self, rank: int) -> int:
        """Of a LoRA on every linear layer: A is (rank, in) and B is (out, rank)."""
        return sum(rank * (rows + columns) for rows, columns in self.linears)

    def kv_bytes_per_token(self, value_bytes: int) -> int:
        """A key and a value for each layer and each head that has its own (grouped: fewer)."""
        return 2 * self.layers * self.kv_heads * self.head_dim * value_bytes


def read_shape(model: str) -> ModelShape:
    """Of the starter, a folder or a Hub id; ModelError, in one line, when it cannot be told."""
    check_model(model)
    folder = local_folder(model)
    if folder:
        return _read_folder(model, folder, (folder / "config.json").stat().st_mtime_ns)
    return _read_hub(model)


def local_folder(model: str) -> Path | None:
    """Where the weights lie on this machine; None when they would be downloaded."""
    from huggingface_hub import try_to_load_from_cache

    resolved = resolve_model(model)
    if Path(resolved).is_dir():
        return Path(resolved)
    cached = try_to_load_from_cache(model, "config.json")
    folder = Path(cached).parent if isinstance(cached, str) else None
    return folder if folder and any(_weight_files(folder)) else None


def shape_of_config(model: str, config: Mapping[str, Any], **known: Any) -> ModelShape:
    """From a config.json alone; `known` replaces what the weights themselves tell better."""
    config = config.get("text_config") or config  # a model that also sees
    try:
        hidden = _value(config, "hidden_size")
        layers = _value(config, "num_hidden_layers")
        heads = _value(config, "num_attention_heads")
        vocabulary = int(config["vocab_size"])
    except KeyError as error:
        raise ModelError(f"{model}: its config.json has no {error.args[0]}") from error
    intermediate = _value(config, "intermediate_size", 4 * hidden)
    kv_heads = config.get("num_key_value_heads") or (1 if config.get("multi_query") else heads)
    head_dim = config.get("head_dim") or hidden // heads
    linears = tuple(
        _layer_matrices(
            hidden, heads * head_dim, kv_heads * head_dim, intermediate, config.get("model_type")
        )
        * layers
    )
    embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings", True) else 2)
    norms = (2 * layers + 1) * hidden
    parameters = sum(rows * columns for rows, columns in linears) + embeddings + norms
    sizes: dict[str, Any] = {
        "parameters": parameters,
        "linears": linears,
        "file_bytes": 2 * parameters,  # published in 16 bits, as nearly all are
        "is_here": False,
        "source": "computed from config.json",
    }
    return ModelShape(
        model=model,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=intermediate,
        vocabulary=vocabulary,
        window=int(config.get("max_position_embeddings") or config.get("n_positions") or 0),
        **(sizes | known),
    )


@lru_cache(maxsize=32)
def _read_folder(model: str, folder: Path, _changed: int) -> ModelShape:
    config = _json(folder / "config.json")
    shapes: dict[str, list[int]] = {}
    for path in folder.glob("*.safetensors"):
        shapes |= {name: tensor["shape"] for name, tensor in _header(path).items()}
    files = sum(path.stat().st_size for path in _weight_files(folder))
    known: dict[str, Any] = {"is_here": True}
    if files:
        known["file_bytes"] = files
    return shape_of_config(model, config, **known, **_of_tensors(shapes))


@lru_cache(maxsize=32)
def _read_hub(model: str) -> ModelShape:
    """Its config.json and the headers of its weights: a few kB, not the weights."""
    import httpx2  # the Hub client's own, whose errors it lets through
    from huggingface_hub import get_safetensors_metadata, hf_hub_download
    from huggingface_hub.errors import NotASafetensorsRepoError

    unknown = f"{model}: the Hub does not give its config.json"
    try:
        config = _json(Path(hf_hub_download(model, "config.json", etag_timeout=HUB_TIMEOUT_S)))
        try:
            found = get_safetensors_metadata(model, timeout=HUB_TIMEOUT_S)
        except NotASafetensorsRepoError:
            return shape_of_config(model, config)
    except (OSError, httpx2.HTTPError) as error:
        raise ModelError(f"{unknown} ({str(error).splitlines()[0]})") from error
    shapes: dict[str, list[int]] = {}
    size = 0
    for file in found.files_metadata.values():
        shapes |= {name: list(tensor.shape) for name, tensor in file.tensors.items()}
        size += sum(tensor.data_offsets[1] - tensor.data_offsets[0] for tensor in
                    file.tensors.values())  # fmt: skip
    return shape_of_config(model, config, file_bytes=size, **_of_tensors(shapes))


def _of_tensors(shapes: Mapping[str, list[int]]) -> dict[str, Any]:
    """What the weights tell, {} without any: every number of them, and which are LoRA's targets."""
    if not shapes:
        return {}
    count = 0
    for shape in shapes.values():
        size = 1
        for length in shape:
            size *= length
        count += size
    linears = tuple(
        (shape[0], shape[1])
        for name, shape in shapes.items()
        if len(shape) == 2 and name.endswith(".weight") and not _is_at_the_ends(name)
    )
    return {"parameters": count, "linears": linears, "source": "counted in the weights' headers"}


def _is_at_the_ends(name: str) -> bool:
    """Embeddings and the LM head, which PEFT's all-linear leaves out."""
    return any(part in name for part in ("embed", "lm_head", "wte", "wpe", "word_embeddings"))


def _layer_matrices(
    hidden: int, queries: int, keys: int, intermediate: int, model_type: str | None
) -> list[Matrix]:
    attention = [(queries, hidden), (keys, hidden), (keys, hidden), (hidden, queries)]
    widening = 1 if model_type in UNGATED else 2
    return attention + [(intermediate, hidden)] * widening + [(hidden, intermediate)]


def _value(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    found = next((config[alias] for alias in ALIASES[name] if config.get(alias)), default)
    if found is None:
        raise KeyError(name)
    return int(found)


def _weight_files(folder: Path) -> Iterable[Path]:
    """safetensors, or pickles where there are none: `from_pretrained` prefers the former."""
    return list(folder.glob("*.safetensors")) or list(folder.glob("pytorch_model*.bin"))


def _header(path: Path) -> dict[str, Any]:
    """The first bytes of a safetensors file: 8 of length, then JSON (its format's README)."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(length))
    except (OSError, struct.error, ValueError, MemoryError) as error:
        raise ModelError(f"{path} is no safetensors file: {error}") from error
    header.pop("__metadata__", None)
    return header


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} is no model's config.json")
    return found
