"""The tables of the audit log, which `maimdb.core.audit` writes; no row is changed or deleted."""

# ruff: noqa: D106, RUF012 - Peewee reads a model's options from its class Meta

from __future__ import annotations

from typing import Any, Final

import peewee
from peewee import BigIntegerField, IntegerField

from maimdb.core.models.base import Record
from maimdb.core.models.fields import LongTextField, StringField, UTCDateTimeField
from maimdb.core.prepared import database_of

__all__ = ["AuditEvent", "AuditHead"]

_REFUSAL: Final = "the audit log is only added to"
_SQLITE: Final = f"ON audit_events BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
_MYSQL: Final = f"ON audit_events FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_REFUSAL}'"
_FUNCTION: Final = "audit_events_refuse()"
_POSTGRESQL: Final = f"RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''{_REFUSAL}''; END'"
_EVENTS: Final = "UPDATE OR DELETE OR TRUNCATE"
TRIGGERS: Final[dict[type[peewee.Database], tuple[str, ...]]] = {
    peewee.SqliteDatabase: (
        f"CREATE TRIGGER audit_events_update BEFORE UPDATE {_SQLITE}",
        f"CREATE TRIGGER audit_events_delete BEFORE DELETE {_SQLITE}",
    ),
    peewee.PostgresqlDatabase: (
        f"CREATE OR REPLACE FUNCTION {_FUNCTION} {_POSTGRESQL}",
        f"CREATE TRIGGER audit_events_change BEFORE {_EVENTS} ON audit_events EXECUTE FUNCTION {_FUNCTION}",
    ),
    peewee.MySQLDatabase: (
        f"CREATE TRIGGER audit_events_update BEFORE UPDATE {_MYSQL}",
        f"CREATE TRIGGER audit_events_delete BEFORE DELETE {_MYSQL}",
    ),
}
"""What each engine is told, so that it refuses to change an event."""
FIRST_HEAD: Final = (
    f"INSERT INTO audit_head (id, seq, hash) SELECT 1, 0, '{'0' * 64}' FROM (SELECT 1 AS one) AS once "  # noqa: S608 - ours
    "WHERE NOT EXISTS (SELECT 1 FROM audit_head)"
)
"""Makes the row of `audit_head` where there is none; it may be executed again."""


class AuditEvent(Record):
    """Something that happened, sealed."""

    seq = BigIntegerField(primary_key=True)
    at = UTCDateTimeField()
    actor = StringField(255)
    tenant_id = StringField(50, null=True)
    kind = StringField(50)
    subject = StringField(255)
    details = LongTextField()
    previous_hash = StringField(64)
    hash = StringField(64)

    class Meta:
        table_name = "audit_events"
        control = True
        indexes = [(("tenant_id", "seq"), False)]

    @classmethod
    def create_table(cls, safe: bool = True, **options: Any) -> None:  # noqa: FBT001, FBT002 - Peewee's signature
        """Create the table and the triggers that refuse to change it."""
        fresh = not cls.table_exists()  # type: ignore[no-untyped-call]
        super().create_table(safe, **options)
        database = database_of(cls)
        for kind, statements in TRIGGERS.items() if fresh else ():
            for sql in statements if isinstance(database, kind) else ():
                database.execute_sql(sql)


class AuditHead(Record):
    """The last event's number and hash, in one row."""

    id = IntegerField(primary_key=True)
    seq = BigIntegerField()
    hash = StringField(64)

    class Meta:
        table_name = "audit_head"

    @classmethod
    def create_table(cls, safe: bool = True, **options: Any) -> None:  # noqa: FBT001, FBT002 - Peewee's signature
        """Create the table and its row: made by the first event, two at once would wait for each other.

        SQLite that stands in for a server gets none: no event is written there.
        """
        super().create_table(safe, **options)
        database = database_of(cls)
        if getattr(database, "fallback_since", None) is None:
            database.execute_sql(FIRST_HEAD)
