"""A run: what it leaves behind, whom it refuses, and what it says when the project is at fault."""

import os
import threading
from datetime import timedelta

import pytest
from mimiod import DatabaseInUseError, DuplicateKeysError, ProjectError, running
from mimiod.projects import load_project
from mimiod.run_lock import STALE_AFTER, RunLock


class Silent:
    def __init__(self):
        self.phases = []
        self.notes = []

    def phase(self, name):
        self.phases.append(name)

    def note(self, text):
        self.notes.append(text)

    def progress(self, collection, done, total):
        pass


def run(folder, uri, **options):
    return running.run(load_project(folder), uri=uri, reporter=options.pop("reporter", Silent()), **options)


def state_of(trial):
    return trial.database["_mimiod"].find_one({"_id": "run"})["state"]


def test_a_run_fills_indexes_and_verifies(make_project, trial):
    reporter = Silent()

    summary = run(make_project(), trial.uri, reporter=reporter)

    assert summary.passed
    assert reporter.phases == ["clear", "collections", "seed", "indexes", "validate"]
    assert {name: found.documents for name, found in summary.verification.collections.items()} == {
        "people": 20,
        "orders": 100,
    }
    assert summary.verification.collections["orders"].references == 100
    assert "email_1" in trial.database.people.index_information()
    assert state_of(trial) == "complete"


def test_the_same_seed_gives_the_same_documents(make_project, trial):
    folder = make_project()

    def documents(**options):
        run(folder, trial.uri, **options)
        return list(trial.database.people.find()), list(trial.database.orders.find())

    first = documents()
    assert documents() == first
    assert documents(seed=7) != first


def test_scale_multiplies_the_data(make_project, trial):
    summary = run(make_project(), trial.uri, scale=0.5)

    assert summary.verification.collections["orders"].documents == 50


def test_data_that_mimiod_did_not_write_is_never_dropped_unasked(make_project, trial):
    folder = make_project()
    trial.database.people.insert_one({"mine": True})

    with pytest.raises(DatabaseInUseError, match="has data in 'people' that Mimiod did not write"):
        run(folder, trial.uri)
    assert trial.database.people.find_one() is not None

    assert run(folder, trial.uri, replace=True).passed


def test_collections_outside_the_schema_stay(make_project, trial):
    folder = make_project()
    run(folder, trial.uri)
    trial.database.notes.insert_one({"mine": True})

    run(folder, trial.uri)

    assert trial.database.notes.find_one()["mine"] is True


def test_a_second_run_on_the_same_database_is_refused(make_project, trial):
    folder = make_project()
    other = RunLock(trial.database, {})
    other.acquire(replace=False)

    with pytest.raises(DatabaseInUseError, match=f"is being filled by process {os.getpid()} on "):
        run(folder, trial.uri)

    other.release("complete")
    assert run(folder, trial.uri).passed


@pytest.mark.parametrize(
    "change",
    [
        lambda mark: {"heartbeat_at": mark["heartbeat_at"] - STALE_AFTER - timedelta(seconds=1)},
        lambda _mark: {"pid": 2**22 + 1},
    ],
    ids=["its heart stopped", "its process is gone"],
)
def test_a_dead_runs_database_is_taken_over(make_project, trial, change):
    RunLock(trial.database, {}).acquire(replace=False)
    marks = trial.database["_mimiod"]
    marks.update_one({"_id": "run"}, {"$set": change(marks.find_one())})

    assert run(make_project(), trial.uri).passed


