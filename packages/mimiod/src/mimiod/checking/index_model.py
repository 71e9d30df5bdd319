"""A model of how MongoDB selects an index, which holds whatever the server at hand does.

Sources: compound indexes and prefixes
(https://www.mongodb.com/docs/manual/core/indexes/index-types/index-compound/), equality-sort-range
(https://www.mongodb.com/docs/manual/tutorial/equality-sort-range-guideline/), sorts
(https://www.mongodb.com/docs/manual/tutorial/sort-results-with-indexes/), covered queries
(https://www.mongodb.com/docs/manual/core/query-optimization/#covered-query). MongoDB tries the plans that
are possible on the data; the model ranks them: more fields by equality, then the order from the index,
then ranges, then no look at the documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mimiod.checking.index_scans import Collated, KeyUse, Scan, normal_collation, scan_of
from mimiod.checking.predicates import Filter
from mimiod.checking.reading import Reading, reading
from mimiod.schema_types import IndexDefinition

if TYPE_CHECKING:
    from mimiod.schema_types import BaseCollectionSchema, Query

Sorting = Literal["none", "index", "merge", "blocking"]

ID_INDEX = IndexDefinition(keys={"_id": 1}, name="_id_", unique=True)


@dataclass(frozen=True)
class PlanModel:
    """How MongoDB would answer a query."""

    scan: Literal["index", "union", "collection"]
    "`union`: the branches of an `$or`, each by an index."
    indexes: tuple[str, ...] = ()
    keys: tuple[KeyUse, ...] = ()
    "What each field of the index does, in their order."
    backward: bool = False
    sort: Sorting = "none"
    "`merge`: several scans, one for each value of an `$in` or branch of an `$or`, merged in order."
    covered: bool = False
    "Whether no document is looked at."
    tight: bool = False
    "Whether what the bounds hold is what is returned: about one key examined for each."
    residual: tuple[str, ...] = ()
    "Paths and operators that only a look at each key or document decides."
    branches: tuple[PlanModel, ...] = ()
    why: str = ""

    @property
    def index(self) -> str | None:
        """The index by name, None of a collection scan."""
        return " | ".join(dict.fromkeys(self.indexes)) or None

    @property
    def is_bounded(self) -> bool:
        """Whether only a part of an index is read."""
        return self.scan == "union" or any(key.role not in {"sort", "unbounded"} for key in self.keys[:1])


def plan(query: Query, collection: BaseCollectionSchema) -> PlanModel | None:
    """Return how MongoDB would answer a query with the collection's indexes, None of an insertion."""
    read = reading(query)
    return None if read is None else choose(read, collection)


def choose(read: Reading, collection: BaseCollectionSchema) -> PlanModel:
    """Return how MongoDB would answer what is read."""
    default = collection.options.get("collation")
    about = Collated(
        collection.document_schema, normal_collation(default), normal_collation(read.collation or default)
    )
    if read.filter.is_empty and not read.sort and read.needed is None:
        return PlanModel("collection", why="all documents are asked for")
    found = _Search([ID_INDEX, *collection.indexes], about, read).best(read.filter)
    return found.plan


@dataclass(frozen=True)
class _Ranked:
    """A plan, and what speaks for it."""

    plan: PlanModel
    rank: tuple[Any, ...]
    bounded: bool


