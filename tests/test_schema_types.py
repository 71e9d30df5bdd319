"""The types with which a project describes its database."""

from typing import Annotated

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    IndexDefinition,
    IndexDirection,
    PyObjectId,
    Reference,
)
from mimiod.schema_types import references
from pydantic import BaseModel, Field, ValidationError

DIGITS = "0123456789abcdef01234567"


def test_directions_have_the_values_that_pymongo_takes():
    values = {direction.name: direction.value for direction in IndexDirection}

    assert values == {
        "ASCENDING": 1,
        "DESCENDING": -1,
        "TEXT": "text",
        "GEO2D": "2d",
        "GEO2DSPHERE": "2dsphere",
        "HASHED": "hashed",
    }


@pytest.mark.parametrize("given_id", [DIGITS, ObjectId(DIGITS), PyObjectId(DIGITS)])
def test_validate_makes_an_id(given_id):
    made = PyObjectId.validate(given_id)

    assert isinstance(made, PyObjectId)
    assert made == ObjectId(DIGITS)


@given(st.one_of(st.text(max_size=30), st.integers(), st.none(), st.binary(max_size=12)))
def test_validate_refuses_everything_else(value):
    if isinstance(value, str) and ObjectId.is_valid(value):
        return
    with pytest.raises(ValueError, match=r"^Invalid ObjectId$"):
        PyObjectId.validate(value)


def test_a_new_id_differs_from_the_last():
    assert PyObjectId() != PyObjectId()


class Author(BaseMongoDbDocumentSchema):
    name: str


def test_a_document_is_populated_by_name_and_by_alias():
    by_name = Author(id=DIGITS, name="Ann")
    by_alias = Author(_id=DIGITS, name="Ann")

    assert by_name == by_alias
    assert by_name.model_dump(by_alias=True) == {"_id": ObjectId(DIGITS), "name": "Ann"}
    assert by_name.model_dump_json() == f'{{"id":"{DIGITS}","name":"Ann"}}'


def test_a_document_without_an_id_gets_one():
    assert isinstance(Author(name="Ann").id, PyObjectId)


def test_a_bad_id_is_refused_with_its_field():
    with pytest.raises(ValidationError, match="Invalid ObjectId") as caught:
        Author(id="nonsense", name="Ann")

    assert caught.value.errors()[0]["loc"] == ("id",)


@pytest.mark.parametrize(
    "keys",
    [
        {"email": IndexDirection.ASCENDING, "created_at": IndexDirection.DESCENDING},
        {"email": 1, "created_at": -1},
        [("email", 1), ("created_at", IndexDirection.DESCENDING)],
        [["email", 1], ["created_at", -1]],
    ],
)
def test_keys_are_taken_as_mapping_or_pairs(keys):
    index = IndexDefinition(keys=keys)

    assert index.name == "email_1_created_at_-1"
    assert index.key_pairs() == [("email", 1), ("created_at", -1)]
    assert list(index.keys) == ["email", "created_at"]


def test_directions_stay_as_the_project_gave_them():
    index = IndexDefinition(keys={"a": IndexDirection.TEXT, "b": 1, "c": "hashed"})

    assert list(index.keys.items()) == [("a", IndexDirection.TEXT), ("b", 1), ("c", "hashed")]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"keys": {}}, "at least 1 item"),
        ({"keys": {"a": 2}}, "2 of 'a' is no direction"),
        ({"keys": {"a": "up"}}, "'up' of 'a' is no direction"),
        ({"keys": [("a", 1), ("a", -1)]}, "each field once"),
        ({"keys": {"a": 1, "b": 1}, "ttl_seconds": 60}, "index of one field"),
        ({"keys": {"a": 1}, "ttl_seconds": -1}, "greater than or equal to 0"),
        ({"keys": {"a": 1}, "sparse": True, "partial_filter": {"a": 1}}, "exclude each other"),
        ({"keys": {"a": 1}, "uniqe": True}, "Extra inputs are not permitted"),
    ],
)
def test_an_index_that_cannot_be_is_refused(arguments, complaint):
    with pytest.raises(ValidationError, match=complaint):
        IndexDefinition(**arguments)


def test_background_is_accepted_and_not_sent():
    assert IndexDefinition(keys={"a": 1}, background=True).options() == {"name": "a_1"}


def test_options_have_mongodbs_names():
    index = IndexDefinition(
        name="n", keys={"a": 1}, unique=True, hidden=True, ttl_seconds=0, collation={"locale": "en"}
    )

    assert index.options() == {
        "name": "n",
        "unique": True,
        "hidden": True,
        "expireAfterSeconds": 0,
        "collation": {"locale": "en"},
    }


def test_a_collection_takes_its_name_from_the_schema():
    schema = BaseMongoDbSchema(
        database_name="shop",
        collections={"authors": BaseCollectionSchema(json_schema={"bsonType": "object"})},
    )

    assert schema.collections["authors"].collection_name == "authors"
    assert schema.description == ""


def test_projects_subclass_collections_and_schemas_with_defaults():
    class Authors(BaseCollectionSchema):
        collection_name: str = "authors"
        document_schema: type[BaseModel] | None = Author
        indexes: list[IndexDefinition] = [IndexDefinition(keys={"name": 1})]

    class Shop(BaseMongoDbSchema):
        database_name: str = "shop"
        collections: dict[str, BaseCollectionSchema] = {"authors": Authors()}

    assert Shop().collections["authors"].indexes[0].name == "name_1"


def test_two_indexes_of_one_name_are_refused():
    twins = [IndexDefinition(name="n", keys={field: 1}) for field in "ab"]

    with pytest.raises(ValidationError, match="two indexes named 'n'"):
        BaseCollectionSchema(collection_name="c", indexes=twins)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a/b", "x" * 64, "a$b"])
def test_a_name_that_mongodb_refuses_is_refused(name):
    with pytest.raises(ValidationError, match="is no database name"):
        BaseMongoDbSchema(database_name=name, collections={})


class Line(BaseModel):
    product: Annotated[PyObjectId, Reference("products")]
    substitutes: list[Annotated[PyObjectId, Reference("products", why="few and fixed")]] = []


class Branch(BaseModel):
    keeper: Annotated[PyObjectId | None, Reference("people")] = None
    branches: list["Branch"] = []


class Order(BaseMongoDbDocumentSchema):
    customer: Annotated[PyObjectId, Reference("people")] = Field(alias="customer_id")
    lines: list[Line] = []
    notes: dict[str, Line] = {}
    gift: Line | None = None
    code: Annotated[str, Reference("coupons", field="code")] = ""
    branch: Branch = Branch()


def test_references_are_found_at_every_depth():
    found = {path: (mark.collection, mark.field) for path, mark in references(Order).items()}

    assert found == {
        "customer_id": ("people", "_id"),
        "lines.product": ("products", "_id"),
        "lines.substitutes": ("products", "_id"),
        "notes.*.product": ("products", "_id"),
        "notes.*.substitutes": ("products", "_id"),
        "gift.product": ("products", "_id"),
        "gift.substitutes": ("products", "_id"),
        "code": ("coupons", "code"),
        "branch.keeper": ("people", "_id"),
    }


def test_a_reference_to_no_collection_is_refused():
    with pytest.raises(
        ValidationError, match=r"orders\.customer_id refers to 'people', which is no collection"
    ):
        BaseMongoDbSchema(
            database_name="shop", collections={"orders": BaseCollectionSchema(document_schema=Order)}
        )
