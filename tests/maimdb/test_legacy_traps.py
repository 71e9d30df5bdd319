"""What real files hold beside ordinary rows: kept, mended with the original beside it, or set aside."""

import json
import math
import random
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import peewee
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maimdb import (
    ChatHistory,
    ChatLogs,
    FileUpload,
    SystemMetrics,
    Tenant,
    UserSession,
    close_database,
    init_database,
    tenant_scope,
)
from maimdb.core.legacy.values import Garbled, SetAside, from_json, moment_of, text_of, to_json

from tests.maimdb.legacy_files import (
    NEW,
    SHANGHAI,
    START,
    V1,
    control_plane,
    insert,
    load,
    message,
    modern,
    plain,
    written,
)

LONG = "/很长的" * 200 + "/name.gif"


@pytest.fixture
def trapped(tmp_path):
    """Return a file with every trap, one row for each."""
    path = tmp_path / "MaiBot.db"
    with written(path, NEW, loose=True) as database:
        insert(
            database,
            "chat_streams",
            stream_id="stream0",
            create_time=START,
            last_active_time=0,
            user_id="u",
            user_nickname="名" * 400,
        )
        insert(database, "chat_streams", stream_id="stream0", create_time=START, last_active_time=START)
        insert(database, "chat_streams", stream_id="", create_time=START, last_active_time=START)
        times = {
            1: START * 1000 + 250,
            2: 0,
            3: 9_999_999_999,
            4: START * 10**6,
            5: str(START),
            6: 1e300,
            7: "soon",
        }
        for number, time in times.items():
            message(database, number, chat_id="stream0", time=time)
        message(database, 10, chat_id="stream0", processed_plain_text="a\0b")
        message(database, 11, chat_id="stream0", processed_plain_text="", user_id=None)
        message(database, 12, chat_id="stream0", processed_plain_text=None, display_message="shown")
        message(database, 12, chat_id="stream0", priority_info="{'message_type': 'vip', 'x': None}")
        message(database, 13, chat_id=None, chat_info_stream_id="stream0", user_id=12345)
        message(database, 14, chat_id="")
        message(database, 15, chat_id="x" * 300)
        message(
            database, 16, chat_id="stream0", processed_plain_text=b"blob \xff", interest_value=float("inf")
        )
        number = message(database, 17, chat_id="stream0")
        database.execute(
            "UPDATE messages SET processed_plain_text = CAST(x'67ff6f' AS TEXT), user_cardname = "
            "CAST(x'fe' AS TEXT) WHERE id = ?",
            (number,),
        )
        message(
            database, 18, chat_id="stream0", processed_plain_text=1e20, user_id="u" * 300, time=START + 18
        )
        message(database, 19, chat_id=424242, time=START + 19)
        for tokens, cost in (
            (5, 0.5),
            ("many", 0.5),
            (2**40, 0.5),
            (7, "dear"),
            (None, None),
            (1.5, 1),
            (3, math.inf),
        ):
            insert(
                database,
                "llm_usage",
                model_name="m",
                total_tokens=tokens,
                cost=cost,
                request_type="r" * 80,
                status="success",
                timestamp="2024-03-01T08:00:00",
            )
        insert(database, "llm_usage", model_name="m", total_tokens=1, cost=1, timestamp="yesterday")
        insert(
            database, "emoji", full_path=LONG, format="gif", emoji_hash="ab" * 16, record_time=START * 1000
        )
        insert(database, "images", path="x.png", emoji_hash="h" * 65, timestamp=START)
        insert(
            database,
            "online_time",
            start_timestamp="2024-03-01 09:00:00",
            end_timestamp="2024-03-01 08:00:00",
        )
        insert(database, "jargon", content="a\0b", chat_id='[["stream0", 3]]')
        database.execute('CREATE TABLE memory_chest (id INTEGER PRIMARY KEY, "rowid", body)')
        database.execute("INSERT INTO memory_chest VALUES (9, 'not a number', CAST(x'ff' AS TEXT))")
        database.execute('CREATE TABLE "odd ""name"" 名" (id INTEGER PRIMARY KEY, "select" TEXT)')
        database.execute('INSERT INTO "odd ""name"" 名" VALUES (1, \'x\')')
    return path


@pytest.fixture
def opened(sql_url):
    yield lambda: init_database(sql_url)
    close_database()


