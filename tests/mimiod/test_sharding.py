"""Sharding: what is sent to a cluster, and what is said to a server that is none."""

import pytest
from mimiod.projects import load_project
from mimiod.resuming import Seeding, Way
from mimiod.sharding import commands, split_points

from tests.mimiod.runs import Heard, run

SHARDED = ('"orders": BaseCollectionSchema(', '"orders": BaseCollectionSchema(shard_key={"person": 1}, ')


@pytest.mark.backend("mongodb")
def test_a_server_without_sharding_is_no_failure(make_shop, trial):
    reporter = Heard()

    assert run(make_shop(schema_changes=(SHARDED,)), trial.uri, reporter=reporter).passed

    assert len(reporter.notes) == 1
    assert reporter.notes[0].endswith(" has no sharding: collection 'orders' is loaded unsharded")


def test_a_hashed_key_is_split_by_the_server():
    assert commands("shop.orders", {"person": "hashed"}, ["a", "b", "c"], []) == [
        ("shardCollection", "shop.orders", {"key": {"person": "hashed"}, "numInitialChunks": 6})
    ]


def test_a_ranged_key_is_split_and_spread_in_turn():
    points = [{"n": 10}, {"n": 20}, {"n": 30}]

    sent = commands("shop.orders", {"n": 1}, ["a", "b"], points)

    assert sent == [
        ("shardCollection", "shop.orders", {"key": {"n": 1}}),
        ("split", "shop.orders", {"middle": {"n": 10}}),
        ("split", "shop.orders", {"middle": {"n": 20}}),
        ("split", "shop.orders", {"middle": {"n": 30}}),
        ("moveChunk", "shop.orders", {"find": {"n": 10}, "to": "b"}),
        ("moveChunk", "shop.orders", {"find": {"n": 20}, "to": "a"}),
        ("moveChunk", "shop.orders", {"find": {"n": 30}, "to": "b"}),
    ]


def test_chunks_begin_at_keys_of_the_rows_to_come(make_shop, trial):
    project = load_project(make_shop())
    seeder = project.seeder(trial.uri, project.schema)
    seeding = Seeding(project, seeder, seeder.plan(), trial.database, Way())

    points = split_points({"person": 1}, seeding.sample("orders", 40), 2)

    rows = [seeder.plan().row_of("people", point["person"]) for point in points]
    assert rows == [100, 200, 300]


@pytest.mark.parametrize("values", [[], [{"n": 1}], [{"n": 1}, {"n": "x"}]], ids=str)
def test_keys_without_an_order_are_not_split(values):
    assert split_points({"n": 1}, values, 2) == []
