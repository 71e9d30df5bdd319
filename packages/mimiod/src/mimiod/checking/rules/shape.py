"""The fields of a collection's documents, as its `$jsonSchema` has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NUMBERS = frozenset({"int", "long", "double", "decimal", "number"})


@dataclass(frozen=True)
class SchemaField:
    """A field of the documents, or of what is embedded in them."""

    path: str
    "Without array positions, as in a query; `*` stands for the free keys of a mapping."
    node: Mapping[str, Any]
    "Its part of the `$jsonSchema`."
    required: bool
    "Whether it is there wherever what holds it is."
    arrays: tuple[str, ...]
    "The arrays on the way to it; an array itself is the last."
    shapes: tuple[Mapping[str, Any], ...]
    "The kinds of embedded document that stand here, or in the array that stands here."

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def parent(self) -> str:
        """The path of what holds it."""
        return self.path.rpartition(".")[0]

    @property
    def types(self) -> frozenset[str]:
        """The BSON types of its values; none where anything may stand."""
        return types_of(self.node)

    @property
    def element(self) -> Mapping[str, Any]:
        """The part of the `$jsonSchema` of an array's elements, else its own."""
        items = self.node.get("items")
        return items if self.is_array and isinstance(items, dict) else self.node

    @property
    def value_types(self) -> frozenset[str]:
        """The types that an index or a query meets here: of an array those of its elements."""
        return types_of(self.element) - {"null"}

    @property
    def is_array(self) -> bool:
        """Whether an array may stand here."""
        return "array" in self.types

    @property
    def nullable(self) -> bool:
        """Whether null may stand here."""
        return not self.types or "null" in self.types

    @property
    def is_open(self) -> bool:
        """Whether below it there may be fields that the schema does not name."""
        return is_open(self.element)

    @property
    def is_flexible(self) -> bool:
        """Whether it holds what the schema says nothing about: neither names nor types of fields."""
        free = self.element.get("additionalProperties", True)
        return self.is_open and not isinstance(free, dict) and "patternProperties" not in self.element

    @property
    def values(self) -> int | None:
        """How many values there can be, where the schema says so."""
        if "enum" in self.element:
            return len(set(map(str, self.element["enum"])) - {"None"})
        return 2 if self.value_types == {"bool"} else None


@dataclass(frozen=True)
class Shape:
    """The documents of a collection."""

    fields: Mapping[str, SchemaField] = field(default_factory=dict)
    known: bool = True
    "False where nothing says what the documents are."
    open: bool = False
    "Whether the documents may have fields that are not named, by the model's own wish."
    root: Mapping[str, Any] = field(default_factory=dict)
    "The whole `$jsonSchema`."

    def __getitem__(self, path: str) -> SchemaField:
        return self.fields[path]

    def __iter__(self) -> Iterator[SchemaField]:
        return iter(self.fields.values())

    def get(self, path: str) -> SchemaField | None:
        """Return the field at a path, of which array positions are left out."""
        return self.fields.get(plain(path))

    def has(self, path: str) -> bool:
        """Return whether documents may have the field; where nothing is said they may."""
        path = plain(path)
        if not self.known or self.open or path in self.fields or path.partition(".")[0] == "_id":
            return True
        parts = path.split(".")
        above = [self.fields.get(".".join(parts[:length])) for length in range(len(parts) - 1, 0, -1)]
        nearest = next((each for each in above if each is not None), None)
        return nearest is not None and nearest.is_open


def plain(path: str) -> str:
    """Return a path without array positions and positional operators."""
    return ".".join(part for part in path.split(".") if not part.isdigit() and not part.startswith("$"))


def types_of(node: Mapping[str, Any]) -> frozenset[str]:
    """Return the BSON types that a node of a `$jsonSchema` allows; none means any."""
    if "bsonType" in node:
        kind = node["bsonType"]
        return frozenset([kind] if isinstance(kind, str) else kind)
    return frozenset().union(*(types_of(part) for part in _alternatives(node)))


def is_open(node: Mapping[str, Any]) -> bool:
    """Return whether a node takes fields that it does not name."""
    kinds = types_of(node)
    if kinds and "object" not in kinds:
        return False
    shapes = [part for part in _alternatives(node) if "properties" in part]
    free = node.get("additionalProperties")
    return (not shapes and "properties" not in node) or isinstance(free, dict)


def shape_of(json_schema: Mapping[str, Any] | None) -> Shape:
    """Return the documents that a `$jsonSchema` describes."""
    if json_schema is None:
        return Shape(known=False)
    found: dict[str, SchemaField] = {}
    _collect(json_schema, "", (), found)
    return Shape(found, known=bool(found), root=json_schema)


def _collect(
    node: Mapping[str, Any], prefix: str, arrays: tuple[str, ...], found: dict[str, SchemaField]
) -> None:
    required = set(node.get("required", ()))
    for name, part in node.get("properties", {}).items():
        _add(part, prefix + name, arrays, found, required=name in required)
    free = node.get("additionalProperties")
    if isinstance(free, dict):
        _add(free, f"{prefix}*", arrays, found, required=False)
    for part in _alternatives(node):
        _collect(part, prefix, arrays, found)


def _add(
    node: Mapping[str, Any],
    path: str,
    arrays: tuple[str, ...],
    found: dict[str, SchemaField],
    *,
    required: bool,
) -> None:
    inner = node
    while "array" in types_of(inner):
        arrays = (*arrays, path)
        items = inner.get("items")
        listed = [part for part in _alternatives(inner) if "items" in part]
        inner = items if isinstance(items, dict) else listed[0]["items"] if listed else {}
    shapes = tuple(part for part in (inner, *_alternatives(inner)) if "properties" in part)
    if path not in found:
        found[path] = SchemaField(path, node, required, arrays, shapes)
    _collect(inner, f"{path}.", arrays, found)


def _alternatives(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [part for keyword in ("anyOf", "oneOf", "allOf") for part in node.get(keyword, ())]
