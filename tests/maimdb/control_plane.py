"""A control plane as MaiMConfig's is written: its import paths, calls and shapes, and nothing newer.

Tenants, agents, their configuration, API keys, authentication and activity. Configuration is read and
written in the loop's thread, as its callers do.
"""

import asyncio
import base64
import secrets
import uuid
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import peewee
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from maim_db.core import (
    ALL_MODELS,
    AgentConfigManager,
    AsyncAgentActiveState,
    close_database,
    db_manager,
    get_database,
    init_database,
    parse_json_field,
    serialize_json_field,
)
from maim_db.core.async_models import AsyncAgent, AsyncApiKey, AsyncTenant
from maim_db.core.models import AGENT_CONFIG_MODELS
from maim_db.core.models.system_v2 import AgentStatus, ApiKeyStatus, TenantStatus, TenantType
from maim_db.src.core.models import Agent, ChatHistory
from pydantic import BaseModel

HALF_A_DAY = 12 * 3600
router = APIRouter(prefix="/api/v2")


class TenantCreate(BaseModel):
    tenant_name: str
    tenant_type: TenantType = TenantType.PERSONAL
    description: str | None = None
    contact_email: str | None = None
    tenant_config: dict[str, Any] | None = None


class AgentCreate(BaseModel):
    tenant_id: str
    name: str
    description: str | None = None
    template_id: str | None = None
    config: dict[str, Any] | None = None


class KeyCreate(BaseModel):
    tenant_id: str
    agent_id: str
    name: str
    description: str | None = None
    permissions: list[str] = []
    expires_at: datetime | None = None


class KeyCheck(BaseModel):
    api_key: str
    required_permission: str | None = None
    tenant_id: str | None = None
    agent_id: str | None = None


class Activity(BaseModel):
    tenant_id: str
    agent_id: str
    ttl_seconds: int


class Turn(BaseModel):
    agent_id: str | None = None
    session_id: str
    user_message: str
    agent_response: str


def new_id(prefix):
    """An id as this service draws them: 12 hexadecimal characters."""
    return f"{prefix}_{uuid.uuid4().hex[:12]}"


def shown(row, *names):
    facts = {name: getattr(row, name) for name in names}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()
    }


def tenant_facts(tenant):
    names = ["id", "tenant_name", "tenant_type", "description", "contact_email", "tenant_config", "status"]
    return shown(tenant, *names, "owner_id", "created_at", "updated_at") | {"active": tenant.is_active}


def agent_facts(agent):
    names = ["id", "tenant_id", "name", "description", "template_id", "status", "created_at", "updated_at"]
    return shown(agent, *names) | {"config": AgentConfigManager(agent.id).get_all_configs()}


def key_facts(key):
    names = ["id", "tenant_id", "agent_id", "name", "description", "permissions", "status", "expires_at"]
    return shown(key, *names, "last_used_at", "usage_count", "created_at")


def found(row, what):
    if row is None:
        raise HTTPException(404, f"no such {what}")
    return row


# Tenants


@router.post("/tenants")
async def create_tenant(request: TenantCreate):
    if await AsyncTenant.get_by_name(request.tenant_name):
        raise HTTPException(409, "the name is taken")
    tenant = await AsyncTenant.create(
        id=new_id("tenant"),
        tenant_name=request.tenant_name,
        tenant_type=request.tenant_type.value,
        description=request.description,
        contact_email=request.contact_email,
        tenant_config=request.tenant_config,
        status=TenantStatus.ACTIVE.value,
    )
    return tenant_facts(tenant)


@router.get("/tenants")
async def list_tenants(page: int = 1, size: int = 20):
    tenants = await AsyncTenant.get_all(limit=size, offset=(page - 1) * size)
    return {"items": [tenant_facts(tenant) for tenant in tenants], "total": await AsyncTenant.count()}


@router.get("/tenants/{tenant_id}")
async def get_tenant(tenant_id: str):
    return tenant_facts(found(await AsyncTenant.get(tenant_id), "tenant"))


@router.put("/tenants/{tenant_id}")
async def update_tenant(tenant_id: str, changes: dict[str, Any]):
    tenant = found(await AsyncTenant.get(tenant_id), "tenant")
    await tenant.update(**changes)
    return tenant_facts(tenant)


@router.delete("/tenants/{tenant_id}")
async def delete_tenant(tenant_id: str):
    tenant = found(await AsyncTenant.get(tenant_id), "tenant")
    await tenant.delete()
    return {"id": tenant_id}


# Agents and their configuration