def test_of_two_that_start_at_once_one_gets_the_database(trial):
    barrier = threading.Barrier(8)

    class Racing(RunLock):
        def _refuse_strangers_data(self):
            barrier.wait()  # by now all of them have seen that nobody holds the database

    locks = [Racing(trial.database, {}) for _ in range(barrier.parties)]
    taken = []

    def take(lock):
        try:
            lock.acquire(replace=False)
        except DatabaseInUseError:
            return
        taken.append(lock)

    threads = [threading.Thread(target=take, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1


@pytest.mark.parametrize("phase", ["clear", "collections", "seed", "indexes", "validate"])
def test_an_interrupted_run_says_so_in_the_database_and_can_be_repeated(make_project, trial, phase):
    class Interrupting(Silent):
        def phase(self, name):
            if name == phase:
                raise KeyboardInterrupt

    folder = make_project()
    with pytest.raises(KeyboardInterrupt):
        run(folder, trial.uri, reporter=Interrupting())

    assert state_of(trial) == "interrupted"
    assert run(folder, trial.uri).passed


def test_duplicates_under_a_unique_index_are_told(make_project, trial):
    seeder = """
from mimiod import DatabaseSeeder

class Twins(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        ids = [self.object_id("people", row) for row in (0, 1)]
        self.insert("people", [{"_id": each, "name": "n", "email": "e"} for each in ids])
"""
    with pytest.raises(DuplicateKeysError, match="email='e' in 2 documents"):
        run(make_project(seed_db=seeder), trial.uri)

    assert state_of(trial) == "failed"


def test_a_seeder_that_raises_is_named_with_file_and_line(make_project, trial):
    seeder = """
from mimiod import DatabaseSeeder

class Broken(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        return 1 / 0
"""
    with pytest.raises(ProjectError, match=r"seed_db\.py:6: ZeroDivisionError: division by zero"):
        run(make_project(seed_db=seeder), trial.uri)


def test_dangling_references_fail_the_run(make_project, trial):
    seeder = """
from mimiod import DatabaseSeeder, PyObjectId

class Dangling(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        self.insert("orders", [{"_id": PyObjectId(), "person": PyObjectId(), "total": 1}])
"""
    summary = run(make_project(seed_db=seeder), trial.uri)

    assert not summary.passed
    assert summary.verification.collections["orders"].fault_counts == {"reference": 1}
    assert state_of(trial) == "failed"


OLD_SEEDER = """
import random

from bson import ObjectId
from faker import Faker
from pymongo import MongoClient

from db_schema import database_schema
from mimiod import DatabaseSeeder

fake = Faker()


class OldSeeder(DatabaseSeeder):
    def __init__(self, connection_string, database_schema=database_schema):
        super().__init__(connection_string, database_schema)
        self.client = MongoClient(connection_string)
        self.db = self.client[database_schema.database_name]

    def seed_all_collections(self, num_records=None):
        numbers = range(num_records or 10)
        people = [{"_id": ObjectId(), "name": fake.name(), "email": f"{n}@x"} for n in numbers]
        self.db.people.insert_many(people)
        self.db.orders.insert_many(
            [{"person": random.choice(people)["_id"], "total": 1} for _ in range(30)]
        )

    def create_indexes(self):
        for name, collection in self.database_schema.collections.items():
            for index in collection.indexes:
                keys = [(f, getattr(d, "value", d)) for f, d in index.keys.items()]
                self.db[name].create_index(keys, name=index.name, unique=index.unique, sparse=index.sparse)

    def clear_database(self):
        self.client.drop_database(self.database_schema.database_name)

    def validate_seed_data(self):
        VERDICT

    def close(self):
        self.client.close()
        super().close()
"""


def test_an_old_seeder_runs_unchanged(make_project, trial):
    seeder = OLD_SEEDER.replace("VERDICT", "return self.db.people.count_documents({}) == 10")

    summary = run(make_project(seed_db=seeder), trial.uri)

    assert summary.passed
    assert state_of(trial) == "complete"


@pytest.mark.parametrize(
    ("verdict", "fault"),
    [
        ("return False", "answered False"),
        ("return {'is_valid': False}", "reports 'is_valid': False"),
        ("return {'errors': ['too few people']}", "too few people"),
    ],
)
def test_an_old_seeders_own_verdict_counts(make_project, trial, verdict, fault):
    summary = run(make_project(seed_db=OLD_SEEDER.replace("VERDICT", verdict)), trial.uri)

    assert not summary.passed
    assert fault in summary.faults[0]


def test_every_phase_is_timed(make_project, trial):
    seconds = run(make_project(), trial.uri).to_dict()["seconds"]

    assert list(seconds) == ["clear", "collections", "seed", "indexes", "validate"]
    assert all(value >= 0 for value in seconds.values())
