"""Rules on shard keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimiod.checking.rules.context import equalities, filter_of
from mimiod.checking.rules.indexes import may_be_missing
from mimiod.checking.rules.registry import Threshold, rule
from mimiod.checking.rules.values import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.checking.rules.context import Context
    from mimiod.checking.rules.registry import Found
    from mimiod.checking.rules.shape import Shape
    from mimiod.schema_types import BaseCollectionSchema

_FEW = Threshold("different values of the shard key", 100)
_FREQUENT = Threshold("documents with one value of the shard key", 20, "percent")
_SCATTERED = Threshold("queries that do not name the shard key", 50, "percent of those asked")
_ENOUGH_DOCUMENTS = 1_000

_CHOOSE = "core/sharding-choose-a-shard-key/"
_COUNTERS = frozenset({"seq", "sequence", "serial", "counter"})


@rule(
    "shard-key-field",
    "error",
    "schema",
    "a shard key that documents do not have, or of an array",
    reason="Documents without the field all lie in one chunk; an array cannot be a shard key at all.",
    example='`shard_key={"tags": 1}` where `tags` is an array',
    mend="choose a field that every document has, with one value",
    page="core/sharding-shard-key/",
)
def _shard_key_field(context: Context) -> Iterator[Found]:
    for name, collection, shape in _sharded(context):
        hashed = [path for path, kind in (collection.shard_key or {}).items() if kind == "hashed"]
        if len(hashed) > 1:
            yield name, "a shard key has one hashed field"
        for path in collection.shard_key or {}:
            field = shape.get(path)
            if not shape.has(path):
                yield f"{name}.{path}", "it is in the shard key, and the documents do not have it"
            elif field is not None and field.arrays:
                yield f"{name}.{path}", "it is in the shard key, and an array"


@rule(
    "shard-key-optional",
    "warning",
    "schema",
    "a shard key that may be missing",
    reason="All documents without the field count as null and lie in one chunk, which cannot be split.",
    example='`shard_key={"region": 1}` where `region: str | None`',
    mend="require the field",
    page="core/sharding-shard-key/",
)
def _shard_key_optional(context: Context) -> Iterator[Found]:
    for name, collection, shape in _sharded(context):
        for path in collection.shard_key or {}:
            field = shape.get(path)
            if path != "_id" and field is not None and not field.arrays and may_be_missing(shape, path):
                yield f"{name}.{path}", "it is in the shard key, and may be missing"


@rule(
    "shard-key-monotonic",
    "warning",
    "schema",
    "a shard key that grows with time",
    reason="All new documents fall into the last chunk: one shard takes every insertion.",
    example='`shard_key={"created_at": 1}`, or `{"_id": 1}` with ObjectIds',
    mend="hash the field, or put another before it",
    page=_CHOOSE,
)
def _shard_key_monotonic(context: Context) -> Iterator[Found]:
    for name, collection, shape in _sharded(context):
        path, kind = next(iter((collection.shard_key or {}).items()))
        field = shape.get(path)
        types = field.value_types if field else frozenset({"objectId"} if path == "_id" else ())
        grows = "date" in types or (path == "_id" and "objectId" in types)
        counts = bool(set(words(path.rpartition(".")[2])) & _COUNTERS) and bool(types & {"int", "long"})
        if kind != "hashed" and (grows or counts):
            yield f"{name}.{path}", "it begins the shard key and grows with time"


@rule(
    "shard-key-cardinality",
    "error",
    "schema data",
    "a shard key with few values",
    reason="Documents with one value cannot be parted, so there are never more chunks than values.",
    example='`shard_key={"status": 1}`',
    mend="add a field with many values to the key",
    page=_CHOOSE,
    threshold=_FEW,
)
def _shard_key_cardinality(context: Context) -> Iterator[Found]:
    for name, collection, shape in _sharded(context):
        product = 1.0
        for path in collection.shard_key or {}:
            field, facts = shape.get(path), context.facts_of(name, path)
            values = field.values if field else None
            if values is None and facts and facts[0].documents >= _ENOUGH_DOCUMENTS:
                values = facts[1].distinct
            product *= _FEW.value if values is None else values
        if product < _FEW.value:
            yield name, f"its shard key has {product:.0f} different values"


@rule(
    "shard-key-frequency",
    "warning",
    "data",
    "a shard key of which one value is very common",
    reason="All documents with the common value lie in one chunk, which no balancer can part.",
    example="half of all orders are of one wholesale customer",
    mend="add a field that parts the documents of the common value",
    page=_CHOOSE,
    threshold=_FREQUENT,
)
def _shard_key_frequency(context: Context) -> Iterator[Found]:
    for name, collection, _ in _sharded(context):
        found = [context.facts_of(name, path) for path in collection.shard_key or {}]
        known = [each for each in found if each is not None and each[0].documents >= _ENOUGH_DOCUMENTS]
        shares = [100 * paths.most_common / whole.documents for whole, paths in known]
        if len(shares) == len(found) and min(shares) > _FREQUENT.value:
            yield name, f"one value of its shard key stands in {min(shares):.0f} % of the documents"


@rule(
    "shard-key-unique",
    "error",
    "schema",
    "a unique index that does not begin with the shard key",
    reason="A shard checks uniqueness among its own documents only, so MongoDB refuses such an index.",
    example="`email` unique on customers sharded by `region`",
    mend="begin the index with the shard key, or keep the unique values in a collection of their own",
    page="core/sharding-shard-key/",
)
def _shard_key_unique(context: Context) -> Iterator[Found]:
    for name, collection, _ in _sharded(context):
        key = list(collection.shard_key or {})
        for index in collection.indexes:
            if index.unique and list(index.keys)[: len(key)] != key:
                yield f"{name}:{index.name}", f"it does not begin with {', '.join(key)}"


@rule(
    "shard-key-scatter",
    "warning",
    "schema workload",
    "queries that ask all shards",
    reason="A query without the shard key's first field is sent to every shard, so more shards make it no "
    "faster.",
    example="orders sharded by `region`, and asked for by customer",
    mend="choose a shard key that the common queries name",
    page="core/sharding-choose-a-shard-key/",
    threshold=_SCATTERED,
)
def _shard_key_scatter(context: Context) -> Iterator[Found]:
    for name, collection, _ in _sharded(context):
        first = next(iter(collection.shard_key or {}))
        asked = [query for query in context.workload if query.collection == name and query.action != "insert"]
        scattered = [query for query in asked if first not in equalities(filter_of(query))]
        rate = sum(query.per_minute for query in asked)
        lost = sum(query.per_minute for query in scattered)
        if rate and 100 * lost > _SCATTERED.value * rate:
            yield name, f"{100 * lost / rate:.0f} % of what is asked does not name {first!r}"


def _sharded(context: Context) -> Iterator[tuple[str, BaseCollectionSchema, Shape]]:
    for name, collection in context.collections.items():
        if collection.shard_key:
            yield name, collection, context.shapes[name]
