"""A twin is distributed as its source, fits its schema and holds nothing that identifies."""

import re
from collections import Counter
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np
import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from mimiod.errors import ProjectError, SourceError
from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.sources import Memory
from mimiod.twinning import Twin
from mimiod.twinning.coupling import rank_correlation
from mimiod.twinning.distances import LIMIT, ks, total_variation
from mimiod.twinning.making import make
from mimiod.twinning.quantiles import DAY, Quantiles, calendar, measured, week_of, with_week

from tests.mimiod.twins import compared, documents_of, refused, shop, twin

FAR = 1.4
"Times what chance explains in 99 of 100 cases: one in 10,000, since exp(-2 (1.4 · 1.63)²) · 2 < 1e-4."


@cache
def the_shop():
    """A shop and its twin, made once for all tests that only look at them."""
    with TemporaryDirectory() as folder:
        source = shop(300, 2_000)
        made, project, documents = twin(Path(folder), source)
        files = {file.name: file.read_text() for file in (Path(folder) / "twin").iterdir() if file.is_file()}
        again = {
            rows: documents_of(project.seeder("mongodb://nowhere", project.schema).plan(), rows)
            for rows in (97, 2_000)
        }
    return source, made, project, documents, files, again


def numbers(documents, *path):
    found = []
    for document in documents:
        value = document
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        found.append(np.nan if value is None else value.timestamp() if isinstance(value, datetime) else value)
    return np.array(found, float)


def test_every_field_is_as_near_as_chance_and_the_limit_allow():
    _, made, _, documents, _, _ = the_shop()
    found = compared(made, documents)
    far = [each for each in found.values() if each.distance > max(LIMIT, FAR * each.chance)]
    assert far == []
    what = Counter(each.what for each in found.values())
    assert {
        "values", "presence", "nulls", "lengths", "items", "moments", "weekdays", "hours", "months",
        "rank correlation", "children per customers", "children per products", "children per staff",
    } <= what.keys()  # fmt: skip


def test_the_documents_fit_the_schema_that_is_written():
    _, _, project, documents, _, _ = the_shop()
    assert refused(project, documents) == []


def test_there_are_as_many_documents_as_in_the_source():
    source, _, _, documents, _, _ = the_shop()
    assert {name: len(held) for name, held in documents.items()} == {
        name: len(held) for name, held in source.items()
    }


def test_numbers_and_dates_go_together_as_in_the_source():
    source, _, _, documents, _, _ = the_shop()
    there, _ = rank_correlation(numbers(source["customers"], "age"), numbers(source["customers"], "income"))
    here, _ = rank_correlation(
        numbers(documents["customers"], "age"), numbers(documents["customers"], "income")
    )
    assert there > 0.3
    assert here == pytest.approx(there, abs=FAR * 2.58 * (2 / 300) ** 0.5)
    paid = [order for order in documents["orders"] if "paid_at" in order]
    assert rank_correlation(numbers(paid, "at"), numbers(paid, "paid_at"))[0] > 0.99


def test_what_follows_from_other_fields_does_so_in_the_twin():
    _, _, _, documents, _, _ = the_shop()
    lines = [line for order in documents["orders"] for line in order["lines"]]
    assert all(line["amount"] == pytest.approx(line["pieces"] * line["price"], abs=0.0051) for line in lines)
    assert all(order["paid_at"] >= order["at"] for order in documents["orders"] if "paid_at" in order)


def test_fields_that_another_decides_are_there_together():
    _, _, _, documents, _, _ = the_shop()
    shapes = {
        (order["status"] == "paid", "paid_at" in order, "method" in order) for order in documents["orders"]
    }
    assert shapes == {(True, True, True), (False, False, False)}


def test_references_name_documents_as_often_as_in_the_source():
    source, _, _, documents, _, _ = the_shop()

    def named(database):
        counts = Counter(order["customer_id"] for order in database["orders"])
        return np.array([counts[customer["_id"]] for customer in database["customers"]], float)

    there, here = named(source), named(documents)
    assert here.sum() == there.sum() == 2_000
    assert (here == 0).sum() > 0
    assert ks(there, here) < 0.06  # drawn exactly; what is not told are the 10 least and greatest of 300
    ids = {product["_id"] for product in documents["products"]}
    assert all(line["product_id"] in ids for order in documents["orders"] for line in order["lines"])


def test_references_to_the_own_collection_are_a_forest():
    source, _, _, documents, _, _ = the_shop()
    place = {one["_id"]: number for number, one in enumerate(documents["staff"])}
    bosses = [one["boss_id"] for one in documents["staff"]]
    assert bosses.count(None) == sum(one["boss_id"] is None for one in source["staff"])
    assert all(boss is None or place[boss] < number for number, boss in enumerate(bosses))


def test_documents_do_not_depend_on_how_the_rows_are_cut():
    _, _, _, documents, _, again = the_shop()
    assert again[97] == documents
    assert again[2_000] == documents


