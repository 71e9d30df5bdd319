"""A database of an earlier V2: its tables as they were, and rows with every oddity."""

# ruff: noqa: E501 - a table a line

from contextlib import closing
from typing import Any

TABLES = {
    "tenants": "id VARCHAR(50) PRIMARY KEY, tenant_name VARCHAR(100) NOT NULL UNIQUE, tenant_type VARCHAR(20), "
    "description TEXT, contact_email VARCHAR(255), tenant_config TEXT, status VARCHAR(20), owner_id VARCHAR(50), "
    "created_at {moment}, updated_at {moment}",
    "agents": "id VARCHAR(50) PRIMARY KEY, tenant_id VARCHAR(50), name VARCHAR(100), description TEXT, "
    "template_id VARCHAR(50), config TEXT, status VARCHAR(20), created_at {moment}, updated_at {moment}",
    "api_keys": "id VARCHAR(50) PRIMARY KEY, tenant_id VARCHAR(50), agent_id VARCHAR(50), name VARCHAR(100), "
    "description TEXT, api_key VARCHAR(255) NOT NULL UNIQUE, permissions TEXT, status VARCHAR(20), "
    "expires_at {moment}, last_used_at {moment}, usage_count INTEGER, created_at {moment}, updated_at {moment}",
    "agent_active_states": "id VARCHAR(50) PRIMARY KEY, tenant_id VARCHAR(50), agent_id VARCHAR(50), "
    "last_seen_at {moment}, ttl_seconds INTEGER, expires_at {moment}, UNIQUE (tenant_id, agent_id)",
    "chathistory": "id VARCHAR(50) PRIMARY KEY, agent_id VARCHAR(255), session_id VARCHAR(255) UNIQUE, "
    "user_message TEXT, agent_response TEXT, user_id VARCHAR(255), message_type VARCHAR(50), metadata TEXT, "
    "created_at {moment}, mood VARCHAR(20)",
    "chat_logs": "id VARCHAR(50) PRIMARY KEY, agent_id VARCHAR(255), session_id VARCHAR(255), "
    "request_type VARCHAR(50), request_content TEXT, response_content TEXT, status_code INTEGER, "
    "error_message TEXT, token_count INTEGER, response_time DOUBLE PRECISION, user_id VARCHAR(255), "
    "metadata TEXT, created_at {moment}",
    "file_uploads": "id VARCHAR(50) PRIMARY KEY, original_filename VARCHAR(300), stored_filename VARCHAR(255), "
    "file_path VARCHAR(500), file_size BIGINT, mime_type VARCHAR(100), file_hash VARCHAR(64), "
    "is_public {flag}, created_at {moment}",
    "user_session": "id VARCHAR(50) PRIMARY KEY, agent_id VARCHAR(255), session_id VARCHAR(255) UNIQUE, "
    "user_id VARCHAR(255), is_active {flag}, last_activity {moment}, metadata TEXT, created_at {moment}",
    "system_metrics": "id VARCHAR(50) PRIMARY KEY, agent_id VARCHAR(255), metric_name VARCHAR(100), "
    "metric_value DOUBLE PRECISION, metric_unit VARCHAR(20), tags TEXT, created_at {moment}",
    "personality_configs": "id VARCHAR(50) PRIMARY KEY, agent_id VARCHAR(50) UNIQUE, personality TEXT, "
    "a_column_of_theirs TEXT",
    "mood_config_overrides": "id VARCHAR(50) PRIMARY KEY, agent_id VARCHAR(50), enable_mood {flag}",
}
TENANT, AGENT, KEY = "tenant_0123456789ab", "agent_0123456789ab", "key_0123456789ab"
SECRET = "mmc_c2VjcmV0IHRleHQgb2YgYSBrZXk="
ORPHAN_SECRET = "mmc_b3JwaGFuZWQga2V5"
AT = "2025-03-01 12:00:00.250000"


def row(table: str, number: int = 0, **values: Any) -> tuple[str, dict[str, Any]]:
    """Return a row of a table and its usual values."""
    usual: dict[str, dict[str, Any]] = {
        "tenants": {"id": TENANT, "tenant_name": "One", "tenant_type": "personal", "status": "active"},
        "agents": {"id": AGENT, "tenant_id": TENANT, "name": "A", "status": "active"},
        "api_keys": {
            "id": KEY, "tenant_id": TENANT, "agent_id": AGENT, "name": "k", "api_key": SECRET,
            "permissions": '["chat"]', "status": "active", "usage_count": 3,
        },
        "agent_active_states": {
            "id": "state_1", "tenant_id": TENANT, "agent_id": AGENT, "last_seen_at": AT, "ttl_seconds": 60,
        },
        "chathistory": {"agent_id": AGENT, "session_id": f"s{number}", "user_message": "m", "agent_response": "r"},
        "chat_logs": {"agent_id": AGENT, "session_id": "s", "request_type": "q", "request_content": "c"},
        "file_uploads": {"original_filename": "f", "stored_filename": "f", "file_path": "/f", "file_size": 2**40},
        "user_session": {"agent_id": AGENT, "session_id": f"s{number}", "last_activity": AT},
        "system_metrics": {"agent_id": AGENT, "metric_name": "m", "metric_value": 0.1},
        "personality_configs": {"id": "config_0123456789ab", "agent_id": AGENT, "a_column_of_theirs": "kept"},
        "mood_config_overrides": {"id": "config_0123456789cd", "agent_id": AGENT, "enable_mood": True},
    }  # fmt: skip
    found = {"id": f"{number:032x}", "created_at": AT} | usual[table] | values
    names = {item.split()[0] for item in TABLES[table].split(", ")}
    return table, {name: value for name, value in found.items() if name in names}


ROWS = [
    row("tenants"),
    row("tenants", id="tenant_2", tenant_name="二🦊", status="bogus", tenant_type=None, created_at=None),
    row("agents"),
    row("agents", id="agent_nobodys", tenant_id="tenant_gone"),
    row("api_keys"),
    row("api_keys", id="key_orphan", agent_id="agent_gone", api_key=ORPHAN_SECRET),
    row("agent_active_states"),
    row("chathistory", 1, mood="glad"),
    row("chathistory", 2, id="17", session_id="x" * 255, user_message="🦊" * 9),
    row("chathistory", 3, agent_id="agent_gone"),
    row("chathistory", 4, agent_id=None),
    *(row("chat_logs", number) for number in range(1, 1201)),
    row("file_uploads", 1),
    row("file_uploads", 2, original_filename="f" * 300),
    row("user_session", 1),
    row("user_session", 2),
    row("system_metrics", 1),
    row("personality_configs"),
    row("mood_config_overrides"),
]


def build(database: Any) -> None:
    """Create the tables and rows, past everything of MaimDB's."""
    kinds = {"moment": "DATETIME(6)", "flag": "BOOL"}
    if database.config.engine == "postgresql":
        kinds["moment"] = "TIMESTAMP"
    options = " CHARACTER SET utf8mb4" if database.config.engine == "mysql" else ""
    with closing(database.connection().cursor()) as cursor:
        for table, body in TABLES.items():
            cursor.execute(f"CREATE TABLE {table} ({body.format_map(kinds)}){options}")
            cursor.execute(f"CREATE INDEX {table}_created ON {table} (id)")
        for table, values in ROWS:
            marks = ", ".join([database.param] * len(values))
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values())
            )
    database.close()
