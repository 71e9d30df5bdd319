"""Values of documents: read by path, compared as MongoDB compares them, and shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from bson import Decimal128, ObjectId

from mimiod.checking.existing import values_at

RELATIVE = 1e-9
"How far floating-point numbers may lie apart, as a share of the larger, and yet be the same."

_LONGEST = 120
"Characters of a value that are shown."

Getter = Callable[[dict[str, Any]], Any]


def getter(path: str) -> Getter:
    """Return what reads a path: None where there is nothing, a list where an array lies on the way."""
    if not path:
        return lambda document: document
    names = path.split(".")
    if len(names) == 1:
        return lambda document: document.get(path)
    parts = [(name, ".".join(names[at + 1 :])) for at, name in enumerate(names)]

    def read(document: Any) -> Any:
        for name, rest in parts:
            document = document.get(name)
            if isinstance(document, list) and rest:
                return list(values_at(document, rest))
            if not isinstance(document, dict):
                return None if rest else document
        return document

    return read


def canonical(value: Any) -> Any:  # noqa: C901, PLR0911 - a type each
    """Return a value that can be a key: equal where MongoDB takes two values for equal, and to be pickled.

    The twelve bytes of an ObjectId stand for it; what Python would confuse is a tuple with its type.
    """
    if value is None or type(value) is str:  # most are: a match would take longer
        return value
    match value:
        case ObjectId():
            return value.binary
        case bool():
            return ("bool", value)
        case Enum():
            return canonical(value.value)
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return ("number", "NaN") if value != value else value  # noqa: PLR0124 - NaN
        case Decimal128():
            return canonical(value.to_decimal())
        case Decimal():
            return value if value.is_finite() else ("number", str(value))
        case datetime():
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        case list() | tuple():
            return ("array", *map(canonical, value))
        case dict():
            return ("object", *((name, canonical(inner)) for name, inner in value.items()))
    return (type(value).__name__, repr(value))


def is_number(value: Any) -> bool:
    """Return whether a canonical value is a finite number."""
    return isinstance(value, int | Decimal) or (isinstance(value, float) and math.isfinite(value))


def same(one: Any, other: Any) -> bool:
    """Return whether two canonical values are equal, floating-point numbers up to `RELATIVE`."""
    if one == other:
        return True
    if isinstance(one, float) or isinstance(other, float):
        return is_number(one) and is_number(other) and math.isclose(one, other, rel_tol=RELATIVE)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return False


def ordered(value: Any) -> tuple[int, Any]:
    """Return what canonical values are sorted by: their type, then themselves, as in MongoDB."""
    if is_number(value):
        return 1, value
    for rank, kind in enumerate((str, bytes, datetime), 2):
        if isinstance(value, kind):
            return rank, value
    return 9, repr(value)


def shown(value: Any) -> str:
    """Return a canonical value as a fault names it."""
    match value:
        case None:
            return "null"
        case bytes():
            return str(ObjectId(value)) if len(value) == 12 else value.hex()  # noqa: PLR2004 - an ObjectId
        case datetime():
            return value.isoformat()
        case ("array", *items):
            text = f"[{', '.join(map(shown, items))}]"
        case ("object", *pairs):
            text = f"{{{', '.join(f'{name}: {shown(inner)}' for name, inner in pairs)}}}"
        case (_, inner):
            text = str(inner)
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
