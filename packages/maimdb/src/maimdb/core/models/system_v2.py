"""The control plane: tenants, their agents, the keys to them, and which agents are awake.

A tenant's configuration may limit how many agents that are not archived (`max_agents`) and active keys
(`max_keys`) it has; `create()` and `save()` hold to it, however many threads and processes there are.
Deleting an agent deletes its keys and its active state. A tenant that has agents, and an agent that has
business rows, cannot be deleted.
"""

# ruff: noqa: D106, RUF012 - Peewee reads a model's options from its class Meta

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import peewee
from peewee import CompositeKey, IntegerField

from maimdb.core import audit, key_text
from maimdb.core.errors import LimitExceededError, ValidationError
from maimdb.core.models.base import BaseModel, Record, new_id, one_of, references
from maimdb.core.models.fields import (
    ChoiceField,
    JSONTextField,
    LongTextField,
    StringField,
    UTCDateTimeField,
    parse_json,
    to_json,
    utc_now,
)
from maimdb.core.prepared import database_of
from maimdb.core.scope import current_tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Agent",
    "AgentActiveState",
    "AgentStatus",
    "ApiKey",
    "ApiKeyStatus",
    "BaseModel",
    "Tenant",
    "TenantStatus",
    "TenantType",
]


class TenantType(str, Enum):  # noqa: UP042 - callers depend on (str, Enum)
    """What a tenant is."""

    PERSONAL = "personal"
    ENTERPRISE = "enterprise"


