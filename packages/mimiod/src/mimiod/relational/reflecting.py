"""Keys and indexes of the tables of a server, by SQLAlchemy's reflection."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mimiod.relational.keys import settled
from mimiod.relational.model import ForeignKey, Index, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection

    from mimiod.relational.model import Column


def keyed(
    connection: Connection,
    columns: Mapping[str, Mapping[str, Column]],
    schema: str | None,
    notes: list[str],
    parents: Mapping[str, str],
) -> dict[str, Table]:
    """Return tables of which the columns are known, with their keys, and their parents if they inherit."""
    names = list(columns)
    if not names:
        return {}
    with warnings.catch_warnings():  # of types that SQLAlchemy does not know, which are not asked of it
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        inspector = sa.inspect(connection)
        primary = inspector.get_multi_pk_constraint(schema=schema, filter_names=names)
        foreign = inspector.get_multi_foreign_keys(schema=schema, filter_names=names)
        uniques = inspector.get_multi_unique_constraints(schema=schema, filter_names=names)
        indexes = inspector.get_multi_indexes(schema=schema, filter_names=names)
    found = {}
    for name in names:
        place: Any = schema, name
        unique = [tuple(each["column_names"]) for each in uniques.get(place) or []]
        plain = []
        for told in indexes.get(place) or []:
            index = _index(name, told, notes)
            if index and index.unique:
                unique.append(index.columns)
            elif index and not told.get("duplicates_constraint"):
                plain.append(index)
        key = tuple(primary[place]["constrained_columns"] if primary.get(place) else ())
        keys = []
        for each in foreign.get(place) or []:
            if each["referred_schema"] in {None, schema}:
                keys.append(_foreign_key(each))
            else:
                here = ", ".join(each["constrained_columns"])
                where = each["referred_schema"]
                notes.append(f"{name}: the foreign key ({here}) is left out: it names a table of {where!r}")
        distinct = dict.fromkeys(each for each in unique if each != key)
        found[name] = Table(
            name, columns[name], key, tuple(keys), tuple(distinct), tuple(plain), parents.get(name, "")
        )
    return settled(found, notes)


def _foreign_key(told: Mapping[str, Any]) -> ForeignKey:
    deleting = str((told.get("options") or {}).get("ondelete") or "").upper()
    return ForeignKey(
        tuple(told["constrained_columns"]),
        told["referred_table"],
        tuple(told["referred_columns"]),
        "" if deleting == "NO ACTION" else deleting,
    )


def _index(table: str, told: Mapping[str, Any], notes: list[str]) -> Index | None:
    """Return an index of columns; of one of some rows alone, that it is not unique."""
    columns: Sequence[str | None] = told["column_names"]
    options = told.get("dialect_options") or {}
    if None in columns or not columns or told.get("expressions"):
        notes.append(f"{table}: the index {told['name']!r} is of an expression, and is passed over")
        return None
    if options.get("mysql_prefix") or options.get("mariadb_prefix"):
        notes.append(
            f"{table}: the index {told['name']!r} is for searching texts or places, and is passed over"
        )
        return None
    unique = bool(told["unique"]) and not options.get("postgresql_where")
    return Index(str(told["name"]), tuple(str(column) for column in columns), unique)
