"""Rows and their columns: a frame evaluates the declared fields of some rows, each once, when asked.

A frame can be made for any rows, in any order: what a field of a referenced document is, is found by
making that field for that row. Nothing is looked up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.distributions import Fields, Given, Law, Shares, Sometimes
from mimiod.errors import DeclarationError, MimiodError
from mimiod.seeding import randomness
from mimiod.seeding.nested import Documents, Parted
from mimiod.seeding.randomness import Key
from mimiod.seeding.values import Column, Constant, Identifiers, Integers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mimiod.seeding.plan import Plan
    from mimiod.seeding.values import Index

    Rows = NDArray[np.uint64]


class Draw(ABC):
    """How the values of a field come about."""

    @abstractmethod
    def column(self, at: Place) -> Column:
        """Return a value for each row of the place; it may depend on nothing but what the place gives."""

    @property
    def most(self) -> float | None:
        """The largest number that comes out, where one is known."""
        return None

    def distribution(self, now: int) -> Law:
        """Return how the values are distributed, None where that cannot be said.

        It holds of rows that are drawn apart from each other; `now` is the reference time in milliseconds.
        """
        del now
        return None


def law_of(drawn: Any, now: int) -> Law:
    """Return how the values of a draw, a mapping of draws or a constant are distributed."""
    if isinstance(drawn, Draw):
        return drawn.distribution(now)
    if isinstance(drawn, Mapping):
        return Fields({name: law_of(inner, now) for name, inner in drawn.items()})
    return Sometimes(0.0, Given()) if drawn is None else Shares(((drawn, 1.0),))


class Relation(Draw):
    """A draw of documents: a row of another collection for each row."""

    @abstractmethod
    def frame(self, at: Place) -> tuple[Frame, Index]:
        """Return rows of the other collection, and which of them each row refers to (-1: none)."""

    target_field = "_id"

    def column(self, at: Place) -> Column:
        """Return what the reference holds: the target's `_id`, or the field that the schema says."""
        frame, index = self.frame(at)
        return linked(frame.column(at.reference_field), index)


@dataclass(frozen=True)
class Scope:
    """Where fields are declared: a collection, or the items of an array in it."""

    plan: Plan
    collection: str
    prefix: str
    "What stands before the names of its fields: empty, or an array's path and a dot."
    fields: Mapping[str, Any]
    "Draws, constants and mappings of them."
    branch: str = ""
    "Which of several draws at one field the array is, where a draw such as `When` has several."

    def unstored(self, fields: Mapping[str, Any], within: str = "") -> frozenset[str]:
        """Return which fields are drawn for the sake of others: `_` stands before a name of no field."""
        prefix = self.prefix + within
        return frozenset(
            name
            for name in fields
            if name.startswith("_") and not self.plan.stores(self.collection, prefix + name)
        )

    def where(self, path: str) -> str:
        """Return a field's full name, as messages have it."""
        return f"{self.collection}.{self.prefix}{path}"


