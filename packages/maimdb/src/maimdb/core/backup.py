"""Copies of a SQLite file: made while it is in use, checked, and put back.

A copy is written beside its place, checked and then renamed, so that what stands under its name is whole.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from maimdb.core.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What follows a database file's name in the names of the files that belong to it."""


def back_up(source: Path, target: Path) -> None:
    """Copy a database, which may be in use, to a file that does not exist yet.

    Raises:
        BackupError: the source is missing or damaged; the target exists or cannot be written.
    """
    if target.exists():
        raise BackupError(f"{target} exists: name another file, or remove it first", path=target)
    with _written(target) as partial, _opened(source) as database:
        _copy(database, source, partial)


def back_up_beside(source: Path) -> Path | None:
    """Copy a database to a file beside it, named by the moment; None: it holds no tables yet."""
    with _opened(source) as database:
        if not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            return None
    target = _beside(source, "backup")
    back_up(source, target)
    return target


def restore(source: Path, target: Path) -> Path | None:
    """Put a checked copy in a database's place; return where the database that was there is now.

    Raises:
        BackupError: the copy is missing or damaged; a program uses the database.
    """
    with _written(target) as partial:
        with _opened(source) as copy:
            _copy(copy, source, partial)
        aside = None
        if target.exists():
            _refuse_used(target)
            aside = _beside(target, "replaced")
            for companion in reversed(_COMPANIONS):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{target}{companion}").rename(f"{aside}{companion}")
    return aside


def check(path: Path) -> None:
    """Look at every page of a database.

    Raises:
        BackupError: it is missing, no SQLite database, or damaged; the message says which.
    """
    with _opened(path) as database:
        _check(database, path)


def _check(database: sqlite3.Connection, path: Path) -> None:
    found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupError(f"{path} is damaged: {' '.join(found.split())}", path=path)


def _copy(database: sqlite3.Connection, source: Path, partial: Path) -> None:
    with contextlib.closing(sqlite3.connect(partial)) as copy:
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file holds it all
        _check(copy, source)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise BackupError(f"there is no file {path}", path=path)
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            yield database
    except sqlite3.DatabaseError as exc:
        what = "is no SQLite database" if "not a database" in str(exc) else "is damaged or cannot be read"
        raise BackupError(f"{path} {what} ({exc})", path=path) from exc


@contextlib.contextmanager
def _written(target: Path) -> Iterator[Path]:
    """Yield a name beside the target, and give the file the target's name in the end."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as exc:
        raise BackupError(f"{target} cannot be written ({exc})", path=target) from exc
    finally:
        for companion in _COMPANIONS:
            Path(f"{partial}{companion}").unlink(missing_ok=True)


def _refuse_used(path: Path) -> None:
    """Raise if another program has a database open; one that is damaged is nobody's."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=1)) as database:
            # SQLite leaves the write-ahead log only for a connection that is alone.
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc):
            raise BackupError(f"{path} is in use: stop the programs that use it first", path=path) from exc
    except sqlite3.DatabaseError:
        pass


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.{kind}")
