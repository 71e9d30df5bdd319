"""Columns: the values of one field for many rows, and how they become BSON without being Python objects.

A column encodes itself as a *stream*: pieces that stand side by side in every row. A piece is a constant, a
matrix of bytes (as many in each row) or a list with the bytes of each row. `assemble` joins them.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import bson
import numpy as np
from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from mimiod.seeding.streams import CODEC, Varying, assemble, encode_element, matrix, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mimiod.seeding.streams import Stream

    Bytes = NDArray[np.uint8]
    Index = NDArray[np.intp]
    Mask = NDArray[np.bool_]

INT32: Final = 2**31


class Column(ABC):
    """The values of one field, one for each of some rows."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, index: Index) -> Column:
        """Return the values at these positions."""

    @abstractmethod
    def python(self) -> list[Any]:
        """Return the values as Python has them; datetimes are aware, in UTC."""

    @abstractmethod
    def stream(self, name: bytes) -> Stream:
        """Return BSON elements of this name (without its closing NUL)."""

    def numbers(self) -> NDArray[Any]:
        """Return the values to be computed with; moments as milliseconds since 1970.

        Raises:
            TypeError: they are no numbers.
        """
        return _numbers_of(self.python())

    def known(self) -> tuple[NDArray[Any], Mask]:
        """Return the numbers, 0 where there is none, and where there is one.

        Raises:
            TypeError: they are no numbers.
        """
        return self.numbers(), np.ones(len(self), np.bool_)

    def field(self, name: str) -> Column:
        """Return a field of the documents in this column.

        Raises:
            KeyError: they have none of this name.
        """
        raise KeyError(name)

    def present(self) -> Mask:
        """Return where there is a value, neither absent nor null."""
        return np.ones(len(self), np.bool_)


def _numbers_of(values: Sequence[Any]) -> NDArray[Any]:
    if all(isinstance(value, datetime) for value in values):
        return np.array([int(DatetimeMS(value)) for value in values], np.int64)
    if all(isinstance(value, bool | int | float) for value in values):
        return np.array(values)
    other = next(value for value in values if not isinstance(value, bool | int | float))
    raise TypeError(f"{other!r} is no number")


@dataclass(frozen=True, eq=False)
class _Array(Column):
    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Index) -> Column:
        return type(self)(self.values[index])

    def python(self) -> list[Any]:
        listed: list[Any] = self.values.tolist()
        return listed

    def numbers(self) -> NDArray[Any]:
        return self.values


class Integers(_Array):
    """Whole numbers; each takes four bytes where it fits, eight where not, as drivers do it."""

    def stream(self, name: bytes) -> Stream:
        short = (self.values >= -INT32) & (self.values < INT32)
        if short.all():
            return [b"\x10" + name + b"\0", matrix(self.values.astype("<i4"))]
        if not short.any():
            return [b"\x12" + name + b"\0", matrix(self.values.astype("<i8"))]
        return [Varying.of([bson.encode({name.decode(): value})[4:-1] for value in self.values.tolist()])]


class Numbers(_Array):
    """Floating-point numbers."""

    def stream(self, name: bytes) -> Stream:
        return [b"\x01" + name + b"\0", matrix(self.values.astype("<f8"))]


class Booleans(_Array):
    """True or false."""

    def stream(self, name: bytes) -> Stream:
        return [b"\x08" + name + b"\0", matrix(self.values.astype(np.uint8))]


class Moments(_Array):
    """Moments in UTC, as milliseconds since 1970."""

    def stream(self, name: bytes) -> Stream:
        return [b"\x09" + name + b"\0", matrix(self.values.astype("<i8"))]

    def python(self) -> list[datetime]:
        return [DatetimeMS(value).as_datetime(CODEC) for value in self.values.tolist()]