def test_every_trap_is_kept_or_set_aside_with_its_reason(sql_url, trapped, opened):
    imported = load(trapped, sql_url, batch=4)
    assert imported.balanced
    aside = {each.table: each.set_aside for each in imported.balances if each.set_aside}
    assert aside == {
        "chat_streams": {"it has no stream_id": 1, "the agent has a session of this id already": 1},
        "(chats without a stream)": {"its chat_id is longer than 255 characters": 1},
        "messages": {
            "it has no chat_id": 1,
            "its chat_id is longer than 255 characters": 1,
            "its time cannot be read": 1,
            "its time is out of range": 1,
        },
        "llm_usage": {
            "its cost is no number": 2,
            "its time cannot be read": 1,
            "its total_tokens is no number": 1,
            "its total_tokens is no whole number of 32 bits": 2,
        },
        "(totals of llm_usage)": {"its time cannot be read": 1},
        "images": {"its hash is longer than 64 characters": 1},
        "online_time": {"it ends before it starts": 1},
    }
    opened()
    with tenant_scope(Tenant.get().id):
        rows = {}
        for row in ChatHistory.select().order_by(ChatHistory.id):
            notes = json.loads(row.metadata)
            rows.setdefault(notes["message_id"], []).append((row, notes))
        whole = datetime.fromtimestamp(START, UTC)
        assert rows["m1"][0][0].created_at == whole.replace(microsecond=250_000)
        assert rows["m1"][0][1]["time"] == START * 1000 + 250
        assert rows["m2"][0][0].created_at == datetime(1970, 1, 1, tzinfo=UTC)
        assert rows["m3"][0][0].created_at.year == 2286
        assert rows["m4"][0][0].created_at == rows["m5"][0][0].created_at == whole
        assert (rows["m10"][0][0].user_message, rows["m10"][0][1]["processed_plain_text"]) == (
            "a\x1ab",
            {"$text": "610062"},
        )
        assert (rows["m11"][0][0].agent_response, rows["m11"][0][0].user_id) == ("", None)
        assert [row.user_message for row, _ in rows["m12"]] == ["shown", "text 文 12"]
        assert rows["m12"][1][1]["priority_info"] == "{'message_type': 'vip', 'x': None}"
        assert (rows["m13"][0][0].session_id, rows["m13"][0][0].user_id) == ("stream0", "12345")
        assert (rows["m16"][0][0].user_message, rows["m16"][0][1]["interest_value"]) == (
            "blob \x1a",
            {"$real": "inf"},
        )
        assert (rows["m17"][0][0].agent_response + rows["m17"][0][0].user_message) == "g\x1ao"
        assert rows["m17"][0][1]["processed_plain_text"] == {"$text": "67ff6f"}
        assert (rows["m18"][0][0].user_id, rows["m18"][0][1]["user_id"]) == (None, "u" * 300)
        assert rows["m19"][0][0].session_id == "424242"
        assert UserSession.select().where(UserSession.session_id == "424242").count() == 1
        (stream,) = UserSession.select().where(UserSession.session_id == "stream0")
        assert json.loads(stream.metadata)["user_nickname"] == "名" * 400
        (picture,) = FileUpload.select()
        assert (picture.file_path, picture.original_filename, picture.mime_type) == (
            LONG,
            "name.gif",
            "image/gif",
        )
        assert picture.created_at == whole
        (usage,) = ChatLogs.select().where(ChatLogs.token_count == 5)
        assert (usage.request_type, json.loads(usage.metadata)["request_type"]) == ("r" * 50, "r" * 80)
        other = peewee.Table("legacy_other").bind(Tenant._meta.database)
        kept = {
            row["source_table"]: from_json(row["source_data"])
            for row in other.select(other.c.source_table, other.c.source_data)
        }
        assert kept["memory_chest"] == {"id": 9, "rowid": "not a number", "body": Garbled(b"\xff")}
        assert kept['odd "name" 名'] == {"id": 1, "select": "x"}
        assert SystemMetrics.select().count() == 0


def test_set_aside_rows_are_whole(sql_url, trapped, opened):
    load(trapped, sql_url)
    opened()
    with tenant_scope(Tenant.get().id):
        table = peewee.Table("legacy_messages").bind(Tenant._meta.database)
        rows = [from_json(row["source_data"]) for row in table.select(table.c.source_data)]
    assert {(row["message_id"], row["time"]) for row in rows} >= {("m6", 1e300), ("m7", "soon")}


@pytest.mark.backend("sqlite")
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), name=st.sampled_from(["maibot", "maimdb_v1"]))
def test_the_order_of_columns_does_not_matter(seed, name):
    with TemporaryDirectory() as folder:
        facts = []
        for which, shuffled in (("plain", None), ("shuffled", random.Random(seed))):
            path = Path(folder, f"{which}.db")
            with written(path, NEW if name == "maibot" else V1, shuffled=shuffled) as database:
                if name == "maibot":
                    plain(database, 6)
                    modern(database)
                else:
                    control_plane(database, 1, 2)
            imported = load(path, f"sqlite:///{folder}/{which}.target.db")
            assert imported.balanced
            facts.append({each.table: (each.rows_in, each.rows_out, each.sums) for each in imported.balances})
    assert facts[0] == facts[1]


VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(), st.binary(),
    st.just("a\0b"), st.just('\\u0000 "$text"'), st.builds(lambda data: Garbled(data + b"\xff"), st.binary()),
)  # fmt: skip


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=4))
def test_kept_values_come_back(values):
    text = to_json(values)
    assert "\0" not in text
    assert from_json(text) == values
    assert [type(value) for value in from_json(text).values()] == [type(value) for value in values.values()]


@given(VALUES)
def test_a_text_of_any_value_fits_every_engine_and_has_as_many_bytes(value):
    text = text_of(value)
    assert text is None or "\0" not in text
    if isinstance(value, str | bytes):
        assert len(text.encode()) == len(value.encode() if isinstance(value, str) else value)


@given(st.one_of(VALUES, st.datetimes().map(str), st.floats(0, 1e11)))
def test_a_time_is_a_moment_or_set_aside(value):
    try:
        moment = moment_of(value, SHANGHAI)
    except SetAside:
        return
    assert moment.tzinfo is None
    assert 1000 <= moment.year <= 9999
