"""What stands in the fields of a collection: presence, types and the distribution of their values.

One pass over the documents, or over a sample, with counters of bounded size. Every value that is read is
counted in one bin of one chart, so the bins of a field add up to its values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import bson
from bson import Decimal128
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from mimiod.checking.profile import MOST_PATHS, type_name, values_in
from mimiod.reporting.histograms import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pymongo.database import Database

SAMPLE = 20_000
"Documents of a collection that are read; a larger one is sampled at random."
MOST_KINDS = 24
"Different texts that are counted one by one; of fields with more, the lengths are."

_TOLD_EVERY = 5_000
_DECODED: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_KEY_BYTES = {"objectId": 13, "date": 9, "int": 5, "long": 9, "double": 9, "decimal": 17, "bool": 2}
"What a value takes in an index, about: its type and itself."


@dataclass
class PathData:
    """What stands at one path, through arrays."""

    present: int = 0
    "Documents that have a value there that is not null."
    types: dict[str, int] = field(default_factory=dict)
    "Values by BSON type, null among them."
    numbers: Histogram = field(default_factory=Histogram)
    moments: Histogram = field(default_factory=lambda: Histogram(of_moments=True))
    elements: Histogram = field(default_factory=Histogram)
    "Of arrays."
    lengths: Histogram = field(default_factory=Histogram)
    "Characters of texts."
    kinds: dict[str, int] | None = field(default_factory=dict)
    "Texts and booleans one by one; None where there are too many."
    key_bytes: int = 0
    "What all of its values take in an index, about."

    @property
    def values(self) -> int:
        """Values that are no null, arrays and objects left out."""
        held = {"null", "array", "object"}
        return sum(count for kind, count in self.types.items() if kind not in held)

    def add(self, value: Any, *, first: bool) -> None:
        """Count a value; `first` of its document."""
        kind = "date" if isinstance(value, DatetimeMS) else type_name(value)
        self.types[kind] = self.types.get(kind, 0) + 1
        if kind == "null":
            return
        self.present += first
        self.key_bytes += _KEY_BYTES.get(kind, 0)
        if isinstance(value, str):
            self.lengths.add(len(value))
            self.key_bytes += len(value.encode()) + 2
            self._kind(value)
        elif isinstance(value, bool):
            self._kind(str(value).lower())
        elif isinstance(value, list):
            self.elements.add(len(value))
        elif isinstance(value, datetime | DatetimeMS):
            self.moments.add(_seconds(value))
        elif isinstance(value, int | float | Decimal128):
            self._number(value)

    def _number(self, value: float | Decimal128) -> None:
        number = float(value.to_decimal()) if isinstance(value, Decimal128) else value
        if math.isfinite(number):
            self.numbers.add(number)

    def _kind(self, text: str) -> None:
        if self.kinds is not None:
            self.kinds[text] = self.kinds.get(text, 0) + 1
            if len(self.kinds) > MOST_KINDS:
                self.kinds = None


@dataclass(frozen=True)
class CollectionData:
    """What the documents of a collection are like."""

    documents: int
    "In the collection."
    read: int
    "Of those, what all other numbers are about."
    average_size: float
    "Bytes of BSON."
    paths: Mapping[str, PathData]

    @property
    def is_sampled(self) -> bool:
        """Whether not all documents were read."""
        return self.read < self.documents


def read_collection(
    database: Database[dict[str, Any]], name: str, told: Callable[[int, int], None], *, sample: int = SAMPLE
) -> CollectionData:
    """Read a collection, or `sample` documents of it at random.

    `told` hears now and then how many are read, and of how many.
    """
    collection = database.get_collection(name, _RAW)
    count = collection.estimated_document_count()
    documents = (
        collection.find(batch_size=_TOLD_EVERY)
        if count <= sample
        else collection.aggregate([{"$sample": {"size": sample}}])
    )
    raws = (each.raw for each in documents)  # type: ignore[attr-defined]
    data = read_documents(raws, lambda read: told(read, min(count, sample)))
    return CollectionData(max(count, data.read), data.read, data.average_size, data.paths)


def read_documents(
    documents: Iterable[bytes], told: Callable[[int], None] = lambda _: None
) -> CollectionData:
    """Return what BSON documents are like, each read once."""
    paths: dict[str, PathData] = {}
    read = size = 0
    for raw in documents:
        read += 1
        size += len(raw)
        seen: set[str] = set()
        for path, value, _ in values_in(bson.decode(raw, _DECODED), "", 1):
            if path not in paths and len(paths) < MOST_PATHS:
                paths[path] = PathData()
            if path in paths:
                paths[path].add(value, first=path not in seen and value is not None)
                if value is not None:
                    seen.add(path)
        if read % _TOLD_EVERY == 0:
            told(read)
    return CollectionData(read, read, size / read if read else 0, paths)


def _seconds(moment: datetime | DatetimeMS) -> int:
    """Return the seconds since 1970."""
    milliseconds = int(moment) if isinstance(moment, DatetimeMS) else int(DatetimeMS(moment))
    return milliseconds // 1000
