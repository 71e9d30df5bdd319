"""Draws of numbers, choices and texts: each follows its law, keeps its bounds and is what it says."""

import re
from collections import Counter
from datetime import UTC, datetime
from math import exp, factorial, log
from statistics import NormalDist, fmean

import numpy as np
import pytest
from mimiod import BaseMongoDbDocumentSchema, DeclarationError
from mimiod.seeding import (
    MISSING,
    Array,
    Chance,
    Choice,
    Combination,
    Correlated,
    Digits,
    Exponential,
    Fake,
    Function,
    Get,
    Histogram,
    LogNormal,
    Maybe,
    Moment,
    Normal,
    OneOf,
    Poisson,
    Rows,
    Sequence,
    Share,
    Text,
    Uniform,
    Unique,
    Vectorised,
    When,
    Zipf,
)

from tests.mimiod.planning import chi_square, documents, drawn, kolmogorov, plan_of, values

STANDARD = NormalDist()
RARE = 1.95
"A Kolmogorov-Smirnov statistic that one sample in a thousand exceeds."


def histogram_law(x):
    edges, weights = [0, 10, 20, 50], [0.5, 0.2, 0.3]
    below = 0.0
    for low, high, weight in zip(edges, edges[1:], weights, strict=False):
        below += weight * min(max((x - low) / (high - low), 0), 1)
    return below


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        (Uniform(2.0, 5.0), lambda x: (x - 2) / 3),
        (Normal(10, 3), NormalDist(10, 3).cdf),
        (LogNormal(50, 0.8), lambda x: STANDARD.cdf(log(x / 50) / 0.8)),
        (Exponential(4), lambda x: 1 - exp(-x / 4)),
        (Histogram([0, 10, 20, 50], [5, 2, 3]), histogram_law),
        (Correlated(Normal(10, 3), with_="other", strength=0.6), NormalDist(10, 3).cdf),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_continuous_draw_follows_its_law(draw, law):
    sample = [row["value"] for row in drawn({"value": draw, "other": Uniform(0.0, 1.0)})]

    assert kolmogorov(sample, law) < RARE


POISSON = {k: exp(-3.5) * 3.5**k / factorial(k) for k in range(30)}


