"""What each scope reaches, and that queries, threads and tasks cannot carry rows from one to another."""

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import peewee
import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    AgentActiveState,
    ApiKey,
    ChatHistory,
    CrossTenantError,
    NoScopeError,
    RawSqlRefusedError,
    ScopeError,
    Tenant,
    UserSession,
    carry,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from peewee import SQL, fn

A, B = "tenant_aaaaaaaa", "tenant_bbbbbbbb"


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    for tenant in (A, B):
        Tenant.create(id=tenant, tenant_name=tenant)
        Agent.create(id=f"agent_{tenant[7:]}", tenant_id=tenant, name="helper")
    for tenant in (A, B):
        with tenant_scope(tenant):
            chat("s", tenant)
    chat("s", "nobody")
    yield database
    close_database()


def chat(session: str, message: str, **values: Any) -> ChatHistory:
    return ChatHistory.create(session_id=session, user_message=message, agent_response="r", **values)


def messages() -> list[str]:
    return sorted(row.user_message for row in ChatHistory.select())


# No scope.


def test_no_scope_sees_only_rows_without_a_tenant(database):
    assert messages() == ["nobody"]


def test_no_scope_reaches_the_control_plane(database):
    assert {row.id for row in Tenant.select()} == {A, B}
    assert Agent.select().where(Agent.tenant_id == B).count() == 1


def test_no_scope_writes_only_rows_without_a_tenant(database):
    ChatHistory.update(user_message="changed").execute()
    ChatHistory.delete().where(ChatHistory.user_message != "changed").execute()
    with system_scope(reason="test"):
        assert messages() == ["changed", A, B]


def test_no_scope_cannot_insert_for_a_tenant(database):
    with pytest.raises(CrossTenantError, match="'tenant_aaaaaaaa'"):
        chat("s", "x", tenant_id=A)
    with pytest.raises(CrossTenantError):
        ChatHistory.insert_many(
            [{"session_id": "s", "user_message": "x", "agent_response": "r", "tenant_id": A}]
        ).execute()


def test_no_scope_cannot_take_or_give_a_row(database):
    with pytest.raises(CrossTenantError):
        ChatHistory.update(tenant_id=A).execute()


def test_no_scope_refuses_raw_sql_on_business_tables_only(database):
    with pytest.raises(RawSqlRefusedError, match="names 'chat_history'") as refused:
        database.execute_sql("SELECT * FROM chat_history")
    assert refused.value.sql == "SELECT * FROM chat_history"
    with pytest.raises(RawSqlRefusedError):
        list(ChatHistory.raw("SELECT * FROM chat_history"))
    assert database.execute_sql("SELECT count(*) FROM tenants").fetchone() == (2,)
    assert database.execute_sql("SELECT 1").fetchone() == (1,)


def test_no_scope_refuses_fragments_that_read_business_tables(database):
    with pytest.raises(ScopeError, match="reads a guarded table"):
        Tenant.select(SQL("(SELECT count(*) FROM chat_history)")).scalar()
    with pytest.raises(ScopeError, match="parenthesis"):
        list(ChatHistory.select().where(SQL("1=1) OR (1=1")))
    assert ChatHistory.select().where(SQL("1=1 OR 1=1")).count() == 1
    assert Tenant.select(SQL("(SELECT count(*) FROM agents)")).scalar() == 2


def test_no_scope_changes_schemas_but_truncates_nothing(database):
    database.create_tables(ALL_MODELS)
    with pytest.raises(RawSqlRefusedError):
        ChatHistory.truncate_table()
    with pytest.raises(RawSqlRefusedError):
        database.execute_sql("CREATE TABLE copy AS SELECT * FROM chat_history")


# A tenant's scope.


def test_tenant_scope_confines_every_table(database):
    with tenant_scope(A):
        assert messages() == [A]
        assert [row.id for row in Tenant.select()] == [A]
        assert [row.tenant_id for row in Agent.select()] == [A]
        assert Tenant.get_or_none(Tenant.id == B) is None


def test_strangers_rows_answer_not_found(database):
    with tenant_scope(B):
        stranger = ChatHistory.select().get()
    with tenant_scope(A):
        for attempt in (
            lambda: ChatHistory.get_by_id(stranger.id),
            lambda: ChatHistory.get(ChatHistory.id == stranger.id),
            lambda: Tenant.get_by_id(B),
        ):
            with pytest.raises(peewee.DoesNotExist):
                attempt()
        assert ChatHistory.delete_by_id(stranger.id) == 0


def test_tenant_scope_stamps_the_instance_too(database):
    with tenant_scope(A):
        assert chat("s", "x").tenant_id == A
        assert Agent.create(name="n").tenant_id == A


