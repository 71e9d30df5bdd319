"""A tenant's rows as a stream, of one moment."""

# ruff: noqa: S608 - every name is quoted, every value a parameter

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, Self

from maimdb.core.errors import CrossTenantError, TransferError
from maimdb.core.migrations import migration_status
from maimdb.core.scope import current_tenant, internal_scope
from maimdb.core.transfer.columns import encode_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from maimdb.core.engines import Engine
    from maimdb.core.transfer.tables import Table

ROWS: Final = 1000
"""Rows to a batch."""
_SNAPSHOT: Final = {
    "sqlite": ("BEGIN",),
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    "mysql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}


def schema_version(database: Engine) -> int:
    """Return the schema's version.

    Raises:
        TransferError: it is not this code's.
    """
    with internal_scope():
        versions = migration_status(database)
    if any(each.state != "applied" for each in versions):
        raise TransferError(
            f"the schema of {database.config.url} is not this maimdb's: see `maimdb migrate status`"
        )
    return max(each.version for each in versions)


def require_scope(tenant: str) -> None:
    """Raise inside another tenant's scope."""
    own = current_tenant()
    if own not in {None, tenant}:
        raise CrossTenantError(
            f"tenant {tenant!r} cannot be reached inside the scope of tenant {own!r}",
            tenant=own,
            other=tenant,
        )


def find_tenant(database: Engine, text: str) -> tuple[str, str]:
    """Return the id and name of the tenant of an id or, failing that, a name.

    Raises:
        TransferError: there is none.
        CrossTenantError: it is not that of the scope.
    """
    row = None
    with internal_scope():
        for column in ("id", "tenant_name"):
            sql = f"SELECT id, tenant_name FROM tenants WHERE {column} = {database.param}"
            row = row or database.execute_sql(sql, (text,)).fetchone()
    if row:
        require_scope(row[0])
        return str(row[0]), str(row[1])
    raise TransferError(f"{database.config.url} has no tenant {text!r}: pass the id or the name of one")


class Snapshot:
    """A database as it is at one moment, whatever is written meanwhile; on a connection of its own."""

    def __init__(self, database: Engine, tenant: str) -> None:
        self.database = database
        self.tenant = tenant
        self._engine = database.config.engine
        self._mark = database.quote[0]
        self._connection: Any = None
        self._agents: list[str] = []

    def __enter__(self) -> Self:
        self.database.close()
        self._connection = self.database.connection()
        try:
            for statement in _SNAPSHOT[self._engine]:
                self._execute(statement)
            sql = f"SELECT id FROM agents WHERE tenant_id = {self.database.param}"
            self._agents = [row[0] for row in self._execute(sql, (self.tenant,)).fetchall()]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):  # a lost connection has no transaction any more
            self._execute("ROLLBACK")
        self.database.close()

    def batches(self, table: Table) -> Iterator[list[list[Any]]]:
        """Yield the tenant's rows of a table, encoded, some hundred at a time."""
        names = ", ".join(self._quoted(column.name) for column in table.columns)
        for rows in self.select(names, table):
            yield encode_rows(table.columns, rows)

    def select(
        self, what: str, table: Table, more: str = "", values: Sequence[Any] = ()
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield what is selected of the tenant's rows of a table, some hundred rows at a time.

        Args:
            what: SQL after SELECT.
            table: which.
            more: SQL after the condition that the rows are the tenant's.
            values: the parameters in that.
        """
        if table.owner == "agent_id" and not self._agents:
            return
        where, owners = owned(table, self.tenant, self._agents, self.database.param, self._mark)
        sql = f"SELECT {what} FROM {self._quoted(table.name)} WHERE {where} {more}"
        yield from self._stream(sql, [*owners, *values])

    def _stream(self, sql: str, values: Sequence[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        if self._engine == "postgresql":
            self._execute(f"DECLARE maimdb_rows NO SCROLL CURSOR FOR {sql}", values)
            cursor = self._connection.cursor()
            while cursor.execute(f"FETCH {ROWS} FROM maimdb_rows") or (rows := cursor.fetchall()):
                yield rows
            self._execute("CLOSE maimdb_rows")
            return
        with contextlib.closing(self._unbuffered()) as cursor:
            cursor.execute(sql, values)
            while rows := cursor.fetchmany(ROWS):
                yield rows

    def _unbuffered(self) -> Any:
        if self._engine != "mysql":
            return self._connection.cursor()
        from pymysql.cursors import SSCursor  # noqa: PLC0415 - a service on another engine may leave it out

        return self._connection.cursor(SSCursor)

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(sql, tuple(values)) if values else cursor.execute(sql)
        return cursor

    def _quoted(self, name: str) -> str:
        return quoted(name, self._mark)


def owned(table: Table, tenant: str, agents: list[str], param: str, mark: str) -> tuple[str, list[Any]]:
    """Return the condition that a row is the tenant's, and its parameters."""
    column = quoted(table.owner, mark)
    if table.owner != "agent_id":
        return f"{column} = {param}", [tenant]
    return f"{column} IN ({', '.join([param] * len(agents)) or 'NULL'})", list(agents)


def quoted(name: str, mark: str) -> str:
    """Return a name in the database's quotes."""
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"
