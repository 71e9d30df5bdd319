"""Collections and indexes: made as declared, made once, and differences told."""

import pytest
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    DuplicateKeysError,
    IndexConflictError,
    IndexDefinition,
    IndexDirection,
    mongo,
    structure,
)
from pydantic import ConfigDict
from pymongo.errors import WriteError

EVERY_KIND = [
    IndexDefinition(keys={"a": 1}),
    IndexDefinition(keys={"b": IndexDirection.DESCENDING, "c": 1}, unique=True, background=True),
    IndexDefinition(keys={"d": 1}, sparse=True),
    IndexDefinition(keys={"e": 1}, ttl_seconds=3600),
    IndexDefinition(keys={"f": 1}, partial_filter={"g": {"$gt": 1}}),
    IndexDefinition(keys={"h": 1}, collation={"locale": "en", "strength": 2}),
    IndexDefinition(keys={"i": 1}, hidden=True),
    IndexDefinition(keys={"place": "2dsphere"}),
    IndexDefinition(keys={"spot": "2d"}, bits=20),
    IndexDefinition(keys={"k": "hashed"}),
    IndexDefinition(keys={"l": "text", "m": "text"}, weights={"l": 3}, default_language="german"),
    IndexDefinition(keys={"$**": 1}, wildcard_projection={"n": 1}),
]


class Named(BaseMongoDbDocumentSchema):
    name: str


class Exact(BaseMongoDbDocumentSchema):
    model_config = ConfigDict(extra="forbid")

    name: str


def test_every_kind_of_index_is_built_once_and_as_declared(trial):
    schema = trial.schema(things=BaseCollectionSchema(indexes=EVERY_KIND))

    first = structure.create_indexes(trial.database, schema)
    second = structure.create_indexes(trial.database, schema)

    assert [*first.created, *first.refused] != []
    assert set(first.created) | set(first.refused) == {f"things.{index.name}" for index in EVERY_KIND}
    assert (second.created, second.present) == ([], first.created)
    existing = structure.indexes_of(trial.database.things)
    built = [index for index in EVERY_KIND if f"things.{index.name}" in first.created]
    assert [structure.index_differences(index, existing[index.name]) for index in built] == [[]] * len(built)


def test_only_a_stand_in_may_refuse_an_index(trial):
    schema = trial.schema(things=BaseCollectionSchema(indexes=EVERY_KIND))

    refused = structure.create_indexes(trial.database, schema).refused

    stand_in = mongo.server(trial.database.client).stand_in
    assert all(stand_in is not None and line.startswith(stand_in) for line in refused.values())


