"""Rules on references, copies and computed values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.checking.rules.registry import Threshold, rule
from mimiod.checking.rules.shape import NUMBERS, plain
from mimiod.checking.rules.values import named_collection, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.checking.rules.context import Context
    from mimiod.checking.rules.registry import Found
    from mimiod.schema_types import Computed, Reference

_BOTH_WAYS = Threshold("elements of an array of references that the other side repeats", 100)
_COUNTED = frozenset({"count", "number", "num", "total", "of"})

_REFERENCES = "data-modeling/concepts/embedding-vs-references/"
_CONSISTENCY = "data-modeling/data-consistency/"


@rule(
    "broken-mark",
    "error",
    "schema",
    "a mark that names what is not there",
    reason="References, copies, computed values and orders in time are followed by their paths: a path that "
    "leads nowhere is checked by nobody.",
    example='`Copy("customer_id.nmae")`',
    mend="name a field that the other document has",
    page=_CONSISTENCY,
)
def _broken_mark(context: Context) -> Iterator[Found]:
    for name in context.collections:
        for path, copy in context.copies[name].items():
            if not _followed(context, name, copy.path):
                yield f"{name}.{path}", f"it copies {copy.path!r}, which leads nowhere"
        for path, order in context.orders[name].items():
            known = [_followed(context, name, at) or context.shapes[name].has(at) for at in order.paths]
            if not all(known):
                yield (
                    f"{name}.{path}",
                    f"it comes after {order.paths[known.index(False)]!r}, which leads nowhere",
                )
        for path, computed in context.computed[name].items():
            if (missing := _not_computable(context, name, computed)) is not None:
                yield f"{name}.{path}", missing
    for name, path, reference in _references(context):
        if not context.shapes[reference.collection].has(reference.field):
            yield f"{name}.{path}", f"{reference.collection!r} has no field {reference.field!r}"


@rule(
    "reference-type",
    "error",
    "schema",
    "a reference of another type than what it names",
    reason="MongoDB compares values of one type only: the text of an ObjectId equals no ObjectId, so "
    "`$lookup` "
    "and queries find nothing.",
    example='`Annotated[str, Reference("customers")]` where `customers._id` is an ObjectId',
    mend="give both the same type",
    page="reference/bson-type-comparison-order/",
)
def _reference_type(context: Context) -> Iterator[Found]:
    for name, path, reference in _references(context):
        here, there = (
            context.shapes[name].get(path),
            context.shapes[reference.collection].get(reference.field),
        )
        ours, theirs = (each.value_types if each else frozenset() for each in (here, there))
        if ours and theirs and not ours & theirs and not (ours | theirs <= NUMBERS):
            kinds = f"{' or '.join(sorted(ours))}, and {reference.collection}.{reference.field} is "
            yield f"{name}.{path}", f"it is {kinds}{' or '.join(sorted(theirs))}"


@rule(
    "reference-not-unique",
    "error",
    "schema",
    "a reference to a field that several documents may share",
    reason="A reference names one document; without a unique index on the field it names, it may name two.",
    example='`Reference("products", "sku")` without a unique index on `sku`',
    mend="refer to `_id`, or make the index on the field unique",
    page="core/index-unique/",
)
def _reference_not_unique(context: Context) -> Iterator[Found]:
    for name, path, reference in _references(context):
        unique = [
            index
            for index in context.collections[reference.collection].indexes
            if index.unique and list(index.keys) == [reference.field]
        ]
        exists = context.shapes[reference.collection].has(reference.field)
        if reference.field != "_id" and exists and not unique:
            text = f"nothing makes {reference.collection}.{reference.field} unique"
            yield f"{name}.{path}", text


@rule(
    "reference-without-reason",
    "note",
    "schema",
    "a reference that does not say why it is none of the alternatives",
    reason="What is read together belongs together: to refer instead of to embed is a decision with a cost "
    "at "
    "each read, and whoever changes the design has to know why it was made.",
    example='`Reference("customers")`',
    mend='say it: `Reference("customers", why="shared by all orders, and changes")`',
    page=_REFERENCES,
)
def _reference_without_reason(context: Context) -> Iterator[Found]:
    for name, path, reference in _references(context):
        if not reference.why.strip():
            yield f"{name}.{path}", f"why {reference.collection!r} is not embedded is not said"


@rule(
    "unindexed-reference",
    "warning",
    "schema workload",
    "a reference that is followed backwards without an index",
    reason="To compute a value of the one from the many, or to delete the one, its many have to be found by "
    "the reference: without an index that reads the whole collection each time.",
    example='`Computed("count", "orders")` on customers, and no index on `orders.customer_id`',
    mend="index the reference",
    page="tutorial/create-indexes-to-support-queries/",
)
def _unindexed_reference(context: Context) -> Iterator[Found]:
    for name, path, reference in _references(context):
        collection = context.collections[name]
        meta = collection.options.get("timeseries", {}).get("metaField")
        first = {next(iter(index.keys)) for index in collection.indexes}
        first |= set(list(collection.shard_key or {})[:1]) | {meta}
        target = reference.collection
        computed = [at for at, mark in context.computed[target].items() if mark.of.partition(".")[0] == name]
        deletes = [query.name for query in context.writes(target) if query.action == "delete"]
        if path in first or path.partition(".")[0] == meta:
            continue
        if computed:
            yield (
                f"{name}.{path}",
                f"{target}.{computed[0]} is computed along it, and no index begins with it",
            )
        elif deletes:
            yield f"{name}.{path}", f"{deletes[0]!r} deletes what it names, and no index begins with it"


@rule(
    "two-way-reference",
    "warning",
    "schema",
    "a relation that both sides hold, one of them in a long array",
    reason="The array repeats what the other side's references say: each new document is two writes, and the "
    "array grows with the many.",
    example="`customers.order_ids` beside `orders.customer_id`",
    mend="keep the reference on the side of the many, and index it; keep at most a bounded subset in the "
    "array",
    page="tutorial/model-referenced-one-to-many-relationships-between-documents/",
    threshold=_BOTH_WAYS,
)
def _two_way_reference(context: Context) -> Iterator[Found]:
    for name, path, reference in _references(context):
        field = context.shapes[name].get(path)
        if field is None or not field.arrays:
            continue
        outer = context.shapes[name].get(field.arrays[0])
        bound = outer.node.get("maxItems") if outer else None
        back = [
            other
            for other, mark in context.references[reference.collection].items()
            if mark.collection == name and (reference.collection, other) != (name, path)
        ]
        if back and (bound is None or bound > _BOTH_WAYS.value):
            yield f"{name}.{path}", f"{reference.collection}.{back[0]} says the same"


@rule(
    "unmarked-reference",
    "warning",
    "schema",
    "an id that is not marked as a reference",
    reason="What it names is not checked, not seeded and not drawn: to Mimiod it is any ObjectId.",
    example="`customer_id: PyObjectId` beside a collection `customers`",
    mend='mark it: `Annotated[PyObjectId, Reference("customers")]`',
    page=_REFERENCES,
)
def _unmarked_reference(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        for field in shape:
            target = named_collection(field.name, context)
            if target and field.value_types == {"objectId"} and not _is_marked(context, name, field.path):
                yield f"{name}.{field.path}", f"it is named after {target!r} and not marked"


@rule(
    "unmarked-copy",
    "warning",
    "schema",
    "data of another document without an owner",
    reason="A value that stands twice is true in one place; without a mark nobody knows which, how old the "
    "copy may be, or that there is one.",
    example="`orders.customer_name` beside `orders.customer_id` and `customers.name`",
    mend='mark it: `Annotated[str, Copy("customer_id.name", stale="a day; …")]`',
    page="data-modeling/handle-duplicate-data/",
)
def _unmarked_copy(context: Context) -> Iterator[Found]:
    for name, path, reference in _references(context):
        shape, target = context.shapes[name], context.shapes[reference.collection]
        prefix, _, last = path.rpartition(".")
        stem = [word for word in words(last) if word not in {"id", "ids"}]
        for field in shape:
            said = words(field.name)
            if field.parent != prefix or field.path == path or said[: len(stem)] != stem:
                continue
            original = next(
                (each for each in target if not each.parent and words(each.name) == said[len(stem) :]), None
            )
            same = (
                original is not None and original.name != "_id" and original.value_types == field.value_types
            )
            if same and original and not _is_marked(context, name, field.path):
                yield f"{name}.{field.path}", f"it repeats {reference.collection}.{original.name}"


@rule(
    "copy-without-staleness",
    "note",
    "schema",
    "a copy that does not say how old it may be",
    reason="A copy is right as long as somebody brings it up to date: at once in a transaction, later by a "
    "job, "
    "or never, because it holds what was true at the time.",
    example='`Copy("customer_id.name")`',
    mend='say it: `Copy("customer_id.name", stale="a day; a job after the change")`',
    page="data-modeling/handle-duplicate-data/",
)
def _copy_without_staleness(context: Context) -> Iterator[Found]:
    for name in context.collections:
        for path, copy in context.copies[name].items():
            if not copy.stale.strip():
                yield f"{name}.{path}", f"how old the copy of {copy.path!r} may be is not said"


@rule(
    "unmarked-computed",
    "warning",
    "schema",
    "a count of other documents that is not marked",
    reason="A stored count is a promise about another collection; unmarked, it is neither computed nor "
    "checked.",
    example="`customers.order_count` beside `orders.customer_id`",
    mend='mark it: `Annotated[int, Computed("count", "orders")]`',
    page="data-modeling/design-patterns/computed-values/computed-schema-pattern/",
)
def _unmarked_computed(context: Context) -> Iterator[Found]:
    for name, path, reference in _references(context):
        one, many = words(name)[-1].rstrip("s"), words(name)[-1]
        for field in context.shapes[reference.collection]:
            said = words(field.name)
            rest = [word for word in said if word not in _COUNTED]
            number = bool(field.value_types) and field.value_types <= NUMBERS
            counts = number and len(rest) < len(said) and rest in ([one], [many])
            if counts and not _is_marked(context, reference.collection, field.path):
                yield f"{reference.collection}.{field.path}", f"it counts {name!r} by {path!r}, unmarked"


@rule(
    "computed-without-owner",
    "warning",
    "schema workload",
    "a computed value that no write keeps up",
    reason="The workload changes what the value is computed from and never the value, so it is wrong from "
    "the "
    "first write on.",
    example='`loans.repaid` is `Computed("sum", "payments.amount")`; payments are inserted, loans never '
    "updated",
    mend="add the update (`$inc`, `$set`) to the workload, or compute the value when it is read",
    page="data-modeling/design-patterns/computed-values/computed-schema-pattern/",
)
def _computed_without_owner(context: Context) -> Iterator[Found]:
    merged = {_target(stage) for query in context.reads for stage in query.pipeline}
    for name in context.collections:
        updated = {
            plain(path)
            for query in context.writes(name)
            for fields in query.update.values()
            if isinstance(fields, dict)
            for path in fields
        }
        for path, computed in context.computed[name].items():
            source = computed.of.partition(".")[0]
            kept = any(path == each or path.startswith(f"{each}.") for each in updated)
            writers = (
                [query.name for query in context.writes(source)] if source in context.collections else []
            )
            if writers and not kept and name not in merged:
                yield f"{name}.{path}", f"{writers[0]!r} changes {source!r}, and nothing updates it"


def _references(context: Context) -> Iterator[tuple[str, str, Reference]]:
    for name, found in context.references.items():
        for path, reference in found.items():
            yield name, path, reference


def _target(stage: Mapping[str, Any]) -> str | None:
    """Return the collection that a stage of a pipeline writes to."""
    into = stage.get("$out") or stage.get("$merge")
    into = into.get("into") or into.get("coll") if isinstance(into, dict) else into
    return into.get("coll") if isinstance(into, dict) else into


def _is_marked(context: Context, name: str, path: str) -> bool:
    return any(path in each[name] for each in (context.references, context.copies, context.computed))


def _followed(context: Context, name: str, path: str) -> bool:
    """Whether a path begins with a reference of the documents and ends at a field of what it names."""
    return any(
        path.startswith(f"{at}.") and context.shapes[reference.collection].has(path.removeprefix(f"{at}."))
        for at, reference in context.references[name].items()
    )


def _not_computable(context: Context, name: str, computed: Computed) -> str | None:
    """Why a computed value cannot be computed, if it cannot."""
    source, _, field = computed.of.partition(".")
    if source in context.collections:
        if not any(mark.collection == name for mark in context.references[source].values()):
            return f"it is computed from {source!r}, which does not refer to {name!r}"
        prefix, shape = "", context.shapes[source]
    else:
        arrays = [
            each.path for each in context.shapes[name]
            if each.is_array and f"{computed.of}.".startswith(f"{each.path}.")
        ]  # fmt: skip
        if not arrays:
            return f"it is computed from {source!r}, which is neither a collection nor an array here"
        prefix, shape = f"{max(arrays, key=len)}.", context.shapes[name]
        field = computed.of.removeprefix(prefix) if computed.of.startswith(prefix) else ""
    by = computed.by.removeprefix(f"{source}.") if not prefix else computed.by.removeprefix(prefix)
    for path in [field, by, *computed.conditions]:
        if path and not shape.has(prefix + path):
            return f"{source!r} has no field {path!r}"
    return None
