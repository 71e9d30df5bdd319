"""What documents say of each other and of themselves: what is wrong is found and named, and nothing else."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    Computed,
    Copy,
    NotBefore,
    PyObjectId,
    Reference,
    structure,
)
from mimiod.checking.verification import EXAMPLES, verify
from mimiod.checking.verifying import spill
from pydantic import BaseModel

DAY = datetime(2025, 1, 1, tzinfo=UTC)
PAID = {"status": ["paid", "late"]}


class Product(BaseMongoDbDocumentSchema):
    name: str
    sku: str


class Line(BaseModel):
    sku: Annotated[str, Reference("products", field="sku")]
    name: Annotated[str, Copy("sku.name")]
    buyer: Annotated[str, Copy("customer_id.name")]
    quantity: int
    packed_at: datetime
    sent_at: Annotated[datetime | None, NotBefore("packed_at", "ordered_at")] = None


class Order(BaseMongoDbDocumentSchema):
    customer_id: Annotated[PyObjectId | None, Reference("customers")]
    customer_name: Annotated[str | None, Copy("customer_id.name")]
    city: Annotated[str | None, Copy("customer_id.address.city")]
    billed_to: Annotated[str | None, Copy("customer_name")]
    status: str
    amount: Decimal
    weight: float
    ordered_at: Annotated[datetime, NotBefore("customer_id.since")]
    paid_at: Annotated[datetime | None, NotBefore("ordered_at")] = None
    lines: list[Line]
    line_count: Annotated[int, Computed("count", "lines")]
    pieces: Annotated[int, Computed("sum", "lines.quantity")]
    fewest: Annotated[int | None, Computed("min", "lines.quantity")]
    packed_last: Annotated[str | None, Computed("latest", "lines.sku", by="lines.packed_at")]


class Address(BaseModel):
    city: str


class Totals(BaseModel):
    orders: Annotated[int, Computed("count", "orders")]
    paid: Annotated[Decimal, Computed("sum", "orders.amount", where=PAID)]
    weight: Annotated[float, Computed("sum", "orders.weight")]
    least: Annotated[Decimal | None, Computed("min", "orders.amount")]
    first_at: Annotated[datetime | None, Computed("min", "orders.ordered_at", where={"status": "paid"})]
    last_at: Annotated[datetime | None, Computed("max", "orders.ordered_at")]
    first_status: Annotated[str | None, Computed("earliest", "orders.status", by="orders.ordered_at")]
    last_order: Annotated[
        PyObjectId | None, Computed("latest", "orders._id", where=PAID, by="orders.ordered_at")
    ]


class Customer(BaseMongoDbDocumentSchema):
    name: str
    since: datetime
    address: Address
    totals: Totals


MODELS = {"customers": Customer, "orders": Order, "products": Product}


def identifier(number):
    return ObjectId(number.to_bytes(12, "big"))


def shop(customers: int, orders: list[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return documents that agree: totals and copies are made here, in the plainest way."""
    products = [{"_id": identifier(n), "name": f"product {n}", "sku": f"s{n}"} for n in range(5)]
    people = [
        {"_id": identifier(n), "name": f"c{n}", "since": DAY + timedelta(n), "address": {"city": f"t{n % 3}"}}
        for n in range(customers)
    ]
    made = []
    for number, order in enumerate(orders):
        person = people[order["customer"]]
        at = person["since"] + timedelta(hours=order["hours"])
        lines = [
            {
                "sku": f"s{piece}",
                "name": f"product {piece}",
                "buyer": person["name"],
                "quantity": piece + 1,
                "packed_at": at + timedelta(minutes=piece),
                "sent_at": at + timedelta(hours=1),
            }
            for piece in order["pieces"]
        ]
        last = max(lines, key=lambda line: line["packed_at"], default=None)
        made.append(
            {
                "_id": identifier(number),
                "customer_id": person["_id"],
                "customer_name": person["name"],
                "city": person["address"]["city"],
                "billed_to": person["name"],
                "status": order["status"],
                "amount": Decimal(order["cents"]) / 100,
                "weight": order["cents"] / 7,
                "ordered_at": at,
                "paid_at": at if order["status"] == "paid" else None,
                "lines": lines,
                "line_count": len(lines),
                "pieces": sum(line["quantity"] for line in lines),
                "fewest": min((line["quantity"] for line in lines), default=None),
                "packed_last": last and last["sku"],
            }
        )
    for person in people:
        own = [order for order in made if order["customer_id"] == person["_id"]]
        paid = [order for order in own if order["status"] in {"paid", "late"}]
        first = min(own, key=lambda order: order["ordered_at"], default={})
        last = max(paid, key=lambda order: order["ordered_at"], default={})
        person["totals"] = {
            "orders": len(own),
            "paid": sum((order["amount"] for order in paid), Decimal(0)),
            "weight": sum(order["weight"] for order in own),
            "least": min((order["amount"] for order in own), default=None),
            "first_at": min((o["ordered_at"] for o in own if o["status"] == "paid"), default=None),
            "last_at": max((order["ordered_at"] for order in own), default=None),
            "first_status": first.get("status"),
            "last_order": last.get("_id"),
        }
    return {"customers": people, "orders": made, "products": products}


