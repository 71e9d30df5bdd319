"""Deleting a tenant, with proof that none of its rows is left.

Every table that carries the tenant is found by looking at the database itself, not at the models: those with
a column `tenant_id`, and those with a column `agent_id` alone, whose rows of the tenant's agents go too
(tables of earlier versions among them). In `legacy_*` tables an agent's rows go even if they name no tenant,
and so do a tenant and agents that stand there only. The audit log stays: it proves what was done.
"""

# ruff: noqa: S608 - every name is quoted, every value a parameter

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from maimdb.core import api_keys, audit
from maimdb.core.database import get_database
from maimdb.core.errors import LifecycleError
from maimdb.core.lifecycle import suspend
from maimdb.core.scope import system_scope
from maimdb.core.standing import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maimdb.core.database import Engine

KEPT: Final = frozenset({audit.TABLE, audit.HEAD})
_ROUNDS: Final = 3
"""How often rows that were written meanwhile, past the gate, are deleted once more."""
_CHUNK: Final = 500
_LEGACY: Final = "legacy_"
_ADOPTED: Final = f"{_LEGACY}v2_"
"""What tables of an earlier V2 are called that stay when it is adopted; their ids are the tenants' own."""


@dataclass(frozen=True, slots=True)
class Count:
    """A table's rows of the tenant."""

    table: str
    column: str
    """The one that says whose a row is."""
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DeletionReport:
    """What was deleted, and that nothing is left; `hash` signs it, and the audit log holds the hash."""

    tenant_id: str
    tenant_name: str
    engine: str
    target: str
    """The database's URL, its password masked."""
    deleted_at: str
    tables: tuple[Count, ...]
    kept: dict[str, int]
    """Rows of the audit log that name the tenant."""
    hash: str

    @property
    def rows(self) -> int:
        """How many rows were deleted."""
        return sum(count.before - count.after for count in self.tables)

    @property
    def left(self) -> int:
        """How many rows are left: none."""
        return sum(count.after for count in self.tables)

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)


@dataclass(frozen=True, slots=True)
class _Carrier:
    table: str
    column: str
    values: tuple[str, ...]
    agents: tuple[str, ...] = ()
    """Whose rows go even if `column` is empty."""


def delete_tenant(tenant_id: str) -> DeletionReport:
    """Delete a tenant and every row that carries it; return what was deleted, signed.

    The tenant is suspended first, so that nothing is written in its scope meanwhile.

    Raises:
        LifecycleError: there is no such tenant, or rows are written past the gate faster than they go.
        peewee.IntegrityError: a table that does not carry the tenant refers to a row that is to go.
    """
    name = suspend(tenant_id, reason="deletion").tenant_name
    time.sleep(SECONDS)  # until every process has heard of it
    database = get_database()
    with system_scope(reason=f"deletion of tenant {tenant_id}"):
        carriers = _carriers(database, tenant_id)
        before = {carrier: _count(database, carrier) for carrier in carriers}
        for _ in range(_ROUNDS):
            report = database.run_unit(partial(_delete, database, tenant_id, name, before))
            left = {carrier: _count(database, carrier) for carrier in carriers}
            if not any(left.values()):
                break
            before = {carrier: before[carrier] + left[carrier] for carrier in carriers}
        else:
            tables = ", ".join(carrier.table for carrier, rows in left.items() if rows)
            raise LifecycleError(
                f"rows of tenant {tenant_id!r} are written to {tables} while they are deleted: stop the "
                "programs that write past the gate, and delete again"
            )
    database.forget_standing(tenant_id)
    api_keys.forget_tenant(tenant_id)
    return report


def is_genuine(report: DeletionReport) -> bool:
    """Return whether a report is as it was signed, and the audit log holds its hash."""
    if report.hash != _hash(report):
        return False
    found = audit.events(tenant_id=report.tenant_id, kind="tenant.deleted")
    return any(json.loads(event.details).get("report") == report.hash for event in found)


def count_rows(tenant_id: str) -> dict[str, int]:
    """Return how many rows of a tenant each table that carries it has."""
    database = get_database()
    with system_scope(reason=f"rows of tenant {tenant_id}"):
        return {each.table: _count(database, each) for each in _carriers(database, tenant_id)}


