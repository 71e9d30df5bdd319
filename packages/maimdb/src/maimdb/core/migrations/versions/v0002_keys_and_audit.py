"""Keys hashed with a pepper, their rate limits, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import peewee

from maimdb.core.errors import MigrationError

if TYPE_CHECKING:
    from maimdb.core.migrations.operations import Operations

REFUSAL = "the audit log is only added to"
EVENTS = """
    seq {bigint} NOT NULL PRIMARY KEY,
    at {moment} NOT NULL,
    actor VARCHAR(255) NOT NULL,
    tenant_id VARCHAR(50),
    kind VARCHAR(50) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    details {text} NOT NULL,
    previous_hash VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL
"""
HEAD = """
    id INTEGER NOT NULL PRIMARY KEY,
    seq {bigint} NOT NULL,
    hash VARCHAR(64) NOT NULL
"""
FIRST = (
    f"INSERT INTO audit_head (id, seq, hash) SELECT 1, 0, '{'0' * 64}' FROM (SELECT 1 AS one) AS once "  # noqa: S608 - ours
    "WHERE NOT EXISTS (SELECT 1 FROM audit_head)"
)


def triggers(schema: Operations) -> list[str]:
    """Return the statements that refuse to change an event; each may be executed again."""
    database = schema.database
    if isinstance(database, peewee.SqliteDatabase):
        body = f"ON audit_events BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        return [
            "DROP TRIGGER IF EXISTS audit_events_update",
            f"CREATE TRIGGER audit_events_update BEFORE UPDATE {body}",
            "DROP TRIGGER IF EXISTS audit_events_delete",
            f"CREATE TRIGGER audit_events_delete BEFORE DELETE {body}",
        ]
    if isinstance(database, peewee.MySQLDatabase):
        body = f"ON audit_events FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{REFUSAL}'"
        return [
            f"CREATE TRIGGER IF NOT EXISTS audit_events_update BEFORE UPDATE {body}",
            f"CREATE TRIGGER IF NOT EXISTS audit_events_delete BEFORE DELETE {body}",
        ]
    refusal = f"'BEGIN RAISE EXCEPTION ''{REFUSAL}''; END'"
    events, function = "UPDATE OR DELETE OR TRUNCATE", "audit_events_refuse()"
    return [
        f"CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS {refusal}",
        "DROP TRIGGER IF EXISTS audit_events_change ON audit_events",
        f"CREATE TRIGGER audit_events_change BEFORE {events} ON audit_events EXECUTE FUNCTION {function}",
    ]


def up(schema: Operations) -> None:
    """Add them; the keys that are there stay valid."""
    schema.add_column("api_keys", "pepper", "VARCHAR(8)")
    schema.add_column("api_keys", "rate_limit", "INTEGER")
    schema.create_table("audit_events", EVENTS)
    schema.add_index("audit_events", ["tenant_id", "seq"])
    schema.create_table("audit_head", HEAD)
    schema.execute(FIRST)
    for sql in triggers(schema):
        schema.execute(sql)


def down(schema: Operations) -> None:
    """Drop them, unless a key has a pepper, or the log tells of more than crossings."""
    refuse_rows(
        schema, "api_keys", "pepper IS NOT NULL", "keys hashed with a pepper, which would open nothing"
    )
    refuse_rows(schema, "audit_events", "kind <> 'scope.crossed'", "events of keys and tenants")
    schema.execute("DROP TABLE IF EXISTS audit_events")
    schema.execute("DROP TABLE IF EXISTS audit_head")
    if isinstance(schema.database, peewee.PostgresqlDatabase):
        schema.execute("DROP FUNCTION IF EXISTS audit_events_refuse()")
    schema.drop_column("api_keys", "rate_limit")
    schema.drop_column("api_keys", "pepper")


def refuse_rows(schema: Operations, table: str, test: str, what: str) -> None:
    """Raise if a table has rows that would be lost; what a killed run has dropped already has none."""
    if schema.dry_run or not schema.has_table(table) or schema.done:
        return
    sql = f"SELECT 1 FROM {table} WHERE {test} LIMIT 1"  # noqa: S608 - literals of ours
    if schema.database.execute_sql(sql).fetchone():
        raise MigrationError(f"table {table!r} holds {what}: keep this version, or delete them first")