@router.post("/agents")
async def create_agent(request: AgentCreate):
    found(await AsyncTenant.get(request.tenant_id), "tenant")
    if await AsyncAgent.get_by_tenant_and_name(request.tenant_id, request.name):
        raise HTTPException(409, "the name is taken")
    agent = await AsyncAgent.create(
        id=new_id("agent"),
        tenant_id=request.tenant_id,
        name=request.name,
        description=request.description,
        template_id=request.template_id,
        config=request.config or {},
        status=AgentStatus.ACTIVE.value,
    )
    await AsyncAgentActiveState.upsert(request.tenant_id, agent.id, ttl_seconds=HALF_A_DAY)
    if request.config:
        AgentConfigManager(agent.id).update_config_from_json(request.config)
    return agent_facts(agent)


@router.post("/agents/unchecked")
async def create_agent_unchecked(request: dict[str, Any]):
    """As callers do that leave it to the database to refuse."""
    return agent_facts(await AsyncAgent.create(id=new_id("agent"), **request))


@router.get("/agents")
async def list_agents(tenant_id: str, page: int = 1, size: int = 20, status: AgentStatus | None = None):
    agents = await AsyncAgent.get_by_tenant(tenant_id)
    if status:
        agents = [agent for agent in agents if agent.status == status.value]
    start = (page - 1) * size
    return {"items": [agent_facts(agent) for agent in agents[start : start + size]], "total": len(agents)}


@router.get("/agents/{agent_id}")
async def get_agent(agent_id: str):
    return agent_facts(found(await AsyncAgent.get(agent_id), "agent"))


@router.put("/agents/{agent_id}")
async def update_agent(agent_id: str, changes: dict[str, Any]):
    agent = found(await AsyncAgent.get(agent_id), "agent")
    await agent.update(**changes)
    return agent_facts(agent)


@router.delete("/agents/{agent_id}")
async def delete_agent(agent_id: str):
    agent = found(await AsyncAgent.get(agent_id), "agent")
    AgentConfigManager(agent_id).delete_all_configs()
    await agent.delete()
    return {"id": agent_id}


@router.get("/config-types")
async def config_types():
    return sorted(AGENT_CONFIG_MODELS)


@router.get("/agents/{agent_id}/config")
async def get_config(agent_id: str):
    found(await AsyncAgent.get(agent_id), "agent")
    return AgentConfigManager(agent_id).get_all_configs()


@router.put("/agents/{agent_id}/config")
async def update_config(agent_id: str, config: dict[str, Any]):
    found(await AsyncAgent.get(agent_id), "agent")
    manager = AgentConfigManager(agent_id)
    manager.update_config_from_json(config)
    return manager.get_all_configs()


@router.delete("/agents/{agent_id}/config")
async def delete_config(agent_id: str):
    found(await AsyncAgent.get(agent_id), "agent")
    manager = AgentConfigManager(agent_id)
    manager.delete_all_configs()
    return manager.get_all_configs()


@router.put("/agents/{agent_id}/config/{part}")
async def put_part(agent_id: str, part: str, values: dict[str, Any]):
    manager = AgentConfigManager(agent_id)
    if part == "persona":
        manager.create_personality_config(values)
        return manager.get_personality_config()
    if part == "bot_overrides":
        manager.create_bot_config_overrides(values)
        return manager.get_all_configs()["bot_overrides"]
    manager.create_config_overrides(part, values)
    return manager.get_config_overrides(part)


# API keys


@router.post("/api-keys")
async def create_key(request: KeyCreate):
    agent = found(await AsyncAgent.get(request.agent_id), "agent")
    if agent.tenant_id != request.tenant_id:
        raise HTTPException(400, "the agent is another tenant's")
    parts = [request.tenant_id.split("_")[1], request.agent_id.split("_")[1], secrets.token_hex(8), "v1"]
    text = "mmc_" + base64.b64encode("_".join(parts).encode()).decode()
    key = await AsyncApiKey.create(
        id=new_id("key"),
        tenant_id=request.tenant_id,
        agent_id=request.agent_id,
        name=request.name,
        description=request.description,
        api_key=text,
        permissions=request.permissions,
        status=ApiKeyStatus.ACTIVE.value,
        expires_at=request.expires_at,
    )
    return key_facts(key) | {"api_key": key.api_key}


@router.get("/api-keys")
async def list_keys(
    tenant_id: str,
    agent_id: str | None = None,
    status: ApiKeyStatus | None = None,
    page: int = 1,
    page_size: int = 20,
):
    keys, total = await AsyncApiKey.list(
        tenant_id, agent_id=agent_id, status=status.value if status else None, page=page, page_size=page_size
    )
    return {"items": [key_facts(key) for key in keys], "total": total}


@router.get("/api-keys/{key_id}")
async def get_key(key_id: str):
    return key_facts(found(await AsyncApiKey.get(key_id), "key"))


@router.put("/api-keys/{key_id}")
async def update_key(key_id: str, changes: dict[str, Any]):
    key = found(await AsyncApiKey.get(key_id), "key")
    await key.update(**changes)
    return key_facts(key)


