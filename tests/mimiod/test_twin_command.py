"""`mimiod twin`: from a source to a database that is filled, and a report of how near it is."""

import json

import bson
import pymongo
import pytest
from mimiod.cli.app import app
from mimiod.cli.twin import with_database
from mimiod.errors import DatabaseInUseError, ProjectError, ServerUnavailableError, SourceError
from typer.testing import CliRunner

from tests.mimiod.twins import forget, loaded, shop

WRITTEN = {
    "inspection.json", "brief.md", "db_schema.py", "seed_db.py", "twin.json", "twin.md", "twin_report.json",
    "tech_design.md", "main.py", "README.md",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _forget_projects():
    yield
    forget()


@pytest.fixture
def dump(tmp_path, monkeypatch):
    """A folder of dumps, in a home for projects."""
    (tmp_path / "projects").mkdir()
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "dump"
    folder.mkdir()
    for name, held in shop(100, 600).items():
        (folder / f"{name}.bson").write_bytes(b"".join(map(bson.encode, held)))
    return folder


def command(*arguments):
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_twin_is_filled_measured_and_reported(dump, tmp_path, mongodb):
    result = command("twin", dump, "--name", mongodb.database, "--to", mongodb.uri)

    assert result.exit_code == 0, result.output
    folder = tmp_path / "projects" / mongodb.database
    assert {file.name for file in folder.iterdir() if file.is_file()} == WRITTEN
    with pymongo.MongoClient(mongodb.uri) as client:
        counts = {
            name: client[mongodb.database][name].count_documents({}) for name in ("customers", "orders")
        }
    assert counts == {"customers": 100, "orders": 600}
    report = json.loads((folder / "twin_report.json").read_text())
    assert report["collections"]["orders"] == {"source": 600, "twin": 600}
    distances = [each["distance"] for each in report["distances"]]
    assert len(distances) > 30
    assert distances == sorted(distances, reverse=True)
    assert result.output.splitlines()[-1].startswith(f"{mongodb.database}: ")
    assert f"the greatest is {distances[0]:.3f}" in result.output
    page = (folder / "twin.md").read_text()
    assert all(f"`{each['collection']}.{each['field']}`" in page for each in report["distances"])
    assert loaded(folder).schema.database_name == mongodb.database


def test_the_report_is_json_if_it_is_asked_for(dump, mongodb):
    arguments = (
        "--name",
        mongodb.database,
        "--to",
        mongodb.uri,
        "--documents",
        300,
        "--sample",
        500,
        "--json",
    )
    result = command("twin", dump, *arguments)

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["database"] == mongodb.database
    assert sum(each["twin"] for each in told["collections"].values()) == pytest.approx(300, abs=4)


def test_a_twin_is_not_written_over_its_source(tmp_path, monkeypatch, mongodb):
    monkeypatch.chdir(tmp_path)
    source = with_database(mongodb.uri, mongodb.database)
    with pytest.raises(ProjectError, match=f"give another --name, as {mongodb.database}_twin"):
        command("twin", source, "--name", mongodb.database, "--to", mongodb.uri)


def test_what_is_asked_for_wrongly_is_a_line_and_makes_nothing(dump, tmp_path):
    for arguments, error, words in (
        (("--name", "No Name"), ProjectError, "is no name for a project"),
        (("--name", "dump"), ProjectError, "exists: give another --name"),
    ):
        (tmp_path / "projects" / "dump").mkdir(exist_ok=True)
        with pytest.raises(error, match=words):
            command("twin", dump, *arguments)
    with pytest.raises(SourceError, match="is no folder"):
        command("twin", tmp_path / "nowhere", "--name", "some")
    with pytest.raises(SourceError, match=r"'shop\.sql' has no rows to measure"):
        command("twin", "shop.sql", "--name", "some")
    for options in (("--scale", "0"), ("--scale", "2", "--documents", "5"), ("-k", "1")):
        assert command("twin", dump, "--name", "some", *options).exit_code == 2
    assert not (tmp_path / "projects" / "some").exists()


def test_a_database_is_named_beside_who_logs_in_where():
    assert with_database("mongodb://localhost:27017", "shop") == "mongodb://localhost:27017/shop"
    assert (
        with_database("mongodb://me:word@one,two/admin?tls=true", "a b")
        == "mongodb://me:word@one,two/a%20b?tls=true&authSource=admin"
    )
    assert (
        with_database("mongodb://me:word@one/admin?authSource=x", "b")
        == "mongodb://me:word@one/b?authSource=x"
    )
    assert with_database("mongodb://me:word@one/", "b") == "mongodb://me:word@one/b"


def test_a_run_that_fails_leaves_no_project(dump, tmp_path, mongodb):
    with pymongo.MongoClient(mongodb.uri) as client:
        client[mongodb.database]["orders"].insert_one({"somebody": "else's"})
    with pytest.raises(DatabaseInUseError):
        command("twin", dump, "--name", mongodb.database, "--to", mongodb.uri)
    assert list((tmp_path / "projects").iterdir()) == []
    with pytest.raises(ServerUnavailableError):
        command(
            "twin", dump, "--name", "other", "--to", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"
        )
    assert list((tmp_path / "projects").iterdir()) == []
