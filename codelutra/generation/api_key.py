"""The key of OpenAI-compatible servers elsewhere: from the environment, never from a setting."""

import os

KEY_VARIABLES = ("CODELUTRA_API_KEY", "OPENAI_API_KEY")


def api_key() -> str:
    """Empty where none is set."""
    return next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), "")
