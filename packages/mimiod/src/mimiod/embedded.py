"""The embedded server: a stand-in for MongoDB in a process of its own, for a machine without one.

It listens on the loopback interface, keeps its store under the data folder between runs, and is
disposable: what is in it can be made again. Its format changes between versions, so the folder is
named after the version.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mimiod.errors import EmbeddedServerError
from mimiod.settings import environment_without_secrets

START_WITHIN = 60.0
STOP_WITHIN = 60.0
_FOLDERS = "mongodb-secantusdb-*"

WAYS_TO_A_SERVER = (
    "pip install 'mimiod[embedded]' (CPython 3.11 to 3.13), or run MongoDB "
    "(docker run -d -p 27017:27017 mongo:8), or set MONGODB_URI (Atlas has a free tier)"
)


@dataclass(frozen=True)
class EmbeddedServer:
    """An embedded server that runs."""

    uri: str
    pid: int
    folder: Path


def start(data_dir: Path, *, port: int = 0, cache: str = "512M") -> EmbeddedServer:
    """Return the server of the data folder, started if it does not run yet.

    `port` 0 takes any free one. Two processes that start at once get the same server.
    """
    folder = _folder(data_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "start.lock", timeout=START_WITHIN):
            return _running(folder) or _started(folder, port, cache)
    except OSError as exc:
        raise EmbeddedServerError(
            f"the embedded server cannot write to {folder}: {exc.strerror or exc}; "
            "make it writable, or set MIMIOD_DATA_DIR to another folder"
        ) from exc


def status(data_dir: Path) -> EmbeddedServer | None:
    """Return the server that runs on the data folder, None if none does."""
    return _running(_folder(data_dir))


def stop(data_dir: Path) -> EmbeddedServer | None:
    """Stop the server of the data folder; returns what ran."""
    running = status(data_dir)
    if running is not None:
        _stop(running)
    return running


def wipe(data_dir: Path) -> list[Path]:
    """Stop the server and delete its stores, those of other versions too; returns the folders."""
    folders = sorted(data_dir.glob(_FOLDERS))
    for folder in folders:
        running = _running(folder)
        if running is not None:
            _stop(running)
        try:
            shutil.rmtree(folder)
        except OSError as exc:
            raise EmbeddedServerError(f"{folder} cannot be deleted: {exc.strerror}") from exc
    return folders


def _folder(data_dir: Path) -> Path:
    try:
        version = importlib.metadata.version("secantusdb")
    except importlib.metadata.PackageNotFoundError:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise EmbeddedServerError(
            f"the embedded server is not installed for this Python {python}: {WAYS_TO_A_SERVER}"
        ) from None
    return data_dir / _FOLDERS.replace("*", version)


def _started(folder: Path, port: int, cache: str) -> EmbeddedServer:
    runner = Path(__file__).with_name("embedded_runner.py")
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", str(runner), str(folder), str(port), cache],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=environment_without_secrets(),
            start_new_session=True,
        )
    line = _first_line(process)
    if line.startswith("mongodb://"):
        process.returncode = 0  # it outlives this process on purpose: no warning about that
        return EmbeddedServer(line, process.pid, folder)
    process.kill()
    process.wait()
    reason = line.removeprefix("error: ") or f"see {folder / 'server.log'}"
    if port and "in use" in reason.lower():
        reason = f"port {port} is taken; give another with --port, or none for any that is free"
    raise EmbeddedServerError(f"the embedded server did not start: {reason}")


def _running(folder: Path) -> EmbeddedServer | None:
    if not folder.is_dir():
        return None
    lock = FileLock(folder / "server.lock")
    try:
        with lock.acquire(blocking=False):
            return None  # its process holds this lock for as long as it lives
    except Timeout:
        pass
    except OSError:
        return None
    try:
        state = json.loads((folder / "server.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return EmbeddedServer(state["uri"], state["pid"], folder)


def _stop(running: EmbeddedServer) -> None:
    os.kill(running.pid, signal.SIGTERM)
    lock = FileLock(running.folder / "server.lock")
    try:
        with lock.acquire(timeout=STOP_WITHIN):
            return
    except Timeout:
        raise EmbeddedServerError(
            f"the embedded server (process {running.pid}) does not end; end it with: kill -9 {running.pid}"
        ) from None


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """Return what the process says first; nothing if it ends or is silent for too long."""
    assert process.stdout is not None
    impatience = threading.Timer(START_WITHIN, process.kill)
    impatience.start()
    try:
        with process.stdout as said:
            return said.readline().decode(errors="replace").strip()
    finally:
        impatience.cancel()
