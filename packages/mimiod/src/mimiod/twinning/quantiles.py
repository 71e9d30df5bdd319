"""Measured distributions of numbers: none of what is kept of them is the value of fewer than `k`.

A distribution is a list of segments in order, each with its share of the values, which lie evenly in it. A
value that is frequent is a segment without width. The edges of the others are each the mean of `k` neighbours
in the sorted sample (microaggregation: Domingo-Ferrer and Mateo-Sanz, "Practical data-oriented
microaggregation for statistical disclosure control", 2002); the `k` / 2 least and greatest values take no
part. Moments are counted by days or weeks instead, whose edges depend on no value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PERIODS = 400
"Days, weeks or longer times that moments are counted by."
MOSTLY = 0.9
"The share of the moments that has to lie in hours of the week with enough of them."
MANY = 0.01
"The share of the moments from which on a week is told by days, and a day by hours."
BINS = 200
"Segments of a distribution, about, beside its frequent values."
FREQUENT = 0.004
"The share from which on a value is kept by itself."
LARGEST = 9.2e18
"Of whole numbers, in 64 bits."
HOUR = 3_600_000
"Milliseconds."
DAY = 24 * HOUR
WEEK = 7 * DAY

_ROUGH = 4
_LONGEST = 60 * 365 * DAY
_PERIODS = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, HOUR, DAY, WEEK)
_MONDAY = 4 * DAY
"Of the week after 1970-01-01, a Thursday."
_DIGITS = 8


@dataclass(frozen=True, eq=False)
class Quantiles:
    """A distribution: its segments' shares, and where each begins and ends."""

    shares: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Quantiles:
        """Return what `told` says."""
        return cls(told["shares"], told["lows"], told["highs"])

    def told(self) -> dict[str, list[float]]:
        """Return it as JSON can hold it."""
        return {
            "shares": [_short(each) for each in self.shares],
            "lows": [_short(each) for each in self.lows],
            "highs": [_short(each) for each in self.highs],
        }

    @property
    def low(self) -> float:
        """The least number that is drawn."""
        return self.lows[0]

    @property
    def high(self) -> float:
        """The greatest."""
        return self.highs[-1]

    @property
    def mean(self) -> float:
        """The mean."""
        middles = ((low + high) / 2 for low, high in zip(self.lows, self.highs, strict=True))
        return sum(share * middle for share, middle in zip(self.shares, middles, strict=True)) / sum(
            self.shares
        )

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        shares = np.array(self.shares, np.float64)
        shares = shares / shares.sum()
        starts = np.concatenate([[0.0], np.cumsum(shares)[:-1]])
        lows = np.array(self.lows, np.float64)
        return starts, shares, lows, np.array(self.highs, np.float64) - lows

    def at(self, u: Floats) -> Floats:
        """Return the numbers below which the shares `u` lie."""
        starts, shares, lows, widths = self._arrays
        place = np.maximum(np.searchsorted(starts, u, "right") - 1, 0)
        within = np.clip((u - starts[place]) / np.maximum(shares[place], 1e-300), 0, 1)
        found: Floats = lows[place] + within * widths[place]
        return found

    def share_above(self, value: float) -> float:
        """Return the share of the numbers above a value."""
        above = 0.0
        for share, low, high in zip(self.shares, self.lows, self.highs, strict=True):
            if low > value:
                above += share
            elif high > value:
                above += share * (high - value) / (high - low)
        return above / sum(self.shares)


def measured(values: Floats, k: int, *, step: float = 0.0, times: int = 1) -> Quantiles:
    """Return the distribution of some numbers, of which there is at least one.

    `step` is what they are multiples of, 0 for nothing; what is drawn is rounded to it again. `times` is how
    often one document may have the same value.
    """
    if len(values) < k:
        return _magnitude(values)
    ordered = np.sort(values)
    different, counts = np.unique(ordered, return_counts=True)
    often = counts >= max(k * times, math.ceil(FREQUENT * len(ordered)))
    frequent = different[often]
    rest = ordered[~np.isin(ordered, frequent)]
    runs = np.split(rest, np.searchsorted(rest, frequent))
    made = _Segments()
    spread = np.random.default_rng(len(values))
    for place, run in enumerate(runs):
        below = frequent[place - 1] if place else None
        above = frequent[place] if place < len(frequent) else None
        if len(run):
            if step:
                run = np.sort(run + step * (spread.random(len(run)) - 0.5))  # noqa: PLW2901
            bounds = (
                -math.inf if below is None else below + step / 2,
                math.inf if above is None else above - step / 2,
            )
            made.add_run(run, k, bounds, BINS * len(run) / len(values))
        if above is not None:
            made.add(float(counts[often][place]), float(above), float(above))
    return made.quantiles(len(values))


