"""What tests may rely on: the databases that they asked for, each fresh, and nothing left behind."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.backends import BACKENDS, MONGODB, Databases

ROOT = Path(__file__).parents[1]

EVERY_KIND = """
def test_any(): ...
def test_sqlite(sqlite_url): ...
def test_sql(sql_url): print(sql_url)
def test_private(private_server): ...
def test_mongodb(mongodb): ...
"""


def command(folder, tests, *arguments):
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (folder / "test_inner.py").write_text(tests)
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", f"--basetemp={folder / 'base'}"]
    return [sys.executable, "-m", "pytest", *options, *arguments]


def environment(**settings):
    """Return this process's environment as if neither CI nor a server were given."""
    hidden = {"CI", *(getattr(backend, "variable", None) for backend in BACKENDS.values())}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return kept | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | settings


def run(folder, tests, *arguments, **settings):
    return subprocess.run(
        command(folder, tests, *arguments),
        env=environment(**settings),
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
    )


def connect(url):
    if url.startswith("sqlite:///"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    name = "postgresql" if url.startswith("postgresql") else "mysql"
    return BACKENDS[name].connect(url)


def ask(url, *statements):
    with closing(connect(url)) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def is_up(server):
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_sql_url_reaches_the_product_it_names(sql_url):
    product, question = {
        "sqlite": (sqlite3.sqlite_version, "SELECT sqlite_version()"),
        "postgresql": ("PostgreSQL ", "SELECT version()"),
        "mysql+pymysql": ("utf8mb4", "SELECT @@character_set_database"),
        "mysql": ("utf8mb4", "SELECT @@character_set_database"),
    }[urlsplit(sql_url).scheme]
    assert ask(sql_url, question)[0][0].startswith(product)


def test_mongodb_reaches_a_server(mongodb):
    with closing(MONGODB.connect(mongodb.uri)) as client:
        assert client.admin.command("hello")["maxWireVersion"] >= 21


@pytest.mark.parametrize("turn", [1, 2])
def test_sql_database_is_fresh_for_each_test(sql_url, turn):
    answer = ask(sql_url, "CREATE TABLE t (n integer)", f"INSERT INTO t VALUES ({turn})", "SELECT n FROM t")
    assert [tuple(row) for row in answer] == [(turn,)]


@pytest.mark.parametrize("turn", [1, 2])
def test_mongodb_database_is_fresh_for_each_test(mongodb, turn):
    with closing(MONGODB.connect(mongodb.uri)) as client:
        collection = client[mongodb.database].things
        assert collection.find_one() is None
        collection.insert_one({"turn": turn})


def test_database_is_dropped_though_a_transaction_holds_it(private_server):
    server = private_server()
    with closing(server.backend.connect(server.url)) as connection:
        with Databases(server.backend, server.url, connection).fresh_url() as url:
            holder = connect(url)
            holder.autocommit = False
            ask(url, "CREATE TABLE t (n integer)", "SELECT 1")
            holder.cursor().execute("SELECT n FROM t")
        cursor = connection.cursor()
        cursor.execute("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 't\\_%'")
        assert list(cursor.fetchall()) == []


@pytest.mark.backend("postgresql", "mysql", "mongodb")
def test_private_server_stops_and_starts_on_the_same_port(private_server):
    server = private_server()
    assert is_up(server)
    server.stop()
    assert not is_up(server)
    server.start()
    assert is_up(server)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_private_server_keeps_its_data(private_server, end):
    server = private_server()
    with closing(server.backend.connect(server.url)) as connection:
        server.backend.create(connection, "kept")
    ask(f"{server.url}kept", "CREATE TABLE t (n integer)", "INSERT INTO t VALUES (7)", "SELECT n FROM t")
    getattr(server, end)()
    server.start()
    assert [tuple(row) for row in ask(f"{server.url}kept", "SELECT n FROM t")] == [(7,)]


@pytest.mark.backend("postgresql", "mysql", "mongodb")
def test_close_leaves_nothing(private_server):
    server = private_server()
    assert server.directory.is_dir()
    server.close()
    assert not server.directory.exists()
    assert not is_up(server)


@pytest.mark.backend("postgresql", "mysql", "mongodb")
def test_killed_test_run_leaves_nothing(private_server, tmp_path):
    name = private_server.backend.name
    tests = f"""
import json, os, signal, pytest
@pytest.mark.backend("{name}")
def test(private_server):
    server = private_server()
    os.write(1, json.dumps([server.pid, server._guard.pid, str(server.directory)]).encode() + b"\\n")
    signal.pause()
"""
    inner = command(tmp_path, tests, "-q", "--capture=no", "--no-header", f"--backend={name}")
    with subprocess.Popen(
        inner, env=environment(), stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        *pids, directory = json.loads(process.stdout.readline())
        assert all(Path(f"/proc/{pid}").exists() for pid in pids) or sys.platform != "linux"
        process.kill()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (Path(directory).exists() or any(map(is_alive, pids))):
        time.sleep(0.02)
    assert not Path(directory).exists()
    assert [pid for pid in pids if is_alive(pid)] == []


def is_alive(pid):
    """Say whether a process runs; one that has ended but that nobody has buried yet does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout
    return state.strip() not in ("", "Z", "Zs")


def test_given_server_is_used_and_left_clean(private_server, tmp_path):
    server = private_server()
    backend = server.backend
    tests = f"""
def test({backend.name}_url):
    assert ":{server.port}/t_" in {backend.name}_url
"""
    done = run(tmp_path, tests, f"--backend={backend.name}", **{backend.variable: server.url})
    assert done.returncode == 0, done.stdout
    assert f"runs: {backend.name}: {backend.variable}, 127.0.0.1:{server.port}" in done.stdout
    left = ask(server.url, "SELECT schema_name FROM information_schema.schemata")
    assert [name for (name,) in left if name.startswith("t_")] == []


def test_tests_on_other_backends_are_deselected(tmp_path):
    done = run(tmp_path, EVERY_KIND, "--backend=sqlite")
    assert "3 passed, 5 deselected" in done.stdout
    assert "not selected: mongodb" in done.stdout
    assert "skipped" not in done.stdout


def test_missing_backend_is_named_in_the_header(tmp_path):
    done = run(tmp_path, "def test(): ...", PATH="")
    assert f"runs: sqlite: SQLite {sqlite3.sqlite_version}" in done.stdout
    assert "does not run: mysql: put mariadbd or mysqld on PATH" in done.stdout
    assert "set TEST_MYSQL_URL" in done.stdout


@pytest.mark.parametrize(("arguments", "settings"), [(["--backend=sqlite,mysql"], {}), ([], {"CI": "true"})])
def test_missing_backend_that_was_asked_for_is_an_error(tmp_path, arguments, settings):
    done = run(tmp_path, "def test(): ...", *arguments, PATH="", **settings)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: mysql: put mariadbd or mysqld on PATH" in done.stderr


def test_unknown_backend_is_an_error(tmp_path):
    done = run(tmp_path, "def test(): ...", "--backend=sqlite,oracle")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unknown backend 'oracle': choose from sqlite, postgresql, mysql, mongodb" in done.stderr


def test_settings_of_the_developer_are_hidden(tmp_path):
    names = [
        "DATABASE_URL",
        "DATABASE_POOL",
        "DB_HOST",
        "MONGODB_URI",
        "OPENAI_API_KEY",
        "MIMIOD_X",
        "MAIMDB_X",
    ]
    tests = f"import os\ndef test(): assert not os.environ.keys() & set({names})"
    done = run(tmp_path, tests, "--backend=sqlite", **dict.fromkeys(names, "x"))
    assert done.returncode == 0, done.stdout


def test_settings_of_one_test_are_hidden_from_the_next(tmp_path):
    tests = "import os\ndef test_1(): os.environ['LEAK'] = '1'\ndef test_2(): assert 'LEAK' not in os.environ"
    assert run(tmp_path, tests, "--backend=sqlite").returncode == 0
