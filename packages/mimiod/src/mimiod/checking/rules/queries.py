"""Rules on the queries of the workload, as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.checking import predicates
from mimiod.checking.rules.context import HOT, conditions, filter_of, is_hot, stages
from mimiod.checking.rules.registry import Threshold, rule
from mimiod.schema_types import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.checking.rules.context import Context
    from mimiod.checking.rules.registry import Found
    from mimiod.schema_types import Query

_SKIPPED = Threshold("documents skipped", 1_000)
_LISTED = Threshold("values of `$in`", 100)
_MATCHED = Threshold("documents of an average answer", 1_000)
_WHOLE = Threshold("average document", 16 * 1024, "bytes")

_CODE = frozenset({"$where", "$function", "$accumulator"})
_RESHAPING = frozenset({"$unwind", "$lookup", "$project", "$addFields", "$set", "$unset", "$replaceRoot"})
_OF_OLD_FIELDS = frozenset({"$unset", "$rename"})
_ANCHORS = ("^", "\\A")
_LOOKUPS = {"$lookup": "foreignField", "$graphLookup": "connectToField"}


@rule(
    "no-workload",
    "warning",
    "schema workload",
    "a schema without a workload",
    reason="A MongoDB schema is designed for its queries; without them nobody can say whether an index is "
    "missing or what belongs together.",
    example="`BaseMongoDbSchema(...)` without `workload`",
    mend="declare the queries and writes, each with how often it is asked",
    page="data-modeling/schema-design-process/identify-workload/",
)
def _no_workload(context: Context) -> Iterator[Found]:
    if not context.schema.workload:
        yield context.schema.database_name, "no query says what it is designed for"


@rule(
    "query-unknown-field",
    "error",
    "schema workload",
    "a query on a field or a collection that there is not",
    reason="MongoDB answers with nothing instead of an error: a misspelt filter finds no document, a "
    "misspelt "
    "update adds a field.",
    example='`filter={"costumer_id": Sample("customers._id")}`',
    mend="name the field as the model does",
    page="tutorial/query-documents/",
)
def _query_unknown_field(context: Context) -> Iterator[Found]:
    for query in context.schema.workload:
        if query.collection not in context.collections:
            yield f"query {query.name}", f"there is no collection {query.collection!r}"
            continue
        shape = context.shapes[query.collection]
        for path in dict.fromkeys(_paths(query)):
            if not shape.has(path):
                yield f"query {query.name}", f"{query.collection!r} has no field {path!r}"
        for collection, field in dict.fromkeys(_elsewhere(query)):
            if collection not in context.collections:
                yield f"query {query.name}", f"there is no collection {collection!r}"
            elif field and not context.shapes[collection].has(field):
                yield f"query {query.name}", f"{collection!r} has no field {field!r}"


@rule(
    "lookup-on-hot-path",
    "warning",
    "workload",
    "`$lookup` in a query that is asked often",
    reason="Each `$lookup` is a query for every document that reaches it; what is always read together "
    "belongs "
    "in one document.",
    example="the home screen joins customers with loans 3,000 times a minute",
    mend="embed what is read, or keep a copy of the few fields (extended reference)",
    page="data-modeling/design-antipatterns/reduce-lookup-operations/",
    threshold=HOT,
)
def _lookup_on_hot_path(context: Context) -> Iterator[Found]:
    for query in context.reads:
        names = {name for name, _ in _joins(query)}
        if names and is_hot(query):
            joined = ", ".join(sorted(map(repr, names)))
            yield f"query {query.name}", f"it joins {joined} {query.per_minute:,.0f} times a minute"


@rule(
    "lookup-unindexed",
    "error",
    "schema workload",
    "`$lookup` into a field without an index",
    reason="Without an index the whole other collection is read once for every document that is joined.",
    example='`{"$lookup": {"from": "orders", "foreignField": "customer_id", …}}`, no index on it',
    mend="index the foreign field",
    page="reference/operator/aggregation/lookup/",
)
def _lookup_unindexed(context: Context) -> Iterator[Found]:
    for query in context.reads:
        for joined, field in _joins(query):
            collection = context.collections.get(joined)
            if collection is None or field in {"", "_id"} or not context.shapes[joined].has(field):
                continue
            first = {next(iter(index.keys)) for index in collection.indexes if not index.partial_filter}
            if field not in first:
                yield f"query {query.name}", f"it joins by {joined}.{field}, and no index begins with it"


@rule(
    "server-side-code",
    "warning",
    "workload",
    "JavaScript in a query",
    reason="JavaScript runs for every document, uses no index, and many deployments forbid it.",
    example='`{"$where": "this.a > this.b"}`',
    mend="say it with query operators or `$expr`",
    page="core/server-side-javascript/",
)
def _server_side_code(context: Context) -> Iterator[Found]:
    for query in context.workload:
        if used := sorted(_CODE & set(_keys([query.filter, query.pipeline, query.update]))):
            yield f"query {query.name}", f"it runs {', '.join(used)}"


@rule(
    "expression-only-filter",
    "warning",
    "workload",
    "a hot query that selects by `$expr` alone",
    reason="An expression over two fields is computed for every document; an index bounds comparisons of a "
    "field with a constant only.",
    example='`{"$expr": {"$gt": ["$spent", "$budget"]}}` 500 times a minute',
    mend="store the outcome (`over_budget: bool`) and index it partially, or add an indexed condition",
    page="reference/operator/query/expr/",
    threshold=HOT,
)
def _expression_only_filter(context: Context) -> Iterator[Found]:
    for query in context.workload:
        asked = list(conditions(filter_of(query)))
        if asked and is_hot(query) and all(operator == "$expr" for _, operator, _ in asked):
            yield f"query {query.name}", "nothing in it can use an index"


@rule(
    "deep-skip",
    "warning",
    "workload",
    "paging by skipping many documents",
    reason="`$skip` walks over what it skips, so each page costs more than the one before.",
    example='`[{"$sort": {"at": -1}}, {"$skip": 50000}, {"$limit": 20}]`',
    mend="go on after the last value of the page before: `{at: {$lt: last}}` with the same sort",
    page="reference/method/cursor.skip/",
    threshold=_SKIPPED,
)
def _deep_skip(context: Context) -> Iterator[Found]:
    for query in context.reads:
        for name, argument in stages(query.pipeline):
            if name == "$skip" and isinstance(argument, int) and argument >= _SKIPPED.value:
                yield f"query {query.name}", f"it skips {argument:,} documents"


@rule(
    "large-in-list",
    "warning",
    "workload",
    "`$in` with very many values",
    reason="Each value is a walk down the index of its own; MongoDB's documentation recommends tens of "
    "values.",
    example='`{"_id": {"$in": [… 5,000 ids …]}}`',
    mend="ask in portions, or store the group on the documents and ask for the group",
    page="reference/operator/query/in/",
    threshold=_LISTED,
)
def _large_in_list(context: Context) -> Iterator[Found]:
    for query in context.workload:
        for path, operator, operand in conditions(filter_of(query)):
            listed = operator in {"$in", "$nin"} and isinstance(operand, list | tuple)
            if listed and len(operand) > _LISTED.value:
                yield f"query {query.name}", f"{path!r} is compared with {len(operand):,} values"


@rule(
    "negated-filter",
    "warning",
    "workload",
    "a filter that only says what is not wanted",
    reason="`$ne`, `$nin`, `$not` and `$exists` match nearly every document, so an index saves nothing.",
    example='`{"status": {"$ne": "done"}}`',
    mend='say what is wanted (`{"status": {"$in": ["open", "late"]}}`), or add a selective condition',
    page="core/query-optimization/",
)
def _negated_filter(context: Context) -> Iterator[Found]:
    for query in context.workload:
        parsed = predicates.parse(filter_of(query))
        apart = parsed.alternatives or set(parsed.opaque) - {"$nor"}
        kinds = {each.kind for each in parsed.predicates}
        negative = kinds <= {"negation", "exists"} and (kinds or parsed.opaque)
        if negative and not apart and query.action != "insert":
            yield f"query {query.name}", "no condition says which documents it is after"


@rule(
    "case-insensitive-regex",
    "warning",
    "workload",
    "a search without regard to case by regular expression",
    reason="A case-insensitive pattern has no bounds in an index: every key of it is read and compared.",
    example='`{"email": {"$regex": "^anna@", "$options": "i"}}`',
    mend="index with a collation of strength 1 or 2 and ask with the same, or store a lower-cased copy",
    page="core/index-case-insensitive/",
)
def _case_insensitive_regex(context: Context) -> Iterator[Found]:
    for query in context.workload:
        for path, pattern, ignores_case in _patterns(filter_of(query)):
            if ignores_case:
                yield f"query {query.name}", f"it searches {path!r} for {pattern!r} in any case"


@rule(
    "unanchored-regex",
    "warning",
    "workload",
    "a regular expression that may match anywhere",
    reason="Only a pattern that begins with `^` and plain letters bounds an index; any other is compared "
    "with "
    "every key.",
    example='`{"name": {"$regex": "son"}}`',
    mend="anchor the pattern, or use a text or search index",
    page="reference/operator/query/regex/",
)
def _unanchored_regex(context: Context) -> Iterator[Found]:
    for query in context.workload:
        for path, pattern, ignores_case in _patterns(filter_of(query)):
            if not ignores_case and not pattern.startswith(_ANCHORS):
                yield f"query {query.name}", f"it searches {path!r} for {pattern!r} at any place"


@rule(
    "unbounded-result",
    "warning",
    "workload data",
    "a hot query whose answer grows with the collection",
    reason="Without a limit, or a condition that only few documents meet, the answer grows until it does not "
    "fit into the time that the screen has.",
    example='`filter={"status": "open"}` without a limit, 1,000 times a minute',
    mend="add a `limit` with a sort, or select by a key",
    page="core/query-optimization/",
    threshold=_MATCHED,
)
def _unbounded_result(context: Context) -> Iterator[Found]:
    for query in context.reads:
        if query.action != "find" or query.limit is not None or not is_hot(query):
            continue
        parsed = predicates.parse(query.filter)
        fixed = {each.path for each in parsed.predicates if each.kind in {"point", "points"}}
        if not fixed and not parsed.alternatives:
            yield f"query {query.name}", "it has no limit, and no condition on a value"
        elif fixed and not _is_unique(context, query, fixed):
            found = context.facts.collections.get(query.collection)
            distinct = (
                [found.paths[path].distinct or 1 for path in fixed if path in found.paths] if found else []
            )
            if found and len(distinct) == len(fixed) and found.documents / max(distinct) > _MATCHED.value:
                average = found.documents / max(distinct)
                yield f"query {query.name}", f"it has no limit, and finds about {average:,.0f} documents"


@rule(
    "late-match",
    "warning",
    "workload",
    "a pipeline that selects after it has reshaped",
    reason="Only a `$match` at the start can use an index; after `$unwind` or `$lookup` it throws away "
    "what was "
    "made at full cost.",
    example='`[{"$unwind": "$items"}, {"$match": {"status": "open"}}]`',
    mend="begin the pipeline with the conditions on the collection's own fields",
    page="core/aggregation-pipeline-optimization/",
)
def _late_match(context: Context) -> Iterator[Found]:
    for query in context.reads:
        names = [name for stage in query.pipeline for name in stage]
        before = names[: names.index("$match")] if "$match" in names else []
        if before and not query.filter and set(before) <= _RESHAPING:
            yield f"query {query.name}", f"its `$match` comes after {before[-1]}"


@rule(
    "whole-document-read",
    "warning",
    "workload data",
    "a hot query that reads large documents whole",
    reason="Without a projection the whole document crosses the network each time; a screen needs a few "
    "fields.",
    example="the list of products, each with its 60 kB of description and reviews",
    mend="add a projection, or split off what lists do not show (subset pattern)",
    page="tutorial/project-fields-from-query-results/",
    threshold=_WHOLE,
)
def _whole_document_read(context: Context) -> Iterator[Found]:
    for query in context.reads:
        found = context.facts.collections.get(query.collection)
        whole = query.action == "find" and not query.projection and is_hot(query)
        if whole and found is not None and found.average_size > _WHOLE.value:
            yield f"query {query.name}", f"it reads {found.average_size:,.0f} bytes for each document"


def _paths(query: Query) -> Iterator[str]:
    """Yield the paths of the query's own collection that it names."""
    yield from (path for path, _, _ in conditions(filter_of(query)) if path)
    yield from query.sort
    yield from query.document
    for name, value in (query.projection or {}).items():
        if isinstance(value, int):
            yield name
    for operator, fields in query.update.items():
        if operator not in _OF_OLD_FIELDS:
            yield from (fields if isinstance(fields, dict) else ())


