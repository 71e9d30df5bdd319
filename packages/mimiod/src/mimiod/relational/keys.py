"""Keys as they stand, and as they are once the tables and columns that they name are found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mimiod.relational.model import ForeignKey, Table


def settled(tables: Mapping[str, Table], notes: list[str]) -> dict[str, Table]:
    """Return tables whose keys and indexes all name columns that there are.

    A foreign key without columns means the primary key there. Names that are not found are looked for
    without their case, as SQL does. What names nothing is left out, with a note.
    """
    own = {name: _own(table, notes) for name, table in tables.items()}
    found = {}
    for name, table in own.items():
        keys = []
        for key in table.foreign_keys:
            fault, whole = _resolved(key, table, own)
            if fault:
                notes.append(
                    f"{name}: the foreign key ({', '.join(key.columns)}) → {key.target} is left out: {fault}"
                )
            elif whole not in keys:
                keys.append(whole)
        found[name] = replace(table, foreign_keys=tuple(keys))
    return found


def _own(table: Table, notes: list[str]) -> Table:
    """Return a table whose own keys and indexes name its columns as they are called."""

    def called(columns: tuple[str, ...]) -> tuple[str, ...]:
        names = [name for column in columns if (name := named(column, table.columns)) is not None]
        if len(names) == len(columns):
            return tuple(names)
        notes.append(
            f"{table.name}: the key or index ({', '.join(columns)}) is left out: it names a column that there"
            " is not"
        )
        return ()

    return replace(
        table,
        primary_key=called(table.primary_key),
        uniques=tuple(columns for each in table.uniques if (columns := called(each))),
        indexes=tuple(
            replace(each, columns=columns) for each in table.indexes if (columns := called(each.columns))
        ),
    )


def _resolved(key: ForeignKey, table: Table, tables: Mapping[str, Table]) -> tuple[str, ForeignKey]:
    target = named(key.target, tables)
    if target is None:
        return f"there is no table {key.target!r}", key
    there = tables[target]
    keys = [named(column, there.columns) for column in key.keys or there.primary_key]
    columns = [named(column, table.columns) for column in key.columns]
    if not keys:
        return f"{target!r} has no primary key", key
    if None in keys or None in columns:
        return "it names a column that there is not", key
    if len(keys) != len(columns):
        return f"{len(columns)} columns name {len(keys)}", key
    here = tuple(str(column) for column in columns)
    return "", replace(key, columns=here, target=target, keys=tuple(str(column) for column in keys))


def named(name: str, among: Iterable[str]) -> str | None:
    """Return which of some names is meant, with its case or without.

    Or with single backticks: of MySQL's names SQLAlchemy leaves them doubled.
    """
    held = list(among)
    if name in held:
        return name
    wanted = {name.casefold(), name.casefold().replace("``", "`")}
    return next((each for each in held if each.casefold() in wanted), None)