def test_unique_texts_stay_unique_and_none_is_the_sources():
    source, _, _, documents, _, _ = the_shop()
    for name, field in (
        ("orders", "number"),
        ("products", "sku"),
        ("customers", "email"),
        ("customers", "number"),
    ):
        here = [document[field] for document in documents[name]]
        assert len(set(here)) == len(here)
        assert not set(here) & {document[field] for document in source[name]}
    assert all(re.fullmatch(r"ORD-\d{7}", order["number"]) for order in documents["orders"])


def test_what_has_to_differ_does_so_where_there_is_hardly_room(tmp_path):
    draws = Random(4)
    people = [{"_id": f"K{number:03}", "seat": number + 10} for number in range(400)]
    profiles = [
        {"_id": ObjectId(draws.randbytes(12)), "person": person["_id"]}
        for person in draws.sample(people, 300)
    ]
    unique = {"person_1": {"key": {"person": 1}, "unique": True}}
    shapes = {"profiles": CollectionShape(indexes=unique)}
    _, project, documents = twin(tmp_path, {"people": people, "profiles": profiles}, shapes=shapes)
    keys = {person["_id"] for person in documents["people"]}
    assert len(keys) == len({person["seat"] for person in documents["people"]}) == 400
    assert not keys & {person["_id"] for person in people}
    assert all(re.fullmatch(r"K[4-9]\d\d", key) for key in keys)
    assert len({profile["person"] for profile in documents["profiles"]} & keys) == 300
    assert project.schema.collections["profiles"].indexes[0].unique


def test_the_same_source_makes_the_same_project(tmp_path):
    _, _, _, _, files, _ = the_shop()
    twin(tmp_path, shop(300, 2_000))
    assert {name: (tmp_path / "twin" / name).read_text() for name in files} == files


def test_a_twin_of_another_size_has_the_same_shape(tmp_path):
    source, _, _, _, _, _ = the_shop()
    made, _, documents = twin(tmp_path, source, scale=0.5)
    assert len(documents["orders"]) == 1_000
    assert len(documents["customers"]) == 150
    found = compared(made, documents)["orders", "customer_id", "children per customers"]
    assert found.distance <= max(LIMIT, FAR * found.chance)
    few = {name: [{"_id": number} for number in range(size)] for name, size in (("a", 90), ("b", 10))}
    assert make(Memory("m", few), None, 10, documents=50).rows == {"a": 45, "b": 5}


def test_a_sample_measures_what_it_reads_and_counts_all_references(tmp_path):
    source, _, _, _, _, _ = the_shop()
    made, _, documents = twin(tmp_path, source, sample=500)
    assert made.measurement.roots["orders"].count == 500
    assert made.measurement.degrees["orders", "customer_id"].counts(300)[0].sum() == 2_000
    assert len(documents["orders"]) == 2_000
    far = [
        each for each in compared(made, documents).values() if each.distance > max(LIMIT, FAR * each.chance)
    ]
    assert far == []


def test_a_source_that_differs_is_seen_to_differ():
    _, made, _, documents, _, _ = the_shop()
    wrong = deepcopy(documents)
    draws = Random(1)
    for order in wrong["orders"]:
        order["total"] *= 1.3
        order["at"] = order["at"] - timedelta(days=order["at"].weekday())
        order["discount"] = draws.choice([0, 15])
        order["customer_id"] = wrong["customers"][draws.randrange(30)]["_id"]
        order["lines"] = order["lines"][:2]
        order["status"] = draws.choice(["paid", "open", "cancelled"])
    for customer in wrong["customers"]:
        customer["income"] = draws.lognormvariate(10, 1)
        customer.pop("phone", None)
    missed = {key for key, each in compared(made, wrong).items() if each.misses}
    assert {
        ("orders", "total", "values"), ("orders", "at", "weekdays"), ("orders", "discount", "values"),
        ("orders", "customer_id", "children per customers"), ("orders", "lines", "items"),
        ("orders", "status", "values"), ("customers", "age ~ income", "rank correlation"),
        ("customers", "phone", "presence"),
    } <= missed  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-50, 50) | st.integers(-(10**4), 10**4), min_size=1, max_size=400),
    st.sampled_from([2, 5, 10]),
    st.sampled_from([0.0, 1.0]),
)
def test_no_edge_of_a_distribution_is_the_value_of_few(values, k, step):
    sample = np.array(values, float)
    if not step:
        sample = np.unique(sample + np.arange(len(sample)) * 0.37)  # all different
    found = Quantiles.read(measured(sample, k, step=step).told())
    counts = Counter(sample.tolist())
    edges = {*found.lows, *found.highs}
    if len(sample) >= k:
        assert all(counts[edge] == 0 or counts[edge] >= k for edge in edges if edge)
        beyond = sample.max() - sample.min() + step  # mean and deviation, told of few, reach no farther
        assert sample.min() - beyond <= found.low <= found.high <= sample.max() + beyond
    assert sum(found.shares) == pytest.approx(1, abs=1e-6)
    drawn = found.at(np.array([0.0, 0.001, 0.5, 0.999, 1.0]))
    assert (np.diff(drawn) >= 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["even", "skewed", "few", "zero"]))
