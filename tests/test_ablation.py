"""Which runs an ablation is made of."""

import pytest
from pydantic import ValidationError

from codelutra.ablation import MAX_VARIANTS, label, used, value_of, variants, varied
from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError

BASE = RefineConfig.for_model("starter", iterations=2)


def words(configs: list[RefineConfig]) -> list[str]:
    return [label(config, varied(configs)) for config in configs]


def test_one_setting_at_a_time_around_the_settings_as_they_are() -> None:
    found = variants(BASE, {"training.beta": [0.1, 0.5, 1], "pairing.max_pairs": [5, 10]})
    assert words(found) == ["beta 0.5, K 10", "beta 0.1, K 10", "beta 1.0, K 10", "beta 0.5, K 5"]
    assert found[0] == BASE


def test_every_combination_with_every_seed() -> None:
    grid = {"training.beta": [0.1, 0.5], "sampling.num_samples": [5, 10], "seed": [0, 1, 2]}
    found = variants(BASE, grid, "all")
    assert len(found) == 12
    assert [config.seed for config in found[:3]] == [0, 1, 2]
    assert words(found)[::3] == ["beta 0.1, n 5", "beta 0.1, n 10", "beta 0.5, n 5",
                                 "beta 0.5, n 10"]  # fmt: skip


def test_what_a_loss_does_not_use_makes_no_run() -> None:
    grid = {"training.mode": ["dual", "dpo", "sft"], "training.beta": [0.1, 0.5],
            "training.sft_weight": [0.5, 1.0]}  # fmt: skip
    found = variants(BASE, grid, "all")
    modes = [config.training.mode for config in found]
    assert (modes.count("dual"), modes.count("dpo"), modes.count("sft")) == (4, 2, 1)
    once = RefineConfig.for_model("starter", iterations=1)
    with pytest.raises(CodeLutraError, match="one run only"):
        variants(once, {"training.reference": ["previous", "base"]})  # the same in iteration 1
    assert len(variants(BASE, {"training.reference": ["previous", "base"]})) == 2


def test_used_settings_stay() -> None:
    config = BASE.model_copy(update={"seed": 7})
    assert used(config, BASE) == config
    assert value_of(config, "training.beta") == 0.5


def test_a_grid_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValidationError):
        variants(BASE, {"training.beta": [0.1, -1]})
    with pytest.raises(CodeLutraError, match="one run only"):
        variants(BASE, {"training.beta": [0.5]})
    with pytest.raises(CodeLutraError, match=f"more than {MAX_VARIANTS} runs"):
        variants(BASE, {"seed": list(range(10)), "training.beta": [n / 10 for n in range(1, 9)]})
