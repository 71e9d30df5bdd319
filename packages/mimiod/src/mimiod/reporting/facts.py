"""Everything that a report says of a project: gathered once, from its schema and its database."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from mimiod import mongo, run_lock
from mimiod.checking.check import check
from mimiod.checking.workload import needs
from mimiod.reporting import diagram
from mimiod.reporting.distributions import CollectionData, PathData, read_collection
from mimiod.reporting.entities import entities_of
from mimiod.reporting.fields import Field, fields_of
from mimiod.reporting.readme import compare
from mimiod.reporting.sizes import Forecast, Stored, forecast, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.database import Database

    from mimiod.checking.check import CheckReport
    from mimiod.projects import Project
    from mimiod.reporting.diagram import Diagram
    from mimiod.reporting.entities import Entity
    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition

MOST_FOUND = 40
"Paths of one collection that its schema does not name and that are listed all the same."


class Listener(Protocol):
    """Whoever is told how far a report is."""

    def phase(self, text: str) -> None:
        """Something begins."""

    def progress(self, done: int, total: int) -> None:
        """So many documents are read."""


@dataclass(frozen=True)
class FieldFacts:
    """A field, and what stands in it."""

    field: Field
    data: PathData | None
    "None where no document that was read has it."
    is_declared: bool = True
    "Whether the schema names it; else it was found in the data."


@dataclass(frozen=True)
class IndexFacts:
    """An index, its size and what it is for."""

    name: str
    definition: IndexDefinition | None
    "None of the index on `_id`, which every collection has."
    bytes: int | None
    queries: tuple[str, ...]


@dataclass(frozen=True)
class CollectionFacts:
    """A collection as it is declared and as it is."""

    schema: BaseCollectionSchema
    data: CollectionData
    stored: Stored
    fields: tuple[FieldFacts, ...]
    more_fields: int
    "Paths found in the data that are not listed."
    indexes: tuple[IndexFacts, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.schema.collection_name


@dataclass(frozen=True)
class Made:
    """How the data and the report came about."""

    database: str
    server: str
    version: str
    "Of Mimiod."
    at: datetime
    seed: int | None
    "None where no run of Mimiod says so."
    scale: float | None
    seeded_at: datetime | None


@dataclass(frozen=True)
class Report:
    """All that a page says."""

    project: str
    schema: BaseMongoDbSchema
    check: CheckReport
    collections: tuple[CollectionFacts, ...]
    entities: tuple[Entity, ...]
    diagram: Diagram
    forecasts: tuple[Forecast, ...]
    made: Made


def gather(project: Project, uri: str, listener: Listener) -> Report:
    """Return what there is to say of a project and its seeded database on the server at `uri`.

    Raises:
        EmptyDatabaseError: there is no data to report on.
        MimiodError: the server does not answer, or refuses.
    """
    schema = project.schema
    listener.phase("running the workload and the rules")
    checked = check(project, uri, others=compare(project.folder, schema, project.name))
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        database = mongo.database(client, schema.database_name)
        data, sizes = {}, {}
        for collection in schema.collections.values():
            name = collection.collection_name
            listener.phase(f"reading {name}")
            data[name] = read_collection(database, name, listener.progress)
            sizes[name] = stored(database, name)
        listener.phase("measuring sizes")
        forecasts = forecast(database, schema, data, sizes, checked.queries)
        made = _made(database, checked.server)
    served = needs(checked.queries)
    entities = entities_of(schema)
    return Report(
        project.name,
        schema,
        checked,
        tuple(
            _collection(each, data[each.collection_name], sizes[each.collection_name], served)
            for each in schema.collections.values()
        ),
        tuple(entities),
        diagram.draw(entities),
        tuple(forecasts),
        made,
    )


def _collection(
    collection: BaseCollectionSchema,
    data: CollectionData,
    size: Stored,
    served: Mapping[tuple[str, str], list[str]],
) -> CollectionFacts:
    declared = fields_of(collection)
    fields, more = _with_found(declared, data)
    name = collection.collection_name
    indexes = [
        IndexFacts(index, definition, size.indexes.get(index), tuple(served.get((name, index), ())))
        for index, definition in [("_id_", None), *((each.name, each) for each in collection.indexes)]
    ]
    return CollectionFacts(collection, data, size, tuple(fields), more, tuple(indexes))


def _with_found(declared: list[Field], data: CollectionData) -> tuple[list[FieldFacts], int]:
    """Return the fields that are declared, each before those found below it, and how many were left out."""
    facts = [FieldFacts(field, data.paths.get(field.path)) for field in declared]
    known = {field.path for field in declared}
    extra = sorted(path for path in data.paths if path not in known)
    for path in extra[:MOST_FOUND]:
        kinds = tuple(kind for kind in data.paths[path].types if kind != "null")
        found = FieldFacts(Field(path, kinds), data.paths[path], is_declared=False)
        parent = path.rpartition(".")[0]
        inside = [
            number
            for number, each in enumerate(facts)
            if parent and (each.field.path == parent or each.field.path.startswith(f"{parent}."))
        ]
        facts.insert(inside[-1] + 1 if inside else len(facts), found)
    return facts, max(0, len(extra) - MOST_FOUND)


def _made(database: Database[dict[str, Any]], server: str) -> Made:
    run = database[run_lock.COLLECTION].find_one({"_id": "run"}) or {}
    return Made(
        database.name,
        server,
        importlib.metadata.version("mimiod"),
        datetime.now(UTC),
        run.get("seed"),
        run.get("scale"),
        run.get("started_at"),
    )
