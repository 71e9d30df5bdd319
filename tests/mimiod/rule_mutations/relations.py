"""Mutations of references, copies and computed values."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from mimiod import Computed, Copy, NotBefore, PyObjectId, Reference
from mimiod.schema_types import Sample
from pydantic import Field

from tests.mimiod.rule_changes import (
    breaks,
    forget,
    harmless,
    part,
    pipeline,
    put,
    query,
    unindex,
)
from tests.mimiod.rule_shop import Text

MUTATIONS = [
    breaks(
        "broken-mark",
        "a copy of a field that is not there",
        put("orders", customer_name=Annotated[Text, Copy("customer_id.nmae", stale="a day")]),
    ),
    breaks(
        "broken-mark",
        "a copy through no reference",
        put("orders", customer_name=Annotated[Text, Copy("customer.name", stale="a day")]),
    ),
    breaks(
        "broken-mark",
        "a count of what does not refer here",
        put("customers", items=Annotated[int, Computed("count", "products")]),
    ),
    breaks(
        "broken-mark",
        "a sum of a field that is not there",
        put("orders", total=Annotated[Decimal, Computed("sum", "items.price")]),
    ),
    breaks(
        "broken-mark",
        "a condition on a field that is not there",
        put("orders", total=Annotated[Decimal, Computed("sum", "items.amount", where={"kind": 1})]),
    ),
    breaks(
        "broken-mark",
        "after what is not there",
        put("orders", shipped_at=Annotated[datetime | None, NotBefore("payed_at")]),
    ),
    breaks(
        "broken-mark",
        "a reference to a field that is not there",
        put("sessions", login=Annotated[Text, Reference("customers", "login", why="of the user")]),
    ),
    breaks(
        "reference-type",
        "text",
        put("sessions", customer_id=Annotated[Text, Reference("customers", why="as in orders")]),
    ),
    breaks(
        "reference-type",
        "a number",
        put("sessions", device=Annotated[int, Reference("customers", "email", why="of the user")]),
    ),
    breaks(
        "reference-type",
        "an array of texts",
        put(
            "orders", related=(list[Annotated[str, Reference("orders", why="as told")]], Field(max_length=3))
        ),
    ),
    breaks(
        "reference-not-unique",
        "a category",
        put("orders", topic=Annotated[Text, Reference("products", "category", why="as told")]),
    ),
    breaks(
        "reference-not-unique",
        "a name",
        put("sessions", user=Annotated[Text, Reference("customers", "name", why="as told")]),
    ),
    breaks(
        "reference-without-reason",
        "none",
        put("sessions", customer_id=Annotated[PyObjectId, Reference("customers")]),
    ),
    breaks(
        "reference-without-reason",
        "spaces",
        part("Source", product_id=Annotated[PyObjectId, Reference("products", why=" ")]),
    ),
    breaks(
        "unindexed-reference",
        "a count of them",
        unindex("orders", "customer_id_1_placed_at_-1"),
        forget("orders of customer"),
    ),
    breaks(
        "unindexed-reference",
        "deletion of what they name",
        query("close account", "customers", {"email": Sample("customers.email")}, action="delete"),
    ),
    breaks(
        "two-way-reference",
        "orders in the customer",
        put(
            "customers",
            order_ids=(
                list[Annotated[PyObjectId, Reference("orders", why="as told")]],
                Field(max_length=5000),
            ),
        ),
    ),
    breaks(
        "two-way-reference",
        "reviews in the product",
        part("Said", review_id=Annotated[PyObjectId, Reference("reviews", why="as told")]),
        put("products", said=("Said", 500)),
    ),
    breaks("unmarked-reference", "an id", put("reviews", order_id=PyObjectId)),
    breaks("unmarked-reference", "in camel case", put("sessions", orderId=PyObjectId), also="mixed-naming"),
    breaks("unmarked-copy", "the name", put("orders", customer_name=Text)),
    breaks("unmarked-copy", "in an item", part("Item", product_sku=Text)),
    breaks("unmarked-copy", "of a review", put("reviews", product_category=Text)),
    breaks(
        "copy-without-staleness",
        "none",
        put("orders", customer_name=Annotated[Text, Copy("customer_id.name")]),
    ),
    breaks(
        "copy-without-staleness",
        "in an item",
        part("Item", product_name=Annotated[Text, Copy("items.product_id.name")]),
    ),
    breaks("unmarked-computed", "reviews of a product", put("products", review_count=int)),
    breaks("unmarked-computed", "total orders", put("customers", total_orders=int)),
    breaks("computed-without-owner", "a count", forget("count order")),
    breaks(
        "computed-without-owner",
        "an average kept by nobody",
        put("products", best_rating=Annotated[int | None, Computed("max", "reviews.rating")]),
    ),
    harmless(
        "a reference to a unique field",
        put(
            "stock_events", sku=Annotated[Text, Reference("products", "sku", why="what the warehouse knows")]
        ),
    ),
    harmless(
        "an optional reference",
        put("reviews", order_id=Annotated[PyObjectId | None, Reference("orders", why="where it was bought")]),
    ),
    harmless(
        "the last ten orders in the customer",
        put(
            "customers",
            last_orders=(
                list[Annotated[PyObjectId, Reference("orders", why="for the home screen")]],
                Field(max_length=10),
            ),
        ),
    ),
    harmless(
        "a total kept by $merge",
        forget("count order"),
        pipeline(
            "count orders",
            "orders",
            {"$group": {"_id": "$customer_id", "order_count": {"$sum": 1}}},
            {"$merge": {"into": "customers"}},
            per_minute=0.001,
        ),
    ),
    harmless(
        "a marked copy",
        put("reviews", product_category=Annotated[Text, Copy("product_id.category", stale="a day")]),
    ),
    harmless("a value of its own", put("orders", customer_note=Text)),
    harmless("an id that names no collection", put("sessions", request_id=PyObjectId)),
    harmless("a count of something else", put("products", page_count=int)),
    harmless(
        "the id of what refers to itself",
        put(
            "orders",
            replaces=Annotated[PyObjectId | None, Reference("orders", why="an order that was changed")],
        ),
    ),
]
