"""Draws of rows that follow one another: what came before, how many there are by now, the newest of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mimiod.errors import DeclarationError
from mimiod.seeding.frames import Draw, Frame
from mimiod.seeding.nested import Arrays, Documents
from mimiod.seeding.times import HOUR, now_of
from mimiod.seeding.values import Booleans, Column, Identifiers, Integers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mimiod.seeding.frames import Place
    from mimiod.seeding.values import Index


@dataclass(frozen=True)
class Happened(Draw):
    """Whether a moment lies `hours` or more before the reference time; one that is null does not."""

    path: str
    hours: float = 0

    def column(self, at: Place) -> Column:
        """Return true or false for each row."""
        moments, there = at.get(self.path).known()
        return Booleans(there & (moments <= now_of(at) - round(self.hours * HOUR)))


@dataclass(frozen=True)
class Earlier(Draw):
    """The sum, or the largest, of a field over the rows before this one; 0 for the first.

    The rows before are those of the same parent, or the items before in the same array. The field has to
    be a whole number or a moment.
    """

    path: str
    how: Literal["sum", "max"]

    def column(self, at: Place) -> Column:
        """Return the numbers."""
        above, index = at.frame.parents()
        ordinal = at.frame.ordinal()
        sizes = np.zeros(len(above), np.int64)
        np.maximum.at(sizes, index, ordinal + 1)
        owners = np.repeat(np.arange(len(above)), sizes)
        position = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        frame = at.frame
        if not (np.array_equal(owners, index) and np.array_equal(position, ordinal)):
            # Some of the rows before are not among these: make them.
            most = at.plan.declared(frame.scope.collection).most
            rows = above.rows[owners] * np.uint64(most) + position.astype(np.uint64)
            frame = Frame(frame.scope, rows, (above, owners), position)
        table = np.zeros((len(above), int(sizes.max(initial=0)) + 1), np.int64)
        table[owners, position + 1] = frame.column(self.path).numbers()
        through = np.cumsum(table, axis=1) if self.how == "sum" else np.maximum.accumulate(table, axis=1)
        return Integers(through[index, ordinal])


@dataclass(frozen=True)
class Previous(Draw):
    """The `_id` of the row before this one."""

    def column(self, at: Place) -> Column:
        """Return the ids."""
        return Identifiers(at.frame.rows - np.uint64(1), at.plan.owner(at.frame.scope.collection))


@dataclass(frozen=True)
class Until(Draw):
    """How many rows a parent has if the last is the one whose moment is the last before the reference time.

    Moments have to ascend with the rows.
    """

    collection: str
    path: str
    high: int
    hours: float = 0
    "Before the reference time, in which there are none."

    @property
    def most(self) -> float | None:
        """How many there are at most."""
        return self.high

    def column(self, at: Place) -> Column:
        """Return a number for each parent."""
        owners = np.repeat(np.arange(len(at)), self.high)
        position = np.tile(np.arange(self.high), len(at))
        most = at.plan.declared(self.collection).most
        rows = at.frame.rows[owners] * np.uint64(most) + position.astype(np.uint64)
        frame = Frame(at.plan.scope(self.collection), rows, (at.frame, owners), position)
        moments, there = frame.column(self.path).known()
        return Integers(
            np.bincount(owners[there & (moments <= now_of(at) - round(self.hours * HOUR))], minlength=len(at))
        )


@dataclass(frozen=True)
class ItemRows(Draw):
    """How many rows a parent has if each item of its array has as many as a field of the item says."""

    array: str
    times: str

    def column(self, at: Place) -> Column:
        """Return a number for each parent."""
        arrays = _array(at.frame, self.array)
        owners = np.repeat(np.arange(len(at)), arrays.sizes)
        total = np.zeros(len(at), np.int64)
        np.add.at(total, owners, arrays.items.field(self.times).numbers().astype(np.int64))
        return Integers(total)


@dataclass(frozen=True)
class Item(Draw):
    """The item of the parent's array that a row is made for; see `ItemRows`.

    It has one more field, `turn`: which of the item's rows this is, from 0.
    """

    array: str
    times: str

    def column(self, at: Place) -> Column:
        """Return an embedded document for each row."""
        above, index = at.frame.parents()
        arrays = _array(above, self.array)
        times = arrays.items.field(self.times).numbers().astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(times)])
        place = ends[arrays.starts[:-1]][index] + at.frame.ordinal()
        item = np.repeat(np.arange(len(times)), times)[place]
        assert isinstance(arrays.items, Documents)
        fields = {name: column.take(item) for name, column in arrays.items.fields.items()}
        return Documents(fields | {"turn": Integers(place - ends[item])}, len(at))


@dataclass(frozen=True)
class Newest(Draw):
    """An array with some fields of the newest rows of a collection below, the newest first: a subset."""

    collection: str
    size: int
    by: str
    fields: Sequence[str]

    def column(self, at: Place) -> Column:
        """Return an array for each row."""
        frame, owners = below(at.frame, self.collection)
        order = np.lexsort((-frame.column(self.by).numbers(), owners))
        sizes = np.bincount(owners, minlength=len(at))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept = order[rank < self.size]
        fields = {name: frame.column(name).take(kept) for name in self.fields}
        return Arrays(Documents(fields, len(kept)), np.minimum(sizes, self.size))


def below(frame: Frame, collection: str) -> tuple[Frame, Index]:
    """Return the rows of a collection below these, and under which of these each is."""
    plan, owners = frame.scope.plan, np.arange(len(frame))
    chain = plan.chain(collection)
    for name in chain[chain.index(frame.scope.collection) + 1 :]:
        frame = frame.children(name)
        owners = owners[frame.parents()[1]]
    return frame, owners


def _array(frame: Frame, path: str) -> Arrays:
    arrays = frame.column(path)
    if not isinstance(arrays, Arrays):
        raise DeclarationError(f"{frame.scope.where(path)} has to be an array")
    return arrays
