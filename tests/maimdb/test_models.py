"""The models: what they accept, what they refuse, alike on every engine."""

# ruff: noqa: ARG005, RUF043 - writes are given the tenant, texts are strange, dots in names match themselves

import re
import uuid
from collections.abc import Iterator
from typing import Any

import peewee
import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    AgentActiveState,
    AgentStatus,
    ApiKey,
    ApiKeyStatus,
    ChatHistory,
    ChatLogs,
    DuplicateError,
    FileUpload,
    SystemMetrics,
    Tenant,
    TenantStatus,
    TenantType,
    UserSession,
    ValidationError,
    close_database,
    db_manager,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core.models import base

from tests.maimdb.rows import assistant, chat, company


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    db_manager.create_tables(ALL_MODELS)
    yield database
    close_database()


# The specification's snippets, word for word.


def test_multi_tenant_snippet_runs(database):
    from maim_db.src.core.models import Tenant, Agent, ApiKey, TenantType  # noqa: I001, PLC0415

    # Create tenant
    tenant = Tenant.create(
        tenant_name="Example Company",
        tenant_type=TenantType.ENTERPRISE.value,
        tenant_config='{"max_agents": 100}',
    )

    # Create agent with tenant relationship
    agent = Agent.create(
        tenant_id=tenant.id, name="Support Assistant", config='{"persona": "professional support"}'
    )

    # Create API key with permissions
    api_key = ApiKey.create(tenant_id=tenant.id, agent_id=agent.id, permissions='["chat", "config_read"]')
    assert Tenant.get_by_id(tenant.id).get_config() == {"max_agents": 100}
    assert Agent.get_by_id(agent.id).tenant_id == tenant.id
    assert ApiKey.get_by_id(api_key.id).has_permission("chat")


def test_business_snippet_runs(database):
    from maim_db.src.core.models import ChatHistory  # noqa: PLC0415

    # Business models are standalone with timestamp fields
    chat = ChatHistory.create(session_id="session_123", user_message="Hello", agent_response="Hi there!")
    assert ChatHistory.get_by_id(chat.id).agent_response == "Hi there!"
    assert chat.tenant_id is None


# Tables.


def test_creating_tables_again_changes_nothing(database):
    before = sorted(database.get_tables())
    db_manager.create_tables(list(reversed(ALL_MODELS)))
    database.create_tables(ALL_MODELS)
    assert sorted(database.get_tables()) == before
    assert {model._meta.table_name for model in ALL_MODELS} <= set(before)


def test_every_read_path_has_its_index(database):
    for model in (ChatHistory, ChatLogs, FileUpload, UserSession, SystemMetrics):
        columns = [tuple(index.columns) for index in database.get_indexes(model._meta.table_name)]
        assert any(index[:3] == ("tenant_id", "agent_id", "created_at") for index in columns), model
        assert any(index[:2] == ("tenant_id", "created_at") for index in columns), model
        if "session_id" in model._meta.fields:
            assert any(index[:2] == ("tenant_id", "session_id") for index in columns), model


def test_unique_keys_of_tenant_tables_lead_with_the_tenant(database):
    for model in (Agent, ChatHistory, ChatLogs, FileUpload, SystemMetrics):
        key = tuple(each.column_name for each in model._meta.get_primary_keys())
        for index in database.get_indexes(model._meta.table_name):
            if index.unique and tuple(index.columns) != key:
                assert index.columns[0] == "tenant_id", index


# Ids.


@pytest.mark.parametrize(("model", "prefix"), [(Tenant, "tenant"), (Agent, "agent"), (ApiKey, "key")])
def test_new_ids_have_their_prefix_and_eight_characters(model, prefix):
    ids = [model().id for _ in range(200)]
    assert all(re.fullmatch(rf"{prefix}_[0-9a-z]{{8}}", each) for each in ids)
    assert len(set(ids)) == 200


def test_ids_of_twelve_hex_characters_keep_working(database):
    tenant = company(id="tenant_0123456789ab")
    agent = assistant(tenant, id="agent_0123456789ab")
    assert Agent.get(Agent.tenant_id == "tenant_0123456789ab") == agent
    with tenant_scope("tenant_0123456789ab"):
        assert chat(agent_id=agent.id).tenant_id == tenant.id


def test_colliding_ids_are_drawn_again(database, monkeypatch):
    drawn = iter(["tenant_aaaaaaaa", "tenant_aaaaaaaa", "tenant_aaaaaaaa", "tenant_bbbbbbbb"])
    monkeypatch.setattr(base, "new_id", lambda _: next(drawn))
    first = Tenant(id=next(drawn), tenant_name="one")
    first.save()
    second = Tenant(tenant_name="two")
    second.id = second._drawn_id = next(drawn)
    with database.atomic():
        assert second.save() == 1
        assert second.id == "tenant_bbbbbbbb"
    assert {row.tenant_name for row in Tenant.select()} == {"one", "two"}


