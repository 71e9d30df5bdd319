"""The verification of a database against its schema: every document, every reference, every index.

It streams: memory is bounded whatever the data. Documents are judged twice, by the server against the
validator and here against the pydantic model, since each sees what the other cannot; the server is a
collection ahead. References are read out of the documents here, and not by aggregation, because some
servers see nothing in arrays. Referenced collections are read first, and the values by which they are
referred to are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import pydantic

from mimiod import structure
from mimiod.checking.existing import ExistingValues, values_at
from mimiod.schema_types import references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pymongo.collection import Collection
    from pymongo.database import Database

    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema

EXAMPLES = 10
"How many faults of a kind are named for each collection; all are counted."

_BATCH = 2000
_MOST_WAITING = 200_000
"Values that wait until the collection that they name is read."


@dataclass(frozen=True)
class Fault:
    """Something in the database that the schema does not allow."""

    kind: str
    "document, reference, index or collection"
    collection: str
    identifier: str
    "The document's `_id`, or the index's name."
    reason: str

    def __str__(self) -> str:
        return f"{self.collection} {self.identifier}: {self.reason}"


@dataclass
class CollectionVerification:
    """What was found in one collection."""

    documents: int = 0
    references: int = 0
    "Values that name another document."
    fault_counts: dict[str, int] = field(default_factory=dict)
    "How many faults of each kind."
    faults: list[Fault] = field(default_factory=list)
    "The first of each kind."


@dataclass
class Verification:
    """What was found in a database."""

    collections: dict[str, CollectionVerification] = field(default_factory=dict)

    @property
    def faults(self) -> list[Fault]:
        """The faults that are named, at most `EXAMPLES` of a kind for each collection."""
        return list(chain.from_iterable(found.faults for found in self.collections.values()))

    @property
    def fault_count(self) -> int:
        """How many faults there are."""
        return sum(sum(found.fault_counts.values()) for found in self.collections.values())

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault_count == 0

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "passed": self.passed,
            "fault_count": self.fault_count,
            "collections": {
                name: {
                    "documents": found.documents,
                    "references": found.references,
                    "faults": dict(found.fault_counts),
                    "examples": [str(fault) for fault in found.faults],
                }
                for name, found in self.collections.items()
            },
        }


def verify(
    database: Database[dict[str, Any]],
    schema: BaseMongoDbSchema,
    *,
    unsupported_indexes: frozenset[str] = frozenset(),
    progress: Callable[[str, int], None] = lambda _collection, _documents: None,
) -> Verification:
    """Return what in the database differs from its schema.

    `unsupported_indexes` (`collection.index`) are not missed; `progress` hears the collection and how
    many of its documents have been read.
    """
    declared = {each.collection_name: each for each in schema.collections.values()}
    report = Verification({name: CollectionVerification() for name in declared})
    existing: dict[tuple[str, str], ExistingValues] = {}
    for each in declared.values():
        for mark in references(each.document_schema).values():
            where = (mark.collection, mark.field)
            existing[where] = existing.get(where) or ExistingValues(database, *where)
    checks = [
        _CollectionCheck(database, declared[name], report.collections[name], existing)
        for name in _referenced_first(declared)
    ]
    # Not of a pool: a thread that waits for a long query must not keep an interrupted process alive.
    threading.Thread(target=_ask, args=(checks,), name="mimiod-validators", daemon=True).start()
    for check in checks:
        check.indexes(unsupported_indexes)
        check.validator()
        check.documents(progress)
    for check in checks:
        check.resolve(last=True)
    return report


def _referenced_first(declared: Mapping[str, BaseCollectionSchema]) -> list[str]:
    order: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name not in order and name not in above:
            for mark in references(declared[name].document_schema).values():
                visit(mark.collection, (*above, name))
            order[name] = None

    for name in declared:
        visit(name, ())
    return list(order)


def _ask(checks: Iterable[_CollectionCheck]) -> None:
    """Ask the server, one collection after the other, for what its own validators would refuse."""
    for check in checks:
        try:
            check.answer.set_result(check.refused())
        except BaseException as exc:  # noqa: BLE001 - whoever waits for the answer raises it
            check.answer.set_exception(exc)


class _CollectionCheck:
    """The verification of one collection."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        declared: BaseCollectionSchema,
        found: CollectionVerification,
        existing: Mapping[tuple[str, str], ExistingValues],
    ) -> None:
        self.database = database
        self.declared = declared
        self.found = found
        self.collection: Collection[dict[str, Any]] = database[declared.collection_name]
        self.references = {
            path: existing[mark.collection, mark.field]
            for path, mark in references(declared.document_schema).items()
        }
        "By path, what its values can name."
        self.gathering = [each for each in existing.values() if each.collection == self.collection.name]
        self.wanted: dict[str, dict[Any, list[Any]]] = {path: {} for path in self.references}
        "By path, the values that are to be looked for, each with the documents that name it."
        self.answer: Future[set[Any] | None] = Future()
        "What the validator refuses, None where there is no validator."
        self.refused_by_validator: set[Any] = set()

    def fault(self, kind: str, identifier: object, reason: str) -> None:
        count = self.found.fault_counts.get(kind, 0) + 1
        self.found.fault_counts[kind] = count
        if count <= EXAMPLES:
            name = self.collection.name
            self.found.faults.append(Fault(kind, name, str(identifier), reason))

    def indexes(self, unsupported: frozenset[str]) -> None:
        existing = structure.indexes_of(self.collection)
        for index in self.declared.indexes:
            if f"{self.collection.name}.{index.name}" in unsupported:
                continue
            if index.name not in existing:
                self.fault("index", index.name, "this index is missing")
                continue
            for difference in structure.index_differences(index, existing[index.name]):
                self.fault("index", index.name, difference)

    def refused(self) -> set[Any] | None:
        rules = self.collection.options().get("validator")
        if not rules:
            return None
        return {document["_id"] for document in self.collection.find({"$nor": [rules]}, {"_id": 1})}

    def validator(self) -> None:
        """Wait for what the server says of its own validator."""
        refused = self.answer.result()
        if refused is None and structure.validator_of(self.declared) is not None:
            self.fault("collection", self.collection.name, "it has no validator")
        self.refused_by_validator = refused or set()
        for identifier in self.refused_by_validator:
            self.fault("document", f"_id {identifier}", "the collection's validator refuses it")

    def documents(self, progress: Callable[[str, int], None]) -> None:
        model = self.declared.document_schema
        waiting = 0
        for document in self.collection.find({}, batch_size=_BATCH):
            self.found.documents += 1
            for existing in self.gathering:
                existing.gather(document)
            if model is not None:
                self.against_model(model, document)
            for path, wanted in self.wanted.items():
                for value in values_at(document, path):
                    self.found.references += 1
                    if isinstance(value, Hashable):
                        wanted.setdefault(value, []).append(document["_id"])
                        waiting += 1
                    else:
                        self.fault("reference", f"_id {document['_id']}", f"{path} holds an object")
            if waiting >= _BATCH:
                self.resolve()
                waiting = 0
            if self.found.documents % _BATCH == 0:
                progress(self.collection.name, self.found.documents)
        for existing in self.gathering:
            existing.gathered()
        self.resolve()
        progress(self.collection.name, self.found.documents)

    def against_model(self, model: type[pydantic.BaseModel], document: dict[str, Any]) -> None:
        try:
            model.model_validate(document)
        except pydantic.ValidationError as exc:
            if document["_id"] in self.refused_by_validator:
                return  # counted already
            first = exc.errors(include_url=False, include_input=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            self.fault("document", f"_id {document['_id']}", f"{path}: {first['msg']}")

    def resolve(self, *, last: bool = False) -> None:
        """Look for the collected values in what they name, and forget them.

        Those in a collection that is yet to be read, as in a circle of references, wait for that.
        """
        for path, existing in self.references.items():
            wanted = self.wanted[path]
            if not (last or existing.is_read or len(wanted) > _MOST_WAITING):
                continue
            for value in existing.lacking(wanted):
                reason = f"{path} {value} is in no {existing.collection}.{existing.field}"
                for identifier in wanted[value]:
                    self.fault("reference", f"_id {identifier}", reason)
            wanted.clear()
