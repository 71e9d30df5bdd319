"""The report's charts and diagram: every value is counted once, and every box can be read."""

import math
import re
from datetime import UTC
from itertools import combinations, pairwise

import bson
import pytest
from bson import Decimal128, Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st
from mimiod.reporting import diagram, words
from mimiod.reporting.charts import charts_of
from mimiod.reporting.distributions import MOST_KINDS, read_collection, read_documents
from mimiod.reporting.entities import Embedded, Entity, Link
from mimiod.reporting.histograms import MOST_BINS, Histogram
from mimiod.reporting.layers import MOST_IN_A_ROW, lay_out

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = (
    st.none()
    | st.booleans()
    | NUMBERS
    | st.floats()
    | st.text(max_size=5)
    | st.datetimes(timezones=st.just(UTC))
    | st.builds(ObjectId)
    | st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=10**9, min_value=0).map(
        Decimal128
    )
)


def histogram_of(values, **options):
    histogram = Histogram(**options)
    for value in values:
        histogram.add(value)
    return histogram


def data_of(*documents):
    return read_documents(bson.encode(document) for document in documents)


@given(st.lists(NUMBERS, min_size=1))
def test_bins_add_up_and_hold_the_first_and_the_last_value(values):
    histogram = histogram_of(values)
    bins = histogram.bins()

    assert sum(each.count for each in bins) == histogram.count == len(values)
    assert len(bins) <= MOST_BINS
    assert (histogram.low, histogram.high) == (min(values), max(values))
    assert bins[0].count > 0
    assert bins[-1].count > 0


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_a_bin_counts_the_integers_in_it(values):
    for each in histogram_of(values).bins():
        assert each.count == sum(each.low <= value < each.high for value in values)


@given(st.lists(st.integers(-62_135_596_800, 253_402_300_799), min_size=1))
def test_a_bin_counts_the_moments_in_it(values):
    for each in histogram_of(values, of_moments=True).bins():
        assert each.count == sum(each.low <= value < each.high for value in values)


@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from([1, 10, 100]))
def test_a_bin_counts_the_fractions_in_it(values, parts):
    fractions = [value / parts for value in values]
    for each in histogram_of(fractions).bins():
        near = 1e-6 * (each.high - each.low)
        assert each.count == sum(each.low - near <= value < each.high - near for value in fractions)


@given(st.lists(VALUES, min_size=1, max_size=20))
def test_every_value_is_counted_in_one_chart(values):
    data = data_of(*({"a": value} for value in values)).paths["a"]

    drawn = sum(bar.count for chart in charts_of(data) for bar in chart.bars)
    same = sum(
        each.count
        for each in (data.numbers, data.moments, data.lengths)
        if each.count and each.low == each.high
    )
    undrawn = sum(
        isinstance(value, ObjectId) or (isinstance(value, float) and not math.isfinite(value))
        for value in values
    )
    there = sum(value is not None for value in values)
    texts_one_by_one = data.kinds and any(chart.kind == "kinds" for chart in charts_of(data))
    booleans = sum(isinstance(value, bool) for value in values)
    if data.lengths.count and texts_one_by_one and data.lengths.low == data.lengths.high:
        same -= data.lengths.count
    if not texts_one_by_one:
        undrawn += booleans
    assert data.present == there
    assert drawn + same + undrawn == there


