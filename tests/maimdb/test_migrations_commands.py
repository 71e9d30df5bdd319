"""`maimdb migrate` and `maimdb migrate status`."""

import json

import pytest
from maimdb import ALL_MODELS, close_database, init_database
from maimdb.cli.app import app, main
from maimdb.core.database import open_database
from maimdb.core.migrations import VERSIONS
from maimdb.core.migrations.history import TABLE, load_versions
from maimdb.core.models import AuditEvent, AuditHead
from maimdb.core.settings import config_from_url
from typer.testing import CliRunner

ALL = list(load_versions(VERSIONS).values())
LATEST = ALL[-1].number


@pytest.fixture
def run(sql_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", sql_url)

    def run(*arguments):
        result = CliRunner().invoke(app, ["migrate", *arguments])
        return result.exit_code, result.stdout

    return run


@pytest.fixture
def database(sql_url):
    database = open_database(config_from_url(sql_url))
    yield database
    database.close_all()


def test_the_schema_is_migrated_once(run, database):
    lines = [f"{each.number:>4}  {each.name}  pending\n" for each in ALL]
    assert run("status") == (1, "".join(lines))
    assert run() == (0, "".join(f"up {each}\n" for each in ALL))
    assert run() == (0, "nothing to do\n")
    code, output = run("status")
    assert (code, output[:22]) == (0, "   1  tables  applied ")
    code, output = run("status", "--json")
    assert (code, json.loads(output)[0]["state"]) == (0, "applied")
    assert run("--to", "0") == (0, "".join(f"down {each}\n" for each in reversed(ALL)))
    assert database.get_tables() == [TABLE]


def test_a_dry_run_prints_sql_that_can_be_run(run, database):
    code, output = run("--dry-run")
    assert code == 0
    assert output.startswith("-- up 1 (tables)\n")
    assert output.count("CREATE TABLE") == len(ALL_MODELS) + 1
    assert all(
        line.endswith((";", ",", "(", ")")) or line[:2] in {"--", "  "} for line in output.splitlines()
    )
    assert database.get_tables() == []


@pytest.mark.parametrize("arguments", [("--to", "77"), ("--to", "77", "--dry-run")])
def test_an_error_is_one_line(run, arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["maimdb", "migrate", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (1, "")
    assert captured.err == f"error: there is no version 77: use one from 0 to {LATEST}\n"


def test_the_models_work_on_what_was_migrated(run, sql_url):
    run()
    init_database(sql_url)
    for model in ALL_MODELS:
        if model not in {AuditEvent, AuditHead}:  # what this process has crossed before stands there
            assert model.select().count() == 0
    close_database()
