"""References in which documents are named as often as was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.frames import Relation, linked
from mimiod.seeding.nested import or_null
from mimiod.seeding.randomness import Key
from mimiod.seeding.values import Texts
from mimiod.twinning.quantiles import Quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mimiod.seeding.frames import Frame, Place
    from mimiod.seeding.values import Column, Index, Mask
    from mimiod.twinning.quantiles import Floats

    Whole = NDArray[np.int64]


def counted(at: Place, told: Mapping[str, Any]) -> tuple[Mask, Whole, int]:
    """Say of each row whether it is among a share of the rows, which of these it is, and how many they are.

    `told` has the share, as `counted`, and the `factor`. Those of a `tree` come last, since they name others
    before them; else they are in no order.
    """
    scope = at.frame.scope
    size = at.plan.rows_of(scope.collection)
    if len(at) and int(at.frame.rows.max()) >= size:
        raise DeclarationError(f"{at.where}: a twin's rows are numbered from 0: they have no `per`")
    most = min(size, round(told["counted"] * size))
    if told["tree"]:
        most = min(most, size - 1)
        places = at.frame.rows.astype(np.int64) - (size - most)
        return places >= 0, places, most
    key = Key.of(at.plan.seed, scope.collection, scope.prefix, "twin", told["factor"], "order")
    places = randomness.permutation(key, at.frame.rows, size).astype(np.int64)
    return places < most, places, most


@dataclass(frozen=True, eq=False)
class Named(Relation):
    """References by a measured law: how often the documents of another collection are named, 0 included.

    Where every row has at most one, the numbers come out exactly: each of the others has so many places, and
    each row is given one of them. In arrays they come out on average.
    """

    law: Mapping[str, Any]
    _places: dict[int, Whole] = field(default_factory=dict, repr=False)
    "Where the places of each document end: by how many documents there are."

    def frame(self, at: Place) -> tuple[Frame, Index]:
        """Return the rows that are named."""
        rows = self._alone(at) if self.law["counted"] and not at.frame.scope.prefix else self._any(at)
        return at.plan.some(self.law["collection"], rows.astype(np.uint64))

    def column(self, at: Place) -> Column:
        """Return the keys of what is named."""
        frame, index = self.frame(at)
        column = linked(frame.column(self.law["field"]), index)
        if self.law["text"]:
            there = column.present()
            return or_null(Texts([str(each) for each in column.python()]), there)
        return column

    def _alone(self, at: Place) -> Whole:
        """Return the row that each row names."""
        size = at.plan.rows_of(self.law["collection"])
        _, places, most = counted(at, self.law)
        places = np.clip(places, 0, max(0, most - 1))
        if self.law["unique"]:
            return self._shuffled(at, places % size, size)
        ends = self._ends(size)
        # Of as many places as rows, or each row the share of the places that falls to it.
        slots = places * int(ends[-1]) // max(1, most)
        if self.law["tree"]:  # those with the most come first, so that each is named by later ones
            return np.asarray(size - 1 - np.searchsorted(ends, ends[-1] - 1 - slots, "right"), np.int64)
        return self._shuffled(at, np.searchsorted(ends, slots, "right"), size)

    def _any(self, at: Place) -> Whole:
        """Return a row for each item; the items of one document have rows far apart."""
        size = at.plan.rows_of(self.law["collection"])
        shares = np.cumsum(self._drawn(size))
        u = at.uniform("named")
        if at.frame.scope.prefix:
            frame, owners = at.frame.parents()
            counts = np.bincount(owners)
            starts = np.cumsum(counts) - counts
            order = np.argsort(owners, kind="stable")
            within = np.empty(len(owners), np.int64)
            within[order] = np.arange(len(owners)) - starts[owners[order]]
            turns = randomness.uniform(at.key("turn"), frame.rows)[owners]
            u = ((within + u) / counts[owners] + turns) % 1.0
        found = np.minimum(np.searchsorted(shares, u * shares[-1], "right"), size - 1)
        return self._shuffled(at, found, size)

    def _shuffled(self, at: Place, ranks: Whole, size: int) -> Whole:
        """Return the rows of that rank: in no order, but always the same."""
        scope = at.frame.scope
        key = Key.of(at.plan.seed, scope.collection, scope.prefix, "twin", self.law["factor"], "rank")
        return randomness.permutation(key, ranks.astype(np.uint64), size).astype(np.int64)

    def _degrees(self, size: int) -> Floats:
        """Return how often each document is named, in ascending order.

        What the greatest numbers had more, of which nothing is told, falls to the last segment.
        """
        law = Quantiles.read(self.law["degrees"])
        found = np.maximum(law.at((np.arange(size) + 0.5) / size), 0)
        less = self.law["mean"] * size - float(found.sum())
        last = max(1, round(law.shares[-1] / sum(law.shares) * size))
        if less > 0:
            found[size - last :] += less * (np.arange(last) + 0.5) * 2 / (last * last)
        return found

    def _ends(self, size: int) -> Whole:
        """Return where the places of each document end, those with the fewest first."""
        if size not in self._places:
            degrees = np.rint(self._degrees(size)).astype(np.int64)
            if not degrees.any():
                degrees[:] = 1
            self._places[size] = np.cumsum(degrees)
        return self._places[size]

    def _drawn(self, size: int) -> Floats:
        """Return the weights under which as many are named often as was measured, chance included.

        What is drawn at random spreads by itself, by as much as its mean: the measured spread is lessened by
        that.
        """
        degrees = self._degrees(size)
        mean, spread = float(degrees.mean()), float(degrees.var())
        if mean <= 0:
            return np.ones(size)
        left = max(0.0, 1 - mean / spread) if spread else 0.0
        weights: Floats = np.maximum(mean + (degrees - mean) * left**0.5, mean * 1e-3)
        return weights
