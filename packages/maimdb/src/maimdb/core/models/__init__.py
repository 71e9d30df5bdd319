"""The models, and ALL_MODELS in the order in which their tables are created."""

import maimdb.core.legacy.tables  # noqa: F401 - guards what imports have kept
from maimdb.core.database import on_fallback
from maimdb.core.models.audit_log import AuditEvent, AuditHead
from maimdb.core.models.base import BaseModel
from maimdb.core.models.business import (
    BusinessBaseModel,
    ChatHistory,
    ChatLogs,
    FileUpload,
    SystemMetrics,
    UserSession,
)
from maimdb.core.models.deprecated import OldAgent, OldApiKey, OldTenant, User
from maimdb.core.models.system_v2 import (
    Agent,
    AgentActiveState,
    AgentStatus,
    ApiKey,
    ApiKeyStatus,
    Tenant,
    TenantStatus,
    TenantType,
)

ALL_MODELS: list[
    type[BaseModel] | type[BusinessBaseModel] | type[AgentActiveState] | type[AuditEvent] | type[AuditHead]
] = [
    Tenant,
    Agent,
    ApiKey,
    AgentActiveState,
    ChatHistory,
    ChatLogs,
    FileUpload,
    UserSession,
    SystemMetrics,
    AuditEvent,
    AuditHead,
]

on_fallback.append(lambda database: database.create_tables(ALL_MODELS))

__all__ = [
    "ALL_MODELS",
    "Agent",
    "AgentActiveState",
    "AgentStatus",
    "ApiKey",
    "ApiKeyStatus",
    "AuditEvent",
    "AuditHead",
    "BaseModel",
    "BusinessBaseModel",
    "ChatHistory",
    "ChatLogs",
    "FileUpload",
    "OldAgent",
    "OldApiKey",
    "OldTenant",
    "SystemMetrics",
    "Tenant",
    "TenantStatus",
    "TenantType",
    "User",
    "UserSession",
]
