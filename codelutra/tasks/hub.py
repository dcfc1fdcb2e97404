"""A file of a dataset on the Hugging Face Hub. Nothing of a dataset's code is ever run."""

import os
from dataclasses import dataclass
from pathlib import Path

from codelutra.errors import TaskError

PREFIX = "hub:"
SUFFIXES = (".json", ".jsonl", ".jsonl.gz", ".csv", ".parquet")
TIMEOUT_S = 10
MAX_LISTED = 8


@dataclass(frozen=True)
class HubFile:
    """`name` says the commit, so that a set can be made again."""

    path: Path
    name: str


def fetch(address: str) -> HubFile:
    """`hub:OWNER/NAME[@REVISION][/FILE]`; raises TaskError in one line."""
    import httpx2  # the Hub client's own, whose errors it lets through
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository, revision, file = parse(address)
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        found = HfApi(endpoint=endpoint).dataset_info(
            repository, revision=revision, timeout=TIMEOUT_S
        )
        names = [one.rfilename for one in found.siblings or []]
        chosen = choose(address, file, names)
        path = hf_hub_download(
            repository, chosen, repo_type="dataset", revision=found.sha, endpoint=endpoint,
            etag_timeout=TIMEOUT_S,
        )  # fmt: skip
    except HFValidationError as error:
        raise TaskError(f"{address}: write hub:OWNER/NAME or hub:OWNER/NAME/FILE") from error
    except GatedRepoError as error:
        raise TaskError(
            f"{repository} is gated: accept its licence on its Hub page, then run `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise TaskError(f"dataset {repository} has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise TaskError(f"there is no dataset {repository} on the Hub, or it is private") from error
    except EntryNotFoundError as error:
        raise TaskError(f"dataset {repository} has no file {file}") from error
    except (OSError, httpx2.HTTPError) as error:
        raise TaskError(
            f"{address}: the Hub does not answer ({type(error).__name__}); download the file and "
            "import that"
        ) from error
    return HubFile(Path(path), f"{PREFIX}{repository}@{found.sha}/{chosen}")


def parse(address: str) -> tuple[str, str | None, str]:
    """Repository, revision and file ('' when it is left to us)."""
    owner, _, rest = address.removeprefix(PREFIX).partition("/")
    name, _, file = rest.partition("/")
    name, _, revision = name.partition("@")
    if not owner or not name:
        raise TaskError(f"{address}: write hub:OWNER/NAME or hub:OWNER/NAME/FILE")
    return f"{owner}/{name}", revision or None, file


def choose(address: str, file: str, names: list[str]) -> str:
    """The file asked for, or the only one that could hold tasks."""
    if file in names:
        return file
    data = [name for name in names if name.endswith(SUFFIXES)]
    if len(data) == 1 and not file:
        return data[0]
    shown = ", ".join(data[:MAX_LISTED]) + (", …" if len(data) > MAX_LISTED else "")
    if not data:
        raise TaskError(f"{address}: no file in it that could hold tasks ({', '.join(SUFFIXES)})")
    raise TaskError(f"{address}: name one of its files, as in {PREFIX}OWNER/NAME/FILE: {shown}")
