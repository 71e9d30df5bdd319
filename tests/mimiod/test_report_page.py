"""The page of `mimiod report`: self-contained, complete, and safe from what users write."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import pytest
from bson import ObjectId
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    Computed,
    Copy,
    IndexDefinition,
    NotBefore,
    PyObjectId,
    Reference,
    structure,
)
from mimiod.checking.workload import judge
from mimiod.cli import main
from mimiod.projects import Project
from mimiod.reporting import page
from mimiod.reporting.facts import gather
from mimiod.reporting.fields import fields_of
from mimiod.schema_types import Query, Sample
from mimiod.seeder_base import DatabaseSeeder
from pydantic import BaseModel, Field

from tests.mimiod.conftest import SCHEMA
from tests.mimiod.reported import HOSTILE, REMOTE, Page, Silent, hostile_schema, plain


class Line(BaseModel):
    sku: str
    count: int = Field(ge=1, le=9)


class Person(BaseMongoDbDocumentSchema):
    name: str
    city: Literal["Bonn", "Rome"]
    joined_at: datetime
    orders: Annotated[int, Computed("count", "orders")]


class Order(BaseMongoDbDocumentSchema):
    person: Annotated[PyObjectId, Reference("people", why="orders have no bound")]
    person_name: Annotated[str, Copy("person.name", stale="an hour")]
    placed_at: Annotated[datetime, NotBefore("person.joined_at")]
    total: float | None
    paid: bool
    lines: list[Line] = Field(max_length=5)


WORKLOAD = [
    Query(name="home", collection="people", filter={"_id": Sample("people._id")}, per_minute=100,
          priority="high", latency_ms=1000),
    Query(name="open_orders", collection="orders", filter={"person": Sample("people._id")},
          sort={"placed_at": -1}, per_minute=10),
]  # fmt: skip


@pytest.fixture
def reported(trial, tmp_path):
    """A function of a schema that returns the report on it and its page."""

    def report(schema):
        project = Project("shop", tmp_path, schema, DatabaseSeeder)
        found = gather(project, trial.uri, Silent())
        text = page.render(found)
        return found, text, Page(text)

    return report


@pytest.fixture
def shop(trial):
    schema = trial.schema(
        people=BaseCollectionSchema(document_schema=Person, description="Who buys."),
        orders=BaseCollectionSchema(
            document_schema=Order,
            indexes=[IndexDefinition(keys={"person": 1, "placed_at": -1}, name="of_person")],
        ),
    ).model_copy(update={"workload": WORKLOAD, "volumes": {"people": 4_000, "orders": 60_000}})
    structure.create_collections(trial.database, schema)
    began = datetime(2025, 1, 1, tzinfo=UTC)
    people = [
        {
            "_id": ObjectId(),
            "name": f"p{n}",
            "city": "Rome" if n % 4 else "Bonn",
            "joined_at": began,
            "orders": 3,
        }
        for n in range(40)
    ]
    trial.database.people.insert_many(people)
    trial.database.orders.insert_many(
        {
            "person": people[n % 40]["_id"],
            "person_name": f"p{n % 40}",
            "placed_at": began + timedelta(hours=n),
            "total": n / 4 if n % 2 else None,
            "paid": n % 3 == 0,
            "lines": [{"sku": f"s{line}", "count": 1 + line} for line in range(n % 4)],
        }
        for n in range(120)
    )
    structure.create_indexes(trial.database, schema)
    return schema


def test_the_page_is_well_formed_and_refers_to_nothing_outside(reported, shop):
    _, text, read = reported(shop)

    assert read.faults == []
    assert {value for name in REMOTE for value in read.attributes(name)} <= {
        "data:,", *(f"#{identifier}" for identifier in read.attributes("id"))
    }  # fmt: skip
    assert not re.search(r"@import|url\((?!#)|<script|<iframe|\bon\w+=", text)
    assert "://" not in text
    assert len(read.attributes("id")) == len(set(read.attributes("id")))


def test_the_page_can_be_read_by_those_who_do_not_see_it(reported, shop):
    _, text, read = reported(shop)
    tags = [tag for tag, _ in read.tags]

    assert {"main", "nav", "header", "footer", "h1"} <= set(tags)
    assert ("html", {"lang": "en"}) in read.tags
    assert all("aria-label" in facts for tag, facts in read.tags if tag == "svg")
    assert all("scope" in facts for tag, facts in read.tags if tag == "th")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_every_collection_field_index_query_and_mark_stands_on_the_page(reported, shop):
    _, _, read = reported(shop)

    for collection in shop.collections.values():
        assert collection.collection_name in read.text
        for field in fields_of(collection):
            assert field.path in read.text
        for index in ["_id_", *(each.name for each in collection.indexes)]:
            assert index in read.text
    for query in shop.workload:
        assert query.name in read.text
    for said in ("Who buys.", "orders have no bound", "person.name: an hour", "count of orders", "NotBefore"):
        assert said in read.text


def test_what_is_measured_is_what_lies_in_the_database(reported, shop):
    found, _, read = reported(shop)
    people, orders = found.collections

    fields = {each.field.path: each.data for each in orders.fields}
    assert (people.data.documents, orders.data.documents) == (40, 120)
    assert people.data.read == 40
    assert (fields["total"].present, fields["paid"].kinds) == (60, {"true": 40, "false": 80})
    assert fields["lines"].elements.count == 120
    assert "120 documents" in read.text
    assert [each.queries for each in orders.indexes] == [(), ("open_orders",)]
    assert [each.queries for each in people.indexes] == [("home",)]


def test_the_charts_on_the_page_add_up_to_the_values(reported, shop):
    found, text, _ = reported(shop)
    row = re.search(r"<code>paid</code>.*?</tr>", text, re.DOTALL)[0]

    assert sum(map(int, re.findall(r'data-count="(\d+)"', row))) == 120
    assert sum(map(int, re.findall(r'class="soft".*?data-count="(\d+)"', row))) == 120
    assert found.check.passed


def test_the_forecast_is_the_measured_document_at_the_declared_volume(reported, shop, trial):
    found, _, _ = reported(shop)
    people, orders = found.forecasts
    sizes = [each["size"] for each in trial.database.people.aggregate([
        {"$project": {"size": {"$bsonSize": "$$ROOT"}}}
    ])]  # fmt: skip

    assert people.data == round(4_000 * sum(sizes) / len(sizes))
    assert (people.documents, orders.documents) == (4_000, 60_000)
    # An ObjectId, a moment and what an entry has beside them.
    assert [round(each.bytes / 60_000) for each in orders.indexes] == [21, 30]
    assert 0 < people.hot <= people.data


def test_a_partial_index_is_forecast_by_its_share(reported, shop, trial):
    index = IndexDefinition(keys={"placed_at": 1}, name="paid", partial_filter={"paid": True})
    shop.collections["orders"].indexes.append(index)
    structure.create_indexes(trial.database, shop)
    found, _, _ = reported(shop)

    whole, partial = (
        next(each.bytes for each in found.forecasts[1].indexes if each.name == name)
        for name in ("_id_", "paid")
    )
    assert partial == pytest.approx(whole / 3 * 17 / 21, rel=0.01)


def test_hostile_texts_stay_text(reported, trial):
    schema = hostile_schema(trial.database.name)
    trial.database.things.insert_many(
        {"n": number % 5, "kind": text, f"found {number} {text.replace('.', '')}": text}
        for number, text in enumerate(HOSTILE * 8)
    )
    structure.create_indexes(trial.database, schema)
    _, _, read = reported(schema)

    assert read.faults == []
    assert {tag for tag, _ in read.tags}.isdisjoint({"script", "img", "iframe"})
    assert not [facts for _, facts in read.tags for name in facts if name.startswith("on")]
    for hostile in HOSTILE[:3]:
        assert read.text.count(plain(hostile)) >= 3


def test_the_plans_and_findings_of_the_check_stand_on_the_page(reported, shop):
    found, _, read = reported(shop)

    for measured in judge(shop):
        assert measured.plan.index in read.text
    assert [each.query.name for each in found.check.queries] == ["home", "open_orders"]
    for finding in found.check.findings:
        assert plain(finding.where) in read.text


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return ended.value.code, *capsys.readouterr()


def test_an_empty_database_gives_one_line(capsys, make_project, mongodb):
    code, said, complaint = run(capsys, "report", make_project(), "--uri", mongodb.uri)

    assert (code, said) == (1, "")
    assert complaint.splitlines()[-1] == (
        f"error: {mongodb.database} on {mongodb.uri} is empty: `mimiod run shop` fills it"
    )
    assert "Traceback" not in complaint


def test_the_command_writes_the_page_where_git_does_not_look(capsys, make_project, mongodb, monkeypatch):
    folder = make_project(db_schema=SCHEMA)
    monkeypatch.chdir(folder.parents[1])
    monkeypatch.delenv("MIMIOD_DATA_DIR", raising=False)
    run(capsys, "run", folder, "--uri", mongodb.uri)
    code, said, _ = run(capsys, "report", folder, "--uri", mongodb.uri)
    written = Path(said.strip())

    assert code == 0
    assert written == folder.parents[1] / "data" / "reports" / "shop.html"
    read = Page(written.read_text())
    assert read.faults == []
    assert re.search(r"Seed\s*42", read.text)


def test_a_place_that_cannot_be_written_gives_one_line(capsys, make_project, mongodb, tmp_path):
    folder = make_project()
    run(capsys, "run", folder, "--uri", mongodb.uri)
    (tmp_path / "file").write_text("")
    code, _, complaint = run(
        capsys, "report", folder, "--uri", mongodb.uri, "--out", tmp_path / "file" / "page.html"
    )

    assert code == 1
    assert complaint.splitlines()[-1].startswith(
        f"error: {tmp_path / 'file' / 'page.html'} cannot be written"
    )
