"""JSON, moments and text: kept or refused alike on every engine."""

# ruff: noqa: ARG005, RUF001, RUF043 - writes are given the tenant, texts are strange, dots in names match themselves

import datetime as dt
from collections.abc import Iterator
from typing import Any

import peewee
import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    ChatHistory,
    FileUpload,
    SystemMetrics,
    Tenant,
    ValidationError,
    close_database,
    db_manager,
    init_database,
)
from maimdb.core.models.fields import utc_now

from tests.maimdb.rows import assistant, chat, company


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    db_manager.create_tables(ALL_MODELS)
    yield database
    close_database()


# JSON.


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('{"a": 1, 2}', 9),
        ("{", 1),
        ("nonsense", 0),
        ('{"a": NaN}', None),
        ("[1, Infinity]", None),
        ("\x00", 0),
    ],
)
def test_broken_json_is_refused_with_field_and_position(database, text, position):
    with pytest.raises(ValidationError, match="tenants.tenant_config holds") as refused:
        company(tenant_config=text)
    assert (refused.value.field, refused.value.position) == ("tenants.tenant_config", position)
    with pytest.raises(ValidationError, match="agents.config"):
        assistant(company("y"), config=text)
    with pytest.raises(ValidationError, match="chat_history.metadata"):
        ChatHistory.update(metadata=text).execute()


@pytest.mark.parametrize("value", [{"a": 1}, [1], 7, b"{}"])
def test_json_is_text(database, value):
    with pytest.raises(ValidationError, match="takes JSON as text"):
        company(tenant_config=value)


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null, "\\u0000", "é🎉"]}', "[]", "null", '"text"', "1"])
def test_json_text_comes_back_as_it_was(database, text):
    row = chat(metadata=text)
    assert ChatHistory.get_by_id(row.id).metadata == text
    assert chat(metadata=None).metadata is None


def test_config_helpers_read_and_write(database):
    tenant = company()
    assert tenant.get_config() == {}
    tenant.set_config({"name": "公司 🎉", "max": 3})
    tenant.save()
    assert Tenant.get_by_id(tenant.id).get_config() == {"name": "公司 🎉", "max": 3}
    agent = assistant(tenant)
    agent.set_config({"persona": "p"})
    agent.save()
    assert Agent.get_by_id(agent.id).get_config() == {"persona": "p"}
    with pytest.raises(ValidationError, match="agents.config"):
        agent.set_config({"when": dt.datetime.now(dt.UTC)})
    with pytest.raises(ValidationError, match="holds no object"):
        Tenant(tenant_config="[]").get_config()


# Time.

