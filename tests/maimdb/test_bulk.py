"""Bulk inserts write what `insert_many` does, with the same checks, all or none."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import peewee
import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    ChatHistory,
    ChatLogs,
    CrossTenantError,
    DuplicateError,
    FileUpload,
    NoScopeError,
    Tenant,
    UserSession,
    ValidationError,
    bulk_insert,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core.models.fields import utc_now

A, B = "tenant_a", "tenant_b"


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    for tenant in (A, B):
        Tenant.create(id=tenant, tenant_name=tenant)
        Agent.create(id=f"agent_{tenant[-1]}", tenant_id=tenant, name="n")
    yield database
    close_database()


def chats(number: int, **values: Any) -> list[dict[str, Any]]:
    return [
        {"session_id": f"s{i}", "user_message": "u", "agent_response": "a", **values} for i in range(number)
    ]


def everything() -> list[Any]:
    with system_scope(reason="test"):
        return list(ChatHistory.select())


def test_rows_are_stamped_with_the_scopes_tenant(database):
    with tenant_scope(A):
        assert bulk_insert(ChatHistory, chats(3)) == 3
    bulk_insert(ChatHistory, iter(chats(2)))
    assert sorted(str(row.tenant_id) for row in everything()) == ["None", "None", A, A, A]


@pytest.mark.parametrize("number", [0, 1, 499, 500, 501, 1203])
def test_any_number_of_rows_is_written(database, number):
    with tenant_scope(A):
        assert bulk_insert(ChatHistory, chats(number)) == number
        assert ChatHistory.select().count() == number


TRICKY = [
    "plain",
    "",
    "é世😀",
    "tab\tnew\nline\r",
    "back\\slash \\N \\.",
    "quote ' \" `",
    "% %s ? :x",
    " spaces ",
    "\x01",
]


@pytest.mark.parametrize("copy", [None, False])
def test_values_come_back_as_by_insert_many(database, copy):
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    rows = [
        {
            "id": uuid.uuid4(),
            "session_id": text,
            "request_type": "chat",
            "request_content": text,
            "response_content": None,
            "status_code": number,
            "token_count": None if number % 2 else number,
            "response_time": number / 3,
            "user_id": text,
            "metadata": '{"a": "b\\n"}',
            "created_at": moment,
        }
        for number, text in enumerate(TRICKY)
    ]
    with tenant_scope(A):
        ChatLogs.insert_many(rows).execute()
        expected = {row.id: row.__data__ for row in ChatLogs.select()}
        ChatLogs.delete().execute()
        bulk_insert(ChatLogs, rows, copy=copy)
        assert {row.id: row.__data__ for row in ChatLogs.select()} == expected
        assert len(expected) == len(TRICKY)


def test_left_out_values_get_their_defaults_row_by_row(database):
    before = utc_now()
    rows = [{"session_id": f"s{i}"} for i in range(5)]
    rows[2].update(is_active=False, user_id="u")
    with tenant_scope(A):
        bulk_insert(UserSession, rows)
        found = list(UserSession.select().order_by(UserSession.session_id))
    assert [row.is_active for row in found] == [True, True, False, True, True]
    assert [row.user_id for row in found] == [None, None, "u", None, None]
    assert len({row.id for row in found}) == 5
    assert all(before <= row.created_at <= utc_now() for row in found)


def test_keys_may_be_fields_or_columns(database):
    with tenant_scope(A):
        bulk_insert(
            UserSession,
            [
                {UserSession.session_id: "one", "user_id": "u"},
                {"session_id": "two", UserSession.user_id: "v"},
            ],
        )
        assert sorted((row.session_id, row.user_id) for row in UserSession.select()) == [
            ("one", "u"),
            ("two", "v"),
        ]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"tenant_id": B}, CrossTenantError),
        ({"agent_id": "agent_b"}, peewee.IntegrityError),
        ({"session_id": "x" * 256}, ValidationError),
        ({"user_message": "a\0b"}, ValidationError),
        ({"metadata": "{broken"}, ValidationError),
        ({"created_at": 17}, ValidationError),
        ({"user_message": None}, peewee.IntegrityError),
        ({"user_message": peewee.SQL("'x'")}, TypeError),
        ({"unknown": 1}, ValueError),
    ],
)
@pytest.mark.parametrize("place", [0, 600])
def test_one_bad_row_refuses_all(database, bad, error, place):
    rows = chats(601)
    rows[place].update(bad)
    with tenant_scope(A):
        with pytest.raises(error):
            bulk_insert(ChatHistory, rows)
        assert ChatHistory.select().count() == 0


def test_missing_value_is_named(database):
    with pytest.raises(ValueError, match="Missing value for user_message"):
        bulk_insert(ChatHistory, [{"session_id": "s", "agent_response": "a"}])


def test_duplicates_are_reported_as_such(database):
    key = uuid.uuid4()
    with pytest.raises(DuplicateError):
        bulk_insert(ChatHistory, chats(2, id=key))
    assert everything() == []


def test_no_scope_cannot_write_for_a_tenant(database):
    with pytest.raises(CrossTenantError):
        bulk_insert(ChatHistory, chats(1, tenant_id=A))
    with system_scope(reason="test"):
        bulk_insert(ChatHistory, [*chats(1, tenant_id=A), *chats(1, tenant_id=B), *chats(1, tenant_id=None)])
    assert {row.tenant_id for row in everything()} == {A, B, None}


def test_strict_database_refuses_no_scope(database):
    database.require_scope = True
    with pytest.raises(NoScopeError):
        bulk_insert(ChatHistory, chats(1))


def test_control_plane_takes_bulk_too(database):
    bulk_insert(Tenant, [{"tenant_name": f"bulk {number}"} for number in range(10)])
    bulk_insert(Agent, [{"tenant_id": A, "name": "bulk"}])
    assert Tenant.select().count() == 12
    with pytest.raises(ValidationError, match=r"tenants\.status"):
        bulk_insert(Tenant, [{"tenant_name": "x", "status": "bogus"}])


def test_bulk_joins_an_open_transaction(database):
    with tenant_scope(A):
        with database.atomic() as transaction:
            bulk_insert(ChatHistory, chats(10))
            transaction.rollback()
        assert ChatHistory.select().count() == 0


def test_large_texts_are_split_over_statements(database):
    text = "x" * 300_000
    with tenant_scope(A):
        bulk_insert(ChatHistory, chats(40, user_message=text))
        assert ChatHistory.select().where(ChatHistory.user_message == text).count() == 40


def test_connection_is_free_afterwards(database):
    database.close()
    with tenant_scope(A):
        bulk_insert(ChatHistory, chats(10))
    assert database.status().pool.in_use == 0


def test_rows_without_defaults_of_their_own_work(database):
    row = {
        "original_filename": "o",
        "stored_filename": "s",
        "file_path": "p",
        "file_size": 1,
        "mime_type": "m",
    }
    with tenant_scope(A):
        bulk_insert(FileUpload, [{**row, "file_hash": "h", "is_public": True}])
        assert FileUpload.select().get().is_public is True
