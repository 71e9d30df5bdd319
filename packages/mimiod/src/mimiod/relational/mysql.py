"""MySQL and MariaDB: sessions that are read-only."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mimiod.errors import AccessDeniedError, ConfigurationError, ServerUnavailableError, SourceError
from mimiod.relational import values
from mimiod.relational.checks import checked_as_created
from mimiod.relational.column_types import ColumnType, column_type
from mimiod.relational.dialect import ANSWER_WITHIN, Dialect, Place
from mimiod.relational.model import Column
from mimiod.relational.reflecting import keyed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL, Connection, CursorResult, Engine
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import FromClause

    from mimiod.errors import MimiodError
    from mimiod.relational.model import Table

_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION sql_mode = '', time_zone = '+00:00', max_sort_length = 4096",
    "SET SESSION wait_timeout = 86400, net_write_timeout = 86400",  # a stream may wait for its turn
)
_TABLES = """
SELECT table_name, table_type FROM information_schema.tables
WHERE table_schema = DATABASE() ORDER BY table_name
"""
_COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable, collation_name FROM information_schema.columns
WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position
"""
_TEXTS = re.compile(r"char|varchar|tinytext|text|mediumtext|longtext|enum|set")
_PARTS = (sa.func.year, sa.func.month, sa.func.dayofmonth)
_ZERO: ColumnElement[Any] = sa.literal_column("0")
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "bool": values.truth,
    "long": values.integer,
    "object": values.document,
    "array": lambda value: value.split(",") if value else [],
}
_JSON = r"json_valid\s*\(\s*`{}`\s*\)"
_DENIED = {1044, 1045, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 3118}
_UNKNOWN = 1049
_AWAY = {2002, 2003, 2005, 2006, 2013, 2055, 1040, 1053, 1129, 1130, 1203, 1226}


