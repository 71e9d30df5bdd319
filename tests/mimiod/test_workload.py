"""The check: the workload on the data, what servers say of it, the design's tables, and the command."""

import json
from collections import Counter
from typing import Annotated

import pytest
from bson import ObjectId
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    IndexDefinition,
    PyObjectId,
    Reference,
    mongo,
    structure,
)
from mimiod.checking import design_tables, rules, targets
from mimiod.checking.explaining import evidence
from mimiod.checking.findings import Finding, accepted
from mimiod.checking.parameters import draw
from mimiod.checking.rules import RULES
from mimiod.checking.workload import judge, measure, needs
from mimiod.cli import main
from mimiod.mongo import Server
from mimiod.schema_types import Query, Sample
from pydantic import BaseModel

from tests.mimiod.conftest import SCHEMA
from tests.mimiod.test_explaining import MONGODB_FIND

MONGODB = Server("8.0.4", None)


class Line(BaseModel):
    sku: str
    count: int


class Person(BaseMongoDbDocumentSchema):
    name: str
    email: str | None = None
    city: str = ""


class Order(BaseMongoDbDocumentSchema):
    person: Annotated[PyObjectId, Reference("people")]
    status: str
    total: int
    lines: list[Line] = []


def query(name, collection, **facts):
    return Query(name=name, collection=collection, **{"per_minute": 1, "priority": "high", **facts})


HOME = query("home", "people", filter={"_id": Sample("people._id")})
BY_EMAIL = query("by_email", "people", filter={"email": Sample("people.email")})
OPEN_ORDERS = query(
    "open_orders", "orders", filter={"person": Sample("people._id"), "status": "open"}, sort={"total": -1}
)
REPRICE = query(
    "reprice",
    "orders",
    action="update",
    filter={"person": Sample("people._id")},
    update={"$set": {"total": 0}},
)
PURGE = query("purge", "orders", action="delete", filter={"person": Sample("people._id")})
PLACE = query("place", "orders", action="insert", document={"status": "open"})
COPY = query(
    "copy", "orders", pipeline=[{"$match": {"status": "open"}}, {"$merge": {"into": "copies"}}],
    action="aggregate", priority="low",
)  # fmt: skip


@pytest.fixture
def make_schema(trial):
    def make(*workload, **options):
        people = BaseCollectionSchema(
            document_schema=Person,
            indexes=[IndexDefinition(keys={"email": 1}, unique=True), IndexDefinition(keys={"name": 1})],
        )
        orders = BaseCollectionSchema(
            document_schema=Order,
            indexes=[IndexDefinition(keys={"person": 1, "status": 1, "total": -1}, name="of_person")],
        )
        schema = trial.schema(people=people, orders=orders)
        return schema.model_copy(update={"workload": list(workload), **options})

    return make


@pytest.fixture
def shop(trial, make_schema):
    """A function of a workload that returns its schema, with data in the database."""
    schema = make_schema()
    structure.create_collections(trial.database, schema)
    people = [
        {"_id": ObjectId(), "name": f"p{n}", "email": f"{n}@example.com", "city": f"c{n % 3}"}
        for n in range(30)
    ]
    trial.database.people.insert_many(people)
    trial.database.orders.insert_many(
        {
            "person": people[n % 30]["_id"],
            "status": "open" if n % 2 else "done",
            "total": n,
            "lines": [{"sku": f"s{n}-{line}", "count": line} for line in range(1 + n % 3)],
        }
        for n in range(120)
    )
    structure.create_indexes(trial.database, schema)
    return make_schema


def rules_of(found):
    return sorted((each.rule, each.where) for each in found)


# Parameters


def test_parameters_are_values_of_one_document(trial, shop):
    both = query("q", "people", filter={"name": Sample("people.name"), "email": Sample("people.email")})

    for bound in draw(trial.database, shop(both), both, 5):
        assert trial.database.people.count_documents(bound.filter) == 1


def test_parameters_in_one_array_are_of_one_element(trial, shop):
    element = {"sku": Sample("orders.lines.sku"), "count": Sample("orders.lines.count")}
    of_lines = query("q", "orders", filter={"lines": {"$elemMatch": element}})

    for bound in draw(trial.database, shop(of_lines), of_lines, 5):
        assert trial.database.orders.count_documents(bound.filter) == 1


