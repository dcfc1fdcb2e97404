"""Ablations: runs that differ in a few settings alone, to see what each of them is worth.

The paper leaves open how its result depends on the loss, its constants and the sampling; which of
them can be varied here is `AXES`.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError

AXES: dict[str, str] = {  # path in RefineConfig -> the word on charts
    "training.mode": "loss",
    "training.beta": "beta",
    "training.sft_weight": "sft weight",
    "training.reference": "reference",
    "pairing.max_pairs": "K",
    "sampling.num_samples": "n",
    "seed": "seed",
}
MAX_VARIANTS = 64
Plan = Literal["each", "all"]  # one setting changed at a time, or every combination
Grid = Mapping[str, Sequence[Any]]  # values by path of AXES


def variants(base: RefineConfig, grid: Grid, plan: Plan = "each") -> list[RefineConfig]:
    """`base` and its variations, each once; with several seeds, each with every seed.

    Settings that a variant does not use (beta without a DPO term) are left as in `base`, and so
    make no run of their own. Raises ValidationError for a value that a setting cannot have,
    CodeLutraError for a grid that is too large or varies nothing.
    """
    seeds = grid.get("seed") or [base.seed]
    axes = {path: values for path, values in grid.items() if path != "seed" and values}
    found: list[RefineConfig] = []
    for changes in _changes(axes, plan):
        for seed in seeds:
            config = used(_changed(base, {**changes, "seed": seed}), base)
            if config not in found:
                found.append(config)
        if len(found) > MAX_VARIANTS:
            raise CodeLutraError(
                f"the grid has more than {MAX_VARIANTS} runs: vary less, or one setting at a time"
            )
    if len(found) < 2:
        raise CodeLutraError("the grid has one run only: give a setting two values or more")
    return found


def used(config: RefineConfig, base: RefineConfig) -> RefineConfig:
    """What `config` does not make use of as in `base`."""
    idle = []
    if config.training.mode == "sft":
        idle += ["beta", "reference"]
    if config.training.mode != "dual":
        idle.append("sft_weight")
    if config.iterations == 1:
        idle.append("reference")  # the first iteration's previous policy is the base
    same = {name: getattr(base.training, name) for name in idle}
    return config.model_copy(update={"training": config.training.model_copy(update=same)})


def varied(configs: Sequence[RefineConfig]) -> list[str]:
    """The paths of AXES in which they differ."""
    return [path for path in AXES if len({value_of(config, path) for config in configs}) > 1]


def variant_words(config: RefineConfig, paths: Sequence[str]) -> list[str]:
    """`beta 0.1`, `seed 3`: the values of what is varied."""
    return [f"{AXES[path]} {value_of(config, path)}" for path in paths]


def label(config: RefineConfig, paths: Sequence[str]) -> str:
    """`beta 0.1, K 10`: the variant among those that differ in `paths`, its seed left out."""
    words = variant_words(config, [path for path in paths if path != "seed"])
    return ", ".join(words) or "as it is"


def value_of(config: RefineConfig, path: str) -> Any:
    owner: BaseModel = config
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    return getattr(owner, name)


def _changes(axes: Grid, plan: Plan) -> Iterator[dict[str, Any]]:
    if plan == "all":
        for combination in product(*axes.values()):
            yield dict(zip(axes, combination, strict=True))
        return
    yield {}
    for path, values in axes.items():
        yield from ({path: value} for value in values)


def _changed(base: RefineConfig, changes: Mapping[str, Any]) -> RefineConfig:
    nested = base.model_dump(mode="json")
    for path, value in changes.items():
        *parents, name = path.split(".")
        place = nested
        for parent in parents:
            place = place[parent]
        place[name] = value
    return RefineConfig.model_validate(nested)
