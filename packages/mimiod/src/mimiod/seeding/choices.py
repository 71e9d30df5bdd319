"""Draws among given values, and draws that are sometimes absent, null or another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mimiod.distributions import Given, Law, Shares, Sometimes
from mimiod.errors import DeclarationError
from mimiod.seeding.frames import Draw, law_of
from mimiod.seeding.nested import Parted
from mimiod.seeding.numbers import cumulated
from mimiod.seeding.relations import equals
from mimiod.seeding.values import Booleans, Column, Constant, Picked, Pool

if TYPE_CHECKING:
    from mimiod.seeding.frames import Place


class _Missing:
    """The mark of a field that is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"Stands for no field at all, where `Maybe` or `When` take a value."


@dataclass(frozen=True, eq=False)
class Choice(Draw):
    """One of some values, by weight: a mapping of values to weights, or a list of values alike.

    >>> Choice({"card": 62, "transfer": 30, "cash": 8})
    """

    values: Mapping[Any, float] | Sequence[Any]

    @property
    def most(self) -> float | None:
        """The largest value, of numbers."""
        return max(self.values) if all(isinstance(value, int | float) for value in self.values) else None

    def distribution(self, now: int) -> Law:
        """Return the share of each value."""
        del now
        pairs = self.values.items() if isinstance(self.values, Mapping) else ((v, 1.0) for v in self.values)
        weights = [(value, float(weight)) for value, weight in pairs]
        there = tuple((value, weight) for value, weight in weights if value is not None)
        if len(there) == len(weights):
            return Shares(there)
        rate = sum(weight for _, weight in there) / sum(weight for _, weight in weights)
        return Sometimes(rate, Shares(there) if rate else Given())

    @cached_property
    def _edges(self) -> Any:
        weights = list(self.values.values()) if isinstance(self.values, Mapping) else [1.0] * len(self.values)
        return cumulated(weights)

    @cached_property
    def _pool(self) -> Pool:
        return Pool(list(self.values))

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        return Picked(np.searchsorted(self._edges, at.uniform(), "right"), self._pool)


@dataclass(frozen=True)
class Chance(Draw):
    """True in this share of the rows."""

    rate: float

    def distribution(self, now: int) -> Law:
        """Return the shares of true and false."""
        del now
        return Shares(((True, self.rate), (False, 1 - self.rate)))

    def column(self, at: Place) -> Column:
        """Return true or false for each row."""
        return Booleans(at.uniform() < self.rate)


@dataclass(frozen=True)
class Maybe(Draw):
    """A draw in this share of the rows; in the others `otherwise`: null, MISSING for no field, or a draw.

    >>> Maybe(0.8, Fake("company"))
    """

    rate: float
    drawn: Any
    otherwise: Any = None

    def distribution(self, now: int) -> Law:
        """Return how often there is a value, and how it is distributed."""
        law = law_of(self.drawn, now)
        return (
            Sometimes(self.rate, law)
            if law and (self.otherwise is None or self.otherwise is MISSING)
            else None
        )

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        return _parted(at, np.where(at.uniform("maybe") < self.rate, 0, 1), [self.drawn, self.otherwise])


@dataclass(frozen=True, eq=False)
class When(Draw):
    """A draw for each value of another field; a draw is made only in the rows that it is for.

    A key may be a tuple of values. Where no key fits it is `otherwise`: null, MISSING, or a draw.

    >>> When("status", {"approved": Uniform(1, 30), ("rejected", "lapsed"): 0}, otherwise=MISSING)
    """

    path: str
    cases: Mapping[Any, Any]
    otherwise: Any = None

    @property
    def most(self) -> float | None:
        """The largest of any case."""
        return _most_of_all((*self.cases.values(), self.otherwise))

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        column = at.get(self.path)
        codes = np.full(len(at), len(self.cases))
        for code, wanted in enumerate(self.cases):
            codes[equals(column, wanted) & (codes == len(self.cases))] = code
        return _parted(at, codes, [*self.cases.values(), self.otherwise])


@dataclass(frozen=True)
class OneOf(Draw):
    """One of several draws, by weight: pairs of a weight and a draw. A polymorphic field or array item.

    >>> OneOf([(7, {"kind": "card", "last4": Digits("####")}), (3, {"kind": "cash"})])
    """

    draws: Sequence[tuple[float, Any]]

    @property
    def most(self) -> float | None:
        """The largest of any draw."""
        return _most_of_all([drawn for _, drawn in self.draws])

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        edges = cumulated([weight for weight, _ in self.draws])
        return _parted(at, np.searchsorted(edges, at.uniform("one of"), "right"), [d for _, d in self.draws])


def most_of(drawn: Any) -> float | None:
    """Return the largest number that a draw or a constant gives, where it is known; null counts as 0."""
    if isinstance(drawn, Draw):
        return drawn.most
    if drawn is None or drawn is MISSING:
        return 0
    return drawn if isinstance(drawn, int | float) else None


def _most_of_all(drawn: Sequence[Any]) -> float | None:
    bounds = [most_of(each) for each in drawn]
    known = [bound for bound in bounds if bound is not None]
    return max(known) if len(known) == len(bounds) else None


def _parted(at: Place, codes: Any, drawn: Sequence[Any]) -> Column:
    """Return each row's draw, made for just the rows that it is for."""
    parts: list[Column] = []
    places = np.zeros(len(at), np.intp)
    final = codes.copy()
    for code, what in enumerate(drawn):
        own = np.flatnonzero(codes == code)
        if what is MISSING:
            parts.append(Constant(None, 0))
            final[own] = -1
            continue
        if not isinstance(what, Draw | Mapping):
            parts.append(Constant(what, 1))
            continue
        places[own] = np.arange(len(own))
        parts.append(at.part(own).draw(what, f"{code}"))
    return Parted(final, places, parts)


def checked_rate(where: str, rate: float) -> float:
    """Return a share, which has to be from 0 to 1."""
    if not 0 <= rate <= 1:
        raise DeclarationError(f"{where}: a share has to be from 0 to 1, not {rate}")
    return rate
