"""What is measured: customers of 14 fields and about 435 bytes, and a shop of them with their orders."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a field of a dataclass that is pickled
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from mimiod.errors import MimiodError, ProjectError
from mimiod.schema_types import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    Computed,
    Copy,
    NotBefore,
    PyObjectId,
    Reference,
)
from mimiod.seeding import (
    After,
    Age,
    Array,
    Choice,
    Digits,
    Fake,
    LogNormal,
    Moment,
    Normal,
    Rows,
    Text,
    Uniform,
    Zipf,
)
from mimiod.seeding.plan import Plan

REFERENCE_TIME = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = {"active": 0.7, "paused": 0.2, "closed": 0.1}


class Address(BaseModel):
    """A postal address."""

    street: str
    city: str
    zip: str
    state: str


class Customer(BaseMongoDbDocumentSchema):
    """A customer: fourteen fields."""

    name: str
    email: str
    phone: str
    address: Address
    company: str
    job: str
    born: datetime
    income: int
    score: int
    status: Literal["active", "paused", "closed"]
    tags: list[str]
    created: datetime
    bio: str


class Buyer(Customer):
    """A customer with exact totals of its orders."""

    orders: Annotated[int, Computed("count", "orders")]
    spent: Annotated[float, Computed("sum", "orders.amount")]
    last_order: Annotated[datetime | None, Computed("max", "orders.ordered_at")]


class Order(BaseMongoDbDocumentSchema):
    """An order of a customer."""

    customer_id: Annotated[PyObjectId, Reference("customers")]
    customer_name: Annotated[str, Copy("customer_id.name")]
    amount: float
    ordered_at: Annotated[datetime, NotBefore("customer_id.created")]
    status: Literal["paid", "late", "open"]
    channel: str
    quantity: int


CUSTOMER = {
    "name": Text("{first} {last}", first=Fake("first_name"), last=Fake("last_name")),
    "email": Text("{name:slug}.{row}@example.com"),
    "phone": Digits("(###) ###-####"),
    "address": {
        "street": Text("{number} {street}", number=Uniform(1, 9999), street=Fake("street_name")),
        "city": Fake("city"),
        "zip": Digits("#####"),
        "state": Fake("state_abbr"),
    },
    "company": Fake("company"),
    "job": Fake("job"),
    "born": Age(Uniform(18.0, 80.0)),
    "income": LogNormal(60_000, 0.5, low=20_000, high=400_000),
    "score": Normal(680, 80, low=300, high=850),
    "status": Choice(STATUSES),
    "tags": Array(Fake("word"), size=3),
    "created": Moment(days=730),
    "bio": Fake("sentence"),
}

ORDER = {
    "amount": LogNormal(30, 1.0, digits=2),
    "ordered_at": After("customer_id.created", by=Uniform(0.0, 30.0)),
    "status": Choice({"paid": 80, "late": 5, "open": 15}),
    "channel": Fake("word"),
    "quantity": Uniform(1, 8),
}


@dataclass(frozen=True)
class Shop:
    """A plan of customers alone, or of customers with their orders and the totals of them."""

    customers: int
    with_orders: bool

    def plan(self) -> Plan:
        """Return the plan."""
        models: dict[str, type[BaseModel]] = {"customers": Customer}
        rows: Mapping[str, Any] = {"customers": Rows(self.customers, CUSTOMER)}
        if self.with_orders:
            models = {"customers": Buyer, "orders": Order}
            rows = {**rows, "orders": Rows(Zipf(40, 2.2), ORDER, per="customers")}
        return Plan(schema(models), rows, seed=1, scale=1.0, reference_time=REFERENCE_TIME)

    def explained(self, exc: Exception) -> MimiodError:
        """Return what was raised as an error of this declaration."""
        return exc if isinstance(exc, MimiodError) else ProjectError(f"{type(exc).__name__}: {exc}")


def schema(models: Mapping[str, type[BaseModel]]) -> BaseMongoDbSchema:
    """Return the schema of these collections, without indexes."""
    collections = {name: BaseCollectionSchema(document_schema=model) for name, model in models.items()}
    return BaseMongoDbSchema(collections=collections, database_name="mimiod_bench")
