"""Hostile and bad JavaScript: each program gets its outcome and leaves no trace."""

import json
import shutil
from dataclasses import replace

import pytest

from codelutra.config import SandboxConfig
from codelutra.errors import SandboxError
from codelutra.languages.javascript import LANGUAGE
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from tests.sandbox.hostile import SECRET, Hostile, Range, javascript_programs

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def run(sandbox: Sandbox, source: str, *stdin: str) -> ExecutionResult:
    program = Program("javascript", source, command=LANGUAGE.command, stdin=stdin or ("",))
    return sandbox.execute([program])[0]


@pytest.mark.parametrize("program", list(javascript_programs()), ids=lambda program: program.name)
def test_gets_its_outcome_and_leaves_no_trace(program: Hostile, field: Range) -> None:
    assert field.faults(program) == []


def test_each_text_on_stdin_is_a_run_of_its_own(sandbox: Sandbox) -> None:
    source = "globalThis.n = (globalThis.n || 0) + 1;\n"
    source += "console.log(n, require('fs').readFileSync(0, 'utf8').trim())"
    assert run(sandbox, source, "a\n", "ü").value == ["list", ["1 a\n", "1 ü\n"]]


@pytest.mark.parametrize(
    "source",
    [
        "let s = '';\nprocess.stdin.on('data', d => s += d).on('end', () => console.log(s.trim()))",
        "console.log(require('fs').readFileSync('/dev/stdin', 'utf8').trim())",
        "import fs from 'node:fs';\nconsole.log(await fs.promises.readFile('/dev/stdin', 'utf8'))",
        "#!/usr/bin/env node\nrequire('readline').createInterface({input: process.stdin})\n"
        "  .on('line', line => console.log(line))",
        "const {Worker} = require('worker_threads');\n"
        "new Worker(\"console.log('a b')\", {eval: true})",
    ],
)
def test_honest_programs_run(source: str, sandbox: Sandbox) -> None:
    result = run(sandbox, source, "a b\n")
    assert (result.outcome, result.detail) == ("ok", "")
    assert result.value[1][0].strip() == "a b"


def test_an_error_names_its_line_and_what_was_printed_is_evidence(sandbox: Sandbox) -> None:
    result = run(sandbox, "console.log('so far');\nnull.x")
    assert result.detail.startswith("TypeError: Cannot read properties of null")
    assert result.detail.endswith("(line 2)")
    assert result.output.startswith("so far\n")
    broken = run(sandbox, "let x = 1;\nlet y = (;")
    assert broken.detail == "line 2: SyntaxError: Unexpected token ';'"


def test_a_sleeper_is_ended_by_the_wall_clock(hasty_sandbox: Sandbox) -> None:
    result = run(hasty_sandbox, "setInterval(() => {}, 1000)")
    assert result.outcome == "timeout"
    assert result.detail.startswith("still running after 1.2 s")


def test_bytes_that_are_no_text_differ_where_they_differ(sandbox: Sandbox) -> None:
    one, two = (
        run(sandbox, f"process.stdout.write(Buffer.from([{byte}]))").value for byte in (200, 201)
    )
    assert one != two


def test_it_sees_no_environment_of_ours(sandbox: Sandbox, field: Range) -> None:
    source = "console.log(JSON.stringify(process.env))"
    seen = json.loads(run(sandbox, source).value[1][0])
    assert SECRET not in seen.values()
    assert seen.keys() == {"LC_ALL", "TZ", "PATH", *dict(LANGUAGE.command.environment)}


def test_a_missing_interpreter_is_named_with_what_to_do() -> None:
    command = replace(LANGUAGE.command, interpreter="no-such-node")
    with (
        Sandbox(SandboxConfig(workers=1)) as sandbox,
        pytest.raises(SandboxError, match=r"`no-such-node`, which is not on PATH: install Node"),
    ):
        sandbox.execute([Program("javascript", "", command=command)])


def test_an_interpreter_that_is_too_old_is_found_at_the_start() -> None:
    command = replace(LANGUAGE.command, run=("--no-such-option", "{program}"))
    with (
        Sandbox(SandboxConfig(workers=1)) as sandbox,
        pytest.raises(SandboxError, match=r"exit code 9: .*bad option.*install Node"),
    ):
        sandbox.execute([Program("javascript", "", command=command)])
