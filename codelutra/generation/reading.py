"""How a policy reads prompts: their tokens, and whether an answer still fits its window."""

from collections.abc import Iterable, Sequence
from typing import Any

from codelutra.chat import model_prompt
from codelutra.errors import ModelError

CONTEXT = 4  # prompt tokens before a completion that decide how its first one is spelt


class Reader:
    """A tokenizer, the chat template if it is used, and the window in tokens (None: endless)."""

    def __init__(self, tokenizer: Any, chat_template: str, window: int | None) -> None:
        self.tokenizer = tokenizer
        self.is_chat = chat_template == "auto"
        self.window = window

    def text(self, prompt: str) -> str:
        return model_prompt(self.tokenizer, prompt) if self.is_chat else prompt

    def token_ids(self, prompts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer([self.text(p) for p in prompts])["input_ids"]
        if not all(ids):
            raise ModelError("a prompt is empty, and this model has no token to begin with")
        return ids

    def fits(self, token_ids: Sequence[int], max_new_tokens: int) -> bool:
        return self.window is None or len(token_ids) + max_new_tokens <= self.window

    def completion(self, prompt_ids: Sequence[int], new_ids: Sequence[int]) -> str:
        """The text of `new_ids` as it stands behind the prompt: alone, some tokenizers drop the
        space that the first token begins with, and a Python body its indentation."""
        before = list(prompt_ids[-CONTEXT:])
        head = self._decode(before)
        whole = self._decode([*before, *new_ids])
        return whole[len(head) :] if whole.startswith(head) else self._decode(list(new_ids))

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


def cut_at_stop(text: str, stop: Iterable[str]) -> str:
    """`text` up to the first of the strings, which is left out."""
    found = [place for each in stop if (place := text.find(each)) >= 0]
    return text[: min(found)] if found else text


def window_of(model_config: Any) -> int | None:
    """Positions that the model was made for, from its transformers configuration."""
    text_config = model_config.get_text_config()
    window = getattr(text_config, "max_position_embeddings", None)
    return int(window) if window else None


def load_tokenizer(model: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model, padding_side="left")
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load {model}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
