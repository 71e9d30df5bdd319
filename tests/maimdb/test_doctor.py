"""`maimdb doctor`, `init`, `shell` and `bench`: what a person on call sees."""

import io
import json
import sqlite3
import threading

import pytest
from maimdb import ALL_MODELS, Agent, ApiKey, Tenant, close_database, init_database
from maimdb.cli.app import app
from maimdb.core import diagnosis
from maimdb.core.migrations import migrate
from typer.testing import CliRunner

PEPPER = "a pepper of the tests of 32 characters"


@pytest.fixture
def configured(sql_url, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", sql_url)
    monkeypatch.setenv("MAIMDB_KEY_PEPPER", PEPPER)
    yield sql_url
    close_database()


def run(*arguments, **options):
    return CliRunner().invoke(app, list(arguments), **options)


def findings():
    result = run("doctor", "--json")
    return result.exit_code, {
        (found["level"], found["subject"]): found for found in json.loads(result.output)
    }


def test_a_database_that_was_made_is_in_order(configured):
    made = run("init")
    assert made.exit_code == 0, made.output
    code, found = findings()
    assert code == 0
    assert {level for level, _ in found} <= {"ok", "note"}
    assert "answers in" in found["ok", "database"]["text"]
    again = run("init")
    assert "was ready" in again.output
    assert again.exit_code == 0


def test_init_makes_a_tenant_whose_key_opens_it(configured):
    result = run("init", "--tenant", "Example Company", "--json")
    facts = json.loads(result.output)
    init_database()
    assert Tenant.get().id == facts["tenant"]
    assert Agent.get().id == facts["agent"]
    assert ApiKey.verify(facts["key"]).tenant_id == facts["tenant"]


def test_what_is_to_be_done_is_said(configured):
    migrate(init_database(), to=1)
    close_database()
    code, found = findings()
    assert code == 0
    assert found["warning", "schema"]["mend"] == "run `maimdb migrate`"


def test_a_missing_pepper_is_said_and_a_set_one_not_shown(configured, monkeypatch):
    assert PEPPER not in run("doctor").output
    monkeypatch.delenv("MAIMDB_KEY_PEPPER")
    assert "MAIMDB_KEY_PEPPER is not set" in run("doctor").output


@pytest.mark.backend("postgresql", "mysql")
def test_a_server_that_does_not_answer_is_an_error_without_the_password(configured, monkeypatch):
    scheme = configured.partition(":")[0]
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://someone:hunter2secret@127.0.0.1:1/x")
    result = run("doctor")
    assert result.exit_code == 1
    assert "hunter2secret" not in result.output
    assert "***" in result.output


@pytest.mark.backend("postgresql", "mysql")
def test_a_pool_larger_than_the_server_allows_is_said(configured, monkeypatch):
    monkeypatch.setenv("DB_MAX_CONNECTIONS", "100000")
    assert "lower DB_MAX_CONNECTIONS" in run("doctor").output


@pytest.mark.backend("postgresql", "mysql")
def test_a_statement_that_runs_long_is_shown_without_its_text(configured, monkeypatch):
    monkeypatch.setattr(diagnosis, "SLOW", -1.0)  # every running statement counts as long
    database = init_database()
    sleep = "pg_sleep(2)" if database.config.engine == "postgresql" else "SLEEP(2)"
    running = threading.Thread(target=database.execute_sql, args=(f"SELECT {sleep}, 'a secret value'",))
    running.start()
    try:
        output = ""
        while running.is_alive() and "has been running" not in output:
            output = run("doctor").output
    finally:
        running.join()
    assert "has been running" in output
    assert "a secret value" not in output


@pytest.mark.backend("sqlite")
def test_a_damaged_file_is_an_error(configured, tmp_path):
    run("init")
    path = tmp_path / "test.db"
    with path.open("r+b") as file:
        file.seek(4096 + 8)
        file.write(b"\xff" * 20_000)
    code, found = findings()
    assert code == 1
    assert "maimdb restore" in found["error", "file"]["mend"]


@pytest.mark.backend("sqlite")
def test_a_wrong_setting_is_one_line(configured, monkeypatch):
    monkeypatch.setenv("DB_MAX_CONNECTIONS", "many")
    result = run("doctor")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "DB_MAX_CONNECTIONS" in result.output


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 40, 1), "note"),
        ((3, 44, 5), "note"),
        ((3, 44, 6), "ok"),
        ((3, 50, 7), "ok"),
        ((3, 51, 2), "note"),
        ((3, 51, 3), "ok"),
        ((3, 52, 0), "note"),
        ((3, 53, 0), "ok"),
    ],
)
def test_versions_of_sqlite_with_a_known_hazard_are_noted(version, level):
    assert [found.level for found in diagnosis._library(version)] == [level]


@pytest.mark.backend("sqlite")
def test_what_waits_after_a_fallback_is_said(configured, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/x")
    init_database().create_tables(ALL_MODELS)
    Tenant.create(tenant_name="Meanwhile")
    close_database()
    assert "maimdb fallback replay" in run("doctor").output


@pytest.mark.backend("sqlite")
def test_the_shell_has_the_models_and_the_scope(configured, monkeypatch):
    facts = json.loads(run("init", "--tenant", "Example", "--json").output)
    monkeypatch.setattr("sys.stdin", io.StringIO("print(Agent.get().id, current_tenant())\n"))
    result = run("shell", "--tenant", facts["tenant"], input="print(Agent.get().id, current_tenant())\n")
    assert f"{facts['agent']} {facts['tenant']}" in result.output


def test_bench_measures_and_leaves_no_row(configured):
    run("init")
    result = run("bench", "--seconds", "0.1", "--json")
    assert result.exit_code == 0, result.output
    rates = json.loads(result.output)["per_second"]
    assert len(rates) == 6
    assert min(rates.values()) > 0
    init_database()
    assert Tenant.select().count() == 0


@pytest.mark.backend("sqlite")
def test_looking_changes_nothing(configured, tmp_path):
    run("init")
    with sqlite3.connect(tmp_path / "test.db") as database:
        before = list(database.iterdump())
    run("doctor")
    with sqlite3.connect(tmp_path / "test.db") as database:
        assert list(database.iterdump()) == before
