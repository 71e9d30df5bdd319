"""A file of MaimDB's first version: tenants and agents with new ids, and everything of theirs with them."""

import json
import re

import peewee
import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    ApiKey,
    ChatHistory,
    ChatLogs,
    FileUpload,
    SystemMetrics,
    Tenant,
    UserSession,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)

from tests.maimdb.legacy_files import V1, control_plane, insert, load, written

BUSINESS = (ChatHistory, ChatLogs, FileUpload, SystemMetrics, UserSession)


@pytest.fixture
def v1_file(tmp_path):
    path = tmp_path / "maimdb.db"
    with written(path, V1) as database:
        control_plane(database)
        insert(database, "agents", id="lost", name="n", tenant_id="gone", user_id="x")
        insert(
            database, "chat_history", id="h-lost", agent_id="gone", session_id="s", user_message="orphan",
            created_at="2023-01-01 00:00:00",
        )  # fmt: skip
    return path


@pytest.fixture
def opened(sql_url):
    yield lambda: init_database(sql_url)
    close_database()


def kept(name):
    table = peewee.Table(f"legacy_{name}").bind(Tenant._meta.database)
    return [json.loads(row["source_data"]) for row in table.select(table.c.source_data)]


def test_tenants_agents_and_their_rows_get_new_ids_that_belong_together(sql_url, v1_file, opened):
    imported = load(v1_file, sql_url, batch=4)
    assert imported.balanced
    opened()
    tenants = {tenant.tenant_name: tenant for tenant in Tenant.select()}
    assert tenants.keys() == {"Tenant t1", "Tenant t2"}
    assert [tenants[f"Tenant {name}"].status for name in ("t1", "t2")] == ["active", "inactive"]
    for name, tenant in tenants.items():
        assert re.fullmatch(r"tenant_[0-9a-z]{8}", tenant.id)
        with tenant_scope(tenant.id):
            agents = {agent.id: agent for agent in Agent.select()}
            assert sorted(agent.name for agent in agents.values()) == ["Agent 0", "Agent 1", "Agent 2"]
            assert all(re.fullmatch(r"agent_[0-9a-z]{8}", agent) for agent in agents)
            configs = {agent.name: agent.config for agent in agents.values()}
            assert configs == {
                "Agent 0": None,
                "Agent 1": '{"persona": "calm"}',
                "Agent 2": '{"persona": "calm"}',
            }
            assert [model.select().count() for model in BUSINESS] == [18] * 5
            for row in ChatHistory.select():
                old = json.loads(row.metadata)["legacy_id"]
                assert old[1:3] == name[-2:]
                assert agents[row.agent_id].name[-1] == old.split("agent")[1][0]
                assert (row.user_message[-1], row.agent_response) == (old[-1], f"答 {old[-1]}")
            notes = [json.loads(row.metadata) for row in ChatLogs.select().order_by(ChatLogs.id).limit(3)]
            assert notes[0]["a"] == 1
            assert (notes[1]["metadata"], notes[2].keys()) == ("{broken", {"legacy_id"})


def test_users_keys_and_columns_without_a_place_are_kept_for_their_tenant_alone(sql_url, v1_file, opened):
    load(v1_file, sql_url)
    opened()
    assert ApiKey.select().count() == 0
    assert kept("users") == []
    with tenant_scope(Tenant.get(Tenant.tenant_name == "Tenant t1").id):
        assert [user["password_hash"] for user in kept("users")] == ["h"]
        assert {key["key_hash"] for key in kept("api_keys")} == {
            f"hash-t1-agent{number}" for number in range(3)
        }
        assert [tenant["id"] for tenant in kept("tenants")] == ["t1"]
        assert {agent["config"] for agent in kept("agents")} == {"{broken", '{"persona": "calm"}'}


def test_rows_of_nobody_are_set_aside(sql_url, v1_file, opened):
    imported = load(v1_file, sql_url)
    aside = {each.table: each.set_aside for each in imported.balances if each.set_aside}
    assert aside == {
        "agents": {"its tenant is not in the file": 1},
        "chat_history": {"its agent is not in the file": 1},
    }
    opened()
    assert [row["user_message"] for row in kept("chat_history")] == ["orphan"]


def test_a_second_run_changes_nothing_and_old_ids_can_be_looked_up(sql_url, v1_file, opened):
    first = load(v1_file, sql_url)
    assert load(v1_file, sql_url).balances == first.balances
    database = opened()
    with system_scope(reason="test"):
        rows = database.execute_sql("SELECT source_table, old_id, new_id FROM legacy_ids").fetchall()
    ids = {(table, old): new for table, old, new in rows}
    assert len(ids) == 8
    assert Tenant.get_by_id(ids["tenants", "t1"]).tenant_name == "Tenant t1"


def test_a_tenant_of_the_same_name_is_another(sql_url, v1_file, opened):
    opened()
    Tenant._meta.database.create_tables(ALL_MODELS)
    mine = Tenant.create(tenant_name="Tenant t1")
    close_database()
    assert load(v1_file, sql_url).balanced
    opened()
    assert Tenant.select().count() == 3
    with tenant_scope(mine.id):
        assert Agent.select().count() == ChatHistory.select().count() == 0
