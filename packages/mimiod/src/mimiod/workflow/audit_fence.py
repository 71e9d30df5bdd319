"""What Python itself reports of generated code while it runs, and what of that is stopped.

A fence, no barrier: code that breaks the interpreter gets around it. It holds on every system, and says
which file, address or call it was; what it lets through, the kernel judges where it can.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mimiod.workflow.inspection import refused_in

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSED: Final = (
    "code.", "cpython.run_", "ctypes.", "ftplib.", "gc.", "http.", "imaplib.", "mmap.", "nntplib.",
    "os.chflags", "os.chmod", "os.chown", "os.exec", "os.fork", "os.kill", "os.link", "os.lockf", "os.mkdir",
    "os.posix_spawn", "os.remove", "os.removexattr", "os.rename", "os.rmdir", "os.setxattr",
    "os.spawn", "os.startfile", "os.symlink", "os.system", "os.truncate", "os.utime",
    "pickle.", "poplib.", "pty.", "resource.", "shutil.", "signal.", "smtplib.", "socket.bind",
    "socket.sendto",
    "sqlite3.", "subprocess.", "sys._current_frames", "sys.setprofile", "sys.settrace",
    "tempfile.", "urllib.", "webbrowser.", "winreg.",
)  # fmt: skip
"Beginnings of the names of events that a project's code has no business with."

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LISTS: Final = frozenset({"os.listdir", "os.scandir", "os.listxattr", "os.getxattr", "os.chdir"})
_LOOKS_UP: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})


def put_up(
    readable: Sequence[str], writable: Sequence[str], *, hosts: Sequence[str], ports: Sequence[int]
) -> None:
    """Stop, from now on, what leaves these folders and addresses."""
    fence = _Fence(
        roots=tuple(dict.fromkeys(os.path.realpath(root) for root in readable)),
        written=frozenset(os.path.realpath(file) for file in writable),
        hosts=frozenset(hosts),
        ports=frozenset(ports),
    )
    inside = threading.local()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if getattr(inside, "judging", False):
            return
        inside.judging = True
        try:
            fence.judge(event, arguments)
        finally:
            inside.judging = False

    sys.addaudithook(hook)


@dataclass(frozen=True)
class _Fence:
    """What may be reached."""

    roots: tuple[str, ...]
    written: frozenset[str]
    hosts: frozenset[str]
    ports: frozenset[int]

    def judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise PermissionError for what may not be done."""
        if event == "open":
            self._open(*arguments)
        elif event in _LISTS:
            if not isinstance(arguments[0], int):
                self._read(arguments[0] or ".")
        elif event == "socket.connect":
            self._connect(arguments[1])
        elif event in _LOOKS_UP:
            self._look_up(arguments[0])
        elif event == "compile":
            _evaluate(*arguments)
        elif event.startswith(REFUSED):
            _stop(event)

    def _open(self, path: Any, _: Any, flags: int) -> None:
        if isinstance(path, int) or path is None or os.path.realpath(os.fsdecode(path)) in self.written:
            return
        if flags & _WRITES:
            _stop(f"writing {path!r}")
        self._read(path)

    def _read(self, path: Any) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if not any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in self.roots):
            _stop(f"reading {path!r}")

    def _connect(self, address: Any) -> None:
        if not isinstance(address, tuple) or address[1] not in self.ports or address[0] not in self.hosts:
            _stop(f"connecting to {address!r}")

    def _look_up(self, host: Any) -> None:
        name = host.decode(errors="replace") if isinstance(host, bytes) else host
        if name not in self.hosts:
            _stop(f"looking up {host!r}")


def _evaluate(source: Any, name: Any) -> None:
    """Judge a text that is compiled: typing and pydantic read annotations in texts that way."""
    if name == "<string>" and isinstance(source, str | bytes):
        text = source.decode(errors="replace") if isinstance(source, bytes) else source
        if refused := refused_in(text):
            _stop(f"evaluating {refused[0]}")


def _stop(what: str) -> None:
    raise PermissionError(f"generated code is not allowed {what}")
