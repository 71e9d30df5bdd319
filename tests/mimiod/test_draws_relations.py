"""References, copies, totals and orders in time: true in every document, at every scale."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from math import sqrt
from statistics import fmean
from typing import Annotated, Literal

import pytest
from bson import ObjectId
from mimiod import (
    BaseMongoDbDocumentSchema,
    Computed,
    Copy,
    DeclarationError,
    NotBefore,
    PyObjectId,
    Reference,
)
from mimiod.seeding import (
    Array,
    Choice,
    Count,
    Day,
    Fake,
    Get,
    Greatest,
    Least,
    LogNormal,
    Maybe,
    Moment,
    OneOf,
    Parent,
    Poisson,
    Position,
    Ref,
    Refs,
    Rows,
    States,
    Sum,
    Summary,
    Text,
    To,
    Uniform,
    Zipf,
)
from pydantic import BaseModel, Field

from tests.mimiod.planning import NOW, chi_square, documents, plan_of


class Branch(BaseMongoDbDocumentSchema):
    name: str


class Product(BaseMongoDbDocumentSchema):
    name: str
    price: float


class Customer(BaseMongoDbDocumentSchema):
    name: str
    since: datetime
    branch_id: Annotated[PyObjectId, Reference("branches")]
    orders: Annotated[int, Computed("count", "orders")]
    spent: Annotated[float, Computed("sum", "orders.amount", where={"status": ["paid", "sent"]})]
    least: Annotated[float | None, Computed("min", "orders.amount")]
    latest: Annotated[str | None, Computed("latest", "orders.status", by="orders.at")]


class Address(BaseMongoDbDocumentSchema):
    customer_id: Annotated[PyObjectId, Reference("customers")]
    street: str


class Line(BaseModel):
    product_id: Annotated[PyObjectId, Reference("products")]
    product_name: Annotated[str, Copy("product_id.name")]
    quantity: int


class Order(BaseMongoDbDocumentSchema):
    customer_id: Annotated[PyObjectId, Reference("customers")]
    address_id: Annotated[PyObjectId | None, Reference("addresses")]
    customer_name: Annotated[str, Copy("customer_id.name")]
    at: Annotated[datetime, NotBefore("customer_id.since")]
    paid_at: Annotated[datetime | None, NotBefore("at")]
    amount: float
    status: Literal["open", "paid", "sent"]
    lines: list[Line]
    pieces: Annotated[int, Computed("sum", "lines.quantity")]


class Parcel(BaseMongoDbDocumentSchema):
    order_id: Annotated[PyObjectId, Reference("orders")]
    number: int


class Review(BaseMongoDbDocumentSchema):
    customer_id: Annotated[PyObjectId, Reference("customers")]
    order_id: Annotated[PyObjectId | None, Reference("orders")]
    text: str


class Total(BaseMongoDbDocumentSchema):
    day: datetime
    status: str
    orders: int
    amount: float
    largest: float
    smallest: float


MODELS = {
    "branches": Branch,
    "products": Product,
    "customers": Customer,
    "addresses": Address,
    "orders": Order,
    "parcels": Parcel,
    "reviews": Review,
    "totals": Total,
}
ROWS = {
    "branches": Rows(7, {"name": Fake("city")}, fixed=True),
    "products": Rows(60, {"name": Text("{w} {row}", w=Fake("word")), "price": LogNormal(20, 0.5, digits=2)}),
    "customers": Rows(400, {"name": Fake("name"), "since": Moment(days=500)}),
    "addresses": Rows(Uniform(0, 3), {"street": Fake("street_name")}, per="customers"),
    "orders": Rows(
        Poisson(3, high=15),
        {
            "at": Moment(days=500),
            "paid_at": Maybe(0.6, Moment(days=500)),
            "amount": LogNormal(30, 1, digits=2),
            "lines": Array({"quantity": Uniform(1, 5)}, Uniform(0, 4)),
        },
        per="customers",
    ),
    "parcels": Rows(Uniform(0, 2), {"number": Position()}, per="orders"),
    "reviews": Rows(300, {"text": Fake("sentence")}),
    "totals": Summary(
        "orders",
        by={"day": Day("at"), "status": "status"},
        totals={
            "orders": Count(),
            "amount": Sum("amount"),
            "largest": Greatest("amount"),
            "smallest": Least("amount"),
        },
    ),
}


@pytest.fixture(scope="module", params=[0.05, 1.0, 3.0])
def shop(request):
    return documents(plan_of(ROWS, MODELS, scale=request.param))


def by_id(found):
    return {document["_id"]: document for document in found}


def test_every_document_is_one_of_the_schema(shop):
    for name, model in MODELS.items():
        for document in shop[name][:200]:
            model.model_validate(document)


def test_every_reference_exists(shop):
    customers, orders = by_id(shop["customers"]), by_id(shop["orders"])
    products, addresses = by_id(shop["products"]), by_id(shop["addresses"])

    assert all(customer["branch_id"] in by_id(shop["branches"]) for customer in shop["customers"])
    assert all(address["customer_id"] in customers for address in shop["addresses"])
    assert all(parcel["order_id"] in orders for parcel in shop["parcels"])
    assert all(review["customer_id"] in customers for review in shop["reviews"])
    for order in shop["orders"]:
        assert order["customer_id"] in customers
        assert order["address_id"] is None or order["address_id"] in addresses
        assert all(line["product_id"] in products for line in order["lines"])
    assert len(shop["branches"]) == 7


def test_references_that_have_to_agree_do(shop):
    orders, addresses = by_id(shop["orders"]), by_id(shop["addresses"])
    with_address = {address["customer_id"] for address in shop["addresses"]}

    for order in shop["orders"]:
        if order["address_id"] is None:
            assert order["customer_id"] not in with_address
        else:
            assert addresses[order["address_id"]]["customer_id"] == order["customer_id"]
    for review in shop["reviews"]:
        if review["order_id"] is not None:
            assert orders[review["order_id"]]["customer_id"] == review["customer_id"]
    assert any(review["order_id"] for review in shop["reviews"])


def test_copies_are_equal(shop):
    customers, products = by_id(shop["customers"]), by_id(shop["products"])

    for order in shop["orders"]:
        assert order["customer_name"] == customers[order["customer_id"]]["name"]
        assert all(line["product_name"] == products[line["product_id"]]["name"] for line in order["lines"])


def test_totals_are_exact(shop):
    below = defaultdict(list)
    for order in shop["orders"]:
        below[order["customer_id"]].append(order)
        assert order["pieces"] == sum(line["quantity"] for line in order["lines"])

    for customer in shop["customers"]:
        own = below[customer["_id"]]
        assert customer["orders"] == len(own)
        cents = sum(round(order["amount"] * 100) for order in own if order["status"] in {"paid", "sent"})
        assert customer["spent"] == cents / 100
        assert customer["least"] == min((order["amount"] for order in own), default=None)
        last = max((order["at"] for order in own), default=None)
        assert customer["latest"] in {order["status"] for order in own if order["at"] == last} or not own


def test_a_summary_has_a_document_for_each_group(shop):
    groups = defaultdict(list)
    for order in shop["orders"]:
        day = order["at"].replace(hour=0, minute=0, second=0, microsecond=0)
        groups[day, order["status"]].append(order["amount"])

    assert {(total["day"], total["status"]) for total in shop["totals"]} == set(groups)
    for total in shop["totals"]:
        amounts = groups[total["day"], total["status"]]
        assert total["orders"] == len(amounts)
        assert total["amount"] == sum(round(amount * 100) for amount in amounts) / 100
        assert (total["largest"], total["smallest"]) == (max(amounts), min(amounts))


def test_no_moment_comes_before_what_it_has_to_follow(shop):
    customers = by_id(shop["customers"])

    for order in shop["orders"]:
        assert order["at"] >= customers[order["customer_id"]]["since"]
        assert order["paid_at"] is None or order["paid_at"] >= order["at"]


def test_positions_number_the_children_of_a_parent(shop):
    seen = defaultdict(list)
    for parcel in shop["parcels"]:
        seen[parcel["order_id"]].append(parcel["number"])

    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())


def test_a_states_moments_follow_a_parents():
    life = States("order_id.at", {"packed": [To("sent", by=Uniform(0.0, 8.0))]}, first="packed")
    fields = {"number": Position(), "status": life.state(), "sent_at": life.at("sent")}
    found = documents(
        plan_of(
            {"orders": Rows(300, {"at": Moment(days=10)}), "parcels": Rows(2, fields, per="orders")},
            {"parcels": type("Open", (Parcel,), {"model_config": {"extra": "allow"}})},
        )
    )

    at = {order["_id"]: order["at"] for order in found["orders"]}
    assert len(found["parcels"]) == 600
    for parcel in found["parcels"]:
        assert (parcel["status"] == "sent") == (parcel["sent_at"] is not None)
        assert parcel["sent_at"] is None or at[parcel["order_id"]] <= parcel["sent_at"] <= NOW


def rows_named(ref, targets, rows=30_000, **options):
    """Return the row of each document's target, and how many targets there are."""
    plan = plan_of({"targets": Rows(targets, {}, **options), "sources": Rows(rows, {"ref": ref})})
    numbers = [plan.row_of("targets", source["ref"]) for source in documents(plan)["sources"]]
    assert all(number is not None and 0 <= number < targets for number in numbers)
    return numbers


