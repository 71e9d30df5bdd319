"""What a server says of a query: its `explain`, read alike whatever engine wrote it.

The formats: MongoDB's classic and slot-based engines
(https://www.mongodb.com/docs/manual/reference/explain-results/), sharded or not, and what stand-ins make of
them. Pipelines come as one plan, or as `stages` with the plan in the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod.checking.reading import stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

    from mimiod.schema_types import Query

_COLLECTION_SCANS = frozenset({"COLLSCAN", "CLUSTERED_IXSCAN"})
_AFTER_ACCESS = frozenset({
    "GROUP", "SORT", "SORT_SIMPLE", "SORT_DEFAULT", "LIMIT", "SKIP", "PROJECTION_DEFAULT",
    "PROJECTION_SIMPLE",
    "UNWIND", "EQ_LOOKUP", "EQ_LOOKUP_UNWIND", "WINDOW", "MATCH", "SUBPLAN", "SHARDING_FILTER", "SUBSCAN",
})  # fmt: skip
"Stages that take what the access to the collection delivers."
_WRITES = frozenset({"$out", "$merge"})
_ID_HACKS = frozenset({"IDHACK", "EXPRESS_CLUSTERED_IXSCAN"})


@dataclass(frozen=True)
class Evidence:
    """How a server answered a query once."""

    indexes: tuple[str, ...]
    scans_collection: bool
    sorts: bool | None
    "Whether it sorts what it read; None where it does not say."
    returned: int | None
    "Documents; of a pipeline, those that went into its first stage that is no match, sort or limit."
    keys: int | None
    documents: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


def explain(database: Database[dict[str, Any]], query: Query) -> Evidence | None:
    """Return what the server says of a query without Samples; None where it cannot explain it.

    Nothing is written: an update or deletion is explained as the search for what it changes.
    """
    for verbosity in ("executionStats", "queryPlanner"):
        try:
            answer = database.command("explain", command(query), verbosity=verbosity)
        except pymongo.errors.OperationFailure:
            continue
        return evidence(answer, query)
    return None


def command(query: Query) -> dict[str, Any]:
    """Return the command of a query, without what it would write."""
    if query.action == "aggregate":
        common: dict[str, Any] = {
            "aggregate": query.collection,
            "pipeline": reading_stages(query),
            "cursor": {},
        }
    else:
        common = {"find": query.collection, "filter": query.filter}
        common |= {"sort": query.sort} if query.sort else {}
        common |= {"projection": query.projection} if query.projection else {}
        common |= {"limit": query.limit} if query.limit else {}
    return common | ({"collation": query.collation} if query.collation else {})


def reading_stages(query: Query) -> list[dict[str, Any]]:
    """Return the pipeline of an aggregation but for a last stage that writes."""
    return [stage for stage in stages(query) if not stage.keys() & _WRITES]


def evidence(answer: Mapping[str, Any], query: Query) -> Evidence:
    """Return what an explain's answer says."""
    plans = [whole.get("queryPlan", whole) for whole in _named("winningPlan", answer)]
    nodes = [node for plan in plans for node in _nodes(plan)]
    names = [node["stage"] for node in nodes]
    indexes = [node["indexName"] for node in nodes if "indexName" in node]
    indexes += ["_id_" for name in names if name in _ID_HACKS]
    statistics = _statistics(answer)
    delivered = _total("nReturned", statistics)
    if query.action == "aggregate" and "stages" not in answer and plans:
        delivered = _delivered(plans[0], statistics) or delivered
    sorts: bool | None = any(name.startswith("SORT") and name != "SORT_MERGE" for name in names)
    after = [next(iter(stage)) for stage in answer.get("stages", [])[1:]]
    if not sorts and "$sort" in after[: after.index("$group") if "$group" in after else None]:
        echoed = after == [next(iter(stage)) for stage in reading_stages(query)]
        sorts = None if echoed and "$match" in after[:1] else True
    return Evidence(
        tuple(dict.fromkeys(indexes)),
        any(name in _COLLECTION_SCANS for name in names),
        sorts,
        delivered,
        _total("totalKeysExamined", statistics),
        _total("totalDocsExamined", statistics),
    )


def _named(name: str, value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the innermost mappings of that name, but for those in plans that were rejected."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "rejectedPlans":
                continue
            inner = list(_named(name, each))
            if key == name and not inner and isinstance(each, Mapping):
                yield each
            yield from inner
    elif isinstance(value, list):
        for each in value:
            yield from _named(name, each)


def _nodes(plan: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the stages of a plan, from the result down."""
    if isinstance(plan, Mapping):
        if isinstance(plan.get("stage"), str):
            yield plan
        for each in plan.values():
            yield from _nodes(each)
    elif isinstance(plan, list):
        for each in plan:
            yield from _nodes(each)


def _statistics(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    whole = answer.get("executionStats")
    return [whole] if isinstance(whole, Mapping) else list(_named("executionStats", answer))


def _total(name: str, statistics: list[Mapping[str, Any]]) -> int | None:
    found = [int(each[name]) for each in statistics if name in each]
    return sum(found) if found else None


def _delivered(plan: Mapping[str, Any], statistics: list[Mapping[str, Any]]) -> int | None:
    """Return how many documents came out of the access to the collection."""
    node = next((each for each in _nodes(plan) if each["stage"] not in _AFTER_ACCESS), None)
    if node is None:
        return None
    key = "planNodeId" if "planNodeId" in node else "stage"
    for each in statistics:
        for stage in _nodes(each.get("executionStages", {})):
            if stage.get(key) == node[key] and "nReturned" in stage:
                return int(stage["nReturned"])
    return None
