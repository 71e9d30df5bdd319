"""Rules on how indexes and queries fit, by the model of MongoDB's index selection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mimiod.checking import index_model
from mimiod.checking.reading import joins, reading
from mimiod.checking.rules.context import SMALL, Explained, stages
from mimiod.checking.rules.indexes import declared, few_values, is_ordered
from mimiod.checking.rules.registry import RULES, Threshold, rule
from mimiod.schema_types import Query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.checking.index_model import PlanModel
    from mimiod.checking.reading import Reading
    from mimiod.checking.rules.context import Context, Planned
    from mimiod.checking.rules.registry import Found
    from mimiod.schema_types import IndexDefinition

_KEYS = Threshold("keys read for each document returned", 1.5)
_DOCUMENTS = Threshold("documents looked at for each returned", 10)
_NOTHING = Explained()
_BOUNDED = frozenset({"point", "points", "range", "prefix", "text", "geo", "near"})
_BEFORE_EQUALITY = frozenset({"range", "poor", "sort", "unbounded"})

_SORTS = "tutorial/sort-results-with-indexes/"


@rule(
    "missing-index",
    "error",
    "schema workload",
    "a query without an index",
    reason="Without an index that begins with one of its conditions, the query reads the whole collection.",
    example='`filter={"phone": …}` on customers without an index on `phone`',
    mend="make an index: fields compared for equality first, then those of the sort, then ranges",
    page="tutorial/create-indexes-to-support-queries/",
    threshold=SMALL,
)
def _missing_index(context: Context) -> Iterator[Found]:
    for each in context.plans:
        if _is_unbounded(each) and not _without_collation(each):
            whole = f"all of index {each.plan.index!r}" if each.plan.index else "the whole collection"
            yield f"query {each.query.name}", f"it reads {whole}"


@rule(
    "collation-mismatch",
    "warning",
    "schema workload",
    "a query whose collation no index has",
    reason="An index is ordered by its own collation, and serves comparisons of text by that one only.",
    example="`collation={'locale': 'en', 'strength': 2}` on a query, none on the index",
    mend="give index and query the same collation, or the collection a default one",
    page="core/index-case-insensitive/",
)
def _collation_mismatch(context: Context) -> Iterator[Found]:
    for each in context.plans:
        if _is_unbounded(each) and (without := _without_collation(each)):
            yield f"query {each.query.name}", f"{without.index!r} has another collation"


@rule(
    "esr-order",
    "warning",
    "schema workload",
    "an index in another order than equality, sort, range",
    reason="What stands behind a range in an index is neither bounded nor in order: the query reads keys "
    "that "
    "it does not want, or sorts in memory.",
    example='`{placed_at: 1, customer_id: 1}` for `{"customer_id": …, "placed_at": {"$gt": …}}`',
    mend="put the fields compared for equality first, then those of the sort, then ranges",
    page="tutorial/equality-sort-range-guideline/",
)
def _esr_order(context: Context) -> Iterator[Found]:
    for each in context.plans:
        late = _equality_after_range(each.plan)
        if late or (each.plan.sort == "blocking" and _reordered_serves(each)):
            text = f"{late!r}, compared for equality," if late else "what is sorted by"
            text += " stands behind a field that is not compared for equality"
            yield f"query {each.query.name}", f"in {each.plan.index!r} {text}"


@rule(
    "sort-direction",
    "warning",
    "schema workload",
    "a sort in directions that the index does not have",
    reason="An index gives its order forwards or backwards, all fields at once: `{a: 1, b: 1}` serves "
    "`{a: -1, b: -1}` and not `{a: 1, b: -1}`.",
    example='`sort={"status": 1, "at": -1}` with `{status: 1, at: 1}`',
    mend="give the index the sort's directions, or all of them turned round",
    page=_SORTS,
)
def _sort_direction(context: Context) -> Iterator[Found]:
    for each in context.plans:
        if index := _turned_serves(each):
            yield f"query {each.query.name}", f"{index!r} has its sort's fields in other directions"


@rule(
    "blocking-sort",
    "warning",
    "schema workload",
    "a sort that no index gives",
    reason="The server collects everything that matches before it can return the first document; over 100 MB "
    "it goes to disk or fails.",
    example='`filter={"customer_id": …}, sort={"placed_at": -1}` with `{customer_id: 1}`',
    mend="append the sort's fields to the index, behind those compared for equality",
    page=_SORTS,
)
def _blocking_sort(context: Context) -> Iterator[Found]:
    for each in context.plans:
        explained = (
            each.few_documents or _is_unbounded(each) or _turned_serves(each) or _reordered_serves(each)
        )
        if each.plan.sort == "blocking" and not explained:
            fields = ", ".join(path for path, _ in each.read.sort)
            yield f"query {each.query.name}", f"it sorts by {fields} in memory"


@rule(
    "unused-index",
    "warning",
    "schema workload",
    "an index that no query uses",
    reason="An index costs memory and time at each write; one that serves no query gives nothing back.",
    example="an index on `city` where nobody asks by city",
    mend="remove it, or declare the query that needs it",
    page="data-modeling/design-antipatterns/unnecessary-indexes/",
)
def _unused_index(context: Context) -> Iterator[Found]:
    used = _used(context)
    redundant = {where for where, _ in RULES["redundant-index"].judge(context)}
    for name, collection, _, index in declared(context):
        where = f"{name}:{index.name}"
        enforces = index.unique or index.ttl_seconds is not None or index.hidden
        first = next(iter(index.keys))
        shards = first in list(collection.shard_key or {})[:1]
        apart = enforces or shards or where in redundant or _is_followed_back(context, name, first)
        if context.workload and not apart and (name, index.name) not in used:
            yield where, "no query or write of the workload uses it"


@rule(
    "unselective-first-key",
    "warning",
    "schema workload data",
    "a query that bounds only an index's first field, which has few values",
    reason="A condition on a field of few values leads to a large part of the collection, and the fields "
    "behind "
    "it do not help a query that does not name them.",
    example='`{"status": "done"}` by the index `{status: 1, placed_at: -1}`, without the sort or a limit',
    mend="add a condition on the next field, use the index's order with a limit, or make the index partial",
    page="tutorial/create-queries-that-ensure-selectivity/",
)
def _unselective_first_key(context: Context) -> Iterator[Found]:
    for each in context.plans:
        plan, name = each.plan, each.query.collection
        index = next((one for one in each.collection.indexes if one.name == plan.index), None)
        if plan.scan != "index" or index is None or len(plan.keys) == 1 or each.read.limit is not None:
            continue
        only_first = plan.keys[0].role == "equality" and all(key.role == "unbounded" for key in plan.keys[1:])
        path = plan.keys[0].field
        values = few_values(context, name, context.shapes[name], path)
        if only_first and values is not None and not (index.unique or index.partial_filter or plan.covered):
            text = f"query {each.query.name!r} uses it by {path!r} alone, which has {values} values"
            yield f"{name}:{index.name}", text


@rule(
    "keys-examined",
    "error",
    "workload explain",
    "a query of high priority that reads more of an index than it returns",
    reason="An index that fits leads to what is asked for and nothing else; every further key is work that "
    "grows with the data.",
    example="1,000 keys read for 10 documents, since the second condition is not in the index",
    mend="bound more of the index's fields: those compared for equality first",
    page="tutorial/analyze-query-plan/",
    threshold=_KEYS,
)
def _keys_examined(context: Context) -> Iterator[Found]:
    for query in context.workload:
        ratio = context.explained.get(query.name, _NOTHING).keys_per_returned
        if ratio is not None and ratio > _KEYS.value and query.priority == "high":
            yield f"query {query.name}", f"it reads {ratio:.1f} keys for each document that it returns"


@rule(
    "documents-examined",
    "warning",
    "workload explain",
    "a query that looks at many documents for each that it returns",
    reason="A document that is fetched and thrown away costs as much as one that is returned.",
    example="5,000 documents looked at for 20 in the answer",
    mend="put the condition that throws them away into the index",
    page="reference/explain-results/",
    threshold=_DOCUMENTS,
)
def _documents_examined(context: Context) -> Iterator[Found]:
    for query in context.workload:
        ratio = context.explained.get(query.name, _NOTHING).documents_per_returned
        if ratio is not None and ratio > _DOCUMENTS.value and query.action == "find":
            yield f"query {query.name}", f"it looks at {ratio:.1f} documents for each that it returns"


@rule(
    "slow-query",
    "note",
    "workload explain",
    "a query that takes longer than it may",
    reason="The design promises a latency; a machine where it does not hold is worth a look.",
    example="`latency_ms=20`, and 80 ms measured",
    mend="look at its plan, then measure it where it will run",
    page="reference/explain-results/",
)
def _slow_query(context: Context) -> Iterator[Found]:
    for query in context.workload:
        took = context.explained.get(query.name, _NOTHING).milliseconds
        if took is not None and query.latency_ms is not None and took > query.latency_ms:
            yield f"query {query.name}", f"it took {took:.1f} ms and may take {query.latency_ms:g} ms"


def _is_unbounded(each: Planned) -> bool:
    """Whether a query has conditions that an index could bound, and none does."""
    if each.few_documents:
        return False
    filters = each.read.filter
    branches = [branch for alternatives in filters.alternatives for branch in alternatives]
    asked = [*filters.predicates, *(one for branch in branches for one in branch.predicates)]
    left = [one for one in asked if one.kind in _BOUNDED]
    if any(one.path == each.collection.options.get("timeseries", {}).get("timeField") for one in left):
        return False  # the buckets of a time series lie in the order of their times
    if each.plan.scan == "index":
        # An index walked for its order only; what its own filter holds is not left to be looked at.
        left = [one for one in left if one.path in each.plan.residual]
        return bool(left) and all(key.role in {"sort", "unbounded"} for key in each.plan.keys)
    return bool(left) and each.plan.scan == "collection"


def _without_collation(each: Planned) -> PlanModel | None:
    """Return the plan by an index of another collation, if that is all that stands in the way."""
    for index in each.collection.indexes:
        if index.collation != each.read.collation:
            read = replace(each.read, collation=index.collation or {"locale": "simple"})
            found = index_model.choose(read, each.collection)
            if not _is_unbounded(replace(each, plan=found)):
                return found
    return None


def _equality_after_range(plan: PlanModel) -> str | None:
    roles = [key.role for key in plan.keys]
    bounded = [position for position, role in enumerate(roles) if role == "equality"]
    if plan.scan != "index" or not bounded or not set(roles[: bounded[-1]]) & _BEFORE_EQUALITY:
        return None
    return plan.keys[bounded[-1]].field


def _reordered_serves(each: Planned) -> bool:
    """Whether the plan's index, in the order equality, sort, range, would give the query's order."""
    index = next((one for one in each.collection.indexes if one.name == each.plan.index), None)
    by = dict(each.read.sort)
    if index is None or not is_ordered(index) or not by.keys() <= index.keys.keys():
        return False
    fixed = {key.field for key in each.plan.keys if key.role == "equality"}
    order: dict[str, int | str] = {
        path: way for path, way in index.key_pairs() if path in fixed and path not in by
    }
    order |= by
    order |= {path: way for path, way in index.key_pairs() if path not in order}
    return list(order) != list(index.keys) and _serves(each, index, order)


def _turned_serves(each: Planned) -> str | None:
    """Return the index that would give the query's order, were its directions those of the sort."""
    by = dict(each.read.sort)
    for index in each.collection.indexes if each.plan.sort == "blocking" else ():
        if is_ordered(index) and by.keys() <= index.keys.keys():
            turned = {path: by.get(path, way) for path, way in index.key_pairs()}
            if turned != dict(index.key_pairs()) and _serves(each, index, turned):
                return index.name
    return None


