"""Declared distributions, tested on the data.

Each test compares a share of the values with what is declared: how often there is a value, how often each
of some values stands, how many numbers lie up to a point (as Kolmogorov and Smirnov do it, at 64 fixed
quantiles). Of n values that are drawn apart from each other, a share q or more extreme comes of a declared
share p with a probability of at most exp(-n (q ln(q/p) + (1-q) ln((1-q)/(1-p)))) (Chernoff), whatever n is.
A chi-square test has no such bound so far out in the tail. The shares of all collections are judged together:
a fault is one that is less likely than `FALSE_ALARMS` divided by the number of comparisons (Bonferroni), so
that of a million databases that are as declared at most one raises an alarm.

What cannot come out at all (a value that is not among the choices, a number beyond the bounds, nothing where
there is always something) is a fault of its document.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from bson import Decimal128

from mimiod.checking.verifying.laws import NumberLaw
from mimiod.checking.verifying.report import CollectionVerification, Fault
from mimiod.checking.verifying.values import canonical, shown
from mimiod.distributions import Fields, Items, Law, Numbers, Shares, Sometimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


FALSE_ALARMS = 1e-6
"The probability with which a verification of a database as declared finds a share to be wrong."

_LEAST = 1e-15
"A share that is taken for none: what rounding may bring about."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Column:
    """The values of one field, or of the items or lengths of one array, in some documents."""

    def values(self, documents: list[dict[str, Any]]) -> list[Any]:
        """Return the values; null where there is none."""
        return documents

    def owners(self, documents: list[dict[str, Any]]) -> list[int]:
        """Return which document each value is of."""
        return list(range(len(documents)))


class _Inner(Column):
    """Values inside those of another column; each gives any number of them."""

    def __init__(self, outer: Column, inner: Callable[[list[Any]], list[Any]]) -> None:
        self._outer = outer
        self._inner = inner

    def values(self, documents: list[dict[str, Any]]) -> list[Any]:
        return self._inner(self._outer.values(documents))

    def owners(self, documents: list[dict[str, Any]]) -> list[int]:
        outer = zip(self._outer.values(documents), self._outer.owners(documents), strict=True)
        return [owner for value, owner in outer for _ in self._inner([value])]


class Test:
    """The values of one column, counted."""

    def __init__(self, collection: str, path: str, rate: float, column: Column) -> None:
        self.collection = collection
        self.path = path
        self.rate = rate
        "In which share of the rows there is a value."
        self.rows = self.there = 0
        self._column = column

    def see(self, documents: list[dict[str, Any]], ids: list[Any], found: CollectionVerification) -> None:
        """Count the values of documents."""
        values = self._column.values(documents)
        known = [value for value in values if value is not None]
        self.rows += len(values)
        self.there += len(known)
        found.count("distribution", len(known))
        if self.count(known) or (len(known) < len(values) and self.rate == 1) or (known and not self.rate):
            for value, owner in zip(values, self._column.owners(documents), strict=True):
                expected = self.unlike(value)
                if expected:
                    reason = f"{self.path}: found {shown(canonical(value))}, declared is {expected}"
                    found.add(Fault("distribution", self.collection, f"_id {shown(ids[owner])}", reason))

    def count(self, known: list[Any]) -> bool:
        """Count values that are there; returns whether one of them cannot come out."""
        del known
        return False

    def unlike(self, value: Any) -> str | None:
        """Return what is declared where a value does not come out of it."""
        if value is None:
            return "always a value" if self.rate == 1 else None
        return None if self.rate else "never a value"

    def comparisons(self) -> Iterator[tuple[str, int, int, float]]:
        """Yield what is compared: its name, how many there are, of how many, and the share declared."""
        if 0 < self.rate < 1:
            yield "a value", self.there, self.rows, self.rate


class ShareTest(Test):
    """Values among some, each with its share."""

    def __init__(self, collection: str, path: str, rate: float, column: Column, law: Shares) -> None:
        super().__init__(collection, path, rate, column)
        whole = sum(weight for _, weight in law.weights)
        self.shares: dict[Any, float] = {}
        for value, weight in law.weights:
            key = canonical(value)
            self.shares[key] = self.shares.get(key, 0) + weight / whole
        self.counts: Counter[Any] = Counter()

    def count(self, known: list[Any]) -> bool:
        """Count values; returns whether one of them cannot come out."""
        counts = Counter(map(canonical, known))
        for value in self.shares:
            self.counts[value] += counts[value]
        return any(not self.shares.get(value) for value in counts)

    def unlike(self, value: Any) -> str | None:
        """Return what is declared where a value does not come out of it."""
        if value is not None and not self.shares.get(canonical(value)):
            return f"one of {shown(('array', *list(self.shares)[:6]))}"
        return super().unlike(value)

    def comparisons(self) -> Iterator[tuple[str, int, int, float]]:
        """Yield what is compared."""
        yield from super().comparisons()
        if len(self.shares) > 1:
            for value, share in self.shares.items():
                if 0 < share < 1:
                    yield shown(value), self.counts[value], self.there, share


class NumberTest(Test):
    """Numbers, or moments, by how many lie up to each of some points."""

    def __init__(self, collection: str, path: str, rate: float, column: Column, law: Numbers) -> None:
        super().__init__(collection, path, rate, column)
        self.law = NumberLaw(law)
        self.points = np.array([point.at for point in self.law.points])
        self.counts = np.zeros(len(self.points) + 1, np.int64)

    def count(self, known: list[Any]) -> bool:
        """Count values; returns whether one of them cannot come out."""
        numbers = np.array([_number(value) for value in known], np.float64)
        self.counts += np.bincount(np.searchsorted(self.points, numbers), minlength=len(self.counts))
        low, high = self.law.bounds
        outside = numbers[~((numbers >= low) & (numbers <= high))]
        return not all(map(self.law.allows, outside.tolist()))

    def unlike(self, value: Any) -> str | None:
        """Return what is declared where a value does not come out of it."""
        if value is not None and not self.law.allows(_number(value)):
            low, high = self.law.bounds
            return f"a number from {low:,g} to {high:,g}"
        return super().unlike(value)

    def comparisons(self) -> Iterator[tuple[str, int, int, float]]:
        """Yield what is compared."""
        yield from super().comparisons()
        for point, number in zip(self.law.points, accumulate(self.counts.tolist()), strict=False):
            if _LEAST < point.share < 1 - _LEAST:  # what lies beyond is a fault of its document
                yield f"at most {point.at:,.6g}", number, self.there, point.share


class LawTests:
    """The tests of one collection's fields."""

    def __init__(self, collection: str, law: Law) -> None:
        self.collection = collection
        self.unstated: list[str] = []
        "Paths whose distribution is not stated."
        self.tests: list[Test] = []
        self._add(law, "", 1.0, Column())

    def see(self, documents: list[dict[str, Any]], ids: list[Any], found: CollectionVerification) -> None:
        """Count the values of documents."""
        for test in self.tests:
            test.see(documents, ids, found)

    def _add(self, law: Law, path: str, rate: float, column: Column) -> None:
        match law:
            case None:
                self.unstated.append(f"{self.collection}.{path}")
                return
            case Sometimes():
                self._add(law.law, path, rate * law.rate, column)
                return
            case Shares():
                self.tests.append(ShareTest(self.collection, path, rate, column, law))
            case Numbers():
                self.tests.append(NumberTest(self.collection, path, rate, column, law))
            case _ if path:
                self.tests.append(Test(self.collection, path, rate, column))
        if isinstance(law, Fields):
            for name, inner in law.laws.items():
                self._add(inner, f"{path}.{name}" if path else name, 1.0, _Inner(column, _field(name)))
        if isinstance(law, Items):
            self._add(law.size, f"{path} (its length)", 1.0, _Inner(column, _lengths))
            self._add(law.item, path, 1.0, _Inner(column, _items))


