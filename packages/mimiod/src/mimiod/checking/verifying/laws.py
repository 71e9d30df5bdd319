"""Shares that a declared distribution gives, computed from its words alone."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.distributions import Numbers

QUANTILES = 64
"At how many levels the share of values up to a point is compared."


@dataclass(frozen=True)
class Point:
    """A number, and the share of values that do not exceed it."""

    at: float
    share: float


@dataclass(frozen=True)
class NumberLaw:
    """What values a law gives."""

    law: Numbers

    @cached_property
    def points(self) -> list[Point]:
        """Numbers between values that come out, and the share below each; none depends on any data."""
        low, high = self.bounds
        step = self.step
        raw = [self._quantile(level / QUANTILES) for level in range(1, QUANTILES)]
        raw += [end for end in (low, high) if math.isfinite(end)]
        if step is None:
            ends = {math.nextafter(value, -math.inf) for value in raw} | set(raw)
        else:
            ends = {(math.floor(value / step) + half) * step for value in raw for half in (-0.5, 0.5)}
        return [Point(end, self._share(end)) for end in sorted(ends) if low <= end < high]

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that comes out; infinite where there is none."""
        low, high = map(self._shaped, self._support)
        return low, high

    @cached_property
    def step(self) -> float | None:
        """How far values lie apart; None where they may lie anywhere."""
        if self.law.digits is not None:
            return float(10.0**-self.law.digits)
        return 1.0 if self.law.is_whole else None

    def allows(self, value: float) -> bool:
        """Return whether a value can come out."""
        low, high = self.bounds
        slack = 1e-9 * max(1.0, abs(value)) + (self.step or 0) / 2
        return low - slack <= value <= high + slack

    def _share(self, at: float) -> float:
        law = self.law
        if law.low is not None and at < law.low:
            return 0.0
        if law.high is not None and at >= law.high:
            return 1.0
        return self._cumulated(at)

    def _shaped(self, value: float) -> float:
        """Return a value clipped and rounded."""
        if self.law.low is not None:
            value = max(value, self.law.low)
        if self.law.high is not None:
            value = min(value, self.law.high)
        return value if self.step is None or math.isinf(value) else round(value / self.step) * self.step

    def _quantile(self, level: float) -> float:
        """Return about where this share of the values lies, before clipping."""
        low, high = self._support
        if math.isinf(low):
            low = -1.0
            while self._cumulated(low) > level:
                low *= 2
        if math.isinf(high):
            high = max(1.0, low + 1)
            while self._cumulated(high) < level:
                high *= 2
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if self._cumulated(middle) < level else (low, middle)
        return high

    @cached_property
    def _support(self) -> tuple[float, float]:
        law = self.law
        match law.family:
            case "uniform" | "whole":
                return law.parameters[0], law.parameters[1]
            case "lognormal" | "exponential" | "poisson":
                return 0.0, math.inf
            case "zipf":
                return 1.0, law.parameters[0]
            case "table":
                return law.table[0][0], law.table[0][-1]
        return -math.inf, math.inf

    @cached_property
    def _cumulated(self) -> Callable[[float], float]:  # noqa: PLR0911 - a family each
        law = self.law
        match law.family:
            case "uniform":
                return _uniform(*law.parameters)
            case "whole":
                first, last = law.parameters
                return lambda at: min(1.0, max(0.0, (math.floor(at) - first + 1) / (last - first + 1)))
            case "normal" | "lognormal":
                return _normal(*law.parameters, logarithm=law.family == "lognormal")
            case "exponential":
                (mean,) = law.parameters
                return lambda at: -math.expm1(-at / mean) if at > 0 else 0.0
            case "zipf":
                return _zipf(*law.parameters)
            case "poisson":
                return _poisson(law.parameters[0])
            case "table":
                return _table(*law.table)


def _uniform(first: float, last: float) -> Callable[[float], float]:
    if first == last:
        return lambda at: float(at >= first)
    return lambda at: min(1.0, max(0.0, (at - first) / (last - first)))


def _normal(middle: float, deviation: float, *, logarithm: bool) -> Callable[[float], float]:
    def cumulated(at: float) -> float:
        if logarithm and at <= 0:
            return 0.0
        distance = math.log(at / middle) if logarithm else at - middle
        if not deviation:
            return float(distance >= 0)
        return math.erfc(-distance / deviation / math.sqrt(2)) / 2

    return cumulated


def _zipf(ranks: float, exponent: float) -> Callable[[float], float]:
    def integral(to: float) -> float:
        if abs(exponent - 1) < 1e-9:  # noqa: PLR2004 - the logarithmic case
            return math.log(to / 0.5)
        return float((to ** (1 - exponent) - 0.5 ** (1 - exponent)) / (1 - exponent))

    whole = integral(ranks + 0.5)
    return lambda at: 0.0 if at < 1 else min(1.0, integral(math.floor(at) + 0.5) / whole)


def _poisson(mean: float) -> Callable[[float], float]:
    most = int(mean + 40 * math.sqrt(mean) + 60)
    sums = list(accumulate(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most)))
    return lambda at: 0.0 if at < 0 else min(1.0, sums[min(math.floor(at), most - 1)])


def _table(edges: tuple[float, ...], weights: tuple[float, ...]) -> Callable[[float], float]:
    sums = [0.0, *accumulate(weights)]

    def cumulated(at: float) -> float:
        if at < edges[0]:
            return 0.0
        if at >= edges[-1]:
            return 1.0
        left = bisect_right(edges, at) - 1
        share = (at - edges[left]) / (edges[left + 1] - edges[left])
        return (sums[left] + share * weights[left]) / sums[-1]

    return cumulated
