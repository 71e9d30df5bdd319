"""Mutations of indexes."""

from datetime import datetime

from pydantic import Field

from tests.mimiod.rule_changes import (
    UNUSED,
    breaks,
    facts,
    forget,
    harmless,
    index,
    known,
    put,
    query,
    unindex,
)
from tests.mimiod.rule_shop import Text

MUTATIONS = [
    breaks(
        "too-many-indexes",
        "64 of our own",
        put("customers", **{f"mark_{n}": int for n in range(62)}),
        *(index("customers", {f"mark_{n}": 1}) for n in range(62)),
        also=UNUSED,
    ),
    breaks(
        "write-heavy-indexes",
        "six on what arrives",
        *(
            index("stock_events", {f"source.{a}": 1, b: 1})
            for a in ("product_id", "warehouse")
            for b in ("change", "reason", "source.warehouse" if a == "product_id" else "at")
        ),
        also=f"{UNUSED} redundant-index",
    ),
    breaks("redundant-index", "a prefix", index("orders", {"customer_id": 1})),
    breaks("redundant-index", "turned round", index("orders", {"status": -1, "placed_at": -1}), also=UNUSED),
    breaks("redundant-index", "on _id", index("orders", {"_id": 1})),
    breaks("redundant-index", "twice", index("products", {"sku": 1}, name="sku_again")),
    breaks(
        "redundant-index",
        "partial like the other",
        index("products", {"price": 1, "stock": 1}, partial_filter={"active": True}),
        also=UNUSED,
    ),
    breaks("low-cardinality-index", "a flag", index("products", {"active": 1}), also=UNUSED),
    breaks(
        "low-cardinality-index",
        "an enum",
        unindex("orders", "status_1_placed_at_1"),
        forget("to ship"),
        index("orders", {"status": 1}),
        also=UNUSED,
    ),
    breaks(
        "low-cardinality-index",
        "by the data",
        index("stock_events", {"source.warehouse": 1}),
        known("stock_events", "source.warehouse", distinct=6),
        also=UNUSED,
    ),
    breaks(
        "parallel-arrays",
        "tags and options",
        index("products", {"tags": 1, "options.name": 1}),
        unindex("products", "tags_1"),
        also=f"{UNUSED} missing-index",
    ),
    breaks(
        "parallel-arrays",
        "behind a plain field",
        put("products", sizes=(list[int], Field(max_length=9))),
        index("products", {"category": 1, "tags": 1, "sizes": 1}),
        also=UNUSED,
    ),
    breaks("ttl-field", "an int", index("products", {"stock": 1}, ttl_seconds=60)),
    breaks("ttl-field", "a text", index("sessions", {"token": 1}, name="expiry", ttl_seconds=60)),
    breaks(
        "ttl-field",
        "the id",
        index("sessions", {"_id": 1}, name="old", ttl_seconds=60),
        also="redundant-index",
    ),
    breaks("unique-optional", "a phone number", index("customers", {"phone": 1}, unique=True)),
    breaks(
        "unique-optional",
        "left out",
        put("orders", voucher=(Text, "")),
        index("orders", {"voucher": 1}, unique=True),
    ),
    breaks(
        "unique-optional",
        "two together",
        put("orders", voucher=(Text, ""), gift=Text | None),
        index("orders", {"voucher": 1, "gift": 1}, unique=True),
    ),
    breaks(
        "wide-text-index",
        "everything",
        unindex("products", "name_text_description_text"),
        index("products", {"$**": "text"}),
        also=f"{UNUSED} missing-index",
    ),
    breaks(
        "wide-text-index",
        "six fields",
        unindex("products", "name_text_description_text"),
        put("products", **{f"text_{n}": Text for n in range(4)}),
        index(
            "products",
            dict.fromkeys(("name", "description", "text_0", "text_1", "text_2", "text_3"), "text"),
        ),
    ),
    breaks("wildcard-index", "of all", index("orders", {"$**": 1}), also=UNUSED),
    breaks("wildcard-index", "of an address", index("customers", {"address.$**": 1}), also=UNUSED),
    breaks("large-index-key", "a description", index("products", {"description": 1}), also=UNUSED),
    breaks("large-index-key", "by the data", known("products", "sku", largest=3000)),
    breaks(
        "index-unknown-field", "misspelt", index("orders", {"costumer_id": 1, "placed_at": 1}), also=UNUSED
    ),
    breaks("index-unknown-field", "in an item", index("orders", {"items.sku": 1}), also=UNUSED),
    breaks(
        "index-unknown-field",
        "in a partial filter",
        unindex("products", "price_1"),
        forget("bargains"),
        index("products", {"price": 1}, partial_filter={"is_active": True}),
        also=UNUSED,
    ),
    breaks("impossible-index", "unique and hashed", index("customers", {"name": "hashed"}, unique=True)),
    breaks("impossible-index", "an array hashed", index("products", {"tags": "hashed"}), also=UNUSED),
    breaks("impossible-index", "two text indexes", index("products", {"category": "text"}), also=UNUSED),
    breaks(
        "impossible-index",
        "33 fields",
        put("customers", **{f"mark_{n}": int for n in range(33)}),
        index("customers", {f"mark_{n}": 1 for n in range(33)}),
        also=UNUSED,
    ),
    breaks(
        "impossible-index",
        "a negated partial filter",
        index("orders", {"shipped_at": 1}, partial_filter={"status": {"$ne": "new"}}),
        also=UNUSED,
    ),
    breaks(
        "impossible-index",
        "absence in a partial filter",
        index("orders", {"total": 1}, partial_filter={"shipped_at": {"$exists": False}}),
        also=UNUSED,
    ),
    breaks("impossible-index", "a unique wildcard", index("customers", {"attributes.$**": 1}, unique=True)),
    breaks("hidden-index", "on trial", index("orders", {"total": 1}, hidden=True)),
    harmless(
        "a unique prefix", index("reviews", {"product_id": 1, "customer_id": 1, "rating": 1}, unique=True)
    ),
    harmless(
        "a partial unique index",
        index("customers", {"phone": 1}, unique=True, partial_filter={"phone": {"$gt": ""}}),
    ),
    harmless("a sparse unique index", index("customers", {"phone": 1}, unique=True, sparse=True)),
    harmless(
        "the open part, by wildcard",
        index("customers", {"attributes.$**": 1}),
        query("by attribute", "customers", {"attributes.colour": "red"}, limit=10),
    ),
    harmless(
        "two fields of one array",
        index("orders", {"items.product_id": 1, "items.quantity": 1}),
        unindex("orders", "items.product_id_1"),
    ),
    harmless(
        "a flag for one of its values",
        index("products", {"active": 1}, partial_filter={"active": False}),
        query("withdrawn", "products", {"active": False}, limit=50),
    ),
    harmless(
        "a TTL index on an optional date",
        put("sessions", seen_at=datetime | None),
        index("sessions", {"seen_at": 1}, ttl_seconds=3600),
    ),
    harmless(
        "few values in little data",
        facts("products", documents=50),
        known("products", "category", distinct=3),
    ),
    harmless(
        "a collation apart",
        index("customers", {"email": 1}, name="any_case", collation={"locale": "en", "strength": 2}),
        query(
            "by mail in any case", "customers", {"email": "A@b.c"}, collation={"locale": "en", "strength": 2}
        ),
    ),
]
