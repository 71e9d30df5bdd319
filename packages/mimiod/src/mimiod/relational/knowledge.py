"""What is known of a SQL database before it is planned: its keys, how rows are spread, what is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mimiod.relational.model import Children, ForeignKey, Reader, Relational, Table
    from mimiod.relational.queries import Workload

_WIDTHS = {
    "bool": 1, "int": 4, "long": 8, "double": 8, "decimal": 16, "date": 8, "objectId": 12, "uuid": 21,
    "binData": 10_000, "object": 500, "array": 200,
}  # fmt: skip
_TEXT, _LONG_TEXT, _NAMED = 60, 400, 7

KeyName = tuple[str, tuple[str, ...]]
"A table, and the columns of a foreign key of it."


@dataclass(frozen=True)
class Knowledge:
    """The tables, and as far as it is known how many rows they have and how these are asked for."""

    schema: Relational
    counts: Mapping[str, int] = field(default_factory=dict)
    "Rows by table; empty where only declarations are known."
    children: Mapping[KeyName, Children] = field(default_factory=dict)
    workload: Workload | None = None

    def rows(self, table: str) -> int | None:
        """Return how many rows a table has, None where nothing was counted."""
        return self.counts.get(table)

    def spread(self, table: str, key: ForeignKey) -> Children | None:
        """Return how rows are spread over those they name; None where there are none, or none was counted."""
        found = self.children.get((table, key.columns))
        return found if found is not None and found.rows else None

    def missing(self, table: str, key: ForeignKey) -> int:
        """Return how many rows name one that is not there."""
        found = self.children.get((table, key.columns))
        return found.missing if found is not None else 0


def measure(
    reader: Reader,
    workload: Workload | None = None,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> Knowledge:
    """Count rows, and how they are spread over those that they name; all of it is done by the database."""
    schema = reader.schema
    counts, children = {}, {}
    for number, table in enumerate(schema.tables.values()):
        counts[table.name] = reader.count(table.name)
        for key in keys_of(table, schema):
            children[table.name, key.columns] = reader.children(table.name, key)
        progress("tables counted", number + 1, len(schema.tables))
    return Knowledge(schema, counts, children, workload)


def keys_of(table: Table, schema: Relational) -> list[ForeignKey]:
    """Return the foreign keys of a table that name a table which is there, each once."""
    found = {
        (key.columns, key.target): key
        for key in table.foreign_keys
        if key.target in schema.tables and set(key.keys) <= set(schema.tables[key.target].columns)
    }
    return list(found.values())


def own_key(table: Table) -> tuple[str, ...]:
    """Return the columns that a row is known by: its primary key, else others that are unique, never null."""
    if table.primary_key:
        return tuple(table.primary_key)
    never_null = [
        tuple(columns)
        for columns in table.uniques
        if all(name in table.columns and not table.columns[name].nullable for name in columns)
    ]
    return never_null[0] if never_null else ()


def is_required(table: Table, key: ForeignKey) -> bool:
    """Return whether every row names another."""
    return all(
        name in table.primary_key or (name in table.columns and not table.columns[name].nullable)
        for name in key.columns
    )


def is_unique(table: Table, columns: tuple[str, ...]) -> bool:
    """Return whether no two rows have the same values in some columns."""
    keys = [tuple(table.primary_key), *map(tuple, table.uniques)]
    keys += [tuple(index.columns) for index in table.indexes if index.unique]
    return any(key and set(key) <= set(columns) for key in keys)


def bytes_of(table: Table) -> int:
    """Return about how many bytes a row takes in a document; texts without a length are guessed."""
    total = 0
    for column in table.columns.values():
        width = _WIDTHS.get(column.kind)
        if width is None:
            width = min(column.length, _TEXT) if column.length else _LONG_TEXT
        total += width + len(column.name) + _NAMED
    return total
