"""A PostgreSQL server of our own, to be killed: its programs must be installed, nothing runs yet."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

INSTALLED = "/usr/lib/postgresql"
START_S = 60.0


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, or None where there is no PostgreSQL."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path(INSTALLED).glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


class PrivatePostgres:
    """On loopback, with its data in `folder`; it never runs as root."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        assert found, f"no initdb on the PATH or below {INSTALLED}"
        self._programs, self._data = found, folder / "postgres"
        self._data.mkdir()
        with socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._as: list[str] = []
        if os.getuid() == 0:
            shutil.chown(self._data, "postgres")
            for above in self._data.parents:  # it must be able to reach its data
                with contextlib.suppress(PermissionError):
                    above.chmod(above.stat().st_mode | 0o111)
            self._as = ["runuser", "-u", "postgres", "--"]
        self._run("initdb", "-U", "codelutra", "-A", "trust", "--no-sync")

    def start(self) -> None:
        """Also right after a kill: the old processes may take a moment to be gone."""
        options = f"-p {self.port} -k {self._data} -c listen_addresses=127.0.0.1"
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._run("pg_ctl", "-w", "-l", str(self._data / "log"), "-o", options, "start")
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def kill(self) -> None:
        """`kill -9` to the server; those of its processes that serve somebody end with it."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 9)

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-m", "immediate", "stop")

    def new_database(self) -> str:
        """The URL of an empty one."""
        server = make_url(f"postgresql+psycopg://codelutra@127.0.0.1:{self.port}/postgres")
        name = f"kills_{uuid4().hex[:8]}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return server.set(drivername="postgresql", database=name).render_as_string()

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._programs / program), "-D", str(self._data), *arguments]
        nothing = subprocess.DEVNULL  # the server keeps what it inherits
        subprocess.run(command, check=True, stdin=nothing, stdout=nothing, stderr=nothing)


@contextmanager
def private_postgres(folder: Path) -> Iterator[PrivatePostgres]:
    server = PrivatePostgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