class TenantStatus(str, Enum):  # noqa: UP042
    """Whether a tenant may work."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class AgentStatus(str, Enum):  # noqa: UP042
    """Whether an agent may work."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class ApiKeyStatus(str, Enum):  # noqa: UP042
    """Whether a key opens anything."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"


class Tenant(BaseModel):
    """A customer, whose rows no other sees."""

    id_prefix = "tenant"

    id = StringField(50, primary_key=True, default=partial(new_id, "tenant"))
    tenant_name = StringField(100, unique=True)
    tenant_type = ChoiceField(TenantType, default=TenantType.PERSONAL.value)
    description = LongTextField(null=True)
    contact_email = StringField(255, null=True)
    tenant_config = JSONTextField(null=True)
    status = ChoiceField(TenantStatus, default=TenantStatus.ACTIVE.value)
    owner_id = StringField(50, null=True)

    class Meta:
        table_name = "tenants"
        tenant_column = "id"
        control = True
        constraints = [
            one_of("tenants", "tenant_type", TenantType),
            one_of("tenants", "status", TenantStatus),
        ]

    @property
    def is_active(self) -> bool:
        """Whether the tenant may work."""
        return bool(self.status == TenantStatus.ACTIVE)

    def get_config(self) -> dict[str, Any]:
        """Return what `tenant_config` holds."""
        return _object(self.tenant_config, "tenants.tenant_config")

    def set_config(self, config: dict[str, Any]) -> None:
        """Put a configuration into `tenant_config`; `save()` writes it."""
        self.tenant_config = to_json(config, field="tenants.tenant_config")


class Agent(BaseModel):
    """An AI assistant of a tenant."""

    id_prefix = "agent"

    id = StringField(50, primary_key=True, default=partial(new_id, "agent"))
    tenant_id = StringField(50, index=True, default=current_tenant)
    name = StringField(100)
    description = LongTextField(null=True)
    template_id = StringField(50, null=True)
    config = JSONTextField(null=True)
    status = ChoiceField(AgentStatus, default=AgentStatus.ACTIVE.value)

    class Meta:
        table_name = "agents"
        control = True
        depends_on = [Tenant]
        indexes = [(("tenant_id", "id"), True)]  # what the composite foreign keys refer to
        constraints = [
            references("agents", "tenant_id", "tenants (id)"),
            one_of("agents", "status", AgentStatus),
        ]

    @property
    def is_active(self) -> bool:
        """Whether the agent may work."""
        return bool(self.status == AgentStatus.ACTIVE)

    def get_config(self) -> dict[str, Any]:
        """Return what `config` holds."""
        return _object(self.config, "agents.config")

    def set_config(self, config: dict[str, Any]) -> None:
        """Put a configuration into `config`; `save()` writes it."""
        self.config = to_json(config, field="agents.config")

    def save(self, force_insert: bool = False, only: Any = None) -> Any:  # noqa: FBT001, FBT002
        """Insert or update the agent.

        Raises:
            LimitExceededError: the tenant has as many agents as its configuration allows.
        """
        if not (force_insert or self._new):
            return super().save(force_insert=force_insert, only=only)
        with _room(self, "max_agents", Agent.status != AgentStatus.ARCHIVED.value):
            return super().save(force_insert=force_insert, only=only)


class ApiKey(BaseModel):
    """A key to an agent. The table holds only a hash; the text is on the instance that was just made."""

    id_prefix = "key"
    replaces: str | None = None
    """The id of the key whose place a new one takes."""

    id = StringField(50, primary_key=True, default=partial(new_id, "key"))
    tenant_id = StringField(50, index=True, default=current_tenant)
    agent_id = StringField(50, index=True)
    name = StringField(100, default="")
    description = LongTextField(null=True)
    key_hash = StringField(64, unique=True)
    pepper = StringField(8, null=True)
    """The name of the pepper that the hash was made with; NULL: a plain SHA-256 of an earlier version."""
    rate_limit = IntegerField(null=True)
    """Requests a minute; NULL: as the tenant's configuration says."""
    permissions = JSONTextField(default="[]")
    status = ChoiceField(ApiKeyStatus, default=ApiKeyStatus.ACTIVE.value)
    expires_at = UTCDateTimeField(null=True)
    last_used_at = UTCDateTimeField(null=True)
    usage_count = IntegerField(default=0)

    class Meta:
        table_name = "api_keys"
        control = True
        depends_on = [Tenant, Agent]
        indexes = [(("tenant_id", "agent_id"), False)]
        constraints = [
            references("api_keys", "tenant_id, agent_id", "agents (tenant_id, id)", cascade=True),
            one_of("api_keys", "status", ApiKeyStatus),
        ]

    @property
    def api_key(self) -> str | None:
        """The key's text: on the instance that was created, never on one that was read."""
        return self.__dict__.get("_text")

    @api_key.setter
    def api_key(self, text: str) -> None:
        if not isinstance(text, str) or not text.strip():
            raise ValidationError("api_key is empty: pass the key's text, or leave it out to have one made")
        if not key_text.parse(text).known:
            raise ValidationError(
                f"api_key begins with {key_text.PREFIX!r} as keys of MaimDB do: use another text"
            )
        self._take(text)

    def _take(self, text: str) -> None:
        self.__dict__["_text"] = text
        self.key_hash, self.pepper = key_text.digest(text)

    @classmethod
    def get_by_text(cls, text: str) -> Self | None:
        """Return the key of this text, whatever its state; None: there is none in the scope."""
        if not isinstance(text, str) or not key_text.parse(text).known:
            return None
        hashes = key_text.digests(text)
        found = cls.select().where(cls.key_hash.in_(list(hashes.values())))
        return next((key for key in found if hashes.get(key.pepper) == key.key_hash), None)

    @classmethod
    def verify(cls, text: str) -> Self | None:
        """Return the key of this text if it is active; `api_keys.verify` looks at its tenant too."""
        key = cls.get_by_text(text)
        return key if key is not None and key.is_active else None

    @property
    def is_active(self) -> bool:
        """Whether the key opens anything now."""
        return self.status == ApiKeyStatus.ACTIVE and not self.is_expired()

    def is_expired(self) -> bool:
        """Return whether the key's time is over."""
        expires_at = type(self).expires_at.python_value(self.expires_at)
        return expires_at is not None and expires_at <= utc_now()

    def get_permissions(self) -> list[str]:
        """Return what `permissions` holds."""
        permissions = parse_json(self.permissions, [], field="api_keys.permissions")
        if permissions is None:
            return []
        if not isinstance(permissions, list):
            raise ValidationError("api_keys.permissions holds no list", field="api_keys.permissions")
        return permissions

    def set_permissions(self, permissions: list[str]) -> None:
        """Put permissions into `permissions`; `save()` writes them."""
        self.permissions = to_json(list(permissions), field="api_keys.permissions")

    def has_permission(self, permission: str) -> bool:
        """Return whether the key has a permission."""
        return permission in self.get_permissions()

    def save(self, force_insert: bool = False, only: Any = None) -> Any:  # noqa: FBT001, FBT002
        """Insert or update the key; a new one without a text is given one. Recorded in the audit log.

        Raises:
            LimitExceededError: the tenant has as many keys as its configuration allows.
        """
        if force_insert or self._new:
            if self.key_hash is None:
                self._take(key_text.make(self.id))
            limit = "" if self.replaces else "max_keys"
            with _room(self, limit, ApiKey.status == ApiKeyStatus.ACTIVE.value):
                rows = super().save(force_insert=force_insert, only=only)
                facts = {"expires_at": self.expires_at, "permissions": self.permissions}
                if self.replaces:
                    self._record("key.rotated", replaces=self.replaces, **facts)
                else:
                    self._record("key.issued", **facts)
            return rows
        changed = {field.name for field in self.dirty_fields} & {"status", "permissions", "expires_at"}
        if not changed:
            return super().save(force_insert=force_insert, only=only)
        with database_of(type(self)).atomic():
            rows = super().save(force_insert=force_insert, only=only)
            if rows:
                self._record("key.changed", **{name: getattr(self, name) for name in changed})
        return rows

    def delete_instance(self, *args: Any, **kwargs: Any) -> Any:
        """Delete the key. Recorded in the audit log."""
        with database_of(type(self)).atomic():
            rows = super().delete_instance(*args, **kwargs)
            if rows:
                self._record("key.deleted")
        return rows

    def _record(self, kind: str, **details: Any) -> None:
        audit.record(kind, self.id, tenant_id=self.tenant_id, agent=self.agent_id, **details)


