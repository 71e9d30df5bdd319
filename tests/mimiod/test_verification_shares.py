"""Declared distributions: data as declared raises no alarm, and data that is not does, by name."""

import math
import random
from datetime import timedelta
from typing import Annotated, Literal

import pytest
from bson import Decimal128
from hypothesis import given, settings
from hypothesis import strategies as st
from mimiod import BaseCollectionSchema, BaseMongoDbDocumentSchema, structure
from mimiod.checking.verification import verify
from mimiod.checking.verifying.meetings import key_of
from mimiod.checking.verifying.report import CollectionVerification
from mimiod.checking.verifying.shares import LawTests, judge, log_tail
from mimiod.seeding import (
    MISSING,
    Array,
    Burst,
    Chance,
    Choice,
    Correlated,
    Digits,
    Exponential,
    Fake,
    Get,
    Histogram,
    LogNormal,
    Maybe,
    Moment,
    Normal,
    Poisson,
    Rows,
    Text,
    Uniform,
    Zipf,
)
from mimiod.seeding.describing import distributions
from pydantic import Field

from tests.mimiod.planning import NOW, Anything, documents, plan_of


def faults_of(plan, found=None):
    """Return what the laws of a plan find wrong with its documents, or with others."""
    rows = (found or documents(plan))["things"]
    tests = LawTests("things", distributions(plan)["things"])
    report = CollectionVerification()
    for start in range(0, len(rows), 2000):
        part = rows[start : start + 2000]
        tests.see(part, [key_of(row["_id"]) for row in part], report)
    judge(tests.tests, {"things": report})
    return report.faults, tests


DRAWS = {
    "choice": Choice({"a": 62, "b": 30, "c": 8, "d": 0}),
    "choice with null": Choice({"a": 3, None: 1}),
    "choice of documents": Choice([{"id": n, "name": f"n{n}"} for n in range(5)]),
    "chance": Chance(0.3),
    "sometimes": Maybe(0.7, LogNormal(50, 0.8, digits=2, low=1)),
    "sometimes no field": Maybe(0.4, Maybe(0.5, Text("{row}")), MISSING),
    "uniform": Uniform(2.5, 9.0),
    "whole": Uniform(-3, 12),
    "clipped": Uniform(0, 9, low=2, high=7),
    "tenths": Uniform(0.0, 1.0, digits=1),
    "normal": Normal(680, 80, low=300, high=850),
    "normal, clipped hard": Normal(0, 1, low=-0.1, high=0.2),
    "normal, thousands": Normal(50_000, 9_000, digits=-3),
    "log-normal": LogNormal(30, 1.0, digits=2),
    "exponential": Exponential(40, digits=0, high=100),
    "zipf": Zipf(40, 2.2),
    "zipf of harmonic ranks": Zipf(1000, 1.0),
    "poisson": Poisson(3, low=1, high=20),
    "histogram": Histogram([18, 25, 35, 50, 65, 90], [12, 25, 0, 22, 10], digits=0),
    "moment": Moment(days=90, hours=[1] * 8 + [6] * 10 + [3] * 6, growth=3.0, offset=7),
    "burst": Moment("2025-01-01", "2025-12-31", bursts=[Burst("2025-11-11", days=2, times=5)]),
    "array": Array({"n": Uniform(1, 6), "k": Choice("ab")}, size=Poisson(3, low=1, high=8)),
    "array of numbers": Array(Normal(0, 1), size=3),
    "digits": Digits("##"),
    "constant": "ID",
    "null": None,
    "document": {"a": Chance(0.5), "b": {"c": Zipf(9)}},
}
STATED_NOT = {
    "fake": Fake("name"),
    "get": Get("row"),
    "maybe get": Maybe(0.5, Get("row")),
    "array of some": Array(Maybe(0.5, 1, MISSING), size=4),
}


@pytest.mark.parametrize("name", DRAWS)
def test_data_as_declared_raises_no_alarm(name):
    plan = plan_of({"things": Rows(20_000, {"value": DRAWS[name]})}, seed=5)
    faults, tests = faults_of(plan)

    assert [str(fault) for fault in faults] == []
    assert not [path for path in tests.unstated if path.endswith(".value")]
    assert all(test.rows for test in tests.tests)


@pytest.mark.parametrize("name", STATED_NOT)
def test_what_follows_from_others_is_said_to_be_untested(name):
    faults, tests = faults_of(plan_of({"things": Rows(100, {"value": STATED_NOT[name]})}))

    assert faults == []
    assert tests.unstated == ["things.value"]


def test_correlated_numbers_are_each_distributed_as_declared():
    fields = {"a": Normal(0, 1), "b": Correlated(Uniform(0.0, 1.0), with_="a", strength=0.9)}
    faults, tests = faults_of(plan_of({"things": Rows(20_000, fields)}))

    assert faults == []
    assert tests.unstated == []


