"""The life of a tenant: created, suspended, reactivated, archived, deleted with proof.

A suspended tenant may do nothing, or only read, as `suspend(reads=…)` says; an archived one may only read.
The gate refuses the rest in the tenant's scope, and `api_keys.verify` its keys, everywhere within a second.
An operator is not held up: neither outside a tenant's scope nor in one inside a system scope.

Each step is recorded in the audit log in the transaction that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import peewee

from maimdb.core import api_keys, audit
from maimdb.core.configuration import tenant_config
from maimdb.core.database import get_database
from maimdb.core.errors import DuplicateError, LifecycleError
from maimdb.core.models.fields import to_json
from maimdb.core.models.system_v2 import Agent, AgentStatus, Tenant, TenantStatus, TenantType
from maimdb.core.standing import READS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CreatedTenant:
    """A tenant, its first agent and the key to it."""

    tenant: Tenant
    agent: Agent | None
    key: api_keys.IssuedKey | None


def create_tenant(
    name: str,
    *,
    agent: str | None = None,
    key: Iterable[str] | None = None,
    key_expires_at: dt.datetime | None = None,
    tenant_type: TenantType | str = TenantType.PERSONAL,
    config: dict[str, Any] | None = None,
    **columns: Any,
) -> CreatedTenant:
    """Create a tenant, an agent of the name `agent` and a key to it with the permissions `key`: all or none.

    Raises:
        DuplicateError: there is a tenant of this name.
        LifecycleError: a key was asked for and no agent.
    """
    if key is not None and agent is None:
        raise LifecycleError("a key opens an agent: name one with agent=…")
    permissions = None if key is None else list(key)

    def create() -> CreatedTenant:
        kind = tenant_type.value if isinstance(tenant_type, TenantType) else tenant_type
        text = None if config is None else to_json(tenant_config(config).given(), field="tenant_config")
        tenant = Tenant.create(tenant_name=name, tenant_type=kind, tenant_config=text, **columns)
        audit.record("tenant.created", tenant.id, tenant_id=tenant.id, name=name)
        if agent is None:
            return CreatedTenant(tenant, None, None)
        first = create_agent(tenant.id, agent)
        if permissions is None:
            return CreatedTenant(tenant, first, None)
        issued = api_keys.issue(tenant.id, first.id, permissions, name=agent, expires_at=key_expires_at)
        return CreatedTenant(tenant, first, issued)

    try:
        return get_database().run_unit(create)
    except DuplicateError as exc:
        raise DuplicateError(
            f"there is a tenant {name!r}: use another name", constraint=exc.constraint
        ) from exc


def create_agent(tenant_id: str, name: str, **columns: Any) -> Agent:
    """Create an agent of a tenant.

    Raises:
        LimitExceededError: the tenant has as many as its configuration allows (`max_agents`).
        LifecycleError: there is no such tenant, or it is not active.
    """

    def create() -> Agent:
        if _locked_tenant(tenant_id).status != TenantStatus.ACTIVE.value:
            raise LifecycleError(f"tenant {tenant_id!r} is not active: reactivate it first")
        agent = Agent.create(tenant_id=tenant_id, name=name, **columns)
        audit.record("agent.created", agent.id, tenant_id=tenant_id, name=name)
        return agent

    return get_database().run_unit(create)


def archive_agent(agent_id: str) -> None:
    """Archive an agent: its rows stay, its keys open nothing.

    Raises:
        LifecycleError: there is no such agent.
    """

    def archive() -> None:
        agent = Agent.get_or_none(Agent.id == agent_id)
        if agent is None:
            raise LifecycleError(
                f"there is no agent {agent_id!r}: `maimdb agents list` shows those there are", missing=True
            )
        Agent.update(status=AgentStatus.ARCHIVED.value).where(Agent.id == agent_id).execute()
        audit.record("agent.archived", agent_id, tenant_id=agent.tenant_id)

    get_database().run_unit(archive)


def suspend(tenant_id: str, *, reads: bool = False, reason: str = "") -> Tenant:
    """Let a tenant do nothing, or only read, until it is reactivated.

    Raises:
        LifecycleError: there is no such tenant.
    """
    return _change(tenant_id, TenantStatus.SUSPENDED, "tenant.suspended", reads=reads, reason=reason or None)


def reactivate(tenant_id: str) -> Tenant:
    """Let a suspended or archived tenant work again.

    Raises:
        LifecycleError: there is no such tenant.
    """
    return _change(tenant_id, TenantStatus.ACTIVE, "tenant.reactivated")


def archive(tenant_id: str) -> Tenant:
    """Let a tenant only read, for good; its keys open nothing.

    Raises:
        LifecycleError: there is no such tenant.
    """
    return _change(tenant_id, TenantStatus.INACTIVE, "tenant.archived")


def _change(tenant_id: str, status: TenantStatus, kind: str, **facts: Any) -> Tenant:
    def change() -> Tenant:
        tenant = _locked_tenant(tenant_id)
        before = tenant.status
        config = tenant.get_config()
        if config.pop(READS, None) is not None or facts.get("reads"):
            tenant.set_config({**config, READS: True} if facts.get("reads") else config)
        tenant.status = status.value
        tenant.save()
        audit.record(kind, tenant_id, tenant_id=tenant_id, before=before, **facts)
        return tenant

    database = get_database()
    changed = database.run_unit(change)
    database.forget_standing(tenant_id)
    api_keys.forget_tenant(tenant_id)
    return changed


def _locked_tenant(tenant_id: str) -> Tenant:
    """Return a tenant whose row nobody else changes until the transaction ends."""
    query = Tenant.select().where(Tenant.id == tenant_id)
    if not isinstance(get_database(), peewee.SqliteDatabase):
        query = query.for_update()
    tenant: Tenant | None = query.get_or_none()
    if tenant is None:
        raise LifecycleError(
            f"there is no tenant {tenant_id!r}: `maimdb tenants list` shows those there are", missing=True
        )
    return tenant
