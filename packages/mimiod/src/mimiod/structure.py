"""Collections, validators and indexes: made on a server as the schema says, and compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod import mongo, validators
from mimiod.errors import DuplicateKeysError, IndexConflictError
from mimiod.run_lock import mark_of

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition

_NAMESPACE_EXISTS = 48
_DUPLICATE_KEY = 11000
_REFUSED_BY_STAND_INS = frozenset({2, 9, 14, 59, 67, 72, 115, 197, 238, 303})
"BadValue, FailedToParse, TypeMismatch, CommandNotFound … with which stand-ins say that they cannot."

REFUSED = "refused"
"What the mark of a run calls the indexes that the server could not build, each as `as_kept` has it."

REFUSED_KEYWORDS = (
    "additionalProperties", "patternProperties", "minProperties", "maxProperties", "uniqueItems",
    "anyOf", "oneOf", "allOf", "not",
)  # fmt: skip
"Of a validator: what a stand-in may not know, and what it then is made without."


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
    """Return the `$jsonSchema` that a server validates a collection by.

    A time series has none: MongoDB refuses `validator`, `validationLevel` and `validationAction` beside
    `timeseries` (InvalidOptions; its own test of them is `jstests/core/timeseries/ddl/timeseries_create.js`).
    """
    return None if "timeseries" in collection.options else json_schema_of(collection)


def json_schema_of(collection: BaseCollectionSchema) -> dict[str, Any] | None:
    """Return the `$jsonSchema` of a collection's documents: its own, or their model's."""
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
        made, refused = create_collection(database, server, collection)
        (built.created if made else built.present).append(collection.collection_name)
        if refused:
            built.refused[collection.collection_name] = refused
    return built


def create_collection(
    database: Database[dict[str, Any]], server: mongo.Server, declared: BaseCollectionSchema
) -> tuple[bool, str]:
    """Make a collection, or give an existing one the validator of today.

    Returns whether it was made, and what a stand-in refuses of it, as a line.
    """
    name, options = declared.collection_name, declared.options
    rules = rules_of(declared)
    looser = looser_rules(rules)
    refused = ""
    for attempt, (wanted, given) in enumerate([(rules, options), (looser, options), (looser, {})]):
        try:
            made = _create_collection(database, name, wanted, given)
        except pymongo.errors.OperationFailure as exc:
            if attempt == 2 or not is_refused_by_stand_in(server, exc):  # noqa: PLR2004
                raise
            refused = (
                f"{server.stand_in} refuses parts of collection {name!r}, which is made without them: "
                f"{mongo.brief(exc)}"
            )
        else:
            return made, refused
    raise AssertionError


def set_rules(
    database: Database[dict[str, Any]], server: mongo.Server, name: str, rules: Mapping[str, Any]
) -> str:
    """Validate an existing collection by these rules; returns what a stand-in refuses of them, as a line."""
    try:
        database.command("collMod", name, **rules)
    except pymongo.errors.OperationFailure as exc:
        if not is_refused_by_stand_in(server, exc):
            raise
        database.command("collMod", name, **looser_rules(rules))
        return f"{server.stand_in} refuses parts of it, and has it without them: {mongo.brief(exc)}"
    return ""


def rules_of(declared: BaseCollectionSchema) -> dict[str, Any]:
    """Return what `create` and `collMod` take to validate a collection; nothing where nothing is declared."""
    wanted = validator_of(declared)
    if wanted is None:
        return {}
    return {
        "validator": {"$jsonSchema": wanted},
        "validationLevel": declared.validation_level,
        "validationAction": declared.validation_action,
    }


def looser_rules(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules without the keywords that a stand-in may refuse."""
    schema = rules.get("validator", {}).get("$jsonSchema")
    if schema is None:
        return dict(rules)
    looser = {"$jsonSchema": validators.without(schema, *REFUSED_KEYWORDS)}
    return {**rules, "validator": {**rules["validator"], **looser}}


def is_refused_by_stand_in(server: mongo.Server, exc: pymongo.errors.OperationFailure) -> bool:
    """Return whether a stand-in says that it cannot, where MongoDB could."""
    return server.stand_in is not None and exc.code in _REFUSED_BY_STAND_INS


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
                create_index(collection, index)
            except pymongo.errors.OperationFailure as exc:
                if not is_refused_by_stand_in(server, exc):
                    raise
                built.refused[where] = f"{server.stand_in} has no index {where}: {mongo.brief(exc)}"
            else:
                built.created.append(where)
    return built


def as_kept(refused: Mapping[str, str], schema: BaseMongoDbSchema) -> list[dict[str, str]]:
    """Return the indexes that a stand-in refused, as the mark of a run keeps them for `still_refused`."""
    return [
        {"index": where, "definition": definition, "said": refused[where]}
        for where, definition in _definitions(schema).items()
        if where in refused
    ]