def put(trial, documents):
    schema = trial.schema(**{name: BaseCollectionSchema(document_schema=m) for name, m in MODELS.items()})
    structure.create_collections(trial.database, schema)
    for name, those in documents.items():
        trial.database[name].delete_many({})
        if those:
            trial.database[name].insert_many(those)
    return schema


ORDERS = [
    {"customer": n % 6, "hours": 5 * n, "pieces": [n % 5, (n + 1) % 5], "cents": 100 + n, "status": status}
    for n, status in enumerate(["paid", "late", "open", "paid", "open", "paid", "late"] * 4)
]
"Of eight customers: two of them have none."


@pytest.fixture
def filled(trial):
    return trial.database, put(trial, shop(8, ORDERS))


orders_of_any_shop = st.lists(
    st.fixed_dictionaries(
        {
            "customer": st.integers(0, 4),
            "hours": st.integers(0, 3),
            "pieces": st.lists(st.integers(0, 4), max_size=3, unique=True),
            "cents": st.integers(0, 10**9),
            "status": st.sampled_from(["open", "paid", "late"]),
        }
    ),
    max_size=25,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(orders=orders_of_any_shop, held=st.sampled_from([10, 10**6]))
def test_a_shop_that_agrees_has_no_fault(trial, orders, held):
    schema = put(trial, shop(5, orders))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "MOST_HELD", held)
        patch.setattr(spill, "MOST_AT_ONCE", max(1, held // 8))
        report = verify(trial.database, schema)

    assert [str(fault) for fault in report.faults] == []
    assert report.untested == []
    assert report.collections["customers"].checked["total"] == 8 * 5


def test_everything_that_is_marked_is_compared(filled):
    report = verify(*filled)

    assert report.passed
    assert report.untested == []
    assert {name: found.checked for name, found in report.collections.items()} == {
        "customers": {"total": 64},
        "orders": {"copy": 28 * 5 + 56, "order": 28 * 4, "total": 28 * 4},
        "products": {},
    }


LATER, EARLIER = DAY + timedelta(400), DAY - timedelta(1)
ORDER, CUSTOMER = ("orders", identifier(9)), ("customers", identifier(3))
PLANTS = {
    "copy": (
        "copy",
        ORDER,
        {"customer_name": "x", "billed_to": "x"},
        "customer_name: found x, expected c3, a",
    ),
    "copy of an embedded field": ("copy", ORDER, {"city": None}, "city: found null, expected t0"),
    "copy within the document": ("copy", ORDER, {"billed_to": "x"}, "billed_to: found x, expected c3"),
    "copy in an array": ("copy", ORDER, {"lines.1.name": "x"}, r"lines\.name: found x, expected product 0"),
    "copy from around an array": ("copy", ORDER, {"lines.0.buyer": "c1"}, r"found c1, expected c3"),
    "order": (
        "order",
        ORDER,
        {"paid_at": EARLIER},
        "paid_at: found 2024-12-31T.*, expected not before ordered",
    ),
    "order in an array": (
        "order",
        ORDER,
        {"lines.0.sent_at": DAY + timedelta(3, hours=45, minutes=1)},
        r"lines\.sent_at: found 2025-01-05T21:01.*, expected not before lines\.packed_at, 2025-01-05T21:04",
    ),
    "count of an array": ("total", ORDER, {"line_count": 3}, "line_count: found 3, expected 2"),
    "sum of an array": (
        "total",
        ORDER,
        {"pieces": 7},
        "pieces: found 7, expected 6, the sum of lines.quantity",
    ),
    "min of an array": ("total", ORDER, {"fewest": None}, "fewest: found null, expected 1"),
    "latest of an array": ("total", ORDER, {"packed_last": "s0"}, "packed_last: found s0, expected s4"),
    "count": ("total", CUSTOMER, {"totals.orders": 6}, r"totals\.orders: found 6, expected 5"),
    "sum of money": ("total", CUSTOMER, {"totals.paid": Decimal("5.61")}, "found 5.61, expected 4.66"),
    "sum of floats": ("total", CUSTOMER, {"totals.weight": 80.01}, "totals.weight: found 80.01, expected 8"),
    "min": ("total", CUSTOMER, {"totals.least": Decimal("1.02")}, "totals.least: found 1.02, expected 1.03"),
    "min of times": ("total", CUSTOMER, {"totals.first_at": LATER}, "where status paid"),
    "max": ("total", CUSTOMER, {"totals.last_at": None}, "last_at: found null, expected 2025"),
    "earliest": (
        "total",
        CUSTOMER,
        {"totals.first_status": "gone"},
        "first_status: found gone, expected paid",
    ),
    "latest": ("total", CUSTOMER, {"totals.last_order": identifier(3)}, "the latest of orders._id by"),
    "count of none": ("total", ("customers", identifier(6)), {"totals.orders": 1}, "found 1, expected 0"),
    "sum of none": ("total", ("customers", identifier(6)), {"totals.weight": 0.5}, "found 0.5, expected 0"),
    "latest of none": (
        "total",
        ("customers", identifier(6)),
        {"totals.last_order": identifier(3)},
        "expected null",
    ),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_one_wrong_value_is_found_and_named(filled, plant):
    kind, (collection, where), change, reason = plant
    database, schema = filled
    database[collection].update_one({"_id": where}, {"$set": change}, bypass_document_validation=True)

    report = verify(database, schema)

    assert [(fault.kind, fault.collection, fault.identifier) for fault in report.faults] == [
        (kind, collection, f"_id {where}")
    ]
    assert re.search(reason, report.faults[0].reason), report.faults[0].reason


def test_an_order_broken_through_a_reference_is_a_fault_of_each_that_refers(filled):
    database, schema = filled
    database.customers.update_one({"_id": identifier(3)}, {"$set": {"since": LATER}})

    faults = verify(database, schema).faults

    assert sorted(fault.identifier for fault in faults) == [f"_id {identifier(n)}" for n in range(3, 28, 6)]
    assert {fault.kind for fault in faults} == {"order"}
    assert all("expected not before customer_id.since, 2026-02-05T00:00:00" in f.reason for f in faults)


def test_a_copy_of_nothing_has_to_be_nothing(filled):
    database, schema = filled
    database.orders.update_one({"_id": identifier(9)}, {"$set": {"customer_id": None}})

    faults = [str(fault) for fault in verify(database, schema).faults if fault.collection == "orders"]

    assert f"orders _id {identifier(9)}: city: found t0, expected null, as customer_id is" in faults


def test_any_of_several_rows_of_one_moment_may_be_the_latest(filled):
    database, schema = filled
    for name, number in (("totals.last_order", 15), ("totals.first_status", 3)):
        order = database.orders.find_one({"_id": identifier(number)})
        twin = order | {"_id": identifier(100 + number), "status": "late"}
        database.orders.insert_one(twin)
        value = twin["_id"] if name == "totals.last_order" else "late"
        database.customers.update_one({"_id": identifier(3)}, {"$set": {name: value}})

    wrong = [fault.reason.partition(":")[0] for fault in verify(database, schema).faults]

    assert "totals.first_status" not in wrong
    assert "totals.orders" in wrong


def test_a_thousand_wrong_values_are_all_counted(filled):
    database, schema = filled
    database.orders.update_many({}, {"$set": {"pieces": 99}})

    found = verify(database, schema).collections["orders"]

    assert found.fault_counts == {"total": 28}
    assert len(found.faults) == EXAMPLES


class Account(BaseMongoDbDocumentSchema):
    sent: Annotated[int, Computed("count", "transfers")]


class Transfer(BaseMongoDbDocumentSchema):
    to: Annotated[PyObjectId, Reference("accounts")]
    by: Annotated[PyObjectId, Reference("accounts")]


def test_a_total_may_go_by_any_one_of_several_references(trial):
    schema = trial.schema(
        accounts=BaseCollectionSchema(document_schema=Account),
        transfers=BaseCollectionSchema(document_schema=Transfer),
    )
    structure.create_collections(trial.database, schema)
    trial.database.accounts.insert_many([{"_id": identifier(n), "sent": 5 * (n < 2)} for n in range(5)])
    transfers = [{"by": identifier(n % 2), "to": identifier(n % 5)} for n in range(10)]
    trial.database.transfers.insert_many(transfers)

    assert verify(trial.database, schema).passed

    trial.database.accounts.update_one({"_id": identifier(1)}, {"$inc": {"sent": 1}})
    assert [fault.identifier for fault in verify(trial.database, schema).faults] == [f"_id {identifier(1)}"]


class Loose(BaseMongoDbDocumentSchema):
    total: Annotated[int, Computed("count", "customers")]
    city: Annotated[str, Copy("order_id.customer_id.name")]
    order_id: Annotated[PyObjectId, Reference("orders")]


def test_what_cannot_be_followed_is_said(trial):
    models = {**MODELS, "notes": Loose}
    schema = trial.schema(**{name: BaseCollectionSchema(document_schema=m) for name, m in models.items()})

    assert verify(trial.database, schema).untested == [
        "notes.city: order_id.customer_id.name leads through two references",
        "notes.total: customers does not refer to notes",
    ]
