"""The versions of the schema: each is applied once, whole, and can be taken back."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import peewee
import pytest
from maimdb import ALL_MODELS, ChatHistory, Tenant, close_database, init_database, system_scope, tenant_scope
from maimdb.core.database import database_proxy
from maimdb.core.errors import MigrationError
from maimdb.core.migrations import VERSIONS, migrate, migration_status
from maimdb.core.migrations.history import load_versions

from tests import backends
from tests.maimdb.schema_facts import STATE, schema_facts

LATER = Path(__file__).with_name("versions")


@pytest.fixture
def folder(tmp_path):
    """The first of the real versions and two more."""
    folder = tmp_path / "versions"
    shutil.copytree(LATER, folder)
    shutil.copy(VERSIONS / "v0001_tables.py", folder)
    return folder


@pytest.fixture
def database(sql_url):
    yield init_database(sql_url)
    close_database()


def rows(database, sql):
    with system_scope(reason="test"):
        return [tuple(row) for row in database.execute_sql(sql).fetchall()]


def states(database, folder=VERSIONS):
    return [each.state for each in migration_status(database, folder=folder)]


def write(folder, number, up, down="pass"):
    path = folder / f"v{number:04}_test.py"
    path.write_text(f"def up(schema):\n    {up}\n\n\ndef down(schema):\n    {down}\n")
    return path


def test_a_migrated_schema_is_the_one_that_the_models_make(database):
    database.create_tables(ALL_MODELS)
    made = schema_facts(database)
    database.drop_tables(ALL_MODELS)
    assert migrate(database) == [f"up {version}" for version in load_versions(VERSIONS).values()]
    assert schema_facts(database) == made
    assert set(states(database)) == {"applied"}
    assert migrate(database) == []


def test_what_the_models_made_at_once_is_at_the_latest_version(database):
    database.create_tables(ALL_MODELS)
    assert set(states(database)) == {"applied"}
    assert migrate(database) == []
    database.create_tables(ALL_MODELS)
    assert migrate(database) == []


def test_tables_that_the_models_made_one_by_one_are_taken_over(database):
    for model in ALL_MODELS[:3]:
        database.create_tables([model])
    database.create_tables(ALL_MODELS[3:])
    made = schema_facts(database)
    Tenant.create(tenant_name="One")
    assert set(states(database)) == {"pending"}
    assert migrate(database) == [f"up {version}" for version in load_versions(VERSIONS).values()]
    assert schema_facts(database) == made
    assert Tenant.select().count() == 1


def test_some_of_the_tables_are_completed(database):
    database.create_tables(ALL_MODELS[:2])
    migrate(database)
    migrated = schema_facts(database)
    database.drop_tables(ALL_MODELS)
    database.create_tables(ALL_MODELS)
    assert schema_facts(database) == migrated


def test_an_application_s_own_tables_are_not_taken_for_the_schema(database):
    class Note(peewee.Model):
        class Meta:
            database = database_proxy

    database.create_tables([Note])
    assert STATE not in database.get_tables()
    database.create_tables([Note, *ALL_MODELS])
    assert set(states(database)) == {"applied"}
    database.drop_tables([Note])
    assert set(states(database)) == {"applied"}
    database.drop_tables(ALL_MODELS)
    assert set(states(database)) == {"pending"}


def test_a_table_of_another_program_is_refused(database):
    database.execute_sql("CREATE TABLE tenants (id INTEGER, name VARCHAR(20))")
    with pytest.raises(
        MigrationError, match=r"version 1 \(tables\) cannot be applied: table 'tenants' exists with"
    ):
        migrate(database)
    assert rows(database, "SELECT * FROM tenants") == []


def test_down_and_up_again_gives_the_same_schema(database, folder):
    assert migrate(database, to=1, folder=folder) == ["up 1 (tables)"]
    first = schema_facts(database)
    assert len(migrate(database, folder=folder)) == 2
    last = schema_facts(database)
    assert migrate(database, to=1, folder=folder) == ["down 3 (ledgers)", "down 2 (plans)"]
    assert schema_facts(database) == first
    migrate(database, folder=folder)
    assert schema_facts(database) == last
    migrate(database, to=0, folder=folder)
    assert schema_facts(database) == {}


def test_rows_are_kept_up_and_down(database, folder):
    migrate(database, to=1, folder=folder)
    tenant = Tenant.create(tenant_name="One 100%", description="d")
    with tenant_scope(tenant.id):
        ChatHistory.create(session_id="s", user_message="m", agent_response="r")
    before = rows(database, "SELECT * FROM tenants"), rows(database, "SELECT * FROM chat_history")
    migrate(database, folder=folder)
    assert rows(database, "SELECT plan, chairs, description FROM tenants") == [("it's 100% free", None, "d")]
    assert rows(database, "SELECT n, note FROM ledgers") == [(1, "it's 100% done")]
    migrate(database, to=1, folder=folder)
    assert before == (rows(database, "SELECT * FROM tenants"), rows(database, "SELECT * FROM chat_history"))


def test_a_table_with_rows_is_not_dropped(database, folder):
    migrate(database, to=1, folder=folder)
    Tenant.create(tenant_name="One")
    before = schema_facts(database)
    with pytest.raises(MigrationError, match=r"'tenants' holds rows: move .* \(nothing was changed\)"):
        migrate(database, to=0, folder=folder)
    assert schema_facts(database) == before
    assert Tenant.select().count() == 1
    assert states(database, folder) == ["applied", "pending", "pending"]


def test_a_changed_file_that_was_applied_is_named(database, folder):
    migrate(database, folder=folder)
    path = folder / "v0002_plans.py"
    path.write_text(path.read_text() + "# edited\n")
    with pytest.raises(MigrationError, match=r"v0002_plans\.py was changed after it was applied"):
        migrate(database, folder=folder)
    assert states(database, folder) == ["applied", "changed", "applied"]


def test_line_ends_are_no_change(database, folder):
    migrate(database, folder=folder)
    path = folder / "v0002_plans.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(database, folder=folder) == []


def test_a_schema_newer_than_the_code_is_refused(database, tmp_path):
    latest = max(load_versions(VERSIONS))
    newer = shutil.copytree(VERSIONS, tmp_path / "newer")
    write(newer, 9000, "schema.create_table('extra', 'n INTEGER')")
    migrate(database, folder=newer)
    before = schema_facts(database)
    for to in (None, 0):
        with pytest.raises(
            MigrationError, match=f"at version 9000, newer than {latest}, the latest of this maimdb"
        ):
            migrate(database, to=to)
    assert schema_facts(database) == before
    assert states(database) == ["applied"] * latest + ["unknown"]


def test_a_version_whose_file_is_missing_is_named(database, folder):
    migrate(database, folder=folder)
    (folder / "v0002_plans.py").unlink()
    with pytest.raises(MigrationError, match=r"version 2 \(plans\) is applied and its file is missing"):
        migrate(database, folder=folder)


def test_an_unknown_version_and_a_misnamed_file_are_errors(database, folder):
    with pytest.raises(MigrationError, match="no version 9: use one from 0 to 3"):
        migrate(database, to=9, folder=folder)
    (folder / "v3_again.py").write_text("")
    with pytest.raises(MigrationError, match="is no version: name it"):
        migrate(database, folder=folder)


def test_a_transaction_that_is_open_is_refused(database):
    with database.atomic(), pytest.raises(MigrationError, match="inside a transaction"):
        migrate(database)


def test_a_change_that_fails_is_made_good_later(database, folder):
    write(
        folder,
        4,
        "schema.execute('INSERT INTO ledgers (n, note) VALUES (2, 3)')\n"
        "    schema.add_constraint('ledgers', 'few', 'CHECK (n < 5)')",
    )
    migrate(database, to=3, folder=folder)
    database.execute_sql("INSERT INTO ledgers (n, note) VALUES (7, '3')")
    state = "1 steps stay done" if database.config.engine == "mysql" else "nothing was changed"
    with pytest.raises(MigrationError, match=rf"version 4 \(test\) cannot be applied: .*\({state}\)"):
        migrate(database, folder=folder)
    assert states(database, folder)[3] == ("half done" if database.config.engine == "mysql" else "pending")
    database.execute_sql("DELETE FROM ledgers WHERE n = 7")
    assert migrate(database, folder=folder) == ["up 4 (test)"]
    assert rows(database, "SELECT n FROM ledgers ORDER BY n") == [(1,), (2,)]


def test_a_version_that_fails_can_be_corrected_and_taken_back(database, folder):
    path = write(
        folder,
        4,
        "schema.add_column('ledgers', 'x', 'INTEGER')\n    schema.execute('nonsense')",
        "schema.drop_column('ledgers', 'x')",
    )
    migrate(database, to=3, folder=folder)
    before = schema_facts(database)
    with pytest.raises(MigrationError, match="version 4"):
        migrate(database, folder=folder)
    path.write_text(path.read_text().replace("    schema.execute('nonsense')\n", ""))
    half = ["up 4 (test)", "down 4 (test)"] if database.config.engine == "mysql" else []
    assert migrate(database, to=3, folder=folder) == half
    assert schema_facts(database) == before
    assert states(database, folder)[3] == "pending"


def run_script(url, statements):
    """Run SQL as an administrator would, with nothing of MaimDB's."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(";\n".join(statements))
        return
    backend = backends.POSTGRESQL if url.startswith("postgresql") else backends.MYSQL
    with closing(backend.connect(url)) as connection:
        for statement in statements:
            if not statement.startswith("--"):
                connection.cursor().execute(statement)


