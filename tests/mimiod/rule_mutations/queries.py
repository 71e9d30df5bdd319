"""Mutations of queries."""

from mimiod.schema_types import Sample

from tests.mimiod.rule_changes import (
    HOT,
    MINE,
    SOMEBODY,
    UNUSED,
    ask,
    breaks,
    facts,
    forget,
    harmless,
    pipeline,
    query,
)
from tests.mimiod.rule_shop import TODAY

LOOKUP = {"from": "products", "localField": "items.product_id", "foreignField": "_id", "as": "products"}

MUTATIONS = [
    breaks(
        "no-workload",
        "none",
        forget(
            "sign in",
            "customer",
            "newest customers",
            "count order",
            "product",
            "catalogue",
            "tagged",
            "search",
            "bargains",
            "orders of customer",
            "order",
            "to ship",
            "buyers",
            "sales a day",
            "place",
            "ship",
            "reviews of product",
            "review",
            "stock of product",
            "move stock",
            "session",
            "sign out",
        ),
    ),
    breaks("query-unknown-field", "in the filter", ask("order", filter={"no": 1}), also="missing-index"),
    breaks(
        "query-unknown-field",
        "in the sort",
        ask("newest customers", sort={"created_at": -1}),
        also=f"{UNUSED} blocking-sort",
    ),
    breaks("query-unknown-field", "in an update", ask("ship", update={"$set": {"sent_at": TODAY}})),
    breaks("query-unknown-field", "in a projection", ask("catalogue", projection={"title": 1})),
    breaks("query-unknown-field", "in an insertion", ask("place", document={"costumer_id": 1})),
    breaks("query-unknown-field", "of a sample", ask("order", filter={"number": Sample("orders.no")})),
    breaks("query-unknown-field", "another collection", query("stray", "baskets", {"_id": 1})),
    breaks(
        "lookup-on-hot-path", "the home screen", pipeline("home", "orders", MINE, {"$lookup": LOOKUP}, **HOT)
    ),
    breaks(
        "lookup-on-hot-path",
        "in a facet",
        pipeline("home", "orders", MINE, {"$facet": {"products": [{"$lookup": LOOKUP}]}}, **HOT),
    ),
    breaks(
        "lookup-unindexed",
        "sessions of customers",
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
    breaks(
        "lookup-unindexed",
        "a graph",
        pipeline(
            "also bought",
            "products",
            {"$match": {"sku": Sample("products.sku")}},
            {
                "$graphLookup": {
                    "from": "orders",
                    "startWith": "$name",
                    "connectFromField": "number",
                    "connectToField": "customer_name",
                    "as": "others",
                }
            },
        ),
    ),
    breaks(
        "server-side-code",
        "$where",
        query("dear", "orders", {**SOMEBODY, "$where": "this.total > 9"}, limit=9),
    ),
    breaks(
        "server-side-code",
        "$function",
        pipeline(
            "odd",
            "orders",
            MINE,
            {"$addFields": {"odd": {"$function": {"body": "return 1", "args": [], "lang": "js"}}}},
        ),
    ),
    breaks(
        "expression-only-filter",
        "by two fields",
        query("lasting", "orders", {"$expr": {"$gt": ["$shipped_at", "$placed_at"]}}, limit=9, **HOT),
    ),
    breaks(
        "deep-skip",
        "page 500",
        pipeline("page", "orders", MINE, {"$sort": {"placed_at": -1}}, {"$skip": 10_000}, {"$limit": 20}),
    ),
    breaks(
        "large-in-list",
        "5,000 products",
        ask("buyers", filter={"items.product_id": {"$in": list(range(5000))}}),
    ),
    breaks(
        "large-in-list",
        "not these",
        query("others", "orders", {**SOMEBODY, "number": {"$nin": [str(n) for n in range(200)]}}, limit=9),
    ),
    breaks("negated-filter", "not new", query("under way", "orders", {"status": {"$ne": "new"}}, limit=9)),
    breaks(
        "negated-filter",
        "none of these",
        query("rest", "products", {"category": {"$nin": ["a", "b"]}}, limit=9),
    ),
    breaks("negated-filter", "has one", query("called", "customers", {"phone": {"$exists": True}}, limit=9)),
    breaks(
        "case-insensitive-regex",
        "by option",
        ask("sign in", filter={"email": {"$regex": "^a@", "$options": "i"}}),
    ),
    breaks(
        "case-insensitive-regex",
        "by name",
        query(
            "find", "products", {"category": "lamps", "name": {"$regex": "red", "$options": "im"}}, limit=9
        ),
    ),
    breaks(
        "unanchored-regex", "part of a name", query("find", "products", {"name": {"$regex": "lamp"}}, limit=9)
    ),
    breaks(
        "unanchored-regex",
        "an ending",
        query("of a host", "customers", {"email": {"$regex": "@x.org$"}}, limit=9),
    ),
    breaks("unbounded-result", "everything", query("all", "products", **HOT)),
    breaks("unbounded-result", "a range", query("since", "orders", {"placed_at": {"$gt": TODAY}}, **HOT)),
    breaks("unbounded-result", "a status", ask("to ship", limit=None, **HOT)),
    breaks(
        "late-match",
        "after $unwind",
        pipeline("sold", "orders", {"$unwind": "$items"}, {"$match": {"items.quantity": {"$gt": 5}}}),
    ),
    breaks(
        "late-match",
        "after $lookup",
        pipeline("dear", "orders", {"$lookup": LOOKUP}, {"$match": {"products.price": {"$gt": 5}}}),
    ),
    breaks(
        "whole-document-read",
        "products of 60 kB",
        facts("products", average_size=60_000),
        also="bloated-document",
    ),
    breaks("whole-document-read", "orders of 20 kB", facts("orders", average_size=20_000)),
    breaks(
        "query-unknown-field",
        "within $and and $or",
        query("odd", "orders", {"$and": [SOMEBODY, {"$or": [{"state": 1}, {"status": "new"}]}]}, limit=9),
    ),
    breaks(
        "query-unknown-field",
        "within $elemMatch",
        query("odd", "orders", {**SOMEBODY, "items": {"$elemMatch": {"sku": "a"}}}, limit=9),
    ),
    breaks(
        "query-unknown-field",
        "of a join",
        pipeline("odd", "orders", MINE, {"$lookup": {**LOOKUP, "foreignField": "id"}}),
    ),
    breaks(
        "server-side-code",
        "in an update",
        ask("sign out", filter={"token": Sample("sessions.token"), "$where": "true"}),
    ),
    breaks(
        "late-match",
        "after $set",
        pipeline("sum", "orders", {"$set": {"sum": "$total"}}, {"$match": {"sum": 3}}),
    ),
    harmless(
        "an element of an array",
        query(
            "bought",
            "orders",
            {"items": {"$elemMatch": {"product_id": Sample("products._id"), "quantity": {"$gt": 2}}}},
            limit=9,
        ),
    ),
    harmless(
        "a position and a filter of positions",
        query(
            "amend",
            "orders",
            {"number": Sample("orders.number")},
            action="update",
            update={"$set": {"items.$.quantity": 1, "items.$[each].quantity": 1}},
        ),
    ),
    harmless(
        "an old field removed",
        query(
            "tidy",
            "orders",
            {"number": Sample("orders.number")},
            action="update",
            update={"$unset": {"old_status": ""}},
        ),
    ),
    harmless(
        "conditions in $and",
        query("mine and new", "orders", {"$and": [SOMEBODY, {"status": {"$ne": "new"}}]}, limit=9),
    ),
    harmless("a join that is rare", pipeline("report", "orders", MINE, {"$lookup": LOOKUP}, per_minute=0.1)),
    harmless(
        "a join by an index",
        pipeline(
            "reviewed",
            "products",
            {"$match": {"sku": Sample("products.sku")}},
            {
                "$lookup": {
                    "from": "reviews",
                    "localField": "_id",
                    "foreignField": "product_id",
                    "as": "reviews",
                }
            },
        ),
    ),
    harmless(
        "an anchored pattern",
        query("begins", "products", {"category": "lamps", "name": {"$regex": "^lamp"}}, limit=9),
    ),
    harmless(
        "a negation beside an equality", query("running", "orders", {**SOMEBODY, "status": {"$ne": "new"}})
    ),
    harmless("ten values", ask("buyers", filter={"items.product_id": {"$in": list(range(10))}})),
    harmless("a few of many", query("orders whole", "orders", SOMEBODY, **HOT)),
    harmless(
        "$match first and again",
        pipeline("sold", "orders", MINE, {"$unwind": "$items"}, {"$match": {"items.quantity": {"$gt": 5}}}),
    ),
    harmless(
        "the second page",
        pipeline("page", "orders", MINE, {"$sort": {"placed_at": -1}}, {"$skip": 20}, {"$limit": 20}),
    ),
    harmless(
        "an attribute that is open",
        query("by colour", "customers", {"email": Sample("customers.email"), "attributes.colour": "red"}),
    ),
    harmless(
        "the position of an element", query("first", "orders", {**SOMEBODY, "items.0.quantity": 1}, limit=9)
    ),
    harmless(
        "an expression with a condition",
        query("late", "orders", {**SOMEBODY, "$expr": {"$gt": ["$shipped_at", "$placed_at"]}}, **HOT),
    ),
]