def _serves(each: Planned, index: IndexDefinition, keys: Mapping[str, int | str]) -> bool:
    """Whether the query's order would come from an index, if this one had these keys."""
    changed = index.model_copy(update={"keys": dict(keys)})
    indexes = [changed if one is index else one for one in each.collection.indexes]
    read, collection = each.read, each.collection.model_copy(update={"indexes": indexes})
    return index_model.choose(read, collection).sort != "blocking"


def _used(context: Context) -> set[tuple[str, str]]:
    found = {(each.query.collection, name) for each in context.plans for name in each.plan.indexes}
    inside = [each for query in context.workload for each in (*joins(query), *_inner(query.pipeline))]
    for read in inside:
        if read.collection in context.collections:
            plan = index_model.choose(read, context.indexed[read.collection])
            found |= {(read.collection, name) for name in plan.indexes}
    return found


def _inner(pipeline: list[dict[str, Any]]) -> Iterator[Reading]:
    """Yield what the pipelines inside a pipeline read of other collections."""
    for name, argument in stages(pipeline):
        other = argument.get("from" if name == "$lookup" else "coll") if isinstance(argument, dict) else None
        if name in {"$lookup", "$unionWith"} and other and argument.get("pipeline"):
            inner = Query(
                name=name, collection=other, action="aggregate", pipeline=argument["pipeline"], per_minute=1
            )
            if read := reading(inner):
                yield read


def _is_followed_back(context: Context, name: str, path: str) -> bool:
    """Whether computed values or deletions follow the reference at a path from what it names."""
    reference = context.references[name].get(path)
    if reference is None:
        return False
    computed = context.computed[reference.collection].values()
    return any(mark.of.partition(".")[0] == name for mark in computed) or any(
        query.action == "delete" for query in context.writes(reference.collection)
    )