@pytest.mark.parametrize("fixed", [True, False])
def test_a_collection_may_be_empty(fixed):
    rows = {"none": Rows(0, {"n": Uniform(1, 9)}, fixed=fixed), "some": Rows(3, {"ref": Ref("none")})}

    made = documents(plan_of(rows))

    assert made["none"] == []
    assert [document["ref"] for document in made["some"]] == [None] * 3


def test_a_field_that_no_path_can_name_is_left_out():
    class Odd(BaseMongoDbDocumentSchema):
        dotted: Annotated[int | None, Field(alias="a.b")] = None
        dollar: Annotated[int | None, Field(alias="$c")] = None
        empty: Annotated[int | None, Field(alias="")] = None
        name: str

    made = documents(plan_of({"odd": Rows(2, {"name": Fake("word")})}, {"odd": Odd}))

    assert [document.keys() for document in made["odd"]] == [{"_id", "name"}] * 2


def test_uniform_references_to_a_fixed_collection_are_even():
    numbers = rows_named(Ref("targets"), 50, fixed=True)

    assert chi_square(Counter(numbers), dict.fromkeys(range(50), 1)) < 4


def test_uniform_references_to_a_growing_collection_are_even_but_for_its_newest_tenth():
    numbers = rows_named(Ref("targets"), 1_000)

    tenths = Counter(number // 100 for number in numbers)
    assert all(tenths[tenth] / 3_000 == pytest.approx(1.05, abs=0.15) for tenth in range(9))
    assert tenths[9] < 3_000


def test_zipf_references_have_the_shares_of_the_law():
    numbers = rows_named(Ref("targets", prefer="zipf", strength=1.5), 40, fixed=True)

    def integral(x):
        return -2 / sqrt(x)

    weights = {row: integral(row + 1.5) - integral(row + 0.5) for row in range(40)}
    assert chi_square(Counter(numbers), weights) < 4


def test_recent_references_name_what_was_new_then():
    numbers = rows_named(Ref("targets", prefer="recent"), 1_000)

    back = [source * 1_000 / 30_000 - number for source, number in enumerate(numbers)]
    assert min(back) > -2
    assert fmean(back[15_000:]) == pytest.approx(0.05 * 750, rel=0.1)


def test_references_to_their_own_collection_make_trees():
    class Employee(BaseMongoDbDocumentSchema):
        manager_id: Annotated[PyObjectId | None, Reference("staff")]
        boss_name: Annotated[str | None, Copy("manager_id.name")]
        name: str

    rows = {"staff": Rows(3_000, {"manager_id": Ref("staff", prefer="zipf"), "name": Fake("name")})}
    staff = by_id(documents(plan_of(rows, {"staff": Employee}))["staff"])

    tops = [person for person in staff.values() if person["manager_id"] is None]
    assert len(tops) == 1
    for person in staff.values():
        steps = 0
        above = person
        while above["manager_id"] is not None:
            above = staff[above["manager_id"]]
            steps += 1
            assert steps < len(staff)
        if person["manager_id"] is not None:
            assert person["boss_name"] == staff[person["manager_id"]]["name"]


def test_references_among_the_children_of_one_parent_stay_there():
    class Comment(BaseMongoDbDocumentSchema):
        post_id: Annotated[PyObjectId, Reference("posts")]
        reply_to: Annotated[PyObjectId | None, Reference("comments")]

    rows = {
        "posts": Rows(200, {}),
        "comments": Rows(Zipf(30, 1.2), {"reply_to": Maybe(0.7, Ref("comments"))}, per="posts"),
    }
    comments = by_id(documents(plan_of(rows, {"comments": Comment}))["comments"])

    replies = [comment for comment in comments.values() if comment["reply_to"] is not None]
    assert len(replies) > 100
    for reply in replies:
        assert comments[reply["reply_to"]]["post_id"] == reply["post_id"]
        assert reply["reply_to"] < reply["_id"]


def test_many_to_many_references_are_distinct():
    class Student(BaseMongoDbDocumentSchema):
        courses: Annotated[list[PyObjectId], Reference("courses")]
        few: Annotated[list[PyObjectId], Reference("courses")]

    rows = {
        "courses": Rows(30, {}, fixed=True),
        "students": Rows(2_000, {"courses": Refs("courses", Uniform(2, 6)), "few": Refs("courses", 40)}),
    }
    found = documents(plan_of(rows, {"students": Student}))

    known = set(by_id(found["courses"]))
    for student in found["students"]:
        for name in ("courses", "few"):
            assert len(set(student[name])) == len(student[name])
            assert set(student[name]) <= known
    assert 2.5 < fmean(len(student["courses"]) for student in found["students"]) < 4


def test_a_reference_may_be_of_a_grandparents_or_another_childs():
    rows = {
        "a": Rows(50, {"x": Uniform(1, 100)}),
        "b": Rows(Uniform(0, 3), {"a": Parent("a")}, per="a"),
        "c": Rows(Uniform(0, 3), {"a": Parent("a"), "b": Parent("b"), "x": Get("a.x")}, per="b"),
        "d": Rows(400, {"c": Ref("c"), "of_b": Get("c.b"), "x": Get("c.b.a.x")}),
    }
    found = documents(plan_of(rows))

    a, b, c = (by_id(found[name]) for name in "abc")
    for row in found["c"]:
        assert b[row["b"]]["a"] == row["a"]
        assert row["x"] == a[row["a"]]["x"]
    lost = [row for row in found["d"] if row["c"] is None]
    assert len(lost) < 20
    for row in found["d"]:
        if row["c"] is not None:
            assert row["of_b"] == c[row["c"]]["b"]
            assert row["x"] == c[row["c"]]["x"]


def test_ids_ascend_with_their_rows_and_hold_the_reference_time():
    plan = plan_of({"things": Rows(500, {})})
    ids = [thing["_id"] for thing in documents(plan)["things"]]

    assert ids == sorted(ids)
    assert [plan.row_of("things", identifier) for identifier in ids] == list(range(500))
    assert ids[0].generation_time == NOW
    assert plan.row_of("things", ObjectId()) is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a": Rows(Poisson(2), {})}, "needs a number of rows"),
        ({"a": Rows(2, {}), "b": Rows(2, {"a": Ref("a")}, fixed=True)}, "make both `fixed`"),
        ({"a": Rows(2, {}, per="z")}, "no rows are declared"),
        ({"a": Rows(2, {}, per="b"), "b": Rows(2, {}, per="a")}, "made from itself"),
        ({"a": Rows(2, {"x": Parent("b")}), "b": Rows(2, {})}, "no parent"),
        ({"a": Rows(2, {"x": Ref("nowhere")})}, "nowhere"),
        ({"a": Rows(2, {"x": Get("y.z"), "y": Choice([1])})}, "neither a document"),
        ({"a": Rows(2, {"x": Get("y.z"), "y": {"w": 1}})}, "not declared"),
        ({"a": Rows(LogNormal(2, 1), {}, per="b"), "b": Rows(2, {})}, "a: how many rows"),
        ({"a": Rows(OneOf([(1, 1), (1, LogNormal(2, 1))]), {}, per="b"), "b": Rows(2, {})}, "a: how many"),
        ({"a": Rows(2, {"at": Moment()}), "t": Summary("b", by={}, totals={})}, "no rows are declared"),
        ({"a": Rows(2**22, {}, per="b"), "b": Rows(2**22, {})}, "2^40"),
    ],
)
def test_a_mistake_is_said_in_one_line(rows, message):
    with pytest.raises(DeclarationError) as error:
        documents(plan_of(rows))

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_all_faults_of_a_declaration_are_told_at_once():
    rows = {
        "products": Rows(5, {"nmae": Fake("name")}),
        "branches": Rows(2, {"name": "x", "size": 3}),
    }
    with pytest.raises(DeclarationError) as error:
        plan_of(rows, MODELS)

    for fault in ("products.name", "products.price", "products.nmae", "branches.size"):
        assert fault in str(error.value)


