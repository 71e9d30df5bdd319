"""Columns of columns: embedded documents, arrays, and columns put together from differing rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final

import bson
import numpy as np

from mimiod.seeding.streams import CODEC, Varying, assemble, document_stream
from mimiod.seeding.values import Column, Constant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mimiod.seeding.streams import Stream
    from mimiod.seeding.values import Index, Mask

_WORTH_A_COLUMN: Final = 16
"Rows from which on a position of arrays is faster encoded as a column than item by item."


def stored(column: Column) -> Mask:
    """Return where there is a value, be it null; not where the field is absent."""
    if not isinstance(column, Parted):
        return np.ones(len(column), np.bool_)
    found = np.zeros(len(column), np.bool_)
    for code, part in enumerate(column.parts):
        own = np.flatnonzero(column.codes == code)
        found[own] = stored(part)[column.places[own]]
    return found


@dataclass(frozen=True, eq=False)
class Documents(Column):
    """Embedded documents, a column for each field."""

    fields: Mapping[str, Column]
    rows: int
    unstored: frozenset[str] = frozenset()
    "Fields that other columns may ask for, and that are no part of the documents."

    def __len__(self) -> int:
        return self.rows

    def take(self, index: Index) -> Column:
        fields = {name: column.take(index) for name, column in self.fields.items()}
        return Documents(fields, len(index), self.unstored)

    def python(self) -> list[Any]:
        return [bson.decode(raw, CODEC) for raw in self.encode()]

    def encode(self) -> list[bytes]:
        """Return the documents as BSON."""
        return assemble(document_stream(self._elements()), self.rows)

    def stream(self, name: bytes) -> Stream:
        return [b"\x03" + name + b"\0", *document_stream(self._elements())]

    def field(self, name: str) -> Column:
        return self.fields[name]

    def _elements(self) -> Stream:
        return [
            piece
            for name, column in self.fields.items()
            if name not in self.unstored
            for piece in column.stream(name.encode())
        ]


@dataclass(frozen=True, eq=False)
class Arrays(Column):
    """Arrays: the items of all rows one after the other, and how many each row has."""

    items: Column
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where the items of each row begin, and at the end how many there are."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    def take(self, index: Index) -> Arrays:
        sizes = self.sizes[index]
        return Arrays(self.items.take(spread(self.starts[:-1][index], sizes)), sizes)

    def python(self) -> list[Any]:
        items, starts = self.items.python(), self.starts.tolist()
        return [items[start:end] for start, end in pairwise(starts)]

    def stream(self, name: bytes) -> Stream:
        header = b"\x04" + name + b"\0"
        sizes = np.unique(self.sizes).tolist()
        if len(sizes) == 1:
            return [header, *self.of_size(sizes[0])]
        if sum(sizes) * _WORTH_A_COLUMN > len(self):
            return [header, *document_stream([Varying.of(self._one_by_one())])]
        encoded = np.empty(len(self), object)
        for size in sizes:
            own = np.flatnonzero(self.sizes == size)
            arrays = self.take(own)
            encoded[own] = assemble(arrays.of_size(size), len(own))
        return [header, Varying.of(encoded.tolist())]

    def of_size(self, size: int) -> Stream:
        """Return the arrays, all of which have so many items: a column for each position."""
        every = np.arange(len(self)) * size
        items = (self.items.take(every + at).stream(str(at).encode()) for at in range(size))
        return document_stream([piece for item in items for piece in item])

    def _one_by_one(self) -> list[bytes]:
        items = assemble(self.items.stream(b""), len(self.items))
        keys = [str(position).encode() for position in range(int(self.sizes.max(initial=0)))]
        positions = (np.arange(len(items)) - np.repeat(self.starts[:-1], self.sizes)).tolist()
        named = [item[:1] + keys[at] + item[1:] for at, item in zip(positions, items, strict=True)]
        return [b"".join(named[start:end]) for start, end in pairwise(self.starts.tolist())]

    def field(self, name: str) -> Column:
        return Arrays(self.items.field(name), self.sizes)


def spread(starts: NDArray[Any], sizes: NDArray[Any]) -> NDArray[np.int64]:
    """Return start, start + 1, … for each start, as many as its size."""
    ends = np.cumsum(sizes)
    offsets = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    repeated: NDArray[np.int64] = np.repeat(starts, sizes).astype(np.int64) + offsets
    return repeated


@dataclass(frozen=True, eq=False)
class Parted(Column):
    """Columns for differing rows put together; a row of none of them has no such field.

    `codes` says for each row which part it is of (-1: none), `places` which value of that part.
    """

    codes: Index
    places: Index
    parts: Sequence[Column]

    @classmethod
    def of(cls, codes: Index, parts: Sequence[Column]) -> Parted:
        """Return parts that hold just their own rows' values, in the order of the rows."""
        places = np.zeros(len(codes), np.intp)
        for code in range(len(parts)):
            own = np.flatnonzero(codes == code)
            places[own] = np.arange(len(own))
        return cls(codes, places, parts)

    @classmethod
    def absent(cls, column: Column, missing: Mask) -> Parted:
        """Return the column without the field in some rows."""
        return cls(np.where(missing, -1, 0), np.arange(len(missing)), [column])

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, index: Index) -> Column:
        return Parted(self.codes[index], self.places[index], self.parts)

    def python(self) -> list[Any]:
        return self._gathered([part.python() for part in self.parts], None)

    def numbers(self) -> NDArray[Any]:
        values, present = self.known()
        if not present.all():
            raise TypeError("None is no number")
        return values

    def known(self) -> tuple[NDArray[Any], Mask]:
        parts = [part.known() for part in self.parts]
        values = np.zeros(len(self), np.result_type(np.int64, *(numbers for numbers, _ in parts)))
        present = np.zeros(len(self), np.bool_)
        for code, (numbers, there) in enumerate(parts):
            own = self.codes == code
            values[own] = numbers[self.places[own]]
            present[own] = there[self.places[own]]
        return values, present

    def stream(self, name: bytes) -> Stream:
        elements = [assemble(part.stream(name), len(part)) for part in self.parts]
        return [Varying.of(self._gathered(elements, b""))]

    def field(self, name: str) -> Column:
        return Parted(self.codes, self.places, [part.field(name) for part in self.parts])

    def present(self) -> Mask:
        found = np.zeros(len(self), np.bool_)
        for code, part in enumerate(self.parts):
            own = self.codes == code
            found[own] = part.present()[self.places[own]]
        return found

    def _gathered(self, parts: Sequence[list[Any]], nothing: Any) -> list[Any]:
        everything = [nothing, *chain.from_iterable(parts)]
        offsets = np.cumsum([0, 1, *map(len, parts)])
        where = np.where(self.codes < 0, 0, offsets[self.codes + 1] + self.places)
        return list(map(everything.__getitem__, where.tolist()))


def or_null(column: Column, there: Mask) -> Column:
    """Return a column with null wherever `there` is not."""
    if there.all():
        return column
    places = np.where(there, np.arange(len(there)), 0)
    return Parted(np.where(there, 0, 1), places, [column, Constant(None, 1)])
