"""The command `deploy space`: this repository as a Hugging Face Space."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from codelutra.deploy import TRACKED, Shape, generated, lay_out, space_files, uncommitted
from codelutra.errors import CodeLutraError

TOKEN = "HF_TOKEN"


def add_commands(commands: Any) -> None:
    deploy = commands.add_parser("deploy", help="put this repository on a Hugging Face Space")
    places = deploy.add_subparsers(required=True, metavar="PLACE")
    space = places.add_parser("space", help="what each can do: docs/deploy.md")
    space.add_argument("repo", nargs="?", metavar="OWNER/NAME", help="needed without --dry-run")
    shape = space.add_mutually_exclusive_group(required=True)
    shape.add_argument(
        "--gpu", dest="shape", action="store_const", const="gpu",
        help="a Docker Space that runs everything, with vLLM",
    )  # fmt: skip
    shape.add_argument(
        "--light", dest="shape", action="store_const", const="light",
        help="a Gradio Space on a CPU, for browsing and curating; it executes no run",
    )  # fmt: skip
    space.add_argument("--dry-run", action="store_true", help="only print what would be uploaded")
    space.add_argument("--public", action="store_true", help="anybody may see it (else private)")
    space.set_defaults(run=_deploy)


def _deploy(options: argparse.Namespace) -> int:
    files = space_files(options.shape)
    if number := uncommitted(TRACKED[options.shape]):
        print(f"note: {number} files are not as in the last commit", file=sys.stderr)
    if options.dry_run:
        _print(options.shape, files)
        return 0
    address = upload(options.repo or "", options.shape, files, is_public=options.public)
    print(f"{len(files)} files are in {address}; its README says what to set there")
    return 0


def _print(shape: Shape, files: dict[str, bytes]) -> None:
    for path, content in sorted(files.items()):
        print(f"{len(content):>12,}  {path}")
    print(f"{sum(map(len, files.values())):>12,}  bytes in {len(files)} files")
    for path, text in generated(shape).items():
        print(f"\n--- {path}, which is generated:\n{text}", end="")


def upload(repo: str, shape: Shape, files: dict[str, bytes], *, is_public: bool) -> str:
    """Create the Space, or bring it up to date; returns its address."""
    import httpx2  # the Hub client's own, whose errors it lets through
    from huggingface_hub import HfApi

    if repo.count("/") != 1:
        raise CodeLutraError("name the Space as OWNER/NAME")
    token = os.environ.get(TOKEN)
    if not token:
        raise CodeLutraError(f"set {TOKEN} in the environment, to a token that may write {repo}")
    api = HfApi(token=token)
    try:
        address = api.create_repo(
            repo,
            repo_type="space",
            space_sdk="docker" if shape == "gpu" else "gradio",
            private=not is_public,
            exist_ok=True,
        )
        is_private = bool(api.repo_info(repo, repo_type="space").private)
        if is_private is is_public:  # an older one, which creating leaves as it is
            raise CodeLutraError(
                f"{repo} is {'private' if is_private else 'public'} already: "
                f"{'leave out' if is_public else 'add'} --public, or name another Space"
            )
        with tempfile.TemporaryDirectory() as folder:
            lay_out(files, Path(folder))
            api.upload_folder(
                repo_id=repo,
                repo_type="space",
                folder_path=folder,
                commit_message="Deploy CodeLutra",
                delete_patterns="*",  # what an older version left there
            )
    except (OSError, ValueError, httpx2.HTTPError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CodeLutraError(f"not deployed to {repo}: {first}") from error
    return str(address)