@dataclass(eq=False)
class Frame:
    """Some rows, and the columns that have been made for them."""

    scope: Scope
    rows: Rows
    owner: tuple[Frame, Index] | None = None
    "The rows of the parent collection, or the documents that hold the array; and whose each row is."
    ordinals: NDArray[np.int64] | None = None
    "Which child, or item, of its owner each row is, from 0."
    columns: dict[str, Column] = field(default_factory=dict, repr=False)
    related: dict[str, Any] = field(default_factory=dict, repr=False)
    "Frames of children and of referenced rows, kept for all who ask."

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, path: str) -> Column:
        """Return the values of a field, which is given by its dotted path.

        A path may go on through a reference (`customer_id.name`). In the items of an array a name that
        the item lacks is looked for in the document around it. `row` is the row's number.

        Raises:
            DeclarationError: there is no such field, or it depends on itself.
        """
        if (found := self.columns.get(path)) is not None:
            return found
        self.scope.plan.enter(self, path)
        try:
            column = self._made(path)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            if isinstance(exc, MimiodError):
                raise
            text = " ".join(str(exc).split())
            where = self.scope.where(path)
            raise DeclarationError(f"{where} cannot be drawn: {type(exc).__name__}: {text}") from exc
        finally:
            self.scope.plan.leave(self, path)
        self.columns[path] = column
        return column

    def document(self) -> Documents:
        """Return the whole documents."""
        names = self.scope.fields
        unstored = self.scope.unstored(names)
        if not self.scope.prefix:
            return Documents({name: self.column(name) for name in names if name not in unstored}, len(self))
        return Documents({name: self.column(name) for name in names}, len(self), unstored)

    def place(self, path: str) -> Place:
        """Return the place of a field in these rows."""
        return Place(self, path)

    def _made(self, path: str) -> Column:
        node: Any = self.scope.fields
        names = path.split(".")
        depth = 0
        while depth < len(names) and isinstance(node, Mapping) and names[depth] in node:
            node = node[names[depth]]
            depth += 1
        if depth == 0:
            return self._outside(path)
        if depth < len(names):
            if isinstance(node, Mapping):
                raise DeclarationError(f"{self.scope.where(path)} is asked for and is not declared")
            return self._through(".".join(names[:depth]), node, ".".join(names[depth:]))
        if isinstance(node, Mapping):
            unstored = self.scope.unstored(node, f"{path}.")
            return Documents(
                {name: self.column(f"{path}.{name}") for name in node if name not in unstored}, len(self)
            )
        if isinstance(node, Draw):
            column = node.column(self.place(path))
            return self.scope.plan.fitted(self.scope, path, column)
        return Constant(node, len(self))

    def _outside(self, path: str) -> Column:
        if self.scope.prefix and self.owner is not None:
            frame, index = self.owner
            return frame.column(path).take(index)
        if path == "row":
            return Integers(self.rows.astype(np.int64))
        raise DeclarationError(f"{self.scope.where(path)} is asked for and is not declared")

    def target(self, path: str) -> tuple[Frame, Index]:
        """Return the rows that a reference names, and which of them each row names (-1: none).

        Raises:
            DeclarationError: the field is no reference.
        """
        node: Any = self.scope.fields
        if path.partition(".")[0] not in node and self.scope.prefix and self.owner is not None:
            around, whose = self.owner
            frame, index = around.target(path)
            return frame, index[whose]
        for name in path.split("."):
            node = node.get(name) if isinstance(node, Mapping) else None
        if isinstance(node, Relation):
            return self.relation(path, node)
        if path not in self.related:
            reference = self.scope.plan.reference(self.scope, path)
            rows = None if reference is None else _rows_behind(self.column(path))
            if reference is None or rows is None:
                raise DeclarationError(f"{self.scope.where(path)} is no reference to another document")
            found = np.flatnonzero(rows >= 0)
            frame, place = self._having(reference.collection, rows[found].astype(np.uint64))
            index = np.full(len(self), -1)
            index[found] = place
            self.related[path] = frame, index
        there: tuple[Frame, Index] = self.related[path]
        return there

    def _having(self, collection: str, rows: Rows) -> tuple[Frame, Index]:
        """Return a frame that has these rows, and where: the rows below these, if they are among those."""
        plan, own = self.scope.plan, self.scope.collection
        chain = plan.chain(collection)
        frame: Frame | None = self if own in chain[:-1] and not self.scope.prefix else None
        for name in chain[chain.index(own) + 1 :] if frame else ():
            frame = frame.related.get(f"/{name}") if frame else None
        if frame is not None and len(frame):
            place = np.minimum(np.searchsorted(frame.rows, rows), len(frame) - 1)
            if np.array_equal(frame.rows[place], rows):
                return frame, place
        return plan.some(collection, rows)

    def _through(self, path: str, node: object, rest: str) -> Column:
        """Return a field of what the field at `path` refers to, or holds."""
        if isinstance(node, Relation) or self.scope.plan.reference(self.scope, path) is not None:
            frame, index = self.target(path)
            return linked(frame.column(rest), index)
        column = self.column(path)
        try:
            for name in rest.split("."):
                column = column.field(name)
        except (KeyError, TypeError):
            raise DeclarationError(
                f"{self.scope.where(path)} is asked for its {rest!r}: it is neither a document with that "
                "field nor a reference to one"
            ) from None
        return column

    def relation(self, path: str, node: Relation) -> tuple[Frame, Index]:
        """Return what the reference at `path` refers to, drawn once."""
        if path not in self.related:
            self.related[path] = node.frame(self.place(path))
        found: tuple[Frame, Index] = self.related[path]
        return found

    def parents(self) -> tuple[Frame, Index]:
        """Return the frame of the parents of these rows, and whose child each row is."""
        if self.owner is None:
            declared = self.scope.plan.declared(self.scope.collection)
            if declared.per is None:
                raise DeclarationError(f"{self.scope.collection} has no parent: its Rows have no `per`")
            stride = np.uint64(declared.most)
            self.owner = self.scope.plan.some(declared.per, self.rows // stride)
            self.ordinals = (self.rows % stride).astype(np.int64)
        return self.owner

    def home(self) -> tuple[Frame, Index]:
        """Return the documents that these rows are, or whose items they are, and which each belongs to."""
        frame, index = self, np.arange(len(self))
        while frame.scope.prefix and frame.owner is not None:
            frame, above = frame.owner
            index = above[index]
        return frame, index

    def ancestors(self, collection: str) -> tuple[Frame, Index]:
        """Return the rows of a collection above this one, and under which of them each row is."""
        frame, index = self.parents()
        while frame.scope.collection != collection:
            frame, above = frame.parents()
            index = above[index]
        return frame, index

    def ordinal(self) -> NDArray[np.int64]:
        """Return which child of its parent each row is, from 0."""
        if self.ordinals is None:
            self.parents()
        assert self.ordinals is not None
        return self.ordinals

    def counts(self, child: str) -> NDArray[np.int64]:
        """Return how many rows of a child collection each row has."""
        name = f"#{child}"
        if name not in self.related:
            declared = self.scope.plan.declared(child)
            count = Place(self, name).draw(declared.count).numbers()
            self.related[name] = np.clip(np.rint(count).astype(np.int64), 0, declared.most)
        counts: NDArray[np.int64] = self.related[name]
        return counts

    def children(self, child: str) -> Frame:
        """Return the rows of a child collection that belong to these, in their order."""
        name = f"/{child}"
        if name not in self.related:
            plan = self.scope.plan
            counts = self.counts(child)
            index = np.repeat(np.arange(len(self)), counts)
            ordinals = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
            rows = self.rows[index] * np.uint64(plan.declared(child).most) + ordinals.astype(np.uint64)
            self.related[name] = Frame(plan.scope(child), rows, (self, index), ordinals)
        frame: Frame = self.related[name]
        return frame

    def view(self, index: Index) -> Frame:
        """Return the rows at these positions; their columns are taken from here."""
        return _View(self.scope, self.rows[index], base=self, index=index)


@dataclass(eq=False)
class _View(Frame):
    """A part of a frame."""

    base: Frame = None  # type: ignore[assignment]
    index: Index = None  # type: ignore[assignment]

    def column(self, path: str) -> Column:
        if path not in self.columns:
            self.columns[path] = self.base.column(path).take(self.index)
        return self.columns[path]

    def target(self, path: str) -> tuple[Frame, Index]:
        frame, index = self.base.target(path)
        return frame, index[self.index]

    def home(self) -> tuple[Frame, Index]:
        frame, index = self.base.home()
        return frame, index[self.index]

    def parents(self) -> tuple[Frame, Index]:
        frame, index = self.base.parents()
        return frame, index[self.index]

    def ordinal(self) -> NDArray[np.int64]:
        return self.base.ordinal()[self.index]


@dataclass(frozen=True)
class Place:
    """A field in some rows: all that a draw may depend on."""

    frame: Frame
    path: str
    "The field's path; what several draws at one field are told apart by stands after a `/`."

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def plan(self) -> Plan:
        """The plan with seed, reference time and pools."""
        return self.frame.scope.plan

    @cached_property
    def where(self) -> str:
        """The field's full name, as messages have it."""
        return self.frame.scope.where(self.path)

    @property
    def reference_field(self) -> str:
        """The field of the other collection that the schema has here; `_id` if it says nothing."""
        reference = self.plan.reference(self.frame.scope, self.path.partition("/")[0])
        return reference.field if reference else "_id"

    def key(self, salt: str = "") -> Key:
        """Return the key of this field's random numbers."""
        scope = self.frame.scope
        branch = (scope.branch,) if scope.branch else ()
        return Key.of(self.plan.seed, scope.collection, scope.prefix + self.path, salt, *branch)

    def uniform(self, salt: str = "") -> NDArray[np.float64]:
        """Return a random number above 0 and below 1 for each row."""
        return randomness.uniform(self.key(salt), self.frame.rows)

    def below(self, choices: int | NDArray[np.int64], salt: str = "") -> NDArray[np.int64]:
        """Return a random whole number from 0 up to `choices` (exclusive) for each row."""
        return randomness.whole(self.uniform(salt), choices)

    def get(self, path: str) -> Column:
        """Return another field of the same rows."""
        return self.frame.column(path)

    def draw(self, what: Any, salt: str = "") -> Column:
        """Return what a draw, a mapping of draws or a constant gives here, apart from other salts."""
        path = f"{self.path}/{salt}" if salt else self.path
        if isinstance(what, Draw):
            return what.column(Place(self.frame, path))
        if isinstance(what, Mapping):
            fields = {name: self.draw(inner, f"{salt}.{name}") for name, inner in what.items()}
            return Documents(fields, len(self))
        return Constant(what, len(self))

    def part(self, index: Index) -> Place:
        """Return this field in the rows at these positions."""
        return Place(self.frame.view(index), self.path)


def linked(column: Column, index: Index) -> Column:
    """Return the values that an index points at; null where it is -1."""
    absent = index < 0
    if not absent.any():
        return column.take(index)
    nothing = Constant(None, 1)
    return Parted(absent.astype(np.intp), np.where(absent, 0, index), [column, nothing])


def _rows_behind(column: Column) -> NDArray[np.int64] | None:
    """Return the row numbers behind computed ids, -1 where there is none; None if they are none."""
    if isinstance(column, Identifiers):
        return column.rows.astype(np.int64)
    if isinstance(column, Constant) and column.value is None:
        return np.full(len(column), -1)
    if isinstance(column, Parted):
        rows = np.full(len(column), -1)
        for code, part in enumerate(column.parts):
            behind = _rows_behind(part)
            if behind is None:
                return None
            own = np.flatnonzero(column.codes == code)
            rows[own] = behind[column.places[own]]
        return rows
    return None
