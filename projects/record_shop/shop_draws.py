"""Draws of documents by the number of their row, for what the vocabulary draws at random."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from mimiod.seeding import Draw
from mimiod.seeding.frames import Frame, Place, Relation
from mimiod.seeding.nested import Arrays
from mimiod.seeding.values import Column, Identifiers
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RowOf(Relation):
    """A reference to the row of a fixed collection that has a number; to none where that is -1."""

    collection: str
    number: Any
    "A draw of the row's number."

    def frame(self, at: Place) -> tuple[Frame, NDArray[np.int64]]:
        """Return the rows that are referred to."""
        numbers = at.draw(self.number, "number").numbers().astype(np.int64)
        frame, index = at.plan.some(self.collection, np.maximum(numbers, 0).astype(np.uint64))
        return frame, np.where(numbers < 0, -1, index)


@dataclass(frozen=True, eq=False)
class RowsOf(Draw):
    """References to the rows of a fixed collection that have some numbers."""

    collection: str
    numbers: Draw
    "A draw of lists of row numbers."

    def column(self, at: Place) -> Column:
        """Return an array of ids for each row."""
        lists = at.draw(self.numbers, "numbers").python()
        numbers = np.array([number for numbers in lists for number in numbers], np.uint64)
        sizes = np.array([len(numbers) for numbers in lists], np.int64)
        return Arrays(Identifiers(numbers, at.plan.owner(self.collection)), sizes)


@dataclass(frozen=True, eq=False)
class Distinct(Draw):
    """An array of ids without those that stood in it before."""

    path: str

    def column(self, at: Place) -> Column:
        """Return an array of ids for each row."""
        arrays = at.get(self.path)
        assert isinstance(arrays, Arrays)
        ids = arrays.items.python()
        owners = np.repeat(np.arange(len(at)), arrays.sizes).tolist()
        first = {pair: place for place, pair in reversed(list(enumerate(zip(owners, ids, strict=True))))}
        kept = np.array(sorted(first.values()), np.int64)
        return Arrays(arrays.items.take(kept), np.bincount(np.array(owners)[kept], minlength=len(at)))


@dataclass(frozen=True, eq=False)
class ItemOf(Draw):
    """In the items of an array: the id at the same place of an array of ids in the document around it."""

    path: str

    def column(self, at: Place) -> Column:
        """Return an id for each item."""
        document, owners = at.frame.home()
        arrays = document.column(self.path)
        assert isinstance(arrays, Arrays)
        return arrays.items.take(arrays.starts[:-1][owners] + at.frame.ordinal())
