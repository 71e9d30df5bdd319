"""Mutations of collections."""

from datetime import datetime
from typing import Annotated

from mimiod import PyObjectId, Reference
from mimiod.schema_types import Sample

from tests.mimiod.rule_changes import (
    breaks,
    collection,
    forget,
    harmless,
    index,
    known,
    put,
    query,
    settings,
    unindex,
)
from tests.mimiod.rule_shop import Text

OPEN = {"bsonType": "object"}

MUTATIONS = [
    breaks(
        "collection-family",
        "a year",
        collection("orders_2024", number=Text),
        collection("orders_2025", number=Text),
    ),
    breaks("collection-family", "beside the first", collection("orders_2024", number=Text)),
    breaks(
        "collection-family",
        "a month",
        collection("log_january", line=Text),
        collection("log_february", line=Text),
    ),
    breaks(
        "collection-family",
        "a day",
        collection("log_2024_01_01", line=Text),
        collection("log_2024_01_02", line=Text),
    ),
    breaks(
        "collection-family",
        "a tenant",
        collection("notes_t", text=Text),
        collection("notes1", text=Text),
        collection("notes2", text=Text),
    ),
    breaks("collection-name", "of the system", collection("system.people", name=Text)),
    breaks("collection-name", "a dollar", collection("price$", name=Text)),
    breaks("collection-name", "300 letters", collection("a" * 300, name=Text)),
    breaks("no-validator", "no model", settings("logs", document_schema=None), collection("logs")),
    breaks("validator-off", "warns", settings("orders", validation_action="warn")),
    breaks("validator-off", "off", settings("orders", validation_level="off")),
    breaks(
        "loose-validator",
        "nothing said",
        settings(
            "sessions",
            json_schema={
                **OPEN,
                "properties": {
                    "token": {},
                    "expires_at": {"bsonType": "date"},
                    "customer_id": {"bsonType": "objectId"},
                },
            },
        ),
        also="unique-optional",
    ),
    breaks(
        "loose-validator",
        "nothing required",
        settings(
            "sessions",
            json_schema={
                **OPEN,
                "properties": {
                    "token": {"bsonType": "string", "maxLength": 120},
                    "expires_at": {"bsonType": "date"},
                    "customer_id": {"bsonType": "objectId"},
                },
            },
        ),
        also="unique-optional",
    ),
    breaks(
        "loose-validator",
        "longer",
        settings(
            "sessions",
            json_schema={
                **OPEN,
                "required": ["token", "customer_id", "expires_at"],
                "properties": {
                    "token": {"bsonType": "string", "maxLength": 500},
                    "expires_at": {"bsonType": "date"},
                    "customer_id": {"bsonType": "objectId"},
                },
            },
        ),
    ),
    breaks(
        "loose-validator",
        "another type too",
        settings(
            "sessions",
            json_schema={
                **OPEN,
                "required": ["token", "customer_id", "expires_at"],
                "properties": {
                    "token": {"bsonType": "string", "maxLength": 120},
                    "expires_at": {"bsonType": ["date", "int"]},
                    "customer_id": {"bsonType": "objectId"},
                },
            },
        ),
        also="mixed-types",
    ),
    breaks(
        "time-series-field",
        "no date",
        settings("stock_events", options={"timeseries": {"timeField": "change", "metaField": "source"}}),
    ),
    breaks(
        "time-series-field",
        "a field that is not there",
        settings("stock_events", options={"timeseries": {"timeField": "time", "metaField": "source"}}),
    ),
    breaks(
        "time-series-field",
        "a meta field that is not there",
        settings("stock_events", options={"timeseries": {"timeField": "at", "metaField": "sensor"}}),
    ),
    breaks("time-series-meta", "none", settings("stock_events", options={"timeseries": {"timeField": "at"}})),
    breaks(
        "time-series-meta",
        "the id",
        settings("stock_events", options={"timeseries": {"timeField": "at", "metaField": "_id"}}),
    ),
    breaks(
        "time-series-meta",
        "another date",
        put("stock_events", booked_at=datetime),
        settings("stock_events", options={"timeseries": {"timeField": "at", "metaField": "booked_at"}}),
    ),
    breaks(
        "time-series-meta",
        "different in each",
        put("stock_events", parcel=Text),
        known("stock_events", "parcel", distinct=4_000_000),
        settings("stock_events", options={"timeseries": {"timeField": "at", "metaField": "parcel"}}),
    ),
    breaks(
        "time-series-limit",
        "a unique index",
        put("stock_events", parcel=Text),
        index("stock_events", {"parcel": 1}, unique=True),
    ),
    breaks(
        "time-series-limit",
        "an update",
        query(
            "correct",
            "stock_events",
            {"source.product_id": Sample("products._id")},
            action="update",
            update={"$set": {"change": 1}},
        ),
    ),
    breaks(
        "time-series-limit",
        "capped",
        settings(
            "stock_events",
            options={"capped": True, "size": 1, "timeseries": {"timeField": "at", "metaField": "source"}},
        ),
    ),
    breaks(
        "capped-limit",
        "a TTL index",
        settings("sessions", options={"capped": True, "size": 2**20}),
        forget("sign out"),
    ),
    breaks(
        "capped-limit",
        "a deletion",
        settings("sessions", options={"capped": True, "size": 2**20}),
        unindex("sessions", "expires_at_1"),
    ),
    breaks(
        "capped-limit",
        "no size",
        settings("sessions", options={"capped": True}),
        unindex("sessions", "expires_at_1"),
        forget("sign out"),
    ),
    breaks("capped-limit", "sharded", settings("reviews", options={"capped": True, "size": 2**30})),
    breaks(
        "capped-referenced",
        "orders",
        settings("orders", options={"capped": True, "size": 2**30}),
        put(
            "sessions",
            last_order=Annotated[PyObjectId | None, Reference("orders", why="for the home screen")],
        ),
    ),
    harmless("a name with a number", collection("oauth", token=Text), collection("oauth2", token=Text)),
    harmless("an archive", collection("orders_archive", number=Text)),
    harmless(
        "a number in the middle", collection("s3_objects", name=Text), collection("s3_buckets", name=Text)
    ),
    harmless("moderate for a while", settings("orders", validation_level="moderate")),
    harmless(
        "a validator like the model's",
        settings(
            "sessions",
            json_schema={
                **OPEN,
                "required": ["token", "customer_id", "expires_at"],
                "properties": {
                    "token": {"bsonType": "string", "maxLength": 100},
                    "expires_at": {"bsonType": "date"},
                    "customer_id": {"bsonType": "objectId"},
                    "_id": {"bsonType": "objectId"},
                },
            },
        ),
    ),
    harmless(
        "a capped log", settings("log", options={"capped": True, "size": 2**20}), collection("log", line=Text)
    ),
    harmless(
        "an update of the series' name",
        query(
            "rename",
            "stock_events",
            {"source.product_id": Sample("products._id")},
            action="update",
            update={"$set": {"source.warehouse": "A"}},
        ),
    ),
    harmless("collation of its own", settings("products", options={"collation": {"locale": "simple"}})),
]
