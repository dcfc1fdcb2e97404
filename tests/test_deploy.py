"""What a Space and the lab server consist of, and that both fit the code they are made of."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from codelutra import cli
from codelutra.deploy import NOT_ON_LIGHT, Shape, space_files
from tests.container import dockerfile
from tests.fake_hub import REPO, Hub, hub
from tests.test_cli import fails

__all__ = ["hub"]

ROOT = Path(__file__).parents[1]
SHAPES: tuple[Shape, ...] = ("gpu", "light")


@pytest.fixture(scope="module")
def spaces() -> dict[str, dict[str, bytes]]:
    return {shape: space_files(shape) for shape in SHAPES}


def front_matter(files: dict[str, bytes]) -> dict[str, object]:
    _, front, _ = files["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(front)


def test_a_space_holds_what_git_tracks_and_the_app_needs(spaces) -> None:
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    for files in spaces.values():
        made = {"README.md", "requirements.txt"}
        assert files.keys() - made <= set(tracked)
        assert {"app.py", "pages/style.css", "codelutra/starter/model/model.safetensors"} <= set(
            files
        )
        assert not [path for path in files if path.startswith(("tests/", "docs/", "benchmarks/"))]
        whole = b"".join(files.values())
        assert str(ROOT).encode() not in whole
        assert not re.search(rb"\bhf_[A-Za-z]{20,}", whole)


def test_each_space_tells_the_platform_what_it_is(spaces) -> None:
    gpu, light = (front_matter(spaces[shape]) for shape in SHAPES)
    for front in (gpu, light):
        assert (front["hf_oauth"], front["hf_oauth_scopes"]) == (True, ["read-memberships"])
        assert len(str(front["short_description"])) <= 60  # longer ones are refused
    assert (gpu["sdk"], gpu["app_port"]) == ("docker", 7860)
    assert (light["sdk"], light["app_file"]) == ("gradio", "app.py")
    pins = (ROOT / "requirements.txt").read_text()
    assert f"gradio=={light['sdk_version']}\n" in pins
    ours = set(spaces["light"]["requirements.txt"].decode().splitlines()[1:])
    assert ours < set(pins.splitlines())
    assert not {line.split("==")[0] for line in ours} & (NOT_ON_LIGHT | {"gradio", "spaces"})


@pytest.mark.slow
def test_the_app_its_worker_and_the_doctor_do_without_what_a_light_space_lacks(home: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(sys.argv[1:]))\n"
        "import app, codelutra.worker, codelutra.token_counts, codelutra.pair_export, tokenizers\n"
        "from codelutra import cli\n"
        "sys.exit(cli.main(['doctor', '--json']))"
    )
    command = [sys.executable, "-c", code, *NOT_ON_LIGHT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert found["sandbox"]["ok"]
    assert "torch is not installed here" in found["runs"]["detail"]


def test_a_dry_run_prints_every_file_and_uploads_none(hub: Hub, spaces, capsys) -> None:
    assert cli.main(["deploy", "space", "--light", "--dry-run"]) == 0
    told = capsys.readouterr().out
    for path, content in spaces["light"].items():
        assert f"{len(content):>12,}  {path}\n" in told
    assert spaces["light"]["README.md"].decode() in told
    assert hub.kinds == set()


def test_a_space_is_private_and_holds_no_file_of_an_older_version(hub: Hub, spaces, capsys) -> None:
    hub.files["codelutra/gone.py"] = b""
    assert cli.main(["deploy", "space", REPO, "--gpu"]) == 0
    assert (hub.kinds, hub.is_private) == ({"space"}, True)
    assert hub.files == spaces["gpu"]
    assert "is private already" in fails(capsys, "deploy", "space", REPO, "--gpu", "--public")


def test_a_deployment_without_a_name_or_a_token_is_refused(monkeypatch, capsys) -> None:
    assert "OWNER/NAME" in fails(capsys, "deploy", "space", "--light")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "set HF_TOKEN in the environment" in fails(capsys, "deploy", "space", "me/a", "--light")


def test_the_image_is_made_of_what_the_space_holds_and_runs_as_user_1000(spaces) -> None:
    image = dockerfile(ROOT)
    for source, _ in image.copied:
        assert [p for p in spaces["gpu"] if p == source or p.startswith(f"{source}/")], source
    assert (image.user, image.environment["SYSTEM"]) == ("1000", "spaces")
    assert image.environment["GRADIO_SERVER_PORT"] == "7860"
    assert image.command == ["python", "app.py", "--container"]


def test_the_lab_server_sets_what_the_code_reads() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    lab, database = compose["services"]["lab"], compose["services"]["database"]
    code = "".join(
        path.read_text() for path in [*ROOT.glob("codelutra/*.py"), *ROOT.glob("*/*.py")]
    )
    for name in lab["environment"]:
        assert f'"{name}"' in code or name in ("SYSTEM", "HF_HOME"), name
    assert lab["environment"]["CODELUTRA_USERS"].startswith("${CODELUTRA_USERS:?")  # or no start
    assert lab["environment"]["DATABASE_URL"].endswith("@database/codelutra")
    assert database["environment"]["POSTGRES_DB"] == "codelutra"
    assert lab["environment"]["CODELUTRA_HOME"] == lab["volumes"][0].split(":")[1] == "/data"
    assert lab["ports"] == ["7860:7860"]
    assert lab["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "/health" in (ROOT / "Dockerfile").read_text().partition("HEALTHCHECK")[2]
    gpu = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text())["services"]["lab"]
    for service in (lab, gpu):
        assert (ROOT / service["build"]["args"]["REQUIREMENTS"]).exists()
