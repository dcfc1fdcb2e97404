"""What a model really reads: the task's prompt, or a user's message with it for a chat model."""

from collections.abc import Sequence
from typing import Any


def model_prompt(tokenizer: Any, prompt: str) -> str:
    """The text whose tokens, special ones added as usual, the model continues.

    With a chat template: one user message and the opening of the answer, as the model's card says.
    """
    if not getattr(tokenizer, "chat_template", None):
        return prompt
    return chat_prompt(tokenizer, [{"role": "user", "content": prompt}])


def chat_prompt(tokenizer: Any, messages: Sequence[dict[str, str]]) -> str:
    """The same for a whole conversation, by a tokenizer that has a template."""
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    first = tokenizer.bos_token
    if (
        first
        and text.startswith(first)
        and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    ):
        return str(text).removeprefix(first)  # the tokenizer adds it, too
    return str(text)
