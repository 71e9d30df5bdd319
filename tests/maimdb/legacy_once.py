"""Imports a file in a process of its own, and kills itself at a statement if it is told to.

Arguments: the file, the database's URL, the agent's name, the number of the statement, and whether to die
before or after it.
"""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from maimdb.core.database import open_database
from maimdb.core.legacy import LegacyImport, Options, open_source
from maimdb.core.settings import config_from_url

BATCH = 10


def main(file: str, url: str, agent: str, fatal: str, when: str) -> None:
    """Print the number of statements, and whether the import balances."""
    database = open_database(config_from_url(url))
    count = 0

    def counted(statement, *arguments, **options):
        nonlocal count
        count += 1
        if (count, when) == (int(fatal), "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = statement(*arguments, **options)
        if (count, when) == (int(fatal), "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    database._execute_cursor = partial(counted, database._execute_cursor)
    database.commit = partial(counted, database.commit)
    with open_source(Path(file)) as source:
        options = Options("me", agent, frozenset({"10001"}), "Asia/Shanghai")
        imported = LegacyImport(source, database, options, ZoneInfo("Asia/Shanghai")).run(batch=BATCH)
    database.close_all()
    sys.stdout.write(f"{count} {imported.balanced}")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
