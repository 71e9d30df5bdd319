"""Rules on the shape of documents: arrays, sizes, nesting and the names of fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mimiod.checking.rules.registry import Threshold, rule
from mimiod.checking.rules.shape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.checking.rules.context import Context
    from mimiod.checking.rules.registry import Found
    from mimiod.checking.rules.shape import SchemaField, Shape

_LONG = Threshold("longest array", 1_000, "elements")
_BLOATED = Threshold("largest document", 2**20, "bytes")
_OVERSIZED = Threshold("largest document", 8 * 2**20, "bytes")
_NESTED = Threshold("deepest level", 4, "levels")
_FIELDS = Threshold("fields of a document, embedded ones included", 150)

_ANTIPATTERNS = "data-modeling/design-antipatterns/"
_SNAKE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)+$")
_CAMEL = re.compile(r"^[a-z]+[a-z0-9]*([A-Z][a-z0-9]*)+$")


@rule(
    "unbounded-array",
    "warning",
    "schema",
    "an array without a bound",
    reason="An array that grows with the business ends in documents that are slow to read and to index, "
    "and at last at the limit of 16 MB.",
    example="`comments: list[Comment]`",
    mend="give it a bound (`Field(max_length=…)`), keep a subset of it, or move the elements to a collection "
    "of their own",
    page=_ANTIPATTERNS + "unbounded-arrays/",
)
def _unbounded_array(context: Context) -> Iterator[Found]:
    for name, each in _unbounded(context):
        if each.path not in _pushes(context, name):
            yield f"{name}.{each.path}", "the array has no bound"


@rule(
    "growing-array",
    "error",
    "schema workload",
    "a write that appends to an array without a bound",
    reason="`$push` and `$addToSet` on an array that neither the validator nor `$slice` bounds make the "
    "document grow with every write, and each write rewrites all of it.",
    example='`update={"$push": {"history": …}}` on `history: list[Event]`',
    mend="push with `$each` and `$slice`, bound the array in the schema, or insert the elements into a "
    "collection of their own",
    page=_ANTIPATTERNS + "unbounded-arrays/",
)
def _growing_array(context: Context) -> Iterator[Found]:
    for name, each in _unbounded(context):
        for query, sliced in _pushes(context, name).get(each.path, ()):
            if not sliced:
                yield f"{name}.{each.path}", f"query {query!r} appends to it and nothing bounds it"


@rule(
    "long-array",
    "warning",
    "data",
    "an array with many elements",
    reason="Every element of an indexed array is a key of the index, and every read of the document brings "
    "the whole array along.",
    example="a product with 4,000 reviews in it",
    mend="keep the newest elements (subset pattern) or put them into buckets",
    page="data-modeling/design-patterns/group-data/subset-pattern/",
    threshold=_LONG,
)
def _long_array(context: Context) -> Iterator[Found]:
    for name, facts in context.facts.collections.items():
        for path, found in facts.paths.items():
            if found.longest > _LONG.value:
                yield f"{name}.{path}", f"the longest array has {found.longest:,} elements"


@rule(
    "bloated-document",
    "warning",
    "data",
    "large documents",
    reason="MongoDB reads whole documents into its cache: what a query does not need displaces what others "
    "do.",
    example="a customer of 3 MB with the images of the identity card",
    mend="keep together what is read together; move the rest to another collection, or to GridFS",
    page=_ANTIPATTERNS + "bloated-documents/",
    threshold=_BLOATED,
)
def _bloated_document(context: Context) -> Iterator[Found]:
    for name, facts in context.facts.collections.items():
        if _BLOATED.value < facts.largest_size <= _OVERSIZED.value:
            yield name, f"the largest document has {facts.largest_size:,} bytes"


@rule(
    "document-near-limit",
    "error",
    "data",
    "documents near the limit of 16 MB",
    reason="A write that takes a document over 16 MB is refused, so the application fails for its best "
    "customers.",
    example="a chat with all of its messages in one document of 12 MB",
    mend="split the document: buckets, the outlier pattern, or a collection of its own for what grows",
    page="reference/limits/",
    threshold=_OVERSIZED,
)
def _document_near_limit(context: Context) -> Iterator[Found]:
    for name, facts in context.facts.collections.items():
        if facts.largest_size > _OVERSIZED.value:
            yield name, f"the largest document has {facts.largest_size:,} bytes of 16,777,216"


@rule(
    "deep-nesting",
    "warning",
    "schema data",
    "documents nested many levels deep",
    reason="Long paths are hard to query, to index and to validate; MongoDB's limit is 100 levels.",
    example="`order.customer.address.geo.point.type`",
    mend="flatten what holds one thing only, or move the inner documents to a collection of their own",
    page="reference/limits/",
    threshold=_NESTED,
)
def _deep_nesting(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        deep = [each.path for each in shape if each.path.count(".") == _NESTED.value]
        facts = context.facts.collections.get(name)
        if deep:
            yield f"{name}.{deep[0]}", f"it lies {_NESTED.value + 1} levels deep or more"
        elif facts is not None and facts.deepest > _NESTED.value:
            yield name, f"a document is nested {facts.deepest} levels deep"


@rule(
    "too-many-fields",
    "warning",
    "schema",
    "documents with very many fields",
    reason="A document with so many fields serves several purposes at once, and each reader pays for all "
    "of them.",
    example="a customer with the 200 columns of the old CRM's table",
    mend="split it by who reads what, or keep rare fields as an array of keys and values (attribute pattern)",
    page=_ANTIPATTERNS + "bloated-documents/",
    threshold=_FIELDS,
)
def _too_many_fields(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        if len(shape.fields) > _FIELDS.value:
            yield name, f"its documents have {len(shape.fields)} fields"


@rule(
    "field-name",
    "error",
    "schema",
    "a field's name with a dot, a dollar in front, or nothing in it",
    reason="Queries, updates and indexes read a dot as a path and a dollar as an operator, so such a field "
    "can "
    "be reached by special expressions only.",
    example='`Field(alias="unit.price")`',
    mend="rename the field to letters, digits and underscores",
    page="core/dot-dollar-considerations/",
)
def _field_name(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        for prefix, names in _names(shape.root, shape):
            for field in names:
                if not field or field.startswith("$") or "." in field or "\0" in field:
                    yield f"{name}.{prefix}{field}", f"{field!r} cannot be named in a query as it stands"


@rule(
    "mixed-naming",
    "note",
    "schema",
    "snake_case and camelCase in one document",
    reason="MongoDB takes any name, so a misspelt one is silently another field; one style makes that "
    "visible.",
    example="`created_at` beside `updatedAt`",
    mend="use one style in all collections",
    page="core/document/",
)
def _mixed_naming(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        names = [each.name for each in shape]
        snake = [each for each in names if _SNAKE.match(each)]
        camel = [each for each in names if _CAMEL.match(each)]
        if snake and camel:
            yield name, f"it has {snake[0]!r} and {camel[0]!r}"


@rule(
    "names-differ-by-case",
    "warning",
    "schema",
    "two fields whose names differ by case only",
    reason="Names of fields are compared with regard to case, so both exist, and readers take one for the "
    "other.",
    example="`email` and `eMail`",
    mend="keep one of the two",
    page="core/document/",
)
def _names_differ_by_case(context: Context) -> Iterator[Found]:
    for name, shape in context.shapes.items():
        for prefix, names in _names(shape.root, shape):
            first: dict[str, str] = {}
            for field in names:
                other = first.setdefault(field.lower(), field)
                if other != field:
                    yield f"{name}.{prefix}{field}", f"there is {other!r} too"


def _unbounded(context: Context) -> Iterator[tuple[str, SchemaField]]:
    for name, shape in context.shapes.items():
        for each in shape:
            if each.is_array and not _is_bounded(each.node, each):
                yield name, each


def _is_bounded(node: Mapping[str, Any], each: SchemaField) -> bool:
    of_few = node.get("uniqueItems") and each.values is not None
    listed = [part for part in node.get("anyOf", ()) if "array" in str(part.get("bsonType"))]
    return (
        "maxItems" in node
        or bool(of_few)
        or each.name == "coordinates"  # GeoJSON's, which its type bounds
        or (bool(listed) and all("maxItems" in part for part in listed))
    )


def _pushes(context: Context, collection: str) -> dict[str, list[tuple[str, bool]]]:
    """Return the arrays that writes append to: the names of those, and whether `$slice` bounds it."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for query in context.writes(collection):
        for operator in ("$push", "$addToSet"):
            for path, value in query.update.get(operator, {}).items():
                sliced = isinstance(value, dict) and "$slice" in value
                found.setdefault(plain(path), []).append((query.name, sliced))
    return found


def _names(root: Mapping[str, Any], shape: Shape) -> Iterator[tuple[str, list[str]]]:
    """Yield the names of fields that stand side by side, and the path of what holds them."""
    yield "", list(root.get("properties", ()))
    for each in shape:
        for part in each.shapes:
            yield f"{each.path}.", list(part["properties"])
