"""Fields that follow from others of their object: products, sums, and moments some time after another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mimiod.twinning.quantiles import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mimiod.twinning.quantiles import Floats

MOST = 12
"Numbers of an object of which every two are tried."
LEAST_ROWS = 100

_TRIED = 300
_CENT = 0.00501
_NEAR = 1e-9
_FEW = 3
_SHORT = 0.25
_AS_BEFORE = 0.03


@dataclass(frozen=True)
class Derived:
    """How a field follows from others."""

    how: str
    "`product`, `sum` or `after`."
    of: Sequence[str]
    "The names of the others, which are always there."


def derived(numbers: Mapping[str, Floats], moments: Mapping[str, Floats]) -> dict[str, Derived]:
    """Return which columns follow from others; in them NaN is what is not there."""
    return {**_computed(numbers), **_later(moments)}


def _computed(numbers: Mapping[str, Floats]) -> dict[str, Derived]:
    """Return the numbers that are products or sums of two others, rounded to cents or not at all."""
    columns = dict(list(numbers.items())[:MOST])
    always = [name for name, column in columns.items() if not np.isnan(column).any()]
    found: dict[str, Derived] = {}
    for name, column in columns.items():
        there = np.flatnonzero(~np.isnan(column))
        if len(there) < LEAST_ROWS or len(np.unique(column[there])) < _FEW:
            continue
        others = [other for other in always if other != name and other not in found]
        taken = {each for made in found.values() for each in made.of}
        for one, other in combinations(others, 2) if name not in taken else ():
            first, second = columns[one], columns[other]
            for how, make in (("product", np.multiply), ("sum", np.add)):
                few = there[:_TRIED]
                if (
                    _same(make(first[few], second[few]), column[few])
                    and _varies(first, second, column)
                    and _same(make(first[there], second[there]), column[there])
                ):
                    found[name] = Derived(how, (one, other))
    return found


def _same(made: Floats, column: Floats) -> bool:
    return bool((np.abs(made - column) <= _CENT + _NEAR * np.abs(column)).all())


def _varies(*columns: Floats) -> bool:
    return all(len(np.unique(column[~np.isnan(column)])) > 1 for column in columns) and bool(
        np.nanmax(np.abs(columns[-1])) > 1
    )


def _later(moments: Mapping[str, Floats]) -> dict[str, Derived]:
    """Return the moments that are never before another, and come some time after it."""
    found: dict[str, Derived] = {}
    always = [name for name, column in moments.items() if not np.isnan(column).any()]
    for name, column in moments.items():
        there = ~np.isnan(column)
        if there.sum() < LEAST_ROWS:
            continue
        best: tuple[float, str] | None = None
        for other in always:
            delay = column[there] - moments[other][there]
            earlier = other != name and delay.min() >= 0 and delay.mean() > 0
            if earlier and delay.std() < _SHORT * column[there].std():
                median = float(np.median(delay))
                if (best is None or median < best[0]) and _holds(moments[other][there], delay):
                    best = median, other
        if best is not None:
            found[name] = Derived("after", (best[1],))
    return found


def _holds(before: Floats, delay: Floats) -> bool:
    """Return whether moments are distributed as they are if the delays are dealt out anew."""
    ours, dealt = before + delay, before + np.random.default_rng(len(delay)).permutation(delay)
    slack = _AS_BEFORE + 2 / len(delay) ** 0.5
    by_hour = _shares(ours // HOUR % 24, 24) - _shares(dealt // HOUR % 24, 24)
    by_day = _shares(ours // DAY % 7, 7) - _shares(dealt // DAY % 7, 7)
    return bool(max(np.abs(by_hour).sum(), np.abs(by_day).sum()) / 2 <= slack)


def _shares(places: Floats, size: int) -> Floats:
    found: Floats = np.bincount(places.astype(np.intp), minlength=size) / len(places)
    return found
