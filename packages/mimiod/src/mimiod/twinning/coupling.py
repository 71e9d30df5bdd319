"""Which fields of an object go together: rank correlations, and a Gaussian copula that has them.

Each field is drawn from a standard normal number, and these numbers are correlated. A rank correlation of
continuous fields says how much (Pearson 1907: 2 sin(π r / 6)); where values are tied, as of whole numbers,
categories and fields that are there or not, the correlation is looked for under which the ranks come out as
measured. Categories have an order of their own: that of the mean ranks of the field that they say most of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mimiod.seeding.randomness import normal_probability, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mimiod.twinning.quantiles import Floats

LEAST_PAIRS = 100
"Objects that have both fields; of fewer nothing is said."

_SIGNIFICANT = 3.0
_TIED = 0.02
_GRID = 48
_STEPS = 14
_MOST = 0.999
_SMALL = 1e-3
_LEAST_EIGENVALUE = 1e-6


@dataclass(frozen=True)
class Factors:
    """How the normal numbers of fields are made of independent ones: by field, the weight of each."""

    weights: Mapping[str, Sequence[tuple[str, float]]]
    "Of the fields that go together with others."


def ranks(values: Floats) -> Floats:
    """Return the mean ranks of numbers, ties alike, from 0 to 1."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found: Floats = ((ends - (counts - 1) / 2 - 0.5) / max(1, len(values)))[place]
    return found


def rank_correlation(one: Floats, other: Floats) -> tuple[float, int]:
    """Return Spearman's correlation over the rows that have both (not NaN), and how many these are."""
    both = ~(np.isnan(one) | np.isnan(other))
    count = int(both.sum())
    if count < LEAST_PAIRS:
        return 0.0, count
    return _correlation(ranks(one[both]), ranks(other[both])), count


def factors(columns: Mapping[str, Floats]) -> Factors:
    """Return the factors of some columns, in which NaN stands for what is not there."""
    names = [name for name, column in columns.items() if _varies(column)]
    wanted = np.eye(len(names))
    for row, name in enumerate(names):
        for column in range(row):
            latent = _latent(columns[name], columns[names[column]])
            wanted[row, column] = wanted[column, row] = latent
    whole = _cholesky(wanted)
    made = {}
    for row, name in enumerate(names):
        others = np.abs(wanted[row]).sum() - 1
        if others < _SMALL:
            continue
        kept = [
            (names[at], round(float(whole[row, at]), 5))
            for at in range(row + 1)
            if abs(whole[row, at]) > _SMALL
        ]
        length = math.sqrt(sum(weight * weight for _, weight in kept))
        made[name] = [(each, round(weight / length, 6)) for each, weight in kept]
    return Factors(made)


def ordered(categories: Sequence[str], rows: Sequence[str | None], others: Sequence[Floats]) -> list[str]:
    """Return categories in the order of the mean ranks of the numbers that they say most of."""
    places = {name: at for at, name in enumerate(categories)}
    codes = np.array([places.get(row, -1) if row is not None else -1 for row in rows])
    best: tuple[float, Floats] | None = None
    for numbers in others:
        both = (codes >= 0) & ~np.isnan(numbers)
        if both.sum() < LEAST_PAIRS:
            continue
        own, ranked = codes[both], ranks(numbers[both])
        counts = np.bincount(own, minlength=len(categories))
        means = np.bincount(own, ranked, len(categories)) / np.maximum(counts, 1)
        spread = float(ranked.var())
        if spread <= 0:
            continue
        chance = (np.count_nonzero(counts) - 1) / both.sum()
        said = float((counts * (means - ranked.mean()) ** 2).sum() / both.sum() / spread) - chance
        if best is None or said > best[0]:
            best = said, np.where(counts > 0, means, 0.5)
    if best is None or best[0] < _SMALL:
        return list(categories)
    means = best[1]
    return [categories[at] for at in np.argsort(means, kind="stable")]


def _varies(column: Floats) -> bool:
    there = column[~np.isnan(column)]
    return len(there) >= LEAST_PAIRS and bool(there.min() < there.max())


def _correlation(one: Floats, other: Floats) -> float:
    one, other = one - one.mean(), other - other.mean()
    size = math.sqrt(float((one * one).sum()) * float((other * other).sum()))
    return float((one * other).sum()) / size if size > 0 else 0.0


def _latent(one: Floats, other: Floats) -> float:
    both = ~(np.isnan(one) | np.isnan(other))
    count = int(both.sum())
    if count < LEAST_PAIRS:
        return 0.0
    one, other = ranks(one[both]), ranks(other[both])
    found = _correlation(one, other)
    if abs(found) < _SIGNIFICANT / math.sqrt(count):
        return 0.0
    if max(_most_tied(one), _most_tied(other)) < _TIED:
        return max(-_MOST, min(_MOST, 2 * math.sin(math.pi * found / 6)))
    return _calibrated(np.sort(one), np.sort(other), found)


def _most_tied(ranked: Floats) -> float:
    return float(np.unique(ranked, return_counts=True)[1].max()) / len(ranked)


def _calibrated(one: Floats, other: Floats, wanted: float) -> float:
    """Return the correlation of normal numbers under which ranks with these ties correlate as wanted."""
    even = (np.arange(_GRID) + 0.5) / _GRID
    first, second = (each.ravel() for each in np.meshgrid(even, even))
    x, e = normal_quantile(first), normal_quantile(second)
    scores = one[(first * len(one)).astype(np.intp)]
    low, high = -_MOST, _MOST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        y = normal_probability(middle * x + math.sqrt(1 - middle * middle) * e)
        found = _correlation(scores, other[np.minimum((y * len(other)).astype(np.intp), len(other) - 1)])
        low, high = (middle, high) if found < wanted else (low, middle)
    return (low + high) / 2


def _cholesky(wanted: Floats) -> Floats:
    """Return the triangular root of the nearest matrix that is one of correlations."""
    if not len(wanted):
        return wanted
    values, vectors = np.linalg.eigh(wanted)
    if values.min() < _LEAST_EIGENVALUE:
        wanted = (vectors * np.maximum(values, _LEAST_EIGENVALUE)) @ vectors.T
        scale = np.sqrt(np.diag(wanted))
        wanted = (wanted / np.outer(scale, scale)).astype(np.float64)
    return np.asarray(np.linalg.cholesky(wanted), np.float64)
