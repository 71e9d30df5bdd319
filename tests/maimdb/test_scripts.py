import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
NAMES = ["simple_sqlite_test", "test_database_connection", "test_sqlite_startup"]


def run(name: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py"],
        cwd=directory,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_script_succeeds_with_nothing_configured_and_again(name, tmp_path):
    for _ in range(2):
        done = run(name, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
    assert (tmp_path / "data" / "MaiBot.db").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_script_leaves_nothing_in_the_database(name, tmp_path):
    run(name, tmp_path)
    before = dump(tmp_path / "data" / "MaiBot.db")
    run(name, tmp_path)
    assert before == dump(tmp_path / "data" / "MaiBot.db") == ["BEGIN TRANSACTION;", "COMMIT;"]


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "url", ["oracle://u:secret-word@h/n", "postgresql://u:secret-word@127.0.0.1:1/n", "sqlite:///file/bot.db"]
)
def test_script_fails_in_one_line(name, url, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(name, tmp_path, DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("failed: DATABASE_URL")
    assert done.stderr.count("\n") == 1
    assert "secret-word" not in done.stderr


def test_connection_is_tested_on_the_configured_database(sql_url, tmp_path):
    done = run("test_database_connection", tmp_path, DATABASE_URL=sql_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("connected: ")
    assert not (tmp_path / "data").exists()
