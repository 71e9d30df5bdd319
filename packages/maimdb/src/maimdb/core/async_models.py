"""The models for asyncio: every method of the model under the same name, to be awaited.

    tenant = await AsyncTenant.create(tenant_name="Example", tenant_config={"max_agents": 100})
    agents = await AsyncAgent.select().where(AsyncAgent.tenant_id == tenant.id).order_by(AsyncAgent.name)
    async with unit():
        await agents[0].update(status="archived")

Nothing is done here that the models do not do: a call goes to a thread with the task's context, and what
comes back is wrapped. What differs from the models:

* JSON fields are dicts and lists here, text in the database.
* `get` takes an id, too, and answers None where the model raises DoesNotExist.
* On an instance, `update(**values)` changes and saves these fields, and `delete()` deletes the row.
"""

# ruff: noqa: N805 - a function that `in_model` takes is given the model

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from maimdb.core.async_records import AsyncRecord, in_model
from maimdb.core.database import get_database
from maimdb.core.errors import DuplicateError
from maimdb.core.models import (
    Agent,
    AgentActiveState,
    ApiKey,
    ChatHistory,
    ChatLogs,
    FileUpload,
    SystemMetrics,
    Tenant,
    UserSession,
)
from maimdb.core.models.fields import utc_now
from maimdb.core.units import in_thread, run_unit, unit

__all__ = [
    "AsyncAgent",
    "AsyncAgentActiveState",
    "AsyncApiKey",
    "AsyncChatHistory",
    "AsyncChatLogs",
    "AsyncFileUpload",
    "AsyncRecord",
    "AsyncSystemMetrics",
    "AsyncTenant",
    "AsyncUserSession",
    "in_thread",
    "run_unit",
    "unit",
]

if TYPE_CHECKING:
    import builtins


class AsyncTenant(AsyncRecord, model=Tenant):
    """A customer, whose rows no other sees."""

    @in_model
    def get_by_name(model: type[Tenant], tenant_name: str) -> Tenant | None:
        """Return the tenant of a name."""
        return model.get_or_none(model.tenant_name == tenant_name)

    @in_model
    def get_all(model: type[Tenant], limit: int | None = None, offset: int = 0) -> list[Tenant]:
        """Return tenants in the order in which they were made."""
        return list(model.select().order_by(model.created_at, model.id).limit(limit).offset(offset or None))

    @in_model
    def count(model: type[Tenant]) -> int:
        """Return how many tenants there are."""
        return int(model.select().count())


class AsyncAgent(AsyncRecord, model=Agent):
    """An AI assistant of a tenant."""

    @in_model
    def get_by_tenant(model: type[Agent], tenant_id: str) -> list[Agent]:
        """Return a tenant's agents in the order in which they were made."""
        return list(model.select().where(model.tenant_id == tenant_id).order_by(model.created_at, model.id))

    @in_model
    def get_by_tenant_and_name(model: type[Agent], tenant_id: str, name: str) -> Agent | None:
        """Return a tenant's agent of a name, the oldest if there are several."""
        agents = model.select().where(model.tenant_id == tenant_id, model.name == name)
        first: Agent | None = agents.order_by(model.created_at, model.id).first()
        return first


class AsyncApiKey(AsyncRecord, model=ApiKey):
    """A key to an agent."""

    @in_model
    def get_by_key(model: type[ApiKey], value: str) -> ApiKey | None:
        """Return the key of a text, whatever its status."""
        return model.get_by_text(value)

    @in_model
    def get_by_key_value(
        model: type[ApiKey], api_key: str, tenant_id: str | None = None, agent_id: str | None = None
    ) -> ApiKey | None:
        """Return the key of a text if it is that tenant's and agent's."""
        key = model.get_by_text(api_key)
        if key is None or tenant_id not in {None, key.tenant_id} or agent_id not in {None, key.agent_id}:
            return None
        return key

    @in_model
    def get_by_tenant(model: type[ApiKey], tenant_id: str) -> builtins.list[ApiKey]:
        """Return a tenant's keys in the order in which they were made."""
        return [*model.select().where(model.tenant_id == tenant_id).order_by(model.created_at, model.id)]

    @in_model
    def list(
        model: type[ApiKey],
        tenant_id: str,
        agent_id: str | None = None,
        status: str | None = None,
        page: int = 1,
        page_size: int = 20,
    ) -> tuple[builtins.list[ApiKey], int]:
        """Return a page of a tenant's keys, the newest first, and how many there are in all."""
        keys = model.select().where(model.tenant_id == tenant_id)
        if agent_id is not None:
            keys = keys.where(model.agent_id == agent_id)
        if status is not None:
            keys = keys.where(model.status == status)
        newest = keys.order_by(model.created_at.desc(), model.id.desc())
        return [*newest.paginate(page, page_size)], int(keys.count())


class AsyncAgentActiveState(AsyncRecord, model=AgentActiveState):
    """When an agent was last seen, and until when that counts."""

    @in_model
    def upsert(
        model: type[AgentActiveState], tenant_id: str, agent_id: str, ttl_seconds: int = 300
    ) -> AgentActiveState:
        """Note that an agent was seen now."""

        def note() -> AgentActiveState:
            now = utc_now()
            state = {
                "last_seen_at": now,
                "ttl_seconds": ttl_seconds,
                "expires_at": now + dt.timedelta(seconds=ttl_seconds),
            }
            of_agent = (model.tenant_id == tenant_id) & (model.agent_id == agent_id)
            change = model.update(state).where(of_agent)
            if not change.execute():
                try:
                    with database.atomic():
                        return model.create(tenant_id=tenant_id, agent_id=agent_id, **state)
                except DuplicateError:  # another was faster
                    change.execute()
            return model.get(of_agent)

        database = get_database()
        return database.run_unit(note)

    @in_model
    def list_active(model: type[AgentActiveState]) -> list[AgentActiveState]:
        """Return the states that count now, by the agent that was seen last."""
        return list(model.select().where(model.expires_at > utc_now()).order_by(model.last_seen_at.desc()))


class AsyncChatHistory(AsyncRecord, model=ChatHistory):
    """One turn of a conversation."""


class AsyncChatLogs(AsyncRecord, model=ChatLogs):
    """One request to an agent, and what it cost."""


class AsyncFileUpload(AsyncRecord, model=FileUpload):
    """A file that was sent to an agent."""


class AsyncUserSession(AsyncRecord, model=UserSession):
    """A user's session with an agent."""


class AsyncSystemMetrics(AsyncRecord, model=SystemMetrics):
    """One measurement."""