def test_moments_that_nothing_is_said_of_follow_what_the_schema_says():
    class Event(BaseMongoDbDocumentSchema):
        opened: datetime
        closed: Annotated[datetime, NotBefore("opened")]

    rows = {"events": Rows(500, {"opened": Moment(days=20)})}
    for event in documents(plan_of(rows, {"events": Event}))["events"]:
        assert timedelta(0) <= event["closed"] - event["opened"]
        assert event["closed"] <= NOW


def test_one_of_several_draws_says_how_many_children_there_are_at_most():
    rows = {
        "albums": Rows(50, {}),
        "tracks": Rows(OneOf([(1, 1), (1, Uniform(2, 9))]), {"album": Parent("albums")}, per="albums"),
    }
    tracks = documents(plan_of(rows))["tracks"]

    assert set(Counter(track["album"] for track in tracks).values()) <= set(range(1, 10))


def test_items_are_drawn_from_what_a_reference_of_their_document_names():
    rows = {
        "albums": Rows(20, {}),
        "tracks": Rows(4, {"album": Parent("albums")}, per="albums"),
        "orders": Rows(40, {"album": Ref("albums"), "tracks": Array(Ref("tracks", of="album"), 3)}),
    }
    shop = documents(plan_of(rows))
    album_of = {track["_id"]: track["album"] for track in shop["tracks"]}

    for order in shop["orders"]:
        assert {album_of[track] for track in order["tracks"]} == {order["album"]}
