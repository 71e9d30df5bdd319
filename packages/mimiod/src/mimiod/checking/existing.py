"""The values that a reference can name: kept compactly while they are few enough, else looked up."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from bson import ObjectId

from mimiod.schema_types import PyObjectId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pymongo.database import Database

MOST_IDS = 2_000_000
"ObjectIds that are kept of one field, in 12 bytes each."
MOST_OTHERS = 200_000
"Values of other types that are kept of one field."

_IDS = (ObjectId, PyObjectId)
_BATCH = 20_000
_LOOKED_UP_AT_ONCE = 100
"Values in one `$in`; the embedded server's time grows with their square."


class ExistingValues:
    """The values of one field of one collection.

    They are gathered from the collection's documents as those are read, or, where somebody asks
    earlier, by reading just this field. If there are too many, the server is asked instead.
    """

    def __init__(self, database: Database[dict[str, Any]], collection: str, field: str) -> None:
        self.source = database[collection]
        self.collection = collection
        self.field = field
        self.state = "empty"
        "empty, gathering, whole, or too many"
        self.ids = bytearray()
        self.others: set[Any] = set()
        "Too many: those that were found by asking, to be asked for once."
        self.sorted_ids = np.empty(0, dtype="S12")

    @property
    def is_read(self) -> bool:
        """Whether all of the collection's documents were seen."""
        return self.state in {"whole", "too many"}

    def gather(self, document: Any) -> None:
        """Take in what a document holds."""
        if self.state == "empty":
            self.state = "gathering"
        if self.state == "gathering":
            for value in values_at(document, self.field):
                self._add(value)

    def gathered(self) -> None:
        """Have taken in all documents."""
        if not self.is_read:
            self.sorted_ids = np.unique(np.frombuffer(bytes(self.ids), dtype="S12"))
            self.ids.clear()
            self.state = "whole"

    def lacking(self, values: Collection[Any]) -> list[Any]:
        """Return those of the values that no document holds."""
        if not values:
            return []
        if not self.is_read:
            self._read()
        others = [value for value in values if type(value) not in _IDS]
        ids = [value for value in values if type(value) in _IDS]
        if self.state == "whole":
            return self._not_kept(ids) + [value for value in others if value not in self.others]
        return self._not_found(values)

    def _add(self, value: Any) -> None:
        if type(value) in _IDS:
            self.ids += value.binary
        elif isinstance(value, Hashable):
            self.others.add(value)
        if len(self.ids) > 12 * MOST_IDS or len(self.others) > MOST_OTHERS:
            self.state = "too many"
            self.ids.clear()
            self.others.clear()

    def _read(self) -> None:
        self.state = "gathering"
        self.ids.clear()
        self.others.clear()
        fields = {self.field: 1, "_id": self.field == "_id"}
        for document in self.source.find({}, fields, batch_size=_BATCH):
            self.gather(document)
        self.gathered()

    def _not_kept(self, ids: list[Any]) -> list[Any]:
        if not ids or not len(self.sorted_ids):
            return ids
        wanted = np.array([value.binary for value in ids], dtype="S12")
        at = np.searchsorted(self.sorted_ids, wanted)
        found = self.sorted_ids[np.minimum(at, len(self.sorted_ids) - 1)] == wanted
        return [value for value, there in zip(ids, found, strict=True) if not there]

    def _not_found(self, values: Collection[Any]) -> list[Any]:
        if len(self.others) > MOST_OTHERS:
            self.others.clear()
        unknown = iter([value for value in values if value not in self.others])
        while chunk := list(islice(unknown, _LOOKED_UP_AT_ONCE)):
            fields = {self.field: 1, "_id": self.field == "_id"}
            for document in self.source.find({self.field: {"$in": chunk}}, fields):
                self.others.update(v for v in values_at(document, self.field) if isinstance(v, Hashable))
        return [value for value in values if value not in self.others]


def values_at(document: Any, path: str) -> Iterator[Any]:
    """Yield what stands at a dotted path, through arrays; nulls and absent fields yield nothing."""
    if isinstance(document, list):
        for item in document:
            yield from values_at(item, path)
        return
    if not path:
        if document is not None:
            yield document
        return
    if not isinstance(document, dict):
        return
    name, _, rest = path.partition(".")
    if name == "*":
        yield from values_at(list(document.values()), rest)
    elif name in document:
        yield from values_at(document[name], rest)
