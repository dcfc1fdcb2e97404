"""A PostgreSQL server of our own, to be killed. Its programs must be installed."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
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
    """On loopback, with its data in a folder of its own; it never runs as root.

    `networks` are further addresses of this machine that it listens on, as `10.0.0.1/30`: whoever
    is in one of these networks is trusted.
    """

    def __init__(self, networks: Sequence[str] = ()) -> None:
        found = programs()
        assert found, f"no initdb on the PATH or below {INSTALLED}"
        self._programs, self._data = found, Path(tempfile.mkdtemp(prefix="postgres-"))
        with socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._as: list[str] = []
        if os.getuid() == 0:
            shutil.chown(self._data, "postgres")
            self._as = ["runuser", "-u", "postgres", "--"]
        self._run("initdb", "-U", "codelutra", "-A", "trust", "--no-sync")
        self._addresses = ",".join(["127.0.0.1", *(each.split("/")[0] for each in networks)])
        with open(self._data / "pg_hba.conf", "a") as trusted:
            trusted.writelines(f"host all all {each} trust\n" for each in networks)

    def start(self) -> None:
        """Also right after a kill: the old processes may take a moment to be gone."""
        options = f"-p {self.port} -k {self._data} -c listen_addresses={self._addresses}"
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._run("pg_ctl", "-w", "-l", str(self._data / "log"), "-o", options, "start")
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    @property
    def pid(self) -> int:
        """Of its first process: when that is killed, those that serve somebody end with it."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(self._data, ignore_errors=True)

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
def private_postgres(networks: Sequence[str] = ()) -> Iterator[PrivatePostgres]:
    server = PrivatePostgres(networks)
    try:
        server.start()
        yield server
    finally:
        server.stop()
