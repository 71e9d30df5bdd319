"""Inserting many rows at a good part of the driver's own speed, with the same checks as any other way.

Values are checked and converted column by column rather than row by row, and sent many rows in a
statement, or by COPY on PostgreSQL. The tenant is stamped here, by the rule that the gate goes by.
"""

# ruff: noqa: SLF001 - Peewee keeps what its objects are in private attributes

from __future__ import annotations

import datetime as dt
import io
import re
import sqlite3
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import peewee
from peewee import Field, ForeignKeyField, Model, ModelInsert, Node

from maimdb.core.gate import GateMixin
from maimdb.core.guards import ANYONE, guard_of, owner_in, refuse_other
from maimdb.core.prepared import database_of, parameter, statement
from maimdb.core.scope import Scope, current_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Column = Sequence[Any]

_ROWS: Final = 500
"""Rows to a statement, at most."""
_PARAMETERS: Final = 32_000 if sqlite3.sqlite_version_info >= (3, 32) else 999
"""Parameters to a statement, at most: SQLite's limit."""
_CHARACTERS: Final = 2_000_000
"""Characters to a statement, about: MySQL takes a packet of 16 MiB, or 4, by default."""
_MISSING: Final = object()
_GROUP: Final = re.compile(r"\((?:\?|%s)(?:, (?:\?|%s))*\)\s*$")


def bulk_insert(model: type[Model], rows: Iterable[Mapping[Any, Any]], *, copy: bool | None = None) -> int:
    """Insert rows, all or none, in the current scope; return how many.

    A row maps fields, or their names, to values; what it leaves out gets the field's default. `copy` tells
    whether to use COPY; None: on PostgreSQL.

    Raises:
        CrossTenantError: a row names a tenant other than the scope's.
        ValidationError: a value is not allowed.
        ValueError: a row has an unknown field, or none of a field that needs a value.
    """
    database, scope = database_of(model), current_scope()
    if not isinstance(database, GateMixin):
        raise TypeError(f"{model.__name__} is bound to a database without the gate: use insert_many()")
    table = _Table(model, database, scope)
    use_copy = isinstance(database, peewee.PostgresqlDatabase) if copy is None else copy
    send = table.copy if use_copy else table.insert
    total = 0
    source = iter(rows)
    with database.atomic():  # type: ignore[attr-defined]
        while batch := list(islice(source, table.batch)):
            send(table.columns_of(batch), len(batch))
            total += len(batch)
    return total


