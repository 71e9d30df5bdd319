"""`maimdb import-legacy`: a plan, a question, an import and its proof."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from maimdb import ChatHistory, Tenant, close_database, init_database, system_scope
from maimdb.cli.app import app, main
from typer.testing import CliRunner

from tests.maimdb.legacy_files import NEW, V1, control_plane, modern, plain, written


@pytest.fixture
def bot_file(tmp_path):
    path = tmp_path / "MaiBot.db"
    with written(path, NEW) as database:
        plain(database)
        modern(database)
    return path


@pytest.fixture
def run(sqlite_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        result = CliRunner().invoke(app, ["import-legacy", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout

    return run


ROOT = Path(__file__).parents[2]
NAMED = ("--tenant", "me", "--agent", "bot")


def test_the_plan_comes_first_and_a_dry_run_ends_there(run, bot_file, sqlite_url):
    code, output = run(bot_file, *NAMED, "--dry-run")
    assert code == 0
    assert "is of MaiBot 0.12" in output
    assert "none named, so every message counts as a user's" in output
    assert "messages" in output
    assert output.endswith("nothing was changed\n")
    assert init_database(sqlite_url).get_tables() == []
    close_database()


def test_an_import_prints_its_proof_and_a_second_one_says_so(run, bot_file):
    given = (bot_file, *NAMED, "--bot-account", "10001", "--timezone", "Asia/Shanghai", "--yes")
    code, output = run(*given)
    assert (code, output.splitlines()[-1]) == (0, "balanced")
    assert "tokens 210, cost 27.14285714" in output
    code, output = run(*given)
    assert code == 0
    assert "imported before; nothing was changed" in output


def test_json_holds_plan_and_reconciliation(run, bot_file):
    code, output = run(bot_file, *NAMED, "--yes", "--json")
    facts = json.loads(output)
    assert (code, facts["balanced"], facts["fresh"]) == (0, True, True)
    assert {"table": "messages", "rows": 20, "goes_to": "ChatHistory, by time and id"} in facts["plan"]
    (messages,) = [each for each in facts["reconciliation"] if each["table"] == "messages"]
    assert (messages["rows_in"], messages["rows_out"], messages["balanced"]) == (20, 20, True)


def test_a_file_of_the_first_version_needs_no_names(run, tmp_path, sqlite_url):
    with written(tmp_path / "v1.db", V1) as database:
        control_plane(database, 1, 1)
    assert run(tmp_path / "v1.db", "--yes")[0] == 0
    init_database(sqlite_url)
    assert Tenant.select().count() == 2
    close_database()


def test_what_does_not_balance_exits_1(run, bot_file, sqlite_url):
    run(bot_file, *NAMED, "--yes")
    database = init_database(sqlite_url)
    with system_scope(reason="test"):
        database.execute_sql("UPDATE legacy_imports SET finished_at = NULL")
        ChatHistory.delete().where(ChatHistory.user_id == "u1").execute()
    close_database()
    code, output = run(bot_file, *NAMED, "--yes")
    assert (code, output.splitlines()[-1]) == (1, "NOT balanced: see above")
    assert "text bytes" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("MaiBot.db", "--yes"), "name whose it becomes with --tenant NAME --agent NAME"),
        (("MaiBot.db", *NAMED), "pass --yes"),
        (("MaiBot.db", *NAMED, "--timezone", "Mars/North", "--yes"), "--timezone 'Mars/North' is unknown"),
        (("MaiBot.db", "--tenant", "x" * 101, "--agent", "a", "--yes"), "is no name"),
        (("none.db", *NAMED), "there is no file none.db"),
        (("test.db", *NAMED), "is the configured database itself"),
    ],
)
def test_an_error_is_one_line(bot_file, sqlite_url, arguments, said, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.chdir(bot_file.parent)
    monkeypatch.setattr("sys.argv", ["maimdb", "import-legacy", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    assert ended.value.code == 1
    assert captured.err.startswith("error: ")
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_the_script_does_the_same_and_without_a_file_changes_nothing(bot_file, sqlite_url):
    def script(url, *arguments):
        return subprocess.run(
            [sys.executable, "-W", "error", ROOT / "scripts/migrate_to_v2_models.py", *arguments],
            env=os.environ | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    before = bot_file.read_bytes()
    looked = script(f"sqlite:///{bot_file}")
    assert (looked.returncode, looked.stderr) == (0, "")
    assert "messages: 20 rows would become ChatHistory" in looked.stdout
    assert "maimdb import-legacy" in looked.stdout
    assert bot_file.read_bytes() == before
    done = script(sqlite_url, bot_file, *NAMED, "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "balanced"), done.stderr
