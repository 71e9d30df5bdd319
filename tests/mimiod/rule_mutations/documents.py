"""Mutations of the shape of documents."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from mimiod.schema_types import Sample
from pydantic import Field, create_model

from tests.mimiod.rule_changes import breaks, facts, harmless, known, part, put, query
from tests.mimiod.rule_shop import TODAY, ProductId, Text

Numbered = create_model("Numbered", number=(Text, ...), paid_by=(Text, ...))

MUTATIONS = [
    breaks("unbounded-array", "tags without a bound", put("products", tags=list[str])),
    breaks("unbounded-array", "an array of documents", put("customers", notes=list[Numbered])),
    breaks("unbounded-array", "an array of references", put("customers", wishes=list[ProductId])),
    breaks("unbounded-array", "an optional array", put("orders", remarks=list[Text] | None)),
    breaks("unbounded-array", "an embedded array", part("Address", lines=list[Text])),
    breaks(
        "growing-array",
        "pushed to",
        put("customers", visits=list[datetime]),
        query(
            "visit",
            "customers",
            {"_id": Sample("customers._id")},
            action="update",
            update={"$push": {"visits": TODAY}},
        ),
    ),
    breaks(
        "growing-array",
        "added to a set",
        put("products", tags=list[str]),
        query(
            "tag",
            "products",
            {"sku": Sample("products.sku")},
            action="update",
            update={"$addToSet": {"tags": "new"}},
        ),
    ),
    breaks("long-array", "5,000 elements", known("products", "tags", longest=5000)),
    breaks("long-array", "of documents", known("orders", "items", longest=1001)),
    breaks("bloated-document", "a document of 2 MB", facts("products", largest_size=2 * 2**20)),
    breaks("bloated-document", "one of 8 MB", facts("orders", largest_size=8 * 2**20)),
    breaks("document-near-limit", "one of 9 MB", facts("orders", largest_size=9 * 2**20)),
    breaks("document-near-limit", "one of 16 MB", facts("customers", largest_size=16 * 2**20)),
    breaks(
        "deep-nesting",
        "five levels in the model",
        part("Point", at="Text"),
        part("Text", of="Word"),
        part("Word", letter=Text),
        part("Address", point="Point"),
    ),
    breaks("deep-nesting", "six levels in the data", facts("customers", deepest=6)),
    breaks("too-many-fields", "200 columns", put("customers", **{f"column_{n}": int for n in range(200)})),
    breaks(
        "too-many-fields", "160 fields in an item", part("Item", **{f"field_{n}": int for n in range(160)})
    ),
    breaks("field-name", "a dot", put("products", list_price=(Decimal, Field(alias="list.price")))),
    breaks("field-name", "a dollar", put("orders", reference=(Text, Field(alias="$reference")))),
    breaks("field-name", "in an item", part("Item", note=(Text, Field(alias="$note")))),
    breaks("mixed-naming", "camelCase", put("orders", giftNote=Text)),
    breaks("mixed-naming", "camelCase in an item", part("Item", giftWrap=bool)),
    breaks("names-differ-by-case", "eMail", put("customers", EMAIL=Text)),
    breaks("names-differ-by-case", "in an item", part("Item", Amount=int)),
    harmless("a bounded array", put("customers", notes=(list[Text], Field(max_length=10)))),
    harmless(
        "pushed to with $slice, and bounded",
        put("customers", visits=(list[datetime], Field(max_length=10))),
        query(
            "visit",
            "customers",
            {"_id": Sample("customers._id")},
            action="update",
            update={"$push": {"visits": {"$each": [TODAY], "$slice": -10}}},
        ),
    ),
    harmless(
        "pushed to with $slice",
        put("customers", visits=list[datetime]),
        query(
            "visit",
            "customers",
            {"_id": Sample("customers._id")},
            action="update",
            update={"$push": {"visits": {"$each": [TODAY], "$slice": -10}}},
        ),
    ),
    harmless("a set of few values", put("customers", wants=set[Literal["sms", "mail"]])),
    harmless("a tuple", put("products", size=tuple[int, int, int])),
    harmless("an array of 900", known("products", "tags", longest=900)),
    harmless("a document of 500 kB", facts("products", largest_size=500_000)),
    harmless(
        "four levels", part("Point", at="Word"), part("Word", letter=Text), part("Address", point="Point")
    ),
    harmless(
        "a GeoJSON point",
        part("Address", location="Point"),
        part("Point", type=Literal["Point"], coordinates=list[float]),
    ),
    harmless("a name in one word", put("orders", note=Text, Gift=bool)),
]
