"""Twins made in memory, for tests: a source's documents in, the twin's documents out."""

import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import bson
from bson import Decimal128, ObjectId
from mimiod import projects
from mimiod.inspecting.mongo_source import DECODED
from mimiod.inspecting.sources import Documents, Memory
from mimiod.projects import Project
from mimiod.seeding.plan import Plan
from mimiod.seeding.units import Unit
from mimiod.twinning.distances import distances
from mimiod.twinning.making import make, write
from mimiod.twinning.measuring import measure

Database = dict[str, list[dict[str, Any]]]


class Shaped(Memory):
    """A database in memory whose collections have validators and indexes."""

    def __init__(self, collections, shapes):
        super().__init__("a source", collections)
        self.shapes = shapes

    def collections(self):
        return [
            Documents(name, held, self.shapes.get(name)) for name, held in sorted(self._collections.items())
        ]


def twin(folder, collections, *, shapes=None, sample=None, k=10, **size):
    """Make a twin and write its project; return what was made, the project and the twin's documents."""
    made = make(Shaped(collections, shapes or {}), sample, k, **size)
    write(made, folder / "twin", lambda _: {})
    project = loaded(folder / "twin")
    return made, project, documents_of(project.seeder("mongodb://nowhere", project.schema).plan())


def loaded(folder: Path) -> Project:
    """Load a project, and forget its modules: its folder goes."""
    forget()
    try:
        return projects.load_project(folder)
    finally:
        forget()


def forget() -> None:
    """Forget the modules of projects."""
    for module in ("db_schema", "seed_db"):
        sys.modules.pop(module, None)


def documents_of(plan: Plan | None, rows_at_once: int | None = None) -> Database:
    """Draw all documents of a plan, so many rows at once."""
    assert plan is not None
    found: Database = {name: [] for name in plan.declarations}
    for name, count in plan.roots.items():
        step = rows_at_once or plan.rows_per_unit(name)
        for start in range(0, count, step):
            for made in plan.encode(Unit(name, start, min(count, start + step))):
                found[made.collection] += [bson.decode(raw, DECODED) for raw in made.documents]
    return found


def compared(made, documents):
    """Return the distances between a source and its twin, by collection, field and what they are of."""
    there = measure(Memory("a twin", documents), made.inspection, None)
    found = distances(made.measurement, there, made.makers)
    return {(each.collection, each.field, each.what): each for each in found}


def refused(project, documents):
    """Return what the project's models say of documents that do not fit them."""
    found = []
    for name, held in documents.items():
        model = project.schema.collections[name].document_schema
        for document in held:
            try:
                model.model_validate(_as_python(document))
            except ValueError as error:
                found.append(f"{name}: {error}")
    return found


def _as_python(value):
    if isinstance(value, dict):
        return {name: _as_python(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_python(inner) for inner in value]
    return value.to_decimal() if isinstance(value, Decimal128) else value


def shop(customers: int = 300, orders: int = 3_000, seed: int = 7) -> Database:
    """Return a shop: skewed numbers, seasons, correlations, optional fields, arrays and references."""
    draws = Random(seed)
    return (
        {"customers": (people := [_customer(draws, number) for number in range(customers)])}
        | {"products": (products := [_product(draws, number) for number in range(max(60, customers // 3))])}
        | {"orders": _orders(draws, people, products, orders)}
        | {"staff": _staff(draws, max(120, customers // 10))}
    )


def _id(draws):
    return ObjectId(draws.randbytes(12))


def _word(draws, letters="abcdefghilmnoprstu"):
    return "".join(draws.choices(letters, k=draws.randint(3, 9)))


def _customer(draws, number):
    age = min(90, max(18, round(draws.gauss(42, 14))))
    income = round(math.exp(draws.gauss(9.5 + age / 60, 0.5)), 2)
    registered = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(seconds=draws.betavariate(2, 1) * 6e7 // 1)
    return {
        "_id": _id(draws),
        "number": 5_000 + number,
        "name": f"{_word(draws).capitalize()} {_word(draws).capitalize()}",
        "email": f"{_word(draws)}.{number}@{_word(draws)}.org",
        "age": age,
        "income": income,
        "country": draws.choices(["Germany", "France", "Indonesia", "Brazil"], [50, 25, 20, 5])[0],
        "registered_at": registered,
        "home": {"city": draws.choice(["Berlin", "Jakarta", "Lyon"]), "street": f"{_word(draws)} {number}"},
        "at": {"type": "Point", "coordinates": [draws.gauss(10, 5), draws.gauss(50, 3)]},
        **({"phone": f"+49 {draws.randrange(100, 999)} {number:07d}"} if draws.random() < 0.3 else {}),
    }


def _product(draws, number):
    tags = draws.sample(["new", "sale", "eco", "kids", "home"], draws.randint(0, 3))
    price = round(draws.lognormvariate(3, 1), 2)
    return {"_id": _id(draws), "sku": f"SKU-{number:05d}", "price": price, "tags": tags}


def _orders(draws, people, products, count):
    liked = [1 / (rank + 3) ** 0.8 for rank in range(len(products))]
    named = draws.choices(people, [draws.lognormvariate(0, 1.2) for _ in people], k=count)
    return [_order(draws, number, named[number], products, liked) for number in range(count)]


def _order(draws, number, customer, products, liked):
    at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=int(draws.betavariate(3, 2) * 730))
    while at.weekday() >= 5 and draws.random() < 0.7:
        at += timedelta(days=1)
    hour = draws.choices(range(24), [1] * 8 + [6] * 10 + [3] * 6)[0]
    at = at.replace(hour=hour, minute=draws.randrange(60), second=draws.randrange(60))
    status = draws.choices(["paid", "open", "cancelled"], [70, 20, 10])[0]
    lines = []
    for product in draws.choices(products, liked, k=min(20, 1 + int(draws.expovariate(0.5)))):
        pieces = draws.choices([1, 2, 3, 5, 10], [50, 25, 10, 10, 5])[0]
        price = round(product["price"] * draws.uniform(0.8, 1), 2)
        amount = round(pieces * price, 2)
        lines.append({"product_id": product["_id"], "pieces": pieces, "price": price, "amount": amount})
    paid = {
        "paid_at": at + timedelta(hours=draws.expovariate(1 / 30)),
        "method": draws.choice(["card", "cash"]),
    }
    return {
        "_id": _id(draws),
        "number": f"ORD-{number:07d}",
        "customer_id": customer["_id"],
        "at": at,
        "status": status,
        "lines": lines,
        "total": round(sum(line["amount"] for line in lines), 2),
        "discount": 0 if draws.random() < 0.8 else draws.choice([5, 10, 15]),
        "note": None if draws.random() < 0.6 else " ".join(_word(draws) for _ in range(draws.randint(2, 30))),
        **(paid if status == "paid" else {}),
    }


def _staff(draws, count):
    staff = []
    for number in range(count):
        boss = staff[int(draws.random() ** 2 * min(number, 20))]["_id"] if number > 2 else None
        staff.append({"_id": _id(draws), "boss_id": boss, "grade": draws.randint(1, 5)})
    return staff
