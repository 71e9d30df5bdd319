"""Show the V2 models at work on the configured database, in a transaction that is undone at the end."""

import argparse
import sys
from dataclasses import replace

import peewee
from maimdb import (
    ALL_MODELS,
    Agent,
    ApiKey,
    ChatHistory,
    MaimdbError,
    Tenant,
    TenantType,
    close_database,
    init_database,
    tenant_scope,
)
from maimdb.core.settings import load_config


def demo() -> None:
    """Make a tenant with all that belongs to it, and print it."""
    tenant = Tenant.create(
        tenant_name="Demo Company",
        tenant_type=TenantType.ENTERPRISE.value,
        tenant_config='{"max_agents": 100}',
    )
    print(f"tenant   {tenant.id}: {tenant.get_config()}")
    agent = Agent.create(
        tenant_id=tenant.id, name="Support Assistant", config='{"persona": "professional support"}'
    )
    print(f"agent    {agent.id}: {agent.get_config()}")
    key = ApiKey.create(tenant_id=tenant.id, agent_id=agent.id, permissions='["chat", "config_read"]')
    found = ApiKey.verify(key.api_key or "")
    print(f"api key  {key.id}: {key.get_permissions()}, {'verified' if found == key else 'NOT verified'}")
    with tenant_scope(tenant.id):
        for text in ("Hello", "Are you there?"):
            ChatHistory.create(session_id="demo", user_message=text, agent_response="Hi!", agent_id=agent.id)
        turns = ChatHistory.page(session_id="demo")
        print(f"chat     {len(turns)} turns of session 'demo', seen by {tenant.id}")
    print(f"chat     {ChatHistory.select().where(ChatHistory.session_id == 'demo').count()} seen by nobody")


def main() -> int:
    """Return 0 if everything worked."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        database = init_database(replace(load_config(), fallback="error"))
        database.create_tables(ALL_MODELS)
        with database.atomic() as transaction:
            demo()
            transaction.rollback()
    except (MaimdbError, peewee.PeeweeException) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    finally:
        close_database()
    print("undone   nothing of this stays in the database")
    return 0


if __name__ == "__main__":
    sys.exit(main())