def test_parameters_come_from_documents_that_the_fixed_conditions_match(trial, shop):
    fixed = query("q", "orders", filter={"status": "open", "total": Sample("orders.total")})

    assert all(bound.filter["total"] % 2 for bound in draw(trial.database, shop(fixed), fixed, 5))


def test_a_null_is_no_parameter(trial, make_schema):
    trial.database.people.insert_many({"name": str(number), "email": None} for number in range(30))
    trial.database.people.insert_one({"name": "p", "email": "only@example.com"})

    assert [bound.filter for bound in draw(trial.database, make_schema(BY_EMAIL), BY_EMAIL, 5)] == [
        {"email": "only@example.com"}
    ]


def test_every_document_is_as_likely_as_any_other(trial, make_schema):
    trial.database.people.insert_many({"_id": number, "name": str(number)} for number in range(5))
    drawn = Counter(
        bound.filter["_id"] for _ in range(60) for bound in draw(trial.database, make_schema(), HOME, 5)
    )

    assert len(drawn) == 5
    assert max(drawn.values()) <= 120  # 60 are expected of 300


# Measuring


def test_each_query_has_a_plan_evidence_and_a_latency(trial, shop):
    schema = shop(HOME, BY_EMAIL, OPEN_ORDERS)

    measured = measure(trial.database, schema)

    assert [each.plan.index for each in measured] == ["_id_", "email_1", "of_person"]
    assert measured[0].evidence[0].indexes == ("_id_",)
    assert measured[2].evidence[0].indexes == ("of_person",)
    assert [each.returned for each in measured[:2]] == [1, 1]
    assert all(each.runs == 5 and each.milliseconds > 0 for each in measured)
    assert measured[0].keys_per_returned == measured[1].keys_per_returned == 1.0


def test_nothing_is_written(trial, shop, contents):
    before = contents()

    measured = measure(trial.database, shop(REPRICE, PURGE, PLACE, COPY))

    assert contents() == before
    assert "copies" not in trial.database.list_collection_names()
    assert [each.plan.index if each.plan else None for each in measured] == [
        "of_person",
        "of_person",
        None,
        None,
    ]
    assert [each.runs for each in measured] == [5, 5, 0, 5]


def test_where_the_server_does_otherwise_it_is_named(trial, shop):
    trial.database.orders.drop_index("of_person")

    (measured,) = measure(trial.database, shop(OPEN_ORDERS))

    assert measured.disagreement.startswith("the model has of_person, ")
    assert str(mongo.server(trial.database.client)) in measured.disagreement
    assert "scans the collection" in measured.disagreement


def test_a_query_that_the_server_refuses_says_so(trial, shop):
    broken = query("broken", "people", filter={"name": {"$nothing": 1}})
    schema = shop(broken)

    measured = measure(trial.database, schema)

    assert measured[0].refusal
    assert ("query-refused", "query broken") in rules_of(targets.findings(measured, MONGODB))


# Targets


def findings_of(schema, server=MONGODB):
    return [*rules.findings(rules.Context(schema)), *targets.findings(judge(schema), server)]


def test_a_workload_that_its_indexes_serve_has_no_findings(make_schema):
    by_name = query("by_name", "people", sort={"name": 1}, limit=9)

    found = findings_of(make_schema(HOME, OPEN_ORDERS, by_name, PLACE))

    assert {RULES[each.rule].family for each in found if each.rule in RULES}.isdisjoint({"plans", "queries"})
    assert all(each.rule in RULES for each in found)


def test_an_empty_workload_is_found(make_schema):
    assert "no-workload" in {each.rule for each in findings_of(make_schema())}


@pytest.mark.parametrize("sort", [{}, {"name": 1}])
def test_a_query_without_an_index_is_found(make_schema, sort):
    by_city = query("by_city", "people", filter={"city": "c1"}, sort=sort)

    assert ("missing-index", "query by_city") in rules_of(findings_of(make_schema(by_city)))


def test_a_blocking_sort_is_found(make_schema):
    found = findings_of(make_schema(OPEN_ORDERS.model_copy(update={"sort": {"lines.count": 1}})))

    assert ("blocking-sort", "query open_orders") in rules_of(found)


