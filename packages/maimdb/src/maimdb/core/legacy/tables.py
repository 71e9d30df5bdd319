"""The tables that an import writes, in the shapes that they had when it was written, and those of its own.

What has no place in V2 goes to `legacy_<table>`, or to `legacy_other` for a table that no known version had.
They are guarded as business tables are; a tenant's and an agent's rows in them go with the tenant or agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import peewee
from peewee import (
    BigIntegerField,
    BooleanField,
    CharField,
    DateTimeField,
    DoubleField,
    IntegerField,
    TextField,
)

from maimdb.core.errors import LegacyImportError
from maimdb.core.guards import guard
from maimdb.core.migrations.engines import operations_for

if TYPE_CHECKING:
    from collections.abc import Iterable

IMPORTS: Final = "legacy_imports"
PROGRESS: Final = "legacy_progress"
IDS: Final = "legacy_ids"
OTHER: Final = "legacy_other"
KNOWN: Final = frozenset(
    {
        *("action_records", "chat_history", "chat_streams", "emoji", "emoji_description_cache", "expression"),
        *("graph_edges", "graph_nodes", "image_descriptions", "images", "jargon", "knowledges", "llm_usage"),
        *("messages", "online_time", "person_info", "recalled_messages", "thinking_back", "thinking_logs"),
        *("tenants", "users", "agents", "api_keys"),
        *("chat_logs", "file_uploads", "system_metrics", "user_sessions"),
    }
)
"""The tables of the versions that are imported."""

_OWNERS: Final = """
    CONSTRAINT {table}_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT {table}_agents_fk FOREIGN KEY (tenant_id, agent_id)
        REFERENCES agents (tenant_id, id) ON DELETE CASCADE
"""
_KEPT: Final = """
    id {{uuid}} NOT NULL PRIMARY KEY,
    tenant_id VARCHAR(50),
    agent_id VARCHAR(50),
    import_id VARCHAR(36) NOT NULL,
    source_table VARCHAR(255) NOT NULL,
    source_row {{bigint}} NOT NULL,
    reason VARCHAR(200),
    source_bytes {{bigint}} NOT NULL,
    source_data {{text}} NOT NULL,
