"""Draws of the digital bank that the vocabulary has no word for.

They know nothing of the bank: rows that follow one another in time, a row for each item of an array, the
newest rows below a document, and a log of what happened to other documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from mimiod.seeding import Draw
from mimiod.seeding.frames import Frame, Place
from mimiod.seeding.nested import Arrays, Documents, Parted
from mimiod.seeding.values import Booleans, Column, Constant, Identifiers, Integers

HOUR = 3_600_000
"Milliseconds of an hour."


def now(at: Place) -> int:
    """Return the reference time in milliseconds since 1970."""
    return round(at.plan.reference_time.timestamp() * 1_000)


@dataclass(frozen=True)
class Happened(Draw):
    """Whether a moment lies `hours` or more before the reference time; one that is null does not."""

    path: str
    hours: float = 0

    def column(self, at: Place) -> Column:
        """Return true or false for each row."""
        moments, there = at.get(self.path).known()
        return Booleans(there & (moments <= now(at) - round(self.hours * HOUR)))


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
            np.bincount(owners[there & (moments <= now(at) - round(self.hours * HOUR))], minlength=len(at))
        )


@dataclass(frozen=True)
class ItemRows(Draw):
    """How many rows a parent has if each item of its array has as many as a field of the item says."""

    array: str
    times: str

    def column(self, at: Place) -> Column:
        """Return a number for each parent."""
        arrays = at.get(self.array)
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
        arrays = above.column(self.array)
        times = arrays.items.field(self.times).numbers().astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(times)])
        place = ends[arrays.starts[:-1]][index] + at.frame.ordinal()
        item = np.repeat(np.arange(len(times)), times)[place]
        fields = {name: column.take(item) for name, column in arrays.items.fields.items()}
        return Documents(fields | {"turn": Integers(place - ends[item])}, len(at))


@dataclass(frozen=True)
class Previous(Draw):
    """The `_id` of the row before this one."""

    def column(self, at: Place) -> Column:
        """Return the ids."""
        return Identifiers(at.frame.rows - np.uint64(1), at.plan.owner(at.frame.scope.collection))


def below(frame: Frame, collection: str) -> tuple[Frame, Any]:
    """Return the rows of a collection below these, and under which of these each is."""
    plan, owners = frame.scope.plan, np.arange(len(frame))
    chain = plan.chain(collection)
    for name in chain[chain.index(frame.scope.collection) + 1 :]:
        frame = frame.children(name)
        owners = owners[frame.parents()[1]]
    return frame, owners


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


@dataclass(frozen=True)
class Logged:
    """A change that is logged: at which moment of which collection's rows, and what there is to say of it."""

    collection: str
    at: str
    "The path of a moment; where it is null nothing happened."
    action: Any
    actor: Any
    field: str
    before: Any
    after: Any
    actor_kind: Any = "system"

    def rows(self, frame: Frame, number: int) -> tuple[Documents, Any, Any]:
        """Return what is logged of the rows below these, under which of them it is, and when it was."""
        frame, owners = below(frame, self.collection)
        moments, there = frame.column(self.at).known()
        found = np.flatnonzero(there)
        part = frame.view(found)
        said = {
            name: getattr(self, name)
            for name in ("actor_kind", "actor", "action", "field", "before", "after")
        }
        fields = {
            "entity": Constant(self.collection, len(found)),
            "entity_id": part.column("_id"),
            "at": part.column(self.at),
            **{name: part.place(f"~{number}").draw(what, name) for name, what in said.items()},
        }
        return Documents(fields, len(found)), owners[found], moments[found]


@dataclass(frozen=True, eq=False)
class Trail(Draw):
    """What happened to a parent and to the rows below it: an embedded document for each change.

    `happenings` draws how many a parent has.
    """

    logged: Sequence[Logged]

    def happenings(self) -> Draw:
        """Return a draw of how many rows a parent has."""
        return _Happenings(self)

    def column(self, at: Place) -> Column:
        """Return the embedded documents."""
        above, index = at.frame.parents()
        changes, starts = self.changes(above)
        return changes.take(starts[index] + at.frame.ordinal())

    def changes(self, frame: Frame) -> tuple[Column, Any]:
        """Return all that happened to these parents, in order of time, and where each one's begins."""
        key = f"~{id(self)}"
        if key not in frame.related:
            parts, owners, moments = zip(
                *(each.rows(frame, number) for number, each in enumerate(self.logged)), strict=True
            )
            codes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
            places = np.concatenate([np.arange(len(part)) for part in parts])
            whose = np.concatenate(owners)
            order = np.lexsort((np.concatenate(moments), whose))
            sizes = np.bincount(whose, minlength=len(frame))
            frame.related[key] = Parted(codes[order], places[order], parts), np.cumsum(sizes) - sizes
        found: tuple[Column, Any] = frame.related[key]
        return found


@dataclass(frozen=True, eq=False)
class _Happenings(Draw):
    trail: Trail

    def column(self, at: Place) -> Column:
        """Return a number for each row."""
        changes, starts = self.trail.changes(at.frame)
        return Integers(np.diff(np.append(starts, len(changes))))
