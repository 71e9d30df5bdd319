"""What differs between the servers, as far as reading goes: there is a class for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import URL, Connection, CursorResult, Engine
    from sqlalchemy.sql.elements import ColumnClause, ColumnElement
    from sqlalchemy.sql.selectable import FromClause, Select, TableClause

    from mimiod.errors import MimiodError
    from mimiod.relational.model import Column, Table

NUMBERS = ("int", "long", "decimal", "double")
"The kinds of columns that can be added up."
ANSWER_WITHIN = 10
"Seconds that a server has to take a connection."
_LONGEST = 300


def as_it_is(value: Any) -> Any:
    """Return a value."""
    return value


@dataclass(frozen=True)
class Place:
    """How a column is read, in SQL and out of the driver."""

    selected: ColumnElement[Any]
    "What is read."
    ordered: ColumnElement[Any]
    "What rows are ordered by: the order of `values.sort_key`."
    compared: ColumnElement[Any]
    "What values are compared with."
    present: ColumnElement[Any]
    "Null where the value is read as None."
    convert: Callable[[Any], Any] | None = None
    "From what the driver returns, None left out, to what is yielded; None: as it is."
    parameter: Callable[[Any], Any] = as_it_is
    "From what is yielded to what the driver takes."


class Dialect(ABC):
    """A server, or a file, and how it is read: never written to, whatever the rights are."""

    name: str
    "`postgresql`, `mysql` or `sqlite`."
    schema: str | None = None
    "Where the tables are, if that has to be said."

    def __init__(self, url: URL) -> None:
        self.url = url
        self.notes: list[str] = []
        self.tables: Mapping[str, Table] = {}
        "Those that are read, once they are known."
        self._noted: set[tuple[str, str]] = set()
        self._sources: dict[str, TableClause] = {}

    @property
    def shown(self) -> str:
        """The database as messages name it: without a password, or anything that may hold one."""
        user = f"{self.url.username}@" if self.url.username else ""
        port = f":{self.url.port}" if self.url.port else ""
        return f"{self.name}://{user}{self.url.host or 'localhost'}{port}/{self.url.database or ''}"

    @abstractmethod
    def engine(self) -> Engine:
        """Return an engine whose connections cannot write."""

    @abstractmethod
    def reflected(self, connection: Connection) -> dict[str, Table]:
        """Return the tables that can be read; what is passed over is noted."""

    @abstractmethod
    def place(self, table: str, column: Column) -> Place:
        """Return how a column of a table is read."""

    @abstractmethod
    def explained(self, error: BaseException) -> MimiodError:
        """Return what a driver's error means, in a line."""

    def summed(self, column: Column, raw: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the sum of a column of numbers."""
        del column
        return sa.func.sum(raw)

    def drawn_by(self, seed: int, places: Sequence[Place]) -> ColumnElement[Any]:
        """Return what is as good as drawn by lot for a row, and the same each time."""
        return self.digest(sa.func.concat_ws("|", str(seed), *(place.selected for place in places)))

    def digest(self, text: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the hash of a text."""
        return sa.func.md5(text)

    def only(self, statement: Select[Any], table: str, source: FromClause) -> Select[Any]:
        """Return a statement that reads the rows of a table, and not those of tables that inherit from it."""
        del table, source
        return statement

    def abandoned(self, result: CursorResult[Any]) -> None:
        """Let go of a stream that is not read to its end."""
        result.close()

    def close(self) -> None:
        """Let go of what is held beside the connections of the engine."""
        self._sources.clear()

    def source(self, table: str) -> TableClause:
        """Return a table to select from; every name is quoted, whatever it is."""
        if table not in self._sources:
            columns: list[ColumnClause[Any]] = [
                sa.column(_quoted(name)) for name in self.tables[table].columns
            ]
            schema = _quoted(self.schema) if self.schema else None
            self._sources[table] = sa.table(_quoted(table), *columns, schema=schema)
        return self._sources[table]

    def note_once(self, table: str, column: str, text: str) -> None:
        """Note something of a column, the first time it is seen."""
        if (table, column) not in self._noted:
            self._noted.add((table, column))
            self.notes.append(f"{table}.{column}: {text}" if table else text)

    def brief(self, error: BaseException) -> str:
        """Return a driver's text on one line, without the password."""
        text = " ".join(str(error).split())
        password = str(self.url.password or "")
        return (text.replace(password, "***") if password else text)[:_LONGEST]


def _quoted(name: str) -> Any:
    return sa.sql.quoted_name(name, quote=True)