def test_colliding_ids_are_given_up_in_the_end(database, monkeypatch):
    company(id="tenant_aaaaaaaa")
    monkeypatch.setattr(base, "new_id", lambda _: "tenant_aaaaaaaa")
    second = Tenant(tenant_name="two")
    second.id = second._drawn_id = "tenant_aaaaaaaa"
    with pytest.raises(DuplicateError):
        second.save()


def test_preset_ids_and_other_keys_are_not_drawn_again(database):
    company("one", id="tenant_aaaaaaaa")
    with pytest.raises(DuplicateError):
        company("two", id="tenant_aaaaaaaa")
    with pytest.raises(DuplicateError):
        company("one")
    assert Tenant.select().count() == 1


def test_save_of_a_new_instance_with_a_preset_id_inserts(database):
    """Earlier versions updated no row and said nothing."""
    tenant = Tenant(id="tenant_preset00", tenant_name="preset")
    assert tenant.save() == 1
    assert Tenant.get_by_id("tenant_preset00").tenant_name == "preset"
    tenant.tenant_name = "renamed"
    assert tenant.save() == 1
    row = ChatHistory(id=uuid.uuid4(), session_id="s", user_message="u", agent_response="a")
    assert row.save() == 1
    assert ChatHistory.get_by_id(row.id) == row
    assert [each.tenant_name for each in Tenant.select()] == ["renamed"]


def test_instances_of_bulk_create_are_updated_by_save(database):
    rows = [Tenant(tenant_name=name) for name in ("one", "two")]
    Tenant.bulk_create(rows)
    rows[0].tenant_name = "three"
    rows[0].save()
    assert {row.tenant_name for row in Tenant.select()} == {"three", "two"}


def test_partial_save_writes_what_it_names(database):
    tenant = company(description="old")
    tenant.tenant_name, tenant.description = "not written", "new"
    tenant.save(only=[Tenant.description])
    read = Tenant.get_by_id(tenant.id)
    assert (read.tenant_name, read.description) == ("Example Company", "new")
    assert Tenant(tenant_name="named").save(only=[Tenant.tenant_name]) == 1


# Enumerations.

BAD_STATUS = [
    pytest.param(lambda tenant: company("x", status="bogus"), id="create"),
    pytest.param(lambda tenant: Tenant(tenant_name="x", status="bogus").save(), id="save new"),
    pytest.param(lambda tenant: (setattr(tenant, "status", "bogus"), tenant.save()), id="save"),
    pytest.param(
        lambda tenant: (setattr(tenant, "status", "bogus"), tenant.save(only=["status"])), id="save only"
    ),
    pytest.param(lambda tenant: Tenant.update(status="bogus").execute(), id="update"),
    pytest.param(lambda tenant: Tenant.update({Tenant.status: "bogus"}).execute(), id="update by field"),
    pytest.param(lambda tenant: Tenant.set_by_id(tenant.id, {"status": "bogus"}), id="set_by_id"),
    pytest.param(lambda tenant: Tenant.insert(tenant_name="x", status="bogus").execute(), id="insert"),
    pytest.param(
        lambda tenant: Tenant.insert_many([{"tenant_name": "x", "status": "bogus"}]).execute(), id="many"
    ),
    pytest.param(
        lambda tenant: Tenant.bulk_create([Tenant(tenant_name="x", status="bogus")]), id="bulk_create"
    ),
    pytest.param(
        lambda tenant: (setattr(tenant, "status", "bogus"), Tenant.bulk_update([tenant], ["status"])),
        id="bulk_update",
    ),
]


@pytest.mark.parametrize("write", BAD_STATUS)
def test_bogus_status_is_refused_on_every_write_path(database, write):
    tenant = company()
    with pytest.raises(ValidationError, match="tenants.status is 'bogus': use one of 'active'") as refused:
        write(tenant)
    assert refused.value.field == "tenants.status"
    assert [row.status for row in Tenant.select()] == ["active"]


@pytest.mark.parametrize(
    ("model", "column", "known"),
    [
        (Tenant, "tenant_type", "personal"),
        (Tenant, "status", "active"),
        (Agent, "status", "archived"),
        (ApiKey, "status", "expired"),
    ],
)
def test_database_itself_refuses_a_bogus_enumeration(database, model, column, known):
    key = ApiKey.create(tenant_id=(tenant := company()).id, agent_id=assistant(tenant).id)
    table = peewee.Table(model._meta.table_name).bind(database)
    table.update({getattr(table.c, column): known}).execute()
    with pytest.raises(peewee.DatabaseError):
        table.update({getattr(table.c, column): "bogus"}).execute()
    assert key.id