def judge(tests: list[Test], found: dict[str, CollectionVerification]) -> None:
    """Find the shares that are not as declared, all collections together."""
    compared = [(test, *comparison) for test in tests for comparison in test.comparisons()]
    least_likely = math.log(FALSE_ALARMS / max(1, 2 * len(compared)))
    worst: dict[tuple[str, str], tuple[float, Fault]] = {}
    for test, name, number, rows, share in compared:
        likelihood = log_tail(number, rows, share)
        if likelihood < least_likely:
            reason = (
                f"found {name} in {number / rows:.2%} of {rows:,}, declared {share:.2%}: "
                f"by chance less than once in 10^{min(999, int(-likelihood / math.log(10)))}"
            )
            key = (test.collection, test.path)
            fault = Fault("distribution", test.collection, test.path, reason)
            worst[key] = min(worst.get(key, (0.0, fault)), (likelihood, fault), key=lambda each: each[0])
    for _, fault in worst.values():
        found[fault.collection].add(fault)


def log_tail(number: int, rows: int, share: float) -> float:
    """Return the logarithm of a bound on the probability of a share that is this far off, or farther."""
    if not rows:
        return 0.0
    found = number / rows
    share = min(max(share, _LEAST), 1 - _LEAST)
    above = found * math.log(found / share) if found else 0.0
    below = (1 - found) * math.log((1 - found) / (1 - share)) if found < 1 else 0.0
    return -rows * max(0.0, above + below)


def _number(value: Any) -> float:
    match value:
        case datetime():
            return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH).total_seconds() * 1000
        case bool():
            return math.nan
        case int() | float() | Decimal():
            return float(value)
        case Decimal128():
            return float(value.to_decimal())
    return math.nan


def _field(name: str) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value.get(name) for value in values if isinstance(value, dict)]


def _items(values: list[Any]) -> list[Any]:
    return [item for value in values if isinstance(value, list) for item in value]


def _lengths(values: list[Any]) -> list[Any]:
    return [len(value) for value in values if isinstance(value, list)]
