"""What is loaded from SQL into MongoDB is all there, counted and added by both; and what is not is found."""

import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from mimiod import projects
from mimiod.errors import DatabaseInUseError, DocumentRefusedError
from mimiod.inspecting import reading
from mimiod.inspecting.schema_code import schema_code
from mimiod.relational import live
from mimiod.relational.loading import load
from mimiod.relational.reconciling import reconcile
from mimiod.relational.sql_source import SqlSource
from mimiod.run_lock import COLLECTION, RunLock
from sqlalchemy import create_engine, text

from tests.mimiod.sql_samples import parties, school, shop, sqlite_file


@pytest.fixture(autouse=True)
def _forget_projects():
    yield
    sys.modules.pop("db_schema", None)  # of a folder that is gone


class Silent:
    """A reporter that says nothing; `interrupt` is the phase in which Ctrl-C comes."""

    def __init__(self, interrupt=""):
        self.interrupt = interrupt
        self.notes = []

    def phase(self, name):
        if name == self.interrupt:
            raise KeyboardInterrupt

    def note(self, text):
        self.notes.append(text)

    def progress(self, collection, done, total):
        pass


class Loading:
    """A SQL database about to be loaded into a test's MongoDB."""

    def __init__(self, url, trial, folder):
        self.trial = trial
        self.source = SqlSource(live.connect(url), "test")
        self.inspection = reading.inspect(self.source, None)
        (folder / "db_schema.py").write_text(schema_code(self.inspection, trial.database.name))
        self.schema = projects.load_schema(folder)

    def load(self, reporter=None, **options):
        return load(self.source, self.schema, uri=self.trial.uri, reporter=reporter or Silent(), **options)

    def reconciled(self):
        found = reconcile(self.source.reader, self.source.plan, self.trial.database)
        return [each.table for each in found if not each.balanced]


@pytest.fixture
def loading(trial, tmp_path: Path):
    sources = []

    def prepared(url):
        made = Loading(url, trial, tmp_path)
        sources.append(made.source)
        return made

    yield prepared
    for source in sources:
        source.close()


SMALL = (
    "CREATE TABLE films (id INTEGER PRIMARY KEY, title TEXT);"
    "CREATE TABLE film_images (id INTEGER PRIMARY KEY, film_id INTEGER NOT NULL REFERENCES films (id));"
    "INSERT INTO films VALUES (1, 'a'), (2, 'b'); INSERT INTO film_images VALUES (1, 1), (2, 1);"
)


def sqlite(tmp_path, statements):
    file = tmp_path / "made.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(statements)
        database.commit()
    return f"sqlite:///{file}"


def test_a_load_from_postgresql_balances_to_the_row_and_the_cent(postgresql_url, loading, trial):
    balances(parties(), postgresql_url, loading)
    person = trial.database["parties"].find_one({"passport": {"$exists": True}})
    assert person["kind"] == "person"
    assert isinstance(person["party_id"], UUID)
    assert COLLECTION not in trial.database.list_collection_names()


def test_a_load_from_mysql_balances_to_the_row_and_the_cent(mysql_url, loading):
    balances(school(), mysql_url, loading)


def balances(sample, url, loading):
    sample.create(url)
    made = loading(url)
    balance = made.load().balance
    assert balance.faults == []
    assert [each.table for each in balance.tables if not each.balanced] == []
    assert balance.balanced
    rows = sample.rows()
    assert {each.table: each.rows for each in balance.tables} == {
        name: len(held) for name, held in rows.items()
    }
    for each in balance.tables:
        for column in each.columns:
            there = [row[column.column] for row in rows[each.table] if row[column.column] is not None]
            assert column.values == (len(there), len(there))
            if column.sums is not None:
                assert column.sums == (sum(there, Decimal(0)),) * 2


def test_every_kind_of_loss_is_found(loading, trial, tmp_path):
    made = loading(sqlite_file(shop(), tmp_path / "shop.db"))
    assert made.load().balance.balanced
    database = trial.database
    invoice = database["invoices"].find_one({"lines.1": {"$exists": True}})
    for name in database.list_collection_names():
        database.command("collMod", name, validator={})
    database["tracks"].delete_one({})
    database["genres"].insert_one({"genre_id": 0, "name": None})
    database["invoices"].update_one({}, {"$inc": {"total": Decimal("0.01")}})
    database["employees"].update_one({"employee_id": 3}, {"$set": {"reports_to": None}})
    database["customers"].update_one({}, {"$unset": {"email": 1}})
    database["playlists"].update_one({}, {"$pop": {"track_ids": 1}})
    database["invoices"].update_one({"_id": invoice["_id"]}, {"$set": {"lines.1.quantity": 99}})
    assert set(made.reconciled()) == {
        "tracks", "genres", "invoices", "employees", "customers", "playlist_tracks", "invoice_lines",
    }  # fmt: skip