class _Search:
    """The search for the best plan of one reading."""

    def __init__(self, indexes: list[IndexDefinition], about: Collated, read: Reading) -> None:
        self.indexes = indexes
        self.about = about
        self.read = read

    def best(self, conditions: Filter) -> _Ranked:
        """Return the best plan for these conditions."""
        refused: list[str] = []
        bounded: list[_Ranked] = []
        whole: list[_Ranked] = []
        for index in self.indexes:
            scan = scan_of(index, conditions, self.about, self.read)
            if isinstance(scan, str):
                refused.append(f"{index.name}: {scan}")
            elif scan.bounded:
                bounded.append(self.ranked(scan))
            elif scan.sort in {"index", "merge"} or (scan.covered and not self.read.sort):
                whole.append(self.ranked(scan))
            else:
                refused.append(f"{index.name}: its first field is neither in the filter nor in the sort")
        bounded += self.unions(conditions)
        # A whole index is walked for its order only where no other plan gives it.
        in_order = self.read.sort and any(each.plan.sort != "blocking" for each in bounded)
        candidates = bounded if in_order else [*bounded, *whole]
        if not self.read.sort and bounded:
            candidates = bounded
        if not candidates:
            why = "; ".join(refused)
            sort: Sorting = "blocking" if self.read.sort else "none"
            plan = PlanModel("collection", sort=sort, residual=_paths(conditions), why=why)
            return _Ranked(plan, (), bounded=False)
        return max(candidates, key=lambda each: each.rank)

    def ranked(self, scan: Scan) -> _Ranked:
        limited = self.read.limit is not None
        # Without bounds, order from the index means a walk over all of it: good for the first few only.
        in_order = scan.sort != "blocking" and (scan.bounded or limited or bool(scan.held))
        plan = PlanModel(
            "index",
            (scan.index.name,),
            scan.keys,
            scan.backward,
            scan.sort,
            scan.covered,
            scan.tight,
            scan.residual,
            why=_reason(scan),
        )
        only_one = scan.index.unique and all(key.role == "equality" for key in scan.keys)
        rank = (
            only_one,
            scan.points,
            in_order,
            scan.bounded,
            scan.ranges,
            scan.covered,
            -len(scan.keys),
            True,
        )
        return _Ranked(plan, rank, bounded=scan.bounded)

    def unions(self, conditions: Filter) -> list[_Ranked]:
        """Return the plans that answer each branch of an `$or` by an index.

        https://www.mongodb.com/docs/manual/reference/operator/query/or/#or-clauses-and-indexes
        """
        found = []
        for number, branches in enumerate(conditions.alternatives):
            others = conditions.alternatives[:number] + conditions.alternatives[number + 1 :]
            rest = Filter(conditions.predicates, others, conditions.opaque)
            parts = [self.best(branch.joined(rest)) for branch in branches]
            if all(part.bounded for part in parts):
                found.append(self.union(parts))
        return found

    def union(self, parts: list[_Ranked]) -> _Ranked:
        plans = tuple(part.plan for part in parts)
        sort: Sorting = "none"
        if self.read.sort:
            sort = "blocking" if any(each.sort == "blocking" for each in plans) else "merge"
        plan = PlanModel(
            "union",
            tuple(name for each in plans for name in each.indexes),
            sort=sort,
            tight=all(each.tight for each in plans),
            residual=tuple(dict.fromkeys(path for each in plans for path in each.residual)),
            branches=plans,
            why="each branch of $or by an index: " + "; ".join(each.why for each in plans),
        )
        least = min(part.rank for part in parts)
        return _Ranked(plan, (*least[:2], sort != "blocking", *least[3:-1], False), bounded=True)


def _paths(conditions: Filter) -> tuple[str, ...]:
    paths = [*(each.path or f"${each.kind}" for each in conditions.predicates), *conditions.opaque]
    return tuple(dict.fromkeys([*paths, *("$or" for _ in conditions.alternatives)]))


def _reason(scan: Scan) -> str:
    said = {
        "equality": "by equality",
        "points": "by a list of values",
        "range": "by a range",
        "poor": "with bounds that hold most of it",
        "sort": "for the order",
        "text": "by its words",
        "geo": "by place",
    }
    parts = [f"{key.field} {said[key.role]}" for key in scan.keys if key.role in said]
    if scan.held:
        parts.append(f"{', '.join(scan.held)} by the index's filter")
    if scan.sort == "blocking":
        parts.append("sorted afterwards")
    if scan.covered:
        parts.append("without a look at the documents")
    return f"{scan.index.name}: {', '.join(parts) or 'all of it'}"
