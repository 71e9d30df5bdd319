import json
import logging
import sqlite3
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import peewee
import pytest
from maimdb import cli
from maimdb.core import database as database_module
from maimdb.core import fallback
from maimdb.core.config import FALLBACK_PATH, DatabaseConfig
from maimdb.core.database import (
    close_database,
    database_proxy,
    get_database,
    init_database,
    open_database,
)
from maimdb.core.errors import (
    AuthenticationError,
    ConnectionLostError,
    DatabaseUnavailableError,
    ReplayError,
    UnknownDatabaseError,
)
from maimdb.core.models import ALL_MODELS, Agent, ApiKey, ChatHistory, Tenant
from maimdb.core.scope import system_scope, tenant_scope

from tests.maimdb.test_settings import SECRET, require_password, with_credentials

pytestmark = pytest.mark.backend("postgresql", "mysql")


class Note(peewee.Model):
    id = peewee.CharField(primary_key=True)
    text = peewee.TextField(null=True)
    n = peewee.IntegerField(default=0)


class Everything(peewee.Model):
    id = peewee.UUIDField(primary_key=True)
    flag = peewee.BooleanField()
    at = peewee.DateTimeField(null=True)
    day = peewee.DateField()
    price = peewee.DecimalField(max_digits=12, decimal_places=3)
    ratio = peewee.DoubleField()
    data = peewee.BlobField()
    big = peewee.BigIntegerField()
    text = peewee.TextField()


MODELS = [Note, Everything]


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_CONNECTION_TIMEOUT", "10")
    yield
    close_database()


@pytest.fixture
def server(private_server):
    return private_server()


@pytest.fixture
def url(server, monkeypatch):
    """The URL of the configured server, which is up and has its tables."""
    with closing(server.backend.connect(server.url)) as connection:
        server.backend.create(connection, "bot")
    url = f"{server.url}bot"
    monkeypatch.setenv("DATABASE_URL", url)
    database = init_database()
    with database.bind_ctx(MODELS):
        database.create_tables(MODELS)
    close_database()
    return url


def start_fallen_back(server):
    """Start with the server down; return the database that takes over, with its tables."""
    server.stop()
    database = init_database()
    database.bind(MODELS)
    database.create_tables(MODELS)
    return database


def notes(database) -> list[tuple[str, str, int]]:
    with database.bind_ctx(MODELS):
        return list(Note.select().order_by(Note.id).tuples())


def replayed(server, url):
    """Start the server, replay, and return the report and the server's database."""
    server.start()
    close_database()
    database = open_database(DatabaseConfig.from_url(url))
    return fallback.replay(FALLBACK_PATH, database), database


@pytest.fixture
def configured(url):
    """That server, for tests that need not know where it is."""


def test_sqlite_takes_over_loudly_and_status_says_since_when(server, url, caplog):
    before = datetime.now(UTC)
    status = start_fallen_back(server).status()
    assert [(record.name, record.levelno) for record in caplog.records] == [("maimdb", logging.WARNING)]
    assert "takes over" in caplog.text
    assert "maimdb fallback replay" in caplog.text
    assert ("sqlite", True, f"sqlite:///{FALLBACK_PATH}") == (status.engine, status.fallback, status.url)
    assert before <= status.fallback_since <= datetime.now(UTC)
    assert "does not answer" in status.fallback_reason
    assert url.rpartition("@")[2] in status.fallback_reason
    assert not Path("data/MaiBot.db").exists()


@pytest.mark.usefixtures("configured")
def test_policy_error_raises_and_makes_no_file(server, monkeypatch):
    monkeypatch.setenv("DB_FALLBACK", "error")
    server.stop()
    with pytest.raises(DatabaseUnavailableError):
        init_database()
    assert not Path("data").exists()