@pytest.mark.parametrize("start", [0, 2])
def test_a_dry_run_prints_what_a_run_would_execute_and_changes_nothing(database, sql_url, folder, start):
    migrate(database, folder=folder)
    wanted = schema_facts(database)
    migrate(database, to=start, folder=folder)
    before, marks = schema_facts(database), states(database, folder)

    up = migrate(database, dry_run=True, folder=folder)

    assert (schema_facts(database), states(database, folder)) == (before, marks)
    assert [line for line in up if line.startswith("--")][-1] == "-- up 3 (ledgers)"
    database.close()
    run_script(sql_url, up)
    assert schema_facts(database) == wanted
    assert migrate(database, folder=folder) == []

    down = migrate(database, to=start, dry_run=True, folder=folder)
    assert schema_facts(database) == wanted
    database.close()
    run_script(sql_url, down)
    assert schema_facts(database) == before
    assert states(database, folder) == marks


def test_a_dry_run_on_an_empty_database_leaves_it_empty(database, folder):
    assert migrate(database, dry_run=True, folder=folder)
    assert STATE not in database.get_tables()
    assert migrate(database, to=0, dry_run=True, folder=folder) == []


@pytest.mark.backend("sqlite")
def test_sqlite_keeps_what_a_rebuild_could_lose(database, folder):
    create = (
        'CREATE TABLE "strange [things]" (\n'
        "  id INTEGER PRIMARY KEY AUTOINCREMENT, -- a comment, with NOT NULL\n"
        "  a TEXT NOT NULL DEFAULT 'NOT NULL, (' CHECK (a <> 'x,y'), /* and , this */\n"
        "  b ANY NOT NULL ON CONFLICT IGNORE,\n"
        "  c TEXT GENERATED ALWAYS AS (upper(a)) STORED,\n"
        '  CONSTRAINT "odd, name" CHECK (a IS NOT 1)\n'
        ") STRICT"
    )
    for sql in (
        create,
        "CREATE TABLE log (n INTEGER)",
        'CREATE INDEX part ON "strange [things]" (a DESC) WHERE b IS NOT NULL',
        'CREATE TRIGGER t1 AFTER INSERT ON "strange [things]" BEGIN INSERT INTO log VALUES (new.id); END',
        'CREATE TRIGGER t2 AFTER DELETE ON log BEGIN DELETE FROM "strange [things]"; END',
        'CREATE VIEW v AS SELECT a FROM "strange [things]"',
        'CREATE TABLE child (id INTEGER REFERENCES "strange [things]" (id) ON DELETE CASCADE)',
        "INSERT INTO \"strange [things]\" (id, a, b) VALUES (40, 'kept', 1), (50, 'gone', 2)",
        'DELETE FROM "strange [things]" WHERE id = 50',
        "INSERT INTO child VALUES (40)",
    ):
        database.execute_sql(sql)
    before = schema_facts(database)
    write(
        folder,
        1,
        "schema.set_null('strange [things]', 'a', null=True)\n"
        "    schema.add_constraint('strange [things]', 'more', 'CHECK (id > 0)')",
        "schema.drop_constraint('strange [things]', 'more')\n"
        "    schema.set_null('strange [things]', 'a', null=False)",
    )
    for path in folder.glob("v*_[!t]*.py"):
        path.unlink()
    (folder / "v0001_tables.py").unlink()

    migrate(database, folder=folder)
    database.execute_sql('INSERT INTO "strange [things]" (a, b) VALUES (NULL, 3)')
    with pytest.raises(Exception, match="CHECK constraint failed: more"):
        database.execute_sql('INSERT INTO "strange [things]" (id, b) VALUES (-1, 3)')
    database.execute_sql('DELETE FROM "strange [things]" WHERE a IS NULL')
    assert rows(database, "SELECT n FROM log") == [(40,), (50,), (51,)]
    assert rows(database, "SELECT * FROM child") == [(40,)]
    migrate(database, to=0, folder=folder)

    assert schema_facts(database) == before
    assert rows(database, "SELECT a FROM v") == [("kept",)]
    assert rows(database, "PRAGMA foreign_keys") == [(1,)]
    assert rows(database, "PRAGMA legacy_alter_table") == [(0,)]
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.backend("mysql")
def test_mysql_keeps_defaults_checks_comments_and_triggers(database, folder):
    database.execute_sql(
        "CREATE TABLE t (a VARCHAR(99) CHARACTER SET latin1 NOT NULL DEFAULT 'DEFAULT NULL, NOT NULL' "
        "COMMENT 'it''s NOT NULL \\\\', b INT NULL DEFAULT 7 CHECK (b > 0), CONSTRAINT c CHECK (a <> 'x'))"
    )
    database.execute_sql("CREATE TRIGGER watch BEFORE INSERT ON t FOR EACH ROW SET NEW.b = NEW.b + 1")
    before = schema_facts(database)
    change = "schema.set_null('t', 'a', null={0})\n    schema.set_null('t', 'b', null=not {0})"
    for path in folder.glob("v*.py"):
        path.unlink()
    write(folder, 1, change.format("True"), change.format("False"))
    migrate(database, folder=folder)
    database.execute_sql("INSERT INTO t () VALUES ()")
    assert rows(database, "SELECT a, b FROM t") == [("DEFAULT NULL, NOT NULL", 8)]
    migrate(database, to=0, folder=folder)
    assert schema_facts(database) == before
