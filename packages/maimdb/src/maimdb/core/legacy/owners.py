"""The tenant and agent that a bot's file is imported for, by their names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.errors import LegacyImportError

if TYPE_CHECKING:
    from datetime import datetime

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAME: Final = 100


def find_owner(database: Any, tenant: str, agent: str) -> tuple[str, str]:
    """Return the ids of a tenant and its agent: of those that there are, new ones of those to be made.

    Raises:
        LegacyImportError: a name does not fit, or several agents have it.
    """
    for what, name in (("tenant", tenant), ("agent", agent)):
        if len(name) > _NAME or not name.isprintable() or not name.strip():
            raise LegacyImportError(f"--{what} {name!r} is no name: use 1 to {_NAME} printable characters")
    mark = database.param
    found = database.execute_sql(f"SELECT id FROM tenants WHERE tenant_name = {mark}", (tenant,)).fetchone()  # noqa: S608
    if found is None:
        return _new_id("tenant"), _new_id("agent")
    agents = database.execute_sql(
        f"SELECT id FROM agents WHERE tenant_id = {mark} AND name = {mark}",  # noqa: S608
        (found[0], agent),
    ).fetchall()
    if len(agents) > 1:
        raise LegacyImportError(f"tenant {tenant!r} has {len(agents)} agents named {agent!r}: rename one")
    return found[0], agents[0][0] if agents else _new_id("agent")


def make_owner(database: Any, tenant: str, agent: str, ids: tuple[str, str], now: datetime) -> None:
    """Insert the tenant and the agent where they are missing."""
    times = {"created_at": now, "updated_at": now, "status": "active"}
    for table, key, values in (
        ("tenants", ids[0], {"tenant_name": tenant, "tenant_type": "personal"}),
        ("agents", ids[1], {"tenant_id": ids[0], "name": agent}),
    ):
        if database.execute_sql(f"SELECT 1 FROM {table} WHERE id = {database.param}", (key,)).fetchone():  # noqa: S608
            continue
        row = {"id": key, **times, **values}
        database.execute_sql(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join([database.param] * len(row))})",  # noqa: S608
            tuple(row.values()),
        )


def _new_id(prefix: str) -> str:
    return f"{prefix}_" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(8))