def test_an_index_that_no_query_needs_is_found_but_a_unique_one_works(make_schema):
    found = findings_of(make_schema(HOME))

    unused = [each for each in rules_of(found) if each[0] == "unused-index"]
    assert unused == [("unused-index", "orders:of_person"), ("unused-index", "people:name_1")]


def test_a_join_needs_an_index_on_what_it_joins(make_schema):
    def joined(field):
        lookup = {"$lookup": {"from": "orders", "localField": "_id", "foreignField": field, "as": "o"}}
        return query(
            "q", "people", action="aggregate", pipeline=[{"$match": {"_id": Sample("people._id")}}, lookup]
        )

    assert ("lookup-unindexed", "query q") in rules_of(findings_of(make_schema(joined("total"))))
    assert ("lookup-unindexed", "query q") not in rules_of(findings_of(make_schema(joined("person"))))
    assert needs(judge(make_schema(joined("person")))) == {
        ("people", "_id_"): ["q"],
        ("orders", "of_person"): ["q"],
    }


def test_too_many_keys_for_each_document_are_an_error_on_mongodb_only(trial, shop):
    schema = shop(query("wide", "orders", filter={"person": Sample("people._id"), "lines.count": 2}))
    measured = measure(trial.database, schema)
    measured[0].evidence = [evidence(MONGODB_FIND, measured[0].query)]
    measured[0].disagreement = ""

    on_mongodb = [each for each in targets.findings(measured, MONGODB) if each.rule == "keys-examined"]
    on_another = [
        each
        for each in targets.findings(measured, Server("7.0.0", "DocumentDB"))
        if each.rule == "keys-examined"
    ]

    assert [(each.severity, each.where) for each in on_mongodb] == [("error", "query wide")]
    assert "4.0 keys" in on_mongodb[0].text
    assert "lines.count" in on_mongodb[0].mend
    assert [each.severity for each in on_another] == ["warning"]


def test_a_query_of_an_unknown_collection_is_an_error(make_schema):
    assert ("unknown-collection", "query q") in rules_of(findings_of(make_schema(query("q", "nowhere"))))


# The design's tables

DESIGN = """
# Design

## Relationships

| From → to | Cardinality | How | Why |
|---|---|---|---|
| person → orders | 1 : many | reference `orders.person` | no bound |
| order → lines | 1 : few | embedded | read together |

## Workload

| Action | Type | Information | Frequency | Priority |
|---|---|---|---|---|
| Open the home of a person | read | name | 1 / min | high |
| A person's open orders | read | `orders` | 1 / min | 1 |
| Place an order | write | | 1 / min | high |
"""
HOME_NAMED = HOME.model_copy(update={"name": "open_home"})


def compared(folder, schema, text=DESIGN):
    (folder / "tech_design.md").write_text(text)
    return list(design_tables.compare(folder, schema))


def test_a_design_that_says_what_is_declared_has_no_findings(tmp_path, make_schema):
    assert compared(tmp_path, make_schema(HOME_NAMED, OPEN_ORDERS, PLACE)) == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "said"),
    [
        ("| Place an order |", "| Cancel everything |", "design-query-missing", "Cancel everything"),
        ("| Place an order |", "| Cancel everything |", "design-row-missing", "query place"),
        ("| `orders` |", "| `people` |", "design-query-differs", "it is on people there"),
        ("| Place an order | write |", "| Place an order | read |", "design-query-differs", "is a read"),
        ("| 1 / min | 1 |", "| 1 / min | low |", "design-query-differs", "its priority is low there"),
        ("| person → orders |", "| shop → stock |", "design-reference-missing", "orders.customer"),
        ("reference `orders.person`", "reference", None, ""),
        ("| person → orders | 1 : many | reference `orders.person` | no bound |\n", "",
         "design-relation-missing", "orders.person"),
    ],
)  # fmt: skip
def test_a_design_that_says_otherwise_is_found(tmp_path, make_schema, old, new, rule, said):
    assert old in DESIGN
    text = DESIGN.replace(old, new)
    if rule == "design-reference-missing":
        text = text.replace("`orders.person`", "`orders.customer`")
    found = compared(tmp_path, make_schema(HOME_NAMED, OPEN_ORDERS, PLACE), text)

    if rule is None:
        assert found == []
    else:
        assert any(each.rule == rule and said in str(each) for each in found)


