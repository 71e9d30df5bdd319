"""Rules on the types of values: money, dates, ids, alternatives and what is left open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mimiod.checking.rules.registry import Threshold, rule
from mimiod.checking.rules.shape import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.checking.rules.context import Context
    from mimiod.checking.rules.registry import Found
    from mimiod.checking.rules.shape import SchemaField, Shape

_OPTIONAL = Threshold("share of optional fields", 80, "percent, of ten fields or more")
_FEW_FIELDS = 10

_MONEY = frozenset({
    "price", "amount", "cost", "balance", "fee", "salary", "revenue", "subtotal", "income", "principal",
})  # fmt: skip
_NO_MONEY = frozenset({"rate", "ratio", "percent", "pct", "share", "index", "score", "factor", "count", "of"})
_MOMENT = frozenset({"at", "date", "timestamp", "datetime"})
_KEYS = frozenset({"k", "key", "name", "code"})
_VALUES = frozenset({"v", "value"})
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_VERSIONS = frozenset({"schema_version", "schemaversion", "version", "_v", "v"})


def words(name: str) -> list[str]:
    """Return the words of a field's name, in lower case."""
    return [word.lower() for word in _WORDS.findall(name)]


@rule(
    "money-as-float",
    "warning",
    "schema",
    "an amount of money as a binary floating-point number",
    reason="0.1 has no exact binary form, so sums of amounts drift and comparisons fail by a fraction of a "
    "cent.",
    example="`price: float`",
    mend="use `Decimal` (stored as Decimal128), or whole units of the smallest coin as `int`",
    page="tutorial/model-monetary-data/",
)
def _money_as_float(context: Context) -> Iterator[Found]:
    for name, each in _fields(context):
        said = set(words(each.name))
        floats = "double" in each.value_types and "decimal" not in each.value_types
        if floats and said & _MONEY and not said & _NO_MONEY:
            yield f"{name}.{each.path}", "it is money, and stored as a double"


@rule(
    "date-as-string",
    "warning",
    "schema",
    "a moment as text",
    reason="Text compares letter by letter, knows no time zone, takes more than the 8 bytes of a date, and "
    "serves neither TTL indexes nor date expressions.",
    example="`created_at: str`",
    mend="use `datetime`",
    page="reference/bson-types/",
)
def _date_as_string(context: Context) -> Iterator[Found]:
    for name, each in _fields(context):
        is_text = each.value_types == {"string"} and "enum" not in each.element
        if is_text and words(each.name)[-1:] and words(each.name)[-1] in _MOMENT:
            yield f"{name}.{each.path}", "its name says a moment, its type text"


@rule(
    "id-as-string",
    "warning",
    "schema",
    "the id of a document as text",
    reason="An ObjectId as text takes twice its 12 bytes in every document and index, and matches no `_id`.",
    example="`customer_id: str` beside a collection `customers`",
    mend='use `Annotated[PyObjectId, Reference("…")]`',
    page="reference/bson-types/",
)
def _id_as_string(context: Context) -> Iterator[Found]:
    for name, each in _fields(context):
        target = named_collection(each.name, context)
        marked = each.path in context.references[name]
        ids = context.shapes[target].get("_id") if target else None
        if not marked and each.value_types == {"string"} and ids and ids.value_types == {"objectId"}:
            yield f"{name}.{each.path}", f"it names documents of {target!r}, whose `_id` is an ObjectId"


@rule(
    "mixed-types",
    "warning",
    "schema data",
    "one field with values of several types",
    reason="Values of different types never equal each other, sort apart, and a query for one kind misses "
    "the "
    "other.",
    example="`postcode: int | str`",
    mend="choose one type and convert, or give each kind a field of its own",
    page="reference/bson-type-comparison-order/",
)
def _mixed_types(context: Context) -> Iterator[Found]:
    for name, each in _fields(context):
        kinds = _kinds(each.value_types)
        if len(kinds) > 1 and not _is_attribute(each, context.shapes[name]):
            yield f"{name}.{each.path}", f"it may be {' or '.join(sorted(kinds))}"
    for name, facts in context.facts.collections.items():
        shape = context.shapes.get(name)
        for path, found in facts.paths.items():
            declared = shape.get(path) if shape else None
            kinds = _kinds(set(found.types) - {"array"})
            if len(kinds) > 1 and (shape is None or not shape.known or (declared and declared.types)):
                said = _kinds(declared.value_types) if declared else set()
                if len(said) <= 1:
                    yield f"{name}.{path}", f"its values are {' and '.join(sorted(kinds))}"


