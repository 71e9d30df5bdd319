"""The database that the process uses: opened on first use from the settings, or by `init_database`.

    database = get_database()
    database.run_unit(lambda: ...)     # a transaction, done again as a whole if the connection is lost

Models bind to `database_proxy`, which opens the configured database when it is first used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import peewee

from maimdb.core import fallback
from maimdb.core.engines import (
    DatabaseStatus,
    Engine,
    MysqlEngine,
    PostgresqlEngine,
    SqliteEngine,
    make_engine,
)
from maimdb.core.errors import DatabaseUnavailableError
from maimdb.core.migrations import require_known_schema
from maimdb.core.settings import config_from_url, load_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from maimdb.core.config import DatabaseConfig

__all__ = [
    "DatabaseProxy",
    "DatabaseStatus",
    "Engine",
    "MysqlEngine",
    "PostgresqlEngine",
    "SqliteEngine",
    "close_database",
    "database_proxy",
    "db_manager",
    "get_database",
    "init_database",
    "on_fallback",
    "open_database",
]

logger = logging.getLogger("maimdb")

_lock = threading.RLock()

on_fallback: list[Callable[[Engine], Any]] = []
"""Called with the database when SQLite takes over, to create the tables that the application needs."""

on_close: list[Callable[[], Any]] = []
"""Called before the database is closed, to write what waits to be written."""


class DatabaseProxy(peewee.DatabaseProxy):
    """The database that models bind to; opens the configured one when it is first used, not when imported."""

    def __getattr__(self, name: str) -> Any:
        # Tools that only look at an object (pytest's collector, a shell) ask for such names.
        if self.obj is None and name.startswith("_"):
            raise AttributeError(name)
        return getattr(get_database(), name)

    def __enter__(self) -> Any:
        return get_database().__enter__()

    def __exit__(self, *exc_info: object) -> None:
        get_database().__exit__(*exc_info)  # type: ignore[arg-type]


database_proxy = DatabaseProxy()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class FallbackEngine(SqliteEngine):
    """SQLite in a server's stead: keeps a journal of what is written, to be replayed to the server."""

    def __init__(self, server: DatabaseConfig, reason: str) -> None:
        own = replace(
            server,
            engine="sqlite",
            database=server.fallback_path,
            host="",
            port=None,
            user=None,
            password=None,
            options={},
            source="DB_FALLBACK",
        )
        super().__init__(own, synchronous="FULL")  # the only copy of what it is given
        self._server_url = server.url
        self.fallback_since = datetime.now(UTC)
        self.fallback_reason = reason
        self.last_error = reason

    def _prepare(self, deadline: float) -> Any:
        prepared = super()._prepare(deadline)
        with contextlib.closing(self._connect()) as connection:  # type: ignore[attr-defined]
            fallback.start(connection, self._server_url)
        return prepared

    def _execute_cursor(self, sql: str, params: Any, **options: Any) -> Any:
        cursor = super()._execute_cursor(sql, params, **options)
        if sql.lstrip()[:6].upper() in {"CREATE", "ALTER "}:
            fallback.keep_journal(self.connection())
        return cursor


def open_database(config: DatabaseConfig) -> Engine:
    """Return a database, connected once so that what is wrong shows now.

    Raises:
        ConfigurationError, AuthenticationError, UnknownDatabaseError: always.
        DatabaseUnavailableError: the server does not answer.
    """
    return _opened(make_engine(config))


def _opened(engine: Engine) -> Engine:
    try:
        engine.connect()
        engine.close()
    except BaseException:
        engine.close_all()
        raise
    return engine


def _open_or_fall_back(config: DatabaseConfig) -> Engine:
    try:
        database = open_database(config)
    except DatabaseUnavailableError as exc:
        if config.engine == "sqlite" or config.fallback == "error":
            raise
        database = _opened(FallbackEngine(config, str(exc)))
        logger.warning(
            "%s. SQLite at %s takes over; what is written there waits for `maimdb fallback replay` "
            "(DB_FALLBACK=error refuses instead)",
            exc,
            config.fallback_path,
        )
    else:
        if config.engine != "sqlite" and (waiting := fallback.pending(config.fallback_path)):
            logger.warning(
                "%d changes written during a fallback wait in %s: run `maimdb fallback replay`",
                waiting,
                config.fallback_path,
            )
    return database


def get_database() -> Engine:
    """Return the process's database; the first call opens it from the settings."""
    database: Engine | None = database_proxy.obj
    if database is None:
        with _lock:
            database = database_proxy.obj
            if database is None:
                database = init_database()
    return database


def init_database(config: DatabaseConfig | str | None = None) -> Engine:
    """Open a database in place of the present one: of a configuration, a URL, or (None) of the settings.

    Raises:
        ConfigurationError, AuthenticationError, UnknownDatabaseError: always.
        DatabaseUnavailableError: the server does not answer and DB_FALLBACK is `error`.
        SchemaVersionError: the schema is newer than this code, or half migrated.
    """
    if config is None:
        config = load_config()
    elif isinstance(config, str):
        config = config_from_url(config)
    with _lock:
        close_database()
        database = _open_or_fall_back(config)
        _require_known_schema(database)
        database_proxy.initialize(database)
        if database.fallback_since is not None:
            _prepare_fallback(database)
        return database


def _require_known_schema(database: Engine) -> None:
    try:
        require_known_schema(database)
        database.close()
    except BaseException:
        database.close_all()
        raise


def _prepare_fallback(database: Engine) -> None:
    try:
        for prepare in on_fallback:
            prepare(database)
        database.close()
    except BaseException:
        close_database()
        raise


def close_database() -> None:
    """Close every connection; the next use opens the database anew from the settings."""
    with _lock:
        database: Engine | None = database_proxy.obj
        if database is not None:
            for write in on_close:
                write()
            database_proxy.initialize(None)
            database.close_all()


class _DbManager:
    """What older callers import as `db_manager`."""

    def create_tables(self, models: Iterable[type[peewee.Model]]) -> None:
        """Create the tables of models that do not exist yet."""
        get_database().create_tables(models)


db_manager = _DbManager()
