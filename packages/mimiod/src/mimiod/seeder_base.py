"""`DatabaseSeeder`: what a project's `seed_db.py` subclasses."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from mimiod import mongo, structure
from mimiod.checking.verification import INDEX_MISSING, verify
from mimiod.schema_types import PyObjectId
from mimiod.seeding.declaration import Rows
from mimiod.seeding.describing import distributions
from mimiod.seeding.executors import InProcess
from mimiod.seeding.loading import PATIENCE
from mimiod.seeding.plan import Plan, id_owner
from mimiod.seeding.progress import missing

if TYPE_CHECKING:
    from faker import Faker
    from pymongo.database import Database

    from mimiod.checking.verification import Verification
    from mimiod.schema_types import BaseMongoDbSchema
    from mimiod.seeding.declaration import Summary

BATCH = 1000
"Documents in one insert."

Progress = Callable[[str, int, int | None], None]
"Hears the collection, how many of its documents are there, and how many there will be if known."


def no_progress(_collection: str, _done: int, _total: int | None) -> None:
    """Tell nobody."""


class DatabaseSeeder(ABC):
    """Fills the database of one project.

    A seeder says only what is special to it: `seed_all_collections`. Indexes, clearing and
    validation follow from the schema; each can be overridden. Draws are made from `rng(name)` and
    `faker(name)`, ids by `object_id(collection, row)`, so that a seed gives the same data every time.
    """

    seed: int = 42
    "What every draw depends on."
    scale: float = 1.0
    "How much data, as a multiple of the seeder's own numbers."
    reference_time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    "The present of the data; the clock plays no part."
    locale: ClassVar[str | list[str]] = "en_US"
    "The locale, or locales to be mixed, of `faker()`."
    progress: Progress = staticmethod(no_progress)
    rows: ClassVar[Mapping[str, Rows | Summary]] = {}
    "What the collections are filled with, by name; a seeder that declares it need not define a method."

    def __init__(self, connection_string: str, database_schema: BaseMongoDbSchema) -> None:
        self.connection_string = connection_string
        self.database_schema = database_schema
        self._inserted: Counter[str] = Counter()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = cls.rows or cls.plan is not DatabaseSeeder.plan
        if declared and cls.seed_all_collections is DatabaseSeeder.seed_all_collections:
            cls.seed_all_collections = DatabaseSeeder._load  # type: ignore[method-assign]

    @abstractmethod
    def seed_all_collections(self, num_records: int | None = None) -> Any:
        """Insert the documents of every collection.

        `num_records`, where given, is how many documents of the main collection are wanted.
        """

    def plan(self) -> Plan | None:
        """Return what every document is, None where `seed_all_collections` makes them by itself.

        Raises:
            DeclarationError: what is declared cannot be drawn, or the schema has other fields.
        """
        if not self.rows or type(self).seed_all_collections is not DatabaseSeeder._load:
            return None
        return Plan(self.database_schema, self.rows, self.seed, self.scale, self.reference_time)

    def _load(self, num_records: int | None = None) -> None:
        """Insert the documents that are declared, in this process; what is there already is kept."""
        if num_records is not None:
            main = next(rows.count for rows in self.rows.values() if isinstance(rows, Rows))
            self.scale = num_records / main if isinstance(main, int) else self.scale
        plan = self.plan()
        assert plan is not None
        executor = InProcess(
            plan,
            self.database,
            uri=self.connection_string,
            say=lambda _text: None,
            patience=PATIENCE,
        )
        made: Counter[str] = Counter()
        for done in executor.run(deque(missing(plan, {}))):
            for name, number in done.made.items():
                made[name] += number
                self.progress(name, made[name], plan.expected[name])

    def create_indexes(self) -> Any:
        """Build the indexes that the schema declares; those that are there already are kept.

        Raises:
            DuplicateKeysError: the data under a unique index is not unique.
        """
        with mongo.driver_errors(self.connection_string):
            return structure.create_indexes(self.database, self.database_schema)

    def clear_database(self) -> Any:
        """Empty the collections that the schema declares, and no others; their validators are made anew."""
        with mongo.driver_errors(self.connection_string):
            structure.clear(self.database, self.database_schema)
            structure.create_collections(self.database, self.database_schema)

    def validate_seed_data(self) -> Any:
        """Verify every document, reference and index; returns a report whose `passed` is the verdict."""
        return self._verified(self.database_schema).to_dict()

    def validate_schema_and_indexes(
        self,
        sample_size: int = 10,
        pydantic_models: Mapping[str, type[pydantic.BaseModel]] | None = None,
    ) -> dict[str, Any]:
        """Return a report on the documents and indexes of each collection, from their verification.

        All documents are read; up to `sample_size` faults of each collection are named in `errors`, behind
        which their number stands in `collection_results`. `pydantic_models` takes the place of the schema's
        models, by collection. A collection without its validator is not called invalid for that.
        """
        collections = {
            key: declared.model_copy(
                update={"document_schema": (pydantic_models or {}).get(name, declared.document_schema)}
            )
            for key, declared in self.database_schema.collections.items()
            for name in [declared.collection_name]
        }
        schema = self.database_schema.model_copy(update={"collections": collections})
        verification = self._verified(schema)
        results: dict[str, Any] = {}
        errors: list[str] = []
        for declared in schema.collections.values():
            found = verification.collections[declared.collection_name]
            faults = [fault for fault in found.faults if fault.kind != "collection"]
            missing = {fault.identifier for fault in faults if fault.reason == INDEX_MISSING}
            errors += map(str, faults[:sample_size])
            results[declared.collection_name] = {
                "documents_checked": found.documents,
                "documents_valid": found.documents - found.fault_counts.get("document", 0),
                "indexes_expected": [index.name for index in declared.indexes],
                "indexes_missing": [index.name for index in declared.indexes if index.name in missing],
                "faults": dict(found.fault_counts),
                "valid": not faults,
            }
        return {
            "validation_summary": {
                "valid": all(result["valid"] for result in results.values()),
                "collections_checked": len(results),
                "documents_checked": sum(result["documents_checked"] for result in results.values()),
            },
            "collection_results": results,
            "errors": errors,
        }

    def _verified(self, schema: BaseMongoDbSchema) -> Verification:
        with mongo.driver_errors(self.connection_string):
            lacking = structure.still_refused(self.database, schema)
            laws = distributions(self.plan())
            return verify(self.database, schema, unsupported_indexes=lacking, distributions=laws)

    @cached_property
    def database(self) -> Database[dict[str, Any]]:
        """The project's database on the server of `connection_string`."""
        return mongo.database(mongo.connect(self.connection_string), self.database_schema.database_name)

    def close(self) -> None:
        """Close the connection, if one was opened."""
        if "database" in self.__dict__:
            self.__dict__.pop("database").client.close()

    def scaled(self, number: int) -> int:
        """Return `number` times the scale, at least 1."""
        return max(1, round(number * self.scale))

    def rng(self, name: str) -> random.Random:
        """Return the random numbers of that name: the same for the same seed, apart from all others."""
        return random.Random(f"{self.seed}/{name}")  # noqa: S311 - sample data

    def faker(self, name: str) -> Faker:
        """Return the Faker of that name, in the seeder's locales: the same for the same seed."""
        from faker import Faker  # noqa: PLC0415 - a third of a second, for a command that may not need it

        faker = Faker(self.locale)
        faker.seed_instance(f"{self.seed}/{name}")
        return faker

    def object_id(self, collection: str, row: int) -> PyObjectId:
        """Return the id of a row of a collection, by computing: ids ascend with the row.

        So a child can name its parent without having seen it. Twelve bytes: the reference time (4),
        a digest of collection and seed (3), the row (5).
        """
        seconds = int(self.reference_time.timestamp()) & 0xFFFFFFFF
        return PyObjectId(
            seconds.to_bytes(4, "big") + id_owner(self.seed, collection) + row.to_bytes(5, "big")
        )

    def insert(
        self,
        collection: str,
        documents: Iterable[Mapping[str, Any] | pydantic.BaseModel],
        total: int | None = None,
    ) -> int:
        """Insert documents, a thousand at a time, and return how many.

        `total`, for the progress, is how many the collection will have in the end; it may be filled by
        several calls.

        Raises:
            DatabaseError: the server refused a document; the text names its `_id` and the reason.
        """
        before = self._inserted[collection]
        self.progress(collection, before, total)
        source = iter(documents)
        with mongo.driver_errors(self.connection_string):
            while batch := [_as_document(document) for document in islice(source, BATCH)]:
                self.database[collection].insert_many(batch, ordered=False)
                self._inserted[collection] += len(batch)
                self.progress(collection, self._inserted[collection], total)
        return self._inserted[collection] - before


def _as_document(document: Mapping[str, Any] | pydantic.BaseModel) -> dict[str, Any]:
    if isinstance(document, pydantic.BaseModel):
        return document.model_dump(by_alias=True)
    return dict(document)