@rule(
    "flexible-without-version",
    "note",
    "schema",
    "documents of open shape without a version",
    reason="Where the shape is left open it changes with time; a version in the document tells readers which "
    "shape they hold, and lets documents be brought up to date one by one.",
    example="`attributes: dict[str, Any]` and no `schema_version`",
    mend="add `schema_version: int`, or say what the field holds",
    page="data-modeling/design-patterns/data-versioning/schema-versioning/",
)
def _flexible_without_version(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        versioned = any(each.name.lower() in _VERSIONS for each in shape)
        flexible = [
            each for each in shape if each.types and each.is_flexible and "object" in each.value_types
        ]
        if flexible and not versioned:
            yield f"{name}.{flexible[0].path}", "nothing says of which shape it is"


@rule(
    "polymorphic-without-discriminator",
    "warning",
    "schema",
    "embedded documents of several shapes that nothing tells apart",
    reason="A reader has to guess the shape from the fields that happen to be there, and no index can select "
    "one kind.",
    example="`method: Card | Transfer` without a `kind` in both",
    mend='give each shape a field such as `kind: Literal["card"]`',
    page="data-modeling/design-patterns/polymorphic-data/polymorphic-schema-pattern/",
)
def _polymorphic_without_discriminator(context: Context) -> Iterator[Found]:
    for name, each in _fields(context):
        if len(each.shapes) > 1 and not _discriminated(each.shapes):
            yield f"{name}.{each.path}", f"it has {len(each.shapes)} shapes and no field that tells which"


@rule(
    "mostly-optional",
    "note",
    "schema",
    "documents of which nearly every field is optional",
    reason="A validator that demands next to nothing accepts nearly anything, so a misspelt or forgotten "
    "field goes unnoticed.",
    example="twelve fields, all of them `str | None = None`",
    mend="require what every document has, and split kinds of documents that have little in common",
    page="core/schema-validation/specify-json-schema/",
    threshold=_OPTIONAL,
)
def _mostly_optional(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        own = [each for each in shape if not each.parent and each.name != "_id"]
        optional = [each for each in own if not each.required]
        if len(own) >= _FEW_FIELDS and 100 * len(optional) > _OPTIONAL.value * len(own):
            yield name, f"{len(optional)} of its {len(own)} fields may be left out"


def named_collection(field: str, context: Context) -> str | None:
    """Return the collection that a field is named after: `customer_id` and `customerIds` customers."""
    said = words(field)
    if len(said) < 2 or said[-1] not in {"id", "ids"}:  # noqa: PLR2004
        return None
    stem = "_".join(said[:-1])
    plurals = {stem, f"{stem}s", f"{stem}es", re.sub("y$", "ies", stem)}
    return next((name for name in context.collections if "_".join(words(name)) in plurals), None)


def _fields(context: Context) -> Iterator[tuple[str, SchemaField]]:
    for name, shape in context.shapes.items():
        for each in shape:
            yield name, each


def _kinds(types: Any) -> set[str]:
    return {"number" if kind in NUMBERS else kind for kind in types} - {"null"}


def _is_attribute(each: SchemaField, shape: Shape) -> bool:
    """Whether it is the value of a key that stands beside it (attribute pattern)."""
    beside = {other.name for other in shape if other.parent == each.parent}
    return each.name in _VALUES and bool(beside & _KEYS)


def _discriminated(shapes: tuple[Mapping[str, Any], ...]) -> bool:
    """Whether one required field has another constant in each shape."""
    common = set.intersection(*(set(shape["properties"]) for shape in shapes))
    for name in common:
        values = [tuple(shape["properties"][name].get("enum", ())) for shape in shapes]
        every = all(values) and all(name in shape.get("required", ()) for shape in shapes)
        if every and len(set().union(*values)) == sum(map(len, values)):
            return True
    return False
