"""What `doctor` says about the fences: found by trying, with every single one missing as well."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codelutra import doctor
from codelutra.config import SandboxConfig
from codelutra.errors import SandboxError
from codelutra.languages.javascript import LANGUAGE
from codelutra.sandbox import Program, Sandbox
from codelutra.sandbox.process import CHILD_FOLDER


@pytest.fixture
def change_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str, str, str], None]:
    def change(name: str, old: str, new: str) -> None:
        shutil.copytree(CHILD_FOLDER, tmp_path / "child")
        path = tmp_path / "child" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        monkeypatch.setattr("codelutra.sandbox.process.CHILD_FOLDER", tmp_path / "child")

    return change


def test_both_fences_are_found() -> None:
    finding = doctor._sandbox()
    assert finding.ok
    assert finding.detail.startswith(("seccomp and Landlock", "seccomp, but no Landlock"))


def test_no_landlock_is_said_with_what_follows(change_server: Callable[..., None]) -> None:
    change_server("landlock.py", "    if abi == 0:", "    if True:")
    finding = doctor._sandbox()
    assert finding.ok
    assert "no Landlock in this kernel: programs open no file at all" in finding.detail


def test_no_seccomp_is_essential_and_nothing_runs(change_server: Callable[..., None]) -> None:
    change_server("seccomp.py", "SECCOMP_MODE_FILTER = 22, 2", "SECCOMP_MODE_FILTER = 22, 9")
    finding = doctor._sandbox()
    assert (finding.ok, finding.essential) == (False, True)
    assert "seccomp filters do not work on this machine" in finding.detail


def test_an_unknown_processor_is_refused_by_name(change_server: Callable[..., None]) -> None:
    change_server("seccomp.py", "platform.machine()", "'riscv64'")
    assert "no system call table for riscv64" in doctor._sandbox().detail


def test_other_systems_than_linux_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="which darwin has not: use a Linux machine"):
        Sandbox(SandboxConfig()).execute([Program("python", "result = 1")])
    assert not doctor._sandbox().ok


def test_a_language_whose_interpreter_is_missing_is_said_with_what_to_do() -> None:
    command = replace(LANGUAGE.command, interpreter="no-such-node")
    finding = doctor._command("javascript", command)
    assert not finding.ok
    assert not finding.essential
    assert "`no-such-node`, which is not on PATH: install Node" in finding.detail


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_language_that_runs_is_found_by_running_it() -> None:
    finding = next(found for found in doctor.examine() if found.name == "javascript")
    assert finding.ok
    assert finding.detail == f"{shutil.which('node')}, fenced"
