"""The collections and how they hang together: what a diagram draws, with cardinalities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod.reporting.fields import Field, fields_of
from mimiod.schema_types import references

if TYPE_CHECKING:
    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema


@dataclass(frozen=True)
class Embedded:
    """Documents inside a document."""

    path: str
    count: str
    "`1`, `0..1`, `0..n`, `4..20`: how many of them one document holds."


@dataclass(frozen=True)
class Link:
    """A reference from one collection to another."""

    source: str
    path: str
    target: str
    field: str
    referring: str
    "How many documents of `source` may name one of `target`: `0..1` or `0..n`."
    named: str
    "How many documents of `target` one of `source` names: `1`, `0..1` or `0..n`."
    why: str = ""


@dataclass(frozen=True)
class Entity:
    """A collection."""

    name: str
    links: tuple[Link, ...]
    embedded: tuple[Embedded, ...]


def entities_of(schema: BaseMongoDbSchema) -> list[Entity]:
    """Return the collections of a schema in the order of its declaration."""
    return [_entity(collection) for collection in schema.collections.values()]


def _entity(collection: BaseCollectionSchema) -> Entity:
    fields = {field.path: field for field in fields_of(collection)}
    links = tuple(
        Link(
            collection.collection_name,
            path,
            reference.collection,
            reference.field,
            "0..1" if _is_unique(collection, path) else "0..n",
            _count(fields, path),
            reference.why,
        )
        for path, reference in references(collection.document_schema).items()
    )
    embedded = tuple(
        Embedded(field.path, field.elements or _count(fields, field.path))
        for field in fields.values()
        if "object" in field.types and field.name != "*"
    )
    return Entity(collection.collection_name, links, embedded)


def _is_unique(collection: BaseCollectionSchema, path: str) -> bool:
    return any(
        index.unique and index.partial_filter is None and list(index.keys) == [path]
        for index in collection.indexes
    )


def _count(fields: dict[str, Field], path: str) -> str:
    """Return how many values a document has at a path."""
    field = fields.get(path)
    if field is None or field.in_array or field.elements:
        return "0..n"
    parents = [fields.get(path.rsplit(".", up)[0]) for up in range(1, path.count(".") + 1)]
    always = all(each is not None and each.is_required and not each.is_nullable for each in (field, *parents))
    return "1" if always else "0..1"
