"""Say what the configured database holds of older versions and would become. Changes nothing."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

import peewee
from maimdb import MaimdbError, close_database, init_database, system_scope
from maimdb.core.engines import Engine
from maimdb.core.settings import load_config

CONTROL_PLANE = {
    "tenants": "Tenant, with a new id",
    "users": "kept as legacy_users",
    "agents": "Agent, by id and never by name",
    "api_keys": "ApiKey, with the digest it has",
}
MAIBOT = {
    "chat_streams": "UserSession",
    "messages": "ChatHistory, in order of time",
    "llm_usage": "ChatLogs, one to one; totals to SystemMetrics",
    "action_records": "ChatLogs of type action:<name>",
    "online_time": "SystemMetrics",
    "emoji": "FileUpload",
    "images": "FileUpload",
}


def plan(database: Engine) -> Iterator[str]:
    """Yield what would be done, table by table; there is no version marker, so columns tell."""
    tables = set(database.get_tables())

    def has(table: str, column: str) -> bool:
        return table in tables and column in {each.name for each in database.get_columns(table)}

    if has("tenants", "max_users"):
        for table, target in CONTROL_PLANE.items():
            yield f"{table}: {rows(database, table)} rows would become {target}"
    if "chat_streams" in tables or has("messages", "chat_info_stream_id"):
        for table, target in MAIBOT.items():
            if table in tables:
                yield f"{table}: {rows(database, table)} rows would become {target}"
        yield "every other table would be kept under a name with legacy_"
    if has("chat_history", "assistant_message"):
        yield f"chat_history: {rows(database, 'chat_history')} rows would get the columns of V2"


def rows(database: Engine, table: str) -> int:
    """Return how many rows a table holds."""
    return int(peewee.Table(table).bind(database).select(peewee.fn.COUNT(peewee.SQL("1"))).scalar() or 0)


def main() -> int:
    """Return 0 if the database could be looked at."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        database = init_database(replace(load_config(), fallback="error"))
        with system_scope(reason="migrate_to_v2_models counts what older versions left"):
            steps = list(plan(database))
    except (MaimdbError, peewee.PeeweeException) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    finally:
        close_database()
    for step in steps:
        print(step)
    print("nothing was changed" if steps else "nothing to migrate: no tables of an older version")
    return 0


if __name__ == "__main__":
    sys.exit(main())
