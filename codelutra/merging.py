"""An adapter merged into its base: one model with the policy's own weights. Loads torch."""

from typing import Any

from codelutra.errors import AdapterError


def merged_policy(base: str, adapter: str, dtype: str = "auto", revision: str | None = None) -> Any:
    """The base in `dtype` (auto: its own) with the adapter's product added, rounded once.

    Raises AdapterError where one merged weight cannot hold the adapter; OSError, ValueError and
    RuntimeError, as the libraries do, where one of the two cannot be loaded.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, revision=revision, dtype=dtype)
    policy = PeftModel.from_pretrained(model, adapter, torch_device="cpu")
    _check_not_tied(policy, adapter)
    return policy.merge_and_unload(safe_merge=True)


def _check_not_tied(policy: Any, path: str) -> None:
    """With tied weights, merging into the output layer would change the input layer, too."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    model = policy.get_base_model()
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    if model.config.tie_word_embeddings and any(isinstance(end, BaseTunerLayer) for end in ends):
        raise AdapterError(
            f"adapter {path} changes an embedding that the base shares between its input and its "
            "output, which one merged weight cannot hold: use it without merging"
        )
