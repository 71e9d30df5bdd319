"""`mimiod verify`, and the verification that ends a run: all kinds of faults, in databases of some size."""

import json
import os
from typing import Annotated

import pytest
from bson import ObjectId
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    PyObjectId,
    Reference,
    cli,
    structure,
)
from mimiod.checking.verification import verify
from mimiod.errors import EmptyDatabaseError
from mimiod.evolution.applying import difference
from mimiod.projects import load_project
from mimiod.running import verify_project

from tests.mimiod.runs import Heard, contents_of, run

MANY = int(os.environ.get("MIMIOD_VERIFIED", "20000"))
"How many documents one dangling reference is looked for in."

SCHEMA = """
from datetime import datetime
from typing import Annotated, Literal

from mimiod import (
    BaseCollectionSchema, BaseMongoDbDocumentSchema, BaseMongoDbSchema, Computed, Copy, IndexDefinition,
    NotBefore, PyObjectId, Reference,
)


class Person(BaseMongoDbDocumentSchema):
    name: str
    email: str
    nickname: str | None = None
    kind: Literal["private", "business"]
    joined_at: datetime
    orders: Annotated[int, Computed("count", "orders")]


class Order(BaseMongoDbDocumentSchema):
    person: Annotated[PyObjectId, Reference("people")]
    person_name: Annotated[str, Copy("person.name")]
    total: float
    at: Annotated[datetime, NotBefore("person.joined_at")]


database_schema = BaseMongoDbSchema(
    database_name="DATABASE",
    collections={
        "people": BaseCollectionSchema(
            document_schema=Person, indexes=[IndexDefinition(keys={"email": 1}, unique=True)]
        ),
        "orders": BaseCollectionSchema(
            document_schema=Order, indexes=[IndexDefinition(keys={"person": 1, "total": -1})]
        ),
    },
)
"""

SEEDER = """
from mimiod import DatabaseSeeder
from mimiod.seeding import Choice, Fake, LogNormal, Maybe, Moment, Poisson, Rows, Text


class ShopSeeder(DatabaseSeeder):
    rows = {
        "people": Rows(400, {
            "name": Fake("name"),
            "email": Text("{row}@example.com"),
            "nickname": Maybe(0.5, Text("n{row}")),
            "kind": Choice({"private": 3, "business": 1}),
            "joined_at": Moment(days=100),
        }),
        "orders": Rows(Poisson(3, high=9), {"total": LogNormal(50, 0.5, digits=2)}, per="people"),
    }
"""


@pytest.fixture
def shop(make_project, trial):
    folder = make_project(db_schema=SCHEMA, seed_db=SEEDER)
    assert run(folder, trial.uri).passed
    return folder


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", *map(str, arguments)])
    return ended.value.code, capsys.readouterr()


def test_a_database_as_declared_passes_and_stays_as_it_was(shop, trial, capsys):
    before = contents_of(trial.database), trial.database["_mimiod"].find_one({"_id": "run"})

    code, shown = printed(capsys, shop, "--uri", trial.uri)

    assert code == 0, shown
    assert f"{trial.database.name}: verified" in shown.out
    assert (contents_of(trial.database), trial.database["_mimiod"].find_one({"_id": "run"})) == before


def test_an_index_that_the_server_cannot_build_is_missed_neither_by_the_run_nor_afterwards(
    make_project, trial, capsys
):
    hashed = "indexes=[IndexDefinition(keys={'name': 'hashed'}), "
    folder = make_project(
        db_schema=SCHEMA.replace("indexes=[", hashed, 1).replace(", unique=True)", ")"), seed_db=SEEDER
    )
    refused = run(folder, trial.uri).unsupported

    code, shown = printed(capsys, folder, "--uri", trial.uri)
    differs = difference(trial.database, load_project(folder).schema)

    assert code == 0, shown
    assert bool(refused) == bool(differs.unsupported)
    assert differs.differences == []
    trial.database["_mimiod"].update_one({}, {"$set": {"refused.0.definition": "of another index"}})
    assert printed(capsys, folder, "--uri", trial.uri)[0] == bool(refused)


def test_each_kind_of_fault_is_named_by_collection_and_id(shop, trial, capsys):
    people, orders = trial.database.people, trial.database.orders
    people.drop_index("email_1")
    people.create_index("email")
    buyers = [each for each in people.find().sort("_id") if each["orders"]]
    bare = next(each for each in people.find() if not each["orders"])

    def change(collection, where, **fields):
        collection.update_one({"_id": where}, {"$set": fields}, bypass_document_validation=True)
        return f"_id {where}"

    def order_of(person):
        return orders.find_one({"person": person["_id"]})["_id"]

    long_ago = bare["joined_at"].replace(year=2001)
    dangling = {**orders.find_one({}), "_id": ObjectId(), "person": ObjectId()}
    orders.insert_one(dangling)
    expected = {
        ("index", "people", "email_1"),
        ("reference", "orders", f"_id {dangling['_id']}"),
        ("total", "people", change(people, buyers[0]["_id"], orders=99)),
        ("copy", "orders", change(orders, order_of(buyers[1]), person_name="x")),
        ("order", "orders", change(orders, order_of(buyers[2]), at=long_ago)),
        ("unique", "people", change(people, buyers[4]["_id"], email=buyers[3]["email"])),
        ("document", "people", change(people, bare["_id"], name=7)),
        ("distribution", "people", "nickname"),
    }
    people.update_many({"_id": {"$ne": bare["_id"]}}, {"$set": {"nickname": "n"}})

    code, shown = printed(capsys, shop, "--uri", trial.uri, "--json")

    summary = json.loads(shown.out.splitlines()[-1])
    named = [fault for found in summary["verification"]["collections"].values() for fault in found["named"]]
    assert code == 1
    assert summary["passed"] is False
    assert {(each["kind"], each["collection"], each["identifier"]) for each in named} == expected
    assert len(named) == summary["verification"]["fault_count"] == len(expected)


def test_an_empty_database_is_not_called_verified(make_project, trial):
    with pytest.raises(EmptyDatabaseError, match="`mimiod run shop` fills it"):
        verify_project(load_project(make_project()), uri=trial.uri, reporter=Heard())


def test_a_share_that_is_not_as_declared_says_what_it_is(shop, trial):
    trial.database.people.update_many({}, {"$set": {"kind": "private"}})

    summary = verify_project(load_project(shop), uri=trial.uri, reporter=Heard())

    assert [str(fault) for fault in summary.verification.faults] == [
        "people kind: found private in 100.00% of 400, declared 75.00%: by chance less than once in 10^49"
    ]


class Node(BaseMongoDbDocumentSchema):
    parent: Annotated[PyObjectId, Reference("nodes")]


def identifier(number):
    return ObjectId(number.to_bytes(12, "big"))


def test_one_dangling_reference_among_many_is_found(trial):
    schema = trial.schema(nodes=BaseCollectionSchema(document_schema=Node))
    structure.create_collections(trial.database, schema)
    for start in range(0, MANY, 10_000):
        rows = range(start, min(start + 10_000, MANY))
        trial.database.nodes.insert_many(
            [{"_id": identifier(n), "parent": identifier(n * 7919 % MANY)} for n in rows], ordered=False
        )
    lost = identifier(MANY * 2 // 3)
    trial.database.nodes.update_one({"_id": lost}, {"$set": {"parent": identifier(MANY)}})

    report = verify(trial.database, schema)

    assert report.collections["nodes"].documents == MANY
    assert [str(fault) for fault in report.faults] == [
        f"nodes _id {lost}: parent {identifier(MANY)} is in no nodes._id"
    ]
