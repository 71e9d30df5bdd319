"""The shape of a database: its collections without their documents, as declared or as a server has them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod import mongo, structure
from mimiod.run_lock import COLLECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.database import Database

    from mimiod.schema_types import BaseMongoDbSchema

_RULES = ("validator", "validationLevel", "validationAction")
_UNAUTHORIZED = 13
_NO_OPTIONS = ("uuid", "autoIndexId", "idIndex")


@dataclass(frozen=True)
class CollectionShape:
    """A collection without its documents."""

    options: Mapping[str, Any] = field(default_factory=dict)
    "What `create` takes beside the validator."
    validator: Mapping[str, Any] = field(default_factory=dict)
    "Empty where there is none."
    level: str = "strict"
    action: str = "error"
    indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    "By name, each as `createIndexes` takes it; without that of `_id`."
    shard_key: Mapping[str, int | str] | None = None

    @property
    def is_view(self) -> bool:
        """Whether it is a view of others, and has no documents of its own."""
        return "viewOn" in self.options

    @property
    def rules(self) -> dict[str, Any]:
        """What `collMod` takes to validate the documents as here."""
        return {"validator": self.validator, "validationLevel": self.level, "validationAction": self.action}


@dataclass(frozen=True)
class Shape:
    """A database without its documents."""

    collections: Mapping[str, CollectionShape]
    server: mongo.Server | None = None
    "Whose it is; None for a schema, which is nobody's yet."
    shards: bool = False
    "Whether its collections can be sharded."


def declared(schema: BaseMongoDbSchema) -> Shape:
    """Return the shape that a schema asks for."""
    shapes = {}
    for collection in schema.collections.values():
        validated = structure.rules_of(collection)
        shapes[collection.collection_name] = CollectionShape(
            options=collection.options,
            validator=validated.get("validator", {}),
            level=validated.get("validationLevel", "strict"),
            action=validated.get("validationAction", "error"),
            indexes={index.name: structure.definition_of(index) for index in collection.indexes},
            shard_key=collection.shard_key,
        )
    return Shape(shapes, shards=True)


def live(database: Database[dict[str, Any]]) -> Shape:
    """Return the shape of a database on a server, without the collections of the server and of Mimiod."""
    server = mongo.server(database.client)
    shards = server.stand_in is None and database.client.admin.command("hello").get("msg") == "isdbgrid"
    keys = _shard_keys(database) if shards else {}
    shapes = {}
    for info in database.list_collections():
        name = info["name"]
        if name.startswith("system.") or name == COLLECTION:
            continue
        options = dict(info.get("options", {}))
        shapes[name] = CollectionShape(
            options={key: value for key, value in options.items() if key not in {*_RULES, *_NO_OPTIONS}},
            validator=options.get("validator") or {},
            level=options.get("validationLevel", "strict"),
            action=options.get("validationAction", "error"),
            indexes={} if info.get("type") == "view" else _indexes(database, name),
            shard_key=(keys or {}).get(name),
        )
    return Shape(shapes, server, shards and keys is not None)


def _indexes(database: Database[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    return {
        index: definition
        for index, definition in structure.indexes_of(database[name]).items()
        if index != "_id_" and not definition.get("clustered")
    }


def _shard_keys(database: Database[dict[str, Any]]) -> dict[str, dict[str, Any]] | None:
    """Return the shard keys by collection; None to a user who may not read them."""
    before = f"{database.name}."
    named = {"_id": {"$regex": f"^{re.escape(before)}"}}
    try:
        sharded = list(database.client["config"]["collections"].find(named))
    except pymongo.errors.OperationFailure as exc:
        if exc.code == _UNAUTHORIZED:
            return None
        raise
    return {each["_id"].removeprefix(before): dict(each["key"]) for each in sharded if "key" in each}