MOMENTS = [
    dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
    dt.datetime(2026, 7, 1, 1, 30, 0, 5, tzinfo=dt.timezone(dt.timedelta(hours=8))),
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_moment_comes_back_aware_in_utc_with_its_microseconds(database, moment):
    row = chat(created_at=moment)
    for read in (
        ChatHistory.get_by_id(row.id),
        ChatHistory.select().where(ChatHistory.created_at == moment).get(),
        ChatHistory.select().where(ChatHistory.created_at <= moment, ChatHistory.created_at >= moment).get(),
    ):
        assert read.created_at == moment
        assert read.created_at.tzinfo is dt.UTC
    assert ChatHistory.select(peewee.fn.MAX(ChatHistory.created_at)).scalar() == moment


def test_naive_datetime_and_text_count_as_utc(database):
    naive = dt.datetime(2026, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001 - the case itself
    for given in (naive, "2026-01-02 03:04:05.000006", "2026-01-02T03:04:05.000006Z"):
        assert ChatHistory.get_by_id(chat(created_at=given).id).created_at == naive.replace(tzinfo=dt.UTC)
    assert ChatHistory.get_by_id(chat(created_at=dt.date(2026, 1, 2)).id).created_at == dt.datetime(
        2026, 1, 2, tzinfo=dt.UTC
    )


@pytest.mark.parametrize("value", [1_700_000_000, 1.5e9, "yesterday", object()])
def test_what_is_no_moment_is_refused(database, value):
    with pytest.raises(ValidationError, match="chat_history.created_at"):
        chat(created_at=value)


def test_moments_are_ordered_alike_with_and_without_microseconds(database):
    moments = [dt.datetime(2026, 1, 2, 3, 4, 5, each, tzinfo=dt.UTC) for each in (0, 1, 10, 100_000, 999_999)]
    for moment in reversed(moments):
        chat(created_at=moment)
    assert [row.created_at for row in ChatHistory.select().order_by(ChatHistory.created_at)] == moments


TOUCHES = [
    pytest.param(lambda tenant: tenant.save(), id="save"),
    pytest.param(lambda tenant: tenant.save(only=[Tenant.description]), id="save only"),
    pytest.param(lambda tenant: Tenant.update(description="x").execute(), id="update"),
    pytest.param(lambda tenant: Tenant.update({"description": "x"}).execute(), id="update by name"),
    pytest.param(lambda tenant: Tenant.set_by_id(tenant.id, {"description": "x"}), id="set_by_id"),
    pytest.param(lambda tenant: Tenant.bulk_update([tenant], [Tenant.description]), id="bulk_update"),
]


@pytest.mark.parametrize("write", TOUCHES)
def test_updated_at_is_kept_on_every_write_path(database, write):
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    tenant = company(created_at=long_ago, updated_at=long_ago, description="old")
    before = utc_now()
    write(tenant)
    read = Tenant.get_by_id(tenant.id)
    assert read.created_at == long_ago
    assert before <= read.updated_at <= utc_now()


def test_updated_at_is_kept_by_an_upsert(database):
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    company("one", updated_at=long_ago)
    target = {} if database.config.engine == "mysql" else {"conflict_target": [Tenant.tenant_name]}
    query = Tenant.insert(id="tenant_00000000", tenant_name="one", description="new")
    query.on_conflict(preserve=[Tenant.description], **target).execute()
    (read,) = Tenant.select()
    assert read.description == "new"
    assert read.updated_at > long_ago


def test_updated_at_may_be_set_by_hand(database):
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    tenant = company()
    Tenant.update(updated_at=long_ago).execute()
    assert Tenant.get_by_id(tenant.id).updated_at == long_ago


# Text.


@pytest.mark.parametrize(
    "text", ["é", "😀🎉 𝒳", "", " spaces ", "quote ' and \" and \\ and %s ? :x", "行\n\r\t", "\x01"]
)
def test_text_comes_back_as_it_was(database, text):
    row = chat(user_message=text, session_id=f"s{text}", user_id=text)
    read = ChatHistory.get_by_id(row.id)
    assert (read.user_message, read.session_id, read.user_id) == (text, f"s{text}", text)
    assert ChatHistory.select().where(ChatHistory.session_id == f"s{text}").count() == 1


def test_text_is_compared_exactly(database):
    for name in ("Name", "name", "näme", "😀", "😁"):
        company(name)
    assert Tenant.get(Tenant.tenant_name == "name").tenant_name == "name"
    assert Tenant.select().where(Tenant.tenant_name == "NAME").count() == 0
    assert Tenant.select().where(Tenant.tenant_name == "😀").count() == 1


def test_long_text_is_kept(database):
    text = "世" * 100_000
    assert ChatHistory.get_by_id(chat(user_message=text).id).user_message == text


@pytest.mark.parametrize("write", [lambda text: chat(user_message=text), lambda text: chat(session_id=text)])
def test_nul_is_refused_on_every_engine(database, write):
    with pytest.raises(ValidationError, match="NUL character at position 2") as refused:
        write("ab\0c")
    assert refused.value.position == 2
    with pytest.raises(ValidationError, match="NUL"):
        ChatHistory.get_or_none(ChatHistory.session_id == "a\0")


def test_lone_surrogate_is_refused_on_every_engine(database):
    with pytest.raises(ValidationError, match="lone surrogate at position 1"):
        chat(user_message="a\ud83d")


@pytest.mark.parametrize(
    ("model", "field", "limit"),
    [
        (Tenant, "tenant_name", 100),
        (Tenant, "contact_email", 255),
        (Tenant, "owner_id", 50),
        (Tenant, "id", 50),
    ],
)
def test_text_over_the_limit_is_refused_on_every_engine(database, model, field, limit):
    values = {"tenant_name": "x", field: "😀" * limit}
    row = model.create(**values)
    assert getattr(model.get(getattr(model, field) == "😀" * limit), field) == "😀" * limit
    row.delete_instance()
    with pytest.raises(
        ValidationError, match=f"tenants.{field} takes at most {limit} characters, this has {limit + 1}"
    ):
        model.create(**{**values, field: "x" * (limit + 1)})


def test_paths_over_five_hundred_characters_are_kept(database):
    path = "/data/" + "x" * 900
    row = FileUpload.create(
        original_filename="a",
        stored_filename="b",
        file_path=path,
        file_size=5 * 10**9,
        mime_type="m",
        file_hash="h",
    )
    read = FileUpload.get_by_id(row.id)
    assert (read.file_path, read.file_size, read.is_public) == (path, 5 * 10**9, False)


def test_measurements_keep_their_precision(database):
    row = SystemMetrics.create(metric_name="m", metric_value=0.1 + 0.2)
    assert SystemMetrics.get_by_id(row.id).metric_value == 0.1 + 0.2


# Counts.


def test_a_write_that_changes_nothing_counts_the_row_that_it_matched(database):
    turn = chat()

    assert turn.save() == 1
    assert ChatHistory.update(session_id="s").execute() == 1
    assert ChatHistory.set_by_id(turn.id, {"session_id": "s"}) == 1
    assert ChatHistory.set_by_id("0" * 32, {"session_id": "s"}) == 0
