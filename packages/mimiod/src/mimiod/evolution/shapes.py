"""The shape of a database: its collections without their documents, as declared or as a server has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod import mongo, structure
from mimiod.run_lock import COLLECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.database import Database

    from mimiod.schema_types import BaseMongoDbSchema

_RULES = ("validator", "validationLevel", "validationAction")
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
            shard_key=_shard_key(database, name) if shards else None,
        )
    return Shape(shapes, server, shards)


def _indexes(database: Database[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    return {
        index: definition
        for index, definition in structure.indexes_of(database[name]).items()
        if index != "_id_" and not definition.get("clustered")
    }


def _shard_key(database: Database[dict[str, Any]], name: str) -> dict[str, Any] | None:
    sharded = database.client["config"]["collections"].find_one({"_id": f"{database.name}.{name}"})
    return dict(sharded["key"]) if sharded and "key" in sharded else None
