"""Databases whose references are known: as documents in memory, with nothing that marks a reference."""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any, get_args

import bson
from bson import ObjectId
from mimiod import BaseMongoDbSchema, projects
from mimiod.inspecting.mongo_source import DECODED
from mimiod.inspecting.reading import inspect
from mimiod.inspecting.sources import Memory
from mimiod.schema_types import Computed, marks, references
from mimiod.seeding import Array, Choice, Fake, LogNormal, Moment, Rows, Text, Uniform
from mimiod.seeding.models import FieldFacts, fields_of
from mimiod.seeding.plan import Plan
from mimiod.seeding.units import Unit
from pydantic import BaseModel

from tests.mimiod import rule_blog, rule_shop, sql_samples, workshop

ROOT = Path(__file__).parents[2]
PROJECTS = ("digital_bank", "martech", "record_shop")
MOST_MADE = 6_000
"Documents of the largest collection of a database."

Link = tuple[str, tuple[str, ...], str, tuple[str, ...]]
"Collection, fields, collection referred to, fields there."


@dataclass(frozen=True)
class Known:
    """A database and its references."""

    name: str
    documents: dict[str, list[dict[str, Any]]]
    links: frozenset[Link]


@dataclass(frozen=True)
class Score:
    """How many references were found, and what was found beside them."""

    name: str
    known: int
    right: int
    missed: Sequence[Link]
    wrong: Sequence[Link]

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / max(1, 2 * self.right + len(self.missed) + len(self.wrong))


def score(known: Known, sample: int | None = None) -> Score:
    """Look for the references of a database, and compare."""
    made = inspect(Memory(known.name, known.documents), sample)
    found = {(each.collection, tuple(each.fields), each.target, tuple(each.keys)) for each in made.references}
    right = known.links & found
    return Score(
        known.name, len(known.links), len(right), sorted(known.links - found), sorted(found - known.links)
    )


def all_known() -> Iterator[Known]:
    """Make the databases, one after the other."""
    for name in PROJECTS:
        yield of_project(ROOT / "projects" / name)
    with TemporaryDirectory() as home:
        assemble: Any = workshop.assemble
        yield of_project(assemble(Path(home)))
    yield of_schema("rule_shop", rule_shop.good_shop().context().schema)
    yield of_schema("rule_blog", rule_blog.blog)
    yield library()
    yield depot()
    yield tracker()
    for sample in sql_samples.samples():
        yield of_sql(sample)


def of_project(folder: Path) -> Known:
    """Return the documents that a project's seeder makes, at a small scale."""
    project = projects.load_project(folder)
    sys.modules.pop("seed_db", None)
    seeder = project.seeder("", project.schema)
    plan = seeder.plan()
    assert plan is not None
    seeder.scale = min(1.0, MOST_MADE / max(plan.expected.values()))
    small = seeder.plan()
    assert small is not None
    return Known(project.name, _documents(small), _links(project.schema))


def of_schema(name: str, schema: BaseMongoDbSchema) -> Known:
    """Return documents of a schema without a seeder, drawn by the types of its fields."""
    above = {
        computed.of.partition(".")[0]: each.collection_name
        for each in schema.collections.values()
        for computed in marks(each.document_schema, Computed).values()
    }
    rows = {}
    for each in schema.collections.values():
        fields, parent = _declared(each.document_schema), above.get(each.collection_name)
        rows[each.collection_name] = Rows(Uniform(0, 8) if parent else 300, fields, per=parent)
    plan = Plan(schema, rows, 7, 1.0, datetime(2026, 1, 1, tzinfo=UTC))
    return Known(name, _documents(plan), _links(schema))


