"""The collections of `db_schema.py`: their validators, indexes and options as they were found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.errors import MimiodError
from mimiod.inspecting.code import Code, call, listing, literal, literal_of
from mimiod.schema_types import IndexDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mimiod.evolution.shapes import CollectionShape
    from mimiod.inspecting.facts import CollectionFacts

_INDEX_OPTIONS = {
    "unique": "unique", "sparse": "sparse", "hidden": "hidden", "expireAfterSeconds": "ttl_seconds",
    "partialFilterExpression": "partial_filter", "wildcardProjection": "wildcard_projection",
    "weights": "weights", "default_language": "default_language", "bits": "bits", "min": "min", "max": "max",
}  # fmt: skip


def collection_code(facts: CollectionFacts, model: str) -> Code:
    """Return a collection whose documents are of a model."""
    shape = facts.shape
    named: dict[str, Code] = {"document_schema": model}
    indexes = [code for each, index in shape.indexes.items() if (code := _index(each, index)) is not None]
    if indexes:
        named["indexes"] = listing(indexes)
    named |= _rules(shape)
    if options := {key: value for key, value in shape.options.items() if _is_plain(value)}:
        named["options"] = literal_of(options)
    return call("BaseCollectionSchema", **named)


def validator_of(shape: CollectionShape) -> dict[str, Any] | None:
    """Return the `$jsonSchema` that documents are held to; None without one that can be written as code."""
    told = shape.validator.get("$jsonSchema")
    return told if isinstance(told, dict) and _is_plain(told) else None


def _rules(shape: CollectionShape) -> dict[str, Code]:
    if (told := validator_of(shape)) is None:
        return {}
    named: dict[str, Code] = {"json_schema": literal_of(told)}
    if shape.level != "strict":
        named["validation_level"] = literal(shape.level)
    if shape.action != "error":
        named["validation_action"] = literal(shape.action)
    return named


def _index(name: str, index: Mapping[str, Any]) -> Code | None:
    """Return an index as the schema declares it; None for one that it cannot."""
    keys = dict(index["key"])
    if "_fts" in keys:
        keys = {key: kind for key, kind in keys.items() if key not in {"_fts", "_ftsx"}}
        keys |= dict.fromkeys(index.get("weights", {}), "text")
    keys = {key: kind if isinstance(kind, str) else int(kind) for key, kind in keys.items()}
    options = {
        ours: index[theirs]
        for theirs, ours in _INDEX_OPTIONS.items()
        if index.get(theirs) not in (None, False)
    }
    collation = index.get("collation")
    if isinstance(collation, dict):
        kept = {
            key: collation[key]
            for key in ("locale", "strength", "caseLevel", "numericOrdering")
            if key in collation
        }
        options["collation"] = kept
    if "ttl_seconds" in options:
        options["ttl_seconds"] = int(options["ttl_seconds"])
    if not _is_plain(options):
        return None
    try:
        made = IndexDefinition(keys=keys, **options)
        IndexDefinition(keys=keys, name=name, **options)
    except (ValueError, MimiodError):
        return None
    named: dict[str, Code] = {"keys": literal_of(keys)}
    if made.name != name:
        named["name"] = literal(name)
    return call(
        "IndexDefinition", **named, **{option: literal_of(value) for option, value in options.items()}
    )


def _is_plain(value: Any) -> bool:
    """Return whether a value has a literal: what BSON alone has is left out."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool | int | float)
