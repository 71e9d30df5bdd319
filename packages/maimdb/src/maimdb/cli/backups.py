"""`maimdb backup` and `maimdb restore`: copies of a SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maimdb.core import backup as copies
from maimdb.core.errors import BackupError
from maimdb.core.settings import load_config


def backup(file: Annotated[Path, typer.Argument(help="The copy to make.")]) -> None:
    """Copy the configured SQLite database, which may be in use, to a file, and check the copy.

    Example: maimdb backup copies/monday.db
    """
    source = _sqlite_file()
    copies.back_up(source, file)
    typer.echo(f"copied {source} to {file}")


def restore(file: Annotated[Path, typer.Argument(help="The copy to put back.")]) -> None:
    """Check a copy and put it in the place of the configured SQLite database, which is kept beside it.

    Example: maimdb restore copies/monday.db
    """
    target = _sqlite_file()
    aside = copies.restore(file, target)
    typer.echo(f"restored {target} from {file}")
    if aside is not None:
        typer.echo(f"what was there is now {aside}")


def _sqlite_file() -> Path:
    config = load_config()
    if config.engine != "sqlite" or config.database == ":memory:":
        raise BackupError(
            f"{config.source} names no SQLite file: use the server's own tools, such as pg_dump or mysqldump"
        )
    return Path(config.database)
