"""Two `$jsonSchema`s compared field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NESTED = {"items": "[]", "additionalProperties": ".*"}
"Keywords whose value may be a schema of its own, and how its place is written."
_UNORDERED = frozenset({"bsonType", "enum", "required"})


@dataclass(frozen=True)
class FieldChange:
    """What one keyword says of one field, in two schemas."""

    path: str
    "Dotted; `[]` stands for the elements of an array, `*` for any other field. Empty for the document."
    keyword: str
    "`field` where only one of the two describes the field; `required` with True or False."
    have: Any
    want: Any
    "None where the schema says nothing."


def field_changes(have: Mapping[str, Any], want: Mapping[str, Any], path: str = "") -> Iterator[FieldChange]:
    """Yield what differs between two schemas; the order of types, values and names is no difference."""
    yield from _properties(have, want, path)
    nested = {"properties", "required"}
    for keyword, sign in _NESTED.items():
        one, two = have.get(keyword), want.get(keyword)
        if isinstance(one, dict) and isinstance(two, dict):
            nested.add(keyword)
            inner = f"{path}{sign}" if path or sign != ".*" else "*"
            yield from field_changes(one, two, inner)
    for keyword in dict.fromkeys([*have, *want]):
        one, two = have.get(keyword), want.get(keyword)
        if keyword not in nested and _ordered(keyword, one) != _ordered(keyword, two):
            yield FieldChange(path, keyword, one, two)


def _properties(have: Mapping[str, Any], want: Mapping[str, Any], path: str) -> Iterator[FieldChange]:
    one, two = have.get("properties") or {}, want.get("properties") or {}
    must, shall = set(have.get("required") or ()), set(want.get("required") or ())
    names = dict.fromkeys([*one, *two, *sorted(must | shall)])
    for name in names:
        inner = f"{path}.{name}" if path else name
        if (name in must) != (name in shall):
            yield FieldChange(inner, "required", name in must, name in shall)
        if name in one and name in two:
            yield from field_changes(one[name], two[name], inner)
        elif name in one or name in two:
            yield FieldChange(inner, "field", one.get(name), two.get(name))


def _ordered(keyword: str, value: Any) -> Any:
    if keyword not in _UNORDERED:
        return value
    values = value if isinstance(value, list) else [value]
    return sorted(map(repr, values))
