"""Collections, validators and indexes: made on a server as the schema says, and compared with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod import mongo, validators
from mimiod.errors import DuplicateKeysError, IndexConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.collection import Collection
    from pymongo.database import Database

    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition

_NAMESPACE_EXISTS = 48
_DUPLICATE_KEY = 11000
_REFUSED_BY_STAND_INS = frozenset({2, 9, 14, 59, 67, 72, 115, 197, 238, 303})
"BadValue, FailedToParse, TypeMismatch, CommandNotFound … with which stand-ins say that they cannot."

_REFUSED_KEYWORDS = (
    "additionalProperties", "patternProperties", "minProperties", "maxProperties", "uniqueItems",
    "anyOf", "oneOf", "allOf", "not",
)  # fmt: skip


@dataclass
class Built:
    """What was made, and what the server could not."""

    created: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    "Already there, and as declared."
    refused: dict[str, str] = field(default_factory=dict)
    """What a stand-in for MongoDB could not make, `collection` or `collection.index`, and a line that
    says so. The refusal of a MongoDB server is an error."""


def validator_of(collection: BaseCollectionSchema) -> dict[str, Any] | None:
    """Return the `$jsonSchema` of a collection: its own, or the one of its documents."""
    if collection.json_schema is not None:
        whole: dict[str, Any] = collection.json_schema
        inner: dict[str, Any] = whole.get("$jsonSchema", whole)
        return inner
    if collection.document_schema is not None:
        return validators.json_schema(collection.document_schema)
    return None


def create_collections(database: Database[dict[str, Any]], schema: BaseMongoDbSchema) -> Built:
    """Make the collections with their validators; those that exist get the validator of today."""
    built = Built()
    server = mongo.server(database.client)
    for collection in schema.collections.values():
        name, wanted = collection.collection_name, validator_of(collection)
        looser = validators.without(wanted, *_REFUSED_KEYWORDS) if wanted is not None else None
        attempts = [(wanted, collection.options), (looser, collection.options), (looser, {})]
        for attempt, (rules, options) in enumerate(attempts):
            try:
                made = _create_collection(database, collection, rules, options)
            except pymongo.errors.OperationFailure as exc:
                stands_in = server.stand_in is not None and exc.code in _REFUSED_BY_STAND_INS
                if not stands_in or attempt == len(attempts) - 1:
                    raise
                built.refused[name] = (
                    f"{server.stand_in} refuses parts of collection {name!r}, which is made without them: "
                    f"{mongo.brief(exc)}"
                )
            else:
                (built.created if made else built.present).append(name)
                break
    return built


def create_indexes(database: Database[dict[str, Any]], schema: BaseMongoDbSchema) -> Built:
    """Make the indexes that are missing.

    Raises:
        DuplicateKeysError: the data under a unique index is not unique.
        IndexConflictError: an index of that name exists with other keys or options.
    """
    built = Built()
    server = mongo.server(database.client)
    for declared in schema.collections.values():
        collection = database[declared.collection_name]
        existing = indexes_of(collection)
        for index in declared.indexes:
            where = f"{collection.name}.{index.name}"
            if index.name in existing:
                if differences := index_differences(index, existing[index.name]):
                    raise IndexConflictError(collection.name, index.name, differences)
                built.present.append(where)
                continue
            try:
                _create_index(collection, index)
            except pymongo.errors.OperationFailure as exc:
                if exc.code == _DUPLICATE_KEY:
                    duplicates = _duplicates(collection, index, exc)
                    raise DuplicateKeysError(collection.name, index.name, duplicates) from exc
                if server.stand_in is None or exc.code not in _REFUSED_BY_STAND_INS:
                    raise
                built.refused[where] = f"{server.stand_in} has no index {where}: {mongo.brief(exc)}"
            else:
                built.created.append(where)
    return built


def indexes_of(collection: Collection[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the indexes of a collection by name, each as `listIndexes` has it."""
    return {index["name"]: dict(index) for index in collection.list_indexes()}


