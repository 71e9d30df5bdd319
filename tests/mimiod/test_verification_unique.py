"""Unique keys, held by the documents themselves, and documents that no server would be asked about."""

import bson
import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mimiod import BaseCollectionSchema, BaseMongoDbDocumentSchema, IndexDefinition
from mimiod.checking.verification import verify
from mimiod.checking.verifying import judging, reading
from mimiod.checking.verifying.filters import matches
from pymongo.errors import BulkWriteError

ENGLISH = {"locale": "en", "strength": 2}


def identifier(number):
    return ObjectId(number.to_bytes(12, "big"))


def put(trial, documents, **index):
    """Put documents into a collection whose unique index was never built."""
    trial.database.people.delete_many({})
    trial.database.people.insert_many([{"_id": identifier(n), **each} for n, each in enumerate(documents)])
    return trial.schema(
        people=BaseCollectionSchema(indexes=[IndexDefinition(name="one", unique=True, **index)])
    )


def duplicates(trial, schema):
    report = verify(trial.database, schema, unsupported_indexes=frozenset({"people.one"}))
    assert report.untested == []
    return {fault.identifier: fault.reason for fault in report.faults if fault.kind == "unique"}


TWICE = {
    "one field": ({"keys": {"a": 1}}, [{"a": 1}, {"a": 2}, {"a": 1}], 2),
    "numbers of differing types": ({"keys": {"a": 1}}, [{"a": 1}, {"a": "1"}, {"a": 1.0}], 2),
    "several fields": (
        {"keys": {"a": 1, "b": -1}},
        [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}],
        2,
    ),
    "inside a document": ({"keys": {"a.b": 1}}, [{"a": {"b": 1}}, {"a": {"c": 1}}, {"a": {"b": 1}}], 2),
    "inside arrays": ({"keys": {"a": 1}}, [{"a": [1, 2]}, {"a": [3, 3]}, {"a": [4, 2]}], 2),
    "an array of documents": ({"keys": {"a.b": 1}}, [{"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 2}]}], 1),
    "nothing twice": ({"keys": {"a": 1}}, [{"a": None}, {"a": 1}, {}], 2),
    "only what is there": ({"keys": {"a": 1}, "sparse": True}, [{}, {}, {"a": 1}, {"a": 1}], 3),
    "only what the filter has": (
        {"keys": {"a": 1}, "partial_filter": {"s": {"$in": ["x", "y"]}, "n": {"$gt": 3}}},
        [
            {"a": 1, "s": "x", "n": 4},
            {"a": 1, "s": "z", "n": 4},
            {"a": 1, "s": "y", "n": 3},
            {"a": 1, "s": "y", "n": 5},
        ],
        3,
    ),
    "without regard to case": (
        {"keys": {"a": 1}, "collation": ENGLISH},
        [{"a": "Ann"}, {"a": "Än"}, {"a": "an"}, {"a": "ANN"}],
        3,
    ),
    "without regard to accents": (
        {"keys": {"a": 1}, "collation": {"locale": "en", "strength": 1}},
        [{"a": "Anna"}, {"a": "änna"}],
        1,
    ),
}


@pytest.mark.parametrize("case", TWICE.values(), ids=TWICE)
def test_a_second_document_with_a_unique_key_is_found_and_named(trial, case):
    index, documents, second = case
    found = duplicates(trial, put(trial, documents, **index))

    assert list(found) == [f"_id {identifier(second)}"]
    assert "expected once, as index one is unique" in found[f"_id {identifier(second)}"]
    assert f"which _id {identifier(0)} has too" in found[f"_id {identifier(second)}"] or second == 3


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=st.lists(
        st.one_of(
            st.none(),
            st.integers(0, 3),
            st.floats(0, 3, width=16),
            st.booleans(),
            st.sampled_from(["", "a", "b"]),
            st.lists(st.integers(0, 6), max_size=2),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_the_server_takes_for_a_duplicate_is_one(trial, values):
    schema = put(trial, [{"a": value} for value in values], keys={"a": 1})
    found = duplicates(trial, schema)
    trial.database.drop_collection("judged")
    trial.database.judged.create_index("a", unique=True)
    refused = set()
    for number, value in enumerate(values):
        try:
            trial.database.judged.insert_many([{"_id": identifier(number), "a": value}])
        except BulkWriteError:
            refused.add(f"_id {identifier(number)}")

    assert bool(refused) == bool(found)
    assert refused <= found.keys()


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"a": 1}, [0]),
        ({"a": None}, [3, 4]),
        ({"a": {"$exists": True}}, [0, 1, 2, 3]),
        ({"a": {"$exists": False}}, [4]),
        ({"a": {"$gt": 1}}, [1]),
        ({"a": {"$gte": 1, "$lt": 2}}, [0]),
        ({"a": {"$type": "string"}}, [2]),
        ({"a": {"$type": ["number", "null"]}}, [0, 1, 3]),
        ({"$or": [{"a": 1}, {"a": "x"}]}, [0, 2]),
        ({"$and": [{"a": {"$exists": True}}, {"a": {"$lte": "y"}}]}, [2]),
    ],
)
def test_a_partial_index_holds_what_its_filter_matches(wanted, numbers):
    documents = [{"a": 1}, {"a": 2.5}, {"a": "x"}, {"a": None}, {}]

    assert [number for number, document in enumerate(documents) if matches(document, wanted)] == numbers


def test_an_index_whose_filter_is_unknown_is_not_called_verified(trial):
    schema = put(trial, [{"a": 1}, {"a": 1}], keys={"a": 1}, partial_filter={"a": {"$near": 1}})

    report = verify(trial.database, schema, unsupported_indexes=frozenset({"people.one"}))

    assert report.untested == ["people one: its filter has $near"]


def test_a_document_without_room_to_grow_is_named(trial, monkeypatch):
    monkeypatch.setattr(judging, "LARGEST", 2000)
    schema = put(trial, [{"a": "x" * 1700}, {"a": "x" * 1800}], keys={"b": 1}, sparse=True)

    faults = verify(trial.database, schema, unsupported_indexes=frozenset({"people.one"})).faults

    assert [str(fault) for fault in faults] == [
        f"people _id {identifier(1)}: found 1,830 bytes, expected at most 1,800 of the 2,000 allowed"
    ]


class Stern(BaseMongoDbDocumentSchema):
    a: int

    def model_post_init(self, _context):
        if self.a == 1:
            raise TypeError("it cannot\nbe judged")


def test_a_model_that_fails_on_a_document_names_it(trial):
    put(trial, [{"a": 0}, {"a": 1}], keys={"b": 1}, sparse=True)
    schema = trial.schema(people=BaseCollectionSchema(document_schema=Stern))

    faults = [fault for fault in verify(trial.database, schema).faults if fault.kind == "document"]

    assert [str(fault) for fault in faults] == [
        f"people _id {identifier(1)}: its model raised TypeError: it cannot be judged"
    ]


def test_documents_that_python_cannot_hold_are_kept_apart_from_those_it_can():
    good, bad = {"_id": 1, "a": "x"}, {"_id": 2, "at": DatetimeMS(2**60)}

    batch = reading.decoded(bson.encode(good) + bson.encode(bad))

    assert [document["_id"] for document in batch.documents] == [1, 2]
    assert batch.documents[0] == good
    assert list(batch.damaged) == [1]
    assert "out of range" in batch.damaged[1]
