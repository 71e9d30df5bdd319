"""Rules on the indexes that a collection declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.checking.rules.context import conditions
from mimiod.checking.rules.registry import Threshold, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.checking.rules.context import Context
    from mimiod.checking.rules.registry import Found
    from mimiod.checking.rules.shape import Shape
    from mimiod.schema_types import BaseCollectionSchema, IndexDefinition

_MOST = Threshold("indexes of a collection, `_id`'s included", 64)
_KEYS = Threshold("fields of a compound index", 32)
_FEW_VALUES = Threshold("different values", 10)
_TEXT_FIELDS = Threshold("fields of a text index", 5)
_KEY_BYTES = Threshold("largest value", 1_024, "bytes")
_WRITE_HEAVY = Threshold("indexes of a collection with over 1,000 writes a minute", 5)
_WRITES_A_MINUTE = 1_000
_ENOUGH_DOCUMENTS = 1_000
"Below this many documents, how many values there are says nothing."

_ORDERED = frozenset({1, -1})
_NOT_IN_PARTIAL = frozenset({"$ne", "$nin", "$not", "$nor", "$regex", "$expr", "$where", "$text", "$mod"})


def declared(context: Context) -> Iterator[tuple[str, BaseCollectionSchema, Shape, IndexDefinition]]:
    """Yield every index: collection, its declaration, its documents, the index."""
    for name, collection in context.collections.items():
        for index in collection.indexes:
            yield name, collection, context.shapes[name], index


def is_ordered(index: IndexDefinition) -> bool:
    """Return whether all keys of an index are ascending or descending ones of named fields."""
    return all(kind in _ORDERED and "$**" not in path for path, kind in index.key_pairs())


def may_be_missing(shape: Shape, path: str) -> bool:
    """Return whether a document may have no value at a path, or null."""
    parts = path.split(".")
    on_the_way = [shape.get(".".join(parts[: length + 1])) for length in range(len(parts))]
    return any(each is not None and (not each.required or each.nullable) for each in on_the_way)


@rule(
    "too-many-indexes",
    "error",
    "schema",
    "more indexes than a collection can have",
    reason="MongoDB refuses the 65th index; long before that, every write pays for each of them.",
    example="an index for each of 70 fields",
    mend="keep the indexes that the workload needs",
    page="reference/limits/",
    threshold=_MOST,
)
def _too_many_indexes(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        if len(collection.indexes) + 1 > _MOST.value:
            yield name, f"it has {len(collection.indexes) + 1} indexes"


@rule(
    "write-heavy-indexes",
    "warning",
    "schema workload",
    "many indexes on a collection that is mostly written",
    reason="Every insertion and deletion writes to every index, and every update to those of what it "
    "changes.",
    example="eight indexes on the events that arrive 5,000 times a minute",
    mend="drop indexes that only rare reads need, or serve those reads from a summary collection",
    page="core/data-model-operations/",
    threshold=_WRITE_HEAVY,
)
def _write_heavy_indexes(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        writes = sum(query.per_minute for query in context.writes(name))
        reads = sum(query.per_minute for query in context.reads if query.collection == name)
        count = len(collection.indexes)
        if count > _WRITE_HEAVY.value and writes > _WRITES_A_MINUTE and writes > reads:
            yield name, f"{count} indexes, {writes:,.0f} writes and {reads:,.0f} reads a minute"


@rule(
    "redundant-index",
    "warning",
    "schema",
    "an index whose keys begin another one",
    reason="A compound index serves every query that its first keys alone would; the shorter one takes "
    "memory "
    "and time of each write.",
    example="`{customer_id: 1}` beside `{customer_id: 1, placed_at: -1}`",
    mend="remove the shorter index",
    page="data-modeling/design-antipatterns/unnecessary-indexes/",
)
def _redundant_index(context: Context) -> Iterator[Found]:
    for name, collection, _, index in declared(context):
        if list(index.keys) == ["_id"] and is_ordered(index) and not index.partial_filter:
            yield f"{name}:{index.name}", "every collection has an index on `_id`"
            continue
        position = collection.indexes.index(index)
        for other_position, other in enumerate(collection.indexes):
            same_length = len(other.keys) == len(index.keys)
            first = not same_length or other.unique or other_position < position
            if other is not index and first and _takes_over(other, index):
                yield f"{name}:{index.name}", f"{other.name!r} begins with the same keys"
                break


@rule(
    "low-cardinality-index",
    "warning",
    "schema data",
    "an index on one field of few values",
    reason="An index on a flag or a status leads to a large part of the collection, which is slower to fetch "
    "through an index than to read through.",
    example='`{is_active: 1}`, or `{status: 1}` where status is `Literal["open", "done"]`',
    mend="put the field before others in a compound index, or make the index partial for the value asked for",
    page="tutorial/create-queries-that-ensure-selectivity/",
    threshold=_FEW_VALUES,
)
def _low_cardinality_index(context: Context) -> Iterator[Found]:
    for name, collection, shape, index in declared(context):
        (path, *others) = index.keys
        apart = index.unique or index.partial_filter or index.ttl_seconds is not None or index.hidden
        if others or apart or not is_ordered(index) or path in (collection.shard_key or {}):
            continue
        values = few_values(context, name, shape, path)
        if values is not None:
            yield f"{name}:{index.name}", f"{path!r} has {values} different values"


@rule(
    "parallel-arrays",
    "error",
    "schema",
    "two arrays in one compound index",
    reason="An index over two arrays would hold every pair of their elements; MongoDB refuses the document "
    "that has both.",
    example="`{tags: 1, sizes: 1}` where both are arrays",
    mend="index the arrays apart, or make them one array of documents with both fields",
    page="core/indexes/index-types/index-multikey/",
)
def _parallel_arrays(context: Context) -> Iterator[Found]:
    for name, _, shape, index in declared(context):
        ways = [each.arrays for path in index.keys if (each := shape.get(path)) and each.arrays]
        longest = max(ways, key=len, default=())
        if apart := [way for way in ways if way != longest[: len(way)]]:
            yield f"{name}:{index.name}", f"{apart[0][-1]!r} and {longest[-1]!r} are both arrays"


@rule(
    "ttl-field",
    "error",
    "schema",
    "a TTL index on something that is no date",
    reason="Only documents with a date (or an array of dates) in the field expire; all others stay for ever.",
    example="`IndexDefinition(keys={'expires': 1}, ttl_seconds=0)` where `expires` is an int",
    mend="index a `datetime` field",
    page="core/index-ttl/",
)
def _ttl_field(context: Context) -> Iterator[Found]:
    for name, _, shape, index in declared(context):
        (path, *_) = index.keys
        field = shape.get(path)
        types = field.value_types if field else frozenset({"objectId"} if path == "_id" else ())
        if index.ttl_seconds is not None and types and "date" not in types:
            yield f"{name}:{index.name}", f"{path!r} is {' or '.join(sorted(types))}"


@rule(
    "unique-optional",
    "warning",
    "schema",
    "a unique index on a field that may be missing",
    reason="A document without the field counts as one with null, so the second of them is refused as a "
    "duplicate.",
    example="`{email: 1}` unique where `email: str | None`",
    mend="make the index partial (`partial_filter={'email': {'$gt': ''}}`), or require the field",
    page="core/index-unique/",
)
def _unique_optional(context: Context) -> Iterator[Found]:
    for name, _, shape, index in declared(context):
        apart = not index.unique or index.sparse or index.partial_filter is not None
        if not apart and all(may_be_missing(shape, path) for path in index.keys):
            yield f"{name}:{index.name}", f"{' and '.join(index.keys)} may be missing"


@rule(
    "wide-text-index",
    "warning",
    "schema",
    "a text index over many fields",
    reason="A text index has an entry for every different word of every field of every document.",
    example="`{'$**': 'text'}`",
    mend="index the fields that people search, or use a search index",
    page="core/indexes/index-types/index-text/",
    threshold=_TEXT_FIELDS,
)
def _wide_text_index(context: Context) -> Iterator[Found]:
    for name, _, _, index in declared(context):
        texts = [path for path, kind in index.key_pairs() if kind == "text"]
        if len(texts) > _TEXT_FIELDS.value:
            yield f"{name}:{index.name}", f"it is over {len(texts)} fields"
        elif "$**" in texts:
            yield f"{name}:{index.name}", "it is over every text of the documents"


@rule(
    "wildcard-index",
    "warning",
    "schema",
    "a wildcard index on fields that are known",
    reason="A wildcard index serves one field of a query at a time and no sort with a filter on another; "
    "it is "
    "for fields whose names are not known beforehand.",
    example="`{'$**': 1}` on documents whose fields the model names",
    mend="index what the workload asks for; keep the wildcard for the open part (`{'attributes.$**': 1}`)",
    page="core/indexes/index-types/index-wildcard/",
)
def _wildcard_index(context: Context) -> Iterator[Found]:
    for name, _, shape, index in declared(context):
        for path, kind in index.key_pairs():
            if "$**" not in path or kind == "text":
                continue
            above = path.removesuffix("$**").removesuffix(".")
            field = shape.get(above) if above else None
            named = shape.known and not shape.open and not index.wildcard_projection
            if (named and not above) or (field is not None and not field.is_open):
                yield f"{name}:{index.name}", f"the schema names the fields that {path!r} stands for"


@rule(
    "large-index-key",
    "warning",
    "schema data",
    "an index on long texts",
    reason="The whole value is copied into the index: long texts make it as large as the collection, and "
    "servers before 4.2 refuse keys of more than 1,024 bytes.",
    example="`{description: 1}` where `description` has up to 4,000 characters",
    mend="index a hash or a bounded part of the text, or use a text index",
    page="reference/limits/",
    threshold=_KEY_BYTES,
)
def _large_index_key(context: Context) -> Iterator[Found]:
    for name, _, shape, index in declared(context):
        for path, kind in index.key_pairs():
            field, facts = shape.get(path), context.facts_of(name, path)
            allowed = field.element.get("maxLength", 0) if field else 0
            largest = facts[1].largest if facts else 0
            if kind in _ORDERED and max(allowed, largest) > _KEY_BYTES.value:
                yield f"{name}:{index.name}", f"{path!r} has up to {max(allowed, largest):,} bytes"


@rule(
    "index-unknown-field",
    "error",
    "schema",
    "an index on a field that the documents do not have",
    reason="MongoDB indexes a field that nobody has without a word: the index holds nulls and serves no "
    "query.",
    example="`{costumer_id: 1}`",
    mend="name the field as the model does",
    page="indexes/",
)
def _index_unknown_field(context: Context) -> Iterator[Found]:
    for name, _, shape, index in declared(context):
        paths = [*index.keys, *(path for path, _, _ in conditions(index.partial_filter or {}) if path)]
        for path in dict.fromkeys(paths):
            plain = path.removesuffix("$**").removesuffix(".")
            if plain and not shape.has(plain):
                yield f"{name}:{index.name}", f"the documents have no field {plain!r}"


@rule(
    "impossible-index",
    "error",
    "schema",
    "an index that MongoDB refuses",
    reason="Some options exclude each other, and the refusal comes when the index is built: on the day of "
    "the "
    "deployment.",
    example="a unique hashed index, two text indexes on one collection, `$ne` in a partial filter",
    mend="follow the restrictions of the index's kind",
    page="core/indexes/index-properties/",
    threshold=_KEYS,
)
def _impossible_index(context: Context) -> Iterator[Found]:
    texts: set[str] = set()
    for name, _, shape, index in declared(context):
        kinds = [kind for _, kind in index.key_pairs()]
        hashed = [path for path, kind in index.key_pairs() if kind == "hashed"]
        wildcard = any("$**" in path for path in index.keys) and "text" not in kinds
        filters = list(conditions(index.partial_filter or {}))
        array = next((path for path in hashed if (each := shape.get(path)) and each.arrays), None)
        refused = {op for _, op, operand in filters if op in _NOT_IN_PARTIAL or _is_absence(op, operand)}
        reasons = {
            f"it has {len(kinds)} fields": len(kinds) > _KEYS.value,
            "a collection has one text index": "text" in kinds and name in texts,
            "a hashed index cannot be unique": bool(hashed) and index.unique,
            "an index has one hashed field": len(hashed) > 1,
            f"{array!r} is an array, which cannot be hashed": array is not None,
            "a wildcard index is neither unique nor TTL": wildcard
            and (index.unique or index.ttl_seconds is not None),
            f"a partial filter knows no {', '.join(sorted(refused))}": bool(refused),
        }
        yield from ((f"{name}:{index.name}", text) for text, is_so in reasons.items() if is_so)
        if "text" in kinds:
            texts.add(name)


@rule(
    "hidden-index",
    "note",
    "schema",
    "an index that is hidden",
    reason="A hidden index is kept up by every write and serves no query; hiding is a trial before dropping.",
    example="`IndexDefinition(keys={'city': 1}, hidden=True)`",
    mend="unhide it, or remove it",
    page="core/index-hidden/",
)
def _hidden_index(context: Context) -> Iterator[Found]:
    for name, _, _, index in declared(context):
        if index.hidden:
            yield f"{name}:{index.name}", "queries do not use it"


def few_values(context: Context, name: str, shape: Shape, path: str) -> int | None:
    """Return how many values a path has, if they are few by the schema or by enough of data."""
    field, facts = shape.get(path), context.facts_of(name, path)
    found = field.values if field else None
    if found is None and facts and facts[0].documents >= _ENOUGH_DOCUMENTS:
        found = facts[1].distinct
    return found if found is not None and found <= _FEW_VALUES.value else None


def _takes_over(longer: IndexDefinition, shorter: IndexDefinition) -> bool:
    """Whether whatever the shorter index does, the longer one does."""
    if not (is_ordered(longer) and is_ordered(shorter)) or longer.hidden or shorter.hidden:
        return False
    if (shorter.unique and longer.key_pairs() != shorter.key_pairs()) or shorter.ttl_seconds is not None:
        return False
    first = longer.key_pairs()[: len(shorter.keys)]
    turned = [(path, -int(kind)) for path, kind in first]
    options: list[Any] = [(each.sparse, each.partial_filter, each.collation) for each in (longer, shorter)]
    return shorter.key_pairs() in (first, turned) and options[0] == options[1]


def _is_absence(operator: str, operand: Any) -> bool:
    return operator == "$exists" and not operand