@pytest.mark.parametrize(
    ("draw", "weights"),
    [
        (Uniform(1, 6), dict.fromkeys(range(1, 7), 1)),
        (Choice({"a": 5, "b": 3, "c": 2, "never": 0}), {"a": 5, "b": 3, "c": 2, "never": 0}),
        (Choice(["x", "y", "z"]), {"x": 1, "y": 1, "z": 1}),
        (Chance(0.3), {True: 0.3, False: 0.7}),
        (OneOf([(3, "a"), (1, Choice(["b", "c"]))]), {"a": 3, "b": 0.5, "c": 0.5}),
        (Maybe(0.25, "there"), {"there": 0.25, None: 0.75}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_draw_of_few_values_has_their_shares(draw, weights):
    assert chi_square(Counter(values(draw)), weights) < 4


def test_a_poisson_draw_has_the_laws_probabilities():
    counts = Counter(min(value, 12) for value in values(Poisson(3.5)))

    tail = sum(p for k, p in POISSON.items() if k >= 12)
    assert chi_square(counts, {k: p for k, p in POISSON.items() if k < 12} | {12: tail}) < 4


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.5])
def test_a_zipf_draw_has_the_shares_of_its_law_between_the_ranks_edges(exponent):
    def integral(x):
        return log(x) if exponent == 1 else x ** (1 - exponent) / (1 - exponent)

    weights = {rank: integral(rank + 0.5) - integral(rank - 0.5) for rank in range(1, 41)}

    assert chi_square(Counter(values(Zipf(40, exponent))), weights) < 4


def test_numbers_are_clipped_and_rounded():
    rows = drawn(
        {
            "clipped": Normal(0, 10, low=-5, high=8),
            "cents": LogNormal(3, 1, digits=2),
            "whole": Normal(100, 20, digits=0),
            "thousands": LogNormal(50_000, 1, digits=-3),
        },
        5_000,
    )

    assert min(row["clipped"] for row in rows) == -5
    assert max(row["clipped"] for row in rows) == 8
    assert all(row["cents"] == round(row["cents"], 2) for row in rows)
    assert all(type(row["whole"]) is int for row in rows)
    assert all(row["thousands"] % 1_000 == 0 for row in rows)


@pytest.mark.parametrize("strength", [-0.9, -0.4, 0.0, 0.5, 0.8])
def test_correlated_numbers_have_about_that_rank_correlation(strength):
    rows = drawn(
        {"a": LogNormal(9, 1), "b": Correlated(Exponential(2), with_="a", strength=strength)}, 20_000
    )

    ranks = [np.argsort(np.argsort([row[name] for row in rows])) for name in "ab"]
    # Pearson's correlation of a bivariate normal law, as Spearman's.
    expected = 6 / np.pi * np.arcsin(strength / 2)
    assert np.corrcoef(*ranks)[0, 1] == pytest.approx(expected, abs=0.025)


def test_a_number_may_be_correlated_with_a_correlated_one():
    rows = drawn(
        {
            "a": Normal(0, 1),
            "b": Correlated(Normal(0, 1), "a", 0.9),
            "c": Correlated(Normal(0, 1), "b", 0.9),
        },
        20_000,
    )

    ac = np.corrcoef([row["a"] for row in rows], [row["c"] for row in rows])[0, 1]
    assert ac == pytest.approx(0.81, abs=0.02)


def test_unique_draws_never_repeat():
    rows = drawn(
        {
            "number": Unique(1_000, 9_999),
            "code": Digits("AB-###-##", unique=True),
            "seat": Combination({"row": list("ABCDEFGHIJ"), "number": list(range(900))}),
            "sequence": Sequence(5, 10),
        },
        9_000,
    )

    assert sorted(row["number"] for row in rows) == list(range(1_000, 10_000))
    assert len({row["code"] for row in rows}) == 9_000
    assert all(re.fullmatch(r"AB-\d{3}-\d{2}", row["code"]) for row in rows)
    assert len({(row["seat"]["row"], row["seat"]["number"]) for row in rows}) == 9_000
    assert [row["sequence"] for row in rows[:3]] == [5, 15, 25]
    assert [row["number"] for row in rows[:5]] != sorted(row["number"] for row in rows[:5])


@pytest.mark.parametrize(
    "draw", [Unique(1, 50), Digits("#", unique=True), Combination({"a": [1, 2], "b": [1, 2]})]
)
def test_too_few_values_to_be_unique_are_an_error_that_names_the_field(draw):
    with pytest.raises(DeclarationError, match=r"things\.value"):
        values(draw, 100)


def test_a_field_may_be_missing_null_or_another():
    rows = drawn(
        {
            "kind": Choice(["a", "b", "c", "d"]),
            "value": When("kind", {"a": Uniform(1, 9), ("b", "c"): "fixed"}, otherwise=MISSING),
            "gone": Maybe(0.5, 1, otherwise=MISSING),
            "null": Maybe(0.5, {"deep": Fake("word")}),
        },
        2_000,
    )

    for row in rows:
        match row["kind"]:
            case "a":
                assert 1 <= row["value"] <= 9
            case "d":
                assert "value" not in row
            case _:
                assert row["value"] == "fixed"
        assert row.get("gone", 1) == 1
        assert row["null"] is None or set(row["null"]) == {"deep"}
    assert fmean("gone" in row for row in rows) == pytest.approx(0.5, abs=0.05)


def test_arrays_have_the_sizes_and_items_that_are_declared():
    rows = drawn({"tags": Array(Choice(["x", "y"]), Poisson(2, high=5)), "none": Array("z", 0)}, 20_000)

    sizes = Counter(len(row["tags"]) for row in rows)
    law = {k: exp(-2) * 2**k / factorial(k) for k in range(5)}
    assert chi_square(sizes, law | {5: 1 - sum(law.values())}) < 4
    assert chi_square(Counter(tag for row in rows for tag in row["tags"]), {"x": 1, "y": 1}) < 4
    assert all(row["none"] == [] for row in rows)


def test_items_of_an_array_see_their_own_fields_first_and_then_the_documents():
    rows = drawn(
        {
            "base": Uniform(1, 9),
            "items": Array(
                {"price": Uniform(10, 20), "twice": Share("price", 2), "base_too": Get("base")}, Uniform(0, 4)
            ),
        },
        500,
    )

    for row in rows:
        assert all(item["twice"] == 2 * item["price"] for item in row["items"])
        assert all(item["base_too"] == row["base"] for item in row["items"])
    assert len({tuple(item["price"] for item in row["items"]) for row in rows}) > 200


def test_an_item_that_is_missing_is_left_out_of_its_array():
    rows = drawn({"items": Array(Maybe(0.5, OneOf([(1, "x"), (1, MISSING)]), MISSING), 4)}, 4_000)

    assert {item for row in rows for item in row["items"]} == {"x"}
    shares = {0: 81, 1: 108, 2: 54, 3: 12, 4: 1}
    assert chi_square(Counter(len(row["items"]) for row in rows), shares) < 4


def test_an_item_may_be_correlated_with_its_documents_number():
    rows = drawn({"n": Normal(0, 1), "items": Array(Correlated(Normal(0, 1), "n", 0.9), 3)}, 5_000)

    pairs = [(row["n"], item) for row in rows for item in row["items"]]
    assert np.corrcoef(*zip(*pairs, strict=True))[0, 1] == pytest.approx(0.9, abs=0.02)


def test_texts_are_filled_from_fields_draws_and_the_row():
    rows = drawn(
        {
            "name": Choice(["Édith Piaf", "Bob Ó Briain"]),
            "at": Moment("2025-03-01", "2025-04-01"),
            "mail": Text("{name:slug}.{row}@example.com"),
            "invoice": Text("INV-{at:%y%m}-{row:05d}/{n}", n=Uniform(1, 3)),
            "loud": Text("{{{name:upper}}} {name:first}"),
        },
        200,
    )

    for number, row in enumerate(rows):
        assert row["mail"] in {f"edith.piaf.{number}@example.com", f"bob.o.briain.{number}@example.com"}
        assert re.fullmatch(rf"INV-2503-{number:05d}/[123]", row["invoice"])
        assert row["loud"] == f"{{{row['name'].upper()}}} {row['name'].split()[0]}"


def test_mixed_locales_agree_within_a_document():
    mix = {"ja_JP": 1, "de_DE": 3}
    rows = drawn({"first": Fake("first_name", locale=mix), "city": Fake("city", locale=mix)}, 4_000)

    japanese = [any(ord(letter) > 0x3000 for letter in row["first"]) for row in rows]
    assert japanese == [any(ord(letter) > 0x3000 for letter in row["city"]) for row in rows]
    assert fmean(japanese) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (Fake("nmae"), "nmae"),
        (Fake("name", locale="xx_XX"), "xx_XX"),
        (Text("{nothing}"), "things.nothing is asked for and is not declared"),
        (Get("value"), "need each other"),
        (Correlated(Normal(0, 1), "word", 0.5), "not drawn as a number"),
        (Share("word", 0.5), "no number"),
    ],
    ids=repr,
)
def test_what_cannot_be_drawn_is_said_in_one_line(draw, message):
    with pytest.raises(DeclarationError, match=re.escape(message)) as error:
        drawn({"word": Choice(["a"]), "value": draw}, 5)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Uniform(5, 1),
        lambda: Poisson(0),
        lambda: Histogram([1, 2], [1, 2]),
        lambda: Correlated(Normal(0, 1), "a", 1.5),
        lambda: values(Choice({"a": -1}), 1),
        lambda: values(Choice([]), 1),
        lambda: Vectorised(abs),
    ],
)
def test_a_senseless_declaration_is_refused(declare):
    with pytest.raises(DeclarationError):
        declare()


