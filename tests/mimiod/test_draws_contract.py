"""The contract of a plan: bytes depend on seed, reference time, collection, row and declaration alone."""

import os
import pickle
import random
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import bson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mimiod.seeding import (
    MISSING,
    After,
    Age,
    Array,
    Before,
    Burst,
    Chance,
    Choice,
    City,
    Combination,
    Correlated,
    Count,
    Day,
    Digits,
    Exponential,
    Fake,
    Function,
    Get,
    Greatest,
    Histogram,
    LogNormal,
    Maybe,
    Moment,
    Normal,
    OneOf,
    Parent,
    Point,
    Poisson,
    Position,
    Ref,
    Refs,
    Rows,
    Sequence,
    Share,
    States,
    Sum,
    Summary,
    Text,
    To,
    Uniform,
    Unique,
    Vectorised,
    When,
    Zipf,
    credit,
    financial,
    time_series,
)
from mimiod.seeding.units import Unit

from tests.mimiod.planning import AWARE, NOW, encoded, plan_of

ROOT = Path(__file__).parents[2]
POOLS = {}
"Values that were drawn from Faker once, for all plans of these tests; they have one seed."

LIFE = States(
    "at",
    {
        "new": [To("seen", 0.7, by=LogNormal(3, 1)), To("lost", 0.1, by=Exponential(9), unit="hours")],
        "seen": [To("new", 0.3, by=1), To("done", 0.5, by=Normal(4, 2, low=0))],
    },
    first="new",
)
HOME = City({"ID": 2, "DE": 1}, name="home")
BASE = {
    "kind": Choice({"x": 3, "y": 2, "z": 1}),
    "n": Normal(5, 2, low=0),
    "at": Moment(days=60, hours=[1, 2] * 12, growth=2, bursts=[Burst("2025-12-12", times=4)], offset=5.5),
}
LEAVES = [
    None,
    7,
    "text",
    [1, "two"],
    Uniform(1, 9),
    Uniform(-2.5, 2.5, digits=1),
    Uniform(0, 2**40),
    LogNormal(50, 1.2, digits=2, high=900),
    Exponential(3),
    Zipf(100, 1.3),
    Poisson(2.5),
    Histogram([0, 5, 50], [3, 1], digits=0),
    Correlated(LogNormal(9, 1), "n", -0.7),
    Choice([1, 2.5, "three", None, True, [4], {"five": 5}]),
    Chance(0.3),
    Sequence(10, 3),
    Fake("word", pool=30),
    Fake("city", locale={"de_DE": 1, "fr_FR": 2}, pool=30),
    Digits("##-####", unique=False),
    Text("{kind:upper}{row}-{at:%H}-{w:slug}", w=Fake("word", pool=30)),
    After("at", by=Exponential(9)),
    Before("at", by=3, unit="minutes"),
    Day("at", offset=-3),
    Age(Normal(40, 9)),
    Get("at"),
    Share("n", Uniform(0.0, 1.0), digits=3),
    LIFE.state(),
    LIFE.at("done"),
    LIFE.history(),
    HOME,
    HOME.point(4),
    Point((179.99, 80.0), 30),
    Function(lambda n, kind: {"x": int(n), "y": n, "z": MISSING}[kind], "n", "kind"),
    Function(lambda row: [*row.random.sample(range(9), 3), row["kind"], row.number]),
    Vectorised(lambda n: n * 2, "n"),
    financial.iban(),
    credit.device(),
    time_series.sensor_reading("at", daily=3, yearly=5),
]


def containers(inner):
    return st.one_of(
        st.dictionaries(st.sampled_from(["p", "q", "r"]), inner, min_size=1),
        st.builds(Array, inner, st.sampled_from([0, 2, Poisson(1.5), Zipf(6)])),
        st.builds(Maybe, st.sampled_from([0.0, 0.4, 1.0]), inner, st.sampled_from([None, MISSING, 0])),
        st.builds(lambda a, b: When("kind", {"x": a, ("y", "w"): b}, MISSING), inner, inner),
        st.builds(lambda a, b: OneOf([(2, a), (1, b)]), inner, inner),
    )


DRAWS = st.recursive(st.sampled_from(LEAVES), containers, max_leaves=4)
FIELDS = st.dictionaries(st.sampled_from("abcdef"), DRAWS, min_size=1).map(lambda drawn: BASE | drawn)
REFERENCES = st.fixed_dictionaries(
    {},
    optional={
        "one": st.builds(Ref, st.just("shops"), st.sampled_from(["uniform", "zipf", "recent"])),
        "many": st.just(Refs("shops", Poisson(2))),
        "sort": st.just(Ref("sorts")),
        "through": st.just(Get("again.at")),
        "again": st.just(Ref("shops")),
        "sale": st.just(Maybe(0.8, Ref("sales"))),
    },
).map(lambda drawn: drawn | ({"again": Ref("shops")} if "through" in drawn else {}))


