"""Collections spread over a sharded cluster before they are loaded, by the schema's shard keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod import mongo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pymongo.database import Database

    from mimiod.schema_types import BaseMongoDbSchema

_CHUNKS_PER_SHARD = 2


def shard_collections(
    database: Database[dict[str, Any]],
    schema: BaseMongoDbSchema,
    sample: Callable[[str, int], Sequence[Mapping[str, Any]]],
) -> list[str]:
    """Shard the collections that have a shard key, split and spread while they are empty.

    `sample` returns about so many documents of a collection as they will be, evenly over its rows:
    the chunks of a ranged key begin at theirs. Returns what a server without sharding does not do, a
    line each.
    """
    wanted = {
        declared.collection_name: declared.shard_key
        for declared in schema.collections.values()
        if declared.shard_key
    }
    if not wanted:
        return []
    admin = database.client.admin
    if admin.command("hello").get("msg") != "isdbgrid":
        server = mongo.server(database.client)
        return [f"{server} has no sharding: collection {name!r} is loaded unsharded" for name in wanted]
    shards = [shard["_id"] for shard in admin.command("listShards")["shards"]]
    for name, key in wanted.items():
        points: list[dict[str, Any]] = []
        if "hashed" not in key.values():
            points = split_points(key, sample(name, 10 * _CHUNKS_PER_SHARD * len(shards)), len(shards))
        for command, namespace, arguments in commands(f"{database.name}.{name}", key, shards, points):
            admin.command(command, namespace, **arguments)
    return []


def commands(
    namespace: str, key: Mapping[str, int | str], shards: Sequence[str], points: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the commands that shard an empty collection: name, namespace, arguments.

    A hashed key is split by the server; a ranged one at `points`, whose chunks go to the shards in turn.
    """
    if "hashed" in key.values():
        chunks = _CHUNKS_PER_SHARD * len(shards)
        return [("shardCollection", namespace, {"key": dict(key), "numInitialChunks": chunks})]
    split = [("split", namespace, {"middle": dict(point)}) for point in points]
    moved = [
        ("moveChunk", namespace, {"find": dict(point), "to": shards[number % len(shards)]})
        for number, point in enumerate(points, start=1)
    ]
    return [("shardCollection", namespace, {"key": dict(key)}), *split, *moved]


def split_points(
    key: Mapping[str, int | str], documents: Sequence[Mapping[str, Any]], shards: int
) -> list[dict[str, Any]]:
    """Return keys that part the documents evenly; none where their keys have no order."""
    found = {tuple(_value_at(document, field) for field in key) for document in documents}
    try:
        values = sorted(found)
    except TypeError:
        return []
    chunks = min(_CHUNKS_PER_SHARD * shards, len(values))
    return [
        dict(zip(key, values[number * len(values) // chunks], strict=True)) for number in range(1, chunks)
    ]


def _value_at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