class _Segments:
    def __init__(self) -> None:
        self.counts: list[float] = []
        self.lows: list[float] = []
        self.highs: list[float] = []
        self.owed = 0.0
        "Values that lie below the first frequent one, and are too few to be told of."

    def add(self, count: float, low: float, high: float) -> None:
        self.counts.append(count + self.owed)
        self.lows.append(low)
        self.highs.append(high)
        self.owed = 0.0

    def add_run(self, run: Floats, k: int, bounds: tuple[float, float], bins: float) -> None:
        """Add the values between two frequent ones, or beyond all of them."""
        low, high = bounds
        if len(run) < k:
            if math.isfinite(low) and math.isfinite(high) and low < high:
                self.add(len(run), low, high)
            elif self.counts:
                self.counts[-1] += len(run)
            else:
                self.owed += len(run)
        elif len(run) < _ROUGH * k:
            self.add(len(run), *_rough(run, low, high))
        else:
            ranks = _ranks(len(run), k, round(bins))
            sums = np.concatenate([[0.0], np.cumsum(run - run[0])])
            half = k // 2
            edges = run[0] + (sums[ranks + half] - sums[ranks - half]) / (2 * half)
            edges = np.maximum.accumulate(np.clip(edges, low, high))
            parts = np.diff(ranks) * (len(run) / (ranks[-1] - ranks[0]))
            for count, first, last in zip(parts, edges[:-1], edges[1:], strict=True):
                self.add(float(count), float(first), float(last))

    def quantiles(self, count: int) -> Quantiles:
        return Quantiles([each / count for each in self.counts], self.lows, self.highs)