def of_sql(sample: sql_samples.SqlSample) -> Known:
    """Return the rows of a SQL database as documents, without what its keys say."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sample.db"
        sql_samples.sqlite_file(sample, file)
        with closing(sqlite3.connect(file)) as connection:
            connection.row_factory = sqlite3.Row
            documents = {
                table: [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
                for table in sorted(sample.metadata.tables)
            }
    return Known(f"sql {sample.name}", documents, sample.links)


def _documents(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in plan.declarations}
    plan.warm()
    for root, rows in plan.roots.items():
        for encoded in plan.encode(Unit(root, 0, rows)):
            made[encoded.collection] += [bson.decode(each, DECODED) for each in encoded.documents]
    return made


def _links(schema: BaseMongoDbSchema) -> frozenset[Link]:
    return frozenset(
        (each.collection_name, (path,), reference.collection, (reference.field,))
        for each in schema.collections.values()
        for path, reference in references(each.document_schema).items()
    )


def _declared(model: type[BaseModel] | None) -> dict[str, Any]:
    return {
        name: drawn for name, facts in fields_of(model).items() if (drawn := _drawn(name, facts)) is not None
    }


def _drawn(name: str, facts: FieldFacts) -> Any:
    if name == "_id" or (
        facts.marks and any(type(mark).__module__ == "mimiod.schema_types" for mark in facts.marks)
    ):
        return None
    if facts.literals:
        return Array(Choice(list(facts.literals)), Uniform(0, 3)) if facts.many else None
    one = _one(facts)
    return Array(one, Uniform(1, 4)) if facts.many else one


def _one(facts: FieldFacts) -> Any:  # noqa: PLR0911 - a type each
    kind = next((each for each in get_args(facts.type) if each is not NoneType), facts.type)
    if facts.model is not None:
        return _declared(facts.model)
    if kind is str:
        return Text("{first} {last}", first=Fake("first_name"), last=Fake("last_name"))
    if kind in {int, Decimal, float}:
        return Uniform(1, 200) if kind is int else LogNormal(50, 1, digits=2)
    if kind is datetime:
        return Moment(days=400)
    if kind is bool:
        return Choice([True, False])
    if kind is dict:
        return {"colour": Choice(["red", "blue"]), "size": Choice(["s", "m", "l"])}
    return ObjectId(b"twelve bytes")


def library() -> Known:
    """Whole numbers as keys in shared ranges, a tree, arrays of references, a key that is not the _id."""
    draws = Random(1)
    day = datetime(2024, 1, 1, tzinfo=UTC)
    authors = [{"_id": n, "name": f"Author {n}", "rating": draws.randint(1, 5)} for n in range(1, 301)]
    shelves = [{"_id": n, "code": f"SH-{n:03}", "floor": draws.randint(0, 4)} for n in range(1, 61)]
    books: list[dict[str, Any]] = [
        {
            "_id": n,
            "isbn": f"978{draws.randrange(10**10):010}",
            "title": f"Title {draws.randrange(10**6)}",
            "authorIds": draws.sample(range(1, 301), draws.randint(1, 3)),
            "shelf": f"SH-{draws.randint(1, 60):03}",
            "pages": draws.randint(40, 900),
            "copies": draws.randint(1, 40),
            "sequel_to": draws.randint(1, n) if n > 1 and draws.random() < 0.2 else None,
        }
        for n in range(1, 1501)
    ]
    categories = [
        {"_id": ObjectId(f"{n:024x}"), "name": f"Category {n}", "depth": n % 4,
         "parent": ObjectId(f"{n // 3:024x}") if n > 2 else None}
        for n in range(1, 121)
    ]  # fmt: skip
    members = [
        {
            "_id": ObjectId(f"a{n:023x}"),
            "card": 700_000_000 + draws.randrange(10**7) * 9,
            "visits": draws.randint(1, 300),
        }
        for n in range(800)
    ]
    loans: list[dict[str, Any]] = [
        {
            "_id": ObjectId(f"b{n:023x}"),
            "member": {"card": draws.choice(members)["card"], "level": draws.choice(["basic", "gold"])},
            "book_id": draws.randint(1, 1500),
            "isbn": None,
            "renewals": draws.randint(0, 5),
            "days": draws.randint(1, 60),
            "categories": [draws.choice(categories)["_id"] for _ in range(draws.randint(0, 3))],
            "at": day + timedelta(days=draws.randint(0, 700)),
        }
        for n in range(3000)
    ]
    for loan in loans:
        loan["isbn"] = books[loan["book_id"] - 1]["isbn"]  # a copy beside the reference
    made: dict[str, list[dict[str, Any]]] = {
        "authors": authors, "shelves": shelves, "books": books, "categories": categories,
            "members": members, "loans": loans}  # fmt: skip
    links: set[Link] = {
        ("books", ("authorIds",), "authors", ("_id",)),
        ("books", ("shelf",), "shelves", ("code",)),
        ("books", ("sequel_to",), "books", ("_id",)),
        ("categories", ("parent",), "categories", ("_id",)),
        ("loans", ("member.card",), "members", ("card",)),
        ("loans", ("book_id",), "books", ("_id",)),
        ("loans", ("categories",), "categories", ("_id",)),
    }
    return Known("library", made, frozenset(links))


def depot() -> Known:
    """A composite key, a shared _id, references as texts, one that dangles now and then, and traps."""
    draws = Random(2)
    sites = [
        {"_id": ObjectId(f"c{n:023x}"), "country": country, "number": number, "gates": draws.randint(1, 9)}
        for n, (country, number) in enumerate((c, k) for c in ("DE", "FR", "IT", "ES") for k in range(1, 41))
    ]
    people = [
        {"_id": ObjectId(f"d{n:023x}"), "email": f"p{draws.randrange(10**8)}@x.org"} for n in range(500)
    ]
    profiles = [{"_id": each["_id"], "level": draws.randint(1, 5)} for each in people[:350]]
    parts = [
        {"_id": f"P{draws.randrange(10**6):06}-{n}", "weight": draws.randint(1, 160)} for n in range(400)
    ]
    deliveries = []
    for n in range(2500):
        site = draws.choice(sites)
        deliveries.append(
            {
                "_id": ObjectId(f"e{n:023x}"),
                "country": site["country"],
                "site_number": site["number"],
                "signedBy": str(draws.choice(people)["_id"]),
                "driver": draws.choice(people)["_id"] if draws.random() > 0.03 else ObjectId(f"f{n:023x}"),
                "lines": [
                    {"part": draws.choice(parts)["_id"], "pieces": draws.randint(1, 40), "number": place + 1}
                    for place in range(draws.randint(1, 4))
                ],
                "replyTo": draws.choice(people)["email"] if draws.random() < 0.5 else None,
                "hour": draws.randint(6, 18),
                "session": ObjectId(f"9{draws.randrange(10**9):023x}"),
            }
        )
    made = {"sites": sites, "people": people, "profiles": profiles, "parts": parts, "deliveries": deliveries}
    links: set[Link] = {
        ("profiles", ("_id",), "people", ("_id",)),
        ("deliveries", ("country", "site_number"), "sites", ("country", "number")),
        ("deliveries", ("signedBy",), "people", ("_id",)),
        ("deliveries", ("driver",), "people", ("_id",)),
        ("deliveries", ("lines.part",), "parts", ("_id",)),
        ("deliveries", ("replyTo",), "people", ("email",)),
    }
    return Known("depot", made, frozenset(links))


def tracker() -> Known:
    """Tables of an issue tracker: every key a whole number from 1, people by their roles, and counts."""
    draws = Random(5)
    some, one = draws.randint, draws.choice

    def before(n: int, share: float) -> int | None:
        return some(1, n - 1) if n > 10 and draws.random() < share else None

    made: dict[str, list[dict[str, Any]]] = {
        "countries": [{"code": code, "name": f"Country {code}"} for code in ("DE", "FR", "IT", "US", "PL")],
        "users": [
            {"id": n, "login": f"user{n}x{some(0, 9999)}", "country": one(["DE", "FR", "IT", "US", "PL"]),
             "invited_by": before(n, 0.5), "karma": some(0, 500)}
            for n in range(1, 91)
        ],
        "projects": [
            {"id": n, "key": f"PR{n:02}", "lead_id": some(1, 90), "stars": some(0, 40),
             "default_assignee": some(1, 90)}
            for n in range(1, 16)
        ],
        "sprints": [{"id": n, "project_id": some(1, 15), "number": some(1, 9)} for n in range(1, 61)],
        "tickets": [
            {"id": n, "project_id": some(1, 15), "sprint_id": one([None, some(1, 60), some(1, 60)]),
             "reporter_id": some(1, 90), "assignee_id": one([None, some(1, 90), some(1, 90)]),
             "parent_id": before(n, 0.2), "duplicates_id": before(n, 0.05), "priority": some(1, 5),
             "votes": some(0, 60), "estimate": some(1, 20)}
            for n in range(1, 801)
        ],
        "comments": [
            {"id": n, "ticket_id": some(1, 800), "author_id": some(1, 90), "likes": some(0, 30),
             "reply_to": before(n, 0.3)}
            for n in range(1, 2001)
        ],
        "labels": [{"id": n, "name": f"label-{n}"} for n in range(1, 21)],
        "ticket_labels": [
            {"ticket_id": n, "label_id": label}
            for n in range(1, 801)
            for label in draws.sample(range(1, 21), some(0, 3))
        ],
        "worklogs": [
            {"id": n, "ticket_id": some(1, 800), "user_id": some(1, 90), "minutes": some(5, 480)}
            for n in range(1, 1201)
        ],
        "attachments": [
            {"id": n, "comment_id": some(1, 2000), "size": some(100, 100_000), "uploaded_by": some(1, 90)}
            for n in range(1, 301)
        ],
    }  # fmt: skip
    named = {
        "users": {"invited_by": "users"},
        "projects": {"lead_id": "users", "default_assignee": "users"},
        "sprints": {"project_id": "projects"},
        "tickets": {
            "project_id": "projects", "sprint_id": "sprints", "reporter_id": "users", "assignee_id": "users",
            "parent_id": "tickets", "duplicates_id": "tickets",
        },
        "comments": {"ticket_id": "tickets", "author_id": "users", "reply_to": "comments"},
        "ticket_labels": {"ticket_id": "tickets", "label_id": "labels"},
        "worklogs": {"ticket_id": "tickets", "user_id": "users"},
        "attachments": {"comment_id": "comments", "uploaded_by": "users"},
    }  # fmt: skip
    links: set[Link] = {
        (collection, (field,), target, ("id",))
        for collection, fields in named.items()
        for field, target in fields.items()
    }
    return Known("tracker", made, frozenset(links | {("users", ("country",), "countries", ("code",))}))
