"""The life of a tenant, and its end with proof."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    AgentActiveState,
    ApiKey,
    ChatHistory,
    DuplicateError,
    Tenant,
    ValidationError,
    bulk_insert,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core import api_keys, audit, deletion, lifecycle
from maimdb.core.errors import InvalidKeyError, LifecycleError, LimitExceededError, TenantSuspendedError

from tests.maimdb.rows import assistant, chat, company


@pytest.fixture
def database(sql_url):
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    yield database
    close_database()


@pytest.fixture
def made(database):
    return lifecycle.create_tenant("Example Company", agent="Support", key=["chat"], config={"plan": "x"})


def rows(database, sql):
    with system_scope(reason="test"):
        return [tuple(row) for row in database.execute_sql(sql).fetchall()]


def opens(made):
    try:
        return bool(api_keys.verify(made.key.text))
    except InvalidKeyError:
        return False


def ways_to_write(made):
    agent, row = made.agent, ChatHistory(session_id="s", user_message="m", agent_response="r")
    return [
        lambda: chat(agent_id=agent.id),
        lambda: row.save(force_insert=True),
        lambda: ChatHistory.update(user_message="x").execute(),
        lambda: ChatHistory.delete().execute(),
        lambda: ChatHistory.insert_many(
            [{"session_id": "s", "user_message": "m", "agent_response": "r"}]
        ).execute(),
        lambda: bulk_insert(ChatHistory, [{"session_id": "s", "user_message": "m", "agent_response": "r"}]),
        lambda: Agent.update(name="x").execute(),
    ]


def test_a_tenant_its_agent_and_key_are_made_in_one_unit(made):
    assert made.tenant.get_config() == {"plan": "x"}
    assert made.agent.tenant_id == made.tenant.id
    assert api_keys.verify(made.key.text).permissions == {"chat"}
    with pytest.raises(DuplicateError, match="there is a tenant 'Example Company': use another name"):
        lifecycle.create_tenant("Example Company")
    with pytest.raises(LimitExceededError):
        lifecycle.create_tenant("Small", agent="A", key=["chat"], config={"max_keys": 0})
    with pytest.raises(LifecycleError, match="a key opens an agent"):
        lifecycle.create_tenant("Small", key=["chat"])
    with pytest.raises(ValidationError, match=r"tenant_config\.max_agents: Input should be greater"):
        lifecycle.create_tenant("Small", config={"max_agents": -1})
    assert [tenant.tenant_name for tenant in Tenant.select()] == ["Example Company"]
    assert Agent.select().count() == 1
    kinds = {event.kind for event in audit.events(tenant_id=made.tenant.id)}
    assert kinds == {"tenant.created", "agent.created", "key.issued"}


def test_a_suspended_tenant_may_do_nothing_until_it_is_reactivated(made):
    tenant = made.tenant.id
    other = lifecycle.create_tenant("Other Company", agent="A", key=["chat"])
    with tenant_scope(tenant):
        chat(agent_id=made.agent.id)
    lifecycle.suspend(tenant, reason="invoice 17")
    assert not opens(made)
    with tenant_scope(tenant):
        for way in [*ways_to_write(made), ChatHistory.select().count, ChatHistory.get_or_none]:
            with pytest.raises(TenantSuspendedError, match="is suspended: it may do nothing until") as caught:
                way()
    assert (caught.value.tenant, caught.value.status) == (tenant, "suspended")
    with tenant_scope(other.tenant.id):
        assert chat(agent_id=other.agent.id)
    assert opens(other)
    with pytest.raises(LifecycleError, match="is not active: reactivate it first"):
        lifecycle.create_agent(tenant, "B")
    with system_scope(reason="export"), tenant_scope(tenant):
        assert ChatHistory.select().count() == 1
    lifecycle.reactivate(tenant)
    assert opens(made)
    with tenant_scope(tenant):
        assert ChatHistory.select().count() == 1
        assert chat(agent_id=made.agent.id)
    steps = [event.kind for event in audit.events(tenant_id=tenant) if event.kind.startswith("tenant.")]
    assert steps == ["tenant.reactivated", "tenant.suspended", "tenant.created"]


@pytest.mark.parametrize("how", ["suspend", "archive"])
def test_a_tenant_that_may_only_read_reads(made, how):
    tenant = made.tenant.id
    with tenant_scope(tenant):
        chat(agent_id=made.agent.id)
    lifecycle.suspend(tenant, reads=True) if how == "suspend" else lifecycle.archive(tenant)
    assert opens(made) == (how == "suspend")
    with tenant_scope(tenant):
        assert ChatHistory.select().count() == 1
        assert ChatHistory.page()[0].user_message == "Hello"
        for way in ways_to_write(made):
            with pytest.raises(TenantSuspendedError, match="it may only read"):
                way()
        assert ChatHistory.select().count() == 1
    assert lifecycle.reactivate(tenant).get_config() == {"plan": "x"}
    with tenant_scope(tenant):
        chat(agent_id=made.agent.id)


def test_a_scope_that_was_open_before_is_suspended_too(database, made):
    with tenant_scope(made.tenant.id):
        chat(agent_id=made.agent.id)
        thread = threading.Thread(target=lambda: (lifecycle.suspend(made.tenant.id), database.close()))
        thread.start()
        thread.join()
        with pytest.raises(TenantSuspendedError):
            chat(agent_id=made.agent.id)
        with pytest.raises(TenantSuspendedError), database.atomic():
            chat(agent_id=made.agent.id)


def test_fifty_threads_create_no_more_agents_than_the_tenant_may_have(database):
    tenant = company(tenant_config='{"max_agents": 7}')

    def create(number):
        try:
            if number % 2:
                Agent.create(tenant_id=tenant.id, name=str(number))
            else:
                lifecycle.create_agent(tenant.id, str(number))
        except LimitExceededError:
            return 0
        else:
            return 1
        finally:
            database.close()

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(create, range(50))) == 7
    assert Agent.select().count() == 7
    lifecycle.archive_agent(Agent.select().first().id)
    assert lifecycle.create_agent(tenant.id, "one more")
    with pytest.raises(LimitExceededError, match="has 7 of 7 rows in 'agents'"):
        Agent.create(tenant_id=tenant.id, name="too many")


def test_keys_of_an_archived_agent_open_nothing(made):
    lifecycle.archive_agent(made.agent.id)
    api_keys.close()
    assert not opens(made)
    with pytest.raises(LifecycleError, match="there is no agent 'agent_unknown0'"):
        lifecycle.archive_agent("agent_unknown0")


def world(database):
    """A tenant with rows in every table there is, and its neighbour with the same."""
    for sql in (
        "CREATE TABLE legacy_emoji (tenant_id VARCHAR(50), note VARCHAR(20))",
        "CREATE TABLE chat_config_overrides (id INTEGER, agent_id VARCHAR(50))",
        "CREATE TABLE plugin_rows (TENANT_ID VARCHAR(50))",
        "CREATE TABLE unrelated (id INTEGER)",
    ):
        database.execute_sql(sql)
    found = []
    for name in ("Goes", "Stays"):
        made = lifecycle.create_tenant(name, agent="A", key=["chat"])
        AgentActiveState.create(tenant_id=made.tenant.id, agent_id=made.agent.id)
        with system_scope(reason="test"):
            chat(tenant_id=made.tenant.id, agent_id=made.agent.id)
            chat(tenant_id=made.tenant.id)
            for sql, value in (
                ("INSERT INTO legacy_emoji VALUES ({}, 'n')", made.tenant.id),
                ("INSERT INTO chat_config_overrides VALUES (1, {})", made.agent.id),
                ("INSERT INTO plugin_rows VALUES ({})", made.tenant.id),
            ):
                database.execute_sql(sql.format(database.param), (value,))
        found.append(made)
    with system_scope(reason="test"):
        database.execute_sql("INSERT INTO unrelated VALUES (1)")
    return found


def test_a_deleted_tenant_leaves_no_row_in_any_table(database):
    gone, stays = world(database)
    neighbour = deletion.count_rows(stays.tenant.id)
    report = deletion.delete_tenant(gone.tenant.id)

    counted = {count.table: (count.before, count.after) for count in report.tables}
    for table, n in {
        "tenants": 1,
        "agents": 1,
        "api_keys": 1,
        "agent_active_states": 1,
        "chat_history": 2,
        "legacy_emoji": 1,
        "chat_config_overrides": 1,
        "plugin_rows": 1,
        "chat_logs": 0,
    }.items():
        assert counted[table] == (n, 0), table
    assert "unrelated" not in counted
    assert (report.rows, report.left, report.tenant_name) == (9, 0, "Goes")
    # Looked at by other means: no text of any table but the audit log names the tenant or its agent.
    for table in set(database.get_tables()) - {"audit_events"}:
        held = repr(rows(database, f"SELECT * FROM {table}"))
        assert gone.tenant.id not in held
        assert gone.agent.id not in held
    assert deletion.count_rows(stays.tenant.id) == neighbour
    assert rows(database, "SELECT COUNT(*) FROM unrelated") == [(1,)]
    assert not opens(gone)
    assert opens(stays)


def test_the_report_is_signed_and_the_audit_log_confirms_it(database, made):
    report = deletion.delete_tenant(made.tenant.id)
    assert deletion.is_genuine(report)
    assert not deletion.is_genuine(replace(report, tenant_name="Another Company"))
    assert not deletion.is_genuine(replace(report, tables=()))
    assert json.loads(report.to_json())["hash"] == report.hash
    events = audit.events(tenant_id=made.tenant.id, kind="tenant.deleted")
    assert [json.loads(event.details)["rows"] for event in events] == [report.rows] == [3]
    assert audit.verify().ok
    with pytest.raises(LifecycleError, match="there is no tenant"):
        deletion.delete_tenant(made.tenant.id)


def test_a_tenant_that_works_while_it_is_deleted_leaves_nothing(database):
    tenant = company()
    agent, stop, written = assistant(tenant), threading.Event(), []

    def work():
        try:
            while not stop.is_set():
                with tenant_scope(tenant.id):
                    written.append(chat(agent_id=agent.id))
        except Exception as exc:  # noqa: BLE001 - what a caller gets
            written.append(exc)
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(written) < 10:
        stop.wait(0.01)
    report = deletion.delete_tenant(tenant.id)
    stop.set()
    for thread in threads:
        thread.join()
    assert {type(last) for last in written if isinstance(last, Exception)} <= {TenantSuspendedError}
    assert report.left == sum(deletion.count_rows(tenant.id).values()) == 0
    assert ApiKey.select().count() == 0