class AgentActiveState(Record):
    """When an agent was last seen, and until when that counts."""

    tenant_id = StringField(50, default=current_tenant)
    agent_id = StringField(50)
    last_seen_at = UTCDateTimeField(default=utc_now)
    ttl_seconds = IntegerField(default=300)
    expires_at = UTCDateTimeField(index=True)

    class Meta:
        table_name = "agent_active_states"
        control = True
        primary_key = CompositeKey("tenant_id", "agent_id")
        depends_on = [Tenant, Agent]
        constraints = [
            references("agent_active_states", "tenant_id, agent_id", "agents (tenant_id, id)", cascade=True)
        ]

    @property
    def is_active(self) -> bool:
        """Whether the agent counts as awake."""
        expires_at = type(self).expires_at.python_value(self.expires_at)
        return expires_at is not None and expires_at > utc_now()

    def save(self, force_insert: bool = False, only: Any = None) -> Any:  # noqa: FBT001, FBT002
        """Insert or update the state; without `expires_at` it ends `ttl_seconds` after `last_seen_at`."""
        if self.expires_at is None:
            self.expires_at = self.last_seen_at + dt.timedelta(seconds=self.ttl_seconds)
        return super().save(force_insert=force_insert, only=only)


@contextmanager
def _room(row: Agent | ApiKey, limit: str, counted: Any) -> Iterator[None]:
    """Open a transaction in which the tenant has room for one more row, if its configuration sets a limit."""
    model = type(row)
    tenant = Tenant.select(Tenant.tenant_config).where(Tenant.id == row.tenant_id)
    database = database_of(model)
    with database.atomic():
        found = tenant.get_or_none() if limit else None
        if found is not None and limit in (found.tenant_config or ""):
            # The row is locked, so that who comes second counts what the first has added.
            if not isinstance(database, peewee.SqliteDatabase):
                found = tenant.for_update().get()
            most = found.get_config().get(limit)
            if isinstance(most, int) and not isinstance(most, bool):
                rows = model.select(peewee.fn.COUNT(model.id)).where(
                    model.tenant_id == row.tenant_id, counted
                )
                if isinstance(database, peewee.MySQLDatabase):  # else it counts what it saw before the lock
                    rows = rows.for_update()
                count = rows.scalar()
                if count >= most:
                    raise LimitExceededError(
                        f"tenant {row.tenant_id!r} has {count} of {most} rows in {model._meta.table_name!r}: "  # noqa: SLF001
                        f"raise {limit!r} in its tenant_config, or archive or disable what is not used",
                        tenant=row.tenant_id,
                        limit=most,
                    )
        yield


def _object(text: str | None, field: str) -> dict[str, Any]:
    config = parse_json(text, {}, field=field)
    if config is None:  # JSON's null, as callers write where nothing is configured
        return {}
    if not isinstance(config, dict):
        raise ValidationError(f"{field} holds no object", field=field, value=text)
    return config
