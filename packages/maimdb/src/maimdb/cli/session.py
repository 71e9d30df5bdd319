"""The database of a command: opened from the settings, closed when the command is done."""

from __future__ import annotations

import getpass
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maimdb.core import audit
from maimdb.core.database import close_database, init_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maimdb.core.database import Engine


@contextmanager
def opened() -> Iterator[Engine]:
    """Open the configured database; what is recorded in the audit log names the user of the machine."""
    database = init_database()
    try:
        with audit.acting_as(f"command line: {_user()}"):
            yield database
    finally:
        close_database()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
