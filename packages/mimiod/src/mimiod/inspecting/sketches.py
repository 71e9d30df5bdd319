"""Counts of any number of values in bounded memory; two of a kind can be put together.

A `KeySketch` keeps the values with the smallest hashes (Bar-Yossef et al., "Counting distinct elements in a
data stream", 2002). A value that is in it at the end was in it from its first occurrence on, so how often it
occurs is exact; and two fields keep the same values, as far as they have them, so they can be compared.
"""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from heapq import heappush, heappushpop
from itertools import repeat
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidId
from bson.tz_util import utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from random import Random

MOST_KEYS = 1024
"Values of one field that are kept: as many different ones are counted exactly, more within some 3 %."
FEWER_KEYS = 128
"The same of a collection with very many fields."
_HASHES = 2**64
_HEX_DIGITS = 24
_LENGTH_OF_UUID = 36
_LONGEST_KEPT = 100
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as moments in UTC are without their zone
_MILLISECOND = timedelta(milliseconds=1)


class KeySketch:
    """The values with the smallest hashes, and how often each occurs."""

    __slots__ = ("_heap", "counts", "limit", "size", "values")

    def __init__(self, size: int = MOST_KEYS) -> None:
        self.size = size
        self.counts: dict[int, int] = {}
        self.values: dict[int, Any] = {}
        "Those of at most a hundred characters."
        self.limit = _HASHES
        "Only smaller hashes are kept."
        self._heap: list[int] = []

    @property
    def full(self) -> bool:
        """Whether there are more values than are kept."""
        return self.limit < _HASHES

    @property
    def distinct(self) -> int:
        """How many different values there are: exact unless `full`."""
        return round((len(self.counts) - 1) * _HASHES / self.limit) if self.full else len(self.counts)

    @property
    def repeated(self) -> float:
        """The share of the different values that occur more than once."""
        return sum(count > 1 for count in self.counts.values()) / max(1, len(self.counts))

    def add(self, value: Any, times: int = 1) -> None:
        """Count a value."""
        self.add_hash(hash_of(value), value, times)

    def add_all(self, values: Iterable[Any], hashes: Iterable[int], times: Iterable[int] = repeat(1)) -> None:
        """Count values whose hashes are known."""
        counts = self.counts
        for value, hashed, number in zip(values, hashes, times, strict=False):
            if hashed in counts:
                counts[hashed] += number
            elif hashed < self.limit:
                self.add_hash(hashed, value, number)

    def add_hash(self, hashed: int, value: Any, times: int = 1) -> None:
        """Count a value whose hash is known."""
        if hashed in self.counts:
            self.counts[hashed] += times
            return
        if hashed >= self.limit:
            return
        if len(self.counts) < self.size:
            heappush(self._heap, -hashed)
        else:
            gone = -heappushpop(self._heap, -hashed)
            self.limit = min(self.limit, gone)
            if gone == hashed:
                return
            del self.counts[gone]
            self.values.pop(gone, None)
        self.counts[hashed] = times
        if not isinstance(value, str | bytes) or len(value) <= _LONGEST_KEPT:
            self.values[hashed] = value

    def merge(self, other: KeySketch) -> None:
        """Take in what another counted."""
        self._shrink(other.limit)
        for hashed, count in other.counts.items():
            self.add_hash(hashed, other.values.get(hashed, ""), count)

    def _shrink(self, limit: int) -> None:
        if limit >= self.limit:
            return
        self.limit = limit
        for hashed in [hashed for hashed in self.counts if hashed >= limit]:
            del self.counts[hashed]
            self.values.pop(hashed, None)
        self._heap = sorted(-hashed for hashed in self.counts)

    def shared_with(self, other: KeySketch) -> tuple[int, int]:
        """Return how many values of this one can be looked for in the other, and how many are there."""
        limit = min(self.limit, other.limit)
        known = [hashed for hashed in self.counts if hashed < limit]
        return len(known), sum(hashed in other.counts for hashed in known)


class Sample:
    """An unbiased sample of the values that were added: those that drew the smallest numbers.

    What is passed over is not drawn for: how many values that is, is drawn at once (Li, "Reservoir-sampling
    algorithms of time complexity O(n(1 + log(N/n)))", 1994).
    """

    __slots__ = ("_drawn", "_limit", "_passed", "count", "draws", "size")

    def __init__(self, draws: Random, size: int = 512) -> None:
        self.draws = draws
        self.size = size
        self.count = 0
        self._limit = 1.0
        self._passed = 0
        "Values to come that are passed over."
        self._drawn: list[tuple[float, Any]] = []

    def wanted(self) -> float | None:
        """Count a value, and return the number to `keep` it with, or None if it is not drawn."""
        self.count += 1
        if self._passed:
            self._passed -= 1
            return None
        drawn = self.draws.random() * self._limit
        self._passed = self._to_pass()
        return drawn

    def places(self, count: int) -> Iterator[tuple[int, float]]:
        """Count so many values; yield the places of those to `keep`, each with its number."""
        self.count += count
        at = self._passed
        while at < count:
            yield at, self.draws.random() * self._limit
            at += 1 + self._to_pass()
        self._passed = at - count

    def _to_pass(self) -> int:
        if self._limit >= 1:
            return 0
        return int(math.log(1 - self.draws.random()) / math.log1p(-self._limit))

    def add_all(self, values: Sequence[Any]) -> None:
        """Take in values, of which those that are drawn are kept."""
        for place, drawn in self.places(len(values)):
            self.keep(drawn, values[place])

    def keep(self, drawn: float, value: Any) -> None:
        """Keep a value that is wanted."""
        self._drawn.append((drawn, value))
        if len(self._drawn) >= 2 * self.size:
            self._trim()

    def merge(self, other: Sample) -> None:
        """Take in what another drew."""
        self.count += other.count
        if other._limit < self._limit:
            self._limit = other._limit
            self._drawn = [pair for pair in self._drawn if pair[0] < self._limit]
        self._drawn += [pair for pair in other._drawn if pair[0] < self._limit]
        if len(self._drawn) >= 2 * self.size:
            self._trim()

    def _trim(self) -> None:
        if len(self._drawn) > self.size:
            self._drawn.sort(key=lambda pair: pair[0])
            self._limit = self._drawn[self.size][0]
            del self._drawn[self.size :]
            self._passed = self._to_pass()

    def __iter__(self) -> Iterator[Any]:
        self._trim()
        return (value for _, value in self._drawn)


