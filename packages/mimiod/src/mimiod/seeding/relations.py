"""Draws that lead to other documents: parents, references, copies and totals.

A row exists at every scale at which its number is below the collection's count. It may refer only to rows
that exist wherever it exists itself, or a smaller database would have dangling references: its *universe*
grows with its number, and with it the rows that it refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mimiod import distributions
from mimiod.distributions import Law, Sometimes
from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.frames import Draw, Frame, Place, Relation, Scope, law_of, linked
from mimiod.seeding.nested import Arrays, Parted, stored
from mimiod.seeding.values import Column, Constant, Decimals, Integers, Moments, Numbers, Picked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mimiod.seeding.values import Index, Mask

Preference = Literal["uniform", "zipf", "recent"]

_NEAR = 0.1
"The part of the universe, its newest end, that a uniform reference draws from; see `Ref`."
_ATTEMPTS = 8
"How often a reference looks for a parent that has children."


@dataclass(frozen=True)
class Parent(Relation):
    """The document above: the parent's, or that of a collection further up."""

    collection: str

    def frame(self, at: Place) -> tuple[Frame, Index]:
        """Return the rows above these."""
        return at.frame.ancestors(self.collection)


@dataclass(frozen=True)
class Ref(Relation):
    """A reference to a document of another collection.

    `prefer` says which: `uniform`, all alike; `zipf`, the first rows far more often than the later ones,
    by rank to the power of -`strength`; `recent`, mostly the rows that are new when this one is made.
    Of a collection with a fixed number of rows any row is drawn. Where the number grows with the scale, a
    row refers to rows that are there at every scale at which it is there itself: `uniform` draws from the
    newest tenth of those, so that all are referred to alike but for the newest tenth, which is referred to
    less.

    Where the target has a parent in common with this row, it is drawn from that parent's: an order's
    address is one of its customer's. With `of`, it is drawn from the children of what another reference
    of this document names, and where those have none, the reference is null.
    """

    collection: str
    prefer: Preference = "uniform"
    strength: float = 1.1
    of: str | None = None

    def frame(self, at: Place) -> tuple[Frame, Index]:
        """Return the rows that are referred to."""
        plan, own = at.plan, at.frame.scope.collection
        chain = plan.chain(self.collection)
        if self.of is not None:
            frame, index = at.frame.target(self.of)
            return self._below(at, frame, index, chain)
        common = plan.common(own, self.collection)
        if common is None:
            return self._anywhere(at, chain)
        if self.collection == own and common == own and len(chain) == 1:
            return self._anywhere(at, chain)
        if common == own and self.collection != own:
            return self._below(at, *at.frame.home(), chain)
        top = plan.declared(own).per if self.collection == own else common
        assert top is not None
        frame, index = at.frame.ancestors(top)
        return self._below(at, frame, index, chain, earlier=self.collection == own)

    def _below(
        self, at: Place, frame: Frame, index: Index, chain: list[str], *, earlier: bool = False
    ) -> tuple[Frame, Index]:
        """Return a row under each of these rows, or -1 where there is none."""
        for collection in chain[chain.index(frame.scope.collection) + 1 :]:
            # The 0 at the end is what an index of -1, for no row, finds.
            counts = np.append(frame.counts(collection), 0)
            choices = counts[index]
            if earlier and collection == self.collection:
                home, own = at.frame.home()
                choices = np.minimum(choices, home.ordinal()[own])
            picked = at.below(choices, collection)
            starts = np.cumsum(counts) - counts
            index = np.where(choices > 0, starts[index] + picked, -1)
            frame = frame.children(collection)
        return frame, index

    def _anywhere(self, at: Place, chain: list[str]) -> tuple[Frame, Index]:
        plan = at.plan
        universe = plan.universe(at.frame, chain[0])
        fixed = plan.declared(chain[0]).fixed and chain[0] != plan.chain(at.frame.scope.collection)[0]
        rows = np.where(universe > 0, self._preferred(at.uniform(), universe, near=not fixed), -1)
        if len(chain) == 1:
            there = np.flatnonzero(rows >= 0)
            frame, inverse = plan.some(chain[0], rows[there].astype(np.uint64))
            index = np.full(len(at), -1)
            index[there] = inverse
            return frame, index
        frame, index = plan.some(chain[0], np.maximum(rows, 0).astype(np.uint64))
        frame, index = self._below(at, frame, index, chain)
        for attempt in range(_ATTEMPTS):
            lost = np.flatnonzero(index < 0)
            if not len(lost):
                break
            again = at.part(lost)
            near = not fixed and attempt < _ATTEMPTS // 2
            rows_again = self._preferred(again.uniform(f"again {attempt}"), universe[lost], near=near)
            more, where = plan.some(chain[0], rows_again.astype(np.uint64))
            more, where = self._below(Place(again.frame, f"{at.path}/{attempt}"), more, where, chain)
            rows = np.concatenate([frame.rows, more.rows])
            frame, position = plan.some(self.collection, rows)
            position = np.append(position, -1)
            index = position[index]
            index[lost] = np.where(where < 0, -1, position[len(rows) - len(more.rows) + where])
        return frame, index

    def _preferred(
        self, u: NDArray[np.float64], universe: NDArray[np.int64], *, near: bool
    ) -> NDArray[np.int64]:
        if self.prefer == "zipf":
            return bounded_zipf(u, universe, self.strength) - 1
        if self.prefer == "recent":
            # Exponential, with a mean of a twentieth of the universe.
            back = -randomness.log(u) * 0.05
            return universe - 1 - np.minimum((back * universe).astype(np.int64), universe - 1)
        if not near:
            return randomness.whole(u, universe)
        first = np.where(universe >= 2 / _NEAR, (universe * (1 - _NEAR)).astype(np.int64), universe // 2)
        return first + randomness.whole(u, universe - first)


def bounded_zipf(u: NDArray[np.float64], most: int | NDArray[np.int64], exponent: float) -> NDArray[np.int64]:
    """Return a rank from 1 to `most` for each uniform number, with probability about rank^-exponent.

    Devroye, "Non-Uniform Random Variate Generation" (1986), X.6: the continuous law between the ranks'
    edges, inverted; the share of each rank is the law's integral over it.
    """
    edge = np.asarray(most, np.float64) + 0.5
    lowest = 0.5
    if abs(exponent - 1) < 1e-9:  # noqa: PLR2004 - the law's logarithmic case
        top = randomness.log(np.atleast_1d(edge / lowest))
        value = lowest * randomness.exp(u * top)
    else:
        a = 1 - exponent
        low = randomness.power(np.array([lowest]), a)
        high = randomness.power(np.atleast_1d(edge), a)
        value = randomness.power(low + u * (high - low), 1 / a)
    return np.clip(np.rint(value), 1, most).astype(np.int64)


@dataclass(frozen=True)
class Refs(Draw):
    """Many references to another collection, each to a different document."""

    collection: str
    size: Any
    "How many: a number or a draw."
    prefer: Preference = "uniform"
    strength: float = 1.1

    def column(self, at: Place) -> Column:
        """Return an array of references for each row."""
        drawn = items_at(at, Ref(self.collection, self.prefer, self.strength), self.size)
        frame, index = drawn.frame.relation("", drawn.item)
        owners = np.repeat(np.arange(len(at)), drawn.sizes)
        _, first = np.unique(np.stack([owners, index]), axis=1, return_index=True)
        kept = np.sort(first[index[first] >= 0])
        column = frame.column(at.reference_field).take(index[kept])
        return Arrays(column, np.bincount(owners[kept], minlength=len(at)))


@dataclass(frozen=True)
class Items:
    """The items of an array in some rows."""

    frame: Frame
    sizes: NDArray[np.int64]
    item: Any


def items_at(at: Place, item: Any, size: Any) -> Items:
    """Return the frame of an array's items: as many as `size` draws, each with random numbers of its own."""
    scope = at.frame.scope
    path, _, branch = at.path.partition("/")
    sizes = np.maximum(np.rint(at.draw(size, "size").numbers()), 0).astype(np.int64)
    owners = np.repeat(np.arange(len(at)), sizes)
    ordinals = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = at.frame.rows[owners] * np.uint64(1 << 16) + ordinals.astype(np.uint64)
    fields = item if isinstance(item, Mapping) else {"": item}
    inner = Scope(scope.plan, scope.collection, f"{scope.prefix}{path}.", fields, scope.branch + branch)
    return Items(Frame(inner, rows, (at.frame, owners), ordinals), sizes, item)


@dataclass(frozen=True)
class Array(Draw):
    """An array: how its items are drawn, and how many there are.

    `item` is a draw, or a mapping for embedded documents; inside, names mean the item's own fields first
    and the document's then, and `Position()` is the item's number.

    >>> Array({"sku": Ref("products"), "quantity": Poisson(1.5, low=1)}, size=Poisson(3, low=1, high=20))
    """

    item: Any
    size: Any

    def distribution(self, now: int) -> Law:
        """Return how many items there are, and how each is distributed.

        Nothing is said where items may be absent: arrays are then shorter than drawn.
        """
        size, item = law_of(self.size, now), law_of(self.item, now)
        if isinstance(size, distributions.Numbers):
            size = size.rounded(0)
            size = size and replace(size, low=max(0, size.low or 0))
        return None if isinstance(item, Sometimes) else distributions.Items(size, item)

    def column(self, at: Place) -> Column:
        """Return an array for each row."""
        drawn = items_at(at, self.item, self.size)
        frame = drawn.frame
        items = frame.document() if isinstance(self.item, Mapping) else frame.column("")
        there = stored(items)
        if there.all():
            return Arrays(items, drawn.sizes)
        owners = np.repeat(np.arange(len(at)), drawn.sizes)
        return Arrays(items.take(np.flatnonzero(there)), np.bincount(owners[there], minlength=len(at)))


@dataclass(frozen=True)
class Position(Draw):
    """The number of an item in its array, or of a row under its parent."""

    start: int = 1

    def column(self, at: Place) -> Column:
        """Return the numbers."""
        return Integers(at.frame.ordinal() + self.start)


@dataclass(frozen=True)
class Get(Draw):
    """The value of another field: of this document, or through a reference (`customer_id.name`)."""

    path: str

    def column(self, at: Place) -> Column:
        """Return that field's values."""
        return at.get(self.path)


@dataclass(frozen=True)
class Total(Draw):
    """What the schema's `Computed` says: a number computed from the rows below, or from an array here."""

    how: str
    of: str
    where: Mapping[str, Any]
    by: str = ""

    def column(self, at: Place) -> Column:
        """Return the total of each row."""
        read, owners = self._rows_below(at)
        collection, _, path = self.of.partition(".")
        owners = owners.copy()
        for name, wanted in self.where.items():
            owners[~equals(read(name), wanted)] = -1
        if self.how == "count":
            return Integers(np.bincount(owners[owners >= 0], minlength=len(at)))
        if self.how in {"latest", "earliest"}:
            return _at_one_end(
                read(path),
                read(self.by.removeprefix(f"{collection}.")),
                owners,
                len(at),
                latest=self.how == "latest",
            )
        return grouped(self.how, read(path), owners, len(at))

    def _rows_below(self, at: Place) -> tuple[Callable[[str], Column], Index]:
        """Return how to read a field of the rows that count, and whose each of them is."""
        name = self.of.partition(".")[0]
        if isinstance(at.frame.scope.fields.get(name), Array | Refs):
            arrays = at.get(name)
            if not isinstance(arrays, Arrays):
                raise DeclarationError(f"{at.where} is computed from {name!r}, which is no array")
            items = arrays.items
            return (
                lambda path: items.field(path) if path else items,
                np.repeat(np.arange(len(at)), arrays.sizes),
            )
        frame, owners = at.frame, np.arange(len(at))
        chain = at.plan.chain(name)
        for collection in chain[chain.index(frame.scope.collection) + 1 :]:
            frame = frame.children(collection)
            owners = owners[frame.parents()[1]]
        return frame.column, owners


def equals(column: Column, wanted: Any) -> Mask:
    """Return where a column has a value; of several, any of them."""
    allowed = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    if isinstance(column, Picked):
        return np.array([value in allowed for value in column.pool.values], np.bool_)[column.codes]
    return np.array([value in allowed for value in column.python()], np.bool_)


UNITS = 10.0**6
"Numbers with a fraction are added as whole millionths, so that a sum has no order."


def grouped(how: str, column: Column, owners: Index, groups: int) -> Column:
    """Return the sum, min or max of the values of each group; an owner of -1 is of none.

    The least or largest of nothing is null, its sum 0.
    """
    numbers, there = column.known()
    counted = np.flatnonzero(there & (owners >= 0))
    numbers, owners = numbers[counted], owners[counted]
    if how == "sum":
        total = np.zeros(groups, np.int64)
        if isinstance(column, Decimals):
            np.add.at(total, owners, column.units[counted])
            return Decimals(total, column.places)
        if numbers.dtype.kind != "f":
            np.add.at(total, owners, numbers.astype(np.int64))
            return Integers(total)
        np.add.at(total, owners, np.rint(numbers * UNITS).astype(np.int64))
        return Numbers(total / UNITS)
    order = np.lexsort((numbers, owners))
    return _ends(column, counted[order], owners[order], groups, last=how == "max")


def _at_one_end(column: Column, by: Column, owners: Index, groups: int, *, latest: bool) -> Column:
    moments, there = by.known()
    counted = np.flatnonzero(there & (owners >= 0))
    order = counted[np.lexsort((moments[counted], owners[counted]))]
    return _ends(column, order, owners[order], groups, last=latest)


def _ends(column: Column, order: Index, owners: Index, groups: int, *, last: bool) -> Column:
    """Return the first or last value of each group in this order; null for a group of none."""
    side: Literal["left", "right"] = "right" if last else "left"
    found = np.searchsorted(owners, np.arange(groups), side) - (1 if last else 0)
    sizes = np.bincount(owners, minlength=groups)
    index = np.full(groups, -1)
    index[sizes > 0] = order[found[sizes > 0]]
    return linked(column, index)


@dataclass(frozen=True)
class NoEarlier(Draw):
    """A moment as it is drawn, or the latest of some others if that is later."""

    drawn: Any
    paths: tuple[str, ...]

    def column(self, at: Place) -> Column:
        """Return the moments."""
        column = at.draw(self.drawn)
        values, there = column.known()
        for path in self.paths:
            others, known = at.get(path).known()
            values = np.where(known, np.maximum(values, others), values)
        values = values.astype(np.int64)
        if there.all():
            return Moments(values)
        absent = np.zeros(len(at), np.bool_) if not isinstance(column, Parted) else column.codes < 0
        codes = np.where(there, 0, np.where(absent, -1, 1))
        return Parted(codes, np.where(there, np.arange(len(at)), 0), [Moments(values), Constant(None, 1)])
