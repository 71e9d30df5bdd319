"""Which tables are guarded, and whose rows of them a scope reaches."""

# ruff: noqa: SLF001 - Peewee keeps what its objects are in private attributes

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import peewee
from peewee import ModelAlias, Table

from maimdb.core import fragments
from maimdb.core.errors import CrossTenantError, NoScopeError, RawSqlRefusedError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from maimdb.core.scope import Scope


@dataclass(frozen=True, slots=True)
class Guard:
    """How a table tells whose each row is."""

    table: str
    column: str = "tenant_id"
    control: bool = False
    """Whether the table belongs to the control plane, which the standalone scope reaches."""


_internals: Any = peewee  # its stubs leave out what is not documented
is_model: Callable[[Any], bool] = _internals.is_model


class _Anyone:
    """Stands for no predicate at all."""


ANYONE: Final = _Anyone()
_guards: dict[str, Guard] = {}


def guard(table: str, column: str = "tenant_id", *, control: bool = False) -> Guard:
    """Confine a table from now on; models of `maimdb.core.models` do it for themselves."""
    entry = Guard(table, column, control)
    _guards[table.casefold()] = entry
    _names.cache_clear()
    name_pattern.cache_clear()
    return entry


def guard_of(source: Any) -> Guard | None:
    """Return the guard of a model, an alias, a query builder's table or a table's name."""
    if is_model(source):
        name = source._meta.table_name
    elif isinstance(source, ModelAlias):
        name = source.model._meta.table_name
    elif isinstance(source, Table):
        name = source.__name__
    else:
        name = source
    return _guards.get(name) or _guards.get(str(name).casefold())


def find_source(sql: str, *, business_only: bool) -> str | None:
    """Return where a statement reads or writes a guarded table."""
    names = _names(business_only=business_only)
    lowered = sql.lower()
    if not any(name in lowered for name in names):  # most statements; the pattern costs ten times as much
        return None
    found = _source_pattern(names).search(sql)
    return found.group() if found else None


_source_pattern = lru_cache(maxsize=8)(fragments.source_pattern)


@lru_cache(maxsize=4)
def name_pattern(*, business_only: bool) -> re.Pattern[str]:
    """Return the pattern of a guarded table anywhere in a statement."""
    return fragments.name_pattern(_names(business_only=business_only))


@lru_cache(maxsize=4)
def _names(*, business_only: bool) -> frozenset[str]:
    return frozenset(name for name, entry in _guards.items() if not (business_only and entry.control))


def owner_in(scope: Scope, entry: Guard, *, strict: bool = False) -> Any:
    """Return the tenant that the scope confines a table to, None for rows without one, or ANYONE."""
    if scope.system:
        return ANYONE
    if scope.tenant is not None:
        return scope.tenant
    if strict:
        raise NoScopeError(
            f"table {entry.table!r} was used with no scope: use `with tenant_scope(tenant_id):`"
        )
    return ANYONE if entry.control else None


def refuse_raw(sql: str, scope: Scope, *, strict: bool = False) -> None:
    """Raise unless a raw statement may run in the scope.

    In a tenant scope only transaction control may; in the standalone scope what names no business table.
    """
    if scope.system or fragments.is_transaction_control(sql):
        return
    if scope.tenant is not None:
        raise RawSqlRefusedError(
            f"raw SQL inside the scope of tenant {scope.tenant!r} cannot be confined to it: use the models, "
            "or cross with system_scope(reason=…)",
            tenant=scope.tenant,
            sql=sql,
        )
    if fragments.changes_only_schema(sql):
        return
    if found := name_pattern(business_only=not strict).search(sql):
        raise RawSqlRefusedError(
            f"raw SQL names {found.group()!r}, whose rows have owners: use the model, or "
            "system_scope(reason=…)",
            sql=sql,
        )


def refuse_other(entry: Guard, value: Any, owner: Any, scope: Scope) -> None:
    """Raise unless a value for the tenant's column is the one that the scope confines the table to."""
    if value != owner:
        raise CrossTenantError(
            f"a row of {entry.table!r} was to be written for tenant {value!r} inside the scope of {owner!r}: "
            "leave the column to the scope, or cross with system_scope(reason=…)",
            tenant=scope.tenant,
            table=entry.table,
            other=value,
        )
