"""`DatabaseSeeder`: what a seeder gets without saying it, and what old seeders rely on."""

from datetime import UTC, datetime

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    DatabaseError,
    DatabaseSeeder,
    IndexDefinition,
)


class Person(BaseMongoDbDocumentSchema):
    name: str


class PeopleSeeder(DatabaseSeeder):
    def seed_all_collections(self, num_records=None):
        number = num_records or 3
        rows = ({"_id": self.object_id("people", row), "name": f"n{row}"} for row in range(number))
        return self.insert("people", rows, number)


@pytest.fixture
def seeder(trial):
    schema = trial.schema(
        people=BaseCollectionSchema(
            document_schema=Person, indexes=[IndexDefinition(keys={"name": 1}, unique=True)]
        )
    )
    made = PeopleSeeder(trial.uri, schema)
    yield made
    made.close()


NOWHERE = BaseMongoDbSchema(database_name="nowhere", collections={})


def test_the_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        DatabaseSeeder("mongodb://localhost", NOWHERE)


def test_a_seeder_keeps_what_it_was_given_and_connects_late():
    seeder = PeopleSeeder("mongodb://localhost:1", NOWHERE)

    assert seeder.connection_string == "mongodb://localhost:1"
    assert seeder.database_schema is NOWHERE


def test_a_seeder_that_says_only_how_to_seed_can_do_the_rest(seeder):
    seeder.database.people.insert_one({"name": "old"})

    seeder.clear_database()
    assert seeder.seed_all_collections() == 3
    seeder.create_indexes()

    assert seeder.validate_seed_data()["passed"] is True
    assert seeder.database.people.count_documents({}) == 3
    assert "name_1" in seeder.database.people.index_information()


def test_validation_names_what_is_wrong(seeder):
    seeder.seed_all_collections()
    seeder.create_indexes()
    seeder.database.people.update_one({"name": "n1"}, {"$set": {"name": 7}})

    report = seeder.validate_seed_data()

    assert report["passed"] is False
    assert "name: Input should be a valid string" in report["collections"]["people"]["examples"][-1]


def test_the_old_report_has_its_three_parts(seeder):
    seeder.seed_all_collections(5)
    seeder.database.people.update_one({"name": "n1"}, {"$set": {"name": 7}})

    report = seeder.validate_schema_and_indexes()

    assert report["validation_summary"] == {
        "valid": False,
        "collections_checked": 1,
        "documents_checked": 5,
    }
    assert report["collection_results"]["people"] == {
        "documents_checked": 5,
        "documents_valid": 4,
        "indexes_expected": ["name_1"],
        "indexes_missing": ["name_1"],
        "faults": {"collection": 1, "index": 1, "document": 1},
        "valid": False,
    }
    assert report["errors"] == [
        "people name_1: this index is missing",
        f"people _id {seeder.object_id('people', 1)}: name: Input should be a valid string",
    ]


def test_the_old_report_names_as_many_faults_as_it_is_asked_for(seeder):
    seeder.seed_all_collections(30)
    seeder.create_indexes()
    seeder.database.people.update_many({}, [{"$set": {"name": {"$toInt": {"$substr": ["$name", 1, -1]}}}}])

    report = seeder.validate_schema_and_indexes(sample_size=4)

    assert len(report["errors"]) == 4
    assert report["collection_results"]["people"]["faults"]["document"] == 30


def test_the_old_report_takes_models_of_the_callers(seeder):
    class Lenient(BaseMongoDbDocumentSchema):
        name: object

    seeder.seed_all_collections()
    seeder.create_indexes()
    seeder.database.people.update_one({"name": "n1"}, {"$set": {"name": 7}})

    report = seeder.validate_schema_and_indexes(pydantic_models={"people": Lenient})

    assert report["errors"] == []


def test_insert_takes_models_and_tells_its_progress(seeder):
    heard = []
    seeder.progress = lambda *step: heard.append(step)

    seeder.insert("people", (Person(name=str(row)) for row in range(2500)), 2600)
    seeder.insert("people", [Person(name="last")], 2600)

    assert heard == [("people", done, 2600) for done in (0, 1000, 2000, 2500, 2500, 2501)]
    assert isinstance(seeder.database.people.find_one()["_id"], ObjectId)


def test_a_refused_document_is_one_clear_error(seeder):
    with pytest.raises(
        DatabaseError, match=r"refused 1 documents of a batch, the first _id 2: (E11000|Duplicate key)"
    ):
        seeder.insert("people", [{"_id": 1}, {"_id": 2}, {"_id": 2}])


@given(
    seed=st.integers(0, 9),
    rows=st.lists(st.integers(0, 2**40 - 1), min_size=2, max_size=2, unique=True),
    names=st.lists(st.text(), min_size=2, max_size=2, unique=True),
)
def test_ids_ascend_with_the_row_and_never_meet(seed, rows, names):
    seeder = PeopleSeeder("mongodb://localhost", NOWHERE)
    seeder.seed = seed
    low, high = sorted(rows)

    assert seeder.object_id(names[0], low) < seeder.object_id(names[0], high)
    assert seeder.object_id(names[0], low) == seeder.object_id(names[0], low)
    assert seeder.object_id(names[0], low) != seeder.object_id(names[1], low)


def test_draws_depend_on_seed_and_name_alone():
    def draws(seed, name):
        seeder = PeopleSeeder("mongodb://localhost", NOWHERE)
        seeder.seed = seed
        return seeder.rng(name).random(), seeder.faker(name).name(), seeder.object_id(name, 0)

    assert draws(1, "a") == draws(1, "a")
    assert draws(1, "a") != draws(2, "a")
    assert draws(1, "a") != draws(1, "b")


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 200), (0.01, 2), (0.0001, 1), (2.5, 500)])
def test_scaled_numbers_are_never_nothing(scale, expected):
    seeder = PeopleSeeder("mongodb://localhost", NOWHERE)
    seeder.scale = scale

    assert seeder.scaled(200) == expected


def test_the_reference_time_is_no_clock():
    assert PeopleSeeder("mongodb://localhost", NOWHERE).reference_time == datetime(2026, 1, 1, tzinfo=UTC)