def index_differences(wanted: IndexDefinition, existing: Mapping[str, Any]) -> list[str]:
    """Return how an existing index differs from the declared one, a line each."""
    differences = []
    have_keys, want_keys = _keys(existing), wanted.key_pairs()
    text_fields = {name for name, kind in want_keys if kind == "text"}
    if text_fields:
        # A text index is stored under _fts and _ftsx, its fields among the weights.
        have_keys = [(name, kind) for name, kind in have_keys if name not in {"_fts", "_ftsx"}]
        want_keys = [(name, kind) for name, kind in want_keys if kind != "text"]
        have_text = set(existing.get("weights", {}))
        if have_text != text_fields:
            differences.append(f"text over {sorted(have_text)}, declared {sorted(text_fields)}")
    if have_keys != want_keys:
        differences.append(f"keys {have_keys}, declared {want_keys}")
    options = wanted.options()
    differences += [
        f"{flag} {bool(existing.get(flag))}, declared {flag in options}"
        for flag in ("unique", "sparse", "hidden")
        if bool(existing.get(flag)) != (flag in options)
    ]
    differences += [
        f"{option} {existing.get(option)}, declared {options.get(option)}"
        for option in ("expireAfterSeconds", "partialFilterExpression")
        if existing.get(option) != options.get(option)
    ]
    # Servers fill in what these leave out, so the parts that were declared are what is compared.
    for option in ("collation", "wildcardProjection", "weights"):
        have, want = existing.get(option) or {}, options.get(option) or {}
        implied = option == "weights" or (option == "wildcardProjection" and want)
        if {part: have.get(part) for part in want or ({} if implied else have)} != want:
            differences.append(f"{option} {dict(have)}, declared {want}")
    differences += [
        f"{option} {existing.get(option)}, declared {options[option]}"
        for option in ("default_language", "language_override", "bits", "min", "max")
        if option in options and existing.get(option) != options[option]
    ]
    return differences


def clear(database: Database[dict[str, Any]], schema: BaseMongoDbSchema) -> None:
    """Drop the collections of the schema, and no others."""
    for collection in schema.collections.values():
        database.drop_collection(collection.collection_name)


def _keys(existing: Mapping[str, Any]) -> list[tuple[str, int | str]]:
    return [(name, kind if isinstance(kind, str) else int(kind)) for name, kind in existing["key"].items()]


def _create_collection(
    database: Database[dict[str, Any]],
    collection: BaseCollectionSchema,
    wanted: dict[str, Any] | None,
    options: Mapping[str, Any],
) -> bool:
    """Make a collection, or give an existing one the validator; returns whether it was made."""
    rules: dict[str, Any] = {}
    if wanted is not None:
        rules = {
            "validator": {"$jsonSchema": wanted},
            "validationLevel": collection.validation_level,
            "validationAction": collection.validation_action,
        }
    try:
        database.command("create", collection.collection_name, **options, **rules)
    except pymongo.errors.OperationFailure as exc:
        if exc.code != _NAMESPACE_EXISTS:
            raise
        if rules:
            database.command("collMod", collection.collection_name, **rules)
        return False
    return True


def _create_index(collection: Collection[dict[str, Any]], index: IndexDefinition) -> None:
    definition = {"key": dict(index.key_pairs()), **index.options()}
    collection.database.command("createIndexes", collection.name, indexes=[definition])


def _duplicates(
    collection: Collection[dict[str, Any]], index: IndexDefinition, exc: pymongo.errors.OperationFailure
) -> list[dict[str, Any]]:
    """Return up to ten keys that stand in more than one document, each with the ids of five."""
    fields = list(index.keys)
    groups = collection.aggregate(
        [
            *([{"$match": index.partial_filter}] if index.partial_filter else []),
            *([{"$match": {name: {"$exists": True} for name in fields}}] if index.sparse else []),
            {
                "$group": {
                    "_id": {str(position): f"${name}" for position, name in enumerate(fields)},
                    "ids": {"$push": "$_id"},
                    "count": {"$sum": 1},
                }
            },
            {"$match": {"count": {"$gt": 1}}},
            {"$sort": {"count": -1, "_id": 1}},
            {"$limit": 10},
        ],
        allowDiskUse=True,
    )
    found = [
        {
            "key": {name: group["_id"].get(str(position)) for position, name in enumerate(fields)},
            "ids": group["ids"][:5],
            "count": group["count"],
        }
        for group in groups
    ]
    # Grouping compares whole values: keys that meet inside arrays, or by a collation, only the server names.
    key = (exc.details or {}).get("keyValue")
    if not found and key:
        documents = list(collection.find(key, {"_id": 1}, collation=index.collation).limit(5))
        found = [{"key": dict(key), "ids": [each["_id"] for each in documents], "count": len(documents)}]
    return found
