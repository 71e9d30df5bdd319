"""What the profiler says of documents, and that its memory does not grow with them."""

import random
import tracemalloc
from datetime import UTC, datetime

import bson
import pytest
from bson import Decimal128, Int64, ObjectId
from mimiod import BaseCollectionSchema
from mimiod.checking.profile import MOST_PATHS, profile, profile_documents


def profiled(*documents):
    return profile_documents(bson.encode(document) for document in documents)


def test_sizes_and_levels_are_measured():
    small, large = {"a": 1}, {"a": {"b": [{"c": {"d": "x" * 100}}]}}

    facts = profiled(small, large)

    sizes = [len(bson.encode(document)) for document in (small, large)]
    assert (facts.documents, facts.largest_size) == (2, max(sizes))
    assert facts.average_size == sum(sizes) / 2
    assert facts.deepest == 4


def test_values_are_counted_through_arrays():
    facts = profiled({"items": [{"sku": "a"}, {"sku": "bb"}]}, {"items": [{"sku": "a"}]}, {"items": []})

    items, sku = facts.paths["items"], facts.paths["items.sku"]
    assert (items.present, items.longest, items.types["array"]) == (3, 2, 3)
    assert (sku.present, sku.distinct, sku.most_common, sku.largest) == (2, 2, 2, 2)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"),
        (1, "int"),
        (Int64(1), "long"),
        (2**40, "long"),
        (1.5, "double"),
        ("a", "string"),
        (b"a", "binData"),
        (ObjectId(), "objectId"),
        (datetime(2026, 1, 1, tzinfo=UTC), "date"),
        (Decimal128("1.5"), "decimal"),
        ({}, "object"),
    ],
)
def test_types_are_named_as_mongodb_names_them(value, kind):
    assert profiled({"a": value}).paths["a"].types == {kind: 1}


def test_a_null_is_no_value():
    facts = profiled({"a": None}, {"a": 1}, {})

    assert (facts.paths["a"].present, facts.paths["a"].types) == (1, {"int": 1})


def test_no_documents_have_no_facts():
    assert (profiled().documents, profiled().average_size, profiled().paths) == (0, 0, {})


@pytest.mark.parametrize("values", [900, 5_000, 30_000])
def test_distinct_values_are_exact_when_few_and_near_when_many(values):
    facts = profile_documents(bson.encode({"a": row % values}) for row in range(30_000))

    assert facts.paths["a"].distinct == pytest.approx(values, rel=0 if values < 1000 else 0.1)


def test_a_common_value_is_found_among_many():
    draw = random.Random(7)
    values = ["often" if draw.random() < 0.3 else str(draw.random()) for _ in range(20_000)]

    facts = profile_documents(bson.encode({"a": value}) for value in values)

    often = values.count("often")
    assert often - 20_000 / 64 <= facts.paths["a"].most_common <= often


def test_memory_does_not_grow_with_documents_and_paths():
    def peak(documents):
        tracemalloc.start()
        profile_documents(bson.encode({"a": str(row), f"key_{row}": row}) for row in range(documents))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(12_000) < 1.5 * peak(3_000)


def test_free_keys_do_not_fill_the_memory():
    facts = profile_documents(bson.encode({f"key_{row}": 1}) for row in range(2 * MOST_PATHS))

    assert len(facts.paths) == MOST_PATHS


def test_a_database_is_profiled(trial):
    trial.database.things.insert_many([{"n": row % 10, "tags": ["a"] * 3} for row in range(500)])

    facts = profile(trial.database, trial.schema(things=BaseCollectionSchema())).collections["things"]

    assert facts.documents == 500
    assert (facts.paths["n"].distinct, facts.paths["tags"].longest) == (10, 3)


def test_a_sample_tells_of_the_whole(trial):
    trial.database.things.insert_many([{"n": row} for row in range(500)])

    schema = trial.schema(things=BaseCollectionSchema())
    facts = profile(trial.database, schema, sample=50).collections["things"]

    assert facts.documents == 500
    assert 0 < facts.paths["n"].present <= 50
