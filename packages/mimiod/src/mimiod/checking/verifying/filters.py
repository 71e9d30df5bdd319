"""Whether a document is one that a partial index holds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bson import Int64, ObjectId

from mimiod.checking.verifying.values import canonical, ordered, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TYPES: dict[str | int, tuple[type, ...]] = {
    "double": (float,), 1: (float,), "string": (str,), 2: (str,), "object": (dict,), 3: (dict,),
    "array": (list,), 4: (list,), "objectId": (ObjectId,), 7: (ObjectId,), "bool": (bool,), 8: (bool,),
    "date": (datetime,), 9: (datetime,), "null": (type(None),), 10: (type(None),), "int": (int,), 16: (int,),
    "long": (Int64,), 18: (Int64,), "decimal": (Decimal,), 19: (Decimal,),
    "number": (float, int, Int64, Decimal),
}  # fmt: skip
"The types of `$type`, as the driver decodes them."

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda one, other: bool(one > other),
    "$gte": lambda one, other: bool(one >= other),
    "$lt": lambda one, other: bool(one < other),
    "$lte": lambda one, other: bool(one <= other),
}


class UnknownOperatorError(LookupError):
    """An operator that partial indexes do not take, or whose meaning is not known here."""


def matches(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a document matches the filter of a partial index.

    Operators are those that such a filter may have:
    https://www.mongodb.com/docs/manual/core/index-partial/#create-a-partial-index

    Raises:
        UnknownOperatorError: it has another.
    """
    for name, condition in wanted.items():
        if name in {"$and", "$or"}:
            agreed = [matches(document, each) for each in condition]
            if not (all(agreed) if name == "$and" else any(agreed)):
                return False
            continue
        if name.startswith("$"):
            raise UnknownOperatorError(name)
        found = _found(document, name.split("."))
        operators = isinstance(condition, dict) and any(key.startswith("$") for key in condition)
        tests = condition.items() if operators else [("$eq", condition)]
        if not all(_holds(found, operator, operand) for operator, operand in tests):
            return False
    return True


def _holds(found: list[Any], operator: str, operand: Any) -> bool:
    match operator:
        case "$exists":
            return bool(found) == bool(operand)
        case "$eq":
            return _is(found, operand)
        case "$in":
            return any(_is(found, each) for each in operand)
        case "$type":
            kinds = operand if isinstance(operand, list) else [operand]
            if unknown := [kind for kind in kinds if kind not in _TYPES]:
                raise UnknownOperatorError(f"$type {unknown[0]}")
            return any(type(value) in _TYPES[kind] for value in found for kind in kinds)
    if operator not in _COMPARED:
        raise UnknownOperatorError(operator)
    (rank, bound), compare = ordered(canonical(operand)), _COMPARED[operator]
    return any(
        own_rank == rank and compare(own, bound)
        for own_rank, own in (ordered(canonical(value)) for value in found)
    )


def _is(found: list[Any], wanted: Any) -> bool:
    if wanted is None and not found:
        return True
    return any(same(canonical(value), canonical(wanted)) for value in found)


def _found(value: Any, names: list[str]) -> list[Any]:
    """Return the values at a path; an array's items, and the array."""
    if not names:
        return [value, *value] if isinstance(value, list) else [value]
    if isinstance(value, list):
        return [found for item in value if isinstance(item, dict) for found in _found(item, names)]
    if isinstance(value, dict) and names[0] in value:
        return _found(value[names[0]], names[1:])
    return []
