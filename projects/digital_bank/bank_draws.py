"""The audit log of the digital bank: a collection whose rows tell what happened to those of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mimiod.seeding import Draw
from mimiod.seeding.frames import Frame, Place
from mimiod.seeding.histories import below
from mimiod.seeding.nested import Documents, Parted
from mimiod.seeding.values import Column, Constant, Integers


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
