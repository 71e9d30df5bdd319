"""The program that is the embedded server's process: `embedded_runner.py FOLDER PORT CACHE`.

Runs by its path, apart from Mimiod: SecantusDB is GPL-2.0 and is imported here only. Prints one line,
the URI or `error: …`, and then belongs to nobody's terminal. Ends on SIGTERM, or when its folder goes.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from filelock import FileLock, Timeout
from secantus import SecantusDBServer

LOOK_AFTER_FOLDER = 2.0
"Seconds between looks at whether the folder is still there."


def main(folder: Path, port: int, cache: str) -> int:
    """Serve the store in `folder` until told to end."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    lock = FileLock(folder / "server.lock")
    try:
        lock.acquire(timeout=2)
    except Timeout:
        return say("error: another process serves this folder")
    state = folder / "server.json"
    server = SecantusDBServer(
        host="127.0.0.1",
        port=port,
        storage_path=str(folder / "store"),
        ttl_sweep_seconds=0,  # once a sweep deletes anything, large removals block every client
        enable_test_commands=False,
        cache_size=cache,
        oplog_max_entries=1000,
        sync_on_commit=False,
    )
    try:
        server.start()
    except Exception as exc:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        return say(f"error: {' '.join(str(exc).split()) or type(exc).__name__}")
    uri = str(server.uri).rstrip("/")
    state.write_text(json.dumps({"uri": uri, "pid": os.getpid()}), encoding="utf-8")
    say(uri)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    while not ended.wait(LOOK_AFTER_FOLDER) and state.exists():
        pass
    with contextlib.suppress(AttributeError, OSError):
        server._socket.shutdown(socket.SHUT_RDWR)  # noqa: SLF001 - or stop() waits two seconds for accept()
    server.stop()
    state.unlink(missing_ok=True)
    return 0


def say(line: str) -> int:
    """Print the line at once; returns 1, the exit code of a server that did not start."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
