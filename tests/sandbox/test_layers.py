"""Each fence taken away alone: what gets through then, or which other fence stops it.

Not seen here: RLIMIT_NPROC and RLIMIT_CORE, behind seccomp and PR_SET_DUMPABLE; they only help
where those fail.
"""

import os
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from codelutra.config import SandboxConfig
from codelutra.languages.javascript import LANGUAGE as JAVASCRIPT
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.sandbox.process import CHILD_FOLDER
from tests.sandbox.hostile import HASTY, SECRET, Range

CONFIG = SandboxConfig(timeout_s=2, memory_mb=256, workers=1)


@dataclass(frozen=True)
class Layer:
    """A line of the servers that is replaced by nothing (`pass`) or by `instead`."""

    file: str
    line: str
    instead: str = "pass"


LAYERS = {
    "landlock": Layer("python_server.py", "landlock.enter(fence.ruleset)"),
    "seccomp": Layer("python_server.py", "seccomp.install(fence.calls)"),
    "memory": Layer(
        "fences.py", "limit(resource.RLIMIT_AS, memory_bytes, memory_bytes + HEADROOM)"
    ),
    "file_count": Layer("fences.py", "limit(resource.RLIMIT_NOFILE, 64)"),
    "capabilities": Layer("python_server.py", "fences.drop_capabilities()"),
    "descriptors": Layer("python_server.py", "os.closerange(JOB_FD + 1, 4096)"),
    "no_new_privileges": Layer(
        "python_server.py",
        "fences.drop_capabilities()\n    fences.prctl(fences.PR_SET_NO_NEW_PRIVS, 1)",
        "fences.drop_capabilities()",
    ),
    "watch": Layer("watching.py", "if left <= 0:", "if False:"),
    "strays": Layer("python_server.py", "kill_strays(child.pid)", "pass"),
    "command_landlock": Layer("command_server.py", "landlock.enter(ruleset)"),
    "command_seccomp": Layer("command_server.py", "seccomp.install(calls)"),
    "command_memory": Layer("command_server.py", "fences.limit(resource.RLIMIT_DATA, memory)"),
    "authorizer": Layer("sql_server.py", "connection.authorizer = self._authorize"),
    "read_only": Layer(
        "sql_server.py", "apsw.SQLITE_OPEN_READONLY |", "apsw.SQLITE_OPEN_READWRITE |"
    ),
    "sql_limits": Layer("sql_server.py", "connection.limit(name, value)"),
    "clock": Layer("sql_server.py", "if self.clock.was_read:", "if False:"),
    "single_statement": Layer("sql_server.py", "if problem := unfit(sql):", 'if problem := "":'),
    "progress": Layer("sql_server.py", "time.process_time() > self.deadline", "False"),
    "rows": Layer("sql_server.py", "if len(rows) > max_rows:", "if False:"),
    "sql_seccomp": Layer(
        "sql_server.py", "seccomp.install(seccomp.build_filter(may_open=True, may_talk=True))"
    ),
}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Takes layers away from every server started from here on."""

    def remove(*names: str) -> None:
        folder = tmp_path / "child"
        shutil.copytree(CHILD_FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name in names:
            layer, path = LAYERS[name], folder / LAYERS[name].file
            text = path.read_text()
            assert text.count(layer.line) == 1, layer
            path.write_text(text.replace(layer.line, layer.instead))
        monkeypatch.setattr("codelutra.sandbox.process.CHILD_FOLDER", folder)

    return remove


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Range]:
    folder = tmp_path / "range"
    folder.mkdir()
    opened = Range(folder)
    yield opened
    opened.close()


def attack(
    place: Range, source: str, kind: str = "python", config: SandboxConfig = CONFIG
) -> ExecutionResult:
    """By a sandbox of its own; a program, not a query, that comes to its end is a breach."""
    return attacks(place, [source], kind, config)[source]


def attacks(
    place: Range, sources: list[str], kind: str, config: SandboxConfig = CONFIG
) -> dict[str, ExecutionResult]:
    """One after the other, by one sandbox."""
    ends = {"python": "\nresult = 'reached'", "javascript": "\nconsole.log('reached')", "sql": ""}
    database = str(place.database) if kind == "sql" else ""
    command = JAVASCRIPT.command if kind == "javascript" else None
    texts = [source.replace("CANARY", str(place.canary)) + ends[kind] for source in sources]
    with Sandbox(config) as sandbox:
        results = sandbox.execute([Program(kind, t, database, command=command) for t in texts])
    return dict(zip(sources, results, strict=True))


def may_raise_limits() -> bool:
    status = Path("/proc/self/status").read_text()
    held = next(line for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(held.split()[1], 16) >> 24 & 1)


BREACHES = {
    "landlock": [
        "open('CANARY').read()",
        "import os\nos.listdir('/')",
        "import numpy as np\nnp.fromfile('CANARY')",
    ],
    "seccomp": [
        "import os\nos.chmod('CANARY', 0o600)",
        "import os\nos.memfd_create('x')",
        "import fcntl, os\nfcntl.fcntl(3, 8, os.getppid())",
        "import os\nif os.fork() == 0: os._exit(0)",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    ],
    "memory": ["import mmap\nmmap.mmap(-1, 600 << 20)"],
    "file_count": ["x = [open('/dev/null') for _ in range(100)]"],
    "capabilities": ["import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (999, 999))"],
}


@pytest.mark.parametrize("name", BREACHES)
def test_with_the_layer_the_attack_fails_and_without_it_succeeds(
    name: str, without: Callable[..., None], place: Range
) -> None:
    if os.getuid() != 0 and name in ("capabilities", "seccomp"):
        pytest.skip("root has privileges to lose, and processes without number")
    if name == "capabilities" and not may_raise_limits():
        pytest.skip("root here has no CAP_SYS_RESOURCE to lose")
    for source, result in attacks(place, BREACHES[name], "python").items():
        assert result.outcome == "runtime_error", source
    without(name)
    for source, result in attacks(place, BREACHES[name], "python").items():
        assert result.value == "reached", source


def test_without_seccomp_a_socket_with_a_path_is_reached(
    without: Callable[..., None], place: Range
) -> None:
    """Landlock knows TCP and abstract sockets only: this one could be a database's, or Docker's."""
    path = str(place.folder / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        source = f"import socket\nsocket.socket(socket.AF_UNIX).connect({path!r})"
        assert "PermissionError" in attack(place, source).detail
        without("seccomp")
        assert attack(place, source).value == "reached"


def test_without_a_clean_environment_a_token_is_read(
    monkeypatch: pytest.MonkeyPatch, place: Range
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    source = f"import os\nassert os.environ['HF_TOKEN'] == {SECRET!r}"
    assert "KeyError" in attack(place, source).detail
    monkeypatch.setattr("codelutra.sandbox.process.INHERITED", tuple(os.environ))
    assert attack(place, source).value == "reached"


def test_without_closed_descriptors_a_program_makes_the_servers_report(
    without: Callable[..., None],
) -> None:
    forged = struct.pack("=id?", -9, 0.0, False) + b"forged"
    source = (
        f"import os\nfor fd in range(4, 99):\n try: os.write(fd, {forged!r})\n except OSError: 0"
    )
    program = Program("python", source)
    with Sandbox(CONFIG) as sandbox:
        assert sandbox.execute([program])[0].output == ""
    without("descriptors")
    with Sandbox(CONFIG) as sandbox:
        assert sandbox.execute([program])[0].output == "forged"


def test_without_no_new_privileges_nothing_runs(without: Callable[..., None], place: Range) -> None:
    without("no_new_privileges")
    assert attack(place, "x = 1").outcome == "harness_error"


def test_without_the_servers_watch_the_cpu_limit_ends_a_loop(
    without: Callable[..., None], place: Range
) -> None:
    without("watch")
    result = attack(place, "while True: pass", config=HASTY)
    assert (result.outcome, result.detail[:17]) == ("runtime_error", "killed by SIGKILL")


def test_a_daemon_needs_both_seccomp_and_the_hunt_for_strays_gone(
    without: Callable[..., None], place: Range, tmp_path: Path
) -> None:
    if os.getuid() != 0:
        pytest.skip("RLIMIT_NPROC stops it for everybody but root")
    daemon = "import os, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(99)"
    without("seccomp")
    assert survivors_of(daemon) == 0
    shutil.rmtree(tmp_path / "child")
    without("strays")
    assert survivors_of(daemon) == 0
    shutil.rmtree(tmp_path / "child")
    without("seccomp", "strays")
    assert survivors_of(daemon) == 2  # the daemon and the child that waits


def survivors_of(source: str) -> int:
    from tests.sandbox.hostile import survivors

    with Sandbox(CONFIG) as sandbox:
        sandbox.execute([Program("python", source)])
        return len(survivors(sandbox))


SQL_BREACHES = {
    "authorizer": ["SELECT random()", "SELECT * FROM pragma_database_list"],
    "sql_limits": ["SELECT length(printf('%.*c', 9000000, 'x'))"],
    "clock": ["SELECT datetime('now')"],
    "single_statement": ["SELECT 1; SELECT 2"],
}
SQL_BACKED_UP = {  # another fence stops it: the outcome with the layer, and without
    ("authorizer", "DELETE FROM items"): ("forbidden", "forbidden"),  # it has no columns
    ("read_only", "DELETE FROM items"): ("forbidden", "forbidden"),  # the authorizer
    ("sql_seccomp", "VACUUM INTO '/tmp/x.db'"): ("forbidden", "forbidden"),  # the authorizer
    (  # the size limit
        "rows",
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT hex(zeroblob(999)) "
        "FROM r",
    ): ("runtime_error", "runtime_error"),
    (  # the kill from outside
        "progress",
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
    ): ("timeout", "timeout"),
}


@pytest.mark.parametrize("name", SQL_BREACHES)
def test_with_the_layer_the_query_fails_and_without_it_is_answered(
    name: str, without: Callable[..., None], place: Range
) -> None:
    for source, result in attacks(place, SQL_BREACHES[name], "sql").items():
        assert result.outcome in ("forbidden", "runtime_error"), source
    without(name)
    for source, result in attacks(place, SQL_BREACHES[name], "sql").items():
        assert result.outcome == "ok", source


@pytest.mark.parametrize(("name", "source"), SQL_BACKED_UP)
def test_where_one_layer_is_gone_another_stops_the_query(
    name: str, source: str, without: Callable[..., None], place: Range
) -> None:
    config = HASTY if "timeout" in SQL_BACKED_UP[name, source] else CONFIG
    before = attack(place, source, "sql", config).outcome
    without(name)
    after = attack(place, source, "sql", config).outcome
    assert (before, after) == SQL_BACKED_UP[name, source]
    assert place.state() == place.before


COMMAND_BREACHES = {
    "command_landlock": ["require('fs').readFileSync('CANARY')", "require('fs').readdirSync('/')"],
    "command_seccomp": [
        "process.kill(process.pid, 0)",
        "require('fs').chmodSync('CANARY', 0o600)",
        "process.chdir('/')",
    ],
    "command_memory": ["const a = Buffer.alloc(400 << 20, 1)"],
}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("name", COMMAND_BREACHES)
def test_with_the_layer_javascript_fails_and_without_it_succeeds(
    name: str, without: Callable[..., None], place: Range
) -> None:
    for source, result in attacks(place, COMMAND_BREACHES[name], "javascript").items():
        assert result.outcome == "runtime_error", source
    without(name)
    for source, result in attacks(place, COMMAND_BREACHES[name], "javascript").items():
        assert result.value == ["list", ["reached\n"]], source
