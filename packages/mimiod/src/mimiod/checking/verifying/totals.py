"""Totals, computed again: one value after the other, in little memory.

Whole numbers and decimals are added exactly. Of floating-point numbers each may have been rounded to a
millionth before it was added, so a sum of n of them may be off by n / 2,000,000, and by a share of
`RELATIVE` of their magnitudes.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from mimiod.checking.verifying.values import RELATIVE, is_number, ordered, same, shown

if TYPE_CHECKING:
    from mimiod.schema_types import Computed

_EXACT = Context(prec=80)


class Count:
    """How many there are."""

    def __init__(self, own: Any) -> None:
        self.own = own
        self.number = 0

    def add(self, _value: Any) -> None:
        """Count one."""
        self.number += 1

    @property
    def expected(self) -> Any:
        """What has to stand there."""
        return self.number

    @property
    def is_right(self) -> bool:
        """Whether what stands there is so."""
        return same(self.own, self.expected)


class Total(Count):
    """A sum; of nothing it is 0, and what is no number counts for nothing."""

    def __init__(self, own: Any) -> None:
        super().__init__(own)
        self.exact: int | Decimal = 0
        self.floats = self.magnitude = 0.0
        self.floating = 0

    def add(self, value: Any) -> None:
        """Add a value."""
        if isinstance(value, float) and is_number(value):
            self.floats += value
            self.magnitude += abs(value)
            self.floating += 1
        elif isinstance(value, int) and isinstance(self.exact, int):
            self.exact += value
        elif isinstance(value, int | Decimal) and is_number(value):
            self.exact = _EXACT.add(Decimal(self.exact), Decimal(value))
            self.magnitude += abs(float(value))

    @property
    def expected(self) -> Any:
        """What has to stand there, of floating-point numbers about."""
        return float(self.exact) + self.floats if self.floating else self.exact

    @property
    def is_right(self) -> bool:
        """Whether what stands there is so."""
        if not self.floating and not isinstance(self.own, float):
            return bool(self.own == self.exact)
        allowed = max(1e-6, 0.5e-6 * self.floating + RELATIVE * (self.magnitude + abs(float(self.exact))))
        return is_number(self.own) and math.isclose(self.own, self.expected, rel_tol=0, abs_tol=allowed)


class Extreme(Count):
    """The least or the greatest; of nothing it is null."""

    def __init__(self, own: Any, *, greatest: bool) -> None:
        super().__init__(own)
        self.greatest = greatest
        self.best: Any = None

    def add(self, value: Any) -> None:
        """Look at a value."""
        if self.best is None or (ordered(value) > ordered(self.best)) == self.greatest:
            self.best = value

    @property
    def expected(self) -> Any:
        """What has to stand there."""
        return self.best


class AtEnd(Count):
    """The value of the row with the first or last moment; of several with the same moment, any of theirs."""

    def __init__(self, own: Any, *, last: bool) -> None:
        super().__init__(own)
        self.last = last
        self.moment: Any = None
        self.value: Any = None
        self.found = False

    def add(self, value: Any) -> None:
        """Look at a moment and the value that belongs to it."""
        moment, belonging = value
        if self.moment is None or (
            moment != self.moment and (ordered(moment) > ordered(self.moment)) == self.last
        ):
            self.moment, self.value, self.found = moment, belonging, False
        if moment == self.moment:
            self.found = self.found or same(belonging, self.own)

    @property
    def expected(self) -> Any:
        """What has to stand there; one of several."""
        return self.value

    @property
    def is_right(self) -> bool:
        """Whether what stands there is so."""
        return self.own is None if self.moment is None else self.found


def total(mark: Computed, own: Any) -> Count:
    """Return what computes a mark's value anew, beside the (canonical) value that stands there."""
    match mark.how:
        case "count":
            return Count(own)
        case "sum":
            return Total(own)
        case "min" | "max":
            return Extreme(own, greatest=mark.how == "max")
    return AtEnd(own, last=mark.how == "latest")


def said(mark: Computed) -> str:
    """Return a mark in words."""
    conditions = ", ".join(f"{name} {value}" for name, value in mark.conditions.items())
    by = f" by {mark.by}" if mark.by else ""
    return f"{mark.how} of {mark.of}{by}{f' where {conditions}' if conditions else ''}"


def differs(path: str, mark: Computed, computed: Count) -> str:
    """Return what is wrong with a total."""
    return f"{path}: found {shown(computed.own)}, expected {shown(computed.expected)}, the {said(mark)}"
