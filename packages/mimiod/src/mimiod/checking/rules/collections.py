"""Rules on collections: names, validators, time series and capped ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mimiod import validators
from mimiod.checking.rules.context import conditions, filter_of
from mimiod.checking.rules.registry import Threshold, rule
from mimiod.checking.rules.shape import types_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.checking.rules.context import Context
    from mimiod.checking.rules.registry import Found
    from mimiod.schema_types import BaseCollectionSchema

_FAMILY = Threshold("collections of one family", 2)
_NAME = Threshold("database, dot and collection", 255, "bytes")
_SERIES = Threshold("measurements that share their metaField's value", 10)

_MONTHS = (
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(tember)?|oct(ober)?"
    "|nov(ember)?|dec(ember)?"
)
_LOWER = ("minimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "maxLength", "maxItems", "maxProperties")
_PERIOD = re.compile(rf"[._-]v?\d+$|[._-]({_MONTHS})$")
_NUMBER = re.compile(r"\d+$")
_NOT_IN_SERIES = frozenset({"2d", "hashed"})


@rule(
    "collection-family",
    "warning",
    "schema",
    "collections that differ by a number, a year or a month",
    reason="A collection for each period or tenant multiplies indexes and files, and each query over several "
    "periods becomes several.",
    example="`orders_2024` and `orders_2025`",
    mend="use one collection with a field for the period or the tenant, first in its indexes",
    page="data-modeling/design-antipatterns/reduce-collections/",
    threshold=_FAMILY,
)
def _collection_family(context: Context) -> Iterator[Found]:
    families: dict[str, list[str]] = {}
    for name in context.collections:
        families.setdefault(_stem(name.lower()), []).append(name)
    for stem, names in families.items():
        periods = [name for name in names if _PERIOD.search(name.lower())]
        numbered = [name for name in names if name.lower() != stem]
        if len(names) >= _FAMILY.value and (periods or len(numbered) > 1):
            yield names[0], f"{' and '.join(map(repr, names))} hold the same"


@rule(
    "collection-name",
    "error",
    "schema",
    "a collection's name that MongoDB refuses",
    reason="Names with `$` or a null character, names that begin with `system.`, and too long ones are "
    "refused.",
    example="`system.users`",
    mend="use letters, digits and underscores",
    page="reference/limits/",
    threshold=_NAME,
)
def _collection_name(context: Context) -> Iterator[Found]:
    for name in context.collections:
        whole = len(f"{context.schema.database_name}.{name}".encode())
        dots = name.startswith(("system.", ".")) or name.endswith(".")
        if dots or set(name) & {"$", "\0"} or whole > _NAME.value:
            yield name, "MongoDB takes no such name"


@rule(
    "no-validator",
    "warning",
    "schema",
    "a collection that accepts any document",
    reason="Without a validator every client decides for itself what a document is.",
    example="`BaseCollectionSchema()` without `document_schema`",
    mend="give the collection a model (`document_schema`)",
    page="core/schema-validation/",
)
def _no_validator(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        if collection.document_schema is None and not collection.json_schema and not _series(collection):
            yield name, "nothing says what its documents are"


@rule(
    "validator-off",
    "warning",
    "schema",
    "a validator that does not hold",
    reason="With level `off` nothing is checked; with action `warn` what breaks the rules is written all the "
    "same, and a line of the server's log knows it.",
    example='`validation_action="warn"`',
    mend="use level `strict` (`moderate` while old documents are brought up to date) and action `error`",
    page="core/schema-validation/handle-invalid-documents/",
)
def _validator_off(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        if collection.validation_level == "off" or collection.validation_action == "warn":
            said = f"level {collection.validation_level!r}, action {collection.validation_action!r}"
            yield name, f"it is validated with {said}"


@rule(
    "loose-validator",
    "error",
    "schema",
    "a validator that accepts what the model refuses",
    reason="Other clients than Mimiod's write through the validator only: documents come in that the model "
    "then cannot read.",
    example="a `json_schema` without the model's required fields",
    mend="leave `json_schema` out, so that it is derived from the model, or add what it lacks",
    page="core/schema-validation/specify-json-schema/",
)
def _loose_validator(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        if collection.document_schema is not None and collection.json_schema:
            own = collection.json_schema.get("$jsonSchema", collection.json_schema)
            model = validators.json_schema(collection.document_schema)
            if lacks := next(_looser(own, model, ""), None):
                yield f"{name}{lacks[0]}", lacks[1]


@rule(
    "time-series-field",
    "error",
    "schema",
    "a time series whose time or meta field is none",
    reason="MongoDB refuses a measurement without a date in the timeField; a metaField that nobody sets "
    "leaves "
    "all measurements in one series.",
    example='`options={"timeseries": {"timeField": "day"}}` where `day` is text',
    mend="name a required `datetime` as timeField and an existing field as metaField",
    page="core/timeseries/timeseries-procedures/",
)
def _time_series_field(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        series = _series(collection)
        shape = context.shapes[name]
        if not series or not shape.known:
            continue
        time, meta = shape.get(series.get("timeField", "")), series.get("metaField")
        if time is None or "." in time.path or time.value_types != {"date"} or not time.required:
            yield name, f"its timeField {series.get('timeField')!r} is no required date"
        if meta is not None and ("." in meta or not shape.has(meta)):
            yield name, f"its metaField {meta!r} is no field of its documents"


@rule(
    "time-series-meta",
    "warning",
    "schema data",
    "a time series whose metaField groups nothing",
    reason="Measurements with one value of the metaField share a bucket. Without a metaField all sources mix "
    "in each; with one that is different each time, every measurement is a bucket.",
    example="a metaField with the id of the measurement",
    mend="take what names the source (sensor, account), which seldom changes and many measurements share",
    page="core/timeseries/timeseries-best-practices/",
    threshold=_SERIES,
)
def _time_series_meta(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        series = _series(collection)
        if not series:
            continue
        meta = series.get("metaField")
        found = context.facts_of(name, meta) if meta else None
        field = context.shapes[name].get(meta) if meta else None
        if not meta:
            yield name, "it has no metaField"
        elif meta in {"_id", series.get("timeField")} or (field and field.value_types == {"date"}):
            yield name, f"its metaField {meta!r} is different in each measurement"
        elif field and field.arrays:
            yield name, f"its metaField {meta!r} is an array, which seldom equals another"
        elif found and found[1].distinct and found[0].documents < _SERIES.value * found[1].distinct:
            share = found[0].documents / found[1].distinct
            yield name, f"{share:.1f} measurements share a value of its metaField {meta!r}"


@rule(
    "time-series-limit",
    "error",
    "schema workload",
    "a time series with what those cannot have",
    reason="Time series have no unique and text indexes, no sparse, 2d and hashed ones on measurements, and "
    "updates may name the metaField only.",
    example="`payments` as a time series with a unique index on the reference number",
    mend="use an ordinary collection, or do without",
    page="core/timeseries/timeseries-limitations/",
)
def _time_series_limit(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        series = _series(collection)
        meta = series.get("metaField", "")
        for index in collection.indexes if series else ():
            kinds = {kind for _, kind in index.key_pairs()}
            measured = any(path.partition(".")[0] != meta for path in index.keys)
            if index.unique or "text" in kinds or (measured and (index.sparse or kinds & _NOT_IN_SERIES)):
                yield f"{name}:{index.name}", "a time series has no such index"
        for query in context.writes(name) if series else ():
            paths = [path for path, _, _ in conditions(filter_of(query))]
            paths += [path for fields in query.update.values() if isinstance(fields, dict) for path in fields]
            others = [path for path in paths if path.partition(".")[0] != meta]
            if query.action == "update" and others:
                yield f"query {query.name}", f"it updates a time series by {others[0]!r}"
        if series and collection.options.get("capped"):
            yield name, "a time series cannot be capped"


@rule(
    "capped-limit",
    "error",
    "schema workload",
    "a capped collection with what those cannot have",
    reason="A capped collection keeps the order of insertion and its size: it needs one, cannot be sharded, "
    "knows no TTL index, and is no place for documents that are deleted one by one.",
    example='`options={"capped": True}` with a TTL index',
    mend="use an ordinary collection with a TTL index",
    page="core/capped-collections/",
)
def _capped_limit(context: Context) -> Iterator[Found]:
    for name, collection in context.collections.items():
        if not collection.options.get("capped") or _series(collection):
            continue
        if "size" not in collection.options:
            yield name, "it has no size"
        if collection.shard_key:
            yield name, "it cannot be sharded"
        for index in collection.indexes:
            if index.ttl_seconds is not None:
                yield f"{name}:{index.name}", "a capped collection knows no TTL"
        for query in context.writes(name):
            if query.action == "delete":
                yield f"query {query.name}", "it deletes from a capped collection"


@rule(
    "capped-referenced",
    "warning",
    "schema",
    "references to documents of a capped collection",
    reason="The oldest documents disappear without a word, and what refers to them dangles.",
    example='`Reference("log")` where `log` is capped',
    mend="keep what is referred to in an ordinary collection",
    page="core/capped-collections/",
)
def _capped_referenced(context: Context) -> Iterator[Found]:
    for name, found in context.references.items():
        for path, reference in found.items():
            if context.collections[reference.collection].options.get("capped"):
                yield f"{name}.{path}", f"{reference.collection!r} drops its oldest documents"


def _stem(name: str) -> str:
    while shorter := _PERIOD.sub("", name):
        if shorter == name:
            break
        name = shorter
    return _NUMBER.sub("", name) or name


def _series(collection: BaseCollectionSchema) -> Mapping[str, Any]:
    series: Mapping[str, Any] = collection.options.get("timeseries", {})
    return series


def _looser(own: Mapping[str, Any], model: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Yield where a schema accepts more than another: path, and what it lacks."""
    if {"anyOf", "oneOf", "allOf", "not"} & (own.keys() | model.keys()):
        return  # alternatives are compared by nobody: to call them looser would often be wrong
    yield from ((at, f"the validator {text}") for text, is_so in _lacking(own, model).items() if is_so)
    for name, part in model.get("properties", {}).items():
        if name in own.get("properties", {}):
            yield from _looser(own["properties"][name], part, f"{at}.{name}")
        elif part.keys() - {"description"}:
            yield f"{at}.{name}", "the validator says nothing about it"
    if isinstance(model.get("items"), dict):
        yield from _looser(own.get("items", {}), model["items"], at)


def _lacking(own: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, bool]:
    """Return what a node may lack that the model's node has, and whether it does."""
    required = sorted(set(model.get("required", ())) - set(own.get("required", ())))
    ours, theirs = types_of(own), types_of(model)
    values = set(map(str, own.get("enum", ("any",)))) - set(map(str, model.get("enum", ())))
    closed = model.get("additionalProperties") is False
    bounds = {
        f"has {keyword} {own.get(keyword)}, the model {model[keyword]}": keyword not in own
        or (own[keyword] > model[keyword] if keyword in _UPPER else own[keyword] < model[keyword])
        for keyword in (*_LOWER, *_UPPER)
        if keyword in model
    }
    return {
        f"does not require {', '.join(required)}": bool(required),
        f"allows {' or '.join(sorted(ours - theirs)) or 'any type'}": bool(theirs)
        and (not ours or bool(ours - theirs)),
        "allows other values": "enum" in model and bool(values),
        "has another pattern": "pattern" in model and own.get("pattern") != model["pattern"],
        "allows fields that the model does not know": closed and own.get("additionalProperties") is not False,
        **bounds,
    }
