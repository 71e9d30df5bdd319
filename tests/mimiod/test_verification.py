"""The verification: whatever is planted is found, and nothing else."""

import re
from typing import Annotated

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    IndexDefinition,
    PyObjectId,
    Reference,
    mongo,
    structure,
)
from mimiod.checking.verification import EXAMPLES, verify
from mimiod.checking.verifying import reading, spill
from mimiod.errors import DatabaseError
from pydantic import BaseModel, field_validator


class Person(BaseMongoDbDocumentSchema):
    name: str
    friends: list[Annotated[PyObjectId, Reference("people")]] = []

    @field_validator("name")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 9:
            msg = "longer than 9"
            raise ValueError(msg)
        return value


class Line(BaseModel):
    sku: Annotated[str, Reference("products", field="sku")]


class Order(BaseMongoDbDocumentSchema):
    buyer: Annotated[PyObjectId | None, Reference("people")] = None
    lines: list[Line] = []


def identifier(number):
    return ObjectId(number.to_bytes(12, "big"))


@pytest.fixture
def shop(trial):
    schema = trial.schema(
        people=BaseCollectionSchema(
            document_schema=Person, indexes=[IndexDefinition(keys={"name": 1}, unique=True)]
        ),
        products=BaseCollectionSchema(json_schema={"required": ["sku"]}),
        orders=BaseCollectionSchema(document_schema=Order),
    )
    structure.create_collections(trial.database, schema)
    structure.create_indexes(trial.database, schema)
    people = [{"_id": identifier(n), "name": f"p{n}", "friends": [identifier(n // 2)]} for n in range(50)]
    trial.database.people.insert_many(people)
    trial.database.products.insert_many([{"_id": n, "sku": f"s{n}"} for n in range(10)])
    orders = [
        {"_id": identifier(n), "buyer": identifier(n % 50), "lines": [{"sku": f"s{n % 10}"}, {"sku": "s0"}]}
        for n in range(300)
    ]
    trial.database.orders.insert_many(orders)
    return trial.database, schema


def test_a_database_as_declared_passes(shop):
    report = verify(*shop)

    assert report.passed
    assert {name: found.documents for name, found in report.collections.items()} == {
        "people": 50,
        "products": 10,
        "orders": 300,
    }
    assert {name: found.references for name, found in report.collections.items()} == {
        "people": 50,
        "products": 0,
        "orders": 900,
    }


def test_progress_ends_with_every_document(shop):
    heard = {}

    verify(*shop, progress=heard.__setitem__)

    assert heard == {"people": 50, "products": 10, "orders": 300}


@pytest.mark.backend("mongodb")
def test_a_server_that_is_restarted_is_read_to_the_end(private_server, monkeypatch):
    monkeypatch.setattr(reading, "BATCH", 20)
    server = private_server()
    people = BaseCollectionSchema(document_schema=Person)
    schema = BaseMongoDbSchema(database_name="shop", collections={"people": people})
    changes = [lambda: None, lambda: database.people.delete_one({"_id": identifier(3)})]

    def restart(_collection, number):
        if number == 20:
            changes.pop(0)()
            server.stop()
            server.start()

    with mongo.connect(server.url) as client:
        database = mongo.database(client, "shop")
        structure.create_collections(database, schema)
        database.people.insert_many([{"_id": identifier(n), "name": f"p{n}"} for n in range(2000)])
        report = verify(database, schema, progress=restart)

        assert report.passed, report.faults
        assert report.collections["people"].documents == 2000
        with pytest.raises(DatabaseError, match="documents of 'people' were read, and has others in their"):
            verify(database, schema, progress=restart)


PLANTS = {
    "a dangling reference": (
        "reference",
        "orders",
        identifier(7),
        {"$set": {"buyer": identifier(999)}},
        r"buyer 0{21}3e7 is in no people\._id",
    ),
    "one inside an array of documents": (
        "reference",
        "orders",
        identifier(8),
        {"$set": {"lines.1.sku": "gone"}},
        r"lines\.sku gone is in no products\.sku",
    ),
    "one in an array of ids": (
        "reference",
        "people",
        identifier(9),
        {"$push": {"friends": identifier(998)}},
        "friends",
    ),
    "an object for an id": (
        "reference",
        "orders",
        identifier(5),
        {"$set": {"buyer": {"x": 1}}},
        "buyer holds an object",
    ),
    "another type": (
        "document",
        "people",
        identifier(3),
        {"$set": {"name": 5}},
        "the collection's validator refuses it",
    ),
    "a missing field": ("document", "products", 4, {"$unset": {"sku": 1}}, "validator refuses it"),
    "what only the model forbids": (
        "document",
        "people",
        identifier(2),
        {"$set": {"name": "a very long name"}},
        "name: Value error, longer than 9",
    ),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_fault_is_found_and_named(shop, plant):
    kind, collection, where, change, reason = plant
    database, schema = shop
    database[collection].update_one({"_id": where}, change, bypass_document_validation=True)

    report = verify(database, schema)

    assert not report.passed
    named = [fault for fault in report.faults if fault.kind == kind]
    assert [(fault.collection, fault.identifier) for fault in named] == [(collection, f"_id {where}")]
    assert re.search(reason, named[0].reason)


def test_a_missing_index_is_a_fault_unless_the_server_has_none_of_its_kind(shop):
    database, schema = shop
    database.people.drop_index("name_1")

    assert [str(fault) for fault in verify(database, schema).faults] == [
        "people name_1: this index is missing"
    ]
    assert verify(database, schema, unsupported_indexes=frozenset({"people.name_1"})).passed


def test_an_index_with_another_option_is_a_fault(shop):
    database, schema = shop
    database.people.drop_index("name_1")
    database.people.create_index("name")

    assert [fault.reason for fault in verify(database, schema).faults] == ["unique False, declared True"]


def test_a_collection_without_its_validator_is_a_fault(shop):
    database, schema = shop
    database.drop_collection("products")
    database.products.insert_many([{"_id": n, "sku": f"s{n}"} for n in range(10)])

    assert [str(fault) for fault in verify(database, schema).faults] == [
        "products products: it has no validator"
    ]


def test_all_faults_are_counted_and_the_first_named(shop):
    database, schema = shop
    database.orders.update_many({}, {"$set": {"buyer": identifier(999)}})

    found = verify(database, schema).collections["orders"]

    assert found.fault_counts == {"reference": 300}
    assert len(found.faults) == EXAMPLES


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(present=st.sets(st.integers(0, 400)), wanted=st.lists(st.integers(0, 400), max_size=400))
def test_exactly_the_dangling_references_are_found(trial, present, wanted):
    schema = trial.schema(
        people=BaseCollectionSchema(),
        products=BaseCollectionSchema(),
        orders=BaseCollectionSchema(document_schema=Order),
    )
    for name, documents in {
        "people": [{"_id": identifier(number)} for number in present],
        "orders": [{"_id": identifier(row), "buyer": identifier(n)} for row, n in enumerate(wanted)],
    }.items():
        trial.database[name].delete_many({})
        if documents:
            trial.database[name].insert_many(documents)
    structure.create_collections(trial.database, schema)

    found = verify(trial.database, schema).collections["orders"].fault_counts.get("reference", 0)

    assert found == sum(number not in present for number in wanted)


class Node(BaseMongoDbDocumentSchema):
    parent: Annotated[PyObjectId | None, Reference("nodes")] = None
    leaf: Annotated[str | None, Reference("leaves", field="name")] = None


class Leaf(BaseMongoDbDocumentSchema):
    name: str
    node: Annotated[PyObjectId, Reference("nodes")]


@pytest.mark.parametrize("most", [10**6, 10], ids=["in memory", "on disk"])
def test_references_in_circles_are_followed(trial, monkeypatch, most):
    monkeypatch.setattr(spill, "MOST_HELD", most)
    monkeypatch.setattr(spill, "MOST_AT_ONCE", most // 8)
    monkeypatch.setattr(reading, "BATCH", 20)
    schema = trial.schema(
        nodes=BaseCollectionSchema(document_schema=Node), leaves=BaseCollectionSchema(document_schema=Leaf)
    )
    structure.create_collections(trial.database, schema)
    nodes = [
        {"_id": identifier(n), "parent": identifier(n + 1 if n < 99 else 500), "leaf": f"l{n % 51}"}
        for n in range(100)
    ]
    leaves = [{"_id": identifier(n), "name": f"l{n}", "node": identifier(2 * n)} for n in range(51)]
    trial.database.nodes.insert_many(nodes)
    trial.database.leaves.insert_many(leaves)

    report = verify(trial.database, schema)

    assert sorted(str(fault) for fault in report.faults) == [
        f"leaves _id {identifier(50)}: node {identifier(100)} is in no nodes._id",
        f"nodes _id {identifier(99)}: parent {identifier(500)} is in no nodes._id",
    ]