def _ranks(count: int, k: int, bins: int) -> NDArray[np.intp]:
    """Return the places of the edges: at equal distances, and ever closer at both ends."""
    bins = max(2, min(bins, count // k))
    ranks = np.linspace(k, count - k, bins + 1)
    near = k * 2.0 ** np.arange(1, 40)
    near = near[near < max(count / bins, 1)]
    return np.unique(np.concatenate([ranks, k + near, count - k - near]).astype(np.intp))


def _rough(run: Floats, low: float, high: float) -> tuple[float, float]:
    """Return the even distribution of the same mean and deviation."""
    half = math.sqrt(3) * float(run.std())
    first, last = float(run.mean()) - half, float(run.mean()) + half
    if run[0] >= 0:
        first = max(first, 0.0)
    return max(first, low), min(last, high)


def _magnitude(values: Floats) -> Quantiles:
    """Return the powers of two between which numbers lie that are too few to be told of."""
    low, high = (_power(float(each), up=up) for each, up in ((values.min(), False), (values.max(), True)))
    return Quantiles([1.0], [low], [high])


def _power(value: float, *, up: bool) -> float:
    if not value:
        return 0.0
    exponent = math.log2(abs(value))
    return math.copysign(2.0 ** (math.ceil(exponent) if up == (value > 0) else math.floor(exponent)), value)


def calendar(values: Floats, k: int, *, unit: int, times: int = 1) -> Quantiles:
    """Return the distribution of moments: of those frequent ones by themselves, of others by days or weeks.

    The days, weeks or longer times begin with a Monday in UTC, and each has `k` moments or more. Of fewer
    than `k` beside the frequent ones nothing is told; where there are fewer in all, the years they lie in.
    """
    if len(values) < k:
        year = 365.25 * DAY
        low, high = math.floor(values.min() / year), math.floor(values.max() / year) + 1
        return Quantiles([1.0], [low * year // unit * unit], [high * year // unit * unit])
    different, counts = np.unique(values, return_counts=True)
    often = counts >= max(k * times, math.ceil(FREQUENT * len(values)))
    frequent, rest = different[often], values[~np.isin(values, different[often])]
    parts = [
        (float(count), float(value), float(value))
        for value, count in zip(frequent, counts[often], strict=True)
    ]
    if len(rest) >= k:
        parts += _periods(rest, k, unit)
    parts.sort(key=lambda part: part[1:])
    total = sum(count for count, _, _ in parts)
    return Quantiles(*zip(*((count / total, low, high) for count, low, high in parts), strict=True))


def _periods(values: Floats, k: int, unit: int) -> list[tuple[float, float, float]]:
    """Return how many moments each period has; those with many are told by days, and these by hours."""
    span = float(values.max() - values.min())
    cell = next((each for each in _PERIODS if each >= max(span / PERIODS, unit)), 0)
    if not cell:
        cell = math.ceil(span / PERIODS / WEEK) * WEEK
    found = _merged(values, cell, k)
    for finer in (DAY, HOUR):
        if finer < cell and unit <= finer:
            found = [
                part
                for count, low, high in found
                for part in (
                    _merged(values[(values >= low) & (values < high)], finer, k)
                    if count > MANY * len(values)
                    else [(count, low, high)]
                )
            ]
    return found


def _merged(values: Floats, cell: int, k: int) -> list[tuple[float, float, float]]:
    """Return how many moments each cell has; cells of fewer than `k` are one with others."""
    places, counts = np.unique(np.floor((values - _MONDAY) / cell).astype(np.int64), return_counts=True)
    found: list[list[int]] = []
    for place, count in zip(places.tolist(), counts.tolist(), strict=True):
        if found and found[-1][0] < k and (count < k or len(found) == 1):
            found[-1] = [found[-1][0] + count, found[-1][1], place]
        elif found and found[-1][0] < k:  # too few, and many come next: they go to the fewer of both sides
            few, begin, end = found.pop()
            if found[-1][0] < count:
                found[-1] = [found[-1][0] + few, found[-1][1], end]
                found.append([count, place, place])
            else:
                found.append([few + count, begin, place])
        else:
            found.append([count, place, place])
    if len(found) > 1 and found[-1][0] < k:
        few, _, end = found.pop()
        found[-1] = [found[-1][0] + few, found[-1][1], end]
    return [
        (float(count), float(begin * cell + _MONDAY), float((end + 1) * cell + _MONDAY))
        for count, begin, end in found
    ]


def week_of(hours: Sequence[int], k: int) -> list[int]:
    """Return the weights of the 168 hours of a week; those with fewer than `k` moments are all alike.

    Where most hours have fewer, it is the weights of the days times those of the hours of the day.
    """
    counts = np.array(hours, np.float64)
    if counts[counts >= k].sum() < MOSTLY * counts.sum():
        by_day = counts.reshape(7, 24)
        counts = np.outer(_alike(by_day.sum(axis=1), k), _alike(by_day.sum(axis=0), k)).reshape(-1)
    else:
        counts = _alike(counts, k)
    weights: list[int] = np.rint(counts * (10_000 / max(counts.max(), 1e-300))).astype(int).tolist()
    return weights


def _alike(counts: Floats, k: int) -> Floats:
    few = counts < k
    return np.where(few, counts[few].sum() / max(1, few.sum()), counts)


def with_week(found: Quantiles, week: Sequence[float], unit: int) -> Quantiles:
    """Return the distribution of moments in which the hours of the week are as frequent as measured.

    The share of each segment stays; within it the hours have the weights of `week`, 168 from Monday on, UTC.
    """
    weights = np.array(week, np.float64)
    if not weights.any() or found.high - found.low > _LONGEST:
        return found
    cell = DAY if unit % DAY == 0 else HOUR
    if cell == DAY:
        weights = np.repeat(weights.reshape(7, 24).sum(axis=1), 24)
    shares, lows, highs = [], [], []
    for share, low, high in zip(found.shares, found.lows, found.highs, strict=True):
        inner = np.arange(math.floor(low / cell) + 1, math.ceil(high / cell)) * float(cell)
        edges = np.concatenate([[low], inner, [high]])
        hours = ((np.floor(edges[:-1] / cell) * cell - _MONDAY) % WEEK // HOUR).astype(np.intp)
        parts = np.diff(edges) * weights[hours]
        if high <= low or not parts.sum():
            parts, edges = np.ones(1), np.array([low, high])
        shares.append(parts * (share / parts.sum()))
        lows.append(edges[:-1])
        highs.append(edges[1:])
    return Quantiles(*(np.concatenate(each).tolist() for each in (shares, lows, highs)))


def hour_of_week(milliseconds: float) -> int:
    """Return the hour of the week, from Monday 0 o'clock on, UTC."""
    return int((milliseconds - _MONDAY) % WEEK // HOUR)


def _short(value: float) -> float:
    rounded = float(f"{value:.{_DIGITS}g}") if abs(value) < 10**_DIGITS else float(round(value))
    return int(rounded) if rounded.is_integer() else rounded
