"""How values are distributed, said in words that whoever draws them and whoever tests them share.

A draw states its law; a test computes shares from it by itself. Neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Family = Literal["uniform", "whole", "normal", "lognormal", "exponential", "zipf", "poisson", "table"]


@dataclass(frozen=True)
class Given:
    """There is always a value; how often which is not said."""


@dataclass(frozen=True)
class Shares:
    """One of some values, each with its weight."""

    weights: tuple[tuple[Any, float], ...]


@dataclass(frozen=True)
class Numbers:
    """A number, or a moment in milliseconds since 1970: by its family, then clipped, then rounded."""

    family: Family
    parameters: tuple[float, ...] = ()
    """uniform and whole (whole numbers only): first, last; normal: mean, deviation; lognormal: median,
    deviation of the logarithm; exponential: mean; poisson: mean; zipf: ranks, exponent, where rank k has the
    integral of x^-exponent from k - 1/2 to k + 1/2."""
    table: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    "Of a table: the edges of bins in order, and the weight of each; alike within a bin."
    low: float | None = None
    high: float | None = None
    digits: int | None = None
    "As in Python's `round`; None leaves the values."

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers come out, before clipping."""
        return self.family in {"whole", "zipf", "poisson"} or (self.digits is not None and self.digits <= 0)

    def rounded(self, digits: int) -> Numbers | None:
        """Return the law of the values rounded once more; None where they are rounded finer already."""
        if self.digits is not None and self.digits > digits:
            return None
        return self if self.digits is not None or self.is_whole else replace(self, digits=digits)


@dataclass(frozen=True)
class Sometimes:
    """A value in this share of the documents; in the others null, or no field."""

    rate: float
    law: Law


@dataclass(frozen=True)
class Fields:
    """An embedded document."""

    laws: Mapping[str, Law] = field(default_factory=dict)


@dataclass(frozen=True)
class Items:
    """An array: how many items, and what each is, by itself."""

    size: Law
    item: Law


Law = Given | Shares | Numbers | Sometimes | Fields | Items | None
"None where nothing can be said: the value follows from others, or from code."
