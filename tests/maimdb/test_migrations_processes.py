"""Migrations by processes of their own: killed at any statement, and many at once."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from maimdb.core.database import open_database
from maimdb.core.migrations import VERSIONS, migrate, migration_status
from maimdb.core.scope import system_scope
from maimdb.core.settings import config_from_url

from tests.maimdb.schema_facts import schema_facts

KILLS = int(os.environ.get("MAIMDB_MIGRATION_KILLS", "2"))
SEED = int(os.environ.get("MAIMDB_MIGRATION_SEED", "1"))
SCRIPT = Path(__file__).with_name("migrate_once.py")
KILLED = -9


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "versions"
    shutil.copytree(SCRIPT.with_name("versions"), folder)
    shutil.copy(VERSIONS / "v0001_tables.py", folder)
    return folder


@pytest.fixture
def database(sql_url):
    database = open_database(config_from_url(sql_url))
    yield database
    database.close_all()


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def ledger(database):
    with system_scope(reason="test"):
        return [tuple(row) for row in database.execute_sql("SELECT n, note FROM ledgers").fetchall()]


def test_a_run_that_is_killed_at_any_statement_goes_on(database, sql_url, folder):
    migrate(database, to=1, folder=folder)
    first = schema_facts(database)
    migrate(database, folder=folder)
    last, lines = schema_facts(database), ledger(database)
    migrate(database, to=0, folder=folder)
    database.close()

    chance, kills = random.Random(SEED), 0
    hops = [(3, 450), (1, 120), (3, 150), (0, 150)]  # where to, and about as many statements
    while kills < KILLS:
        to, statements = hops[0]
        fatal = chance.randint(1, statements), chance.choice(["before", "after", "during"])
        code, output = finish(start(sql_url, folder, to, *fatal))
        assert code in {0, KILLED}, output
        kills += code == KILLED
        if code == 0:
            assert schema_facts(database) == {0: {}, 1: first, 3: last}[to]
            assert to != 3 or ledger(database) == lines
            database.close()
            hops.append(hops.pop(0))
    code, output = finish(start(sql_url, folder, 3))
    assert code == 0, output
    assert schema_facts(database) == last
    assert ledger(database) == lines
    assert {each.state for each in migration_status(database, folder=folder)} == {"applied"}
    code, output = finish(start(sql_url, folder, 0))
    assert (code, schema_facts(database)) == (0, {}), output


def test_ten_processes_at_once_apply_each_version_once(database, sql_url, folder):
    code, output = finish(start(10, sql_url, folder, 3))
    lines = output.splitlines()
    assert (code, len(lines)) == (0, 13), output
    done = [line for line in lines if line.startswith("up ")]
    assert sorted(done) == ["up 1 (tables)", "up 2 (plans)", "up 3 (ledgers)"]
    assert ledger(database) == [(1, "it's 100% done")]
    assert migrate(database, folder=folder) == []
