"""The `$jsonSchema` validator of a pydantic model.

MongoDB validates with draft 4 of JSON Schema, `bsonType` in place of `type`, and no `$ref`
(https://www.mongodb.com/docs/manual/reference/operator/query/jsonSchema/). Pydantic walks the model;
here its types become BSON's, its references are written out and what MongoDB does not know is left
out. A type that admits null stays one list of `bsonType`s, since some servers refuse `anyOf`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

_INTEGER = ["int", "long"]
_REAL = ["double", "int", "long"]
_KEPT = frozenset({
    "bsonType", "enum", "properties", "required", "additionalProperties", "patternProperties",
    "items", "minItems", "maxItems", "uniqueItems", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "minProperties",
    "maxProperties", "anyOf", "oneOf", "allOf", "not", "description",
})  # fmt: skip
_OF_JSON = {
    "object": "object", "array": "array", "string": "string", "boolean": "bool", "null": "null",
}  # fmt: skip


class _GenerateBsonSchema(GenerateJsonSchema):
    """Pydantic's walk over a model, with BSON's types at its leaves."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return super().int_schema(schema) | {"bsonType": _INTEGER}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return super().float_schema(schema) | {"bsonType": _REAL}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        bounds = {
            keyword: float(schema[bound])  # type: ignore[literal-required]
            for bound, keyword in _BOUNDS.items()
            if schema.get(bound) is not None
        }
        return {"bsonType": ["decimal", *_REAL], **bounds}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {"bsonType": "date"}

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {"bsonType": "date"}

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {"bsonType": "binData"}

    def uuid_schema(self, schema: core_schema.UuidSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {"bsonType": "binData"}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


_BOUNDS = {
    "ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}  # fmt: skip
"Pydantic names of bounds; it leaves them in its schema where a bound stands behind a validator function."


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the `$jsonSchema` that accepts the documents of `model`.

    A model that contains itself is described to its second level, and any object below.
    """
    made = model.model_json_schema(schema_generator=_GenerateBsonSchema)
    bson_schema = _for_mongodb(made, made.get("$defs", {}), ())
    if bson_schema.get("additionalProperties") is False:
        bson_schema["properties"].setdefault("_id", {})
    return bson_schema


def without(schema: Mapping[str, Any], *keywords: str) -> dict[str, Any]:
    """Return a looser `$jsonSchema`: the same without these keywords, at any depth."""

    def loosen(node: Any) -> Any:
        return without(node, *keywords) if isinstance(node, dict) else node

    return {
        keyword: {name: loosen(part) for name, part in value.items()}
        if keyword == "properties"
        else [loosen(part) for part in value]
        if isinstance(value, list)
        else loosen(value)
        for keyword, value in schema.items()
        if keyword not in keywords
    }


def _for_mongodb(
    node: dict[str, Any], definitions: Mapping[str, Any], above: tuple[str, ...]
) -> dict[str, Any]:
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        if above.count(name) > 1:
            return {"bsonType": "object"}
        return _for_mongodb(definitions[name], definitions, (*above, name))

    def inner(keyword: str, value: Any) -> Any:
        if isinstance(value, list) and keyword in {"anyOf", "oneOf", "allOf"}:
            return [_for_mongodb(part, definitions, above) for part in value]
        if isinstance(value, dict) and keyword in {"properties", "patternProperties"}:
            return {name: _for_mongodb(part, definitions, above) for name, part in value.items()}
        if isinstance(value, dict) and keyword in {"items", "additionalProperties", "not"}:
            return _for_mongodb(value, definitions, above)
        return value

    node = dict(node)
    _type_as_bson(node)
    _draft_4(node)
    node = {keyword: inner(keyword, value) for keyword, value in node.items() if keyword in _KEPT}
    if node.get("additionalProperties") in (True, {}):
        del node["additionalProperties"]
    if node.get("items") == {}:
        del node["items"]
    return _merged_alternatives(node)


def _type_as_bson(node: dict[str, Any]) -> None:
    kind = node.pop("type", None)
    if "bsonType" not in node and kind in _OF_JSON:
        node["bsonType"] = _OF_JSON[kind]
    elif "bsonType" in node and "pattern" in node and node["bsonType"] == "objectId":
        del node["pattern"]
    if kind == "integer":
        node.setdefault("bsonType", _INTEGER)
    if kind == "number":
        node.setdefault("bsonType", _REAL)


def _draft_4(node: dict[str, Any]) -> None:
    """Write newer keywords as the fourth draft has them."""
    for bound in _BOUNDS.keys() & node.keys():
        node[_BOUNDS[bound]] = node.pop(bound)
    if node.get("bsonType") == "object":
        for length, number in (("minLength", "minProperties"), ("maxLength", "maxProperties")):
            if length in node:
                node[number] = node.pop(length)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in node:
            node[bound], node[exclusive] = node[exclusive], True
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "prefixItems" in node:
        positions = node.pop("prefixItems")
        node["items"] = positions[0] if all(part == positions[0] for part in positions) else {}


def _merged_alternatives(node: dict[str, Any]) -> dict[str, Any]:
    """Return the node with alternatives of which one is null, or all are bare types, as one type."""
    alternatives: list[dict[str, Any]] = node.get("anyOf", [])
    if not alternatives:
        return node
    rest = {keyword: value for keyword, value in node.items() if keyword != "anyOf"}
    null = [part for part in alternatives if part == {"bsonType": "null"}]
    others = [part for part in alternatives if part != {"bsonType": "null"}]
    if {} in others:
        return rest
    if all(set(part) == {"bsonType"} for part in others):
        return rest | {"bsonType": _types(*alternatives)}
    if len(others) == 1 and null and "bsonType" in others[0] and not {"anyOf", "oneOf"} & set(others[0]):
        # The other keywords bind their own type only, so null passes them; an enum has to name it.
        merged = rest | others[0] | {"bsonType": _types(others[0], *null)}
        if "enum" in merged:
            merged["enum"] = [*merged["enum"], None]
        return merged
    return node


def _types(*parts: Mapping[str, Any]) -> list[str]:
    kinds: dict[str, None] = {}
    for part in parts:
        kind = part["bsonType"]
        kinds.update(dict.fromkeys([kind] if isinstance(kind, str) else kind))
    return list(kinds)