def _carriers(database: Engine, tenant_id: str) -> list[_Carrier]:
    """Return the tables that carry a tenant, those that refer to others first."""
    tables = {
        table: {column.name.lower(): column.name for column in database.get_columns(table)}
        for table in database.get_tables()
        if table not in KEPT
    }
    agents = _agents(database, tenant_id, tables)
    found: dict[str, _Carrier] = {}
    for table, columns in tables.items():
        legacy = table.startswith(_LEGACY)
        if table == "tenants":
            found[table] = _Carrier(table, "id", (tenant_id,))
        elif "tenant_id" in columns:
            own = agents if legacy and "agent_id" in columns else ()
            found[table] = _Carrier(table, columns["tenant_id"], (tenant_id,), own)
        elif table.startswith(f"{_ADOPTED}tenants") and "id" in columns:
            found[table] = _Carrier(table, columns["id"], (tenant_id,))
        elif "agent_id" in columns:
            found[table] = _Carrier(table, columns["agent_id"], agents)
    return [found[table] for table in _children_first(database, found)]


def _agents(database: Engine, tenant_id: str, tables: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the ids of a tenant's agents, and of those that an earlier version had."""
    ids: dict[str, None] = {}
    for table, columns in tables.items():
        old = table.startswith(f"{_ADOPTED}agents") and {"id", "tenant_id"} <= columns.keys()
        if table == "agents" or old:
            sql = f"SELECT id FROM {_quoted(database, table)} WHERE tenant_id = {database.param}"
            ids |= {str(row[0]): None for row in database.execute_sql(sql, (tenant_id,)).fetchall()}
    return tuple(ids)


def _children_first(database: Engine, tables: Iterable[str]) -> list[str]:
    waiting = dict.fromkeys(sorted(tables))
    parents = {
        table: {key.dest_table for key in database.get_foreign_keys(table)} - {table} for table in waiting
    }
    ordered: list[str] = []
    while waiting:
        free = [table for table in waiting if not any(table in parents[other] for other in waiting)]
        for table in free or list(waiting):  # those of a ring in any order: the database says if it minds
            ordered.append(table)
            del waiting[table]
    return ordered


def _delete(database: Engine, tenant_id: str, name: str, before: dict[_Carrier, int]) -> DeletionReport:
    """Delete the rows and record it; return the report."""
    if database.config.engine != "sqlite":  # which locks everything when the transaction begins
        database.execute_sql(f"SELECT id FROM tenants WHERE id = {database.param} FOR UPDATE", (tenant_id,))
    for carrier in before:
        for test, values in _tests(database, carrier):
            database.execute_sql(f"DELETE FROM {_quoted(database, carrier.table)} WHERE {test}", values)
    counts = tuple(
        Count(each.table, each.column, rows, _count(database, each)) for each, rows in before.items()
    )
    report = _signed(database, tenant_id, name, counts)
    audit.record("tenant.deleted", tenant_id, tenant_id=tenant_id, report=report.hash, rows=report.rows)
    return report


def _count(database: Engine, carrier: _Carrier) -> int:
    total = 0
    for test, values in _tests(database, carrier):
        sql = f"SELECT COUNT(*) FROM {_quoted(database, carrier.table)} WHERE {test}"
        total += database.execute_sql(sql, values).fetchone()[0]
    return total


def _tests(database: Engine, carrier: _Carrier) -> list[tuple[str, tuple[str, ...]]]:
    column = _quoted(database, carrier.column)
    return [
        *_are_in(database, column, carrier.values),
        *_are_in(database, f"{column} IS NULL AND agent_id", carrier.agents),
    ]


def _are_in(database: Engine, column: str, values: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    parts = [values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK)]
    return [(f"{column} IN ({', '.join([database.param] * len(part))})", part) for part in parts]


def _quoted(database: Engine, name: str) -> str:
    mark = database.quote[0]
    return f"{mark}{name.replace(mark, mark * 2).replace('%', '%%' if database.param == '%s' else '%')}{mark}"


def _signed(database: Engine, tenant_id: str, name: str, counts: tuple[Count, ...]) -> DeletionReport:
    mark = database.param
    kept = {}
    if audit.TABLE in database.get_tables():
        sql = f"SELECT COUNT(*) FROM {audit.TABLE} WHERE tenant_id = {mark}"
        kept[audit.TABLE] = database.execute_sql(sql, (tenant_id,)).fetchone()[0]
    unsigned = DeletionReport(
        tenant_id,
        name,
        database.engine_name,
        database.config.url,
        datetime.now(UTC).isoformat(timespec="microseconds"),
        counts,
        kept,
        "",
    )
    return replace(unsigned, hash=_hash(unsigned))


def _hash(report: DeletionReport) -> str:
    facts: dict[str, Any] = asdict(report)
    del facts["hash"]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
