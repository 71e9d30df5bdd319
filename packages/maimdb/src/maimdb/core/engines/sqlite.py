"""SQLite."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peewee

from maimdb.core import errors
from maimdb.core.engines.base import Engine, one_line, orig

if TYPE_CHECKING:
    from maimdb.core.config import DatabaseConfig


MAPPED = 2**28
"""Bytes of the file that are read by way of memory: faster for rows that lie far apart in a large file."""


class SqliteEngine(Engine, peewee.SqliteDatabase):
    """SQLite in WAL mode, one connection per thread at work.

    `synchronous=NORMAL`: a crash of the process loses nothing, a power cut may lose the last commits but
    never the file. `:memory:` is one database for all threads of the process, gone with `close_all()`.
    """

    _shareable = False

    def __init__(self, config: DatabaseConfig, *, synchronous: str = "NORMAL") -> None:
        self._in_memory = config.database == ":memory:"
        if self._in_memory:
            path = f"file:/maimdb-{uuid.uuid4().hex}?vfs=memdb"
        else:
            path = str(Path(config.database).absolute())
        pragmas = {
            "foreign_keys": 1,
            "synchronous": synchronous,
            "recursive_triggers": 1,
            "mmap_size": MAPPED,
        }
        super().__init__(
            path,
            pragmas=pragmas,
            lock_type="IMMEDIATE",
            timeout=config.options.get("timeout", config.connection_timeout),
            check_same_thread=False,
            uri=self._in_memory,
        )
        self._prepared = threading.Lock()
        self._anchor: Any = None
        self._start(config)

    def _connect_within(self, timeout: float) -> Any:
        if self._anchor is None:
            with self._prepared:
                if self._anchor is None:
                    self._anchor = self._prepare(time.monotonic() + timeout)
        return self._connect()  # type: ignore[attr-defined]

    def _prepare(self, deadline: float) -> Any:
        """Make the directory and the file; return what must stay open: a memory database's connection."""
        if not self._in_memory:
            Path(self.database).parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()  # type: ignore[attr-defined]
        if self._in_memory:
            return connection
        with contextlib.closing(connection):
            while True:
                try:
                    connection.execute("PRAGMA journal_mode=WAL")
                except sqlite3.OperationalError as exc:
                    # Two that open a new file at once: SQLite does not wait for this lock by itself.
                    if "locked" not in str(exc) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
                else:
                    return True

    def _explained(self, exc: Exception) -> Exception:
        if isinstance(exc, peewee.OperationalError) and "locked" in str(exc):
            return self._error(errors.DatabaseUnavailableError, "stays locked by another process", exc)
        if isinstance(orig(exc), sqlite3.DatabaseError) and not isinstance(
            orig(exc), sqlite3.OperationalError
        ):
            return errors.ConfigurationError(
                f"{self.config.source}: {self.config.database!r} is damaged or no SQLite file "
                f"({one_line(exc)}): name another, or see `maimdb restore`",
                variable=self.config.source,
            )
        return errors.ConfigurationError(
            f"{self.config.source}: the SQLite file {self.config.database!r} cannot be opened "
            f"({one_line(exc)}): name a file in a directory that can be written to",
            variable=self.config.source,
        )

    def _is_alive(self, connection: Any, idle: float) -> bool:  # noqa: ARG002 - the pool's signature
        try:
            return bool(connection.total_changes >= 0)
        except sqlite3.ProgrammingError:
            return False

    def _reset(self, connection: Any, dirty: bool) -> bool:  # noqa: FBT001 - the pool's signature
        if connection.in_transaction:
            connection.rollback()
        return not dirty  # a new connection costs less than finding out what was changed

    def _is_lost(self, exc: peewee.PeeweeException, connection: Any) -> bool:
        return isinstance(exc, peewee.ProgrammingError) and not self._is_alive(connection, 0)

    def _changes_session(self, sql: str) -> bool:  # noqa: ARG002 - the pool's signature
        return False

    def _duplicate(self, exc: peewee.IntegrityError) -> str | None:
        name = getattr(orig(exc), "sqlite_errorname", "")
        if name in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID"}:
            return str(orig(exc)).rpartition(": ")[2]
        return None

    def close_all(self) -> None:
        """Give this thread's connection back and close the pool for good."""
        super().close_all()
        if self._in_memory and self._anchor is not None:
            self._anchor.close()
