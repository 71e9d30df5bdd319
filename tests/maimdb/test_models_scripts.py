"""The scripts about the V2 models: exit code 0 or 1, one line on failure."""

import os
import subprocess
import sys
from pathlib import Path

import peewee
import pytest
from maimdb import ALL_MODELS, Tenant, close_database, init_database

ROOT = Path(__file__).parents[2]
NAMES = ["create_v2_tables", "demo_v2_models", "migrate_to_v2_models"]
OLD_TENANTS = (
    "CREATE TABLE tenants "
    "(id VARCHAR(40) PRIMARY KEY, name VARCHAR(255), is_active INTEGER, max_users INTEGER)"
)


def run(name: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", ROOT / "scripts" / f"{name}.py"],
        cwd=directory,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_script_succeeds_and_succeeds_again(name, sql_url, tmp_path):
    for _ in range(2):
        done = run(name, tmp_path, DATABASE_URL=sql_url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", ["oracle://u:secret-word@h/n", "postgresql://u:secret-word@127.0.0.1:1/n"])
def test_script_fails_in_one_line(name, url, tmp_path):
    done = run(name, tmp_path, DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("failed: DATABASE_URL")
    assert done.stderr.count("\n") == 1
    assert "secret-word" not in done.stderr


def test_tables_are_created_where_they_are_missing(sql_url, tmp_path):
    first, second = (run("create_v2_tables", tmp_path, DATABASE_URL=sql_url).stdout for _ in range(2))
    assert first.count("created") == second.count("was there") == len(ALL_MODELS)


def test_demo_leaves_nothing(sql_url, tmp_path):
    assert "2 turns" in run("demo_v2_models", tmp_path, DATABASE_URL=sql_url).stdout
    init_database(sql_url)
    assert Tenant.select().count() == 0
    close_database()


def test_tables_of_the_first_version_are_left_alone_and_reported(sql_url, tmp_path):
    database = init_database(sql_url)
    database.execute_sql(OLD_TENANTS)
    database.execute_sql("INSERT INTO tenants VALUES ('1', 'old', 1, 10)")
    close_database()
    done = run("create_v2_tables", tmp_path, DATABASE_URL=sql_url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "first version" in done.stderr


def test_migration_says_what_it_would_do_with_a_first_version(tmp_path):
    database = peewee.SqliteDatabase(tmp_path / "old.db")
    with database:
        database.execute_sql(OLD_TENANTS)
        for table in ("users", "agents", "api_keys"):
            database.execute_sql(f"CREATE TABLE {table} (id TEXT PRIMARY KEY)")
        database.execute_sql("INSERT INTO tenants VALUES ('1', 'old', 1, 10)")
    done = run("migrate_to_v2_models", tmp_path, DATABASE_URL="sqlite:///old.db")
    assert done.returncode == 0
    assert "tenants: 1 rows would become Tenant" in done.stdout
    assert "nothing was changed" in done.stdout


def test_migration_says_what_it_would_do_with_a_bots_file(tmp_path):
    database = peewee.SqliteDatabase(tmp_path / "MaiBot.db")
    with database:
        database.execute_sql("CREATE TABLE chat_streams (stream_id TEXT)")
        database.execute_sql("CREATE TABLE messages (chat_info_stream_id TEXT)")
        database.execute_sql("INSERT INTO messages VALUES ('x'), ('y')")
    done = run("migrate_to_v2_models", tmp_path, DATABASE_URL="sqlite:///MaiBot.db")
    assert done.returncode == 0
    assert "messages: 2 rows would become ChatHistory" in done.stdout
