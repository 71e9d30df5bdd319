"""The models for asyncio: the same methods, awaited; JSON as dicts and lists."""

import asyncio
import datetime as dt
import functools
import inspect
import threading

import peewee
import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    AgentActiveState,
    ApiKey,
    BusinessBaseModel,
    ChatHistory,
    DuplicateError,
    Tenant,
    ValidationError,
    close_database,
    init_database,
    tenant_scope,
)
from maimdb.core import async_models, async_records
from maimdb.core.async_models import (
    AsyncAgent,
    AsyncAgentActiveState,
    AsyncApiKey,
    AsyncChatHistory,
    AsyncTenant,
    AsyncUserSession,
    unit,
)

from tests.maimdb.rows import assistant, company

MODELS = [Tenant, Agent, ApiKey, AgentActiveState, *BusinessBaseModel.__subclasses__()]


@pytest.fixture
def database(sql_url):
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    yield database
    close_database()


def asynchronous(test):
    """Run an asynchronous test."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


def public(model):
    return [name for name in dir(model) if not name.startswith("_")]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_public_name_of_a_model_is_there(model):
    wrapper = getattr(async_models, f"Async{model.__name__}")
    assert wrapper.model is model
    assert [name for name in public(model) if not hasattr(wrapper, name)] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_method_takes_what_the_models_takes(model):
    """Except where this page of the documentation says so: get, and update and delete of an instance."""
    wrapper = getattr(async_models, f"Async{model.__name__}")
    own = {"get", "update", "delete"}
    for name in set(public(model)) - own:
        theirs = inspect.getattr_static(model, name)
        if inspect.isroutine(getattr(model, name)) and not isinstance(theirs, property):
            assert inspect.signature(getattr(wrapper, name)) == inspect.signature(getattr(model, name)), name


@pytest.mark.backend("sqlite")
def test_what_builds_a_query_or_only_looks_at_a_row_runs_no_statement(database):
    tenant = company()
    agent = assistant(tenant)
    key = ApiKey.create(tenant_id=tenant.id, agent_id=agent.id)
    statements = []
    database.query_hooks.append(lambda *args, **_: statements.append(args))
    for wrapper, record in ((AsyncTenant, tenant), (AsyncAgent, agent), (AsyncApiKey, key)):
        row = wrapper._of(record)
        for name in sorted(async_records.PURE & set(public(wrapper.model))):
            arguments = {"set_config": [{}], "set_permissions": [[]], "has_permission": ["chat"]}
            if name.startswith(("get_", "is_", "has_", "set_")):
                getattr(row, name)(*arguments.get(name, []))
        assert row.is_active
        wrapper.select().where(wrapper.id == "x").order_by(wrapper.id)
        wrapper.insert({})
        wrapper.update({"description": "x"})
        wrapper.delete()
    assert statements == []


@asynchronous
async def test_json_is_dicts_and_lists_here_and_text_in_the_database(database):
    tenant = await AsyncTenant.create(tenant_name="Example", tenant_config={"max_agents": 100})
    agent = await AsyncAgent.create(tenant_id=tenant.id, name="Helper", config='{"persona": "kind"}')
    key = await AsyncApiKey.create(tenant_id=tenant.id, agent_id=agent.id, permissions=["chat"])
    assert (tenant.tenant_config, agent.config, key.permissions) == (
        {"max_agents": 100},
        {"persona": "kind"},
        ["chat"],
    )
    assert (await AsyncTenant.get(tenant.id)).tenant_config == {"max_agents": 100}
    assert Tenant.get_by_id(tenant.id).tenant_config == '{"max_agents": 100}'
    await tenant.update(tenant_config=None)
    assert (await AsyncTenant.get(tenant.id)).tenant_config is None
    tenant.tenant_config = {"a": [1]}
    await tenant.save()
    found = await AsyncTenant.select().where(AsyncTenant.id == tenant.id)
    assert [row.tenant_config for row in found] == [{"a": [1]}]
    await AsyncTenant.update(tenant_config={"b": 2}).where(AsyncTenant.id == tenant.id)
    assert (await AsyncTenant.get_by_id(tenant.id)).tenant_config == {"b": 2}


@asynchronous
async def test_what_is_not_there_is_none(database):
    assert await AsyncTenant.get("tenant_00000000") is None
    assert await AsyncTenant.get_by_name("nobody") is None
    assert await AsyncAgent.get_by_tenant_and_name("tenant_00000000", "nobody") is None
    assert await AsyncAgent.get_by_tenant("tenant_00000000") == []
    assert await AsyncApiKey.get_by_key("nothing") is None
    assert await AsyncApiKey.get_by_key_value("nothing") is None
    assert await AsyncApiKey.list("tenant_00000000") == ([], 0)
    with pytest.raises(Tenant.DoesNotExist):
        await AsyncTenant.get_by_id("tenant_00000000")


@asynchronous
async def test_what_callers_use(database):
    tenants = [await AsyncTenant.create(tenant_name=f"Tenant {number}") for number in range(3)]
    assert await AsyncTenant.count() == 3
    assert await AsyncTenant.get_all() == tenants
    assert await AsyncTenant.get_all(limit=1, offset=1) == [tenants[1]]
    assert await AsyncTenant.get_by_name("Tenant 2") == tenants[2]
    assert await tenants[2].delete() == 1
    agents = [await AsyncAgent.create(tenant_id=tenants[0].id, name=name) for name in ("B", "A")]
    assert await AsyncAgent.get_by_tenant(tenants[0].id) == agents
    assert await AsyncAgent.get_by_tenant_and_name(tenants[0].id, "A") == agents[1]
    keys = [
        await AsyncApiKey.create(tenant_id=tenants[0].id, agent_id=agents[n % 2].id, name=str(n))
        for n in range(5)
    ]
    text = keys[0].api_key
    assert text
    assert await AsyncApiKey.get_by_key(text) == keys[0]
    assert await AsyncApiKey.get_by_key_value(text, tenant_id=tenants[0].id, agent_id=agents[0].id) == keys[0]
    assert await AsyncApiKey.get_by_key_value(text, tenant_id=tenants[1].id) is None
    assert await AsyncApiKey.get_by_tenant(tenants[0].id) == keys
    await keys[4].update(status="disabled")
    assert await AsyncApiKey.list(tenants[0].id, page=2, page_size=2) == ([keys[2], keys[1]], 5)
    assert await AsyncApiKey.list(tenants[0].id, agent_id=agents[0].id, status="active") == (
        [keys[2], keys[0]],
        2,
    )


@asynchronous
async def test_an_agents_state_is_noted_once_by_many_at_once(database):
    tenant = await AsyncTenant.create(tenant_name="Example")
    agent = await AsyncAgent.create(tenant_id=tenant.id, name="Helper")
    states = await asyncio.gather(*(AsyncAgentActiveState.upsert(tenant.id, agent.id, 60) for _ in range(20)))
    assert {state.ttl_seconds for state in states} == {60}
    (active,) = await AsyncAgentActiveState.list_active()
    assert active.is_active
    assert active.agent_id == agent.id
    assert active.expires_at - active.last_seen_at == dt.timedelta(seconds=60)
    await AsyncAgentActiveState.upsert(tenant.id, agent.id, 0)
    assert await AsyncAgentActiveState.list_active() == []


@asynchronous
async def test_an_instance_changes_just_the_fields_that_it_is_given(database):
    tenant = await AsyncTenant.create(tenant_name="Example")
    mine, theirs = await AsyncTenant.get(tenant.id), await AsyncTenant.get(tenant.id)
    await mine.update(description="mine")
    await theirs.update(contact_email="x@example.com")
    row = await AsyncTenant.get(tenant.id)
    assert (row.description, row.contact_email) == ("mine", "x@example.com")
    assert row.updated_at > tenant.updated_at
    with pytest.raises(AttributeError, match="no field 'colour'"):
        await mine.update(colour="red")
    with pytest.raises(ValidationError):
        await mine.update(status="bogus")


@asynchronous
async def test_queries_are_built_as_the_models_are(database):
    tenant = await AsyncTenant.create(tenant_name="Example")
    async with tenant_scope(tenant.id):
        await AsyncChatHistory.insert_many(
            [{"session_id": str(n % 2), "user_message": str(n), "agent_response": "Hi"} for n in range(10)]
        )
        chats = AsyncChatHistory.select().where(AsyncChatHistory.session_id == "1")
        assert await chats.count() == 5
        assert await chats.exists()
        assert isinstance(await chats.first(), AsyncChatHistory)
        assert sorted([row.user_message async for row in chats]) == ["1", "3", "5", "7", "9"]
        assert await AsyncChatHistory.select(peewee.fn.COUNT(AsyncChatHistory.id)).scalar() == 10
        dicts = await chats.order_by(AsyncChatHistory.user_message).limit(1).dicts()
        assert dicts[0]["user_message"] == "1"
        page = await AsyncChatHistory.page(session_id="0", limit=3)
        assert [type(row) for row in page] == [AsyncChatHistory] * 3
        row, made = await AsyncUserSession.get_or_create(session_id="s")
        again, made_again = await AsyncUserSession.get_or_create(session_id="s")
        assert (row, made, made_again) == (again, True, False)
        assert await AsyncChatHistory.delete().where(AsyncChatHistory.session_id == "0") == 5
    assert await AsyncChatHistory.select().count() == 0  # nobody's, outside of the scope


@asynchronous
async def test_errors_are_those_of_the_models(database):
    await AsyncTenant.create(tenant_name="Example")
    with pytest.raises(DuplicateError):
        await AsyncTenant.create(tenant_name="Example")
    with pytest.raises(ValidationError, match=r"tenants\.status"):
        await AsyncTenant.create(tenant_name="Other", status="bogus")


@asynchronous
async def test_models_and_units_go_together(database):
    async def work():
        async with unit():
            tenant = await AsyncTenant.create(tenant_name="Example")
            await AsyncAgent.create(tenant_id=tenant.id, name="Helper")
            await AsyncTenant.create(tenant_name="Example")

    with pytest.raises(DuplicateError):
        await work()
    assert await AsyncTenant.count() == 0
    assert await AsyncAgent.select().count() == 0


@pytest.mark.backend("sqlite")
def test_no_statement_runs_in_the_thread_of_the_loop(database):
    tenant = company()
    agent = assistant(tenant)
    threads = set()
    database.query_hooks.append(lambda *_, **__: threads.add(threading.get_ident()))

    async def everything():
        key = await AsyncApiKey.create(tenant_id=tenant.id, agent_id=agent.id)
        await key.update(name="x")
        await key.save()
        await AsyncApiKey.get(key.id)
        await AsyncApiKey.get_or_none(AsyncApiKey.id == key.id)
        await AsyncApiKey.bulk_create([AsyncApiKey(tenant_id=tenant.id, agent_id=agent.id, api_key="k" * 20)])
        assert len(await AsyncApiKey.select()) == 2
        await key.delete_instance()
        await AsyncApiKey.table_exists()
        async for _ in AsyncTenant.select():
            pass
        async with unit():
            await AsyncAgentActiveState.upsert(tenant.id, agent.id, 1)

    asyncio.run(everything())
    assert threads
    assert threading.get_ident() not in threads


def test_the_old_path_gives_the_same_classes():
    from maim_db.core import async_models as old  # noqa: PLC0415
    from maim_db.src.core import async_models as older  # noqa: PLC0415

    assert old.AsyncTenant is older.AsyncTenant is AsyncTenant
    assert set(async_models.__all__) <= set(vars(old))
    assert ChatHistory is AsyncChatHistory.model
