"""Which tables hold a tenant's rows, what their columns are, and in which order they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import peewee

from maimdb.core.errors import TransferError
from maimdb.core.models import ALL_MODELS
from maimdb.core.models.fields import UTCDateTimeField
from maimdb.core.scope import internal_scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maimdb.core.engines import Engine

INTERNAL: Final = "maimdb_"
"""Begins the names of MaimDB's own tables of accounts, which stay where they are."""
STAYING: Final = frozenset({"audit_events", "audit_head"})
"""The audit log is the installation's: its hashes seal all tenants' events in one chain."""
_KINDS: Final = (
    ("boolean", r"bool|tinyint\(1\)"),
    ("uuid", r"uuid"),
    ("moment", r"timestamp|datetime"),
    ("integer", r"int|serial"),
    ("float", r"real|double|float"),
    ("decimal", r"decimal|numeric"),
    ("bytes", r"blob|bytea|binary"),
    ("date", r"date"),
    ("time", r"time"),
)
_FIELDS: Final = (
    (UTCDateTimeField, "moment"),
    (peewee.UUIDField, "uuid"),
    (peewee.BooleanField, "boolean"),
    (peewee.IntegerField, "integer"),
    (peewee.FloatField, "float"),
)
_COLUMNS: Final = {
    "sqlite": "SELECT name, type, hidden IN (2, 3) FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
    "postgresql": "SELECT attname, format_type(atttypid, atttypmod), attgenerated <> '' FROM pg_attribute "
    "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    "mysql": "SELECT column_name, column_type, extra LIKE '%%GENERATED%%' AND extra NOT LIKE '%%DEFAULT_%%' "
    "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s "
    "ORDER BY ordinal_position",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column and what it holds."""

    name: str
    kind: str
    """One of `values.KINDS`."""
    declared: str = ""
    """The type in the database's words."""


@dataclass(frozen=True)
class Table:
    """A table with rows of tenants."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns of the primary key."""
    owner: str
    """The column that tells whose a row is: of a tenant (`id`, `tenant_id`) or of an agent (`agent_id`)."""

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Where among the columns the key's are."""
        names = [column.name for column in self.columns]
        return tuple(names.index(name) for name in self.key)


def tables_of(database: Engine) -> list[Table]:
    """Return the tables with rows of tenants, parents before children."""
    with internal_scope():
        found = {}
        for name in sorted(database.get_tables()):
            if name in STAYING or name.startswith((INTERNAL, "sqlite_")):
                continue
            if table := describe(database, name):
                found[name] = table
        parents = {
            name: {key.dest_table for key in database.get_foreign_keys(name)} & found.keys() - {name}
            for name in found
        }
    return [found[name] for name in _sorted(parents)]


def describe(database: Engine, name: str) -> Table | None:
    """Return a table; None: no column tells whose its rows are.

    Raises:
        TransferError: it has no primary key.
    """
    fields = _fields_of(name)
    quoted = f'"{name}"' if database.config.engine == "postgresql" else name
    rows = database.execute_sql(_COLUMNS[database.config.engine], (quoted,)).fetchall()
    columns = tuple(
        Column(column, _kind(declared, fields.get(column)), declared.lower())
        for column, declared, generated in rows
        if not generated
    )
    owner = _owner(name, {column.name for column in columns})
    if owner is None:
        return None
    key = tuple(database.get_primary_keys(name))
    if not key:
        raise TransferError(
            f"table {name!r} holds rows of tenants and has no primary key to tell them apart: give it one",
            table=name,
        )
    return Table(name, columns, key, owner)


def _fields_of(table: str) -> dict[str, Any]:
    for model in ALL_MODELS:
        meta: Any = model._meta  # noqa: SLF001 - Peewee's way to ask
        if meta.table_name == table:
            return dict(meta.columns)
    return {}


def _kind(declared: str, field: Any) -> str:
    for kind_of_field, kind in _FIELDS:
        if isinstance(field, kind_of_field):
            return kind
    lowered = declared.lower()
    return next((kind for kind, pattern in _KINDS if re.match(pattern, lowered) or (
        kind in {"integer", "bytes"} and re.search(pattern, lowered.partition("(")[0])
    )), "text")  # fmt: skip


def _owner(name: str, columns: set[str]) -> str | None:
    if name == "tenants":
        return "id"
    wanted = ("tenant_id", *(("id",) if name.startswith("legacy_v2_tenants") else ()), "agent_id")
    return next((column for column in wanted if column in columns), None)


def _sorted(parents: dict[str, set[str]]) -> list[str]:
    """Return names so that each comes after its parents; those that refer to each other, in their order."""
    order: list[str] = []
    waiting = sorted(parents, key=lambda name: (name != "tenants", name != "agents", name))
    while waiting:
        ready = next((name for name in waiting if parents[name] <= set(order)), waiting[0])
        order.append(ready)
        waiting.remove(ready)
    return order


def names(columns: Sequence[Column]) -> list[str]:
    """Return the names of columns."""
    return [column.name for column in columns]