def test_wrong_password_and_unknown_database_always_raise(server, url, monkeypatch, caplog):
    require_password(server, "app", "right")
    name = url.rpartition("/")[2]
    monkeypatch.setenv("DATABASE_URL", with_credentials(url, f"app:{SECRET}", name))
    with pytest.raises(AuthenticationError):
        get_database()
    monkeypatch.setenv("DATABASE_URL", f"{server.url}no_such_database")
    with pytest.raises(UnknownDatabaseError):
        get_database()
    assert not Path("data").exists()
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("configured")
def test_no_fallback_in_mid_run(server):
    database = init_database()
    database.config = replace(database.config, connection_timeout=0.5)  # how long a unit is tried
    database.execute_sql("SELECT 1")
    server.stop()
    with pytest.raises(ConnectionLostError):
        database.execute_sql("SELECT 1")
    with pytest.raises(DatabaseUnavailableError):
        database.run_unit(lambda: database.execute_sql("SELECT 1"))
    assert get_database() is database
    assert not database.status().fallback
    assert not Path("data").exists()


@pytest.mark.usefixtures("configured")
def test_application_makes_its_tables_when_sqlite_takes_over(server, monkeypatch):
    class Own(peewee.Model):
        class Meta:
            database = database_proxy

    made = []
    monkeypatch.setattr(
        database_module, "on_fallback", [lambda database: made.append(database.create_tables([Own]))]
    )
    assert start_fallen_back(server).status().fallback
    assert made == [None]
    Own.create()


def test_rows_reach_the_server_each_exactly_once(server, url):
    database = start_fallen_back(server)
    Note.create(id="a", text="first")
    Note.create(id="b", text="to go")
    Note.insert_many([{"id": f"m{n:03}", "text": str(n)} for n in range(450)]).execute()
    Note.update(n=Note.n + 1).where(Note.id == "a").execute()
    Note.delete().where(Note.id == "b").execute()
    with database.atomic() as transaction:
        Note.create(id="undone")
        transaction.rollback()
    expected = notes(database)
    assert fallback.pending(FALLBACK_PATH) == 454
    report, there = replayed(server, url)
    assert (report.applied, report.present, report.conflicts) == (454, 0, ())
    assert expected == notes(there)
    assert fallback.pending(FALLBACK_PATH) == 0
    again = fallback.replay(FALLBACK_PATH, there)
    assert (again.applied, again.present, again.conflicts) == (0, 0, ())
    assert expected == notes(there)
    there.close_all()


def test_models_rows_are_the_same_on_the_server(server, url):
    init_database().create_tables(ALL_MODELS)
    server.stop()
    assert init_database().status().fallback
    tenant = Tenant.create(tenant_name="Exämple 😀", tenant_config='{"max_agents": 100}')
    with tenant_scope(tenant.id):
        agent = Agent.create(tenant_id=tenant.id, name="Support")
        ApiKey.create(tenant_id=tenant.id, agent_id=agent.id, name="key", permissions='["chat"]')
        ChatHistory.create(session_id="s", user_message="Hello", agent_response="Hi")
        agent.name = "Support 2"
        agent.save()
    expected = everything()
    assert all(expected)
    server.start()
    database = init_database()
    assert not database.status().fallback
    report = fallback.replay(FALLBACK_PATH, database)
    assert report.conflicts == ()
    assert everything() == expected
    assert url.endswith("/bot")


def everything() -> list[list[dict[str, object]]]:
    with system_scope(reason="test"):
        return [list(model.select().dicts()) for model in (Tenant, Agent, ApiKey, ChatHistory)]


def test_every_type_arrives_as_it_was(server, url):
    database = start_fallen_back(server)
    row = {
        "id": uuid.uuid4(),
        "flag": True,
        "at": datetime(2024, 2, 29, 12, 30, 15),  # noqa: DTZ001 - as Peewee keeps it
        "day": datetime(2024, 2, 29, tzinfo=UTC).date(),
        "price": Decimal("1234567.125"),
        "ratio": 0.1 + 0.2,
        "data": bytes(range(256)),
        "big": 2**62,
        "text": "naïve 𝄞😀 'quoted' \"too\" %s \\ \n",
    }
    Everything.create(**row)
    Everything.update(flag=False, at=None, data=b"").execute()
    Everything.update(flag=True, at=row["at"], data=row["data"]).execute()
    assert database.status().fallback
    report, there = replayed(server, url)
    assert (report.applied, report.conflicts) == (3, ())
    with there.bind_ctx(MODELS):
        found = Everything.select().dicts().get()
    assert row == found | {"data": bytes(found["data"])}
    there.close_all()


