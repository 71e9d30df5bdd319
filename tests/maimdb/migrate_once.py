"""Migrates a database in a process of its own, and kills itself at a statement if it is told to.

Arguments: the URL, the folder of versions, the version to reach, the number of the statement, and whether to
die before it, after it, or while it runs. A number before them all: in as many processes at once.
"""

import os
import random
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

from maimdb.core.database import open_database
from maimdb.core.errors import MaimdbError
from maimdb.core.migrations import migrate
from maimdb.core.settings import config_from_url


def race(processes: str, *arguments: str) -> None:
    """Do it in many processes that begin together."""
    ready, go = os.pipe()
    children = []
    for _ in range(int(processes)):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(ready, 1)  # ends when the parent closes its end
            main(*arguments)
            return
        children.append(child)
    os.close(go)
    sys.exit(max(os.waitpid(child, 0)[1] for child in children))


def main(url: str, folder: str, to: str, fatal: str = "0", when: str = "") -> None:
    """Print what was done, one change a line."""
    database = open_database(config_from_url(url))
    execute, commit = database._execute_cursor, database.commit
    count = 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(statement, *arguments, **options):
        nonlocal count
        count += 1
        if count == int(fatal):
            if when == "before":
                die()
            if when == "during":
                threading.Thread(target=lambda: (time.sleep(random.random() * 0.005), die())).start()
        result = statement(*arguments, **options)
        if count == int(fatal) and when == "after":
            die()
        return result

    database._execute_cursor = partial(counted, execute)
    database.commit = partial(counted, commit)
    try:
        done = migrate(database, to=int(to), folder=Path(folder))
    except MaimdbError as exc:
        sys.exit(f"error: {exc}")
    finally:
        database.close_all()
    sys.stdout.write("".join(f"{line}\n" for line in [*done, f"statements {count}"]))
    sys.stdout.flush()


if __name__ == "__main__":
    (race if sys.argv[1].isdigit() else main)(*sys.argv[1:])
