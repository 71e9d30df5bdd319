"""The fields of a collection's documents as a reader wants them: path, types, bounds, marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mimiod.schema_types import Computed, Copy, NotBefore, Reference, marks
from mimiod.structure import json_schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mimiod.schema_types import BaseCollectionSchema

MOST_VALUES = 12
"Of an enumeration that are listed."

_NUMBERS = {"int", "long", "double", "decimal"}


@dataclass(frozen=True)
class FieldMark:
    """What a field is marked with."""

    kind: str
    "Reference, Copy, Computed or NotBefore."
    text: str
    "Of what."
    reason: str = ""
    "Why, or how old it may be."


@dataclass(frozen=True)
class Field:
    """A field of a collection's documents."""

    path: str
    "Array positions are left out; the values of free keys stand under `*`."
    types: tuple[str, ...] = ()
    "BSON's names without null; none where any type may stand there."
    elements: str = ""
    "Of an array: how many, as `4..20`; empty of anything else."
    is_nullable: bool = False
    is_required: bool = False
    in_array: bool = False
    "Whether it lies inside an array or a mapping with free keys, so that a document may have several."
    description: str = ""
    values: tuple[Any, ...] = ()
    "Of an enumeration."
    bounds: str = ""
    pattern: str = ""
    "A regular expression that a text matches."
    marks: tuple[FieldMark, ...] = ()

    @property
    def depth(self) -> int:
        """How deep it lies, 0 at the top."""
        return self.path.count(".")

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]

    @property
    def type(self) -> str:
        """Its type in a few words."""
        text = " or ".join(self.types) or "any"
        if self.elements:
            text = f"array of {text}, {self.elements}" if self.types else f"array, {self.elements}"
        return f"{text} or null" if self.is_nullable and self.types else text


def fields_of(collection: BaseCollectionSchema) -> list[Field]:
    """Return the fields of a collection's documents, each before what lies in it."""
    node = json_schema_of(collection)
    if node is None:
        return []
    marked = marks_of(collection)
    return [_with_marks(field, marked) for field in _below(node, "", in_array=False)]


def marks_of(collection: BaseCollectionSchema) -> dict[str, list[FieldMark]]:
    """Return the marks on a collection's fields, by path."""
    model = collection.document_schema
    found: dict[str, list[FieldMark]] = {}
    for path, reference in marks(model, Reference).items():
        mark = FieldMark("Reference", f"{reference.collection}.{reference.field}", reference.why)
        found.setdefault(path, []).append(mark)
    for path, copy in marks(model, Copy).items():
        found.setdefault(path, []).append(FieldMark("Copy", copy.path, copy.stale))
    for path, computed in marks(model, Computed).items():
        found.setdefault(path, []).append(FieldMark("Computed", _computed(computed)))
    for path, ordered in marks(model, NotBefore).items():
        found.setdefault(path, []).append(FieldMark("NotBefore", ", ".join(ordered.paths)))
    return found


def _computed(mark: Computed) -> str:
    text = f"{mark.how} of {mark.of}"
    conditions = [
        f"{name} is {' or '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in mark.conditions.items()
    ]
    if conditions:
        text += f" where {' and '.join(conditions)}"
    return f"{text} by {mark.by}" if mark.by else text


def _with_marks(field: Field, marked: Mapping[str, list[FieldMark]]) -> Field:
    return Field(**{**vars(field), "marks": tuple(marked.get(field.path, ()))})


def _below(node: Mapping[str, Any], path: str, *, in_array: bool) -> Iterator[Field]:
    """Yield the fields of an object's node, and those below them."""
    for part in _alternatives(node):
        required = part.get("required", ())
        for name, inner in part.get("properties", {}).items():
            below = f"{path}.{name}" if path else name
            yield from _field(inner, below, required=name in required, in_array=in_array)
        free = part.get("additionalProperties")
        if isinstance(free, dict) and free:
            yield from _field(free, f"{path}.*" if path else "*", required=False, in_array=True)


def _field(node: Mapping[str, Any], path: str, *, required: bool, in_array: bool) -> Iterator[Field]:
    parts = _alternatives(node)
    array = next((part for part in parts if "array" in _types(part)), None)
    leaves = parts if array is None else _alternatives(array.get("items", {}))
    kinds = dict.fromkeys(kind for part in leaves for kind in _types(part))
    nullable = any("null" in _types(part) or None in part.get("enum", ()) for part in [node, *parts])
    listed = [value for part in leaves for value in part.get("enum", ()) if value is not None]
    yield Field(
        path=path,
        types=_readable([kind for kind in kinds if kind != "null"]),
        elements="" if array is None else f"{array.get('minItems', 0)}..{array.get('maxItems', 'n')}",
        is_nullable=nullable,
        is_required=required or path == "_id",
        in_array=in_array,
        description=" ".join(str(node.get("description", "")).split()),
        values=tuple(listed),
        bounds="; ".join(dict.fromkeys(text for part in leaves for text in _bounds(part))),
        pattern=next((str(part["pattern"]) for part in leaves if "pattern" in part), ""),
    )
    for part in leaves:
        yield from _below(part, path, in_array=in_array or array is not None)


def _alternatives(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes of which one holds, each with what stands beside them."""
    for keyword in ("anyOf", "oneOf"):
        if keyword in node:
            rest = {name: value for name, value in node.items() if name != keyword}
            return [{**rest, **part} for each in node[keyword] for part in _alternatives(each)]
    return [node]


def _types(node: Mapping[str, Any]) -> list[str]:
    kinds = node.get("bsonType", node.get("type", []))
    if isinstance(kinds, str):
        return [kinds]
    return list(kinds) or (["object"] if "properties" in node else [])


def _readable(kinds: list[str]) -> tuple[str, ...]:
    """Return types in few words: a number is named by the widest of its types."""
    numbers = [kind for kind in ("decimal", "double", "long", "int") if kind in kinds]
    if len(numbers) > 1:
        widest = "int" if numbers == ["long", "int"] else numbers[0]
        kinds = [kind for kind in kinds if kind not in _NUMBERS] + [widest]
    return tuple(kinds)


def _bounds(node: Mapping[str, Any]) -> Iterator[str]:
    for low, high, strict, unit in (
        ("minimum", "maximum", "exclusiveM", ""),
        ("minLength", "maxLength", "", " characters"),
    ):
        least, most = node.get(low), node.get(high)
        above = "above" if strict and node.get("exclusiveMinimum") else "at least"
        below = "below" if strict and node.get("exclusiveMaximum") else "at most"
        if least is not None and most is not None and (above, below) == ("at least", "at most"):
            yield f"{_number(least)} to {_number(most)}{unit}"
        else:
            yield from (f"{above} {_number(least)}{unit}" for _ in [0] if least is not None)
            yield from (f"{below} {_number(most)}{unit}" for _ in [0] if most is not None)


def _number(value: Any) -> str:
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )
