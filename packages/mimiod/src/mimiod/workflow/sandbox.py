"""Runs a command of Mimiod on generated code, in a process that can reach nothing but its database.

The process starts in an empty environment and home, and sees the project as a copy. On Linux the kernel
bars it, for good: from files other than that copy, Python and the system's libraries; from writing, but for
one file where that is given;
from connections other than to the database's port; from starting or touching other processes.
Everywhere there are limits on memory, time and output, and the fence of `audit_fence`.
"""

from __future__ import annotations

import json
import os
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

import mimiod
from mimiod.errors import ConfigurationError
from mimiod.workflow import confined_runner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RUNNER: Final = Path(__file__).with_name("confined_runner.py")
_PIECE: Final = 65_536


@dataclass(frozen=True)
class Limits:
    """What one command may use."""

    seconds: float = 300.0
    "Until its process is ended; it may compute for as long."
    memory: int = 4 << 30
    "Bytes of address space."
    output: int = 4_000_000
    "Bytes that it prints; beyond, its process is ended."


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str
    stopped: str = ""
    "Why it was ended from outside, empty where it was not."
    written: str = ""
    "What the file that it may write holds afterwards."


@dataclass(frozen=True)
class Sandbox:
    """A place to run generated code in, with one database."""

    uri: str
    limits: Limits = Limits()
    program: str = "mimiod"
    "The module that is run."

    def run(
        self, name: str, files: Mapping[str, str], arguments: Sequence[str], *, writable: str | None = None
    ) -> Ran:
        """Run the program on a copy of a project; `{project}` among the arguments stands for its folder.

        One of the files may be `writable`, up to a megabyte.

        Raises:
            ConfigurationError: the URI cannot be used.
        """
        with tempfile.TemporaryDirectory(prefix="mimiod-") as made:
            folder = Path(made).resolve()
            project = folder / "projects" / name
            project.mkdir(parents=True)
            for file, text in files.items():
                (project / file).write_text(text, encoding="utf-8")
            words = [str(project) if word == "{project}" else word for word in arguments]
            target = project / writable if writable is not None and writable in files else None
            ran = self._run(folder, words, target)
            return replace(
                ran,
                # Findings are the same wherever the copy lay.
                out=ran.out.replace(f"{project}{os.sep}", ""),
                err=ran.err.replace(f"{project}{os.sep}", ""),
                written=_own_text(target) if target is not None else "",
            )

    def _run(self, folder: Path, words: list[str], writable: Path | None) -> Ran:
        confinement = {
            "folder": str(folder),
            "writable": [] if writable is None else [str(writable)],
            "path": module_path(),
            "memory": self.limits.memory,
            "seconds": int(self.limits.seconds) + 1,
            "kernel": confined_runner.holds(),
            "program": self.program,
            **_network(self.uri),
        }
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-X", "utf8", str(_RUNNER), json.dumps(confinement), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        return _watched(process, self.limits)


def _own_text(file: Path) -> str:
    """Return what a file holds, unless it was put in the place of another."""
    if file.is_symlink() or not file.is_file() or file.stat().st_nlink > 1:
        return ""
    with file.open("rb") as opened:
        return opened.read(confined_runner.MOST_WRITTEN).decode("utf-8", "replace")


def barred() -> bool:
    """Return whether the kernel itself holds what runs in a sandbox on this machine."""
    return confined_runner.holds()


@cache
def module_path() -> list[str]:
    """Return the folders from which a sandbox imports modules: Python's, what is installed, Mimiod's."""
    known = {Path(folder) for folder in sysconfig.get_paths().values()}
    known |= {Path(mimiod.__file__).parents[1], Path(site.getusersitepackages())}
    known |= {Path(folder) / "lib-dynload" for folder in sysconfig.get_paths().values()}
    kinds = ("site-packages", "dist-packages")
    path = [Path(entry) for entry in sys.path if entry]
    return [str(entry) for entry in path if (entry in known or entry.name in kinds) and entry.exists()]


def _environment(folder: Path) -> dict[str, str]:
    """Return all that a sandbox sees of an environment."""
    given = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "COLUMNS": "200",
    }
    if os.name == "nt":
        given["SYSTEMROOT"] = os.environ.get("SYSTEMROOT", "")
    return given


def _network(uri: str) -> dict[str, Any]:
    """Return the hosts and ports of a database, and whether a host has to be looked up."""
    try:
        nodes = parse_uri(uri)["nodelist"]
    except (PyMongoError, ValueError) as exc:
        raise ConfigurationError(f"--uri cannot be used: {type(exc).__name__}") from None
    hosts = [host for host, _ in nodes]
    return {"hosts": hosts, "ports": [port for _, port in nodes], "names": not all(map(_is_address, hosts))}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _watched(process: subprocess.Popen[bytes], limits: Limits) -> Ran:
    """Return what a process printed; end it, and all that it started, once it goes beyond a limit."""
    assert process.stdout is not None
    assert process.stderr is not None
    stopped: list[str] = []
    room = [limits.output]

    def end(why: str) -> None:
        stopped.append(why)
        _end(process)

    def read(stream: IO[bytes], pieces: list[bytes]) -> None:
        while piece := os.read(stream.fileno(), _PIECE):
            room[0] -= len(piece)
            if room[0] < 0:
                end(f"it printed more than {limits.output:,} bytes")
                return
            pieces.append(piece)

    out: list[bytes] = []
    err: list[bytes] = []
    impatience = threading.Timer(limits.seconds, end, [f"it took longer than {limits.seconds:g} seconds"])
    readers = [
        threading.Thread(target=read, args=(process.stdout, out), daemon=True),
        threading.Thread(target=read, args=(process.stderr, err), daemon=True),
    ]
    try:
        for thread in (impatience, *readers):
            thread.start()
        code = process.wait()
        _end(process)  # whatever it left behind would hold the pipes open
        for thread in readers:
            thread.join()
    finally:
        impatience.cancel()
        _end(process)
        process.wait()
        process.stdout.close()
        process.stderr.close()
    said, complained = (b"".join(pieces).decode("utf-8", "replace") for pieces in (out, err))
    return Ran(code, said, complained, stopped[0] if stopped else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        return
