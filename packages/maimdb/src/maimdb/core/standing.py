"""What a tenant may do now: everything, read, or nothing; asked of `tenants` at most once a second.

The gate asks before each statement in a tenant's scope. A scope inside a system scope is not asked: an
operator may export a suspended tenant. A tenant that has no row, or a database that has no such table, is not
held up.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import nullcontext
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import peewee

from maimdb.core.errors import TenantSuspendedError
from maimdb.core.fragments import is_transaction_control
from maimdb.core.scope import internal_scope

if TYPE_CHECKING:
    from maimdb.core.scope import Scope

SECONDS: Final = 0.5
"""How long an answer is believed."""
READS: Final = "suspended_reads"
"""The key of `tenant_config` that lets a suspended tenant read."""
_WRITES: Final = re.compile(r"\b(?:insert|update|delete|replace|merge|for\s+update)\b", re.IGNORECASE)


class Access(IntEnum):
    """What a tenant may do."""

    NOTHING = 0
    READ = 1
    ALL = 2


class Standings:
    """The tenants' access in one database."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Access, str]] = {}

    def admit(self, database: Any, scope: Scope, sql: str) -> None:
        """Raise unless the tenant of a scope may run a statement.

        Raises:
            TenantSuspendedError: with the tenant and its status.
        """
        tenant = str(scope.tenant)
        found = self._known.get(tenant)
        if found is None or found[0] < time.monotonic():
            found = self._ask(database, tenant)
        access = found[1]
        if access is Access.ALL or scope.exempt:
            return
        if is_transaction_control(sql) or (access is Access.READ and _reads(sql)):
            return
        raise TenantSuspendedError(
            f"tenant {tenant!r} is {found[2]}: {'it may only read' if access else 'it may do nothing'} until "
            "it is reactivated",
            tenant=tenant,
            status=found[2],
        )

    def forget(self, tenant: str) -> None:
        """Ask anew about a tenant."""
        self._known.pop(tenant, None)

    def _ask(self, database: Any, tenant: str) -> tuple[float, Access, str]:
        now = time.monotonic()
        sql = f"SELECT status, tenant_config FROM tenants WHERE id = {database.param}"  # noqa: S608
        # On PostgreSQL a table that is missing would end the transaction.
        risky = isinstance(database, peewee.PostgresqlDatabase) and database.in_transaction()
        with internal_scope():
            try:
                with database.savepoint() if risky else nullcontext():
                    row = database.execute_sql(sql, (tenant,)).fetchone()
            except (peewee.ProgrammingError, peewee.OperationalError):
                row = None
        status = str(row[0]) if row else "active"
        found = (now + SECONDS, access_of(status, row[1] if row else None), status)
        self._known[tenant] = found
        return found


def access_of(status: str, config: str | None) -> Access:
    """Return what a tenant of a status and configuration may do."""
    if status == "active":
        return Access.ALL
    if status == "inactive":
        return Access.READ
    try:
        reads = json.loads(config or "{}").get(READS) is True
    except (ValueError, AttributeError):
        reads = False
    return Access.READ if reads else Access.NOTHING


def _reads(sql: str) -> bool:
    return sql.lstrip("( ")[:5].upper() in {"SELEC", "WITH "} and not _WRITES.search(sql)
