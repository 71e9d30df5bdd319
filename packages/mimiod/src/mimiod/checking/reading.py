"""What a query reads: its filter, order, limit and fields, whether it is a find, a write or a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mimiod.checking.predicates import Filter, Predicate, parse
from mimiod.schema_types import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.schema_types import Query


@dataclass(frozen=True)
class Reading:
    """What a query asks of one collection."""

    collection: str
    filter: Filter = field(default_factory=Filter)
    sort: tuple[tuple[str, int], ...] = ()
    limit: int | None = None
    needed: frozenset[str] | None = None
    "The paths that it needs of a document; None is all of it."
    collation: Mapping[str, Any] | None = None


def reading(query: Query) -> Reading | None:
    """Return what a query reads first; None of an insertion.

    Of a pipeline that is what stands before the first stage that makes documents of its own: MongoDB
    pushes it down to the indexes
    (https://www.mongodb.com/docs/manual/core/aggregation-pipeline-optimization/#indexes).
    """
    if query.action == "insert":
        return None
    plain = Reading(
        query.collection,
        parse(query.filter),
        tuple(query.sort.items()),
        query.limit,
        _needed_by_projection(query.projection, query.filter),
        query.collation,
    )
    if query.action != "aggregate":
        return plain if query.action == "find" else replace(plain, needed=None)
    return _of_pipeline(stages(query), plain)


def stages(query: Query) -> list[dict[str, Any]]:
    """Return the pipeline of an aggregation, its filter, sort and limit as stages before it."""
    before: list[dict[str, Any]] = []
    if query.filter:
        before.append({"$match": query.filter})
    if query.sort:
        before.append({"$sort": query.sort})
    if query.limit:
        before.append({"$limit": query.limit})
    return [*before, *query.pipeline]


def joins(query: Query) -> list[Reading]:
    """Return what the `$lookup`s and `$graphLookup`s of a pipeline read, once for each document."""
    found = []
    for stage in query.pipeline:
        join = stage.get("$lookup") or stage.get("$graphLookup")
        if join is None:
            continue
        joined = join.get("foreignField") or join.get("connectToField")
        source = join.get("from")
        if isinstance(joined, str) and isinstance(source, str):
            condition = parse({joined: Sample(f"{source}.{joined}")})
            found.append(Reading(source, condition, collation=query.collation))
    return found


def _of_pipeline(pipeline: list[dict[str, Any]], plain: Reading) -> Reading:
    read = replace(plain, filter=Filter(), sort=(), limit=None, needed=_needed_by_pipeline(pipeline))
    for stage in pipeline:
        ((name, operand),) = stage.items()
        if name == "$match" and read.limit is None:
            read = replace(read, filter=read.filter.joined(parse(operand)))
        elif name == "$sort" and not read.sort and read.limit is None:
            by = tuple((path, way) for path, way in operand.items() if not isinstance(way, Mapping))
            read = replace(read, sort=by)
        elif name == "$limit":
            read = replace(read, limit=min(operand, read.limit or operand))
        elif name == "$geoNear":
            near = Predicate(operand.get("key", ""), "near", exact=False)
            read = replace(read, filter=parse(operand.get("query", {})).joined(Filter((near,))))
        elif name in {"$search", "$vectorSearch", "$searchMeta"}:
            return replace(read, filter=Filter(opaque=(name,)))
        elif name != "$skip":
            break
    return read


def _needed_by_projection(
    projection: Mapping[str, Any] | None, query_filter: Mapping[str, Any]
) -> frozenset[str] | None:
    if not projection:
        return None
    included = {path for path, value in projection.items() if value and not isinstance(value, Mapping)}
    if not included - {"_id"} and not (included and len(projection) == 1):
        return None  # what is left out says nothing of what there is
    computed = {path for value in projection.values() for path in _references(value)}
    identifier = {"_id"} if projection.get("_id", 1) else set()
    return frozenset(included | computed | identifier | set(_filtered(parse(query_filter))))


def _needed_by_pipeline(pipeline: list[dict[str, Any]]) -> frozenset[str] | None:
    needed: set[str] = set()
    for stage in pipeline:
        ((name, operand),) = stage.items()
        if name == "$match":
            needed.update(_filtered(parse(operand)))
        elif name == "$sort":
            needed.update(operand)
        elif name == "$count":
            return frozenset(needed)
        elif name == "$project":
            projected = _needed_by_projection(operand, {})
            return None if projected is None else frozenset(needed | projected)
        elif name == "$group":
            needed.update(_references(operand))
            return None if "" in needed else frozenset(needed)
        elif name == "$lookup":
            needed.update({operand.get("localField", ""), *_references(operand.get("let", {}))})
        else:
            needed.update(_references(operand))
    return None


def _references(expression: Any) -> Iterator[str]:
    """Yield the paths that an expression names, `""` for the whole document."""
    if isinstance(expression, Mapping):
        for each in expression.values():
            yield from _references(each)
    elif isinstance(expression, list | tuple):
        for each in expression:
            yield from _references(each)
    elif isinstance(expression, str) and expression.startswith("$"):
        variable, _, path = expression.partition(".")
        if variable in {"$$ROOT", "$$CURRENT"}:
            yield path
        elif not variable.startswith("$$"):
            yield expression[1:]


def _filtered(conditions: Filter) -> Iterator[str]:
    yield from (each.path for each in conditions.predicates)
    yield from conditions.opaque
    for branches in conditions.alternatives:
        for branch in branches:
            yield from _filtered(branch)