def test_members_and_values_are_the_same(database):
    tenant = company(tenant_type=TenantType.ENTERPRISE, status=TenantStatus.SUSPENDED.value)
    read = Tenant.get(Tenant.tenant_type == TenantType.ENTERPRISE)
    assert read == tenant
    assert read.tenant_type == TenantType.ENTERPRISE == "enterprise"
    assert read.status == TenantStatus.SUSPENDED.value == "suspended"
    assert type(read.status) is str
    assert Agent(status=AgentStatus.ARCHIVED).is_active is False
    assert {each.value for each in ApiKeyStatus} == {"active", "disabled", "expired"}


def test_looking_for_what_cannot_be_finds_nothing(database):
    company()
    assert Tenant.get_or_none(Tenant.status == "bogus") is None
    assert Tenant.get_or_none(Tenant.id == "x" * 300) is None
    assert Tenant.get_or_none(Tenant.tenant_name == "x" * 300) is None
    assert Tenant.select().where(Tenant.status.in_(["bogus", "active"])).count() == 1
    assert Tenant.select().where(Tenant.tenant_config == "{broken").count() == 0


# Who owns what.


def test_unknown_tenant_is_refused_by_the_database(database):
    """Earlier versions accepted it."""
    with pytest.raises(peewee.IntegrityError):
        Agent.create(tenant_id="tenant_unknown0", name="x")
    with tenant_scope("tenant_unknown0"), pytest.raises(peewee.IntegrityError):
        chat()
    with pytest.raises(peewee.IntegrityError):
        Agent.create(name="of nobody")


def test_unknown_agent_is_refused_by_the_database(database):
    tenant = company()
    with pytest.raises(peewee.IntegrityError):
        ApiKey.create(tenant_id=tenant.id, agent_id="agent_unknown0")
    with tenant_scope(tenant.id), pytest.raises(peewee.IntegrityError):
        chat(agent_id="agent_unknown0")


def test_tenant_with_agents_cannot_be_deleted(database):
    agent = assistant(company())
    with pytest.raises(peewee.IntegrityError):
        Tenant.delete().execute()
    key = ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id)
    AgentActiveState.create(tenant_id=agent.tenant_id, agent_id=agent.id)
    agent.delete_instance()
    assert ApiKey.get_or_none(ApiKey.id == key.id) is None
    assert AgentActiveState.select().count() == 0


def test_second_turn_in_one_session_works(database):
    """Earlier versions raised IntegrityError."""
    tenant = company()
    agent = assistant(tenant)
    with tenant_scope(tenant.id):
        for model, values in (
            (ChatHistory, {"user_message": "u", "agent_response": "a"}),
            (ChatLogs, {"request_type": "chat", "request_content": "c", "status_code": 200}),
        ):
            for _ in range(3):
                model.create(session_id="one", agent_id=agent.id, **values)
            assert model.select().where(model.session_id == "one").count() == 3


def test_update_and_delete_under_one_agent_leave_anothers_rows(database):
    """Earlier versions changed them."""
    tenants = [company(name) for name in ("one", "two")]
    for tenant in tenants:
        with tenant_scope(tenant.id):
            for name in ("first", "second"):
                chat(agent_id=assistant(tenant, name=name).id, user_message=name)
    with tenant_scope(tenants[0].id):
        agent = Agent.get(Agent.name == "first")
        ChatHistory.update(user_message="changed").where(ChatHistory.agent_id == agent.id).execute()
        assert {row.user_message for row in ChatHistory.select()} == {"changed", "second"}
        ChatHistory.delete().where(ChatHistory.agent_id == agent.id).execute()
        assert {row.user_message for row in ChatHistory.select()} == {"second"}
    with tenant_scope(tenants[1].id):
        assert {row.user_message for row in ChatHistory.select()} == {"first", "second"}


def test_session_is_unique_for_its_agent_and_not_among_all(database):
    tenant = company()
    agents = [assistant(tenant, name=name) for name in "ab"]
    with tenant_scope(tenant.id):
        for agent in agents:
            UserSession.create(session_id="s", agent_id=agent.id)
        UserSession.create(session_id="s")
        with pytest.raises(DuplicateError):
            UserSession.create(session_id="s", agent_id=agents[0].id)
        with pytest.raises(DuplicateError):
            UserSession.create(session_id="s")
    UserSession.create(session_id="s")
    with pytest.raises(DuplicateError):
        UserSession.create(session_id="s")
    UserSession.create(session_id="S")
    with system_scope(reason="test"):
        assert UserSession.select().count() == 5


def test_standalone_rows_may_name_an_agent(database):
    assert chat(agent_id="agent_of_old_times").tenant_id is None
