"""What a database takes: measured where the server tells, and forecast at the declared volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymongo.errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymongo.database import Database

    from mimiod.checking.workload import Measured
    from mimiod.reporting.distributions import CollectionData
    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition

ENTRY_BYTES = 8
"Of an index entry beside its key, about: where the document is, and the entry's own length."
ID_BYTES = 13
"Of an ObjectId in an index."
ENOUGH = 10_000
"Documents from which on a measured index says more of a large one than an estimate does."

_COUNT_WITHIN_MS = 20_000


@dataclass(frozen=True)
class Stored:
    """What the server says that a collection takes, in bytes; None where it does not say."""

    data: int | None = None
    on_disk: int | None = None
    "Compressed, without indexes."
    indexes: Mapping[str, int] = field(default_factory=dict)
    "By name; those of which the server says nothing are left out."


@dataclass(frozen=True)
class IndexForecast:
    """An index at the declared volume."""

    name: str
    bytes: int | None
    "None where it can neither be measured nor estimated, as that of a text index."
    is_measured: bool
    "Whether from what the server says; else estimated from the values of its fields."


@dataclass(frozen=True)
class Forecast:
    """A collection at the declared volume."""

    collection: str
    documents: int
    data: int
    indexes: tuple[IndexForecast, ...]
    hot: int
    "Bytes of the documents that the workload reads or writes in an hour, if each time others; at most all."

    @property
    def index_bytes(self) -> int:
        """What its indexes take, those that are not known left out."""
        return sum(each.bytes or 0 for each in self.indexes)

    @property
    def unknown(self) -> list[str]:
        """The indexes of which nothing is known."""
        return [each.name for each in self.indexes if each.bytes is None]


def stored(database: Database[dict[str, Any]], collection: str) -> Stored:
    """Return what the server says of a collection's size."""
    try:
        said = database.command("collStats", collection)
    except pymongo.errors.OperationFailure:
        return Stored()
    return Stored(
        said.get("size") or None,
        said.get("storageSize") or None,
        {name: size for name, size in said.get("indexSizes", {}).items() if size},
    )


def forecast(
    database: Database[dict[str, Any]],
    schema: BaseMongoDbSchema,
    data: Mapping[str, CollectionData],
    sizes: Mapping[str, Stored],
    workload: Sequence[Measured],
) -> list[Forecast]:
    """Return the collections that have a declared volume and documents to measure, at that volume."""
    found = []
    for collection in schema.collections.values():
        name = collection.collection_name
        volume, sample = schema.volumes.get(name), data[name]
        if volume is None or not sample.read:
            continue
        whole = round(volume * sample.average_size)
        indexes = [
            _id_index(volume, sample, sizes[name]),
            *(
                _index(database, collection, index, volume, sample, sizes[name])
                for index in collection.indexes
            ),
        ]
        touched = sum(60 * each.query.per_minute * _touched(each) for each in workload if _is_on(each, name))
        hot = min(whole, round(touched * sample.average_size))
        found.append(Forecast(name, volume, whole, tuple(indexes), hot))
    return found


def _is_on(measured: Measured, collection: str) -> bool:
    return measured.query.collection == collection


def _touched(measured: Measured) -> float:
    """Return how many documents a query looks at or writes, as far as it was measured."""
    looked = [each.documents for each in measured.evidence if each.documents is not None]
    return max(sum(looked) / len(looked) if looked else 0.0, measured.returned or 0.0, 1.0)


def _id_index(volume: int, sample: CollectionData, size: Stored) -> IndexForecast:
    return _measured("_id_", volume, sample, size) or IndexForecast(
        "_id_", volume * (ID_BYTES + ENTRY_BYTES), is_measured=False
    )


def _index(
    database: Database[dict[str, Any]],
    collection: BaseCollectionSchema,
    index: IndexDefinition,
    volume: int,
    sample: CollectionData,
    size: Stored,
) -> IndexForecast:
    measured = _measured(index.name, volume, sample, size)
    if measured is not None:
        return measured
    if any((isinstance(kind, str) and kind != "hashed") or "$**" in path for path, kind in index.key_pairs()):
        return IndexForecast(index.name, None, is_measured=False)
    each, entries = _entry(index, sample)
    share = _share(database[collection.collection_name], index, sample)
    return IndexForecast(index.name, round(volume * share * entries * each), is_measured=False)


def _measured(name: str, volume: int, sample: CollectionData, size: Stored) -> IndexForecast | None:
    if name not in size.indexes or sample.documents < ENOUGH:
        return None
    return IndexForecast(name, round(volume * size.indexes[name] / sample.documents), is_measured=True)


def _entry(index: IndexDefinition, sample: CollectionData) -> tuple[float, float]:
    """Return the bytes of an index's entry, and how many entries a document has."""
    each, entries = float(ENTRY_BYTES), 1.0
    for path, kind in index.key_pairs():
        data = sample.paths.get(path)
        if data is None or not data.values:
            each += ID_BYTES if path == "_id" else 1
            continue
        each += 9 if kind == "hashed" else data.key_bytes / data.values
        entries = max(entries, data.values / sample.read)
    return each, entries


def _share(collection: Any, index: IndexDefinition, sample: CollectionData) -> float:
    """Return the share of the documents that an index holds."""
    if index.partial_filter is not None:
        try:
            held = collection.count_documents(index.partial_filter, maxTimeMS=_COUNT_WITHIN_MS)
        except pymongo.errors.PyMongoError:
            return 1.0
        return float(held / sample.documents)
    if index.sparse:
        present = [sample.paths[path].present for path in index.keys if path in sample.paths]
        return max(present, default=0) / sample.read
    return 1.0
