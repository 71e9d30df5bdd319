"""The models, and ALL_MODELS in the order in which their tables are created."""

from maimdb.core.database import on_fallback
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

ALL_MODELS: list[type[BaseModel] | type[BusinessBaseModel] | type[AgentActiveState]] = [
    Tenant,
    Agent,
    ApiKey,
    AgentActiveState,
    ChatHistory,
    ChatLogs,
    FileUpload,
    UserSession,
    SystemMetrics,
]

on_fallback.append(lambda database: database.create_tables(ALL_MODELS))

__all__ = [
    "ALL_MODELS",
    "Agent",
    "AgentActiveState",
    "AgentStatus",
    "ApiKey",
    "ApiKeyStatus",
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
