"""The guard of one server: it owns the server's directory, and neither outlives whoever started the guard.

    python guard.py FOLDER SIGNAL [USER]

SIGNAL asks the server to end; USER runs it. The guard prints the directory that it made in FOLDER, and then
answers each line of standard input, a JSON list, with a line of JSON:

    ["run", *command]      exit code of the command, once it has ended
    ["start", *command]    process id of the server
    ["poll"]               exit code of the server, null while it runs
    ["stop"], ["kill"]     exit code of the server, once all its processes are gone

When standard input closes, the server is stopped and the directory removed.
"""

import json
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

GRACE = 30
"""Seconds that a server has to end by itself."""


class Guard:
    """One directory, and at most one server that runs in it."""

    def __init__(self, directory: Path, stop_signal: signal.Signals, user: str | None) -> None:
        self.stop_signal = stop_signal
        self.server: subprocess.Popen[bytes] | None = None
        self.lifeline = -1
        # A MariaDB that starts deletes what looks left over in its temporary folder, another server's too.
        environment = os.environ | {"TMPDIR": str(directory)}
        self.options: dict[str, Any] = {
            "cwd": directory,
            "stdin": subprocess.DEVNULL,
            "env": environment,
        }
        if user:
            group = pwd.getpwnam(user).pw_gid
            shutil.chown(directory, user, group)
            self.options |= {"user": user, "group": group, "extra_groups": []}
        self.options["stdout"] = self.options["stderr"] = (directory / "log").open("ab")

    def run(self, *command: str) -> int:
        return subprocess.run(command, check=False, **self.options).returncode

    def start(self, *command: str) -> int:
        self.kill()  # one that crashed is still to be buried
        # All processes of the server inherit the pipe's other end: it reads as closed once they are gone.
        self.lifeline, end = os.pipe()
        try:
            self.server = subprocess.Popen(command, pass_fds=[end], **self.options)
        finally:
            os.close(end)
        return self.server.pid

    def poll(self) -> int | None:
        return self.server.poll() if self.server else None

    def stop(self) -> int | None:
        return self.end(self.stop_signal)

    def kill(self) -> int | None:
        return self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int | None:
        if self.server is None:
            return None
        self.server.send_signal(number)
        if not select.select([self.lifeline], [], [], GRACE)[0]:
            self.server.kill()
            select.select([self.lifeline], [], [], GRACE)
        os.close(self.lifeline)
        code, self.server = self.server.wait(), None
        return code


def answer(value: object) -> None:
    """Write one line to whoever started the guard."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main(folder: str, stop_signal: str, user: str | None = None) -> None:
    """Serve standard input until it closes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    directory = Path(tempfile.mkdtemp(prefix="server-", dir=folder))
    guard = None
    try:
        guard = Guard(directory, signal.Signals[stop_signal], user)
        answer(str(directory))
        for line in sys.stdin:
            request, *arguments = json.loads(line)
            answer(getattr(guard, request)(*arguments))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if guard:
            guard.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main(*sys.argv[1:])