def still_refused(database: Database[dict[str, Any]], schema: BaseMongoDbSchema) -> frozenset[str]:
    """Return the indexes, `collection.index`, that the server refused the last run, declared as they were."""
    declared = _definitions(schema)
    kept: Iterable[Mapping[str, str]] = mark_of(database).get(REFUSED, ())
    return frozenset(each["index"] for each in kept if declared.get(each["index"]) == each["definition"])


def create_index(collection: Collection[dict[str, Any]], index: IndexDefinition) -> None:
    """Make one index.

    Raises:
        DuplicateKeysError: the data under a unique index is not unique.
    """
    try:
        collection.database.command("createIndexes", collection.name, indexes=[definition_of(index)])
    except pymongo.errors.OperationFailure as exc:
        if exc.code != _DUPLICATE_KEY:
            raise
        found = duplicates(collection, index) or _named_duplicates(collection, index, exc)
        raise DuplicateKeysError(collection.name, index.name, found) from exc


def definition_of(index: IndexDefinition) -> dict[str, Any]:
    """Return an index as `createIndexes` takes it, and `listIndexes` has it."""
    return {"key": dict(index.key_pairs()), **index.options()}


def indexes_of(collection: Collection[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the indexes of a collection by name, each as `listIndexes` has it."""
    return {index["name"]: dict(index) for index in collection.list_indexes()}


def index_differences(wanted: IndexDefinition | Mapping[str, Any], existing: Mapping[str, Any]) -> list[str]:
    """Return how an existing index differs from the declared one, or from that of another database."""
    options = wanted if isinstance(wanted, Mapping) else definition_of(wanted)
    differences = []
    (have_keys, have_text), (want_keys, want_text) = _keys(existing), _keys(options)
    if have_text != want_text:
        differences.append(f"text over {sorted(have_text)}, declared {sorted(want_text)}")
    if have_keys != want_keys:
        differences.append(f"keys {have_keys}, declared {want_keys}")
    differences += [
        f"{flag} {bool(existing.get(flag))}, declared {bool(options.get(flag))}"
        for flag in ("unique", "sparse", "hidden")
        if bool(existing.get(flag)) != bool(options.get(flag))
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


def _definitions(schema: BaseMongoDbSchema) -> dict[str, str]:
    """Return every index as text, by `collection.index`: its keys may be no names of fields."""
    return {
        f"{declared.collection_name}.{index.name}": repr(definition_of(index))
        for declared in schema.collections.values()
        for index in declared.indexes
    }


def clear(database: Database[dict[str, Any]], schema: BaseMongoDbSchema) -> None:
    """Drop the collections of the schema, and no others."""
    for collection in schema.collections.values():
        database.drop_collection(collection.collection_name)


def _keys(index: Mapping[str, Any]) -> tuple[list[tuple[str, int | str]], set[str]]:
    """Return the keys of an index in order, and apart from them the fields of its text.

    A server keeps these as `_fts` and `_ftsx`, and their names among the weights.
    """
    pairs = [(name, kind if isinstance(kind, str) else int(kind)) for name, kind in index["key"].items()]
    text = {name for name, kind in pairs if kind == "text"}
    if not text:
        return pairs, text
    plain = [pair for pair in pairs if pair[0] not in text | {"_ftsx"}]
    return plain, text - {"_fts"} | set(index.get("weights", {}))


def _create_collection(
    database: Database[dict[str, Any]], name: str, rules: Mapping[str, Any], options: Mapping[str, Any]
) -> bool:
    """Make a collection, or give an existing one the validator; returns whether it was made."""
    try:
        database.command("create", name, **options, **rules)
    except pymongo.errors.OperationFailure as exc:
        if exc.code != _NAMESPACE_EXISTS:
            raise
        if rules:
            database.command("collMod", name, **rules)
        return False
    return True


def duplicates(collection: Collection[dict[str, Any]], index: IndexDefinition) -> list[dict[str, Any]]:
    """Return up to ten keys that stand in more than one document, each with the ids of five.

    Whole values are compared: keys that meet inside arrays, or by a collation, are not found.
    """
    fields = list(index.keys)
    groups = collection.aggregate(
        [
            *([{"$match": index.partial_filter}] if index.partial_filter else []),
            *([{"$match": {"$or": [{name: {"$exists": True}} for name in fields]}}] if index.sparse else []),
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
    return [
        {
            "key": {name: group["_id"].get(str(position)) for position, name in enumerate(fields)},
            "ids": group["ids"][:5],
            "count": group["count"],
        }
        for group in groups
    ]


def _named_duplicates(
    collection: Collection[dict[str, Any]], index: IndexDefinition, exc: pymongo.errors.OperationFailure
) -> list[dict[str, Any]]:
    """Return the one key that the server itself names."""
    key = (exc.details or {}).get("keyValue")
    if not key:
        return []
    documents = list(collection.find(key, {"_id": 1}, collation=index.collation).limit(5))
    return [{"key": dict(key), "ids": [each["_id"] for each in documents], "count": len(documents)}]
