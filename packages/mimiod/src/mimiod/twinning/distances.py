"""How far a twin is from its source, field by field.

KS is the Kolmogorov-Smirnov distance: the greatest difference of the two cumulated distributions. TV is the
total variation: the share that would have to change its value. Rates and rank correlations are subtracted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.twinning.coupling import LEAST_PAIRS, rank_correlation
from mimiod.twinning.groups import number_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mimiod.twinning.gauges import Gauge, Together, Values
    from mimiod.twinning.laws import Lawmaker
    from mimiod.twinning.measuring import Measurement
    from mimiod.twinning.quantiles import Floats

LIMIT = 0.05
"What a field may be away."

_KS_99 = 1.63
_NORMAL_99 = 2.58
_DEVIATION_99 = 1.52
_HOURS = 24


@dataclass(frozen=True)
class Distance:
    """How far one property of a field is from that of the source."""

    collection: str
    field: str
    what: str
    "`values`, `presence`, `nulls`, `lengths`, `items`, `weekdays` …"
    measure: str
    "`KS`, `TV` or `difference`."
    distance: float
    chance: float
    "What two samples of these sizes from one distribution stay below in 99 of 100 cases."
    source: int
    "How many values of the source were compared."
    twin: int

    @property
    def misses(self) -> bool:
        """Whether it is farther away than it may be, and than chance explains."""
        return self.distance > max(LIMIT, self.chance)

    def told(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "collection": self.collection, "field": self.field, "what": self.what, "measure": self.measure,
            "distance": round(self.distance, 4), "chance": round(self.chance, 4), "source": self.source,
            "twin": self.twin, "misses": self.misses,
        }  # fmt: skip


def distances(source: Measurement, twin: Measurement, makers: Mapping[str, Lawmaker]) -> list[Distance]:
    """Return the distances of all fields, the greatest first."""
    found: list[Distance] = []
    for name, maker in makers.items():
        if name in twin.roots:
            found += _Compared(name, maker).all(source.roots[name], twin.roots[name])
            found += _named(name, maker, source, twin)
    return sorted(found, key=lambda each: (-each.distance, each.collection, each.field, each.what))


def ks(one: Floats, other: Floats, weights: tuple[Floats, Floats] | None = None) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples, each value with its weight."""
    first, second = weights or (np.ones(len(one)), np.ones(len(other)))
    places = np.unique(np.concatenate([one, other]))
    return float(np.abs(_cumulated(one, first, places) - _cumulated(other, second, places)).max(initial=0.0))


def _cumulated(values: Floats, weights: Floats, places: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])
    found: Floats = sums[np.searchsorted(values[order], places, "right")] / max(sums[-1], 1e-300)
    return found


