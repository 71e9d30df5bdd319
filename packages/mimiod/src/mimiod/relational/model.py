"""A SQL database as it is declared: tables, columns, keys. Of rows it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal


@dataclass(frozen=True)
class Column:
    """A column."""

    name: str
    kind: str
    "The BSON type of its values, as `$type` names it, or `uuid`: what a value becomes in a document."
    declared: str
    "Its type in the database's own words: `VARCHAR(120)`."
    nullable: bool = True
    length: int | None = None
    "Characters, at the most."
    digits: int | None = None
    "After the point, of a `decimal`."
    values: tuple[str, ...] = ()
    "Of an enumeration, by its type or by a check; empty if it is none."
    low: Any = None
    high: Any = None
    "Bounds by a check, both included."
    items: str | None = None
    "Of an `array`: the BSON type of what is in it."


@dataclass(frozen=True)
class ForeignKey:
    """Columns that name a row of a table."""

    columns: tuple[str, ...]
    target: str
    keys: tuple[str, ...]
    "The columns there, in the same order."
    on_delete: str = ""
    "`CASCADE`, `SET NULL` …, or nothing."


@dataclass(frozen=True)
class Index:
    """An index that is no key."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True)
class Table:
    """A table."""

    name: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...] = ()
    foreign_keys: Sequence[ForeignKey] = ()
    uniques: Sequence[tuple[str, ...]] = ()
    "Columns that together are unique, beside the primary key; by a constraint or an index."
    indexes: Sequence[Index] = ()
    inherits: str = ""
    "The table that it inherits from, where the database itself says so (PostgreSQL)."


@dataclass(frozen=True)
class Relational:
    """A database of tables."""

    name: str
    dialect: str
    "`postgresql`, `mysql` or `sqlite`."
    tables: Mapping[str, Table]
    notes: Sequence[str] = field(default_factory=list)
    "What was passed over, a line each."


@dataclass(frozen=True)
class Children:
    """How the rows that name others by a foreign key are spread."""

    rows: int
    "Rows that name one."
    parents: int
    "Rows that are named."
    most: int
    "By how many rows one is named at the most."
    missing: int = 0
    "Rows whose key names nothing: the database does not enforce the key."

    @property
    def mean(self) -> float:
        """Rows to a row that is named at all."""
        return self.rows / self.parents if self.parents else 0.0


class Reader(Protocol):
    """The rows of a SQL database. Nothing is ever written; memory does not grow with the tables."""

    @property
    def schema(self) -> Relational:
        """What is declared."""

    def count(self, table: str) -> int:
        """Return how many rows a table has."""

    def rows(
        self, table: str, *, order: Sequence[str] = (), where: Mapping[str, Sequence[Any]] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield rows as a stream, with values as BSON takes them; ordered by columns where asked.

        `where` keeps the rows whose column has one of some values (at most 1,000), as the database compares
        them. Order is that of `values.sort_key`, on every server; rows with a null there come first. Streams
        may be open side by side.
        """

    def sample(self, table: str, size: int, seed: int) -> Iterator[dict[str, Any]]:
        """Yield so many rows, each with the same chance: the same ones each time, as far as it goes."""

    def children(self, table: str, key: ForeignKey) -> Children:
        """Return how the rows of a table are spread over those that a foreign key names; SQL counts them."""

    def totals(self, table: str, columns: Sequence[str]) -> dict[str, tuple[int, Decimal | None]]:
        """Return by column how many values are not null and, of numbers, their exact sum; by SQL."""

    def close(self) -> None:
        """Let go of the connections."""
