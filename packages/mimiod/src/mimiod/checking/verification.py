"""The verification of a database against its schema: every document, every reference, every index.

It streams: memory does not grow with the data. Documents are judged twice, by the server against the
validator and here against the pydantic model, since each sees what the other cannot. References are
read out of the documents here, and not by aggregation, because some servers see nothing in arrays.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import pydantic

from mimiod import structure
from mimiod.schema_types import references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pymongo.collection import Collection
    from pymongo.database import Database

    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, Reference

EXAMPLES = 10
"How many faults of a kind are named for each collection; all are counted."

_BATCH = 2000
_LOOKED_UP_AT_ONCE = 100
"Values in one `$in`; the embedded server's time grows with their square."
_REMEMBERED = 200_000
"Values known to exist, so that a parent of many is looked up once; then they are forgotten."


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
    report = Verification()
    known: dict[tuple[str, str], set[Any]] = {}
    for declared in schema.collections.values():
        found = report.collections.setdefault(declared.collection_name, CollectionVerification())
        check = _CollectionCheck(database, declared, found, known)
        check.indexes(unsupported_indexes)
        check.validator()
        check.documents(progress)
    return report


class _CollectionCheck:
    """The verification of one collection."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        declared: BaseCollectionSchema,
        found: CollectionVerification,
        known: dict[tuple[str, str], set[Any]],
    ) -> None:
        self.database = database
        self.declared = declared
        self.found = found
        self.collection: Collection[dict[str, Any]] = database[declared.collection_name]
        self.known = known
        "Values found to exist, by collection and field."
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

    def validator(self) -> None:
        """Ask the server for what its own validator would refuse."""
        options = self.collection.options()
        rules = options.get("validator")
        if structure.validator_of(self.declared) is not None and not rules:
            self.fault("collection", self.collection.name, "it has no validator")
        if not rules:
            return
        for document in self.collection.find({"$nor": [rules]}, {"_id": 1}):
            self.refused_by_validator.add(document["_id"])
            self.fault("document", f"_id {document['_id']}", "the collection's validator refuses it")

    def documents(self, progress: Callable[[str, int], None]) -> None:
        model = self.declared.document_schema
        marks = references(model)
        wanted: dict[str, dict[Any, list[Any]]] = {path: {} for path in marks}
        waiting = 0
        for document in self.collection.find({}, batch_size=_BATCH):
            self.found.documents += 1
            if model is not None:
                self.against_model(model, document)
            for path in marks:
                for value in values_at(document, path):
                    self.found.references += 1
                    if isinstance(value, Hashable):
                        wanted[path].setdefault(value, []).append(document["_id"])
                        waiting += 1
                    else:
                        self.fault("reference", f"_id {document['_id']}", f"{path} holds an object")
            if waiting >= _BATCH:
                self.resolve(marks, wanted)
                waiting = 0
            if self.found.documents % _BATCH == 0:
                progress(self.collection.name, self.found.documents)
        self.resolve(marks, wanted)
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

    def resolve(self, marks: Mapping[str, Reference], wanted: dict[str, dict[Any, list[Any]]]) -> None:
        """Look the collected values up in the collections that they name, and forget them."""
        for path, mark in marks.items():
            known = self.known.setdefault((mark.collection, mark.field), set())
            if len(known) > _REMEMBERED:
                known.clear()
            unknown = iter([value for value in wanted[path] if value not in known])
            while chunk := list(islice(unknown, _LOOKED_UP_AT_ONCE)):
                cursor = self.database[mark.collection].find(
                    {mark.field: {"$in": chunk}}, {mark.field: 1, "_id": mark.field == "_id"}
                )
                known.update(value for document in cursor for value in values_at(document, mark.field))
            for value, identifiers in wanted[path].items():
                if value not in known:
                    reason = f"{path} {value} is in no {mark.collection}.{mark.field}"
                    for identifier in identifiers:
                        self.fault("reference", f"_id {identifier}", reason)
            wanted[path].clear()


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
