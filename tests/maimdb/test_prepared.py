"""Prepared statements return and write what the ordinary path does, in every scope."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import peewee
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from maimdb import (
    ALL_MODELS,
    Agent,
    ApiKey,
    ChatHistory,
    CrossTenantError,
    NoScopeError,
    Prepared,
    ScopeError,
    Tenant,
    UserSession,
    ValidationError,
    close_database,
    init_database,
    parameter,
    system_scope,
    tenant_scope,
)
from maimdb.core import prepared
from maimdb.core.models.fields import utc_now
from peewee import SQL, fn

TENANTS = ("tenant_1", "tenant_2")
SCOPES = (None, *TENANTS, "system")


def opened(scope: str | None) -> AbstractContextManager[Any]:
    if scope == "system":
        return system_scope(reason="test")
    return tenant_scope(scope) if scope else nullcontext()


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    for tenant in TENANTS:
        Tenant.create(id=tenant, tenant_name=tenant)
        Agent.create(id=f"agent_{tenant[-1]}", tenant_id=tenant, name="n")
    for scope in (None, *TENANTS):
        with opened(scope):
            for number in range(12):
                ChatHistory.create(
                    session_id=f"s{number % 2}", user_message=f"{scope} {number}", agent_response="r"
                )
    yield database
    close_database()


def ordinary(model: Any, key: Any) -> Any:
    return model.select().where(model._meta.primary_key == key).get()


def found(get: Any) -> Any:
    try:
        row = get()
    except peewee.DoesNotExist:
        return None
    return row.__data__, row.__rel__, row._dirty, type(row)


def test_get_by_id_is_what_the_ordinary_path_finds(database):
    with system_scope(reason="test"):
        keys = [(model, row._pk) for model in (Tenant, Agent, ChatHistory) for row in model.select()]
    keys += [(Tenant, "tenant_x"), (ChatHistory, uuid.uuid4()), (ChatHistory, "no uuid"), (Tenant, "x" * 99)]
    if database.config.engine == "postgresql":
        keys.remove((ChatHistory, "no uuid"))  # PostgreSQL has a type for it, and refuses on both paths
    compared = 0
    for scope in SCOPES:
        with opened(scope):
            for model, key in keys:
                expected = found(lambda model=model, key=key: ordinary(model, key))
                assert found(lambda model=model, key=key: model.get_by_id(key)) == expected
                assert (
                    found(lambda model=model, key=key: model.get(model._meta.primary_key == key)) == expected
                )
                assert found(lambda model=model, key=key: model[key]) == expected
                compared += expected is not None
    assert compared > 50


def test_get_by_id_takes_one_statement_and_no_compilation(database, monkeypatch):
    with tenant_scope(TENANTS[0]):
        key = ChatHistory.select().get().id
        ChatHistory.get_by_id(key)
        monkeypatch.setattr(database, "get_sql_context", None)
        assert ChatHistory.get_by_id(key).id == key
    with tenant_scope(TENANTS[1]), pytest.raises(ChatHistory.DoesNotExist):
        ChatHistory.get_by_id(key)


def test_get_by_what_is_no_plain_key_takes_the_ordinary_path(database):
    key = Tenant.select(fn.MIN(Tenant.id))
    assert Tenant.get_by_id(key).id == "tenant_1"
    assert Tenant.get(Tenant.id == SQL("'tenant_2'")).id == "tenant_2"
    assert Tenant.get(Tenant.id.in_(["tenant_2"])).id == "tenant_2"
    assert Tenant.get(Tenant.id == "tenant_1", Tenant.status == "active").id == "tenant_1"
    assert Tenant.get(id="tenant_1").id == "tenant_1"


def test_statement_compiled_in_one_scope_is_not_used_in_another(database):
    with system_scope(reason="test"):
        theirs = ChatHistory.get(ChatHistory.tenant_id == TENANTS[1])
        assert ChatHistory.get_by_id(theirs.id) == theirs
    assert ChatHistory.get_or_none(ChatHistory.id == theirs.id) is None
    for tenant in TENANTS:
        with tenant_scope(tenant):
            assert (ChatHistory.get_or_none(ChatHistory.id == theirs.id) is not None) == (
                tenant == TENANTS[1]
            )


def test_strictness_holds_for_statements_that_are_kept(database):
    Tenant.get_by_id("tenant_1")
    row = ChatHistory.select().get()
    database.require_scope = True
    for attempt in (lambda: Tenant.get_by_id("tenant_1"), ChatHistory.page, row.save):
        with pytest.raises(NoScopeError):
            attempt()


@pytest.mark.parametrize("newest_first", [False, True])
def test_page_is_what_the_ordinary_path_finds(database, newest_first):
    for scope in SCOPES:
        with opened(scope):
            for equals in (
                {},
                {"session_id": "s1"},
                {"session_id": "s0", "agent_id": None},
                {"session_id": "x"},
            ):
                if equals.get("agent_id", "") is None:
                    equals.pop("agent_id")
                query = ChatHistory.select().filter(**equals) if equals else ChatHistory.select()
                order = [ChatHistory.created_at, ChatHistory.id]
                rows = list(query.order_by(*[each.desc() if newest_first else each for each in order]))
                first = ChatHistory.page(limit=5, newest_first=newest_first, **equals)
                assert first == rows[:5]
                second = (
                    ChatHistory.page(limit=50, after=first[-1], newest_first=newest_first, **equals)
                    if first
                    else []
                )
                assert [row.__data__ for row in second] == [row.__data__ for row in rows[5:]]


def test_page_keeps_order_where_moments_are_equal(database):
    moment = utc_now()
    with tenant_scope(TENANTS[0]):
        ChatHistory.delete().execute()
        for number in range(9):
            ChatHistory.create(
                session_id="s", user_message=str(number), agent_response="r", created_at=moment
            )
        seen, last = [], None
        while page := ChatHistory.page(limit=2, after=last):
            seen += page
            last = (page[-1].created_at, page[-1].id)
        assert len(seen) == len({row.id for row in seen}) == 9


def test_prepared_query_of_any_shape(database):
    recent = Prepared(
        ChatHistory.select(ChatHistory.user_message, fn.LENGTH(ChatHistory.user_message))
        .where(ChatHistory.session_id == parameter("session"), ChatHistory.created_at <= parameter("until"))
        .order_by(ChatHistory.created_at)
        .limit(parameter("limit"))
    )
    joined = Prepared(
        Agent.select(Agent.id, Tenant.tenant_name)
        .join(Tenant, on=(Tenant.id == Agent.tenant_id))
        .order_by(Agent.id)
    )
    for scope in SCOPES:
        with opened(scope):
            rows = recent.rows(session="s1", until=utc_now(), limit=2)
            ordinary_rows = (
                ChatHistory.select(ChatHistory.user_message, fn.LENGTH(ChatHistory.user_message))
                .where(ChatHistory.session_id == "s1")
                .order_by(ChatHistory.created_at)
                .limit(2)
                .tuples()
            )
            assert rows == list(ordinary_rows)
            assert len(joined.rows()) == (1 if scope in TENANTS else 2)


def test_prepared_query_refuses_what_the_gate_refuses(database):
    fragment = Prepared(Tenant.select(SQL("(SELECT count(*) FROM chat_history)")))
    with tenant_scope(TENANTS[0]), pytest.raises(ScopeError):
        fragment.rows()
    with pytest.raises(TypeError, match="cannot be prepared"):
        Prepared(Tenant.update(status="active"))


def test_insert_and_update_check_what_the_ordinary_path_checks(database):
    with tenant_scope(TENANTS[0]):
        row = ChatHistory.create(session_id="s", user_message="u", agent_response="r")
        row.session_id = "x" * 256
        with pytest.raises(ValidationError):
            row.save()
        row.session_id, row.tenant_id = "s", TENANTS[1]
        with pytest.raises(CrossTenantError):
            row.save()
        with pytest.raises(CrossTenantError):
            ChatHistory.create(session_id="s", user_message="u", agent_response="r", tenant_id=TENANTS[1])
        with pytest.raises(peewee.IntegrityError):
            ChatHistory.create(session_id="s", user_message="u")
    with tenant_scope(TENANTS[1]):
        row.tenant_id = None
        assert row.save() == 0


def test_partial_instance_saves_only_what_it_read(database):
    with tenant_scope(TENANTS[0]):
        whole = ChatHistory.create(session_id="s", user_message="keep", agent_response="r", metadata="{}")
        part = (
            ChatHistory.select(ChatHistory.id, ChatHistory.session_id).where(ChatHistory.id == whole.id).get()
        )
        part.session_id = "new"
        assert part.save() == 1
        read = ChatHistory.get_by_id(whole.id)
        assert (read.session_id, read.user_message, read.metadata) == ("new", "keep", "{}")


def test_expressions_in_instances_take_the_ordinary_path(database):
    row = ChatHistory.create(session_id="s", user_message=fn.UPPER("shout"), agent_response="r")
    assert ChatHistory.get_by_id(row.id).user_message == "SHOUT"
    row.user_message = fn.LOWER("WHISPER")
    row.save()
    assert ChatHistory.get_by_id(row.id).user_message == "whisper"


def test_models_of_other_databases_take_the_ordinary_path(tmp_path):
    other = peewee.SqliteDatabase(tmp_path / "other.db")
    with other.bind_ctx([Tenant], bind_refs=False, bind_backrefs=False):
        other.create_tables([Tenant])
        tenant = Tenant.create(tenant_name="x")
        assert Tenant.get_by_id(tenant.id) == tenant
    other.close()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def test_random_rows_are_written_and_read_as_by_the_ordinary_path(database):
    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from((None, *TENANTS)),
        st.fixed_dictionaries(
            {"session_id": texts, "is_active": st.booleans(), "user_id": st.none() | texts},
            optional={
                "metadata": st.sampled_from([None, "{}", '{"a": 1}']),
                "expires_at": st.none() | st.datetimes(min_value=utc_now().replace(tzinfo=None)),
            },
        ),
        texts,
    )
    def run(scope: str | None, values: dict[str, Any], change: str) -> None:
        with opened(scope), database.atomic() as transaction:
            fast, slow = UserSession(**values), UserSession(**values)
            assert prepared.is_savable(fast, None)
            for instance, save in (
                (fast, fast.save),
                (slow, lambda: peewee.Model.save(slow, force_insert=True)),
            ):
                UserSession.delete().execute()
                save()
                instance.kept = ordinary(UserSession, instance.id).__data__
            assert {**fast.kept, "id": 0, "created_at": 0, "last_activity": 0} == {
                **slow.kept,
                "id": 0,
                "created_at": 0,
                "last_activity": 0,
            }
            slow.user_id = change
            slow._new = False
            assert slow.save() in (0, 1)  # MySQL counts rows that changed
            assert UserSession.get_by_id(slow.id).__data__ == {**slow.kept, "user_id": change}
            transaction.rollback()

    run()


def test_key_lookups_of_api_keys_work_too(database):
    key = ApiKey.create(tenant_id="tenant_1", agent_id="agent_1")
    assert ApiKey.get_by_id(key.id).key_hash == key.key_hash
