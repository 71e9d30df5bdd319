"""Rows for tests that need some."""

from typing import Any

from maimdb import Agent, ChatHistory, Tenant


def company(name: str = "Example Company", **values: Any) -> Tenant:
    return Tenant.create(tenant_name=name, **values)


def assistant(tenant: Tenant, **values: Any) -> Agent:
    return Agent.create(tenant_id=tenant.id, **{"name": "Support Assistant", **values})


def chat(**values: Any) -> ChatHistory:
    return ChatHistory.create(
        **{"session_id": "s", "user_message": "Hello", "agent_response": "Hi", **values}
    )
