"""Mutations of how indexes and queries fit."""

from mimiod.schema_types import Sample

from tests.mimiod.rule_changes import (
    MINE,
    SOMEBODY,
    ask,
    breaks,
    collection,
    explained,
    forget,
    harmless,
    index,
    known,
    pipeline,
    query,
    unindex,
    volume,
)
from tests.mimiod.rule_shop import TODAY, Text

OF_CUSTOMER = "customer_id_1_placed_at_-1"

MUTATIONS = [
    breaks("missing-index", "by phone", query("caller", "customers", {"phone": Sample("customers.phone")})),
    breaks(
        "missing-index",
        "an update",
        query("rename", "customers", {"name": "A"}, action="update", update={"$set": {"name": "B"}}),
    ),
    breaks(
        "missing-index",
        "a deletion",
        query("clear", "products", {"stock": 0}, action="delete"),
        also="unindexed-reference",
    ),
    breaks(
        "missing-index",
        "a branch of $or",
        query("either", "orders", {"$or": [SOMEBODY, {"shipped_at": TODAY}]}, limit=9),
    ),
    breaks("missing-index", "the index is gone", unindex("orders", OF_CUSTOMER), also="unindexed-reference"),
    breaks(
        "missing-index",
        "a pipeline",
        pipeline("returned", "orders", {"$match": {"total": {"$gt": 10}}}, {"$count": "n"}),
    ),
    breaks(
        "collation-mismatch", "asked in any case", ask("sign in", collation={"locale": "en", "strength": 2})
    ),
    breaks(
        "collation-mismatch",
        "the index in any case",
        unindex("products", "sku_1"),
        index("products", {"sku": 1}, unique=True, collation={"locale": "en", "strength": 2}),
    ),
    breaks(
        "collation-mismatch",
        "another language",
        unindex("customers", "email_1"),
        index("customers", {"email": 1}, unique=True, collation={"locale": "sv", "strength": 2}),
        ask("sign in", collation={"locale": "en", "strength": 2}),
    ),
    breaks(
        "esr-order",
        "a range before an equality",
        unindex("stock_events", "source.product_id_1_at_-1"),
        index("stock_events", {"at": -1, "source.product_id": 1}),
    ),
    breaks(
        "esr-order",
        "a range before the sort",
        unindex("products", "price_1", "category_1_name_1"),
        forget("catalogue"),
        index("products", {"active": 1, "price": 1, "name": 1}),
        ask("bargains", sort={"name": 1}),
    ),
    breaks(
        "esr-order",
        "the sort before the equality",
        unindex("orders", OF_CUSTOMER, "placed_at_1"),
        forget("sales a day"),
        index("orders", {"placed_at": -1, "customer_id": 1}),
        also="unindexed-reference",
    ),
    breaks(
        "sort-direction",
        "one of two turned",
        query("list", "products", sort={"category": 1, "name": -1}, limit=9),
    ),
    breaks(
        "sort-direction", "by status", query("board", "orders", sort={"status": 1, "placed_at": -1}, limit=9)
    ),
    breaks("blocking-sort", "by total", ask("orders of customer", sort={"total": -1})),
    breaks(
        "blocking-sort",
        "by price",
        query("cheapest", "products", {"tags": "lamp"}, sort={"price": 1}, limit=9),
    ),
    breaks(
        "blocking-sort", "without a filter", query("richest", "customers", sort={"order_count": -1}, limit=9)
    ),
    breaks(
        "blocking-sort",
        "in a pipeline",
        pipeline(
            "best",
            "reviews",
            {"$match": {"product_id": Sample("products._id")}},
            {"$sort": {"rating": -1}},
            {"$limit": 3},
        ),
    ),
    breaks("unused-index", "on the city", index("customers", {"address.city": 1})),
    breaks("unused-index", "on the total", index("orders", {"total": -1, "shipped_at": 1})),
    breaks("unused-index", "its query is gone", forget("tagged")),
    breaks("unused-index", "text that nobody searches", forget("search")),
    breaks("unselective-first-key", "by status alone", ask("to ship", sort={}, limit=None)),
    breaks(
        "unselective-first-key",
        "by few categories",
        known("products", "category", distinct=6),
        ask("catalogue", sort={}, limit=None, per_minute=1, priority="low"),
    ),
    breaks(
        "unselective-first-key",
        "by a flag",
        index("customers", {"level": 1, "name": 1}),
        query("gold", "customers", {"level": "gold"}),
    ),
    breaks(
        "missing-index",
        "walked for its order",
        query("dear of a city", "products", {"price": {"$gt": 9}}, sort={"category": 1}, limit=9),
    ),
    breaks(
        "blocking-sort",
        "of a union",
        query(
            "either",
            "orders",
            {"$or": [SOMEBODY, {"number": Sample("orders.number")}]},
            sort={"total": 1},
            limit=9,
        ),
    ),
    breaks("keys-examined", "three for each", explained("sign in", keys_per_returned=3.0)),
    breaks("keys-examined", "sixteen for ten", explained("order", keys_per_returned=1.6)),
    breaks("documents-examined", "fifty for each", explained("bargains", documents_per_returned=50.0)),
    breaks("documents-examined", "eleven", explained("to ship", documents_per_returned=11.0)),
    breaks("slow-query", "twice as long", ask("order", latency_ms=20), explained("order", milliseconds=40.0)),
    breaks(
        "slow-query", "a little longer", ask("session", latency_ms=5), explained("session", milliseconds=5.1)
    ),
    harmless(
        "a good plan",
        explained("order", keys_per_returned=1.0, documents_per_returned=1.0, milliseconds=1.0),
        ask("order", latency_ms=20),
    ),
    harmless(
        "a report over many keys",
        explained("sales a day", keys_per_returned=9.0, documents_per_returned=900.0),
    ),
    harmless("a time without a promise", explained("order", milliseconds=900.0)),
    breaks("unused-index", "behind another", index("customers", {"name": 1, "registered_at": 1})),
    harmless(
        "a small collection",
        collection("settings", key=Text, value=Text),
        volume("settings", 20),
        query("setting", "settings", {"key": "theme"}, sort={"value": 1}, limit=9),
    ),
    harmless(
        "an index that a pipeline within needs",
        index("sessions", {"customer_id": 1}),
        pipeline(
            "devices",
            "customers",
            {"$match": {"email": Sample("customers.email")}},
            {
                "$lookup": {
                    "from": "sessions",
                    "let": {"mine": "$_id"},
                    "as": "sessions",
                    "pipeline": [{"$match": {"customer_id": Sample("customers._id")}}],
                }
            },
        ),
    ),
    harmless(
        "an index that a union needs",
        index("reviews", {"rating": 1, "written_at": 1}),
        known("reviews", "rating", distinct=5),
        known("reviews", "text", largest=900),
        pipeline(
            "feed",
            "orders",
            MINE,
            {
                "$unionWith": {
                    "coll": "reviews",
                    "pipeline": [{"$match": {"rating": 5}}, {"$sort": {"text": 1}}],
                }
            },
        ),
    ),
    harmless(
        "a time series by its time",
        query("moves", "stock_events", {"reason": "sale", "at": {"$gte": TODAY}}, limit=9),
    ),
    harmless("the sort turned round", ask("orders of customer", sort={"placed_at": 1})),
    harmless("both turned round", query("list", "products", sort={"category": -1, "name": -1}, limit=9)),
    harmless("a prefix", query("all of customer", "orders", SOMEBODY)),
    harmless(
        "branches with an index each",
        query("either", "orders", {"$or": [SOMEBODY, {"number": Sample("orders.number")}]}),
    ),
    harmless(
        "a report over everything",
        pipeline("levels", "customers", {"$group": {"_id": "$level"}}, per_minute=0.01),
    ),
    harmless(
        "an index that a join needs",
        index("sessions", {"customer_id": 1}),
        pipeline(
            "devices",
            "customers",
            {"$match": {"email": Sample("customers.email")}},
            {
                "$lookup": {
                    "from": "sessions",
                    "localField": "_id",
                    "foreignField": "customer_id",
                    "as": "sessions",
                }
            },
        ),
    ),
    harmless(
        "the same collation",
        unindex("customers", "email_1"),
        index("customers", {"email": 1}, unique=True, collation={"locale": "en", "strength": 2}),
        ask("sign in", collation={"locale": "en", "strength": 2}),
    ),
    harmless(
        "a collation over numbers",
        query(
            "since",
            "orders",
            {"placed_at": {"$gt": TODAY}},
            limit=9,
            collation={"locale": "en", "strength": 2},
        ),
    ),
    harmless(
        "a list of values",
        query("states", "orders", {"status": {"$in": ["new", "paid"]}}, sort={"placed_at": 1}, limit=9),
    ),
]
