"""A file is known by its columns, and what cannot be imported is called what it is."""

import gzip
import sqlite3
from contextlib import closing

import pytest
from maimdb import ALL_MODELS, close_database, init_database
from maimdb.core.errors import LegacyImportError
from maimdb.core.legacy import open_source
from maimdb.core.legacy.detection import detect

from tests.maimdb.legacy_files import NEW, OLD, V1, insert, message, plain, written


def seen(path):
    with open_source(path) as source:
        return detect(source).label


def statements(path, *sql):
    with closing(sqlite3.connect(path)) as database:
        for each in sql:
            database.execute(each)
        database.commit()
    return path


@pytest.mark.parametrize(
    ("name", "label"),
    [(OLD, "MaiBot 0.7"), (NEW, "MaiBot 0.12"), (V1, "MaimDB's first control plane")],
)
def test_versions_are_known_by_their_columns(tmp_path, name, label):
    with written(tmp_path / "f.db", name):
        pass
    assert seen(tmp_path / "f.db") == label


def test_a_file_upgraded_in_place_and_one_between_are_told(tmp_path):
    with written(tmp_path / "upgraded.db", OLD) as database:
        database.execute("ALTER TABLE messages ADD COLUMN is_emoji INTEGER")
    with written(tmp_path / "between.db", NEW) as database:
        database.execute("ALTER TABLE messages DROP COLUMN selected_expressions")
    assert seen(tmp_path / "upgraded.db") == "MaiBot, upgraded in place"
    assert seen(tmp_path / "between.db") == "MaiBot between 0.7 and 0.12"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x8f\x01" * 2000, "encrypted, damaged or of another program"),
        (b'{"messages": []}', "a JSON text"),
        (gzip.compress(b"x", mtime=0), "a gzip archive: unpack it first"),
        (b"PRAGMA foreign_keys=OFF;\nBEGIN;", "an SQL text"),
    ],
)
def test_what_is_no_database_is_called_what_it_is(tmp_path, content, said):
    path = tmp_path / "f.db"
    path.write_bytes(content)
    with pytest.raises(LegacyImportError, match=said):
        seen(path)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE mai_messages (id, messages)", "MaiBot 1.0 or later"),
        ("CREATE TABLE notes (id)", "neither MaiBot 0.7 to 0.12 nor .*: notes"),
        ("PRAGMA user_version = 3", "without tables"),
    ],
)
def test_another_programs_database_is_refused_with_what_was_seen(tmp_path, sql, said):
    with pytest.raises(LegacyImportError, match=said):
        seen(statements(tmp_path / "f.db", sql))


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(LegacyImportError, match="there is no file"):
        seen(tmp_path / "none.db")
    with pytest.raises(LegacyImportError, match="is a folder"):
        seen(tmp_path)


def test_a_database_of_v2_is_told(tmp_path):
    init_database(f"sqlite:///{tmp_path}/v2.db").create_tables(ALL_MODELS)
    close_database()
    with pytest.raises(LegacyImportError, match="V2 database already"):
        seen(tmp_path / "v2.db")


def test_a_damaged_file_is_told_wherever_it_is_damaged(tmp_path):
    path = tmp_path / "f.db"
    with written(path, NEW) as database:
        plain(database, 300)
    whole = path.read_bytes()
    page, middle = 4096, len(whole) // 2 // 4096 * 4096
    for damaged in (whole[:middle], whole[:middle] + b"\x55" * page + whole[middle + page :], whole[:4096]):
        path.write_bytes(damaged)
        with pytest.raises(LegacyImportError, match="is damaged"):
            seen(path)


def test_rows_that_break_a_rule_of_their_table_are_no_damage(tmp_path):
    path = tmp_path / "f.db"
    with written(path, OLD, loose=True) as database:
        message(database, 1, user_id=None)
        for number in (1, 2):
            insert(database, "chat_streams", stream_id=f"s{number}")
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, '\"user_id\"', '\"user_id\" TEXT NOT NULL') "
            "WHERE name = 'messages' AND type = 'table'"
        )
    assert seen(path) == "MaiBot 0.7"
