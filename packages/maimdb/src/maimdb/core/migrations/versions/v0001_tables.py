"""The tables of tenants, agents, keys and what agents leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maimdb.core.migrations.operations import Operations

TABLES = {
    "tenants": """
        id VARCHAR(50) NOT NULL PRIMARY KEY,
        created_at {moment} NOT NULL,
        updated_at {moment} NOT NULL,
        tenant_name VARCHAR(100) NOT NULL,
        tenant_type VARCHAR(20) NOT NULL,
        description {text},
        contact_email VARCHAR(255),
        tenant_config {text},
        status VARCHAR(20) NOT NULL,
        owner_id VARCHAR(50),
        CONSTRAINT tenants_tenant_type_check CHECK (tenant_type IN ('personal', 'enterprise')),
        CONSTRAINT tenants_status_check CHECK (status IN ('active', 'inactive', 'suspended'))
    """,
    "agents": """
        id VARCHAR(50) NOT NULL PRIMARY KEY,
        created_at {moment} NOT NULL,
        updated_at {moment} NOT NULL,
        tenant_id VARCHAR(50) NOT NULL,
        name VARCHAR(100) NOT NULL,
        description {text},
        template_id VARCHAR(50),
        config {text},
        status VARCHAR(20) NOT NULL,
        CONSTRAINT agents_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
        CONSTRAINT agents_status_check CHECK (status IN ('active', 'inactive', 'archived'))
    """,
    "agent_active_states": """
        tenant_id VARCHAR(50) NOT NULL,
        agent_id VARCHAR(50) NOT NULL,
        last_seen_at {moment} NOT NULL,
        ttl_seconds INTEGER NOT NULL,
        expires_at {moment} NOT NULL,
        PRIMARY KEY (tenant_id, agent_id),
        CONSTRAINT agent_active_states_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id) ON DELETE CASCADE
    """,
    "api_keys": """
        id VARCHAR(50) NOT NULL PRIMARY KEY,
        created_at {moment} NOT NULL,
        updated_at {moment} NOT NULL,
        tenant_id VARCHAR(50) NOT NULL,
        agent_id VARCHAR(50) NOT NULL,
        name VARCHAR(100) NOT NULL,
        description {text},
        key_hash VARCHAR(64) NOT NULL,
        permissions {text} NOT NULL,
        status VARCHAR(20) NOT NULL,
        expires_at {moment},
        last_used_at {moment},
        usage_count INTEGER NOT NULL,
        CONSTRAINT api_keys_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
        CONSTRAINT api_keys_status_check CHECK (status IN ('active', 'disabled', 'expired'))
    """,
    "chat_history": """
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id VARCHAR(50),
        agent_id VARCHAR(50),
        created_at {moment} NOT NULL,
        session_id VARCHAR(255) NOT NULL,
        user_message {text} NOT NULL,
        agent_response {text} NOT NULL,
        user_id VARCHAR(255),
        message_type VARCHAR(50) NOT NULL,
        metadata {text},
        CONSTRAINT chat_history_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
        CONSTRAINT chat_history_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id)
    """,
    "chat_logs": """
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id VARCHAR(50),
        agent_id VARCHAR(50),
        created_at {moment} NOT NULL,
        session_id VARCHAR(255) NOT NULL,
        request_type VARCHAR(50) NOT NULL,
        request_content {text} NOT NULL,
        response_content {text},
        status_code INTEGER NOT NULL,
        error_message {text},
        token_count INTEGER,
        response_time {double},
        user_id VARCHAR(255),
        metadata {text},
        CONSTRAINT chat_logs_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
        CONSTRAINT chat_logs_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id)
    """,
    "file_uploads": """
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id VARCHAR(50),
        agent_id VARCHAR(50),
        created_at {moment} NOT NULL,
        original_filename VARCHAR(255) NOT NULL,
        stored_filename VARCHAR(255) NOT NULL,
        file_path {text} NOT NULL,
        file_size {bigint} NOT NULL,
        mime_type VARCHAR(100) NOT NULL,
        file_hash VARCHAR(64) NOT NULL,
        is_public {flag} NOT NULL,
        download_url {text},
        expires_at {moment},
        user_id VARCHAR(255),
        metadata {text},
        CONSTRAINT file_uploads_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
        CONSTRAINT file_uploads_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id)
    """,
    "system_metrics": """
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id VARCHAR(50),
        agent_id VARCHAR(50),
        created_at {moment} NOT NULL,
        metric_name VARCHAR(100) NOT NULL,
        metric_value {double} NOT NULL,
        metric_unit VARCHAR(20),
        tags {text},
        CONSTRAINT system_metrics_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
        CONSTRAINT system_metrics_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id)
    """,
    "user_sessions": """
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id VARCHAR(50),
        agent_id VARCHAR(50),
        created_at {moment} NOT NULL,
        session_id VARCHAR(255) NOT NULL,
        user_id VARCHAR(255),
        is_active {flag} NOT NULL,
        last_activity {moment} NOT NULL,
        metadata {text},
        expires_at {moment},
        tenant_key VARCHAR(50) GENERATED ALWAYS AS (COALESCE(tenant_id, '')) STORED,
        agent_key VARCHAR(50) GENERATED ALWAYS AS (COALESCE(agent_id, '')) STORED,
        CONSTRAINT user_sessions_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
        CONSTRAINT user_sessions_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id),
        CONSTRAINT user_sessions_session_key UNIQUE (tenant_key, agent_key, session_id)
    """,
}
INDEXES: dict[str, list[tuple[str, ...]]] = {
    "agents": [
        ("tenant_id",),
    ],
    "agent_active_states": [
        ("expires_at",),
    ],
    "api_keys": [
        ("tenant_id",),
        ("agent_id",),
        ("tenant_id", "agent_id"),
    ],
    "chat_history": [
        ("tenant_id", "created_at", "id"),
        ("tenant_id", "agent_id", "created_at", "id"),
        ("tenant_id", "session_id", "created_at", "id"),
        ("tenant_id", "user_id"),
    ],
    "chat_logs": [
        ("tenant_id", "created_at", "id"),
        ("tenant_id", "agent_id", "created_at", "id"),
        ("tenant_id", "session_id", "created_at", "id"),
        ("tenant_id", "user_id"),
    ],
    "file_uploads": [
        ("tenant_id", "created_at", "id"),
        ("tenant_id", "agent_id", "created_at", "id"),
        ("tenant_id", "file_hash"),
        ("tenant_id", "user_id"),
    ],
    "system_metrics": [
        ("tenant_id", "created_at", "id"),
        ("tenant_id", "agent_id", "created_at", "id"),
        ("tenant_id", "metric_name", "created_at"),
    ],
    "user_sessions": [
        ("tenant_id", "created_at", "id"),
        ("tenant_id", "agent_id", "created_at", "id"),
        ("tenant_id", "session_id", "created_at", "id"),
        ("tenant_id", "user_id"),
    ],
}
UNIQUE: dict[str, list[tuple[str, ...]]] = {
    "tenants": [("tenant_name",)],
    "agents": [("tenant_id", "id")],
    "api_keys": [("key_hash",)],
}


def up(schema: Operations) -> None:
    """Create them; those that `create_tables` has made are taken over."""
    for table, body in TABLES.items():
        schema.create_table(table, body)
        for columns in UNIQUE.get(table, []):
            schema.add_index(table, columns, unique=True)
        for columns in INDEXES.get(table, []):
            schema.add_index(table, columns)


def down(schema: Operations) -> None:
    """Drop them if they hold no rows."""
    schema.require_empty(*TABLES)
    for table in reversed(TABLES):
        schema.drop_table(table)
