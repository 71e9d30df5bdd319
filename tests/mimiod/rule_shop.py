"""A shop whose design breaks no rule, made of parts that a mutation can change."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal

from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    Computed,
    Copy,
    IndexDefinition,
    NotBefore,
    PyObjectId,
    Reference,
)
from mimiod.checking.profile import CollectionFacts, DataFacts, PathFacts
from mimiod.checking.rules import Context, Explained
from mimiod.schema_types import Query, Sample
from pydantic import BaseModel, Field, create_model

Text = Annotated[str, Field(max_length=120)]
ProductId = Annotated[PyObjectId, Reference("products", why="shared by all orders, and changes")]
CustomerId = Annotated[PyObjectId, Reference("customers", why="shared by all that the customer does")]
OrderStatus = Literal["new", "paid", "shipped", "returned"]


@dataclass
class Shop:
    """The shop: models by name, and by collection fields, indexes, options and facts; queries by name."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    "A field's type may name a model, as `'Address'`, or a list of at most so many: `('Item', 50)`."
    indexes: dict[str, list[IndexDefinition]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    workload: dict[str, Query] = field(default_factory=dict)
    facts: dict[str, CollectionFacts] = field(default_factory=dict)
    volumes: dict[str, int] = field(default_factory=dict)
    explained: dict[str, Explained] = field(default_factory=dict)

    def context(self) -> Context:
        """Return the shop as the rules see it."""
        collections = {}
        for name, fields in self.fields.items():
            made: dict[str, Any] = {"indexes": self.indexes.get(name, [])}
            unchanged = self.models == MODELS and fields == FIELDS.get(name)
            model = _unchanged(name) if unchanged else self.model(name, fields)
            made |= {"document_schema": model} | self.settings.get(name, {})
            collections[name] = BaseCollectionSchema(**made)
        schema = BaseMongoDbSchema(
            database_name="shop",
            collections=collections,
            workload=list(self.workload.values()),
            volumes=self.volumes,
        )
        return Context(schema, DataFacts(self.facts), self.explained)

    def model(self, name: str, fields: dict[str, Any], base: Any = BaseMongoDbDocumentSchema) -> Any:
        """Return a model of these fields."""
        whole = {each: self.typed(kind) for each, kind in fields.items()}
        return create_model(name.title().replace("_", ""), __base__=base, **whole)

    def typed(self, kind: Any) -> Any:
        """Return a field as `create_model` takes it."""
        if isinstance(kind, str):
            return (self.model(kind, self.models[kind], BaseModel), ...)
        if isinstance(kind, tuple) and isinstance(kind[0], str):
            element = self.model(kind[0], self.models[kind[0]], BaseModel)
            return (list[element], Field(max_length=kind[1]))
        return kind if isinstance(kind, tuple) else (kind, ...)


def _index(keys: dict[str, Any], **options: Any) -> IndexDefinition:
    return IndexDefinition(keys=keys, **options)


def _query(name: str, collection: str, filters: dict[str, Any], rate: float = 10, **parts: Any) -> Query:
    return Query(name=name, collection=collection, filter=filters, per_minute=rate, **parts)


def _facts(documents: int, size: int, **distinct: int) -> CollectionFacts:
    paths = {
        path.replace("__", "."): PathFacts(present=documents, distinct=count, most_common=documents // count)
        for path, count in distinct.items()
    }
    return CollectionFacts(documents, size, 4 * size, 2, paths)


MODELS = {
    "Address": {"street": Text, "city": Text, "postcode": Text},
    "Item": {
        "product_id": ProductId,
        "product_name": Annotated[Text, Copy("items.product_id.name", stale="never: as it was ordered")],
        "quantity": int,
        "amount": Decimal,
    },
    "Option": {"name": Text, "value": str | int},
    "Card": {"kind": Literal["card"], "last_digits": Text},
    "Transfer": {"kind": Literal["transfer"], "iban": Text},
    "Source": {"product_id": ProductId, "warehouse": Text},
}

FIELDS: dict[str, dict[str, Any]] = {
    "customers": {
        "email": Text,
        "name": Text,
        "phone": Text | None,
        "address": "Address",
        "registered_at": datetime,
        "level": Literal["basic", "gold"],
        "order_count": Annotated[int, Computed("count", "orders")],
        "last_order_at": Annotated[datetime | None, Computed("max", "orders.placed_at")],
        "attributes": dict[str, Any],
        "schema_version": int,
    },
    "products": {
        "sku": Text,
        "name": Text,
        "category": Text,
        "price": Decimal,
        "discount_rate": float,
        "stock": int,
        "active": bool,
        "tags": (list[str], Field(max_length=20)),
        "options": ("Option", 10),
        "description": (str, Field(max_length=4000)),
    },
    "orders": {
        "number": Text,
        "customer_id": CustomerId,
        "customer_name": Annotated[Text, Copy("customer_id.name", stale="a day; a job after the change")],
        "placed_at": Annotated[datetime, NotBefore("customer_id.registered_at")],
        "status": OrderStatus,
        "items": ("Item", 50),
        "total": Annotated[Decimal, Computed("sum", "items.amount")],
        "payment": "Card",
        "shipped_at": Annotated[datetime | None, NotBefore("placed_at")],
    },
    "reviews": {
        "product_id": ProductId,
        "customer_id": CustomerId,
        "rating": (int, Field(ge=1, le=5)),
        "text": (str, Field(max_length=2000)),
        "written_at": datetime,
    },
    "stock_events": {
        "at": datetime,
        "source": "Source",
        "change": int,
        "reason": Literal["sale", "delivery", "count"],
    },
    "sessions": {"token": Text, "customer_id": CustomerId, "expires_at": datetime},
}

INDEXES = {
    "customers": [_index({"email": 1}, unique=True), _index({"registered_at": -1})],
    "products": [
        _index({"sku": 1}, unique=True),
        _index({"category": 1, "name": 1}),
        _index({"tags": 1}),
        _index({"name": "text", "description": "text"}),
        _index({"price": 1}, partial_filter={"active": True}),
    ],
    "orders": [
        _index({"number": 1}, unique=True),
        _index({"customer_id": 1, "placed_at": -1}),
        _index({"status": 1, "placed_at": 1}),
        _index({"items.product_id": 1}),
        _index({"placed_at": 1}),
    ],
    "reviews": [
        _index({"product_id": 1, "customer_id": 1}, unique=True),
        _index({"product_id": 1, "written_at": -1}),
    ],
    "stock_events": [_index({"source.product_id": 1, "at": -1})],
    "sessions": [_index({"token": 1}, unique=True), _index({"expires_at": 1}, ttl_seconds=0)],
}

SETTINGS = {
    "reviews": {"shard_key": {"product_id": 1}},
    "stock_events": {"options": {"timeseries": {"timeField": "at", "metaField": "source"}}},
}

TODAY = datetime(2026, 1, 1)  # noqa: DTZ001 - BSON has no zones
QUERIES = [
    _query("sign in", "customers", {"email": Sample("customers.email")}, 600, limit=1, priority="high"),
    _query("customer", "customers", {"_id": Sample("orders.customer_id")}, 500),
    _query("newest customers", "customers", {}, 1, sort={"registered_at": -1}, limit=20),
    _query(
        "count order",
        "customers",
        {"_id": Sample("customers._id")},
        200,
        action="update",
        update={"$inc": {"order_count": 1}, "$set": {"last_order_at": TODAY}},
    ),
    _query("product", "products", {"sku": Sample("products.sku")}, 3000, priority="high"),
    _query(
        "catalogue",
        "products",
        {"category": Sample("products.category")},
        2000,
        sort={"name": 1},
        limit=50,
        projection={"name": 1, "price": 1},
        priority="high",
    ),
    _query("tagged", "products", {"tags": Sample("products.tags")}, 50, limit=50),
    _query("search", "products", {"$text": {"$search": "lamp"}}, 300, limit=20),
    _query("bargains", "products", {"active": True, "price": {"$lt": 10}}, 20, limit=50),
    _query(
        "orders of customer",
        "orders",
        {"customer_id": Sample("customers._id")},
        900,
        sort={"placed_at": -1},
        limit=20,
        priority="high",
    ),
    _query("order", "orders", {"number": Sample("orders.number")}, 400, priority="high"),
    _query("to ship", "orders", {"status": "paid"}, 10, sort={"placed_at": 1}, limit=100),
    _query("buyers", "orders", {"items.product_id": Sample("products._id")}, 1, limit=100),
    _query(
        "sales a day",
        "orders",
        {},
        0.1,
        action="aggregate",
        pipeline=[
            {"$match": {"placed_at": {"$gte": TODAY}}},
            {"$group": {"_id": "$status", "sum": {"$sum": "$total"}}},
        ],
    ),
    _query("place", "orders", {}, 200, action="insert", document={"number": "1", "status": "new"}),
    _query(
        "ship",
        "orders",
        {"number": Sample("orders.number")},
        180,
        action="update",
        update={"$set": {"status": "shipped", "shipped_at": TODAY}},
    ),
    _query(
        "reviews of product",
        "reviews",
        {"product_id": Sample("products._id")},
        1500,
        sort={"written_at": -1},
        limit=20,
        priority="high",
    ),
    _query("review", "reviews", {}, 20, action="insert", document={"rating": 5, "text": "good"}),
    _query(
        "stock of product",
        "stock_events",
        {},
        5,
        action="aggregate",
        pipeline=[
            {"$match": {"source.product_id": Sample("products._id"), "at": {"$gte": TODAY}}},
            {"$group": {"_id": None, "sum": {"$sum": "$change"}}},
        ],
    ),
    _query("move stock", "stock_events", {}, 3000, action="insert", document={"change": -1}),
    _query("session", "sessions", {"token": Sample("sessions.token")}, 9000, priority="high"),
    _query("sign out", "sessions", {"token": Sample("sessions.token")}, 300, action="delete"),
]

FACTS = {
    "customers": _facts(200_000, 900, email=200_000, registered_at=190_000, level=2),
    "products": _facts(5_000, 3_000, sku=5_000, category=400, name=4_900, tags=300),
    "orders": _facts(900_000, 1_400, number=900_000, customer_id=180_000, status=4, placed_at=890_000),
    "reviews": _facts(400_000, 700, product_id=4_000, customer_id=90_000, written_at=390_000),
    "stock_events": _facts(5_000_000, 120, source__product_id=5_000, source__warehouse=12),
    "sessions": _facts(40_000, 200, token=40_000, customer_id=38_000),
}


@cache
def _unchanged(name: str) -> Any:
    return Shop(MODELS).model(name, FIELDS[name])


def good_shop() -> Shop:
    """Return the shop as it should be, to be changed."""
    return Shop(
        {name: dict(fields) for name, fields in MODELS.items()},
        {name: dict(fields) for name, fields in FIELDS.items()},
        {name: list(indexes) for name, indexes in INDEXES.items()},
        {name: dict(options) for name, options in SETTINGS.items()},
        {query.name: query for query in QUERIES},
        dict(FACTS),
    )
