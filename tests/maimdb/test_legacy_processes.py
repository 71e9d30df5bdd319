"""Imports that are killed at any statement, or stopped from the keyboard, go on and end as others do."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from maimdb import (
    Agent,
    ChatHistory,
    ChatLogs,
    Tenant,
    UserSession,
    close_database,
    init_database,
    tenant_scope,
)

from tests.maimdb.legacy_files import NEW, modern, plain, written

KILLS = int(os.environ.get("MAIMDB_KILLS", "2"))
SEED = int(os.environ.get("MAIMDB_KILL_SEED", "1"))
SCRIPT = Path(__file__).with_name("legacy_once.py")
KILLED = -9
ROWS = 20
STATEMENTS = 170
"""About as many as an import of them takes."""


def run(*arguments):
    done = subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_an_import_that_is_killed_at_any_statement_goes_on(sql_url, tmp_path):
    file = tmp_path / "MaiBot.db"
    with written(file, NEW) as database:
        plain(database, ROWS)
        modern(database)
    chance, kills, agents = random.Random(SEED), 0, 0
    while kills < KILLS:
        code = KILLED
        while code == KILLED:
            fatal = chance.randint(1, STATEMENTS) if kills < KILLS else 0
            code, output, said = run(file, sql_url, f"bot{agents}", fatal, chance.choice(["before", "after"]))
            assert code in {0, KILLED}, said
            kills += code == KILLED
        assert output.endswith(" True"), said
        agents += 1
    init_database(sql_url)
    try:
        with tenant_scope(Tenant.get().id):
            assert Agent.select().count() == agents
            for agent in Agent.select():
                rows = [
                    model.select().where(model.agent_id == agent.id).count()
                    for model in (ChatHistory, ChatLogs, UserSession)
                ]
                assert rows == [ROWS, ROWS + 5, 4]
    finally:
        close_database()


def test_control_c_is_one_line_and_the_same_command_goes_on(sqlite_url, tmp_path):
    file = tmp_path / "MaiBot.db"
    with written(file, NEW) as database:
        plain(database, 6000)
    command = [
        sys.executable,
        "-m",
        "maimdb",
        "import-legacy",
        file,
        "--tenant",
        "me",
        "--agent",
        "bot",
        "--yes",
    ]
    command[1:3] = ["-c", "from maimdb.cli import main; main()"]
    environment = os.environ | {"DATABASE_URL": sqlite_url}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr.readline().startswith("chat_streams: 3 of 3 rows")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    *lines, last = said.splitlines()
    assert (process.returncode, last) == (
        130,
        "stopped: what was imported stays, and the same command goes on",
    )
    assert all(" rows" in line for line in lines)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("balanced\n")
