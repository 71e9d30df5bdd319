"""docs/seeding.md: its examples run, and it names the whole vocabulary."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from mimiod import BaseMongoDbDocumentSchema, Computed, Copy, NotBefore, PyObjectId, Reference, seeding
from mimiod.seeding import Draw, States

from tests.mimiod.planning import documents, plan_of

PAGE = (Path(__file__).parents[2] / "docs/seeding.md").read_text()
PROVIDERS = ("business", "credit", "financial", "marketing", "social", "time_series")


class Customer(BaseMongoDbDocumentSchema):
    name: str
    email: str
    income: int
    address: dict[str, Any]
    registered_at: datetime
    orders: Annotated[int, Computed("count", "orders")]


class Order(BaseMongoDbDocumentSchema):
    customer_id: Annotated[PyObjectId, Reference("customers")]
    customer_name: Annotated[str, Copy("customer_id.name")]
    ordered_at: Annotated[datetime, NotBefore("customer_id.registered_at")]
    status: Literal["open", "paid", "cancelled", "sent"]
    paid_at: datetime | None
    lines: list[dict[str, Any]]
    discount: int | None


class Reading(BaseMongoDbDocumentSchema):
    sensor_id: Annotated[PyObjectId, Reference("sensors")]
    at: datetime
    celsius: float


def ran(number):
    block = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[number]
    names = {"__name__": "seed_db"}
    exec(compile(block, "docs/seeding.md", "exec"), names)
    return names


def test_the_example_makes_documents_of_its_schema():
    models = {"customers": Customer, "orders": Order}
    found = documents(plan_of(ran(0)["ShopSeeder"].rows, models, scale=0.1))

    for name, model in models.items():
        for document in found[name]:
            model.model_validate(document)
    customers = {customer["_id"]: customer for customer in found["customers"]}
    assert sum(customer["orders"] for customer in customers.values()) == len(found["orders"]) > 300
    for order in found["orders"]:
        customer = customers[order["customer_id"]]
        assert order["customer_name"] == customer["name"]
        assert order["ordered_at"] >= customer["registered_at"]


def test_the_ready_made_draws_of_the_page_can_be_drawn():
    found = documents(plan_of(ran(1)["rows"], {"readings": Reading}))

    assert {name: len(those) for name, those in found.items()} == {
        "companies": 50, "loans": 200, "sensors": 20, "readings": 5_760,
    }  # fmt: skip


def test_there_are_no_other_examples():
    assert len(re.findall("^```python", PAGE, re.MULTILINE)) == 2


EXAMPLES = [
    line.split(" | ")[-1].removesuffix(" |").strip("`")
    for line in PAGE.splitlines()
    if re.match(r"\| `\w+(\(|`)", line) and line.count(" | ") == 2
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_of_every_draw_is_one(example):
    names = vars(seeding) | {"home": seeding.City("ID"), "life": None}
    made = eval(example, names)

    assert isinstance(made, Draw | dict)


def test_every_name_is_on_the_page():
    assert len(EXAMPLES) > 30
    assert not [name for name in seeding.__all__ if not re.search(rf"\b{name}\b", PAGE)]
    for provider in PROVIDERS:
        (listed,) = re.findall(rf"^\| `{provider}` \| `(.*)` \|$", PAGE, re.MULTILINE)
        module = getattr(seeding, provider)
        own = [
            name
            for name, value in vars(module).items()
            if callable(value)
            and getattr(value, "__module__", "") == module.__name__
            and not name.startswith("_")
        ]
        assert sorted(listed.split()) == sorted(own)


def test_the_messages_of_the_page_are_those_that_are_raised():
    source = " ".join(file.read_text() for file in Path(seeding.__file__).parent.glob("*.py"))
    for words in (
        "is not declared: say how it is drawn",
        "is declared and is no field of the schema",
        "no rows are declared for",
        "is asked for and is not declared",
        "these fields need each other",
        "how many rows a parent has at most is not known",
        "declare that with per=",
        "and row numbers go to",
        "its function raised",
    ):
        assert words in PAGE
        assert words in source


def test_what_the_page_says_of_states_they_have():
    for name in re.findall(r"^\| `life\.(\w+)\(", PAGE, re.MULTILINE):
        assert callable(getattr(States, name))
