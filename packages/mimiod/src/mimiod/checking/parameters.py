"""The parameters of queries, drawn from the data: a document is drawn, and all Samples take its values."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mimiod.schema_types import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymongo.database import Database

    from mimiod.schema_types import BaseMongoDbSchema, Query

_SPARE = 4
"Documents drawn for each that is wanted: some lack the fields."
_PARTS = ("filter", "pipeline", "update", "document")


def draw(
    database: Database[dict[str, Any]], schema: BaseMongoDbSchema, query: Query, count: int
) -> list[Query]:
    """Return the query with values in place of its Samples, up to `count` times.

    Every document of a collection is as likely as any other; of the query's own collection only those
    that its fixed conditions match are drawn. A query without Samples is returned as it is.
    """
    names = [collection.collection_name for collection in schema.collections.values()]
    wanted: dict[str, set[str]] = {}
    for sample in samples(query):
        collection, path = place_of(sample, names)
        wanted.setdefault(collection, set()).add(path)
    if not wanted:
        return [query]
    values = {
        collection: _values(
            database, collection, paths, _fixed(query) if collection == query.collection else {}, count
        )
        for collection, paths in wanted.items()
    }
    sets = min(len(found) for found in values.values())
    return [
        _bound(query, {collection: found[number] for collection, found in values.items()}, names)
        for number in range(sets)
    ]


def samples(query: Query) -> Iterator[Sample]:
    """Yield the Samples of a query."""
    for part in _PARTS:
        yield from _in(getattr(query, part))


def place_of(sample: Sample, collections: Sequence[str]) -> tuple[str, str]:
    """Return a Sample's collection and path; a collection's name may hold dots."""
    fits = [name for name in collections if sample.path.startswith(f"{name}.")]
    name = max(fits, key=len) if fits else sample.path.partition(".")[0]
    return name, sample.path[len(name) + 1 :]


def _in(value: Any) -> Iterator[Sample]:
    if isinstance(value, Sample):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _in(each)


def _fixed(query: Query) -> dict[str, Any]:
    """Return the conditions of a query without Samples."""
    first = query.pipeline[0].get("$match", {}) if query.pipeline else {}
    return {name: each for name, each in {**first, **query.filter}.items() if not any(_in(each))}


def _values(
    database: Database[dict[str, Any]], collection: str, paths: set[str], fixed: dict[str, Any], count: int
) -> list[dict[str, Any]]:
    fields = {path.partition(".")[0]: 1 for path in paths}
    there: dict[str, Any] = {path: {"$nin": [None, []]} for path in paths}
    matches: list[dict[str, Any]] = [fixed, {"$and": [fixed, there]} if fixed else there]
    for match in matches:  # the second looks through all documents, the first need not
        first = [{"$match": match}] if match else []
        pipeline = [*first, {"$sample": {"size": _SPARE * count}}, {"$project": fields}]
        drawn = (_picked(document, paths) for document in database[collection].aggregate(pipeline))
        whole = [values for values in drawn if len(values) == len(paths)]
        if len(whole) >= count:
            break
    return whole[:count]


def _picked(document: dict[str, Any], paths: set[str]) -> dict[str, Any]:
    """Return the values at the paths that have one; those in one array are of one element."""
    positions: dict[str, float] = {}
    return {path: value for path in sorted(paths) if (value := _at(document, path, positions)) is not None}


def _at(document: Any, path: str, positions: dict[str, float]) -> Any:
    value, walked = document, ""
    for name in [*path.split("."), ""]:
        if isinstance(value, list):
            if not value:
                return None
            share = positions.setdefault(walked, random.random())  # noqa: S311
            value = value[int(share * len(value))]
        if name:
            value = value.get(name) if isinstance(value, dict) else None
            walked = f"{walked}.{name}"
    return value


def _bound(query: Query, values: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> Query:
    def filled(value: Any) -> Any:
        if isinstance(value, Sample):
            collection, path = place_of(value, names)
            return values[collection][path]
        if isinstance(value, Mapping):
            return {name: filled(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [filled(each) for each in value]
        return value

    return query.model_copy(update={part: filled(getattr(query, part)) for part in _PARTS})