@router.post("/api-keys/{key_id}/disable")
async def disable_key(key_id: str):
    key = found(await AsyncApiKey.get(key_id), "key")
    await key.update(status=ApiKeyStatus.DISABLED)
    return key_facts(key)


@router.delete("/api-keys/{key_id}")
async def delete_key(key_id: str):
    await found(await AsyncApiKey.get(key_id), "key").delete()
    return {"id": key_id}


# Authentication


@router.post("/auth/parse-api-key")
async def parse_key(request: KeyCheck):
    try:
        parts = base64.b64decode(request.api_key.removeprefix("mmc_"), validate=True).decode().split("_")
    except ValueError:
        parts = []
    if not request.api_key.startswith("mmc_") or len(parts) != 4:
        raise HTTPException(400, "no key of this service")
    return {"tenant_id": f"tenant_{parts[0]}", "agent_id": f"agent_{parts[1]}", "version": parts[3]}


@router.post("/auth/validate-api-key")
async def validate_key(request: KeyCheck):
    key = await AsyncApiKey.get_by_key_value(
        request.api_key, tenant_id=request.tenant_id, agent_id=request.agent_id
    )
    if key is None:
        raise HTTPException(401, "no such key")
    if key.status == ApiKeyStatus.DISABLED:
        raise HTTPException(401, "disabled")
    if key.status == ApiKeyStatus.EXPIRED.value or key.is_expired():
        await key.update(status=ApiKeyStatus.EXPIRED.value)
        raise HTTPException(401, "expired")
    await key.update(usage_count=key.usage_count + 1)
    allowed = request.required_permission is None or key.has_permission(request.required_permission)
    return key_facts(key) | {"valid": True, "has_permission": allowed}


# Activity


@router.put("/agent-activity")
async def note_activity(request: Activity):
    tenant = await AsyncTenant.get(request.tenant_id)
    if not tenant or tenant.status != TenantStatus.ACTIVE:
        raise HTTPException(400, "the tenant is not there or not active")
    agent = await AsyncAgent.get(request.agent_id)
    if not agent or agent.tenant_id != request.tenant_id or agent.status == AgentStatus.INACTIVE:
        raise HTTPException(400, "the agent is not there or not active")
    state = await AsyncAgentActiveState.upsert(
        tenant_id=request.tenant_id, agent_id=request.agent_id, ttl_seconds=request.ttl_seconds
    )
    return shown(state, "tenant_id", "agent_id", "last_seen_at", "expires_at", "ttl_seconds")


@router.get("/agent-activity")
async def list_activity(tenant_id: str | None = None):
    states = await AsyncAgentActiveState.list_active()
    return [
        shown(state, "tenant_id", "agent_id", "ttl_seconds")
        for state in states
        if tenant_id in {None, state.tenant_id}
    ]


# What the web backend and the bot do with the ordinary models, in threads of their own


@router.post("/chats")
def add_turn(turn: Turn):
    return {"id": str(ChatHistory.create(**turn.model_dump(exclude_none=True)).id)}


@router.get("/chats")
async def turns(session_id: str):
    def read():
        rows = (
            ChatHistory.select().where(ChatHistory.session_id == session_id).order_by(ChatHistory.created_at)
        )
        return [row.user_message for row in rows]

    return await asyncio.get_running_loop().run_in_executor(None, read)


@router.put("/chats")
def edit_turns(agent_id: str, user_message: str):
    return ChatHistory.update(user_message=user_message).where(ChatHistory.agent_id == agent_id).execute()


@router.delete("/chats")
def forget_turns(agent_id: str):
    return ChatHistory.delete().where(ChatHistory.agent_id == agent_id).execute()


@router.get("/agents/{agent_id}/raw")
def raw_agent(agent_id: str):
    """The row as the ordinary models show it: JSON is text."""
    agent = Agent.get_by_id(agent_id)
    assert serialize_json_field(agent.get_config()) is not None
    return {"config": agent.config, "parsed": parse_json_field(agent.config, {}), "active": agent.is_active}


@router.get("/health")
async def health():
    database = get_database()
    database.connect(reuse_if_open=True)
    usable = database.is_connection_usable()
    database.close()
    return {"usable": usable, "closed": database.is_closed(), "migrator": type(database.migrator()).__name__}


@asynccontextmanager
async def lifespan(_app):
    init_database()
    db_manager.create_tables(ALL_MODELS)
    yield
    close_database()


def refused(status):
    async def answer(_request, error):
        return JSONResponse({"detail": str(error)}, status)

    return answer


app = FastAPI(lifespan=lifespan)
app.include_router(router)
app.add_exception_handler(ValueError, refused(422))
app.add_exception_handler(peewee.IntegrityError, refused(409))