def _elsewhere(query: Query) -> Iterator[tuple[str, str]]:
    """Yield the collections, and their fields, that a query names beside its own."""
    for sample in _samples([query.filter, query.pipeline, query.update, query.document]):
        collection, _, field = sample.path.partition(".")
        yield collection, field
    yield from _joins(query)


def _joins(query: Query) -> Iterator[tuple[str, str]]:
    """Yield the collections that a pipeline joins, and the fields by which, `""` for a pipeline."""
    for name, argument in stages(query.pipeline):
        if name in _LOOKUPS and isinstance(argument.get("from"), str):
            yield argument["from"], argument.get(_LOOKUPS[name], "")


def _samples(value: Any) -> Iterator[Sample]:
    if isinstance(value, Sample):
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _samples(inner)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _keys(inner)


def _patterns(filters: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield path, pattern, and whether case is ignored, of each regular expression."""
    asked = list(conditions(filters))
    for path, operator, operand in asked:
        pattern = getattr(operand, "pattern", operand if operator == "$regex" else None)
        if isinstance(pattern, str):
            options = "".join(str(o) for p, op, o in asked if p == path and op == "$options")
            yield path, pattern, "i" in options or bool(getattr(operand, "flags", 0) & 2)


def _is_unique(context: Context, query: Query, fixed: set[str]) -> bool:
    indexes = context.collections[query.collection].indexes
    return "_id" in fixed or any(index.unique and set(index.keys) <= fixed for index in indexes)