def test_tenant_scope_allows_transaction_control_and_no_other_raw_sql(database):
    with tenant_scope(A):
        with database.atomic(), database.atomic():
            chat("s", "x")
        for sql in (
            "SELECT 1",
            "SAVEPOINT s; SELECT 1",
            "PRAGMA user_version",
            "SET foo = 1",
            "-- \nSELECT 1",
        ):
            with pytest.raises(RawSqlRefusedError):
                database.execute_sql(sql)
        with system_scope(reason="an explicit, logged bypass"):
            assert database.execute_sql("SELECT 1").fetchone() == (1,)


def test_tenant_scope_refuses_schema_changes(database):
    with tenant_scope(A), pytest.raises(RawSqlRefusedError):
        database.create_tables(ALL_MODELS)


def test_rolled_back_writes_stay_rolled_back(database):
    with tenant_scope(A):
        with database.atomic() as transaction:
            chat("s", "x")
            transaction.rollback()
        assert messages() == [A]


def test_row_cannot_name_another_tenants_agent(database):
    """A composite foreign key closes on every engine what no filter can."""
    with tenant_scope(A):
        with pytest.raises(peewee.IntegrityError):
            chat("s", "x", agent_id="agent_bbbbbbbb")
        assert chat("s", "x", agent_id="agent_aaaaaaaa").agent_id == "agent_aaaaaaaa"


def test_control_plane_row_cannot_name_another_tenants_agent(database):
    with pytest.raises(peewee.IntegrityError):
        ApiKey.create(tenant_id=A, agent_id="agent_bbbbbbbb")
    with pytest.raises(peewee.IntegrityError):
        AgentActiveState.create(tenant_id=A, agent_id="agent_bbbbbbbb")


# The system scope.


def test_system_scope_sees_and_writes_everything(database):
    with system_scope(reason="test"):
        assert messages() == ["nobody", A, B]
        moved = ChatHistory.update(tenant_id=A).where(ChatHistory.tenant_id.is_null()).execute()
        assert moved == 1
        chat("s", "for b", tenant_id=B)
    with tenant_scope(B):
        assert messages() == ["for b", B]


# The strict setting.


def test_strict_database_raises_where_no_scope_is_set(database):
    database.require_scope = True
    for attempt in (
        lambda: list(ChatHistory.select()),
        lambda: ChatHistory.get_or_none(ChatHistory.session_id == "s"),
        lambda: Tenant.get_by_id(A),
        lambda: chat("s", "x"),
        lambda: Tenant.update(description="x").execute(),
        lambda: Agent.delete().execute(),
    ):
        with pytest.raises(NoScopeError, match="used with no scope"):
            attempt()
    with pytest.raises(RawSqlRefusedError):
        database.execute_sql("SELECT * FROM tenants")
    with tenant_scope(A):
        assert messages() == [A]
    with system_scope(reason="test"):
        assert Tenant.select().count() == 2


# Queries that are kept.


def test_query_run_again_in_another_scope_is_compiled_anew(database):
    query = ChatHistory.select().order_by(ChatHistory.user_message)
    seen = []
    for tenant in (A, B, A):
        with tenant_scope(tenant):
            seen.append([row.user_message for row in query])
    seen.append([row.user_message for row in query])
    assert seen == [[A], [B], [A], ["nobody"]]


def test_query_run_again_in_its_scope_keeps_its_rows(database):
    with tenant_scope(A):
        query = ChatHistory.select()
        first = list(query)
        chat("s", "later")
        assert [row.id for row in query] == [row.id for row in first]
        assert next(iter(query)) is first[0]


def test_clone_of_a_run_query_runs_afresh(database):
    query = ChatHistory.select()
    list(query)
    with tenant_scope(A):
        assert [row.user_message for row in query.where(ChatHistory.session_id == "s")] == [A]
        assert len(query.limit(5)) == 1


# Compiled SQL.


def test_inner_sources_are_filtered_in_where_and_outer_ones_before_the_join(database):
    with tenant_scope(A):
        sql, parameters = (
            ChatHistory.select(ChatHistory.id, Agent.name)
            .join(Agent, peewee.JOIN.LEFT_OUTER, on=(Agent.id == ChatHistory.agent_id))
            .sql()
        )
    assert sql.count("SELECT * FROM") == 1
    assert parameters == [A, A]


def test_group_by_primary_key_still_covers_the_row(database):
    """PostgreSQL infers it from the table's key, which a subquery in its place would hide."""
    with tenant_scope(A):
        query = Agent.select(Agent, fn.COUNT(ChatHistory.id).alias("chats")).join(
            ChatHistory, peewee.JOIN.LEFT_OUTER, on=(ChatHistory.agent_id == Agent.id)
        )
        assert [(row.name, row.chats) for row in query.group_by(Agent.id)] == [("helper", 0)]