def test_a_row_may_name_its_query(tmp_path, make_schema):
    text = DESIGN.replace("| Place an order | write | |", "| Sell | write | `place` |")

    assert compared(tmp_path, make_schema(HOME_NAMED, OPEN_ORDERS, PLACE), text) == []


def test_a_project_without_a_design_is_told(tmp_path, make_schema):
    assert [each.rule for each in design_tables.compare(tmp_path, make_schema(HOME))] == ["design-missing"]


# What is accepted

SCAN = Finding("missing-index", "error", "query by_city", "text", "mend")
UNUSED = Finding("unused-index", "warning", "people:name_1", "text", "mend")
FIELD = Finding("unbounded-array", "warning", "orders.lines", "text", "mend")


@pytest.mark.parametrize(
    ("key", "covered"),
    [
        ("missing-index", [SCAN]),
        ("missing-index:query by_city", [SCAN]),
        ("unused-index:people", [UNUSED]),
        ("unused-index:people:name_1", [UNUSED]),
        ("unused-index:people.name_1", [UNUSED]),
        ("unbounded-array:orders.lines", [FIELD]),
        ("unbounded-array:order", []),
        ("missing", []),
    ],
)
def test_a_reason_suppresses_what_its_key_names(key, covered):
    left, suppressed = accepted([SCAN, UNUSED, FIELD], {key: "because"})

    assert [each.finding for each in suppressed] == covered
    assert [each for each in left if each.rule != "accepted-unused"] == [
        each for each in (SCAN, UNUSED, FIELD) if each not in covered
    ]
    assert ("accepted-unused" in {each.rule for each in left}) == (not covered)


def test_a_key_without_a_reason_suppresses_nothing_and_is_an_error():
    left, suppressed = accepted([SCAN], {"missing-index": " "})

    assert suppressed == []
    assert [(each.rule, each.severity) for each in left] == [
        ("missing-index", "error"),
        ("accepted-unexplained", "error"),
    ]


# The command

WORKLOAD = """
from mimiod.schema_types import Query, Sample

database_schema = database_schema.model_copy(update={"workload": [
    Query(name="by_email", collection="people", filter={"email": Sample("people.email")}, per_minute=9,
          priority="high"),
    Query(name="orders_of_person", collection="orders", filter={"person": Sample("people._id")},
          sort={"total": -1}, per_minute=9, priority="high"),
]})
"""


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_a_database_without_data_is_one_line(capsys, make_project, mongodb):
    code, _, said = command(capsys, "check", make_project(), "--uri", mongodb.uri)

    assert code == 1
    assert said.count("\n") == 1
    assert "is empty: `mimiod run shop` fills it" in said


def test_a_design_that_holds_exits_0(capsys, make_project, mongodb):
    folder = make_project(db_schema=SCHEMA + WORKLOAD)
    command(capsys, "run", folder, "--uri", mongodb.uri)

    code, shown, _ = command(capsys, "check", folder, "--uri", mongodb.uri)

    assert code == 0
    assert "by_email" in shown
    assert "shop: passed, 0 errors" in shown


def test_a_design_that_does_not_exits_1_and_says_how_to_mend_it(capsys, make_project, mongodb):
    folder = make_project(db_schema=SCHEMA + WORKLOAD.replace('"email": Sample', '"name": Sample'))
    command(capsys, "run", folder, "--uri", mongodb.uri)

    code, shown, _ = command(capsys, "check", folder, "--uri", mongodb.uri)

    assert code == 1
    assert "error: query by_email: it reads the whole collection" in shown
    assert "mend: make an index: fields compared for equality first" in shown


def test_json_is_one_document(capsys, make_project, mongodb):
    folder = make_project(db_schema=SCHEMA + WORKLOAD)
    command(capsys, "run", folder, "--uri", mongodb.uri)

    code, printed, _ = command(capsys, "check", folder, "--uri", mongodb.uri, "--json")
    report = json.loads(printed)

    assert code == 0
    assert report["passed"]
    assert [each["model"]["index"] for each in report["queries"]] == ["email_1", "person_1_total_-1"]
    assert {"collection": "people", "index": "email_1", "queries": ["by_email"]} in report["indexes"]
