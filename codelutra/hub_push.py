"""Uploads an exported folder to a repository on the Hugging Face Hub."""

from pathlib import Path
from typing import Literal

from codelutra.errors import CodeLutraError

Kind = Literal["model", "dataset"]

# What an earlier export may have left in the repository: the weights of one must never lie
# beside the card of another.
REPLACED = {
    "model": ["*.safetensors", "*.safetensors.index.json", "adapter_config.json", "config.json"],
    "dataset": ["pairs.jsonl", "pairs.parquet"],
}


def check_repo_name(repo: str) -> None:
    """Raise CodeLutraError unless it reads OWNER/NAME, before any work is done for it."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
        is_whole = repo.count("/") == 1
    except HFValidationError:
        is_whole = False
    if not is_whole:
        raise CodeLutraError(f"--push {repo}: write OWNER/NAME, the repository on the Hub")


def push(folder: Path, repo: str, *, is_public: bool, kind: Kind = "model") -> str:
    """Upload `folder`; returns the repository's address. `folder` stays, whatever happens."""
    import httpx2  # the Hub client's own, whose errors it lets through
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = api.create_repo(repo, private=not is_public, exist_ok=True, repo_type=kind)
        is_private = bool(api.repo_info(repo, repo_type=kind).private)
        if is_private is is_public:  # an older one, which creating leaves as it is
            raise CodeLutraError(
                f"{repo} is {'private' if is_private else 'public'} on the Hub already: "
                f"{'leave out' if is_public else 'add'} --public, or push to another repository; "
                f"the export is in {folder}"
            )
        api.upload_folder(
            repo_id=repo,
            repo_type=kind,
            folder_path=folder,
            commit_message="Export from CodeLutra",
            delete_patterns=REPLACED[kind],
        )
    except (OSError, ValueError, httpx2.HTTPError) as error:
        raise CodeLutraError(
            f"not pushed to {repo}, {_reason(error)}; the export is in {folder}: "
            f"`hf upload {repo} {folder}{_of(kind)}` pushes it later"
        ) from error
    return str(address)


def _of(kind: Kind) -> str:
    return "" if kind == "model" else f" . --repo-type {kind}"


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import LocalTokenNotFoundError

    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401 or isinstance(error, LocalTokenNotFoundError):
        return "the Hub knows no valid token of yours (run `hf auth login`)"
    if status == 403:
        return "your token may not write there (make one with the right to write)"
    if status is None and not isinstance(error, ValueError):
        return f"the Hub does not answer ({_first_line(error)})"
    return f"the Hub does not take it ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