def test_times_with_a_zone_arrive_in_utc(server, url):
    start_fallen_back(server)
    key = uuid.uuid4()
    at = datetime.fromisoformat("2024-02-29T20:30:15+08:00")
    Everything.create(id=key, flag=False, at=at, day=at.date(), price=1, ratio=1, data=b"", big=1, text="")
    report, there = replayed(server, url)
    assert report.conflicts == ()
    with there.bind_ctx(MODELS):
        assert Everything.get().at == datetime(2024, 2, 29, 12, 30, 15)  # noqa: DTZ001
    there.close_all()


def test_interrupted_replay_goes_on_without_doubling(server, url, monkeypatch):
    database = start_fallen_back(server)
    monkeypatch.setattr(fallback, "_BATCH", 10)
    for number in range(35):
        Note.create(id=f"{number:02}")
        Note.update(n=Note.n + 1).where(Note.id == f"{number:02}").execute()
    expected = notes(database)
    apply = fallback._Server.apply
    batches = []

    def interrupted(self, batch):
        """Apply on the server, and be killed before anything of it is noted in the file."""
        outcomes = apply(self, batch)
        batches.append(batch)
        if len(batches) == 3:
            raise KeyboardInterrupt
        return outcomes

    monkeypatch.setattr(fallback._Server, "apply", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replayed(server, url)
    assert fallback.pending(FALLBACK_PATH) == 50
    there = open_database(DatabaseConfig.from_url(url))
    report = fallback.replay(FALLBACK_PATH, there)
    assert (report.applied, report.present, report.conflicts) == (40, 10, ())
    assert expected == notes(there)
    there.close_all()


def test_server_that_restarts_in_mid_replay_is_waited_for(server, url, monkeypatch):
    database = start_fallen_back(server)
    monkeypatch.setattr(fallback, "_BATCH", 10)
    Note.insert_many([{"id": f"{n:03}"} for n in range(100)]).execute()
    expected = notes(database)
    apply = fallback._Server.apply
    batches = []

    def restarted(self, batch):
        batches.append(batch)
        if len(batches) == 3:
            server.stop()
            server.start()
        return apply(self, batch)

    monkeypatch.setattr(fallback._Server, "apply", restarted)
    report, there = replayed(server, url)
    assert (report.applied, report.conflicts) == (100, ())
    assert expected == notes(there)
    there.close_all()


def test_conflicts_are_listed_and_left_alone(server, url):
    with closing_database(url) as there, there.bind_ctx(MODELS):
        Note.create(id="taken", text="the server's")
        Note.create(id="same", text="equal")
    start_fallen_back(server)
    Note.create(id="taken", text="ours")
    Note.create(id="same", text="equal")
    Note.update(text="ours again").where(Note.id == "taken").execute()
    Note.create(id="free", text="ours")
    report, there = replayed(server, url)
    assert (report.applied, report.present) == (1, 1)
    assert [(conflict.operation, conflict.key, conflict.reason) for conflict in report.conflicts] == [
        ("insert", {"id": "taken"}, "the server's row is another"),
        ("update", {"id": "taken"}, "the server's row is another"),
    ]
    assert notes(there) == [("free", "ours", 0), ("same", "equal", 0), ("taken", "the server's", 0)]
    with there.bind_ctx(MODELS):
        Note.delete_by_id("taken")
    again = fallback.replay(FALLBACK_PATH, there)
    assert (again.applied, again.present, again.conflicts) == (2, 0, ())
    assert ("taken", "ours again", 0) in notes(there)
    there.close_all()


class closing_database:  # noqa: N801 - reads as a statement
    def __init__(self, url: str) -> None:
        self.database = open_database(DatabaseConfig.from_url(url))

    def __enter__(self):
        return self.database

    def __exit__(self, *_: object) -> None:
        self.database.close_all()


def test_changed_keys_replaced_rows_and_new_columns_are_journalled(server, url):
    with closing_database(url) as there:
        add_column(there)
    database = start_fallen_back(server)
    Note.create(id="a", text="1")
    Note.update(id="b").where(Note.id == "a").execute()
    Note.replace(id="b", text="2").execute()
    add_column(database)
    with system_scope(reason="test"):
        database.execute_sql("UPDATE note SET extra = 'new'")
    report, there = replayed(server, url)
    assert report.conflicts == ()
    assert notes(there) == [("b", "2", 0)]
    assert there.execute_sql("SELECT extra FROM note").fetchone() == ("new",)
    there.close_all()


def add_column(database) -> None:
    migrator = database.migrator()
    migrator.add_column("note", "extra", peewee.CharField(null=True))
    migrator.run()


def test_second_fallback_continues_the_journal(server, url):
    for text in ("first", "second"):
        start_fallen_back(server)
        Note.create(id=text)
        report, there = replayed(server, url)
        assert (report.applied, report.present, report.conflicts) == (1, 0, ())
        there.close_all()
    with closing_database(url) as there:
        assert [row[0] for row in notes(there)] == ["first", "second"]


def test_sequences_go_on_after_replayed_keys(server, url):
    class Counted(peewee.Model):
        text = peewee.TextField()

    with closing_database(url) as there, there.bind_ctx([Counted]):
        there.create_tables([Counted])
    database = start_fallen_back(server)
    with database.bind_ctx([Counted]):
        database.create_tables([Counted])
        for text in "abc":
            Counted.create(text=text)
    report, there = replayed(server, url)
    assert (report.applied, report.conflicts) == (3, ())
    with there.bind_ctx([Counted]):
        assert Counted.create(text="d").id == 4
    there.close_all()


def test_file_of_another_server_is_refused(server, url, monkeypatch):
    start_fallen_back(server)
    Note.create(id="a")
    close_database()
    other = url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("DATABASE_URL", other)
    with pytest.raises(ReplayError, match="holds changes for"):
        init_database()
    server.start()
    with closing_database(other) as there, pytest.raises(ReplayError, match="stood in for"):
        fallback.replay(FALLBACK_PATH, there)


def test_missing_tables_are_named_before_anything_is_applied(server, url):
    database = start_fallen_back(server)
    with system_scope(reason="test"):
        database.execute_sql("CREATE TABLE only_here (n INTEGER PRIMARY KEY)")
        database.execute_sql("INSERT INTO only_here VALUES (1)")
    Note.create(id="a")
    with pytest.raises(ReplayError, match="'only_here': create the tables first"):
        replayed(server, url)
    with closing_database(url) as there:
        assert notes(there) == []


@pytest.mark.usefixtures("configured")
def test_start_on_the_server_reminds_of_what_waits(server, caplog):
    start_fallen_back(server)
    Note.create(id="a")
    server.start()
    caplog.clear()
    assert not init_database().status().fallback
    assert "1 changes written during a fallback wait" in caplog.text


def test_command_replays_and_lists_conflicts(server, url, capsys, monkeypatch):
    start_fallen_back(server)
    Note.create(id="a")
    server.start()
    close_database()
    assert maimdb(monkeypatch, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["fallback_pending"] == 1
    with closing_database(url) as there, there.bind_ctx(MODELS):
        Note.create(id="a", text="other")
    assert maimdb(monkeypatch, "fallback", "replay") == 1
    shown = capsys.readouterr().out
    assert "0 applied, 0 there already, 1 conflicts" in shown
    assert "insert note {'id': 'a'}: the server's row is another" in shown
    with closing_database(url) as there, there.bind_ctx(MODELS):
        Note.delete_by_id("a")
    assert maimdb(monkeypatch, "fallback", "replay", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"applied": 1, "present": 0, "conflicts": []}
    server.stop()
    assert maimdb(monkeypatch, "status") == 1
    assert capsys.readouterr().err.startswith("error: DATABASE_URL: ")


def maimdb(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["maimdb", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


@pytest.mark.backend("sqlite")
def test_command_says_when_there_is_nothing_to_replay(sql_url, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", sql_url)
    assert maimdb(monkeypatch, "fallback", "replay") == 1
    assert capsys.readouterr().err == (
        "error: there is no fallback file 'data/MaiBot.fallback.db': nothing was written while fallen back\n"
    )


@pytest.mark.backend("sqlite")
def test_journal_is_part_of_the_writes_transaction(sql_url, tmp_path):
    with closing(sqlite3.connect(tmp_path / "fallback.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")
        fallback.start(connection, sql_url)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (1, 'x')")
        assert connection.execute(f"SELECT count(*) FROM {fallback.JOURNAL}").fetchone() == (1,)
        assert connection.execute("SELECT last_insert_rowid()").fetchone() == (1,)
        connection.execute("ROLLBACK")
        assert fallback._count_pending(connection) == 0
