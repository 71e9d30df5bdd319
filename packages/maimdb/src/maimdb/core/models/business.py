"""What agents leave behind: chats, logs, files, sessions and measurements.

Each row carries its tenant and agent, both NULL when it stands alone. The database refuses an unknown
tenant, and an agent that is not the tenant's. No tenant or agent that has such rows can be deleted.
"""

# ruff: noqa: D106, RUF012 - Peewee reads a model's options from its class Meta

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from peewee import SQL, BigIntegerField, BooleanField, DoubleField, IntegerField, UUIDField

from maimdb.core import prepared
from maimdb.core.models.base import Record, references
from maimdb.core.models.fields import JSONTextField, LongTextField, StringField, UTCDateTimeField, utc_now
from maimdb.core.models.system_v2 import Agent, Tenant
from maimdb.core.scope import current_tenant

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["BusinessBaseModel", "ChatHistory", "ChatLogs", "FileUpload", "SystemMetrics", "UserSession"]


def _owners(table: str) -> list[Any]:
    return [
        references(table, "tenant_id", "tenants (id)"),
        references(table, "tenant_id, agent_id", "agents (tenant_id, id)"),
    ]


_TIME = [(("tenant_id", "created_at", "id"), False), (("tenant_id", "agent_id", "created_at", "id"), False)]
_SESSION = (("tenant_id", "session_id", "created_at", "id"), False)
_USER = (("tenant_id", "user_id"), False)


class BusinessBaseModel(Record):
    """A row of an agent's, or of nobody's."""

    id = UUIDField(primary_key=True, default=uuid.uuid4)
    tenant_id = StringField(50, null=True, default=current_tenant)
    agent_id = StringField(50, null=True)
    created_at = UTCDateTimeField(default=utc_now)

    class Meta:
        depends_on = [Tenant, Agent]

    @classmethod
    def page(
        cls,
        *,
        limit: int = 50,
        after: Self | tuple[dt.datetime, uuid.UUID] | None = None,
        newest_first: bool = False,
        **equals: Any,
    ) -> list[Self]:
        """Return rows in the order of `created_at`, such as those of a session: `page(session_id="s")`.

        `after` is the last row of the previous page, or its (created_at, id).
        """
        return prepared.page(cls, limit=limit, after=after, newest_first=newest_first, **equals)


class ChatHistory(BusinessBaseModel):
    """One turn of a conversation."""

    session_id = StringField(255)
    user_message = LongTextField()
    agent_response = LongTextField()
    user_id = StringField(255, null=True)
    message_type = StringField(50, default="text")
    metadata = JSONTextField(null=True)

    class Meta:
        table_name = "chat_history"
        depends_on = [Tenant, Agent]
        indexes = [*_TIME, _SESSION, _USER]
        constraints = _owners("chat_history")


class ChatLogs(BusinessBaseModel):
    """One request to an agent, and what it cost."""

    session_id = StringField(255)
    request_type = StringField(50)
    request_content = LongTextField()
    response_content = LongTextField(null=True)
    status_code = IntegerField()
    error_message = LongTextField(null=True)
    token_count = IntegerField(null=True)
    response_time = DoubleField(null=True)
    user_id = StringField(255, null=True)
    metadata = JSONTextField(null=True)

    class Meta:
        table_name = "chat_logs"
        depends_on = [Tenant, Agent]
        indexes = [*_TIME, _SESSION, _USER]
        constraints = _owners("chat_logs")


class FileUpload(BusinessBaseModel):
    """A file that was sent to an agent."""

    original_filename = StringField(255)
    stored_filename = StringField(255)
    file_path = LongTextField()
    """500 characters were not enough: longer paths exist."""
    file_size = BigIntegerField()
    mime_type = StringField(100)
    file_hash = StringField(64)
    is_public = BooleanField(default=False)
    download_url = LongTextField(null=True)
    expires_at = UTCDateTimeField(null=True)
    user_id = StringField(255, null=True)
    metadata = JSONTextField(null=True)

    class Meta:
        table_name = "file_uploads"
        depends_on = [Tenant, Agent]
        indexes = [*_TIME, (("tenant_id", "file_hash"), False), _USER]
        constraints = _owners("file_uploads")


class UserSession(BusinessBaseModel):
    """A user's session with an agent; its `session_id` is unique for the agent, not among all."""

    session_id = StringField(255)
    user_id = StringField(255, null=True)
    is_active = BooleanField(default=True)
    last_activity = UTCDateTimeField(default=utc_now)
    metadata = JSONTextField(null=True)
    expires_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "user_sessions"
        depends_on = [Tenant, Agent]
        indexes = [*_TIME, _SESSION, _USER]
        # A unique key lets NULLs pass, and MariaDB takes no expression: these columns stand for the owner.
        constraints = [
            SQL("tenant_key VARCHAR(50) GENERATED ALWAYS AS (COALESCE(tenant_id, '')) STORED"),
            SQL("agent_key VARCHAR(50) GENERATED ALWAYS AS (COALESCE(agent_id, '')) STORED"),
            *_owners("user_sessions"),
            SQL("CONSTRAINT user_sessions_session_key UNIQUE (tenant_key, agent_key, session_id)"),
        ]


class SystemMetrics(BusinessBaseModel):
    """One measurement."""

    metric_name = StringField(100)
    metric_value = DoubleField()
    metric_unit = StringField(20, null=True)
    tags = JSONTextField(null=True)

    class Meta:
        table_name = "system_metrics"
        depends_on = [Tenant, Agent]
        indexes = [*_TIME, (("tenant_id", "metric_name", "created_at"), False)]
        constraints = _owners("system_metrics")
