"""Mutations of shard keys."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from tests.mimiod.rule_changes import breaks, collection, facts, harmless, index, known, query, settings
from tests.mimiod.rule_shop import Text


def _sharded(by: dict[str, Any], **fields: Any) -> tuple[Any, ...]:
    """Shard a collection of its own, which has nothing else to find fault with."""
    return collection("events", region=Text, account=Text, **fields), settings("events", shard_key=by)


MUTATIONS = [
    breaks(
        "shard-key-field",
        "misspelt",
        settings("reviews", shard_key={"product": 1}),
        also="shard-key-unique shard-key-scatter",
    ),
    breaks("shard-key-field", "an array", *_sharded({"marks": 1}, marks=(list[Text], Field(max_length=3)))),
    breaks("shard-key-field", "of an array's elements", *_sharded({"items.amount": 1}, items=("Item", 5))),
    breaks("shard-key-field", "hashed twice", *_sharded({"region": "hashed", "account": "hashed"})),
    breaks("shard-key-optional", "null", *_sharded({"zone": 1}, zone=Text | None)),
    breaks("shard-key-optional", "left out", *_sharded({"zone": 1}, zone=(Text, ""))),
    breaks("shard-key-optional", "hashed", *_sharded({"zone": "hashed"}, zone=Text | None)),
    breaks("shard-key-monotonic", "the id", *_sharded({"_id": 1})),
    breaks("shard-key-monotonic", "a date", *_sharded({"at": 1, "region": 1}, at=datetime)),
    breaks("shard-key-monotonic", "a counter", *_sharded({"seq": 1}, seq=int)),
    breaks("shard-key-cardinality", "an enum", *_sharded({"kind": 1}, kind=Literal["a", "b"])),
    breaks("shard-key-cardinality", "flags", *_sharded({"hot": 1, "new": 1}, hot=bool, new=bool)),
    breaks("shard-key-cardinality", "by the data", known("reviews", "product_id", distinct=40)),
    breaks("shard-key-frequency", "half of them", known("reviews", "product_id", most_common=200_000)),
    breaks("shard-key-frequency", "a third", known("reviews", "product_id", most_common=130_000)),
    breaks(
        "shard-key-frequency",
        "of both fields",
        *_sharded({"region": 1, "account": 1}),
        facts("events", documents=10_000),
        known("events", "region", distinct=500, most_common=9_000),
        known("events", "account", distinct=500, most_common=5_000),
    ),
    breaks(
        "shard-key-unique", "by email", *_sharded({"region": 1}), index("events", {"account": 1}, unique=True)
    ),
    breaks(
        "shard-key-unique",
        "in the other order",
        *_sharded({"region": 1, "account": 1}),
        index("events", {"account": 1, "region": 1}, unique=True),
    ),
    breaks(
        "shard-key-unique",
        "part of it",
        *_sharded({"region": 1, "account": 1}),
        index("events", {"region": 1}, unique=True),
    ),
    breaks(
        "shard-key-scatter",
        "by customer",
        settings("orders", shard_key={"total": 1}),
        also="shard-key-unique",
    ),
    breaks(
        "shard-key-scatter",
        "by account",
        *_sharded({"region": 1}),
        index("events", {"account": 1}),
        query("of account", "events", {"account": "a"}, limit=9),
    ),
    breaks(
        "shard-key-scatter",
        "a range",
        *_sharded({"region": 1}),
        query("from m", "events", {"region": {"$gt": "m"}}, limit=9),
    ),
    harmless("the id, hashed", *_sharded({"_id": "hashed"})),
    harmless("a date behind a name", *_sharded({"account": 1, "at": 1}, at=datetime)),
    harmless("an enum before a name", *_sharded({"kind": 1, "account": 1}, kind=Literal["a", "b"])),
    harmless(
        "a unique index behind the key",
        *_sharded({"region": 1}),
        index("events", {"region": 1, "account": 1}, unique=True),
    ),
    harmless(
        "mostly by the key",
        *_sharded({"region": 1}),
        query("of region", "events", {"region": "a"}, per_minute=90, limit=9),
        index("events", {"account": 1}),
        query("of account", "events", {"account": "a"}, limit=9),
    ),
    harmless("one value in a tenth", known("reviews", "product_id", most_common=40_000)),
    harmless(
        "few values in little data",
        facts("reviews", documents=100),
        known("reviews", "product_id", distinct=9),
    ),
    harmless("no shard key", settings("reviews", shard_key=None)),
]
