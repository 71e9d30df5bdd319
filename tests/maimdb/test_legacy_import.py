"""A bot's file becomes an agent's rows: all of them, once, in order, and nobody else's."""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import peewee
import pytest
from maimdb import (
    Agent,
    ChatHistory,
    ChatLogs,
    FileUpload,
    RawSqlRefusedError,
    SystemMetrics,
    Tenant,
    UserSession,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core.errors import LegacyImportError

from tests.maimdb.legacy_files import BOT, NEW, OLD, START, insert, load, message, modern, plain, written

BUSINESS = (ChatHistory, ChatLogs, FileUpload, SystemMetrics, UserSession)


@pytest.fixture
def bot_file(tmp_path):
    path = tmp_path / "MaiBot.db"
    with written(path, NEW) as database:
        plain(database)
        modern(database)
    return path


@pytest.fixture
def target(sql_url):
    """Opens the database after imports, and closes it with the test."""
    yield lambda: init_database(sql_url)
    close_database()


def tenant():
    return Tenant.get(Tenant.tenant_name == "me").id


def kept(name):
    table = peewee.Table(f"legacy_{name}").bind(Tenant._meta.database)
    return list(
        table.select(table.c.source_data, table.c.reason, table.c.source_row).order_by(table.c.source_row)
    )


def dump(database):
    """Return every row of every table but the audit log, which tells of the run itself."""
    with system_scope(reason="test"):
        return {
            name: sorted(map(repr, database.execute_sql(f"SELECT * FROM {name}").fetchall()))
            for name in database.get_tables()
            if not name.startswith("audit_")
        }


def moment(seconds):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize("version", [OLD, NEW])
def test_every_table_has_a_place(sql_url, tmp_path, target, version):
    path = tmp_path / "MaiBot.db"
    with written(path, version) as database:
        plain(database)
        if version == NEW:
            modern(database)
    imported = load(path, sql_url)
    assert imported.balanced
    assert {each.table: sum(each.set_aside.values()) for each in imported.balances if each.set_aside} == {}
    target()
    with tenant_scope(tenant()):
        assert ChatHistory.select().count() == 20
        assert ChatLogs.select().where(ChatLogs.session_id == "llm_usage").count() == 20
        assert {row.session_id for row in UserSession.select()} >= {"stream0", "stream1", "stream2"}
        assert FileUpload.select().count() == 2
        assert len(kept("person_info")) == 1
        assert json.loads(kept("person_info")[0]["source_data"])["nickname"] == "名" * 400


def test_messages_keep_their_order_their_side_and_their_columns(sql_url, bot_file, target):
    load(bot_file, sql_url, batch=7)
    target()
    with tenant_scope(tenant()):
        for number in range(3):
            page = ChatHistory.page(session_id=f"stream{number}")
            ids = [int(json.loads(row.metadata)["message_id"][1:]) for row in page]
            assert ids == list(range(number, 20, 3))
            for each, row in zip(ids, page, strict=True):
                said = row.agent_response if each % 4 == 3 else row.user_message
                assert (said, row.user_message + row.agent_response) == (f"text 文 {each}",) * 2
                assert row.user_id == (BOT if each % 4 == 3 else f"u{each % 3}")
                assert row.created_at == moment(START + each // 3)
        (agent,) = {row.agent_id for model in BUSINESS for row in model.select()}
        assert Agent.get_by_id(agent).name == "bot"


def test_usage_actions_and_online_time_become_logs_and_metrics(sql_url, bot_file, target):
    load(bot_file, sql_url)
    target()
    with tenant_scope(tenant()):
        usage = list(ChatLogs.select().where(ChatLogs.request_type == "replyer").order_by(ChatLogs.id))
        assert [row.token_count for row in usage] == list(range(1, 21))
        assert usage[0].created_at == datetime(2024, 3, 1, 0, 0, 0, 250_000, UTC)
        assert (usage[0].status_code, usage[0].error_message, usage[1].status_code) == (500, "timeout", 200)
        actions = list(ChatLogs.select().where(ChatLogs.request_type == "action:reply").order_by(ChatLogs.id))
        assert [row.session_id for row in actions] == ["elsewhere"] + ["stream0"] * 4
        metrics = {
            (row.metric_name, json.loads(row.tags).get("model_name")): row.metric_value
            for row in SystemMetrics.select()
        }
        assert metrics["online_time", None] == 5400
        assert metrics["llm_total_tokens", "model0"] + metrics["llm_total_tokens", "model1"] == 210
        assert metrics["llm_requests", "model1"] == 10
        assert metrics["llm_cost", "model0"] == pytest.approx(sum(range(0, 20, 2)) / 7)
        made_up = UserSession.get(UserSession.session_id == "elsewhere")
        assert json.loads(made_up.metadata) == {"made_up": True}
        assert UserSession.get(UserSession.session_id == "stream1").last_activity == moment(START + 1001.25)
        files = {row.original_filename: row for row in FileUpload.select()}
        assert (files["a.png"].mime_type, files["b.jpeg"].mime_type) == ("image/png", "image/jpeg")
        assert {row.file_hash for row in files.values()} == {"ab" * 16}


def test_what_has_no_place_is_kept_unchanged(sql_url, bot_file, target):
    with closing(sqlite3.connect(bot_file)) as database:
        database.execute("CREATE TABLE plugin_notes (a, b BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID")
        database.execute("INSERT INTO plugin_notes VALUES (1.5, x'00ff'), ('b' || char(0), 9e999), ('z', 3)")
        database.commit()
        expected = database.execute("SELECT * FROM jargon").fetchall()
        names = [row[1] for row in database.execute("PRAGMA table_info(jargon)")]
    assert load(bot_file, sql_url, batch=2).balanced
    target()
    with tenant_scope(tenant()):
        rows = [json.loads(row["source_data"]) for row in kept("jargon")]
        assert rows == [dict(zip(names, row, strict=True)) for row in expected]
        assert json.loads(kept("chat_history")[0]["source_data"])["original_text"] == "summary"
        assert [json.loads(row["source_data"]) for row in kept("other")] == [
            {"a": 1.5, "b": {"$blob": "00ff"}},
            {"a": {"$text": "6200"}, "b": {"$real": "inf"}},
            {"a": "z", "b": 3},
        ]


def test_a_second_run_changes_nothing(sql_url, bot_file, target):
    first = load(bot_file, sql_url)
    before = dump(target())
    close_database()
    second = load(bot_file, sql_url)
    assert (first.fresh, second.fresh) == (True, False)
    assert second.balances == first.balances
    assert dump(target()) == before


def test_other_options_or_another_file_for_the_same_agent_are_refused(sql_url, bot_file, tmp_path):
    load(bot_file, sql_url)
    with pytest.raises(LegacyImportError, match="other options"):
        load(bot_file, sql_url, accounts=frozenset())
    other = tmp_path / "other.db"
    with written(other, NEW) as database:
        plain(database, 3)
    with pytest.raises(LegacyImportError, match="another --agent"):
        load(other, sql_url)


def test_two_bots_in_one_database_do_not_collide(sql_url, bot_file, target):
    load(bot_file, sql_url)
    assert load(bot_file, sql_url, agent="other bot").balanced
    target()
    with tenant_scope(tenant()):
        agents = {agent.id for agent in Agent.select()}
        assert len(agents) == 2
        for agent in agents:
            assert ChatHistory.select().where(ChatHistory.agent_id == agent).count() == 20
            assert len(UserSession.page(agent_id=agent, session_id="stream0")) == 1
        assert len(kept("jargon")) == 2


def test_sessions_that_the_agent_has_already_are_set_aside(sql_url, bot_file, target):
    target().create_tables([Tenant, Agent, *BUSINESS])
    owner = Tenant.create(tenant_name="me")
    agent = Agent.create(tenant_id=owner.id, name="bot")
    with tenant_scope(owner.id):
        UserSession.create(agent_id=agent.id, session_id="stream1")
    close_database()
    imported = load(bot_file, sql_url)
    assert imported.balanced
    (streams,) = [each for each in imported.balances if each.table == "chat_streams"]
    assert (streams.rows_out, streams.set_aside) == (2, {"the agent has a session of this id already": 1})


def test_another_tenant_sees_nothing_of_it(sql_url, bot_file, target):
    load(bot_file, sql_url)
    database = target()
    stranger = Tenant.create(tenant_name="stranger").id
    with tenant_scope(stranger):
        assert [model.select().count() for model in BUSINESS] == [0] * 5
        assert kept("jargon") == kept("person_info") == []
    assert kept("jargon") == []  # with no scope: the rows that nobody owns
    with pytest.raises(RawSqlRefusedError):
        database.execute_sql("SELECT * FROM legacy_jargon")


def test_a_tenants_kept_rows_go_with_it(sql_url, bot_file, target):
    load(bot_file, sql_url)
    database = target()
    owner = tenant()
    with system_scope(reason="test"):
        for model in BUSINESS:
            model.delete().execute()
        Agent.delete().execute()
        Tenant.delete().where(Tenant.id == owner).execute()
        for name in ("legacy_jargon", "legacy_imports", "legacy_progress"):
            assert database.execute_sql(f"SELECT COUNT(*) FROM {name}").fetchone()[0] == 0


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.backend("sqlite")
def test_the_file_is_not_touched(sql_url, bot_file, tmp_path, mode):
    with closing(sqlite3.connect(bot_file)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")
    before = facts(bot_file)
    load(bot_file, sql_url)
    assert facts(bot_file) == before


def facts(path):
    state = path.stat()
    others = sorted(each.name for each in path.parent.iterdir() if each.name.startswith(path.name))
    return hashlib.sha256(path.read_bytes()).hexdigest(), state.st_mtime_ns, state.st_size, others


@pytest.mark.backend("sqlite")
def test_a_file_in_use_is_read_with_its_log(sql_url, bot_file, target):
    with closing(sqlite3.connect(bot_file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        message(database, 77)
        database.commit()
        before = facts(bot_file)
        assert load(bot_file, sql_url).balanced
        assert facts(bot_file) == before
    target()
    with tenant_scope(tenant()):
        assert ChatHistory.select().count() == 21


@pytest.mark.backend("sqlite")
def test_a_log_that_a_crash_left_is_read(sql_url, bot_file, tmp_path, target):
    crashed = tmp_path / "crashed.db"
    with closing(sqlite3.connect(bot_file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        message(database, 77)
        database.commit()
        for suffix in ("", "-wal"):
            crashed.with_name(f"crashed.db{suffix}").write_bytes(
                bot_file.with_name(f"{bot_file.name}{suffix}").read_bytes()
            )
    before = facts(crashed)
    assert load(crashed, sql_url).balanced
    assert facts(crashed) == before
    target()
    with tenant_scope(tenant()):
        assert ChatHistory.select().count() == 21


@pytest.mark.backend("sqlite")
def test_an_import_that_lost_a_row_does_not_balance(sql_url, bot_file, target):
    imported = load(bot_file, sql_url)
    database = target()
    with tenant_scope(tenant()):
        ChatHistory.delete().where(ChatHistory.id == ChatHistory.page(limit=1)[0].id).execute()
    with system_scope(reason="test"):
        database.execute_sql("UPDATE legacy_imports SET finished_at = NULL")
        database.execute_sql("UPDATE chat_logs SET token_count = 1 WHERE token_count = 2")
    close_database()
    again = load(bot_file, sql_url)
    assert imported.balanced
    assert {each.table for each in again.balances if not each.balanced} == {"messages", "llm_usage"}


@pytest.mark.backend("sqlite")
def test_two_runs_at_once_double_nothing(sql_url, bot_file, target):
    def meanwhile(name, done, total):
        if name == "messages" and not done:
            assert load(bot_file, sql_url, batch=3).balanced

    with pytest.raises(LegacyImportError, match="another run imports"):
        load(bot_file, sql_url, batch=3, report=meanwhile)
    assert load(bot_file, sql_url).balanced
    target()
    with tenant_scope(tenant()):
        assert ChatHistory.select().count() == 20


@pytest.mark.backend("sqlite")
def test_a_table_that_no_import_made_is_left_alone(sql_url, bot_file, target):
    target().execute_sql("CREATE TABLE legacy_jargon (id INTEGER PRIMARY KEY, content TEXT)")
    close_database()
    with pytest.raises(LegacyImportError, match="'legacy_jargon' that no import made: rename it"):
        load(bot_file, sql_url)


@pytest.mark.backend("sqlite")
def test_numbers_in_the_index_of_rows_do_not_matter(sql_url, tmp_path, target):
    path = tmp_path / "far.db"
    with written(path, NEW) as database:
        message(database, 1, id=-5)
        message(database, 2, id=2**61)
        insert(database, "jargon", id=-(2**62), content="x")
    assert load(path, sql_url, batch=1).balanced
