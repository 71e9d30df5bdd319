"""A database of an earlier V2 is brought to today's form in place: every row is accounted for."""

import hashlib
import logging
import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from maimdb import (
    ALL_MODELS,
    Agent,
    ApiKey,
    ChatHistory,
    ChatLogs,
    FileUpload,
    Tenant,
    UserSession,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.cli.app import app
from maimdb.core import deletion
from maimdb.core.database import open_database
from maimdb.core.errors import MigrationError
from maimdb.core.migrations import VERSIONS, migrate
from maimdb.core.migrations.adoption import _Adoption
from maimdb.core.migrations.history import load_versions
from maimdb.core.settings import config_from_url
from maimdb.core.transfer import export_tenant
from typer.testing import CliRunner

from tests.maimdb import old_v2
from tests.maimdb.legacy_files import V1, control_plane, load, written
from tests.maimdb.schema_facts import schema_facts

KILLS = int(os.environ.get("MAIMDB_MIGRATION_KILLS", "2"))
SCRIPT = Path(__file__).with_name("migrate_once.py")
OURS = [model._meta.table_name for model in ALL_MODELS]


@pytest.fixture
def database(sql_url):
    """A database of an earlier V2."""
    database = open_database(config_from_url(sql_url))
    old_v2.build(database)
    yield database
    database.close_all()


@pytest.fixture
def models(database, sql_url):
    """The same, migrated, with the models bound to it."""
    migrate(database)
    yield init_database(sql_url)
    close_database()


def rows(database, sql):
    with system_scope(reason="test"):
        return [tuple(row) for row in database.execute_sql(sql).fetchall()]


def count(database, table):
    return rows(database, f"SELECT COUNT(*) FROM {table}")[0][0]


def content(database):
    """Every table's rows."""
    return {
        table: sorted(rows(database, f"SELECT * FROM {table}"), key=repr)
        for table in database.get_tables()
        if table != "maimdb_migrations"
    }


def test_an_adopted_schema_is_the_one_that_the_models_make(database, sql_url):
    migrate(database)
    adopted = schema_facts(database)
    with system_scope(reason="test"):
        database.drop_tables(list(reversed(ALL_MODELS)))
    migrate(database)
    made = schema_facts(database)
    assert {name: adopted[name] for name in OURS} == {name: made[name] for name in OURS}
    assert migrate(database) == []


def test_every_row_is_carried_over_or_set_aside_with_a_reason(database):
    lines = migrate(database)
    assert lines[-len(load_versions(VERSIONS)) :] == [
        f"up {each}" for each in load_versions(VERSIONS).values()
    ]
    told = {line.split()[1].rstrip(":"): line for line in lines if line.startswith("adopted")}
    names = {"chathistory": "chat_history", "user_session": "user_sessions"}
    for table in old_v2.TABLES:
        if table.endswith(("_configs", "_overrides")):
            continue
        given = sum(name == table for name, _ in old_v2.ROWS)
        name = names.get(table, table)
        reasons = rows(database, f"SELECT reason FROM maimdb_set_aside WHERE table_name = '{name}'")
        aside = sum(reason.startswith("not carried over: ") for (reason,) in reasons)
        assert given == count(database, name) + aside
        assert f"{given} rows, {given - aside} carried over, {aside} set aside" in told[name]
        assert (f"legacy_v2_{name}" in database.get_tables()) == bool(reasons or name == "chat_history")
        if f"legacy_v2_{name}" in database.get_tables():
            assert count(database, f"legacy_v2_{name}") == given
    reasons = dict(rows(database, "SELECT row_key, reason FROM maimdb_set_aside"))
    assert reasons["agent_nobodys"] == "not carried over: there is no tenant 'tenant_gone'"
    assert reasons["tenant_2"] == "changed: status 'bogus' became 'inactive'"
    assert reasons["17"].startswith("changed: id '17' became ")
    assert reasons[f"{2:032x}"].endswith("original_filename has 300 characters, and at most 255 have room")
    assert rows(database, "SELECT mood FROM legacy_v2_chat_history WHERE mood IS NOT NULL") == [("glad",)]


def test_the_models_read_what_was_adopted(models):
    assert Tenant.get_by_id(old_v2.TENANT).tenant_name == "One"
    assert Tenant.get_by_id("tenant_2").status == "inactive"
    assert Agent.get_by_id(old_v2.AGENT).tenant_id == old_v2.TENANT
    with tenant_scope(old_v2.TENANT):
        assert ChatLogs.select().count() == 1200
        turns = list(ChatHistory.select())
        assert {turn.agent_id for turn in turns} == {old_v2.AGENT}
        assert "🦊" * 9 in {turn.user_message for turn in turns}
        assert str(turns[0].created_at) == "2025-03-01 12:00:00.250000+00:00"
        assert ChatHistory.get_by_id(turns[0].id) == turns[0]
        again = {"session_id": turns[0].session_id, "user_message": "again", "agent_response": "r"}
        ChatHistory.create(agent_id=old_v2.AGENT, **again)
        assert UserSession.select().count() == 2
        new = Agent.create(name="new")
    assert (new.id[:6], len(old_v2.AGENT)) == ("agent_", 18)
    assert FileUpload.get().file_size == 2**40


def test_keys_that_stood_in_clear_still_open_and_are_nowhere_to_be_read(models, sql_url):
    assert ApiKey.verify(old_v2.SECRET).id == old_v2.KEY
    kept = repr(content(models))
    assert old_v2.SECRET not in kept
    assert old_v2.ORPHAN_SECRET not in kept
    assert hashlib.sha256(old_v2.ORPHAN_SECRET.encode()).hexdigest() in kept
    close_database()
    if sql_url.startswith("sqlite"):
        for path in Path(sql_url.removeprefix("sqlite:///")).parent.glob("test.db*"):
            assert old_v2.SECRET.encode() not in path.read_bytes()


def test_tables_of_configurations_are_left_as_they_are(database):
    names = [name for name in old_v2.TABLES if name.endswith(("_configs", "_overrides"))]
    before = {name: content(database)[name] for name in names}, {n: schema_facts(database)[n] for n in names}
    migrate(database)
    assert before == (
        {name: content(database)[name] for name in names},
        {name: schema_facts(database)[name] for name in names},
    )


def test_the_command_copies_the_file_first_and_warns_of_keys_in_it(database, sql_url, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", sql_url)
    done = CliRunner().invoke(app, ["migrate"])
    assert done.exit_code == 0, done.output
    assert "warning: 2 API keys stood in clear text" in done.stdout
    copies = list(tmp_path.glob("*.backup"))
    assert len(copies) == sql_url.startswith("sqlite")
    for copy in copies:
        original = open_database(config_from_url(f"sqlite:///{copy}"))
        assert count(original, "chathistory") == 4
        original.close_all()


def test_a_dry_run_shows_the_statements_and_changes_nothing(database):
    before = content(database)
    lines = migrate(database, dry_run=True)
    assert lines[0] == "-- adopt an earlier V2"
    assert any("maimdb_old_tenants" in line for line in lines)
    assert content(database) == before


@pytest.mark.backend("postgresql", "mysql")
def test_a_table_that_refers_to_an_old_one_is_named(database):
    size = rows(database, "SELECT 1")  # the same type as the key that it refers to
    assert size == [(1,)]
    database.execute_sql("CREATE TABLE notes (agent VARCHAR(50), FOREIGN KEY (agent) REFERENCES agents (id))")
    before = content(database)
    with pytest.raises(MigrationError, match="column 'agent' of table 'notes' refers to 'agents'"):
        migrate(database)
    assert content(database) == before


def test_opening_names_the_command(database, sql_url, caplog):
    with caplog.at_level(logging.WARNING, logger="maimdb"):
        init_database(sql_url)
    close_database()
    assert [record.getMessage().endswith("run `maimdb migrate`") for record in caplog.records] == [True]


def test_an_upgrade_that_is_killed_at_any_statement_goes_on(database, sql_url, tmp_path):
    other = tmp_path / "expected.db"
    expected = open_database(config_from_url(f"sqlite:///{other}"))
    old_v2.build(expected)
    migrate(expected)
    chance, killed = random.Random(3), 0
    for _ in range(KILLS):
        fatal = chance.randint(1, 150), chance.choice(["before", "after", "during"])
        done = subprocess.run(
            [sys.executable, SCRIPT, sql_url, VERSIONS, str(max(load_versions(VERSIONS))), *map(str, fatal)],
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode in {0, -9}, done.stderr
        killed += done.returncode == -9
    assert killed
    migrate(database)
    with closing(expected), closing(database):
        tables = set(expected.get_tables())
        assert set(database.get_tables()) == tables
        for table in tables - {"maimdb_migrations"}:
            assert count(database, table) == count(expected, table)
        assert rows(database, "SELECT * FROM maimdb_set_aside ORDER BY table_name, row_key") == rows(
            expected, "SELECT * FROM maimdb_set_aside ORDER BY table_name, row_key"
        )
    expected.close_all()


def test_an_import_and_an_export_find_their_way_among_what_was_set_aside(database, sql_url, tmp_path):
    migrate(database)
    with written(tmp_path / "v1.db", V1) as file:
        control_plane(file)
    assert load(tmp_path / "v1.db", sql_url).balanced
    assert {"legacy_agents", "legacy_v2_tenants"} <= set(database.get_tables())
    report = export_tenant(database, "tenant_2", tmp_path / "export")
    assert report.tables["legacy_v2_tenants"] == 1
    assert old_v2.TENANT not in (tmp_path / "export").read_text()


def test_a_deleted_tenant_is_gone_from_what_was_set_aside(database, models):
    before = content(database)
    assert old_v2.TENANT in repr(before["maimdb_set_aside"])
    assert old_v2.AGENT in repr(before["legacy_v2_chat_history"])
    report = deletion.delete_tenant(old_v2.TENANT)
    assert {count.table: count.before for count in report.tables}["legacy_v2_chat_history"] == 2
    for table, held in content(models).items():
        if table != "audit_events":
            assert old_v2.TENANT not in repr(held), table
            if table != "api_keys":
                assert not {old_v2.AGENT} & {value for row in held for value in row}, table


@pytest.mark.backend("sqlite")
def test_a_row_that_is_written_meanwhile_is_not_dropped_with_the_old_table(database, monkeypatch):
    copy = _Adoption._copy

    def copy_and_write(self, table, owners):
        copy(self, table, owners)
        if table == "file_uploads":
            self._query_done("INSERT INTO maimdb_old_file_uploads (id) VALUES ('late')")

    monkeypatch.setattr(_Adoption, "_copy", copy_and_write)
    before = content(database)
    with pytest.raises(MigrationError, match="of 3 rows 1 were carried over and 1 set aside: stop"):
        migrate(database)
    assert content(database) == before