class _Table:
    """A model's table as one bulk insert sees it."""

    def __init__(self, model: Any, database: Any, scope: Scope) -> None:
        self.database = database
        self.entry = guard_of(model)
        self.owner = ANYONE
        self.scope = scope
        if self.entry is not None:
            self.owner = owner_in(scope, self.entry, strict=database.require_scope)
        meta = model._meta
        self.names: dict[Any, str] = {
            key: field.name for field in meta.sorted_fields for key in (field, field.name, field.column_name)
        }
        stamped = None if self.entry is None or self.owner is ANYONE else meta.columns[self.entry.column].name
        automatic = meta.primary_key.name if meta.auto_increment else None
        fields = [field for field in meta.sorted_fields if field.name not in (stamped, automatic)]
        found = statement(database, scope, (model, "bulk"), lambda: _template(model, fields))
        by_name = {field.name: field for field in fields}
        self.fields = [by_name.get(getattr(slot, "name", None)) for slot in found.slots]
        group = _GROUP.search(found.sql)
        if group is None:
            raise TypeError(f"{model.__name__} cannot be inserted in bulk: use insert_many()")
        self.prefix, self.group = found.sql[: group.start()], group.group().strip()
        self.stamped, self.automatic = stamped, automatic
        self.batch = max(1, min(_ROWS, _PARAMETERS // len(self.fields)))
        self.convert = [None if field is None else _converter(field) for field in self.fields]

    def columns_of(self, batch: list[Mapping[Any, Any]]) -> list[Column]:
        """Return the checked values of the rows, column by column."""
        keys: set[Any] = set().union(*batch)
        if not keys <= self.names.keys():
            raise ValueError(f"unknown fields: {sorted(map(str, keys - self.names.keys()))}")
        if any(isinstance(key, Field) or self.names[key] != key for key in keys):
            batch = [{self.names[key]: value for key, value in row.items()} for row in batch]
            keys = set().union(*batch)
        self._check_owner(batch, keys)
        if self.automatic in keys:
            raise ValueError(f"{self.automatic} is given by the database: leave it out, or use insert_many()")
        return [
            [self.owner] * len(batch) if field is None else _values(field, batch, keys, convert)
            for field, convert in zip(self.fields, self.convert, strict=True)
        ]

    def _check_owner(self, batch: list[Mapping[Any, Any]], keys: set[Any]) -> None:
        if self.stamped not in keys or self.entry is None:
            return
        for row in batch:
            other = row.get(self.stamped)
            if other is not None:
                refuse_other(self.entry, other, self.owner, self.scope)

    def insert(self, columns: list[Column], count: int) -> None:
        """Send the rows in statements of many rows."""
        send(self.database, self.prefix, self.group, columns, count)

    def copy(self, columns: list[Column], count: int) -> None:
        """Send the rows by PostgreSQL's COPY."""
        del count
        send_copy(self.database, self.prefix.removeprefix("INSERT INTO ").rpartition(" VALUES")[0], columns)


def insert_columns(database: Any, table: str, names: str, columns: list[Column]) -> None:
    """Insert rows, column by column, into a table of any kind; not for values that a caller chose.

    Args:
        database: an engine of ours.
        table: its name, quoted.
        names: the names of the columns, quoted, with commas between.
        columns: the values of each, as the driver takes them.
    """
    if not columns:
        return
    if isinstance(database, peewee.PostgresqlDatabase):
        send_copy(database, f"{table} ({names})", columns)
        return
    count, most = len(columns[0]), max(1, min(_ROWS, _PARAMETERS // len(columns)))
    group = f"({', '.join([database.param] * len(columns))})"
    for start in range(0, count, most):
        part = [column[start : start + most] for column in columns]
        prefix = f"INSERT INTO {table} ({names}) VALUES "  # noqa: S608 - quoted by the caller
        send(database, prefix, group, part, len(part[0]))


def send(database: Any, prefix: str, group: str, columns: list[Column], count: int) -> None:
    """Send rows in one statement, or in halves where it would be too long."""
    if count > 1 and sum(map(_length, columns)) > _CHARACTERS:
        for half in (slice(None, count // 2), slice(count // 2, None)):
            part = [column[half] for column in columns]
            send(database, prefix, group, part, len(part[0]))
        return
    sql = prefix + ", ".join([group] * count)
    database.execute_compiled(sql, list(chain.from_iterable(zip(*columns, strict=True))))


def send_copy(database: Any, target: str, columns: list[Column]) -> None:
    """Send rows by PostgreSQL's COPY, in its text format, to a table and its columns in parentheses."""
    database.admit("COPY")
    text = "".join(_copy_lines([list(map(_copy_text, column)) for column in columns]))
    lease = database._lease()
    try:
        _copy(lease.connection, f"COPY {target} FROM STDIN", text)
    except Exception as exc:  # noqa: BLE001 - sorted out at the seam, as every driver's error
        database._raise(exc, lease)


def _template(model: Any, fields: list[Field]) -> Any:
    query: Any = ModelInsert(model, {field: parameter(field.name) for field in fields})
    query._returning = None
    return query


def _values(field: Field, batch: list[Mapping[Any, Any]], keys: set[Any], convert: Any) -> Column:
    name = field.name
    if name not in keys:
        return [convert(value) for value in _defaults(field, len(batch))]
    values = [row.get(name, _MISSING) for row in batch]
    if _MISSING in values:
        values = [next(_defaults(field, 1)) if value is _MISSING else value for value in values]
    return [convert(value) for value in values]


def _defaults(field: Field, count: int) -> Iterator[Any]:
    default = field.default
    if default is None and not field.null:
        raise ValueError(f"Missing value for {field.name}.")
    return (default() if callable(default) else default for _ in range(count))


def _converter(field: Any) -> Callable[[Any], Any]:
    """Return the field's `db_value`, with a short cut for values that need nothing done."""
    slow = _careful(field)
    if type(field).__name__ == "StringField":
        longest = field.max_length
        return lambda value: (
            value
            if value is None
            or (type(value) is str and len(value) <= longest and value.isascii() and "\0" not in value)
            else slow(value)
        )
    if type(field).__name__ == "LongTextField":
        return lambda value: (
            value
            if value is None or (type(value) is str and value.isascii() and "\0" not in value)
            else slow(value)
        )
    plain = {
        peewee.IntegerField: int,
        peewee.BigIntegerField: int,
        peewee.DoubleField: float,
        peewee.BooleanField: bool,
    }
    if expected := plain.get(type(field)):
        return lambda value: value if value is None or type(value) is expected else slow(value)
    if type(field) is peewee.UUIDField:
        return lambda value: value.hex if type(value) is UUID else slow(value)
    return slow


def _careful(field: Field) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, Node) and not (isinstance(field, ForeignKeyField) and isinstance(value, Model)):
            raise TypeError(
                f"{field.name} is an expression: bulk_insert takes values, insert_many() takes expressions"
            )
        return field.db_value(value)  # type: ignore[no-untyped-call]

    return convert


def _length(column: Column) -> int:
    return sum(len(value) for value in column if type(value) is str)


def _copy_lines(columns: list[list[str]]) -> Iterator[str]:
    return ("\t".join(row) + "\n" for row in zip(*columns, strict=True))


_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL: Final = re.compile(r"[\\\t\n\r]")


def _copy_text(value: Any) -> str:
    if type(value) is str:
        return value.translate(_ESCAPES) if _SPECIAL.search(value) else value
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\\\x" + bytes(value).hex()
    return str(value).translate(_ESCAPES)


def _copy(connection: Any, sql: str, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.copy_expert(sql, io.StringIO(text))
