"""Loading: by how many processes ever, the same documents; and what the server refuses, said clearly."""

import pickle
import shutil

import pytest
from mimiod import (
    DocumentRefusedError,
    DuplicateKeysError,
    DuplicateRowError,
    IndexDefinition,
    ProjectError,
    WorkerLostError,
)
from mimiod.projects import load_project
from mimiod.seeding.progress import Progress, Ranges

from tests.mimiod.runs import Heard, first_in_encode, killed_once, run, state_of


@pytest.fixture
def undisturbed(make_shop, trial, contents):
    """The contents of the shop as one process makes them."""
    folder = make_shop()
    assert run(folder, trial.uri, workers=1).passed
    return folder, contents()


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_any_number_of_workers_makes_the_same_documents(undisturbed, trial, contents, workers):
    folder, expected = undisturbed

    assert run(folder, trial.uri, workers=workers).passed

    assert contents() == expected


def test_progress_ends_with_every_document(make_shop, trial):
    reporter = Heard()

    run(make_shop(), trial.uri, reporter=reporter)

    assert reporter.phases == ["clear", "collections", "seed", "indexes", "validate"]
    assert reporter.seeded == {"people": (400, 400), "orders": (1600, 1600), "totals": (10, 10)}


def test_the_seeder_itself_loads_what_is_declared(make_shop, trial, contents, undisturbed):
    folder, expected = undisturbed
    project = load_project(folder)
    heard = {}
    seeder = project.seeder(trial.uri, project.schema)
    seeder.progress = lambda collection, done, _total: heard.__setitem__(collection, done)

    seeder.clear_database()
    seeder.seed_all_collections()
    seeder.close()

    assert contents() == expected
    assert heard == {"people": 400, "orders": 1600, "totals": 10}


TWINS = ('f"{row}@example.com"', 'f"{min(row, 370)}@example.com"')


def test_rows_that_share_a_key_are_told_by_the_index(make_shop, trial):
    with pytest.raises(DuplicateKeysError, match=r"email='370@example\.com' in 30 documents"):
        run(make_shop(TWINS), trial.uri)

    assert state_of(trial.database) == "failed"


def test_a_duplicate_names_index_key_and_both_rows(make_shop, trial):
    folder = make_shop(TWINS)
    with pytest.raises(DuplicateKeysError):
        run(folder, trial.uri)
    progress = Progress.stored(trial.database)
    progress.rows["people"] = Ranges([(0, 350)])  # as if it had been killed there
    progress.write()
    project = load_project(folder)
    first_twin = project.seeder(trial.uri, project.schema).object_id("people", 371)
    trial.database.people.delete_many({"_id": {"$gte": first_twin}})
    trial.database.people.create_index("email", unique=True)

    with pytest.raises(
        DuplicateRowError,
        match=r"unique index 'email_1' on 'people': row 37\d \(_id \w+\) and row 370 \(_id \w+\) "
        r"have the key email='370@example\.com'",
    ) as caught:
        run(folder, trial.uri)

    assert caught.value.collection == "people"


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_validator_refuses_is_named_ten_times_with_reasons(make_shop, trial, workers):
    folder = make_shop(('"total": row % 100', '"total": row if row % 4 else "none"'))

    with pytest.raises(DocumentRefusedError) as caught:
        run(folder, trial.uri, workers=workers)

    text = str(caught.value)
    assert text.startswith("the validator of 'orders' refuses 50 documents of a batch: row ")
    assert text.count("total: bsonType") == 10
    assert "it is 'none'" in text
    assert text.endswith("; and 40 more")
    assert "\n" not in text
    assert state_of(trial.database) == "failed"
    assert trial.database.orders.count_documents({"total": "none"}) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_document_above_16_mb_is_not_sent(make_shop, trial, workers):
    folder = make_shop(('"total": row % 100', '"total": 1 if row != 777 else "x" * 17_000_000'))

    with pytest.raises(DocumentRefusedError, match=r"row 777 \(_id \w+\) of 'orders' has 16\.2 MB"):
        run(folder, trial.uri, workers=workers)

    assert state_of(trial.database) == "failed"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_projects_own_mistakes_are_named_with_file_and_line(make_shop, trial, workers):
    folder = make_shop(("def order(self, row):\n", "def order(self, row):\n        row / (row - 999)\n"))

    with pytest.raises(ProjectError, match=r"seed_db\.py:40: ZeroDivisionError: division by zero"):
        run(folder, trial.uri, workers=workers)


def test_a_worker_that_dies_is_replaced(make_shop, trial, contents, tmp_path, undisturbed):
    _, expected = undisturbed
    flag = tmp_path / "alive"
    flag.touch()
    shutil.rmtree(tmp_path / "projects")

    assert run(make_shop(killed_once(flag)), trial.uri, workers=2).passed

    assert not flag.exists()
    assert contents() == expected


def test_a_unit_that_kills_every_worker_is_given_up(make_shop, trial):
    folder = make_shop(first_in_encode("import os", "if unit.start == 200: os.kill(os.getpid(), 9)"))

    with pytest.raises(
        WorkerLostError, match=r"3 worker processes died on rows 200 to 249 of 'people', .* code -9"
    ):
        run(folder, trial.uri, workers=2)

    done = Progress.stored(trial.database)
    assert done.rows["people"].missing(400)[0][0] <= 200
    assert (200, 250) in [(start, min(stop, 250)) for start, stop in done.rows["people"].missing(400)]


def test_errors_keep_their_facts_between_processes():
    error = DuplicateRowError("people", "email_1", "email='x'", ["row 1", "row 2"])
    keys = DuplicateKeysError("people", "email_1", [{"key": {"email": "x"}, "ids": [1, 2], "count": 2}])

    for each in (error, keys, DocumentRefusedError("too large")):
        copy = pickle.loads(pickle.dumps(each))
        assert (type(copy), str(copy), vars(copy)) == (type(each), str(each), vars(each))


def test_a_unique_index_is_no_obstacle_to_what_is_there_already(undisturbed, trial, contents):
    folder, expected = undisturbed
    assert IndexDefinition(keys={"email": 1}).name in trial.database.people.index_information()
    progress = Progress.stored(trial.database)
    progress.rows["people"] = Ranges([(0, 100), (200, 300)])
    progress.complete = False
    progress.write()

    assert run(folder, trial.uri).passed

    assert contents() == expected