@pytest.mark.backend("postgresql", "mysql")
def test_for_update_locks_the_row(database):
    def change() -> int:
        with tenant_scope(A), database.atomic():
            nowait = (
                "SET LOCAL lock_timeout = 100"
                if database.config.engine == "postgresql"
                else "SET innodb_lock_wait_timeout = 1"
            )
            with system_scope(reason="test set-up"):
                database.execute_sql(nowait)
            return ChatHistory.update(user_message="x").execute()

    with tenant_scope(A), database.atomic():
        list(ChatHistory.select().for_update())
        with ThreadPoolExecutor(1) as pool, pytest.raises(peewee.OperationalError):
            pool.submit(change).result()
    assert change() == 1


def test_peewees_own_sql_passes_the_gate(database):
    """What is refused is what users write as text, not what Peewee writes for them."""
    at, text = ChatHistory.created_at, ChatHistory.user_message
    engine = database.config.engine
    with tenant_scope(A):
        row = ChatHistory.select().get()
        queries = [
            ChatHistory.select(at.year, at.month, at.day, at.hour).where(at.year == row.created_at.year),
            ChatHistory.select(fn.MAX(at), fn.COUNT(text.distinct())),
            ChatHistory.select().where(text.contains("a%_"), text.startswith(A[:3]) | text.endswith("!")),
            ChatHistory.select().where(at.between(row.created_at, row.created_at), text.in_([A, B])),
            ChatHistory.select().where(text.not_in(Agent.select(Agent.name))),
            ChatHistory.select(text.concat("x"), text.cast("CHAR" if engine == "mysql" else "VARCHAR")),
            ChatHistory.select(peewee.Case(text, [(A, 1), (B, 2)], 0), text.alias("t")).order_by(SQL("t")),
            ChatHistory.select(fn.RANK().over(partition_by=[text], order_by=[at.desc()])),
            ChatHistory.select(fn.COALESCE(ChatHistory.user_id, SQL("'nobody'"))).group_by(SQL("1")),
            ChatHistory.select(fn.SUM(fn.LENGTH(text))).having(fn.COUNT(SQL("*")) > 0),
            ChatHistory.select().order_by(at.desc(), database.random()),
            ChatHistory.select(~fn.EXISTS(Agent.select().where(Agent.id == ChatHistory.agent_id))),
            ChatHistory.select().where(ChatHistory.user_id.is_null(), ~(text == "x")),
        ]
        if engine == "postgresql":
            queries += [
                ChatHistory.select(ChatHistory.session_id).distinct(ChatHistory.session_id),
                ChatHistory.select(at.truncate("month")).order_by(at.desc(nulls="last")),
                ChatHistory.select(SQL("EXTRACT(YEAR FROM created_at)"), SQL("now() - interval '1 day'")),
                ChatHistory.select().for_update(of=ChatHistory, skip_locked=True),
            ]
        for query in queries:
            list(query.tuples())
        assert [row.user_message for row in queries[3]] == [A]


# Concurrency.


def test_a_hundred_threads_switch_scopes_and_see_only_their_own(database):
    tenants = _many_tenants(10)
    with ThreadPoolExecutor(100) as pool:
        results = [pool.submit(_switch, random.Random(number), tenants, 10) for number in range(100)]
        assert sum(result.result() for result in results) == 1000
    _each_has_only_its_own(tenants, 1000)


def test_two_hundred_tasks_switch_scopes_and_see_only_their_own(database):
    tenants = _many_tenants(10)

    async def task(number: int) -> int:
        tenant = tenants[number % len(tenants)]
        with tenant_scope(tenant):
            await asyncio.to_thread(chat, "t", tenant)
            await asyncio.sleep(0)
            seen = await asyncio.to_thread(messages)
            carried = await asyncio.get_running_loop().run_in_executor(None, carry(messages))
        assert {*seen, *carried} == {tenant}
        return 1

    async def run() -> int:
        return sum(await asyncio.gather(*(task(number) for number in range(200))))

    assert asyncio.run(run()) == 200
    _each_has_only_its_own(tenants, 200)


def _many_tenants(number: int) -> list[str]:
    tenants = [Tenant.create(tenant_name=f"many {index}").id for index in range(number)]
    assert len(set(tenants)) == number
    return tenants


def _switch(chance: random.Random, tenants: list[str], turns: int) -> int:
    for _ in range(turns):
        tenant = chance.choice(tenants)
        with tenant_scope(tenant):
            row = chat("t", tenant)
            assert set(messages()) == {tenant}
            assert ChatHistory.get_by_id(row.id).tenant_id == tenant
        assert messages() == ["nobody"]
    return turns


def _each_has_only_its_own(tenants: list[str], total: int) -> None:
    count = 0
    for tenant in tenants:
        with tenant_scope(tenant):
            found = messages()
        assert set(found) <= {tenant}
        count += len(found)
    assert count == total


def test_session_of_one_agent_is_not_anothers(database):
    with tenant_scope(A):
        UserSession.create(session_id="same", agent_id="agent_aaaaaaaa")
    with tenant_scope(B):
        UserSession.create(session_id="same", agent_id="agent_bbbbbbbb")
        assert UserSession.select().count() == 1
