"""PostgreSQL: sessions that are read-only, and all of one snapshot."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from mimiod.errors import AccessDeniedError, ServerUnavailableError, SourceError
from mimiod.relational import values
from mimiod.relational.checks import checked
from mimiod.relational.column_types import column_type
from mimiod.relational.dialect import ANSWER_WITHIN, Dialect, Place, as_it_is
from mimiod.relational.model import Column
from mimiod.relational.parsing import UnparsedError, conditions, table_created
from mimiod.relational.reflecting import keyed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL, Connection, Engine
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import FromClause, Select

    from mimiod.errors import MimiodError
    from mimiod.relational.model import Table

_SESSION = """
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601';
SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s';
SET synchronize_seqscans = off
"""
_TABLES = """
SELECT c.oid, c.relname, c.relkind, c.relispartition,
  has_table_privilege(c.oid, 'SELECT') AS readable, row_security_active(c.oid) AS hidden,
  (SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
   WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1) AS parent,
  c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid) AS inherited,
  EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') AS extension
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY c.relname COLLATE "C"
"""
_COLUMNS = """
SELECT a.attrelid, a.attname, a.attnotnull,
  CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
    ELSE format_type(a.atttypid, a.atttypmod) END AS declared,
  ARRAY(SELECT e.enumlabel::text FROM pg_enum e
    WHERE e.enumtypid IN (t.oid, t.typbasetype) ORDER BY e.enumsortorder) AS labels
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = ANY(:tables) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""
_CHECKS = """
SELECT conrelid, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'c' AND conrelid = ANY(:tables) ORDER BY conname
"""
_FIRST: ColumnElement[Any] = sa.literal_column("'0001-01-01'")
_AFTER: ColumnElement[Any] = sa.literal_column("'10000-01-01'")
_PASSED = {"v": "a view", "m": "a materialized view", "f": "a table of another server"}
_DENIED = re.compile(
    r"password authentication|no password supplied|pg_hba|permission denied|role .* not exist"
)
_UNKNOWN = re.compile(r"database .* does not exist")