@dataclass(frozen=True, eq=False)
class Decimals(Column):
    """Decimal numbers, as whole units of 10^-`places`; Decimal128 in BSON."""

    units: NDArray[np.int64]
    places: int

    def __len__(self) -> int:
        return len(self.units)

    def take(self, index: Index) -> Column:
        return Decimals(self.units[index], self.places)

    def python(self) -> list[Any]:
        return [bson.Decimal128.from_bid(raw) for raw in assemble([self._coded()], len(self))]

    def numbers(self) -> NDArray[Any]:
        return self.units / 10.0**self.places

    def stream(self, name: bytes) -> Stream:
        return [b"\x13" + name + b"\0", self._coded()]

    def _coded(self) -> Bytes:
        # IEEE 754-2008, binary integer significand: sign, exponent + 6176 in 14 bits, 113 bits of digits.
        coded = np.empty((len(self.units), 2), "<u8")
        coded[:, 0] = np.abs(self.units)
        coded[:, 1] = np.uint64((6176 - self.places) << 49)
        coded[:, 1] |= (self.units < 0).astype(np.uint64) << np.uint64(63)
        return matrix(coded)


@dataclass(frozen=True, eq=False)
class Identifiers(Column):
    """ObjectIds that are computed from row numbers: seven bytes in common, and five of the number."""

    rows: NDArray[np.uint64]
    owner: bytes

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Index) -> Column:
        return Identifiers(self.rows[index], self.owner)

    def python(self) -> list[Any]:
        return [ObjectId(raw) for raw in assemble([self.owner, self._coded()], len(self))]

    def stream(self, name: bytes) -> Stream:
        return [b"\x07" + name + b"\0" + self.owner, self._coded()]

    def _coded(self) -> Bytes:
        return matrix(self.rows.astype(">u8"))[:, 3:]


@dataclass(eq=False)
class Pool:
    """Values that many rows draw from; each is encoded once."""

    values: Sequence[Any]
    _encoded: dict[bytes, tuple[NDArray[Any], NDArray[np.int64]]] = field(default_factory=dict, repr=False)
    _changed: dict[Callable[[str], str], Pool] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    def __getstate__(self) -> dict[str, Any]:
        return {"values": self.values, "_encoded": {}, "_changed": {}}

    @cached_property
    def objects(self) -> NDArray[Any]:
        """The values, to be taken by index."""
        return object_array(self.values)

    @cached_property
    def numbers(self) -> NDArray[Any]:
        """The values, to be computed with."""
        return _numbers_of(self.values)

    @cached_property
    def texts(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The values as UTF-8, and their lengths."""
        texts = [str(value).encode() for value in self.values]
        return object_array(texts), np.fromiter(map(len, texts), np.int64, len(texts))

    def changed(self, change: Callable[[str], str]) -> Pool:
        """Return the pool of these values, as texts, after a change."""
        if change not in self._changed:
            self._changed[change] = Pool([change(str(value)) for value in self.values])
        return self._changed[change]

    def encoded(self, name: bytes) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the BSON elements of this name and their lengths."""
        if name not in self._encoded:
            elements = [encode_element(name, value) for value in self.values]
            lengths = np.fromiter(map(len, elements), np.int64, len(elements))
            self._encoded[name] = object_array(elements), lengths
        return self._encoded[name]


def object_array(values: Sequence[Any]) -> NDArray[Any]:
    """Return an array of Python objects, one for each value, whatever it is."""
    array = np.empty(len(values), object)
    for position, value in enumerate(values):  # assigned at once, lists among them would become a dimension
        array[position] = value
    return array


@dataclass(frozen=True, eq=False)
class Picked(Column):
    """Values out of a pool."""

    codes: Index
    pool: Pool

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, index: Index) -> Column:
        return Picked(self.codes[index], self.pool)

    def python(self) -> list[Any]:
        listed: list[Any] = self.pool.objects[self.codes].tolist()
        return listed

    def numbers(self) -> NDArray[Any]:
        return self.pool.numbers[self.codes]

    def known(self) -> tuple[NDArray[Any], Mask]:
        return Objects(self.python()).known()

    def stream(self, name: bytes) -> Stream:
        elements, lengths = self.pool.encoded(name)
        return [Varying(elements[self.codes].tolist(), lengths[self.codes])]

    def present(self) -> Mask:
        return np.array([value is not None for value in self.pool.values])[self.codes]

    def field(self, name: str) -> Column:
        return Objects([value[name] for value in self.python()])


