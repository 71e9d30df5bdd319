import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import peewee
import pytest
from maimdb.core.config import DatabaseConfig
from maimdb.core.database import (
    close_database,
    database_proxy,
    db_manager,
    get_database,
    init_database,
    open_database,
)
from maimdb.core.errors import (
    DatabaseUnavailableError,
    DuplicateError,
)

PATIENCE = 20


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    close_database()


def opened(url: str, **settings: object):
    return open_database(DatabaseConfig.from_url(url, **{"connection_timeout": PATIENCE} | settings))


@pytest.fixture
def database(sql_url):
    database = opened(sql_url)
    yield database
    database.close_all()


def counter(database) -> type[peewee.Model]:
    """A table with one row that counts."""

    class Counter(peewee.Model):
        id = peewee.IntegerField(primary_key=True)
        n = peewee.IntegerField()

    Counter.bind(database)
    database.drop_tables([Counter])
    database.create_tables([Counter])
    Counter.create(id=1, n=0)
    database.close()
    return Counter


def add_one(model: type[peewee.Model]) -> None:
    model.update(n=model.n + 1).execute()


# One database per process


def test_nothing_configured_means_sqlite_in_silence(caplog):
    class Note(peewee.Model):
        text = peewee.TextField()

        class Meta:
            database = database_proxy

    assert not hasattr(database_proxy, "__wrapped__")  # what a tool that only looks may ask
    assert not Path("data").exists()
    db_manager.create_tables([Note])
    Note.create(text="kept")
    status = get_database().status()
    assert (status.engine, status.url, status.fallback) == ("sqlite", "sqlite:///data/MaiBot.db", False)
    assert Path("data/MaiBot.db").is_file()
    assert caplog.records == []
    close_database()
    assert Note.get().text == "kept"


def test_first_use_by_many_threads_opens_one_database():
    with ThreadPoolExecutor(8) as threads:
        assert len({id(database) for database in threads.map(lambda _: get_database(), range(64))}) == 1


def test_init_replaces_the_database_that_models_use(tmp_path):
    class Note(peewee.Model):
        class Meta:
            database = database_proxy

    first = init_database(f"sqlite:///{tmp_path / 'first.db'}")
    Note.create_table()
    second = init_database(f"sqlite:///{tmp_path / 'second.db'}")
    assert not Note.table_exists()
    assert get_database() is second
    with pytest.raises(peewee.InterfaceError, match=r"get_database\(\)"):
        first.execute_sql("SELECT 1")


def test_proxy_is_a_context_like_its_database():
    with database_proxy:
        database_proxy.execute_sql("CREATE TABLE t (n INT)")
    with database_proxy.atomic() as transaction:
        database_proxy.execute_sql("INSERT INTO t VALUES (1)")
        transaction.rollback()
    assert database_proxy.execute_sql("SELECT count(*) FROM t").fetchone() == (0,)


def test_old_callers_find_their_methods(sql_url):
    database = init_database(sql_url)
    assert not database.is_connection_usable()
    assert database.connect()
    assert database.is_connection_usable()
    with pytest.raises(peewee.OperationalError, match="already opened"):
        database.connect()
    assert not database.connect(reuse_if_open=True)
    assert database.close()
    assert not database.close()


def test_status_tells_engine_version_and_pool(sql_url):
    database = opened(sql_url, max_connections=3)
    database.connect()
    status = database.status()
    assert status.engine in {"sqlite", "postgresql", "mysql", "mariadb"}
    assert int(status.version.split(".")[0]) > 0
    assert (status.pool.size, status.pool.in_use, status.pool.idle, status.pool.waiting) == (3, 1, 0, 0)
    assert (status.fallback, status.fallback_since, status.last_error) == (False, None, None)
    database.close_all()


# What a session is like


def ask(database, sql: str) -> object:
    return database.execute_sql(sql).fetchone()[0]


def test_sqlite_is_ready_for_threads(sqlite_url):
    database = opened(sqlite_url, connection_timeout=3)
    assert ask(database, "PRAGMA journal_mode") == "wal"
    assert ask(database, "PRAGMA foreign_keys") == 1
    assert ask(database, "PRAGMA busy_timeout") == 3000
    other = opened(sqlite_url, connection_timeout=0.05)
    with database.atomic(), pytest.raises(peewee.OperationalError, match="locked"), other.atomic():
        pass
    database.close_all()
    other.close_all()