class PostgreSQL(Dialect):
    """A PostgreSQL database, of which one schema is read.

    It needs `CONNECT` on the database, `USAGE` on the schema and `SELECT` on the tables. The schema is that
    of `?currentSchema=…`, or the first of the search path.
    """

    name = "postgresql"

    def __init__(self, url: URL) -> None:
        wanted = url.query.get("currentSchema")
        super().__init__(url.difference_update_query(["currentSchema"]))
        self.schema = wanted if isinstance(wanted, str) else None
        self._inherited: set[str] = set()
        self._holder: Connection | None = None
        self._snapshot: str | None = None

    def engine(self) -> Engine:
        """Return an engine whose sessions are read-only."""
        engine = sa.create_engine(
            self.url.set(drivername="postgresql+psycopg2"),
            connect_args={"connect_timeout": ANSWER_WITHIN},
            max_overflow=-1,
        )
        sa.event.listen(engine, "connect", _set_up)
        sa.event.listen(engine, "begin", self._begun)
        return engine

    def _begun(self, connection: Connection) -> None:
        if self._snapshot is not None:
            connection.exec_driver_sql("SET TRANSACTION SNAPSHOT %s", (self._snapshot,))

    def close(self) -> None:
        """Let go of the snapshot."""
        super().close()
        if self._holder is not None:
            with suppress(sa.exc.DBAPIError):  # the server may be gone
                self._holder.close()

    def reflected(self, connection: Connection) -> dict[str, Table]:
        """Return the tables of the schema; views, partitions and extensions are passed over."""
        self._hold(connection.engine)
        schema = self._schema(connection)
        oids, parents = self._listed(connection, schema)
        columns: dict[str, dict[str, Column]] = {name: {} for name in oids.values()}
        for each in connection.execute(sa.text(_COLUMNS), {"tables": list(oids)}):
            of = column_type(each.declared, self.name)
            if each.labels:
                of = of._replace(kind="string", values=tuple(each.labels))
            columns[oids[each.attrelid]][each.attname] = Column(
                each.attname, declared=each.declared, nullable=not each.attnotnull, **of._asdict()
            )
        checks = defaultdict(list)
        for oid, text in connection.execute(sa.text(_CHECKS), {"tables": list(oids)}):
            checks[oids[oid]].append(text)
        tables = keyed(connection, columns, schema, self.notes, parents)
        return {name: _checked(table, checks[name]) for name, table in tables.items()}

    def _listed(self, connection: Connection, schema: str) -> tuple[dict[int, str], dict[str, str]]:
        """Return the tables by their number, and their parents."""
        oids, parents = {}, {}
        for each in connection.execute(sa.text(_TABLES), {"schema": schema}):
            if each.relispartition:
                continue
            if each.relkind in _PASSED:
                self.notes.append(f"{each.relname!r} is {_PASSED[each.relkind]}, and is passed over")
            elif each.extension:
                self.notes.append(f"{each.relname!r} belongs to an extension, and is passed over")
            elif not each.readable:
                self.notes.append(
                    f"{each.relname!r} is passed over: it takes the privilege SELECT; {self._user!r} lacks it"
                )
            else:
                oids[each.oid] = each.relname
                if each.parent is not None:
                    parents[each.relname] = each.parent
                if each.inherited:
                    self._inherited.add(each.relname)
                if each.hidden:
                    self.notes.append(f"{each.relname}: row-level security may hide rows from {self._user!r}")
        return oids, parents

    @property
    def _user(self) -> str:
        return self.url.username or "this user"

    def _hold(self, engine: Engine) -> None:
        """Keep a snapshot that all streams read, if the server hands one out."""
        self._holder = engine.connect()
        try:
            self._snapshot = self._holder.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one()
        except sa.exc.DBAPIError:
            self._holder.close()
            self._holder = None

    def _schema(self, connection: Connection) -> str:
        held = connection.execute(
            sa.text(
                "SELECT nspname, has_schema_privilege(oid, 'USAGE') FROM pg_namespace "
                "WHERE nspname = coalesce(:schema, current_schema())"
            ),
            {"schema": self.schema},
        ).first()
        if held is None:
            told = f"no schema {self.schema!r}" if self.schema else "no schema of the search path"
            raise SourceError(f"{self.shown} has {told}: name one with ?currentSchema=NAME")
        if not held[1]:
            raise AccessDeniedError(
                f"{self._user!r} may not read the schema {held[0]!r} of {self.shown}: it takes USAGE on the "
                "schema and SELECT on its tables, and nothing else"
            )
        self.schema = str(held[0])
        return self.schema

    def place(self, table: str, column: Column) -> Place:
        """Return how a column is read."""
        raw: ColumnElement[Any] = self.source(table).c[column.name]
        text = sa.cast(raw, sa.Text)
        if column.kind in {"string", "object"}:
            key = sa.nulls_first(sa.collate(text, "C"))
            if column.kind == "string":
                return Place(text, key, text, raw)
            return Place(text, key, text, sa.func.nullif(sa.func.btrim(text), "null"), values.document)
        if column.kind == "date":
            there = sa.case((_in_calendar(raw), raw))
            return Place(text, sa.nulls_first(there), raw, there, self._moment(table, column.name))
        if column.kind == "array":
            return self._array(table, column, raw)
        number = sa.cast(raw, sa.Numeric) if column.declared == "money" else raw
        converts: dict[str, Callable[[Any], Any]] = {"uuid": _uuid, "binData": bytes}
        convert = converts.get(column.kind)
        return Place(
            number,
            sa.nulls_first(number),
            number,
            number,
            convert,
            str if column.kind == "uuid" else as_it_is,
        )

    def _array(self, table: str, column: Column, raw: ColumnElement[Any]) -> Place:
        selected = raw
        if column.items in {"string", "date", "uuid", "object"}:
            selected = sa.cast(raw, sa.ARRAY(sa.Text))
        elif column.declared.startswith("money"):
            selected = sa.cast(raw, sa.ARRAY(sa.Numeric))
        converts: dict[str, Callable[[Any], Any]] = {
            "date": self._moment(table, column.name),
            "uuid": _uuid,
            "object": values.document,
            "binData": bytes,
        }
        convert = converts.get(column.items or "")
        return Place(selected, raw, raw, raw, partial(_each, convert) if convert else None)

    def _moment(self, table: str, column: str) -> Callable[[Any], Any]:
        def moment(text: str) -> Any:
            found = values.moment_in(text)
            if found is None:
                self.note_once(table, column, "infinity and dates not in 1 to 9999 are read as null")
            return found

        return moment

    def summed(self, column: Column, raw: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the sum."""
        return sa.func.sum(sa.cast(raw, sa.Numeric) if column.declared == "money" else raw)

    def only(self, statement: Select[Any], table: str, source: FromClause) -> Select[Any]:
        """Leave out the rows of tables that inherit from a table."""
        return statement.with_hint(source, "ONLY", "postgresql") if table in self._inherited else statement

    def explained(self, error: BaseException) -> MimiodError:
        """Return what the driver's error means."""
        text, code = self.brief(error), str(getattr(error, "pgcode", None) or "")
        if code == "42501" or (not code and _DENIED.search(text)):
            return AccessDeniedError(
                f"{self.shown} refuses: {text}; it takes CONNECT on the database, USAGE on the schema and "
                "SELECT on the tables"
            )
        if _UNKNOWN.search(text) or code:
            return SourceError(f"{self.shown} cannot be read: {text}")
        return ServerUnavailableError(f"{self.shown} does not answer: {text}")


def _set_up(connection: Any, record: Any) -> None:
    del record
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(_SESSION)
    cursor.close()
    connection.autocommit = False


def _checked(table: Table, texts: list[str]) -> Table:
    for text in texts:
        try:
            made = table_created(f"CREATE TABLE t (c integer, {text})", "postgresql")
        except UnparsedError:
            continue
        table = checked(table, conditions(made.elements or []))
    return table


def _uuid(held: Any) -> UUID:
    return held if isinstance(held, UUID) else UUID(held)


def _in_calendar(raw: ColumnElement[Any]) -> ColumnElement[bool]:
    return sa.and_(sa.func.isfinite(raw), raw >= _FIRST, raw < _AFTER)


def _each(convert: Callable[[Any], Any], held: Any) -> Any:
    if isinstance(held, list):
        return [_each(convert, item) for item in held]
    return None if held is None else convert(held)