class Span:
    """The bounds of numbers, and a sample of them."""

    __slots__ = ("high", "low", "sample", "total")

    def __init__(self, draws: Random) -> None:
        self.low: float = math.inf
        self.high: float = -math.inf
        self.total: float = 0
        self.sample = Sample(draws)

    @property
    def mean(self) -> float:
        """The mean of what was added, 0 of nothing."""
        return self.total / self.sample.count if self.sample.count else 0.0

    def add_all(self, values: Sequence[float]) -> None:
        """Take in finite numbers, of which there is one at least."""
        low, high = min(values), max(values)
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.total += sum(values)
        self.sample.add_all(values)

    def merge(self, other: Span) -> None:
        """Take in what another did."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.total += other.total
        self.sample.merge(other.sample)

    def quantiles(self, parts: int = 20) -> list[float]:
        """Return the bounds and what lies evenly between them, of the sample."""
        drawn = sorted(self.sample)
        if not drawn:
            return []
        inner = [drawn[round(part * (len(drawn) - 1) / parts)] for part in range(1, parts)]
        return [self.low, *inner, self.high]


def hash_of(value: Any) -> int:
    """Return 64 bits by which equal values are known: as MongoDB compares, and an id's text like the id."""
    return hashes_of([value])[0]


def hashes_of(values: Sequence[Any]) -> list[int]:
    """Return the `hash_of` each of some values, one or more, which are all of one type."""
    return _hashed(map(_BYTES_OF.get(type(values[0]), _bytes_of_any), values))


def hashes_of_moments(moments: Iterable[int]) -> list[int]:
    """Return the `hash_of` each of some moments, given as milliseconds since 1970."""
    return _hashed(b"d%d" % moment for moment in moments)


def _hashed(texts: Iterable[bytes]) -> list[int]:
    return [int.from_bytes(blake2b(text, digest_size=8).digest()) for text in texts]


def _bytes_of_text(value: str) -> bytes:
    if len(value) == _HEX_DIGITS and (identifier := object_id_of(value)) is not None:
        return b"o" + identifier.binary
    if len(value) == _LENGTH_OF_UUID and (identified := uuid_of(value)) is not None:
        return b"u" + identified.bytes
    return b"s" + value.encode("utf-8", "surrogatepass")


def _bytes_of_float(value: float) -> bytes:
    return b"i%d" % int(value) if value.is_integer() else b"f" + repr(value).encode()


def _bytes_of_any(value: Any) -> bytes:
    return b"x" + (value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass"))


_BYTES_OF: dict[type, Callable[[Any], bytes]] = {
    str: _bytes_of_text,
    ObjectId: lambda value: b"o" + value.binary,
    int: lambda value: b"i%d" % value,
    Int64: lambda value: b"i%d" % value,
    DatetimeMS: lambda value: b"d%d" % int(value),
    float: _bytes_of_float,
    bool: lambda value: b"b%d" % value,
    datetime: lambda value: b"d%d" % milliseconds(value),
    UUID: lambda value: b"u" + value.bytes,
    Decimal128: lambda value: b"m" + str(value).encode(),
}


def object_id_of(text: str) -> ObjectId | None:
    """Return the ObjectId whose 24 lower-case digits a text is."""
    if len(text) == _HEX_DIGITS and text.isascii() and text.isalnum() and text == text.lower():
        with contextlib.suppress(InvalidId):
            return ObjectId(text)
    return None


def uuid_of(text: str) -> UUID | None:
    """Return the UUID whose canonical text, in small letters, a text is."""
    if len(text) == _LENGTH_OF_UUID and text[8] == text[13] == text[18] == text[23] == "-":
        with contextlib.suppress(ValueError):
            found = UUID(text)
            return found if str(found) == text else None
    return None


def milliseconds(value: datetime) -> int:
    """Return a moment as milliseconds since 1970; one without a zone is taken for UTC."""
    if value.tzinfo is None or value.tzinfo is utc or value.tzinfo is UTC:
        return (value.replace(tzinfo=None) - _EPOCH) // _MILLISECOND  # no call of Python for the zone
    return round(value.timestamp() * 1000)