def test_orphans_and_dangling_references_are_counted_on_both_sides(loading, trial, tmp_path):
    made = loading(
        sqlite(
            tmp_path,
            "CREATE TABLE films "
            "(id INTEGER PRIMARY KEY, studio_id INTEGER REFERENCES studios (id), rating REAL);"
            "CREATE TABLE studios (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE film_images "
            "(id INTEGER PRIMARY KEY, film_id INTEGER NOT NULL REFERENCES films (id), bytes INTEGER);"
            "INSERT INTO studios VALUES (1, 'a');"
            "INSERT INTO films VALUES (1, 1, 0.1), (2, 9, 0.2), (3, NULL, 0.7);"
            "INSERT INTO film_images VALUES (1, 1, 10), (2, 1, 20), (3, 8, 30), (4, 0, 40);",
        )
    )
    loaded = made.load()
    assert loaded.balance.balanced
    assert loaded.balance.dangling == (1, 1)
    images = next(each for each in loaded.balance.tables if each.table == "film_images")
    assert (images.rows, images.found, images.orphaned) == (4, 2, 2)
    assert images.columns[1].sums == (Decimal(100), Decimal(100))
    assert trial.database["orphaned_film_images"].count_documents({}) == 2
    assert any(
        "2 rows of 'film_images' name by film_id what is not there" in n for n in made.inspection.notes
    )
    assert all("orphaned" not in each.collection for each in made.inspection.references)
    told = loaded.to_dict()
    assert told["balanced"]
    assert told["tables"][0]["rows"] == {"sql": 4, "mongodb": 2, "orphaned": 2}


def test_tables_that_inherit_share_a_collection(postgresql_url, loading, trial):
    engine = create_engine(postgresql_url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE cities (id int PRIMARY KEY, name text NOT NULL, people bigint);"
                "CREATE TABLE capitals (state char(2) NOT NULL, PRIMARY KEY (id)) INHERITS (cities);"
                "CREATE TABLE mayors (id int PRIMARY KEY, capital_id int NOT NULL REFERENCES capitals);"
                "INSERT INTO cities VALUES (1, 'Graz', 290000), (2, 'Linz', NULL);"
                "INSERT INTO capitals VALUES (1, 'Wien', 2000000, 'AT'); INSERT INTO mayors VALUES (1, 1)"
            )
        )
    engine.dispose()
    made = loading(postgresql_url)
    balance = made.load().balance
    assert balance.balanced, balance.to_dict()
    assert {each.table: each.found for each in balance.tables} == {"cities": 2, "capitals": 1, "mayors": 1}
    cities = {each["name"]: each for each in trial.database["cities"].find()}
    assert {name: each["type"] for name, each in cities.items()} == {
        "Graz": "cities",
        "Linz": "cities",
        "Wien": "capitals",
    }
    assert trial.database["mayors"].find_one()["capital_id"] == cities["Wien"]["_id"]


def test_data_is_dropped_only_where_it_is_said(loading, trial, tmp_path):
    made = loading(sqlite(tmp_path, SMALL))
    trial.database["diary"].insert_one({"dear": "diary"})
    with pytest.raises(DatabaseInUseError, match="--replace"):
        made.load()
    trial.database.drop_collection("diary")
    made.load()
    with pytest.raises(DatabaseInUseError, match="--replace"):
        made.load()  # what was loaded is its owner's
    assert made.load(replace=True).balance.balanced
    seeded = RunLock(trial.database, {"project": "x"})
    seeded.acquire(replace=True)
    seeded.release("complete")
    with pytest.raises(DatabaseInUseError, match="`mimiod run` made"):
        made.load()


@pytest.mark.parametrize("phase", ["seed", "validate"])
def test_a_load_that_was_interrupted_starts_over(phase, loading, trial, tmp_path):
    made = loading(sqlite(tmp_path, SMALL))
    with pytest.raises(KeyboardInterrupt, match="start over"):
        made.load(Silent(interrupt=phase))
    assert trial.database[COLLECTION].find_one()["state"] == "interrupted"
    assert made.load().balance.balanced


def test_a_row_too_large_for_a_document_is_named(loading, tmp_path):
    made = loading(
        sqlite(
            tmp_path,
            "CREATE TABLE films (id INTEGER PRIMARY KEY, scan BLOB);"
            "INSERT INTO films VALUES (1, zeroblob(17000000));",
        )
    )
    with pytest.raises(DocumentRefusedError, match=r"'films' becomes a document of 16 MB"):
        made.load()


def test_nothing_is_written_to_the_source(loading, tmp_path):
    url = sqlite(tmp_path, SMALL)
    before = (tmp_path / "made.db").read_bytes()
    loading(url).load()
    assert (tmp_path / "made.db").read_bytes() == before
