"""A first request to a server of a run's states, for people to copy."""

import shlex

KEY_VARIABLE = "CODELUTRA_SERVE_KEY"  # holds the key that a server is to want
BY_CHAT = {
    False: ("/v1/completions", '"prompt": "..."'),
    True: ("/v1/chat/completions", '"messages": [{"role": "user", "content": "..."}]'),
}


def curl_line(address: str, name: str, *, is_chat: bool, has_key: bool = False) -> str:
    """`is_chat`: the run put the base's chat template around its prompts."""
    path, prompt = BY_CHAT[is_chat]
    body = f'{{"model": "{name}", {prompt}, "max_tokens": 96, "temperature": 0}}'
    header = f" -H 'Authorization: Bearer '\"${KEY_VARIABLE}\"" if has_key else ""
    return (
        f"curl {address}{path} -H 'Content-Type: application/json'{header} -d {shlex.quote(body)}"
    )
