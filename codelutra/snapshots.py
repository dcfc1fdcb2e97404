"""Snapshots to anywhere that fsspec reaches, and from there back to an empty disk.

At the address lie `files/SHA256`, each file once, and `snapshots/TIME.json`, manifests as backups
have them. A manifest is written last: one that can be read is of a whole snapshot.
"""

import contextlib
import fcntl
import logging
import shutil
import threading
import time
from pathlib import Path

import fsspec

from codelutra import backup, snapshot_state
from codelutra.backup import Gathered, KeptFile, Manifest
from codelutra.errors import BackupError
from codelutra.snapshot_state import SnapshotState, without_secrets
from storage import portable

SCRATCH = ".snapshot"  # below the home, where there is room
KEPT = 5
INTERVAL_S = 60.0  # at most one in this time
LOOK_S = 300.0  # without a finished step: people may have reviewed pairs
RETRY_S, LONGEST_RETRY_S = 5.0, 600.0
LAST_S = 20.0  # for the last one, when the worker is told to end

log = logging.getLogger("codelutra.snapshots")


class Store:
    """The snapshots at one address. Raises whatever its file system does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._files, self._snapshots = f"{root.rstrip('/')}/files", f"{root.rstrip('/')}/snapshots"

    def push(self, found: Gathered) -> None:
        """Upload what is not there yet, then the manifest; drop all but the last five."""
        for folder in (self._files, self._snapshots):
            self._fs.makedirs(folder, exist_ok=True)
        there = self._sizes(self._files)
        for file in found.manifest.files:
            if there.get(file.sha256) != file.bytes:  # also one that was cut short
                self._fs.put_file(str(found.places[file.path]), f"{self._files}/{file.sha256}")
                there[file.sha256] = file.bytes
        name = f"{time.time_ns() // 1_000_000:016}.json"
        self._fs.pipe_file(f"{self._snapshots}/{name}", found.manifest.model_dump_json().encode())
        self._prune()

    def names(self) -> list[str]:
        """Newest first."""
        return sorted(self._sizes(self._snapshots), reverse=True)

    def manifest(self, name: str) -> Manifest:
        """Raises BackupError when it is damaged."""
        content = self._fs.cat_file(f"{self._snapshots}/{name}")
        return backup.parse(content, f"snapshot {name}")

    def restore(self, manifest: Manifest, home: Path, *, with_database: bool) -> None:
        def opened(file: KeptFile) -> fsspec.spec.AbstractBufferedFile:
            try:
                return self._fs.open(f"{self._files}/{file.sha256}", "rb")
            except FileNotFoundError as error:
                raise BackupError(f"{file.path} is not in the snapshot's store") from error

        backup.restore(manifest, opened, home, with_database=with_database)

    def _sizes(self, folder: str) -> dict[str, int]:
        self._fs.invalidate_cache()
        try:
            found = self._fs.ls(folder, detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rpartition("/")[2]: entry["size"] or 0 for entry in found}

    def _prune(self) -> None:
        names = self.names()
        for name in names[KEPT:]:
            self._fs.rm_file(f"{self._snapshots}/{name}")
        try:
            kept = [self.manifest(name) for name in names[:KEPT]]
        except BackupError:  # one is damaged: then nobody knows what it needs
            return
        needed = {file.sha256 for manifest in kept for file in manifest.files}
        for name in self._sizes(self._files).keys() - needed:
            self._fs.rm_file(f"{self._files}/{name}")


def restore_if_empty(home: Path) -> Manifest | None:
    """On an empty disk: the newest whole snapshot, before anything opens the database.

    Raises BackupError when there are snapshots and none can be restored: to begin without would
    in time push them out.
    """
    url = snapshot_state.address()
    if not url:
        return None
    home = home.expanduser().absolute()
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "restore.lock", "w") as lock:  # web and worker may start together
        fcntl.flock(lock, fcntl.LOCK_EX)
        with_database = portable.is_empty(home)
        if not with_database and not backup.is_unused(home):
            return None
        try:
            return _restore_newest(Store(url), home, with_database=with_database)
        except BackupError:
            raise
        except Exception as error:  # each file system has its own
            raise BackupError(
                f"cannot read the snapshots at {without_secrets(url)} ({_words(error)}): mend "
                "that, or unset CODELUTRA_SNAPSHOT to begin with an empty home"
            ) from error


def _restore_newest(store: Store, home: Path, *, with_database: bool) -> Manifest | None:
    names, reasons = store.names(), []
    for name in names:
        try:
            manifest = store.manifest(name)
            store.restore(manifest, home, with_database=with_database)
        except BackupError as error:
            log.error("snapshot %s cannot be restored: %s", name, error)
            reasons.append(str(error))
            continue
        log.warning("restored the snapshot of %s", manifest.created_at)
        return manifest
    if reasons:
        raise BackupError(
            f"none of {len(names)} snapshots at {without_secrets(store.url)} can be restored "
            f"({reasons[0]}): unset CODELUTRA_SNAPSHOT to begin with an empty home"
        )
    return None


class Snapshots:
    """The worker's: takes them in a thread of its own, so that a run never waits or fails."""

    def __init__(self, home: Path, url: str, interval_s: float = INTERVAL_S) -> None:
        self._home, self._url, self._interval_s = home, url, interval_s
        self._due, self._leaving = threading.Event(), threading.Event()
        self._pushed: list[KeptFile] = []
        self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)
        self._thread.start()

    def due(self) -> None:
        """Something is finished."""
        self._due.set()

    def finish(self) -> None:
        """One more, within LAST_S."""
        self._leaving.set()
        self._due.set()
        self._thread.join(LAST_S)
        if self._thread.is_alive():
            log.error("the last snapshot was not finished within %.0f s", LAST_S)

    def _work(self) -> None:
        wait_s = RETRY_S
        while not self._leaving.is_set():
            self._due.wait(LOOK_S)
            self._due.clear()
            if self._leaving.is_set():
                break
            if self._take():
                wait_s = RETRY_S
                self._leaving.wait(self._interval_s)
            else:
                self._due.set()
                self._leaving.wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_RETRY_S)
        self._take()

    def _take(self) -> bool:
        """False when it failed: the run goes on, and it is tried again."""
        state, now = snapshot_state.read_state(self._home), _now()
        scratch = self._home / SCRATCH
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            found = backup.gather(self._home, scratch)
            files = found.manifest.files
            if files != self._pushed:
                Store(self._url).push(found)
                self._pushed = files
            state = SnapshotState(now, len(files), found.manifest.num_bytes)
        except Exception as error:  # each file system has its own, and none may end a run
            state = state.failed(now, _words(error))
            log.error("snapshot failed, it is tried again: %s", state.error)
        with contextlib.suppress(OSError):  # a full disk; the next one says how it went
            shutil.rmtree(scratch)
            snapshot_state.write_state(self._home, state)
        return not state.error


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return without_secrets(f"{type(error).__name__}: {lines[0]}")


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
