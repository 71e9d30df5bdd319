"""Counts of numbers and moments in bins that widen as the values do: exact, in bounded memory.

Bins are as wide as a step of a ladder (1, 5, 10, 50 …; a second, a minute, an hour, a day …). Each step is
a multiple of the one before, so bins merge without a loss when the values no longer fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_BINS = 40
"Of one histogram."

_FINEST = 6
"Powers of ten below the first value at which the bins of fractions begin."
_SMALLEST = -290
"The power of ten below which no bin is made: 10 ** 290 is a number yet."
_ROUNDING = 1e-9
"Of a bin: what a fraction may lie below its edge, as 0.3 / 0.1 does."
_SECONDS = (
    1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 43_200, 86_400, 604_800, 1_209_600, 2_419_200,
)  # fmt: skip


@dataclass(frozen=True)
class Bin:
    """A range of values and how many lie in it."""

    low: float
    high: float
    "Not in it."
    count: int


class Histogram:
    """The counts of one field's numbers; of moments, their seconds since 1970."""

    def __init__(self, *, of_moments: bool = False) -> None:
        self.of_moments = of_moments
        self.level: int | None = 0 if of_moments else None
        self.counts: dict[int, int] = {}
        self.low = math.inf
        self.high = -math.inf
        self.total = 0.0
        self.count = 0

    @property
    def mean(self) -> float:
        """The mean of what was added, 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    def add(self, value: float) -> None:
        """Count a finite number."""
        if self.level is None:
            self.level = 0 if isinstance(value, int) else self._first_level(value)
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.total += value
        self.count += 1
        while (index := self._index(value)) is None:
            self._widen()
        self.counts[index] = self.counts.get(index, 0) + 1
        while max(self.counts) - min(self.counts) >= MOST_BINS:
            self._widen()

    def bins(self) -> list[Bin]:
        """Return the bins from the first to the last value, empty ones among them."""
        if not self.counts:
            return []
        places = range(min(self.counts), max(self.counts) + 1)
        return [Bin(self._edge(at), self._edge(at + 1), self.counts.get(at, 0)) for at in places]

    def _first_level(self, value: float) -> int:
        magnitude = math.floor(math.log10(abs(value))) if value else 0
        return 2 * max(min(0, magnitude) - _FINEST, _SMALLEST)

    def _widen(self) -> None:
        level = self.level or 0
        factor = _step_up(level, of_moments=self.of_moments)
        wider: dict[int, int] = {}
        for index, count in self.counts.items():
            wider[index // factor] = wider.get(index // factor, 0) + count
        self.counts, self.level = wider, level + 1

    def _index(self, value: float) -> int | None:
        """Return the bin of a value; None where the bins are too narrow to number it."""
        multiple, power = self._step()
        if isinstance(value, int) and power >= 0:
            width: int = multiple * 10**power
            return value // width
        scaled = value / 10.0**power if power >= 0 else value * 10.0**-power
        return math.floor(scaled / multiple + _ROUNDING) if math.isfinite(scaled) else None

    def _edge(self, index: int) -> float:
        multiple, power = self._step()
        tens: int = 10 ** abs(power)
        return index * multiple * tens if power >= 0 else index * multiple / tens

    def _step(self) -> tuple[int, int]:
        """Return the width of a bin: a multiple, and the power of ten that it is multiplied by."""
        level = self.level or 0
        if self.of_moments:
            beyond = max(0, level - len(_SECONDS) + 1)
            return _SECONDS[min(level, len(_SECONDS) - 1)] * 2**beyond, 0
        return (5 if level % 2 else 1), level // 2


def _step_up(level: int, *, of_moments: bool) -> int:
    """Return how many bins of a level make one of the next."""
    if of_moments:
        return _SECONDS[level + 1] // _SECONDS[level] if level + 1 < len(_SECONDS) else 2
    return 2 if level % 2 else 5