class MySQL(Dialect):
    """A database of MySQL or MariaDB. It needs `SELECT` on the tables."""

    name = "mysql"

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        if not url.database:
            raise SourceError(f"{self.shown} names no database: mysql://user:password@host:port/DATABASE")
        self._folded: set[tuple[str, str]] = set()
        "Columns of texts that are alike for the server though they differ."

    def engine(self) -> Engine:
        """Return an engine whose sessions are read-only."""
        engine = sa.create_engine(
            self.url.set(drivername="mysql+pymysql"),
            connect_args={"connect_timeout": ANSWER_WITHIN},
            max_overflow=-1,
        )
        sa.event.listen(engine, "connect", _set_up)
        return engine

    def reflected(self, connection: Connection) -> dict[str, Table]:
        """Return the tables; views, and tables that this user may not read, are passed over."""
        columns: dict[str, dict[str, Column]] = {}
        for name, kind in connection.exec_driver_sql(_TABLES):
            if "VIEW" in kind or kind == "SEQUENCE":
                self.notes.append(f"{name!r} is a {kind.lower()}, and is passed over")
            else:
                columns[name] = {}
        created = {name: text for name in columns if (text := self._created(connection, name))}
        columns = {name: held for name, held in columns.items() if name in created}
        for table, name, declared, nullable, collation in connection.exec_driver_sql(_COLUMNS):
            if table not in columns:
                continue
            of = column_type(declared, self.name)
            if re.search(_JSON.format(re.escape(name)), created[table], re.IGNORECASE):  # MariaDB's JSON
                of = ColumnType("object")
            if collation and not collation.endswith("_bin") and of.kind == "string":
                self._folded.add((table, name))
            columns[table][name] = Column(name, declared=declared, nullable=nullable == "YES", **of._asdict())
        tables = keyed(connection, columns, None, self.notes, {})
        for name, table in tables.items():
            missing = created[name].count(" FOREIGN KEY (") - len(table.foreign_keys)
            if missing > 0 and not any(note.startswith(f"{name}: the foreign key") for note in self.notes):
                self.notes.append(
                    f"{name}: {missing} of its foreign keys could not be read, and are left out"
                )
        return checked_as_created(tables, created, self.name)

    def _created(self, connection: Connection, name: str) -> str | None:
        """Return the statement that makes a table, or None if this user may not read it."""
        quoted = connection.dialect.identifier_preparer.quote_identifier(name)
        try:
            connection.exec_driver_sql(f"SELECT 1 FROM {quoted} LIMIT 0").close()  # noqa: S608 - quoted
            row = connection.exec_driver_sql(f"SHOW CREATE TABLE {quoted}").one()
        except sa.exc.DBAPIError as exc:
            if _code(exc.orig) in _DENIED:
                self.notes.append(
                    f"{name!r} is passed over: it takes the privilege SELECT; {self.url.username!r} lacks it"
                )
            else:
                self.notes.append(f"{name!r} is passed over: {self.brief(exc.orig or exc)}")
            return None
        return str(row[1])

    def place(self, table: str, column: Column) -> Place:
        """Return how a column is read; texts that are a foreign key are read as the row there spells them."""
        raw: ColumnElement[Any] = self.source(table).c[column.name]
        if column.kind == "date":
            there = sa.case((sa.and_(*(part(raw) > 0 for part in _PARTS)), raw))
            return Place(raw, there, raw, there, self._moment(table, column.name))
        if column.kind in {"string", "uuid"}:
            text = self._as_there(table, column.name, self.source(table))
            if not _TEXTS.match(column.declared):
                text = sa.cast(text, sa.String)
            if column.kind == "uuid":
                return Place(text, _bytes(text), raw, raw, values.uuid_in, str)
            return Place(text, _bytes(text), raw, raw)
        convert = _CONVERTED.get(column.kind)
        if column.declared.startswith("bit"):
            number = raw.op("+")(_ZERO)
            return Place(number, number, number, raw, convert)
        present = sa.func.nullif(sa.cast(raw, sa.String), "null") if column.kind == "object" else raw
        return Place(raw, raw, raw, present, convert)

    def _as_there(
        self, table: str, name: str, source: FromClause, through: frozenset[tuple[str, str]] = frozenset()
    ) -> ColumnElement[Any]:
        """Return a text of a foreign key as the row that it names spells it: the server may take a for A."""
        text: ColumnElement[Any] = source.c[name]
        through |= {(table, name)}
        for key in self.tables[table].foreign_keys:
            folded = {(table, column) for column in key.columns} | {(key.target, k) for k in key.keys}
            if name not in key.columns or not folded & self._folded:
                continue
            named = key.keys[key.columns.index(name)]
            if (key.target, named) not in through:
                there = self.source(key.target).alias(f"there_{len(through)}")
                same = (there.c[k] == source.c[c] for k, c in zip(key.keys, key.columns, strict=True))
                spelt = sa.select(self._as_there(key.target, named, there, through)).select_from(there)
                return sa.func.coalesce(spelt.where(*same).limit(1).correlate(source).scalar_subquery(), text)
        return text

    def _moment(self, table: str, column: str) -> Callable[[Any], Any]:
        def moment(value: Any) -> Any:
            found = values.moment(value) if isinstance(value, date) else values.moment_in(str(value))
            if found is None:
                self.note_once(table, column, "dates that there are not (0000-00-00) are read as null")
            return found

        return moment

    def summed(self, column: Column, raw: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the sum."""
        return sa.func.sum(raw.op("+")(_ZERO) if column.declared.startswith("bit") else raw)

    def digest(self, text: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the hash of a text; MySQL 9.6 has no md5 any more."""
        return sa.func.sha2(text, 256)

    def abandoned(self, result: CursorResult[Any]) -> None:
        """Cut the connection: the driver would read the rest of the stream, however long it is."""
        cursor: Any = result.cursor
        if (rest := getattr(cursor, "_result", None)) is not None:
            rest.unbuffered_active = False
            cursor.connection = None
        result.connection.invalidate()

    def explained(self, error: BaseException) -> MimiodError:
        """Return what the driver's error means."""
        code, text = _code(error), self.brief(error)
        if isinstance(error, sa.exc.SQLAlchemyError):
            return ConfigurationError(f"{self.shown}: {text}")
        if code in _DENIED:
            return AccessDeniedError(
                f"{self.shown} refuses: {text}; it takes SELECT on the tables of the database"
            )
        if code in _AWAY or (code == 0 and "closed" in text.lower()):
            return ServerUnavailableError(f"{self.shown} does not answer: {text}")
        return SourceError(f"{self.shown} cannot be read: {text}")


def _set_up(connection: Any, record: Any) -> None:
    del record
    with connection.cursor() as cursor:
        for statement in _SESSION:
            cursor.execute(statement)


def _bytes(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the bytes of a text in UTF-8, whatever the encoding of its table is."""
    return sa.cast(sa.func.convert(text.op("USING")(sa.literal_column("utf8mb4"))), sa.LargeBinary)


def _code(error: Any) -> int:
    code = error.args[0] if getattr(error, "args", None) else 0
    return code if isinstance(code, int) else 0