@dataclass(frozen=True, eq=False)
class Constant(Column):
    """The same value in every row."""

    value: Any
    rows: int

    def __len__(self) -> int:
        return self.rows

    def take(self, index: Index) -> Column:
        return Constant(self.value, len(index))

    def python(self) -> list[Any]:
        return [self.value] * self.rows

    def stream(self, name: bytes) -> Stream:
        return [encode_element(name, self.value)]

    def numbers(self) -> NDArray[Any]:
        return np.repeat(_numbers_of([self.value]), self.rows)

    def known(self) -> tuple[NDArray[Any], Mask]:
        if self.value is None:
            return np.zeros(self.rows, np.int64), np.zeros(self.rows, np.bool_)
        return super().known()

    def present(self) -> Mask:
        return np.full(self.rows, self.value is not None)

    def field(self, name: str) -> Column:
        return Constant(self.value[name], self.rows)


@dataclass(frozen=True, eq=False)
class Texts(Column):
    """Strings."""

    values: list[str]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Index) -> Column:
        values = self.values
        return Texts([values[position] for position in index.tolist()])

    def python(self) -> list[Any]:
        return self.values

    def stream(self, name: bytes) -> Stream:
        coded = [value.encode() for value in self.values]
        sizes = np.fromiter(map(len, coded), np.int64, len(coded))
        return [b"\x02" + name + b"\0", matrix((sizes + 1).astype("<i4")), Varying(coded, sizes), b"\0"]


@dataclass(frozen=True, eq=False)
class Composed(Column):
    """Strings put together from parts, without making each a Python string.

    A part is the same UTF-8 in every row, or a matrix of ASCII characters, or texts from a pool, or others.
    """

    parts: Sequence[bytes | Bytes | Column]
    rows: int

    def __len__(self) -> int:
        return self.rows

    def take(self, index: Index) -> Column:
        taken: list[bytes | Bytes | Column] = []
        for part in self.parts:
            if isinstance(part, bytes):
                taken.append(part)
            else:
                taken.append(part.take(index) if isinstance(part, Column) else part[index])
        return Composed(taken, len(index))

    def python(self) -> list[Any]:
        return [text.decode() for text in assemble(self.pieces(), self.rows)]

    def stream(self, name: bytes) -> Stream:
        pieces = self.pieces()
        fixed, varying = size_of(pieces)
        header = b"\x02" + name + b"\0"
        if varying is None:
            return [header + struct.pack("<i", fixed + 1), *pieces, b"\0"]
        return [header, matrix((varying + (fixed + 1)).astype("<i4")), *pieces, b"\0"]

    def pieces(self) -> Stream:
        pieces: Stream = []
        for part in self.parts:
            if isinstance(part, Picked):
                texts, lengths = part.pool.texts
                pieces.append(Varying(texts[part.codes].tolist(), lengths[part.codes]))
            elif isinstance(part, Composed):
                pieces += part.pieces()
            elif isinstance(part, Integers):
                pieces.append(Varying.of(list(map(b"%d".__mod__, part.values.tolist()))))
            elif isinstance(part, Column):
                pieces.append(Varying.of([str(value).encode() for value in part.python()]))
            else:
                pieces.append(part)
        return pieces


@dataclass(frozen=True, eq=False)
class Objects(Column):
    """Values of any type that BSON has; slower than the others."""

    values: list[Any]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Index) -> Column:
        values = self.values
        return Objects([values[position] for position in index.tolist()])

    def python(self) -> list[Any]:
        return self.values

    def stream(self, name: bytes) -> Stream:
        return [Varying.of([encode_element(name, value) for value in self.values])]

    def known(self) -> tuple[NDArray[Any], Mask]:
        present = self.present()
        numbers = _numbers_of([value for value in self.values if value is not None])
        values = np.zeros(len(self), numbers.dtype)
        values[present] = numbers
        return values, present

    def present(self) -> Mask:
        return np.array([value is not None for value in self.values], np.bool_)

    def field(self, name: str) -> Column:
        return Objects([None if value is None else value[name] for value in self.values])