def test_time_zone_is_the_sessions(postgresql_url, mysql_url):
    for url, question in ((postgresql_url, "SHOW TimeZone"), (mysql_url, "SELECT @@session.time_zone")):
        database = opened(url)
        assert ask(database, question) in {"UTC", "+00:00"}
        database.close_all()
    database = opened(postgresql_url, timezone="Asia/Shanghai")
    assert ask(database, "SELECT now()::text").endswith("+08")
    database.close_all()


def test_mysql_is_strict_and_holds_every_character(mysql_url):
    database = opened(mysql_url)
    database.execute_sql("CREATE TABLE t (n TINYINT, s VARCHAR(9))")
    database.execute_sql("INSERT INTO t VALUES (1, %s)", ("𝄞😀",))
    assert ask(database, "SELECT s FROM t") == "𝄞😀"
    with pytest.raises(peewee.DataError):
        database.execute_sql("INSERT INTO t VALUES (999, '')")
    database.close_all()


def test_mariadb_is_told_apart_from_mysql(mysql_url):
    database = opened(mysql_url)
    assert database.engine_name == ("mariadb" if "MariaDB" in ask(database, "SELECT version()") else "mysql")
    database.close_all()


def test_memory_is_one_database_for_all_threads():
    database = opened("sqlite:///:memory:", max_connections=4)
    model = counter(database)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: database.run_unit(lambda: add_one(model)), range(400)))
    assert model.get().n == 400
    database.close_all()
    assert not opened_and_closed("sqlite:///:memory:")


def opened_and_closed(url: str) -> list[str]:
    database = opened(url)
    tables = database.get_tables()
    database.close_all()
    return tables


def test_two_processes_may_create_the_same_file():
    code = (
        "from maimdb.core.database import get_database;"
        "get_database().execute_sql('CREATE TABLE IF NOT EXISTS t (n)')"
    )
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(PATIENCE) for process in started] == [0, 0, 0]


@pytest.mark.backend("postgresql", "mysql")
def test_forked_child_leaves_its_parents_connections_alone(database):
    database.connect()
    before = ask(database, "SELECT 1")
    child = os.fork()
    if child == 0:
        try:
            code = 0 if ask(database, "SELECT 2") == 2 else 1
        except BaseException:  # noqa: BLE001 - only its code gets home
            code = 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (before, 3) == (1, ask(database, "SELECT 3"))


# Errors at the seam


def test_duplicate_key_is_named_and_an_integrity_error(database):
    class Person(peewee.Model):
        email = peewee.CharField(unique=True)

    Person.bind(database)
    database.create_tables([Person])
    Person.create(email="ann@example.org")
    with pytest.raises(peewee.IntegrityError) as caught:
        Person.create(email="ann@example.org")
    assert isinstance(caught.value, DuplicateError)
    assert "email" in caught.value.constraint


def test_other_integrity_errors_stay_peewees(database):
    database.execute_sql("CREATE TABLE t (n INT NOT NULL)")
    with pytest.raises(peewee.IntegrityError) as caught:
        database.execute_sql("INSERT INTO t VALUES (NULL)")
    assert not isinstance(caught.value, DuplicateError)


# Servers that do not answer


@pytest.fixture
def silent_port():
    """A server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_silent_server_is_given_up_in_time(scheme, silent_port):
    started = datetime.now(UTC)
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        opened(f"{scheme}://u:p@127.0.0.1:{silent_port}/n?connect_timeout=2", connection_timeout=2)
    assert (datetime.now(UTC) - started).total_seconds() < 10


@pytest.mark.backend("postgresql", "mysql")
def test_slow_dial_does_not_stall_those_who_have_a_connection(sql_url):
    database = opened(sql_url, max_connections=2)
    database.connect()
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as threads:
        database.connect_params = database.connect_params | {"port": silent.getsockname()[1]}
        dialling = threads.submit(database.connect)
        while database.pool.status().in_use < 2:
            assert not dialling.done()
            time.sleep(0.001)
        for _ in range(50):
            assert ask(database, "SELECT 1") == 1
        assert not dialling.done()
        silent.close()
        assert isinstance(dialling.exception(PATIENCE), DatabaseUnavailableError)
    assert "does not answer" in database.status().last_error
    database.close_all()
