"""Documents judged each by itself: by the server's validator, by the model, and by their size."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import islice
from typing import TYPE_CHECKING, Any

import pydantic

from mimiod import structure
from mimiod.checking.verifying.reading import patiently
from mimiod.checking.verifying.report import CollectionVerification, Fault
from mimiod.checking.verifying.values import canonical, shown

if TYPE_CHECKING:
    from pymongo.collection import Collection

    from mimiod.checking.verifying.reading import Batch
    from mimiod.schema_types import BaseCollectionSchema

LARGEST = 16 * 1024 * 1024
"Bytes of a document: https://www.mongodb.com/docs/manual/reference/limits/#mongodb-limit-BSON-Document-Size"
NEAR = 0.9
"The share of that from which on a document is a fault: there is no room left to grow."
INDEX_MISSING = "this index is missing"
_MOST_REFUSED = 100_000
"Ids that are kept of documents that the validator refuses; beyond, it alone is believed."


class Judge:
    """What makes a document of a collection one that is allowed."""

    def __init__(
        self,
        collection: Collection[dict[str, Any]],
        declared: BaseCollectionSchema,
        found: CollectionVerification,
    ) -> None:
        self.collection = collection
        self.declared = declared
        self.found = found
        self.answer: Future[bool] = Future()
        "Whether there is a validator; then what it refuses is counted."
        self._refused: set[Any] = set()

    def indexes(self, unsupported: frozenset[str]) -> None:
        """Compare the indexes with those declared."""
        existing = structure.indexes_of(self.collection)
        for index in self.declared.indexes:
            if index.name not in existing:
                if f"{self.collection.name}.{index.name}" not in unsupported:
                    self._fault("index", index.name, INDEX_MISSING)
                continue
            for difference in structure.index_differences(index, existing[index.name]):
                self._fault("index", index.name, difference)

    def ask(self) -> None:
        """Ask the server for what its own validator would refuse."""
        try:
            rules = patiently(self.collection.options).get("validator")
            refused, number = patiently(lambda: self._refused_by(rules)) if rules else ([], 0)
            for identifier in refused:
                self._fault("document", f"_id {shown(identifier)}", "the collection's validator refuses it")
            if number > len(refused):
                self.found.fault_counts["document"] += number - len(refused)
            self._refused = set(refused)
            self.answer.set_result(bool(rules))
        except BaseException as exc:  # noqa: BLE001 - whoever waits for the answer raises it
            self.answer.set_exception(exc)

    def _refused_by(self, rules: dict[str, Any]) -> tuple[list[Any], int]:
        """Return the ids of refused documents, as many as are kept, and how many there are."""
        found = self.collection.find({"$nor": [rules]}, {"_id": 1})
        kept = [canonical(document["_id"]) for document in islice(found, _MOST_REFUSED)]
        return kept, len(kept) + sum(1 for _ in found)

    def wait(self) -> None:
        """Wait for what the server says."""
        if not self.answer.result() and structure.validator_of(self.declared) is not None:
            self._fault("collection", self.collection.name, "it has no validator")

    def see(self, batch: Batch, ids: list[Any]) -> None:
        """Judge documents."""
        for position, reason in batch.damaged.items():
            self._fault("document", f"_id {shown(ids[position])}", f"it cannot be decoded: {reason}")
        if max(batch.sizes) > NEAR * LARGEST:
            for size, identifier in zip(batch.sizes, ids, strict=True):
                if size > NEAR * LARGEST:
                    reason = f"found {size:,} bytes, expected at most {round(NEAR * LARGEST):,}"
                    self._fault("size", f"_id {shown(identifier)}", f"{reason} of the {LARGEST:,} allowed")
        model = self.declared.document_schema
        if model is None:
            return
        for document, identifier in zip(batch.documents, ids, strict=True):
            try:
                model.model_validate(document)
            except pydantic.ValidationError as exc:
                first = exc.errors(include_url=False, include_input=False)[0]
                self._refuse(identifier, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
            except Exception as exc:  # noqa: BLE001 - a validator of the project's own that fails on it
                text = " ".join(str(exc).split())
                self._refuse(identifier, f"its model raised {type(exc).__name__}: {text}")

    def _refuse(self, identifier: Any, reason: str) -> None:
        if identifier not in self._refused and len(self._refused) < _MOST_REFUSED:  # else counted already
            self._fault("document", f"_id {shown(identifier)}", reason)

    def _fault(self, kind: str, identifier: str, reason: str) -> None:
        self.found.add(Fault(kind, self.collection.name, identifier, reason))
