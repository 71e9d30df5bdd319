"""SQLite: files, opened for reading."""

from __future__ import annotations

import hashlib
import sqlite3
from decimal import Context, Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mimiod.errors import AccessDeniedError, SourceError
from mimiod.relational import values
from mimiod.relational.checks import checked_as_created
from mimiod.relational.column_types import column_type
from mimiod.relational.dialect import ANSWER_WITHIN, Dialect, Place
from mimiod.relational.keys import settled
from mimiod.relational.model import Column, ForeignKey, Index, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.sql.elements import ColumnElement

    from mimiod.errors import MimiodError

_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "date": lambda value: (values.moment_in(value) or value) if isinstance(value, str) else value,
    "uuid": lambda value: (values.uuid_in(value) or value) if isinstance(value, str) else value,
    "bool": values.truth,
    "decimal": values.decimal,
    "object": values.document,
}
"By kind. SQLite keeps anything in any column: what is not of the declared type is yielded as it is."
_EXACT = Context(prec=400, traps=[])


class SQLite(Dialect):
    """A SQLite file. It needs the right to read the file, and changes nothing in it.

    Of a file in WAL mode SQLite itself keeps two more beside it while it is read, and may leave them there.
    """

    name = "sqlite"

    @property
    def shown(self) -> str:
        """The path of the file."""
        return f"sqlite:///{self.url.database or ''}"

    def engine(self) -> Engine:
        """Return an engine on the file, which is not made if it is not there."""
        path = Path(self.url.database or "")
        if not self.url.database or not path.is_file():
            raise SourceError(
                f"there is no file {str(path)!r}: sqlite:///relative/path or sqlite:////absolute"
            )
        return sa.create_engine(
            "sqlite://", creator=partial(self._connected, path), poolclass=sa.QueuePool, max_overflow=-1
        )

    def _connected(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=ANSWER_WITHIN, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = 1").close()
        connection.text_factory = self._text
        connection.create_function("mimiod_text", 2, _text, deterministic=True)
        connection.create_function("mimiod_drawn", -1, _drawn, deterministic=True)
        connection.create_aggregate("mimiod_sum", 1, _Sum)  # type: ignore[arg-type] # typeshed wants any result
        return connection

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.note_once("", "", "texts with bytes that are no UTF-8; they are read with � in their place")
            return raw.decode(errors="replace")

    def reflected(self, connection: Connection) -> dict[str, Table]:
        """Return the tables; views, virtual tables and their shadows are passed over."""
        listed = connection.exec_driver_sql(
            "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
        ).all()
        kinds = {row.name: row.type for row in connection.exec_driver_sql("PRAGMA main.table_list")}
        found = {}
        for name, type_, _ in listed:
            kind = kinds.get(name, type_)
            if kind == "table" and not name.startswith("sqlite_"):
                found[name] = self._table(connection, name)
            elif kind in {"view", "virtual"}:
                self.notes.append(f"{name!r} is a {kind}{' table' * (kind != 'view')}, and is passed over")
        created = {name: sql for name, _, sql in listed}
        return checked_as_created(settled(found, self.notes), created, self.name)

    def _table(self, connection: Connection, name: str) -> Table:
        def told(pragma: str, of: str = name) -> Sequence[Any]:
            return connection.exec_driver_sql(f"SELECT * FROM pragma_{pragma}(?)", (of,)).all()  # noqa: S608 - our names

        listed = [each for each in told("table_xinfo") if each.hidden != 1]
        columns = {}
        for each in listed:
            of = column_type(each.type, self.name)
            columns[each.name] = Column(
                each.name, declared=each.type, nullable=not (each.notnull or each.pk), **of._asdict()
            )
        keys: dict[int, list[Any]] = {}
        for each in sorted(told("foreign_key_list"), key=lambda part: (-part.id, part.seq)):
            keys.setdefault(each.id, []).append(each)
        uniques, indexes = [], []
        for each in told("index_list"):
            parts = [part.name for part in told("index_info", each.name)]
            if None in parts:
                self.notes.append(f"{name}: the index {each.name!r} is of an expression, and is passed over")
            elif each.origin == "u" or (each.unique and each.origin == "c" and not each.partial):
                uniques.append(tuple(parts))
            elif each.origin == "c":
                indexes.append(Index(each.name, tuple(parts)))
        return Table(
            name,
            columns,
            tuple(each.name for each in sorted(listed, key=lambda part: part.pk) if each.pk),
            tuple(
                ForeignKey(
                    tuple(part[3] for part in parts),
                    parts[0].table,
                    tuple(part.to for part in parts if part.to is not None),
                    "" if parts[0].on_delete == "NO ACTION" else parts[0].on_delete,
                )
                for parts in keys.values()
            ),
            tuple(sorted(uniques)),
            tuple(sorted(indexes, key=lambda index: index.name)),
        )

    def place(self, table: str, column: Column) -> Place:
        """Return how a column is read: dates and UUIDs are ordered as such, however they are spelt."""
        raw = self.source(table).c[column.name]
        convert = _CONVERTED.get(column.kind)
        if column.kind == "decimal" and column.digits is not None:
            convert = partial(values.decimal, digits=column.digits)
        if column.kind in {"date", "uuid"}:
            key = sa.func.mimiod_text(raw, column.kind)
            return Place(raw, key, key, raw, convert, _key)
        present = sa.func.nullif(raw, "null") if column.kind == "object" else raw
        return Place(raw, raw, raw, present, convert, _plain)

    def summed(self, column: Column, raw: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the exact sum of what numbers there are."""
        del column
        return sa.func.mimiod_sum(raw)

    def drawn_by(self, seed: int, places: Sequence[Place]) -> ColumnElement[Any]:
        """Return a hash of the key."""
        return sa.func.mimiod_drawn(str(seed), *(place.selected for place in places))

    def explained(self, error: BaseException) -> MimiodError:
        """Return what SQLite's error means."""
        text = self.brief(error)
        if "not a database" in text:
            return SourceError(f"{self.shown} is no SQLite database, or it is encrypted")
        if "unable to open" in text:
            return AccessDeniedError(
                f"{self.shown} cannot be opened: the right to read the file is needed (and for one in WAL "
                "mode, to write beside it: copy it elsewhere if that is not to be)"
            )
        if "locked" in text:
            return SourceError(f"{self.shown} is being written to: {text}; try again, or inspect a copy")
        return SourceError(f"{self.shown} cannot be read: {text}")


def _text(value: Any, kind: str) -> Any:
    made = _CONVERTED[kind](value)
    return _key(made)


def _key(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | bytes) else values.text_of(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if value is None or isinstance(value, int | float | bytes) else values.text_of(value)


def _drawn(seed: str, *key: Any) -> bytes:
    return hashlib.blake2b(repr(key).encode(errors="replace"), key=seed.encode()[:64], digest_size=8).digest()


class _Sum:
    """The exact sum of numbers, as a text; None without any."""

    def __init__(self) -> None:
        self._whole = 0
        self._others = Decimal(0)
        self._any = False

    def step(self, value: Any) -> None:
        """Add a value, if it is a number."""
        if isinstance(value, int):
            self._whole += value
            self._any = True
        elif isinstance(value, float):
            self._others = _EXACT.add(self._others, Decimal(repr(value)))
            self._any = True

    def finalize(self) -> str | None:
        """Return the sum."""
        return str(_EXACT.add(self._others, Decimal(self._whole))) if self._any else None