@st.composite
def declarations(draw):
    """Rows of four collections: one fixed, one that grows, its children, and one that refers to all."""
    return {
        "sorts": Rows(5, draw(FIELDS), fixed=True),
        "shops": Rows(23, draw(FIELDS)),
        "sales": Rows(
            draw(st.sampled_from([2, Uniform(0, 3), Zipf(5)])),
            draw(FIELDS) | {"shop": Parent("shops"), "shop_at": Get("shop.at"), "position": Position()},
            per="shops",
        ),
        "visits": Rows(31, draw(FIELDS) | draw(REFERENCES)),
        "days": Summary(
            "sales",
            by={"day": Day("at"), "kind": "kind"},
            totals={"n": Count(), "s": Sum("n"), "m": Greatest("n")},
        ),
    }


def plan(rows, **options):
    made = plan_of(rows, **options)
    made.adopt(POOLS)
    return made


def fresh(rows, **options):
    """A plan whose pools are kept for the next."""
    made = plan(rows, **options)
    POOLS.update({key: pool for key, pool in made.warm().items() if key[0] in {"faker", "cities"}})
    return made


MODERATE = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking a whole declaration takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)


@MODERATE
@given(declarations(), st.integers(1, 9), st.randoms(use_true_random=False))
def test_bytes_are_the_same_however_the_rows_are_cut(rows, step, order):
    first = encoded(fresh(rows))
    units = [
        Unit(root, start, min(start + step, count))
        for root, count in plan(rows).roots.items()
        for start in range(0, count, step)
    ]
    order.shuffle(units)
    other = plan(rows)
    found = {name: [] for name in rows}
    for unit in units:
        for part in other.encode(unit):
            found[part.collection] += part.documents

    assert {name: sorted(raws) for name, raws in found.items()} == {
        name: sorted(raws) for name, raws in first.items()
    }


@MODERATE
@given(declarations(), st.sampled_from([(0.1, 1.0), (0.5, 0.6), (1.0, 3.0)]))
def test_rows_that_are_there_at_two_scales_have_the_same_bytes(rows, scales):
    del rows["days"]
    small, large = (encoded(fresh(rows, scale=scale)) for scale in scales)

    for name in rows:
        assert set(small[name]) <= set(large[name])
        assert len(set(small[name])) == len(small[name])


@MODERATE
@given(declarations())
def test_every_document_is_what_bson_makes_of_it(rows):
    for raws in encoded(fresh(rows)).values():
        for raw in raws:
            assert bson.encode(bson.decode(raw, AWARE), codec_options=AWARE) == raw


@MODERATE
@given(declarations())
def test_references_name_documents_at_every_scale(rows):
    for scale in (0.05, 1, 2):
        found = {
            name: [bson.decode(raw, AWARE) for raw in raws]
            for name, raws in encoded(fresh(rows, scale=scale)).items()
        }
        ids = {name: {document["_id"] for document in those} for name, those in found.items()}
        for sale in found["sales"]:
            assert sale["shop"] in ids["shops"]
        for visit in found["visits"]:
            assert visit.get("one") is None or visit["one"] in ids["shops"]
            assert visit.get("again") is None or visit["again"] in ids["shops"]
            assert set(visit.get("many", ())) <= ids["shops"]
            assert visit.get("sort") is None or visit["sort"] in ids["sorts"]
            assert visit.get("sale") is None or visit["sale"] in ids["sales"]


EVERYTHING = {
    "sorts": Rows(
        5, BASE | {"u": Unique(1, 9), "c": Combination({"a": [1, 2, 3], "b": ["x", "y"]})}, fixed=True
    ),
    "shops": Rows(40, BASE | {f"f{number}": drawn for number, drawn in enumerate(LEAVES)}),
    "sales": Rows(Zipf(6), BASE | {"all": Array({"a": Ref("sorts"), "b": Get("n")}, 3)}, per="shops"),
    "visits": Rows(
        60, BASE | {"many": Refs("shops", 3), "sale": Ref("sales", prefer="recent"), "sort": Ref("sorts")}
    ),
    "days": Summary("sales", by={"day": Day("at")}, totals={"n": Count(), "s": Sum("n")}),
}


def digest(**options):
    found = encoded(plan_of(EVERYTHING, **options), 7)
    return sha256(b"".join(raw for raws in found.values() for raw in sorted(raws))).hexdigest()


def test_another_process_with_another_hash_seed_makes_the_same_bytes():
    code = "from tests.mimiod.test_draws_contract import digest; print(digest())"
    others = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.strip()
        for hash_seed in ("0", "4711")
    }

    assert others == {digest()}


def test_pools_pass_between_processes():
    one = plan_of(EVERYTHING)
    two = plan_of(EVERYTHING)
    two.adopt(pickle.loads(pickle.dumps(one.warm())))

    assert encoded(one) == encoded(two)


def test_another_seed_or_reference_time_makes_other_documents():
    assert len({digest(), digest(seed=2), digest(now=NOW + timedelta(days=1))}) == 3


def test_the_global_random_state_plays_no_part():
    random.seed(1)
    before = digest()
    random.seed(2)

    assert digest() == before
    assert random.random() == pytest.approx(0.9560342718892494)
