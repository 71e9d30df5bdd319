"""What a database's history says when it is opened: too new, half done, too old, or nothing."""

import logging

import pytest
from maimdb import ALL_MODELS, close_database, get_database, init_database, system_scope
from maimdb.core.database import open_database
from maimdb.core.errors import SchemaVersionError
from maimdb.core.migrations import VERSIONS, migrate
from maimdb.core.migrations.history import load_versions
from maimdb.core.settings import config_from_url

LATEST = max(load_versions(VERSIONS))


@pytest.fixture
def database(sql_url):
    """A migrated database, past the opening."""
    database = open_database(config_from_url(sql_url))
    migrate(database)
    yield database
    database.close_all()
    close_database()


def write(database, sql):
    with system_scope(reason="test"):
        database.execute_sql(sql)
    database.close()


def test_a_schema_newer_than_the_code_is_refused(database, sql_url, monkeypatch):
    write(database, f"INSERT INTO maimdb_migrations VALUES ({LATEST + 5}, 'n', 'c', NULL, 1, 'now')")
    monkeypatch.setenv("DATABASE_URL", sql_url)
    for open_ in (lambda: init_database(sql_url), get_database):
        with pytest.raises(SchemaVersionError) as caught:
            open_()
        message = str(caught.value)
        assert (
            f"is at version {LATEST + 5}, and this maimdb knows versions up to {LATEST}: upgrade" in message
        )
        assert (caught.value.version, caught.value.latest) == (LATEST + 5, LATEST)
        assert "\n" not in message


def test_a_half_done_version_is_refused_with_the_command_that_goes_on(database, sql_url):
    write(database, f"UPDATE maimdb_migrations SET direction = 'up' WHERE version = {LATEST}")
    with pytest.raises(
        SchemaVersionError, match=rf"version {LATEST} .* is half done .*: run `maimdb migrate`"
    ):
        init_database(sql_url)
    migrate(database)
    database.close()
    init_database(sql_url)


def test_an_older_schema_is_opened_with_a_warning(database, sql_url, caplog):
    migrate(database, to=LATEST - 1)
    database.close()
    with caplog.at_level(logging.WARNING, logger="maimdb"):
        init_database(sql_url)
    assert [r.getMessage().partition(" lacks ")[2] for r in caplog.records if "lacks" in r.getMessage()] == [
        f"version {LATEST}: run `maimdb migrate`"
    ]


def test_a_schema_that_fits_is_opened_in_silence_with_one_query(database, sql_url, caplog):
    seen = []
    with caplog.at_level(logging.DEBUG, logger="peewee"):
        init_database(sql_url)
    seen = [record.getMessage() for record in caplog.records if record.name == "peewee"]
    assert len(seen) == 1, seen
    assert "maimdb_migrations" in seen[0]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("fill", [lambda _: None, lambda d: d.execute_sql("CREATE TABLE notes (id INTEGER)")])
def test_a_database_without_the_tables_is_opened_in_silence(sql_url, fill, caplog):
    database = open_database(config_from_url(sql_url))
    fill(database)
    database.close_all()
    with caplog.at_level(logging.WARNING):
        opened = init_database(sql_url)
    assert caplog.records == []
    opened.create_tables(ALL_MODELS)
    close_database()
    with caplog.at_level(logging.WARNING):
        init_database(sql_url)
    close_database()
    assert caplog.records == []