def total_variation(one: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    """Return the total variation of two distributions, given by counts."""
    first, second = max(1, sum(one.values())), max(1, sum(other.values()))
    return sum(abs(one.get(key, 0) / first - other.get(key, 0) / second) for key in {*one, *other}) / 2


class _Compared:
    def __init__(self, collection: str, maker: Lawmaker) -> None:
        self.collection = collection
        self.maker = maker
        known = maker.known
        self.skipped = {*known.references, *known.copies, *maker.identifiers}
        "Fields whose values are not compared, since they stand for something."

    def all(self, source: Gauge, twin: Gauge) -> Iterator[Distance]:
        yield from self._inside(source, twin)
        if source.together is not None and twin.together is not None:
            yield from self._correlations((), source.together, twin.together)

    def _inside(self, source: Gauge, twin: Gauge) -> Iterator[Distance]:
        for name, gauge in source.fields.items():
            other = twin.fields[name]
            if not gauge.count:
                continue
            rates = (gauge.count / max(1, source.objects), other.count / max(1, twin.objects))
            if rates != (1, 1):
                yield self._rate(gauge, "presence", rates, (source.objects, twin.objects))
            yield from self._field(gauge, other)

    def _field(self, source: Gauge, twin: Gauge) -> Iterator[Distance]:
        if source.nulls or twin.nulls:
            rates = (source.nulls / source.count, twin.nulls / max(1, twin.count))
            yield self._rate(source, "nulls", rates, (source.count, twin.count))
        if len(source.kinds) > 1:
            yield self._variation(source, "kinds", source.kinds, twin.kinds)
        if source.path not in self.skipped:
            yield from self._values(source, twin)
        yield from self._span(source, "items", source.sizes, twin.sizes)
        yield from self._inside(source, twin)
        for one, other in zip(source.positions, twin.positions, strict=True):
            yield from self._field(one, other)
        if source.free is not None and twin.free is not None and source.free.count:
            yield from self._field(source.free, twin.free)
        if source.items is not None and twin.items is not None and source.items.count:
            yield from self._field(source.items, twin.items)
            if source.items.together is not None and twin.items.together is not None:
                yield from self._correlations(source.path, source.items.together, twin.items.together)

    def _values(self, source: Gauge, twin: Gauge) -> Iterator[Distance]:
        yield from self._span(source, "values", source.numbers, twin.numbers)
        yield from self._span(source, "moments", source.moments, twin.moments)
        if source.moments is not None:
            for what, one, other in (
                ("weekdays", _summed(source.week, by_day=True), _summed(twin.week, by_day=True)),
                ("hours", _summed(source.week, by_day=False), _summed(twin.week, by_day=False)),
                ("months", source.months, twin.months),
            ):
                yield self._variation(source, what, dict(enumerate(one)), dict(enumerate(other)))
        if source.kinds["bool"]:
            rates = tuple(each.true / max(1, each.kinds["bool"]) for each in (source, twin))
            yield self._rate(
                source, "values", (rates[0], rates[1]), (source.kinds["bool"], twin.kinds["bool"])
            )
        told = self.maker.categories.get(source.path)
        if told is not None and source.kinds["text"]:
            yield self._variation(source, "values", _shares(source, told), _shares(twin, told))
        else:
            yield from self._span(source, "lengths", source.lengths, twin.lengths)

    def _correlations(self, path: tuple[str, ...], source: Together, twin: Together) -> Iterator[Distance]:
        ours, theirs = number_columns(source), number_columns(twin)
        before = ".".join(path) + "." if path else ""
        names = [name for name in ours if name in theirs and (*path, *name.split(".")) not in self.skipped]
        for place, name in enumerate(names):
            for other in names[:place]:
                one, count = rank_correlation(ours[name], ours[other])
                two, there = rank_correlation(theirs[name], theirs[other])
                if min(count, there) >= LEAST_PAIRS:
                    chance = _NORMAL_99 * math.sqrt(1 / count + 1 / there)
                    shown = f"{before}{other} ~ {before}{name}"
                    yield Distance(
                        self.collection,
                        shown,
                        "rank correlation",
                        "difference",
                        abs(one - two),
                        chance,
                        count,
                        there,
                    )

    def _span(self, gauge: Gauge, what: str, one: Values | None, other: Values | None) -> Iterator[Distance]:
        if one is None:
            return
        ours, theirs = one.other(), np.empty(0) if other is None else other.sample()
        distance = ks(ours, theirs) if len(theirs) else 1.0
        chance = _KS_99 * _spread(len(ours), len(theirs))
        yield self._told(gauge, what, "KS", distance, chance, (one.count, other.count if other else 0))

    def _rate(self, gauge: Gauge, what: str, rates: tuple[float, float], counts: tuple[int, int]) -> Distance:
        rate = (rates[0] * counts[0] + rates[1] * counts[1]) / max(1, sum(counts))
        chance = _NORMAL_99 * math.sqrt(rate * (1 - rate)) * _spread(*counts)
        return self._told(gauge, what, "difference", abs(rates[0] - rates[1]), chance, counts)

    def _variation(
        self, gauge: Gauge, what: str, one: Mapping[Any, float], other: Mapping[Any, float]
    ) -> Distance:
        counts = (round(sum(one.values())), round(sum(other.values())))
        shares = np.array(list(one.values()), np.float64) / max(1, counts[0])
        expected = math.sqrt(2 / math.pi) * float(np.sqrt(shares * (1 - shares)).sum()) / 2
        chance = (expected + _DEVIATION_99) * _spread(*counts)
        return self._told(gauge, what, "TV", total_variation(one, other), chance, counts)

    def _told(
        self, gauge: Gauge, what: str, measure: str, distance: float, chance: float, counts: tuple[int, int]
    ) -> Distance:
        shown = ".".join(gauge.path)
        return Distance(self.collection, shown, what, measure, distance, min(1.0, chance), *counts)


def _named(name: str, maker: Lawmaker, source: Measurement, twin: Measurement) -> Iterator[Distance]:
    """Yield how often documents are named, 0 included."""
    for path, law in maker.known.references.items():
        place = name, ".".join(path)
        if place not in twin.degrees or law["collection"] not in twin.documents:
            continue
        ours, weights = source.degrees[place].counts(source.documents[law["collection"]])
        theirs, their_weights = twin.degrees[place].counts(twin.documents[law["collection"]])
        distance = ks(ours, theirs, (weights, their_weights))
        chance = _KS_99 * _spread(len(ours), len(theirs))
        what = f"children per {law['collection']}"
        counts = (round(weights.sum()), round(their_weights.sum()))
        yield Distance(name, ".".join(path), what, "KS", distance, min(1.0, chance), *counts)


def _spread(one: int, other: int) -> float:
    return math.sqrt(1 / max(1, one) + 1 / max(1, other))


def _summed(week: Sequence[int], *, by_day: bool) -> list[int]:
    if by_day:
        return [sum(week[day * _HOURS : (day + 1) * _HOURS]) for day in range(7)]
    return [sum(week[hour::_HOURS]) for hour in range(_HOURS)]


def _shares(gauge: Gauge, told: Mapping[str, int]) -> dict[str | None, float]:
    """Return how often each category occurs, and under None all else."""
    counts: dict[str | None, float] = {
        text: gauge.tally.get(text, [0])[0] if gauge.tally else 0 for text in told
    }
    counts[None] = gauge.kinds["text"] - sum(counts.values())
    return counts
