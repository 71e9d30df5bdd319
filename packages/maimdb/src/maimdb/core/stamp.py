"""What the gate makes of a statement that writes: the tenant's own rows, and no others."""

# ruff: noqa: SLF001 - Peewee keeps what its objects are in private attributes

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import peewee
from peewee import (
    SQL,
    Case,
    Column,
    CompoundSelectQuery,
    Entity,
    Expression,
    Field,
    Model,
    Node,
    NodeList,
    Select,
    Value,
    fn,
)

from maimdb.core.errors import CrossTenantError, ScopeError
from maimdb.core.guards import Guard, is_model, refuse_other

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from maimdb.core.scope import Scope


class Stamp:
    """Puts the scope's tenant on what an INSERT writes."""

    def __init__(self, scope: Scope, entry: Guard, owner: Any, table: Any) -> None:
        self.scope = scope
        self.entry = entry
        self.owner = owner
        self.table = table
        self.column: Any = (
            table._meta.columns[entry.column] if is_model(table) else Column(table, entry.column)
        )

    def apply(self, query: Any) -> None:
        """Change the (copied) INSERT so that each row is the scope's own."""
        rows = query._insert
        if isinstance(rows, SQL) or (isinstance(rows, peewee.SelectQuery) and not query._columns):
            raise self._not_a_query()
        if isinstance(rows, peewee.SelectQuery):
            position = self._position(query._columns)
            query._columns = [self.column, *_without(query._columns, position)]
            query._insert = self._project(rows, position)
        elif isinstance(rows, Mapping) and not query._columns:
            query._insert = self._mapping(rows)
        elif rows is not None:
            self._rows(query, iter(rows))

    def _rows(self, query: Any, rows: Iterator[Any]) -> None:
        first = next(rows, None)
        if first is None:
            query._insert = ()
            return
        columns = query._columns
        if not columns and not isinstance(first, Mapping):
            columns = query.get_default_columns()
        position = self._position(columns or ())
        if columns:
            query._columns = [self.column, *_without(columns, position)]
        query._insert = (
            self._mapping(row) if isinstance(row, Mapping) else self._sequence(row, position)
            for row in chain((first,), rows)
        )

    def _position(self, columns: Iterable[Any]) -> int | None:
        names = [column_name(self.table, column) for column in columns]
        if names.count(self.entry.column) > 1:
            raise ScopeError(f"{self.entry.column!r} is named twice", tenant=self.scope.tenant)
        return names.index(self.entry.column) if self.entry.column in names else None

    def _check(self, value: Any) -> None:
        if value is not None:
            check_owner(self.scope, self.entry, value, self.owner)

    def _mapping(self, row: Mapping[Any, Any]) -> dict[Any, Any]:
        stamped = {self.column: self.owner}
        for key, value in row.items():
            if column_name(self.table, key) == self.entry.column:
                self._check(value)
            else:
                stamped[key] = value
        return stamped

    def _sequence(self, row: Sequence[Any], position: int | None) -> list[Any]:
        if position is not None and position < len(row):
            self._check(row[position])
        return [self.owner, *_without(row, position)]

    def _project(self, query: Any, position: int | None) -> Any:
        """Return the SELECT with the tenant as its first column, in each member of a compound."""
        query = twin(query)
        if isinstance(query, CompoundSelectQuery):
            query.lhs, query.rhs = self._project(query.lhs, position), self._project(query.rhs, position)
        elif isinstance(query, Select):
            selected = list(query._returning)  # type: ignore[attr-defined]
            if position is not None and type(selected[position]) is Value:
                self._check(selected[position].value)
            stamped = [owner_value(self.owner), *_without(selected, position)]
            query._returning = stamped  # type: ignore[attr-defined]
            query._is_default = False  # type: ignore[attr-defined]
        else:
            raise self._not_a_query()
        return query

    def _not_a_query(self) -> ScopeError:
        return ScopeError(
            f"INSERT … SELECT into {self.entry.table!r} needs its columns, and a SELECT of nodes",
            tenant=self.scope.tenant,
        )


def check_owner(scope: Scope, entry: Guard, value: Any, owner: Any) -> None:
    """Raise unless the value written to the tenant's column is the scope's own tenant, and no expression."""
    if isinstance(value, Model):
        value = value._pk  # type: ignore[attr-defined]
    elif type(value) is Value:
        value = value.value
    if isinstance(value, Node):
        raise CrossTenantError(
            f"{entry.table}.{entry.column} was to be written by an expression: leave the column to the scope",
            tenant=scope.tenant,
            table=entry.table,
        )
    refuse_other(entry, value, owner, scope)


def owner_value(owner: Any) -> Node:
    """Return the node that stands for a tenant in a statement."""
    return owner if isinstance(owner, Node) else Value(owner, converter=False)


def is_owned(column: Node, owner: Any) -> Expression:
    """Return the predicate that a row is the tenant's, or of no tenant."""
    if owner is None:
        return Expression(column, peewee.OP.IS, None)
    return Expression(column, peewee.OP.EQ, owner_value(owner))


def conjunction(parts: Sequence[Any]) -> Any:
    """Return the conditions joined by AND."""
    result = parts[0]
    for part in parts[1:]:
        result = Expression(result, peewee.OP.AND, part)
    return result


def enclosed(where: Any) -> list[Any]:
    """Return the condition in parentheses: a fragment such as `1=1 OR 1=1` must not reach past them."""
    return [] if where is None else [NodeList((where,), parens=True)]


def twin(query: Any) -> Any:
    """Return a copy that Peewee takes for the same source; `clone()` would change its hash and alias."""
    copy = query.__class__.__new__(query.__class__)
    copy.__dict__.update(query.__dict__)
    return copy


def column_name(table: Any, key: Any) -> str:
    """Return the column that a key of a write means."""
    if isinstance(key, str):
        field = table._meta.combined.get(key) if is_model(table) else None
        return field.column_name if field is not None else key.casefold()
    if isinstance(key, Field):
        return str(key.column_name)
    if isinstance(key, Column):
        return str(key.name).casefold()
    if isinstance(key, Entity):
        return str(key._path[-1]).casefold()
    raise ScopeError(f"{key!r} is no column that the gate knows: use the model's field")


def guarded_assignments(table: Any, name: str, conflict: Any, owned: Node, function: str) -> dict[Any, Any]:
    """Return an upsert's assignments so that each keeps the old value of a row that is not the scope's own.

    MySQL's ON DUPLICATE KEY UPDATE has no WHERE; `function` is its name for the value to be inserted.
    """
    changes: dict[Any, Any] = {}
    for column in conflict._preserve or ():
        entity = column if isinstance(column, Node) else Entity(column)
        changes[entity] = getattr(fn, function)(entity)
    for key, value in (conflict._update or {}).items():
        column = getattr(table, key) if isinstance(key, str) else key
        if isinstance(column, Field) and (isinstance(value, Model) or not isinstance(value, Node)):
            changes[column] = column.to_value(value)
        else:
            changes[column] = value if isinstance(value, Node) else Value(value, unpack=False)
    return {
        column: Case(None, ((owned, value),), Entity(name, column_name(table, column)))
        for column, value in changes.items()
    }


def _without(items: Sequence[Any], position: int | None) -> list[Any]:
    return list(items) if position is None else [*items[:position], *items[position + 1 :]]
