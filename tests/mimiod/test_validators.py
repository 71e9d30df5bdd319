"""The validator of a model: the server refuses what pydantic refuses, and nothing else."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from bson import ObjectId
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    PyObjectId,
    Reference,
    structure,
    validators,
)
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

ANY = {"a": "objectId"}


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Part(BaseModel):
    code: str
    count: int = Field(ge=1)


class Node(BaseModel):
    children: list["Node"] = []


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, {"bsonType": ["int", "long"]}),
        (float, {"bsonType": ["double", "int", "long"]}),
        (str, {"bsonType": "string"}),
        (bool, {"bsonType": "bool"}),
        (datetime, {"bsonType": "date"}),
        (date, {"bsonType": "date"}),
        (bytes, {"bsonType": "binData"}),
        (PyObjectId, {"bsonType": "objectId"}),
        (Annotated[PyObjectId, Reference("x")], {"bsonType": "objectId"}),
        (PyObjectId | None, {"bsonType": ["objectId", "null"]}),
        (int | None, {"bsonType": ["int", "long", "null"]}),
        (int | str, {"bsonType": ["int", "long", "string"]}),
        (Any, {}),
        (Any | None, {}),
        (Size, {"bsonType": "string", "enum": ["small", "large"]}),
        (Size | None, {"bsonType": ["string", "null"], "enum": ["small", "large", None]}),
        (Literal["a"], {"bsonType": "string", "enum": ["a"]}),
        (list[int], {"bsonType": "array", "items": {"bsonType": ["int", "long"]}}),
        (list[Any], {"bsonType": "array"}),
        (dict[str, Any], {"bsonType": "object"}),
        (dict[str, int], {"bsonType": "object", "additionalProperties": {"bsonType": ["int", "long"]}}),
        (Annotated[int, Field(gt=0, le=9)], {
            "bsonType": ["int", "long"], "minimum": 0, "exclusiveMinimum": True, "maximum": 9,
        }),
        (Annotated[Decimal, Field(ge=0)], {"bsonType": ["decimal", "double", "int", "long"], "minimum": 0.0}),
        (Annotated[list[str], Field(max_length=3)], {
            "bsonType": "array", "items": {"bsonType": "string"}, "maxItems": 3,
        }),
        (Annotated[str, Field(min_length=1, max_length=5, pattern="^a")], {
            "bsonType": "string", "minLength": 1, "maxLength": 5, "pattern": "^a",
        }),
    ],
)  # fmt: skip
def test_a_type_becomes_bsons(annotation, expected):
    model = type("Model", (BaseModel,), {"__annotations__": {"field": annotation}})

    assert validators.json_schema(model)["properties"]["field"] == expected


def _itself(value):
    return value


@pytest.mark.parametrize(
    ("annotation", "bounds"),
    [
        (Annotated[int, BeforeValidator(_itself), Field(ge=1, lt=9, multiple_of=2)], {
            "minimum": 1, "maximum": 9, "exclusiveMaximum": True, "multipleOf": 2,
        }),
        (Annotated[float, BeforeValidator(_itself), Field(gt=1)] | None, {
            "minimum": 1, "exclusiveMinimum": True,
        }),
        (Annotated[str, BeforeValidator(_itself), Field(min_length=1)], {"minLength": 1}),
        (Annotated[list[int], BeforeValidator(_itself), Field(max_length=2)], {"maxItems": 2}),
        (Annotated[dict[str, Any], BeforeValidator(_itself), Field(max_length=2)], {"maxProperties": 2}),
        (Annotated[Decimal, Field(ge=1, multiple_of=2)], {"minimum": 1, "multipleOf": 2}),
    ],
)  # fmt: skip
def test_a_bound_behind_a_function_is_a_bound(annotation, bounds):
    model = type("Model", (BaseModel,), {"__annotations__": {"field": annotation}})

    assert bounds.items() <= validators.json_schema(model)["properties"]["field"].items()


def test_fields_without_default_are_required_by_the_name_they_are_stored_under():
    class Model(BaseMongoDbDocumentSchema):
        first: str = Field(alias="1st")
        second: int = 2

    assert validators.json_schema(Model)["required"] == ["1st"]


def test_a_model_that_forbids_extras_still_admits_an_id():
    made = validators.json_schema(Leaf)

    assert made["additionalProperties"] is False
    assert made["properties"]["_id"] == {}


def test_a_model_that_contains_itself_is_described_to_a_depth():
    made = validators.json_schema(Node)

    assert "$ref" not in str(made)
    assert made["properties"]["children"]["items"]["properties"]["children"]["items"] == {
        "bsonType": "object"
    }


def test_without_loosens_at_every_depth_and_keeps_fields_of_that_name():
    schema = {
        "additionalProperties": False,
        "properties": {"not": {"bsonType": "string"}, "a": {"items": {"additionalProperties": False}}},
    }

    assert validators.without(schema, "additionalProperties", "not") == {
        "properties": {"not": {"bsonType": "string"}, "a": {"items": {}}}
    }


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: int = Field(alias="_id")
    whole: int = Field(ge=-3, lt=4)
    real: float | None = Field(default=None, gt=0)
    text: str = Field(default="ab", min_length=1, max_length=3)
    flag: bool = False
    moment: datetime | None = None
    owner: PyObjectId | None = None
    parts: list[Part] = Field(default=[], max_length=2)
    best: Part | None = None
    either: int | str = 0
    kind: Literal["x", "y"] | None = None
    counts: dict[str, int] = {}
    free: dict[str, Any] = {}


PART = {"code": "c", "count": 1}
VALUES = [
    *(None, True, False, -4, -3, 0, 1, 3, 4, 2**40, 0.0, 0.5, -1.5, "", "a", "abc", "abcd", "x", "z"),
    *(b"x", ObjectId("0123456789abcdef01234567"), datetime(2026, 1, 1, tzinfo=UTC)),
    *({}, PART, {"code": "c"}, {"code": "c", "count": 0}, {"code": 1, "count": 1}, PART | {"more": 1}),
    *({"p": 1}, {"p": 1, "q": "x"}, {"p": None}),
    *([], [PART], [PART, PART], [PART, PART, PART], [PART, {}], [None], [1], ["a"]),
]
FIELDS = [field.alias or name for name, field in Everything.model_fields.items() if name != "id"]


def _is_accepted_by_pydantic(document):
    # Strictly, but for ids: a field for them takes text too, which a database is not to hold.
    try:
        Everything.model_validate(document)
    except ValidationError:
        return False
    return not isinstance(document.get("owner"), str)


def test_server_and_pydantic_agree_on_every_value_of_every_field(trial):
    schema = trial.schema(everything=BaseCollectionSchema(document_schema=Everything))
    refused = structure.create_collections(trial.database, schema).refused
    changes = [{}, *({field: value} for field in [*FIELDS, "stranger"] for value in VALUES)]
    documents = [{"_id": number, "whole": 1, **change} for number, change in enumerate(changes)]
    del documents[0]["whole"]
    collection = trial.database.everything
    trial.database.command("collMod", "everything", validationLevel="off")
    collection.insert_many(documents)

    found = collection.find(collection.options()["validator"], {"_id": 1})

    accepted = [documents[each["_id"]] for each in found]
    expected = [document for document in documents if _is_accepted_by_pydantic(document)]
    if refused:  # a stand-in that knows less may be looser, never stricter
        assert all(document in accepted for document in expected)
    else:
        assert accepted == expected
