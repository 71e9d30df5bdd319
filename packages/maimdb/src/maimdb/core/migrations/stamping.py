"""What a fresh database is told of its versions, and what an open one is asked of them."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import peewee

from maimdb.core.errors import ConnectionLostError, PoolTimeoutError, SchemaVersionError
from maimdb.core.migrations.engines import operations_for
from maimdb.core.migrations.history import TABLE, VERSIONS, History, load_versions
from maimdb.core.migrations.operations import reason_of
from maimdb.core.scope import internal_scope

if TYPE_CHECKING:
    from collections.abc import Collection

logger = logging.getLogger("maimdb")


class _Names:
    """Stands for the operations of a database: remembers which tables there would be."""

    def __init__(self) -> None:
        self.tables: set[str] = set()

    def create_table(self, name: str, *_: Any) -> None:
        self.tables.add(name)

    def drop_table(self, name: str) -> None:
        self.tables.discard(name)

    def rename_table(self, old: str, new: str) -> None:
        self.tables.discard(old)
        self.tables.add(new)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@cache
def own_tables() -> frozenset[str]:
    """Return the names of the tables of the latest version."""
    names = _Names()
    for version in load_versions(VERSIONS).values():
        version.change("up")(names)
    return frozenset(names.tables)


def is_blank(database: peewee.Database) -> bool:
    """Whether a database has none of the tables, and no history."""
    return own_tables().isdisjoint(there := database.get_tables()) and TABLE not in there


def stamp(database: peewee.Database) -> None:
    """Remember that every version is applied, as the tables were just made in their latest form."""
    operations = operations_for(database)
    history = History(operations)
    with internal_scope(), operations.exclusive(), operations.transaction():
        marks = history.read()
        for number, version in load_versions(VERSIONS).items():
            if number not in marks:
                history.write(version, None, 0)


def forget(database: peewee.Database, dropped: Collection[str]) -> None:
    """Drop the history together with the last of the tables."""
    if own_tables() <= set(dropped):
        operations = operations_for(database)
        with internal_scope():
            operations.emit(f"DROP TABLE IF EXISTS {operations.quote(TABLE)}")


def require_known_schema(database: peewee.Database) -> None:
    """Ask once which versions a database has; warn of one that is older than the code.

    Raises:
        SchemaVersionError: it has a version that this code does not know, or one that is half applied.
    """
    versions = load_versions(VERSIONS)
    latest = max(versions)
    marks = _marks(database)
    if marks is None:
        return
    newest = max(marks, default=0)
    if newest > latest:
        raise SchemaVersionError(
            f"the schema of {_place(database)} is at version {newest}, and this maimdb knows versions up to "
            f"{latest}: upgrade the package maimdb",
            version=newest,
            latest=latest,
        )
    if half := [number for number, direction in sorted(marks.items()) if direction]:
        raise SchemaVersionError(
            f"version {half[0]} of the schema of {_place(database)} is half done (a migration was stopped): "
            "run `maimdb migrate`, which goes on with it",
            version=half[0],
            latest=latest,
        )
    if missing := sorted(versions.keys() - marks.keys()):
        logger.warning(
            "the schema of %s lacks version %s: run `maimdb migrate`",
            _place(database),
            ", ".join(map(str, missing)),
        )


def _marks(database: Any) -> dict[int, str | None] | None:
    """Return the direction of each version's mark; None: the database has no history and needs none."""
    try:
        with internal_scope():
            rows = database.execute_sql(f"SELECT version, direction FROM {TABLE}").fetchall()  # noqa: S608
    except (ConnectionLostError, PoolTimeoutError):
        raise
    except (peewee.ProgrammingError, peewee.OperationalError) as exc:
        if not _is_missing(exc):
            logger.warning(
                "the history of the schema of %s cannot be read (%s): whether it fits this maimdb is unknown",
                _place(database),
                reason_of(exc),
            )
            return None
        return {} if _is_second(database) else None
    return {int(number): direction for number, direction in rows}


def _is_second(database: Any) -> bool:
    """Whether there are tenants of V2, whose history is missing."""
    return "tenants" in database.get_tables() and "tenant_name" in {
        column.name for column in database.get_columns("tenants")
    }


def _is_missing(exc: peewee.PeeweeException) -> bool:
    """Whether an error says that there is no such table, on any engine."""
    driver = getattr(exc, "orig", None)
    return (
        getattr(driver, "pgcode", None) == "42P01"
        or exc.args[0] == 1146  # noqa: PLR2004 - ER_NO_SUCH_TABLE
        or str(exc.args[0]).startswith("no such table")
    )


def _place(database: Any) -> str:
    return str(database.config.url)