def test_a_distribution_is_near_its_sample(seed, kind):
    draws = np.random.default_rng(seed)
    sample = {
        "even": lambda: draws.uniform(-5, 5, 3_000),
        "skewed": lambda: np.round(draws.lognormal(3, 2, 3_000), 2),
        "few": lambda: draws.choice([1.0, 2.0, 5.0, 100.0], 3_000, p=[0.6, 0.3, 0.09, 0.01]),
        "zero": lambda: np.where(draws.random(3_000) < 0.7, 0.0, draws.exponential(9, 3_000)),
    }[kind]()
    found = measured(sample, 10, step=0.01 if kind == "skewed" else 0.0)
    drawn = found.at((np.arange(3_000) + 0.5) / 3_000)
    assert ks(sample, drawn) < 2 * 10 / 3_000 + 1 / 200  # the 10 least and greatest, and half a segment


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 900 * DAY), min_size=10, max_size=300), st.sampled_from([2, 10]))
def test_moments_are_told_by_periods_that_enough_share(values, k):
    sample = np.array(values, float)
    found = calendar(sample, k, unit=1)
    assert all(share * len(sample) > k - 1e-6 for share in found.shares)
    assert sum(found.shares) == pytest.approx(1)


def test_the_hours_of_a_week_come_out_as_measured():
    draws = np.random.default_rng(2)
    days = draws.integers(0, 700, 20_000)
    days = np.where((days + 3) % 7 >= 5, days + 2, days)  # 1970-01-01 was a Thursday: no weekends
    sample = days * float(DAY) + draws.choice([9, 10, 17], 20_000) * 3_600_000.0
    hours = [0] * 168
    for each in sample.tolist():
        hours[int((each - 4 * DAY) % (7 * DAY) // 3_600_000)] += 1
    law = with_week(calendar(sample, 10, unit=1_000), week_of(hours, 10), 1_000)
    drawn = law.at((np.arange(20_000) + 0.5) / 20_000)
    by_hour = total_variation(
        Counter((sample // 3_600_000 % 24).tolist()), Counter((drawn // 3_600_000 % 24).tolist())
    )
    by_day = total_variation(Counter((sample // DAY % 7).tolist()), Counter((drawn // DAY % 7).tolist()))
    assert max(by_hour, by_day, ks(sample, drawn)) < 0.02


HOSTILE = [
    "a.b",
    "$set",
    "",
    "class",
    "_id_",
    "x\n__import__('os')",
    "{row}",
    "*",
    "9",
    "a b",
    "\u202e",
    "fields",
    "kinds",
]
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = st.sampled_from(HOSTILE) | st.text(ANY, max_size=6)
LAST = datetime(9999, 12, 31, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | NAMES
    | st.sampled_from([ObjectId(), b"bytes", UUID(int=5), datetime(2024, 1, 1, tzinfo=UTC), LAST]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        NAMES.filter(bool).map(lambda name: name.replace("$", "_")),
        st.lists(st.dictionaries(NAMES, VALUES, max_size=5), max_size=6),
        min_size=1,
        max_size=3,
    ).filter(lambda database: any(database.values())),
    st.integers(1, 12),
)
def test_whatever_the_documents_the_twin_fits_its_schema(database, times):
    numbered = {
        name: [
            {**document, "_id": f"{copy}-{number}"}
            for copy in range(times)
            for number, document in enumerate(held)
        ]
        for name, held in database.items()
    }
    with TemporaryDirectory() as folder:
        made, project, documents = twin(Path(folder), numbered, k=2)
        assert refused(project, documents) == []
        assert {name: len(held) for name, held in documents.items()} == {
            name: len(held) for name, held in numbered.items()
        }
        compared(made, documents)


def test_a_source_without_documents_is_refused():
    with pytest.raises(SourceError, match="m has no documents: there is nothing to make a twin of"):
        make(Memory("m", {"none": []}), None, 10)


def test_a_file_of_laws_that_cannot_be_read_is_a_line(tmp_path):
    seeder = str(tmp_path / "seed_db.py")
    with pytest.raises(ProjectError, match=r"twin.json cannot be read: make the twin again"):
        Twin(seeder)
    (tmp_path / "twin.json").write_text('{"format": 99, "collections": {}}')
    with pytest.raises(ProjectError, match=r"twin.json is of format 99, not 1"):
        Twin(seeder)
    (tmp_path / "twin.json").write_text('{"format": 1, "collections": {}}')
    with pytest.raises(ProjectError, match=r"says nothing of 'orders'"):
        Twin(seeder).fields("orders")
