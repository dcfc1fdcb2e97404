"""What a Hugging Face Space of this repository consists of, in two shapes from one source.

`gpu` is a Docker Space that runs everything. `light` is a Gradio Space on a CPU, without torch, for
browsing and curating. Knows no network; `cli_deploy` uploads what `space_files` returns.
"""

import re
import subprocess
from pathlib import Path
from typing import Any, Literal

import yaml

from codelutra.errors import CodeLutraError

Shape = Literal["gpu", "light"]
ROOT = Path(__file__).parents[1]
CODE = ("app.py", "codelutra", "pages", "storage", "LICENSE")
TRACKED: dict[Shape, tuple[str, ...]] = {
    "gpu": (*CODE, "Dockerfile", "requirements.txt", "requirements-gpu.txt"),
    "light": CODE,
}
# The builder of Gradio Spaces installs gradio itself, in the version that the front matter names.
NOT_ON_LIGHT = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors"}
PYTHON = "3.12.12"  # which ZeroGPU has, too
FRONT: dict[str, Any] = {
    "title": "CodeLutra",
    "emoji": "🦦",
    "colorFrom": "blue",
    "colorTo": "gray",
    "short_description": "Refine a code model from its own mistakes",  # 60 characters at most
    "license": "apache-2.0",
    "hf_oauth": True,
    "hf_oauth_scopes": ["read-memberships"],  # who may write in the Space's organisation
}
ABOUT: dict[Shape, str] = {
    "gpu": "This Space runs whole refinements on its GPU. Choose one under Settings; without one "
    "the\nbuilt-in starter model still runs.\n",
    "light": "This Space shows a lab's runs and lets people judge its pairs. It executes no run: "
    "it has\nneither torch nor a GPU. What works without them works here.\n",
}
SETTINGS = """
Its disk is empty after every restart. Under Settings, Variables and secrets:

- variable `CODELUTRA_SNAPSHOT`: where the lab is kept and restored from, such as
  `hf://buckets/OWNER/NAME/lab`
- secret `HF_TOKEN`: a fine-grained token that may write there, and nowhere else
- variable `CODELUTRA_CURATORS`: Hugging Face names, with commas, of those who may judge pairs

Owners are the Space's author and those who may write in its organisation. Everybody else looks.
"""


def space_files(shape: Shape, root: Path = ROOT) -> dict[str, bytes]:
    """By path in the Space: what git tracks and the app needs, and what is generated."""
    kept = {path: (root / path).read_bytes() for path in tracked(TRACKED[shape], root)}
    return kept | {path: text.encode() for path, text in generated(shape, root).items()}


def generated(shape: Shape, root: Path = ROOT) -> dict[str, str]:
    """The files of a Space that are in no commit."""
    pins = (root / "requirements.txt").read_text(encoding="utf-8")
    files = {"README.md": readme(shape, pins)}
    return files | {"requirements.txt": light_requirements(pins)} if shape == "light" else files


def readme(shape: Shape, pins: str) -> str:
    """Front matter and a page for whoever set the Space up."""
    front = FRONT | (_gradio(pins) if shape == "light" else _docker())
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n# CodeLutra\n\n{ABOUT[shape]}{SETTINGS}"


def _gradio(pins: str) -> dict[str, Any]:
    found = re.search(r"^gradio==(\S+)$", pins, re.MULTILINE)
    assert found, "requirements.txt pins gradio"
    return {
        "sdk": "gradio",
        "sdk_version": found[1],
        "python_version": PYTHON,
        "app_file": "app.py",
    }


def _docker() -> dict[str, Any]:
    return {
        "sdk": "docker",
        "app_port": 7860,
        "suggested_hardware": "l40sx1",  # 48 GB, LoRA on up to 8B parameters
        "startup_duration_timeout": "1h",  # the first start downloads a model
    }


def light_requirements(pins: str) -> str:
    """The app's own pins without what only sampling and training import."""
    lines = [line for line in pins.splitlines() if "==" in line]
    kept = [line for line in lines if line.split("==")[0] not in NOT_ON_LIGHT | {"gradio"}]
    return "\n".join(["# gradio is installed by the Space, see sdk_version.", *kept, ""])


def tracked(paths: tuple[str, ...], root: Path = ROOT) -> list[str]:
    """Below these paths, what git tracks: nothing that merely lies there is ever uploaded."""
    return _git(root, "ls-files", "-z", "--", *paths).split("\0")[:-1]


def uncommitted(paths: tuple[str, ...], root: Path = ROOT) -> int:
    """Tracked files that are not as in the last commit."""
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *paths)
    return len(changes.splitlines())


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise CodeLutraError(
            "a Space is made of what git tracks: run this in a clone of the repository, with git"
        ) from error


def lay_out(files: dict[str, bytes], folder: Path) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