"""
_OWN: Final = {
    IMPORTS: """
        id VARCHAR(36) NOT NULL PRIMARY KEY,
        tenant_id VARCHAR(50),
        agent_id VARCHAR(50),
        fingerprint VARCHAR(64) NOT NULL,
        source VARCHAR(255) NOT NULL,
        label VARCHAR(100) NOT NULL,
        options {text} NOT NULL,
        started_at {moment} NOT NULL,
        finished_at {moment},
        reconciliation {text},
        CONSTRAINT legacy_imports_agents_fk FOREIGN KEY (tenant_id, agent_id)
            REFERENCES agents (tenant_id, id) ON DELETE CASCADE
    """,
    PROGRESS: """
        import_id VARCHAR(36) NOT NULL,
        step VARCHAR(255) NOT NULL,
        position {bigint} NOT NULL,
        done_rows {bigint} NOT NULL,
        finished INTEGER NOT NULL,
        PRIMARY KEY (import_id, step),
        CONSTRAINT legacy_progress_imports_fk FOREIGN KEY (import_id)
            REFERENCES legacy_imports (id) ON DELETE CASCADE
    """,
    IDS: """
        import_id VARCHAR(36) NOT NULL,
        source_table VARCHAR(50) NOT NULL,
        old_id VARCHAR(255) NOT NULL,
        new_id VARCHAR(50) NOT NULL,
        tenant_id VARCHAR(50),
        PRIMARY KEY (import_id, source_table, old_id),
        CONSTRAINT legacy_ids_imports_fk FOREIGN KEY (import_id)
            REFERENCES legacy_imports (id) ON DELETE CASCADE,
        CONSTRAINT legacy_ids_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
    """,
}


class _Text(TextField):
    """A text that the mapping has made fit."""

    def db_value(self, value: Any) -> Any:
        return value


class _Moment(DateTimeField):
    """A naive moment in UTC."""

    def db_value(self, value: Any) -> Any:
        return value


_ID: Final = {"id": lambda: peewee.UUIDField(primary_key=True)}
_OWNED: Final = {**_ID, "tenant_id": _Text, "agent_id": _Text, "created_at": _Moment}
_NAMED: Final = {
    "id": lambda: CharField(primary_key=True),
    "created_at": _Moment,
    "updated_at": _Moment,
    "description": _Text,
    "status": _Text,
}
_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "tenants": {**_NAMED, "tenant_name": _Text, "tenant_type": _Text},
    "agents": {**_NAMED, "tenant_id": _Text, "name": _Text, "config": _Text},
    IDS: {
        "import_id": _Text,
        "source_table": _Text,
        "old_id": _Text,
        "new_id": _Text,
        "tenant_id": _Text,
    },
    "chat_history": {
        **_OWNED,
        "session_id": _Text,
        "user_message": _Text,
        "agent_response": _Text,
        "user_id": _Text,
        "message_type": _Text,
        "metadata": _Text,
    },
    "chat_logs": {
        **_OWNED,
        "session_id": _Text,
        "request_type": _Text,
        "request_content": _Text,
        "response_content": _Text,
        "status_code": IntegerField,
        "error_message": _Text,
        "token_count": IntegerField,
        "response_time": DoubleField,
        "user_id": _Text,
        "metadata": _Text,
    },
    "file_uploads": {
        **_OWNED,
        "original_filename": _Text,
        "stored_filename": _Text,
        "file_path": _Text,
        "file_size": BigIntegerField,
        "mime_type": _Text,
        "file_hash": _Text,
        "is_public": BooleanField,
        "download_url": _Text,
        "expires_at": _Moment,
        "user_id": _Text,
        "metadata": _Text,
    },
    "user_sessions": {
        **_OWNED,
        "session_id": _Text,
        "user_id": _Text,
        "is_active": BooleanField,
        "last_activity": _Moment,
        "metadata": _Text,
        "expires_at": _Moment,
    },
    "system_metrics": {
        **_OWNED,
        "metric_name": _Text,
        "metric_value": DoubleField,
        "metric_unit": _Text,
        "tags": _Text,
    },
}
_KEPT_SHAPE: Final[dict[str, Any]] = {
    **_ID,
    "tenant_id": _Text,
    "agent_id": _Text,
    "import_id": _Text,
    "source_table": _Text,
    "source_row": BigIntegerField,
    "reason": _Text,
    "source_bytes": BigIntegerField,
    "source_data": _Text,
}
BUSINESS: Final = tuple(name for name, shape in _SHAPES.items() if "agent_id" in shape)

for _name in (IMPORTS, IDS):
    guard(_name, control=True)
for _name in (OTHER, *(f"legacy_{name}" for name in KNOWN)):
    guard(_name)


def kept_table(source_table: str) -> str:
    """Return the table for a source table's rows that have no place in V2."""
    return f"legacy_{source_table}" if source_table in KNOWN else OTHER


def shape(database: peewee.Database, table: str) -> Any:
    """Return a model of a table, bound to a database: no more than `bulk_insert` needs."""
    columns = _SHAPES.get(table, _KEPT_SHAPE)
    fields = {name: make() for name, make in columns.items()}
    for name, field in fields.items():
        field.null = name != "id"
    options: dict[str, Any] = {"database": database, "table_name": table}
    if "id" not in columns:
        options["primary_key"] = False
    return type("Frozen", (peewee.Model,), {**fields, "Meta": type("Meta", (), options)})


def create(database: peewee.Database, kept: Iterable[str]) -> None:
    """Create the tables of imports, and those named for what has no place in V2, where they are missing."""
    wanted = sorted(set(kept))
    for table in set(wanted) & set(database.get_tables()):
        if "source_data" not in {column.name for column in database.get_columns(table)}:
            raise LegacyImportError(
                f"the target has a table {table!r} that no import made: rename it, and run this again"
            )
    operations = operations_for(database)
    with operations.exclusive(), operations.transaction():
        for table, body in _OWN.items():
            operations.create_table(table, body)
        for table in wanted:
            operations.create_table(table, (_KEPT + _OWNERS).format(table=table))
            columns = ("tenant_id", "agent_id", "source_table", "source_row")
            operations.add_index(table, columns, name=f"{table}_rows")
