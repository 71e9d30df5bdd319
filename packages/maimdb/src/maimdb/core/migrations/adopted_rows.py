"""Rows of an earlier V2 as rows of version 1: what fits, what had to be changed, what has no place."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.migrations import definitions
from maimdb.core.migrations.versions.v0001_tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

CLEAR_KEYS: Final = ("api_key", "key", "key_value")
"""What the column of a key's text was called."""
_TYPE: Final = re.compile(r"\s*\w+\s+(\{\w+\}|\w+(?:\((\d+)\))?)(.*)", re.DOTALL)
_CHOICES: Final = {
    ("tenants", "tenant_type"): ("personal", "enterprise"),
    ("tenants", "status"): ("inactive", "active", "suspended"),
    ("agents", "status"): ("inactive", "active", "archived"),
    ("api_keys", "status"): ("disabled", "active", "expired"),
}
"""What a column may hold; the first takes the place of anything else."""
_DEFAULTS: Final[dict[str, Any]] = {
    "tenant_type": "personal",
    "status": "active",
    "permissions": "[]",
    "usage_count": 0,
    "ttl_seconds": 300,
    "message_type": "text",
    "is_active": True,
    "is_public": False,
}
_EMPTY: Final[dict[str, Any]] = {"{double}": 0.0, "{bigint}": 0, "{flag}": False, "INTEGER": 0}
_SPACE: Final = uuid.UUID("6d61696d-6462-5000-8000-000000000000")
_MILLISECONDS: Final = 1e11
"""Seconds since 1970 are fewer, milliseconds more."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of version 1."""

    name: str
    kind: str
    longest: int | None
    required: bool


@dataclass(slots=True)
class Owners:
    """Whose rows there can be."""

    tenants: set[str] = field(default_factory=set)
    agents: dict[str, str] = field(default_factory=dict)
    """The tenant of each agent."""


class UnplacedError(ValueError):
    """A row that version 1 has no place for."""


def columns_of(table: str) -> list[Column]:
    """Return the columns of a table of version 1 that hold something of their own."""
    columns = []
    for item in definitions.parse(TABLES[table]).items:
        name, found = definitions.column_name(item), _TYPE.match(item)
        if name and found and "GENERATED" not in item:
            longest = int(found[2]) if found[2] else None
            columns.append(Column(name, found[1].split("(")[0], longest, "NOT NULL" in found[3]))
    return columns


class Reader:
    """Turns the rows of one table."""

    def __init__(self, table: str, owners: Owners, *, as_uuid: Callable[[uuid.UUID], Any]) -> None:
        self.table = table
        self.columns = columns_of(table)
        self.owners = owners
        self._as_uuid = as_uuid
        self._now = dt.datetime.now(dt.UTC).replace(tzinfo=None)

    def read(self, old: dict[str, Any]) -> tuple[list[Any], list[str]]:
        """Return the values of a row, and what had to be changed.

        Raises:
            UnplacedError: saying why there is no place for it.
        """
        changes: list[str] = []
        row = {column.name: self._value(column, old.get(column.name), changes) for column in self.columns}
        if self.table == "api_keys" and not row["key_hash"]:
            row["key_hash"] = digest_of(old)
        for name, source in (("updated_at", "created_at"), ("last_activity", "created_at")):
            if name in row and old.get(name) is None:
                row[name] = row[source]
        if self.table == "agent_active_states" and old.get("expires_at") is None:
            row["expires_at"] = row["last_seen_at"] + dt.timedelta(seconds=row["ttl_seconds"])
        self._own(row)
        return list(row.values()), changes

    def _own(self, row: dict[str, Any]) -> None:
        if self.table == "tenants":
            return
        tenant, agent = row.get("tenant_id") or None, row.get("agent_id") or None
        if tenant is None and agent is not None:
            tenant = self.owners.agents.get(agent)
            if tenant is None:
                raise UnplacedError(f"there is no agent {agent!r}")
        if tenant is not None and tenant not in self.owners.tenants:
            raise UnplacedError(f"there is no tenant {tenant!r}")
        if agent is not None and self.owners.agents.get(agent) != tenant:
            raise UnplacedError(f"agent {agent!r} is not of tenant {tenant!r}")
        row["tenant_id"] = tenant
        if "agent_id" in row:
            row["agent_id"] = agent

    def _value(self, column: Column, value: Any, changes: list[str]) -> Any:
        if column.kind == "{uuid}":
            return self._uuid(value, changes)
        if value is None:
            return self._default(column) if column.required else None
        if column.kind == "{moment}":
            return _moment(column.name, value)
        if column.kind in {"INTEGER", "{bigint}", "{double}", "{flag}"}:
            return _number(column, value)
        return self._text(column, value.decode() if isinstance(value, bytes) else str(value), changes)

    def _text(self, column: Column, text: str, changes: list[str]) -> str:
        if choices := _CHOICES.get((self.table, column.name)):
            if text.lower() in choices:
                return text.lower()
            changes.append(f"{column.name} {text!r} became {choices[0]!r}")
            return choices[0]
        if column.longest is not None and len(text) > column.longest:
            raise UnplacedError(
                f"{column.name} has {len(text)} characters, and at most {column.longest} have room"
            )
        return text

    def _uuid(self, value: Any, changes: list[str]) -> Any:
        try:
            return self._as_uuid(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))
        except ValueError:
            made = uuid.uuid5(_SPACE, f"{self.table}:{value}")
            changes.append(f"id {value!r} became {made}")
            return self._as_uuid(made)

    def _default(self, column: Column) -> Any:
        if column.name in {"id", "key_hash", "tenant_id", "agent_id"}:
            return None
        if column.kind == "{moment}":
            return self._now
        return _DEFAULTS.get(column.name, _EMPTY.get(column.kind, ""))


def digest_of(old: dict[str, Any]) -> str:
    """Return the SHA-256 of the text of an old row's key."""
    text = next((str(old[name]) for name in CLEAR_KEYS if old.get(name)), None)
    if text is None:
        raise UnplacedError("it has neither a key nor its hash")
    return hashlib.sha256(text.encode()).hexdigest()


def _number(column: Column, value: Any) -> Any:
    try:
        if column.kind == "{double}":
            return float(value)
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise UnplacedError(f"{column.name} is {str(value)[:40]!r}, which is no number") from None
    return bool(number) if column.kind == "{flag}" else number


def _moment(name: str, value: Any) -> dt.datetime:
    try:
        if isinstance(value, dt.datetime):
            moment = value
        elif isinstance(value, int | float):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
            moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
        else:
            moment = dt.datetime.fromisoformat(str(value))
    except (ValueError, OverflowError):
        raise UnplacedError(f"{name} is {str(value)[:40]!r}, which is no moment") from None
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)
