"""What the data of a collection is like: sizes, types, arrays and how many values there are.

One pass over the documents with counters of bounded size, so that memory does not grow with them:
distinct values are counted exactly to a thousand and estimated from there on by the smallest hashes
(Bar-Yossef et al., "Counting distinct elements in a data stream", 2002), the most common value is found
by Misra and Gries's counters (1982), whose count is low by at most one part in 64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Any

import bson
from bson import Decimal128, Int64, ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pymongo.database import Database

    from mimiod.schema_types import BaseMongoDbSchema

MOST_PATHS = 500
"Paths of one collection that are counted; documents with free keys have no end of them."

_DISTINCT_EXACT = 1024
_COMMON_COUNTERS = 64
_HASHES = 2**64
_INT32 = 2**31
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"), (str, "string"), (Int64, "long"), (float, "double"), (ObjectId, "objectId"),
    (datetime, "date"), (dict, "object"), (list, "array"), (Decimal128, "decimal"), (bytes, "binData"),
)  # fmt: skip


@dataclass(frozen=True)
class PathFacts:
    """What stands at one path, through arrays."""

    present: int = 0
    "Documents that have a value there that is not null."
    types: Mapping[str, int] = field(default_factory=dict)
    "How many values there are of each BSON type."
    distinct: int | None = None
    "Different values: exact to a thousand, estimated above; None where it is not known."
    most_common: int = 0
    "At least so many times the most common value stands there."
    longest: int = 0
    "Elements of the longest array."
    largest: int = 0
    "Bytes of the longest text or binary value."


@dataclass(frozen=True)
class CollectionFacts:
    """What the documents of a collection are like."""

    documents: int = 0
    "In the collection, also if only a sample of them was read."
    average_size: float = 0
    "Bytes of BSON."
    largest_size: int = 0
    deepest: int = 0
    "Levels of the most deeply nested document, itself included."
    paths: Mapping[str, PathFacts] = field(default_factory=dict)


@dataclass(frozen=True)
class DataFacts:
    """What is known of a database's data."""

    collections: Mapping[str, CollectionFacts] = field(default_factory=dict)


def profile(
    database: Database[dict[str, Any]], schema: BaseMongoDbSchema, *, sample: int | None = None
) -> DataFacts:
    """Read the collections of a schema, or about `sample` documents of each, and count.

    Of a sample, distinct values and the most common one are those of the sample.
    """
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    found = {}
    for declared in schema.collections.values():
        collection = database.get_collection(declared.collection_name, options)
        documents = (
            collection.find(batch_size=10_000)
            if sample is None
            else collection.aggregate([{"$sample": {"size": sample}}])
        )
        read = profile_documents(document.raw for document in documents)  # type: ignore[attr-defined]
        count = read.documents if sample is None else collection.estimated_document_count()
        found[declared.collection_name] = CollectionFacts(
            count, read.average_size, read.largest_size, read.deepest, read.paths
        )
    return DataFacts(found)


def profile_documents(documents: Iterable[bytes]) -> CollectionFacts:
    """Return what BSON documents are like, each read once."""
    counted: dict[str, _PathCounter] = {}
    count = total = largest = deepest = 0
    for raw in documents:
        count += 1
        total += len(raw)
        largest = max(largest, len(raw))
        seen: set[str] = set()
        for path, value, depth in values_in(bson.decode(raw), "", 1):
            deepest = max(deepest, depth)
            if path not in counted and len(counted) < MOST_PATHS:
                counted[path] = _PathCounter()
            if path in counted:
                counted[path].add(value, first=path not in seen)
                seen.add(path)
    paths = {path: counter.facts() for path, counter in counted.items()}
    return CollectionFacts(count, total / count if count else 0, largest, deepest, paths)


def values_in(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any, int]]:
    """Yield what stands in a document: path, value and the level of what holds it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            below = f"{path}.{name}" if path else name
            yield below, inner, depth
            yield from values_in(inner, below, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            if not isinstance(inner, dict):
                yield path, inner, depth
            yield from values_in(inner, path, depth)


def type_name(value: Any) -> str:
    """Return the BSON type of a decoded value, as `$type` names it."""
    if value is None:
        return "null"
    if type(value) is int:
        return "int" if -_INT32 <= value < _INT32 else "long"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), type(value).__name__.lower())


class _PathCounter:
    """The counters of one path."""

    def __init__(self) -> None:
        self.present = self.longest = self.largest = 0
        self.types: dict[str, int] = {}
        self.smallest: list[int] = []
        "Hashes, negated: a heap whose top is the largest of the smallest."
        self.kept: set[int] = set()
        self.common: dict[int, int] = {}

    def add(self, value: Any, *, first: bool) -> None:
        kind = type_name(value)
        if kind == "null":
            return
        self.present += first
        if isinstance(value, list):
            self.longest = max(self.longest, len(value))
        self.types[kind] = self.types.get(kind, 0) + 1
        if isinstance(value, dict | list):
            return
        if isinstance(value, str | bytes):
            self.largest = max(self.largest, len(value.encode() if isinstance(value, str) else value))
        digest = blake2b(repr(value).encode(), digest_size=8).digest()
        self._distinct(hashed := int.from_bytes(digest))
        self._common(hashed)

    def _distinct(self, hashed: int) -> None:
        if hashed in self.kept:
            return
        if len(self.kept) < _DISTINCT_EXACT:
            heappush(self.smallest, -hashed)
            self.kept.add(hashed)
        elif hashed < -self.smallest[0]:
            self.kept.discard(-heappushpop(self.smallest, -hashed))
            self.kept.add(hashed)

    def _common(self, hashed: int) -> None:
        if hashed in self.common or len(self.common) < _COMMON_COUNTERS:
            self.common[hashed] = self.common.get(hashed, 0) + 1
        else:
            self.common = {key: count - 1 for key, count in self.common.items() if count > 1}

    def facts(self) -> PathFacts:
        distinct = len(self.kept)
        if distinct == _DISTINCT_EXACT:
            distinct = round((_DISTINCT_EXACT - 1) * _HASHES / -self.smallest[0])
        return PathFacts(
            present=self.present,
            types=self.types,
            distinct=distinct or None,
            most_common=max(self.common.values(), default=0),
            longest=self.longest,
            largest=self.largest,
        )