def test_presence_counts_documents_and_not_values():
    data = data_of({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": None}]}, {"a": None}, {})

    assert (data.read, data.paths["a"].present, data.paths["a.b"].present) == (4, 2, 1)
    assert data.paths["a"].elements.bins()[0].count == 1


def test_texts_of_few_kinds_are_counted_one_by_one_and_others_by_their_length():
    few = data_of(*({"a": f"k{n % 9}"} for n in range(90))).paths["a"]
    many = data_of(*({"a": f"{n}"} for n in range(2 * MOST_KINDS))).paths["a"]

    (kinds,), (lengths,) = charts_of(few), charts_of(many)
    assert [bar.count for bar in kinds.bars] == [10] * 6 + [30]
    assert kinds.bars[-1].text == "3 others"
    assert (lengths.what, sum(bar.count for bar in lengths.bars)) == ("characters", 2 * MOST_KINDS)


def test_types_are_told_apart():
    data = data_of({"a": 1}, {"a": Int64(1)}, {"a": 1.5}, {"a": "x"}, {"a": None}).paths["a"]

    assert data.types == {"int": 1, "long": 1, "double": 1, "string": 1, "null": 1}


def test_a_date_that_python_has_not_is_counted():
    raw = bson.encode({"at": bson.datetime_ms.DatetimeMS(2**52)})

    assert read_documents([raw]).paths["at"].moments.count == 1


def test_a_large_collection_is_sampled_and_says_so(trial):
    trial.database.things.insert_many([{"n": row} for row in range(500)])
    told = []

    data = read_collection(trial.database, "things", lambda *far: told.append(far), sample=50)

    assert (data.documents, data.read, data.is_sampled) == (500, 50, True)
    assert data.paths["n"].numbers.count == 50


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (words.share(0, 10), "0 %"), (words.share(10, 10), "100 %"), (words.share(1, 1000), "below 1 %"),
        (words.share(999, 1000), "above 99 %"), (words.rate(12_000), "12,000 / min"),
        (words.rate(30_000 / 1440), "30,000 / day"), (words.rate(1 / 1440), "1 / day"),
        (words.size(999), "999 bytes"), (words.size(1_250), "1.2 kB"), (words.size(358e9), "358 GB"),
        (words.size(None), "not told"), (words.moment(0), "1970-01-01"), (words.brief(4_803_475), "4.8 M"),
        (words.number(14.13), "14.1"), (words.number(2**63), "9.22e+18"),
    ],
)  # fmt: skip
def test_numbers_are_said_as_a_reader_wants_them(shown, said):
    assert shown == said


# The diagram

NAMES = st.integers(1, 20)
GRAPHS = NAMES.flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=40),
    )
)


def entities(graph):
    count, pairs = graph
    links = {source: [] for source in range(count)}
    for number, (source, target) in enumerate(pairs):
        links[source].append(Link(f"c{source}", f"f{number}", f"c{target}", "_id", "0..n", "1"))
    return [Entity(f"c{n}", tuple(links[n]), (Embedded("part", "0..1"),)) for n in range(count)]


@given(GRAPHS)
def test_no_box_lies_on_another_and_all_lie_in_the_picture(graph):
    drawn = diagram.draw(entities(graph))

    assert sorted(box.name for box in drawn.boxes) == sorted(f"c{n}" for n in range(graph[0]))
    for one, two in combinations(drawn.boxes, 2):
        beside = one.left + one.width <= two.left or two.left + two.width <= one.left
        assert beside or one.top + one.height <= two.top or two.top + two.height <= one.top
    for box in drawn.boxes:
        assert box.left >= 0
        assert box.left + box.width <= drawn.width
        assert box.top + box.height <= drawn.height


@given(GRAPHS)
def test_each_pair_of_collections_has_a_line_from_one_to_the_other(graph):
    drawn = diagram.draw(entities(graph))
    boxes = {box.name: box for box in drawn.boxes}
    said = {tuple(re.findall(r"(c\d+)", line.text)[:2]): line for line in drawn.lines}

    assert said.keys() == {(f"c{source}", f"c{target}") for source, target in graph[1]}
    for (source, target), line in said.items():
        places = [float(number) for number in re.findall(r"-?\d+\.\d", line.path)]
        for name, (x, y) in ((source, places[:2]), (target, places[-2:])):
            box = boxes[name]
            assert box.left - 0.1 <= x <= box.left + box.width + 0.1
            assert box.top - 0.1 <= y <= box.top + box.height + 0.1


@given(GRAPHS)
def test_a_line_passes_beside_the_boxes_of_the_rows_between(graph):
    layout = lay_out({f"c{n}": 100.0 for n in range(graph[0])}, [(f"c{a}", f"c{b}") for a, b in graph[1]])

    for row in layout.rows:
        assert sum(not place.is_held for place in row) <= MOST_IN_A_ROW
        placed = sorted(row, key=lambda place: place.left)
        for one, two in pairwise(placed):
            assert one.left + one.width <= two.left + 1e-6
    for (upper, lower), way in layout.ways.items():
        assert [place.row for place in way] == list(range(way[0].row, way[-1].row + 1))
        assert (way[0].key, way[-1].key) == (upper, lower)


def test_what_others_refer_to_stands_above_them():
    drawn = diagram.draw(entities((3, [(1, 0), (2, 0), (2, 1)])))
    tops = {box.name: box.top for box in drawn.boxes}

    assert tops["c0"] < tops["c1"] < tops["c2"]