@pytest.mark.parametrize(
    ("declared", "difference"),
    [
        (IndexDefinition(name="n", keys={"a": -1}), "keys"),
        (IndexDefinition(name="n", keys={"a": 1, "b": 1}), "keys"),
        (IndexDefinition(name="n", keys={"a": 1}, unique=True), "unique False, declared True"),
        (IndexDefinition(name="n", keys={"a": 1}, sparse=True), "sparse"),
        (IndexDefinition(name="n", keys={"a": 1}, hidden=True), "hidden"),
        (IndexDefinition(name="n", keys={"a": 1}, ttl_seconds=5), "expireAfterSeconds None, declared 5"),
        (IndexDefinition(name="n", keys={"a": 1}, partial_filter={"a": 1}), "partialFilterExpression"),
        (IndexDefinition(name="n", keys={"a": 1}, collation={"locale": "de"}), "collation"),
    ],
)
def test_an_index_that_exists_otherwise_is_a_conflict_that_says_how(trial, declared, difference):
    trial.database.things.create_index([("a", 1)], name="n")

    with pytest.raises(IndexConflictError, match=f"index 'n' on 'things' exists and differs .*{difference}"):
        structure.create_indexes(
            trial.database, trial.schema(things=BaseCollectionSchema(indexes=[declared]))
        )


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (IndexDefinition(keys={"a": 1}, unique=True), [{"key": {"a": 1}, "ids": [1, 2, 3], "count": 3}]),
        (IndexDefinition(keys={"a": 1, "b": 1}, unique=True), [
            {"key": {"a": 1, "b": "x"}, "ids": [1, 2], "count": 2},
        ]),
        (IndexDefinition(keys={"s": 1}, unique=True, sparse=True), [
            {"key": {"s": 9}, "ids": [2, 4], "count": 2},
        ]),
        (IndexDefinition(keys={"a": 1}, unique=True, partial_filter={"b": "x"}), [
            {"key": {"a": 1}, "ids": [1, 2], "count": 2},
        ]),
    ],
)  # fmt: skip
def test_a_unique_index_over_duplicates_answers_with_them(trial, index, expected):
    trial.database.things.insert_many(
        [
            {"_id": 1, "a": 1, "b": "x"},
            {"_id": 2, "a": 1, "b": "x", "s": 9},
            {"_id": 3, "a": 1, "b": "y"},
            {"_id": 4, "a": 2, "b": "x", "s": 9},
        ]
    )

    with pytest.raises(DuplicateKeysError, match="cannot be built over duplicates") as caught:
        structure.create_indexes(trial.database, trial.schema(things=BaseCollectionSchema(indexes=[index])))

    found = [{**each, "ids": sorted(each["ids"])} for each in caught.value.duplicates]
    assert found == expected
    assert f"in {expected[0]['count']} documents" in str(caught.value)


def test_collections_get_the_validator_of_today(trial):
    loose = trial.schema(things=BaseCollectionSchema(document_schema=Named, validation_action="warn"))
    strict = trial.schema(things=BaseCollectionSchema(document_schema=Named))

    assert structure.create_collections(trial.database, loose).created == ["things"]
    assert structure.create_collections(trial.database, strict).present == ["things"]

    with pytest.raises(WriteError):
        trial.database.things.insert_one({"name": 1})
    trial.database.things.insert_one({"name": "one"})


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_json_schema_takes_the_place_of_the_models(trial, wrapped):
    own = {"required": ["size"]}
    collection = BaseCollectionSchema(json_schema={"$jsonSchema": own} if wrapped else own)

    structure.create_collections(trial.database, trial.schema(things=collection))

    assert trial.database.things.options()["validator"] == {"$jsonSchema": own}


def test_collection_options_are_passed_on(trial):
    capped = BaseCollectionSchema(options={"capped": True, "size": 4096})

    refused = structure.create_collections(trial.database, trial.schema(log=capped)).refused

    assert trial.database.log.options().get("capped") is True or "log" in refused


@pytest.mark.parametrize("own", [{"document_schema": Named}, {"json_schema": {"required": ["name"]}}])
def test_a_time_series_is_made_without_the_validator_that_mongodb_refuses(trial, own):
    series = BaseCollectionSchema(options={"timeseries": {"timeField": "at"}}, **own)

    structure.create_collections(trial.database, trial.schema(things=series))

    assert structure.rules_of(series) == {}
    assert not trial.database.things.options().keys() & {"validator", "validationLevel", "validationAction"}


def test_what_a_server_refuses_of_a_validator_is_told_and_the_rest_stands(trial):
    schema = trial.schema(things=BaseCollectionSchema(document_schema=Exact))

    refused = structure.create_collections(trial.database, schema).refused

    validator = trial.database.things.options()["validator"]["$jsonSchema"]
    assert validator["required"] == ["name"]
    assert ("additionalProperties" in validator) == (refused == {})


def test_clear_drops_the_schemas_collections_and_no_others(trial):
    trial.database.things.insert_one({})
    trial.database.others.insert_one({})

    structure.clear(trial.database, trial.schema(things=BaseCollectionSchema()))

    assert trial.database.list_collection_names() == ["others"]
