"""Which operations a database takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import peewee

from maimdb.core.migrations.mysql import MysqlOperations
from maimdb.core.migrations.postgresql import PostgresqlOperations
from maimdb.core.migrations.sqlite import SqliteOperations

if TYPE_CHECKING:
    from maimdb.core.migrations.operations import Operations


def operations_for(database: peewee.Database, *, dry_run: bool = False) -> Operations:
    """Return the operations of a database's engine."""
    if isinstance(database, peewee.SqliteDatabase):
        return SqliteOperations(database, dry_run=dry_run)
    kind = MysqlOperations if isinstance(database, peewee.MySQLDatabase) else PostgresqlOperations
    return kind(database, dry_run=dry_run)