class Typed(BaseMongoDbDocumentSchema):
    whole: int
    broken: float
    mixed: float | None = None


def test_numbers_take_the_type_of_the_schema_whatever_draws_them():
    rows = {
        "whole": Function(lambda row: row.number / 2),
        "broken": Function(lambda row: row.number),
        "mixed": Function(lambda row: [row.number, None, 0.5][row.number % 3]),
    }
    found = documents(plan_of({"t": Rows(30, rows)}, {"t": Typed}))["t"]

    assert {type(row["whole"]) for row in found} == {int}
    assert {type(row["broken"]) for row in found} == {float}
    assert {type(row["mixed"]) for row in found} == {float, type(None)}


def test_a_function_gets_the_fields_or_the_row():
    rows = drawn(
        {
            "a": Uniform(1, 9),
            "deep": {"b": Uniform(1, 9)},
            "sum": Function(lambda a, b: a + b, "a", "deep.b"),
            "row": Function(lambda row: [row.number, row["a"] * row["deep.b"], row.random.random()]),
            "some": Function(lambda a: MISSING if a > 5 else datetime(2025, 1, a, tzinfo=UTC), "a"),
        },
        300,
    )

    for number, row in enumerate(rows):
        assert row["sum"] == row["a"] + row["deep"]["b"]
        assert row["row"][:2] == [number, row["a"] * row["deep"]["b"]]
        assert row.get("some") == (None if row["a"] > 5 else datetime(2025, 1, row["a"], tzinfo=UTC))
    assert len({row["row"][2] for row in rows}) == 300


def test_a_vectorised_function_gets_arrays():
    rows = drawn(
        {
            "a": Uniform(1, 9),
            "word": Choice(["x", "yy"]),
            "at": Moment(days=10),
            "double": Vectorised(lambda a: a * 2, "a"),
            "big": Vectorised(lambda a: a > 5, "a"),
            "words": Vectorised(lambda a, word: word * a, "a", "word"),
            "later": Vectorised(lambda at: (at + 1_000).astype("datetime64[ms]"), "at"),
        },
        300,
    )

    for row in rows:
        assert row["double"] == 2 * row["a"]
        assert row["big"] is (row["a"] > 5)
        assert row["words"] == row["word"] * row["a"]
        assert (row["later"] - row["at"]).total_seconds() == 1


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (Function(lambda a: 1 / (a - 3), "a"), r"things\.value, row 3: .*ZeroDivisionError"),
        (Function(lambda row: row["b"]), r"things\.b is asked for"),
        (Function(lambda row: {row.number}), r"row 0: .*no value of BSON"),
        (Function(lambda _: 2**64), r"row 0: .*64 bits"),
        (Vectorised(lambda a: a[:2], "a"), r"shape \(2,\) for"),
        (Vectorised(lambda a: a / None, "a"), r"rows 0 to 9: .*TypeError"),
        (Vectorised(lambda a: a, "null"), "null in row 0"),
    ],
)
def test_a_failing_function_is_named_with_its_row(draw, message):
    with pytest.raises(DeclarationError, match=message):
        drawn({"a": Get("row"), "null": None, "value": draw}, 10)
