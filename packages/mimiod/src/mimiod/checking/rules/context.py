"""What the rules look at: the schema, its workload, and what is known of the data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from mimiod import structure, validators
from mimiod.checking import index_model
from mimiod.checking.profile import CollectionFacts, DataFacts, PathFacts
from mimiod.checking.reading import reading
from mimiod.checking.rules.registry import Threshold
from mimiod.checking.rules.shape import Shape, plain, shape_of
from mimiod.schema_types import Computed, Copy, IndexDefinition, NotBefore, Reference, marks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

    from mimiod.checking.index_model import PlanModel
    from mimiod.checking.reading import Reading
    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, Mark, Query

SMALL = Threshold("documents that a collection is designed for, from which on it is read by index", 100)
HOT = Threshold("a query is hot from", 100, "a minute on, or with high priority")
_WRITES = frozenset({"insert", "update", "delete"})
_LOGICAL = frozenset({"$and", "$or", "$nor"})


@dataclass(frozen=True)
class Explained:
    """What a server needed to answer a query."""

    keys_per_returned: float | None = None
    "Keys of an index that it read for each document of the answer; None where servers do not say."
    documents_per_returned: float | None = None
    milliseconds: float | None = None


@dataclass(frozen=True)
class Context:
    """A design, as far as it is known."""

    schema: BaseMongoDbSchema
    facts: DataFacts = field(default_factory=DataFacts)
    explained: Mapping[str, Explained] = field(default_factory=dict)
    "What a server said of queries, by their names."

    @cached_property
    def collections(self) -> Mapping[str, BaseCollectionSchema]:
        """The collections by the names that they have on the server."""
        return {each.collection_name: each for each in self.schema.collections.values()}

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The documents of each collection."""
        return {name: _shape(each) for name, each in self.collections.items()}

    @cached_property
    def references(self) -> Mapping[str, Mapping[str, Reference]]:
        """The references of each collection by path."""
        return self._marked(Reference)

    @cached_property
    def copies(self) -> Mapping[str, Mapping[str, Copy]]:
        """The copies of each collection by path."""
        return self._marked(Copy)

    @cached_property
    def computed(self) -> Mapping[str, Mapping[str, Computed]]:
        """The computed values of each collection by path."""
        return self._marked(Computed)

    @cached_property
    def orders(self) -> Mapping[str, Mapping[str, NotBefore]]:
        """The orders in time of each collection by path."""
        return self._marked(NotBefore)

    @cached_property
    def plans(self) -> list[Planned]:
        """How each query and write but insertions would be answered."""
        found = []
        for query in self.workload:
            read, collection = reading(query), self.indexed[query.collection]
            if read is not None:
                plan = index_model.choose(read, collection)
                few = self.schema.volumes.get(query.collection, SMALL.value) < SMALL.value
                found.append(Planned(query, read, plan, collection, few_documents=few))
        return found

    @cached_property
    def indexed(self) -> Mapping[str, BaseCollectionSchema]:
        """The collections, with the indexes that MongoDB makes of its own accord."""
        return {name: _with_own_indexes(each) for name, each in self.collections.items()}

    @property
    def workload(self) -> list[Query]:
        """The queries and writes, of collections that there are."""
        return [query for query in self.schema.workload if query.collection in self.collections]

    @property
    def reads(self) -> list[Query]:
        """The queries that are no writes."""
        return [query for query in self.workload if query.action not in _WRITES]

    def writes(self, collection: str) -> list[Query]:
        """Return the writes to a collection."""
        mine = [query for query in self.workload if query.collection == collection]
        return [query for query in mine if query.action in _WRITES]

    def facts_of(self, collection: str, path: str = "") -> tuple[CollectionFacts, PathFacts] | None:
        """Return what is known of a collection's data and of one path in it, if anything is."""
        found = self.facts.collections.get(collection)
        if found is None or (path and plain(path) not in found.paths):
            return None
        return found, found.paths.get(plain(path), PathFacts())

    def _marked(self, kind: type[Mark]) -> Mapping[str, Mapping[str, Mark]]:
        return {name: marks(each.document_schema, kind) for name, each in self.collections.items()}


@dataclass(frozen=True)
class Planned:
    """A query, and how the model of index selection has it answered."""

    query: Query
    read: Reading
    plan: PlanModel
    collection: BaseCollectionSchema
    few_documents: bool
    "Whether the collection is designed for so few that reading all of them is no fault."


def is_hot(query: Query) -> bool:
    """Return whether a query is asked so often, or matters so much, that its cost counts."""
    return query.priority == "high" or query.per_minute >= HOT.value


def conditions(filters: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield path, operator and operand of every condition of a filter, below `$and` and `$or` too.

    Conditions without a field, as `$expr` and `$where`, have an empty path.
    """
    for path, operand in filters.items():
        if path in _LOGICAL:
            for part in operand:
                yield from conditions(part)
        elif path.startswith("$"):
            yield "", path, operand
        elif isinstance(operand, dict) and any(key.startswith("$") for key in operand):
            for operator, value in operand.items():
                if operator == "$elemMatch" and isinstance(value, dict):
                    inner = value if not any(key.startswith("$") for key in value) else {}
                    yield from ((f"{path}.{below}", op, v) for below, op, v in conditions(inner) if below)
                else:
                    yield path, operator, value
        else:
            yield path, "$eq", operand


def filter_of(query: Query) -> Mapping[str, Any]:
    """Return what selects the documents of a query: its filter, or its pipeline's first `$match`."""
    if query.action == "aggregate" and query.pipeline and "$match" in query.pipeline[0]:
        matched: dict[str, Any] = query.pipeline[0]["$match"]
        return {**query.filter, **matched}
    return query.filter


def stages(pipeline: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the stages of a pipeline, and of those inside it, as name and argument."""
    for stage in pipeline:
        for name, argument in stage.items():
            yield name, argument
            if name == "$facet":
                for inner in argument.values():
                    yield from stages(inner)
            elif isinstance(argument, dict) and isinstance(argument.get("pipeline"), list):
                yield from stages(argument["pipeline"])


def equalities(filters: Mapping[str, Any]) -> set[str]:
    """Return the paths whose value a filter fixes."""
    parts = [filters, *filters.get("$and", ())]
    return {
        plain(path)
        for part in parts
        for path, operator, _ in conditions({key: v for key, v in part.items() if key not in _LOGICAL})
        if operator == "$eq"
    }


def _with_own_indexes(collection: BaseCollectionSchema) -> BaseCollectionSchema:
    """Return the collection with the index of its shard key, and of a time series that of its buckets."""
    series = collection.options.get("timeseries", {})
    own = [IndexDefinition(name="shard key", keys=collection.shard_key)] if collection.shard_key else []
    if series.keys() >= {"metaField", "timeField"}:
        keys = {series["metaField"]: 1, series["timeField"]: 1}
        own.append(IndexDefinition(name="time series", keys=keys))
    return collection.model_copy(update={"indexes": [*collection.indexes, *own]})


def _shape(collection: BaseCollectionSchema) -> Shape:
    model = collection.document_schema
    if collection.json_schema is None and model is not None:
        found = _shape_of_model(model)
    else:
        found = shape_of(structure.json_schema_of(collection))
    if model is not None and model.model_config.get("extra") == "allow":
        return replace(found, open=True)
    return found


@lru_cache(256)
def _shape_of_model(model: type[BaseModel]) -> Shape:
    return shape_of(validators.json_schema(model))