class Typed(BaseMongoDbDocumentSchema):
    model_config = {"arbitrary_types_allowed": True}

    age: int
    price: Decimal128
    status: Literal["open", "done"]
    note: Annotated[str | None, Field(max_length=9)] = None


def test_numbers_are_tested_in_the_type_of_the_schema():
    fields = {"age": Normal(40, 3), "price": LogNormal(3, 0.2), "status": Choice({"open": 1, "done": 3})}
    faults, _ = faults_of(plan_of({"things": Rows(20_000, fields)}, {"things": Typed}))

    assert faults == []


SKEWS = {
    "choice": (Choice({"a": 50, "b": 50}), Choice({"a": 54, "b": 46})),
    "chance": (Chance(0.01), Chance(0.02)),
    "presence": (Maybe(0.5, 1), Maybe(0.55, 1)),
    "mean": (Normal(100, 10), Normal(102, 10)),
    "spread": (Normal(100, 10), Normal(100, 12)),
    "median": (LogNormal(50, 0.8, digits=2), LogNormal(54, 0.8, digits=2)),
    "family": (Exponential(10), Uniform(0.0, 20.0)),
    "hours": (Moment(days=100), Moment(days=100, growth=1.3)),
    "sizes": (Array(1, size=Poisson(3, high=9)), Array(1, size=Poisson(3.2, high=9))),
    "items": (Array(Chance(0.5), size=2), Array(Chance(0.53), size=2)),
}


@pytest.mark.parametrize("case", SKEWS.values(), ids=SKEWS)
def test_a_skewed_distribution_is_found_and_its_field_named(case):
    declared, made = case
    plan = plan_of({"things": Rows(20_000, {"value": declared, "other": Chance(0.5)})})
    other = plan_of({"things": Rows(20_000, {"value": made, "other": Chance(0.5)})})

    faults, _ = faults_of(plan, documents(other))

    assert [(fault.kind, fault.collection) for fault in faults] == [("distribution", "things")]
    assert faults[0].identifier in {"value", "value (its length)"}
    assert "declared" in faults[0].reason


IMPOSSIBLE = {
    "another value": (Choice("ab"), "c", "value: found c, declared is one of [a, b]"),
    "a value of no weight": (Choice({"a": 1, "b": 0}), "b", "declared is one of"),
    "beyond the bounds": (Normal(5, 1, low=1, high=9), 9.5, "found 9.5, declared is a number from 1 to 9"),
    "no number": (Uniform(1, 9), "x", "found x, declared is a number from 1 to 9"),
    "before the window": (Moment(days=9), NOW - timedelta(10), "found 2025-12-22"),
    "nothing": (Uniform(1, 9), None, "found null, declared is always a value"),
    "something": (None, 1, "found 1, declared is never a value"),
    "an item": (Array(Choice("ab"), size=2), ["a", "c"], "found c"),
    "a length": (Array(Choice("ab"), size=2), ["a"], "value (its length): found 1"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_one_impossible_value_names_its_document(case):
    draw, value, reason = case
    plan = plan_of({"things": Rows(3000, {"value": draw})})
    found = documents(plan)
    wrong = found["things"][2345]
    wrong["value"] = value

    faults, _ = faults_of(plan, found)

    assert [(fault.kind, fault.identifier) for fault in faults] == [("distribution", f"_id {wrong['_id']}")]
    assert reason in faults[0].reason


@settings(max_examples=200, deadline=None)
@given(rows=st.integers(1, 400), share=st.floats(0.001, 0.999), number=st.integers(0, 400))
def test_the_bound_is_never_below_the_probability(rows, share, number):
    number = min(number, rows)
    beyond = range(number, rows + 1) if number >= rows * share else range(number + 1)
    exact = sum(math.comb(rows, k) * share**k * (1 - share) ** (rows - k) for k in beyond)

    assert exact <= math.exp(log_tail(number, rows, share)) * (1 + 1e-9)


def test_a_collection_that_the_server_shrinks_is_not_tested(trial):
    model = {"document_schema": Anything}
    plan = plan_of({"things": Rows(500, {"value": Chance(0.5)})})
    for options, expected in (({}, 1), ({"capped": True, "size": 10**6}, 0)):
        schema = trial.schema(things=BaseCollectionSchema(options=options, **model))
        trial.database.drop_collection("things")
        structure.create_collections(trial.database, schema)
        trial.database.things.insert_many([{"value": random.Random(n).random() < 0.9} for n in range(500)])

        report = verify(trial.database, schema, distributions=distributions(plan))

        assert report.collections["things"].fault_counts.get("distribution", 0) == expected
