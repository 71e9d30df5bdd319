"""Mutations of the types of values."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, create_model

from tests.mimiod.rule_changes import breaks, collection, drop, harmless, known, part, put
from tests.mimiod.rule_shop import Text

Numbered = create_model("Numbered", number=(Text, ...), paid_by=(Text, ...))

Dated = create_model("Dated", day=(datetime, ...), paid_by=(Text, ...))

ByCard = create_model("ByCard", kind=(Literal["card"], ...), last_digits=(Text, ...))

ByCash = create_model("ByCash", kind=(Literal["cash"], ...), till=(int, ...))

ByCheque = create_model("ByCheque", kind=(Literal["card", "cheque"], ...), till=(int, ...))

MUTATIONS = [
    breaks("money-as-float", "price", put("products", price=float)),
    breaks("money-as-float", "amount of an item", part("Item", amount=float)),
    breaks("money-as-float", "optional", put("orders", shipping_fee=float | None)),
    breaks("money-as-float", "salary", put("customers", monthly_income=float)),
    breaks("date-as-string", "an instant", put("orders", shipped_at=Text)),
    breaks("date-as-string", "a date", put("customers", birth_date=Text)),
    breaks("date-as-string", "embedded", part("Address", valid_from_date=str | None)),
    breaks("id-as-string", "of a customer", put("orders", referrer=Text, product_id=Text)),
    breaks("id-as-string", "of a session", put("reviews", session_id=Text | None)),
    breaks("id-as-string", "an array of them", put("customers", order_ids=(list[Text], Field(max_length=9)))),
    breaks("mixed-types", "int or text", put("customers", code=int | str)),
    breaks("mixed-types", "date or text", part("Address", since=datetime | str)),
    breaks("mixed-types", "array of both", put("products", marks=(list[int | str], Field(max_length=5)))),
    breaks("mixed-types", "in the data", known("products", "sku", types={"string": 4990, "int": 10})),
    breaks(
        "mixed-types",
        "dates as text in the data",
        known("orders", "placed_at", types={"date": 9, "string": 1}),
    ),
    breaks("flexible-without-version", "no version", drop("customers", "schema_version")),
    breaks("flexible-without-version", "an open field", put("orders", extra=dict[str, Any])),
    breaks("flexible-without-version", "an open item", part("Item", extra=dict)),
    breaks("polymorphic-without-discriminator", "card or transfer", put("orders", payment=Numbered | Dated)),
    breaks(
        "polymorphic-without-discriminator",
        "in an array",
        put("orders", payments=(list[Numbered | Dated], Field(max_length=3))),
    ),
    breaks("polymorphic-without-discriminator", "kinds overlap", put("orders", payment=ByCard | ByCheque)),
    breaks(
        "mostly-optional",
        "nothing required",
        put("products", **{f"text_{n}": (Text | None, None) for n in range(50)}),
    ),
    breaks(
        "mostly-optional",
        "ten of twelve",
        collection("leads", name=Text, source=Text, **{f"answer_{n}": (int | None, None) for n in range(10)}),
    ),
    harmless(
        "a float that is no money", put("products", weight=float, price_index=float, amount_of_light=float)
    ),
    harmless("money as whole cents", put("products", price=int)),
    harmless("a day by name", put("customers", weekday=Text, based_on=Text)),
    harmless("one of some texts", put("orders", delivery_date=Literal["today", "tomorrow"])),
    harmless("an id of another system", put("orders", carrier_id=Text)),
    harmless("int or float", put("products", ratio=int | float)),
    harmless("text or null", put("products", remark=str | None)),
    harmless(
        "ints and doubles in the data", known("products", "stock", types={"int": 9, "double": 1, "null": 3})
    ),
    harmless("typed values of free keys", put("orders", points=dict[str, int])),
    harmless("shapes told apart", put("orders", payment=ByCard | ByCash)),
    harmless("an open field with a version", put("orders", extra=dict[str, Any], schema_version=int)),
]
