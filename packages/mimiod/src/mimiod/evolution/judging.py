"""Why a `$jsonSchema` refuses a document: its rules, asked of the document one by one.

The server says which documents are refused. This says why, in the words of the schema; where it finds no
reason, the server's own stands.
"""

from __future__ import annotations

import math
import re
import uuid
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING, Any

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from mimiod.evolution.differences import named, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_TYPES: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool,), "bool"),
    ((Int64,), "long"),
    ((float,), "double"),
    ((str,), "string"),
    ((Decimal, Decimal128), "decimal"),
    ((datetime,), "date"),
    ((ObjectId,), "objectId"),
    ((dict, DBRef), "object"),
    ((list,), "array"),
    ((bytes, Binary, uuid.UUID), "binData"),
    ((Regex, re.Pattern), "regex"),
    ((Timestamp,), "timestamp"),
    ((Code,), "javascript"),
    ((MinKey,), "minKey"),
    ((MaxKey,), "maxKey"),
)
_NUMBERS = frozenset({"int", "long", "double", "decimal"})
_INT = 2**31


def reasons(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield what of the schema a value breaks, a few words each."""
    where = named(path) if path else "document"
    wanted = schema.get("bsonType")
    if wanted is not None and not _is_of(value, wanted):
        yield f"{where} is {_type(value)}, {shown(wanted)} wanted"
        return
    for keyword, fails in _CHECKS.items():
        if keyword in schema and fails(value, schema[keyword], schema):
            yield f"{where} {shown(_plain(value))} breaks {keyword} {shown(schema[keyword])}"
    if isinstance(value, dict):
        yield from _in_object(value, schema, path)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for element in value:
            yield from reasons(element, schema["items"], f"{path}[]")
    yield from _of_alternatives(value, schema, where, path)


def _in_object(value: dict[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    described = schema.get("properties") or {}
    patterns = schema.get("patternProperties") or {}
    others = schema.get("additionalProperties", True)
    for name in schema.get("required") or ():
        if name not in value:
            yield f"{named(_below(path, name))} is missing"
    for name, part in value.items():
        inner = _below(path, name)
        matching = [rule for pattern, rule in patterns.items() if re.search(pattern, name)]
        for rule in matching:
            yield from reasons(part, rule, inner)
        if name in described:
            yield from reasons(part, described[name], inner)
        elif not matching and others is False:
            yield f"{named(inner)} is not allowed"
        elif not matching and isinstance(others, dict):
            yield from reasons(part, others, inner)


def _of_alternatives(value: Any, schema: Mapping[str, Any], where: str, path: str) -> Iterator[str]:
    for keyword, wanted in (("anyOf", "one"), ("oneOf", "exactly one")):
        if keyword not in schema:
            continue
        fitting = sum(not any(reasons(value, part, path)) for part in schema[keyword])
        if not fitting or (keyword == "oneOf" and fitting > 1):
            yield f"{where} fits {fitting} of {len(schema[keyword])} alternatives, {wanted} wanted"
    for part in schema.get("allOf") or ():
        yield from reasons(value, part, path)
    if "not" in schema and not any(reasons(value, schema["not"], path)):
        yield f"{where} is what it may not be"


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, int) and not isinstance(value, bool | Int64):
        return "int" if -_INT <= value < _INT else "long"
    return next((name for kinds, name in _TYPES if isinstance(value, kinds)), type(value).__name__)


def _is_of(value: Any, wanted: str | list[str]) -> bool:
    kinds = {wanted} if isinstance(wanted, str) else set(wanted)
    kind = _type(value)
    return kind in kinds or ("number" in kinds and kind in _NUMBERS)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | list | dict) else str(value)


def _number(value: Any) -> Any:
    """Return a value that can be compared with a bound, None for what no bound binds."""
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return None if math.isnan(value) else value


def _below_bound(value: Any, bound: Any, schema: Mapping[str, Any]) -> bool:
    number = _number(value)
    return number is not None and (
        number < bound or (schema.get("exclusiveMinimum") is True and number == bound)
    )


def _above_bound(value: Any, bound: Any, schema: Mapping[str, Any]) -> bool:
    number = _number(value)
    return number is not None and (
        number > bound or (schema.get("exclusiveMaximum") is True and number == bound)
    )


def _is_off_step(value: Any, step: Any, _schema: Mapping[str, Any]) -> bool:
    number = _number(value)
    return number is not None and Decimal(str(number)) % Decimal(str(_number(step))) != 0


def _repeats(value: Any) -> bool:
    return any(one == two and type(one) is type(two) for one, two in combinations(value, 2))


def _is_none_of(value: Any, values: list[Any]) -> bool:
    return not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values)


_CHECKS: dict[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "enum": lambda value, values, _: _is_none_of(value, values),
    "minimum": _below_bound,
    "maximum": _above_bound,
    "multipleOf": _is_off_step,
    "minLength": lambda value, least, _: isinstance(value, str) and len(value) < least,
    "maxLength": lambda value, most, _: isinstance(value, str) and len(value) > most,
    "pattern": lambda value, pattern, _: isinstance(value, str) and not re.search(pattern, value),
    "minItems": lambda value, least, _: isinstance(value, list) and len(value) < least,
    "maxItems": lambda value, most, _: isinstance(value, list) and len(value) > most,
    "uniqueItems": lambda value, wanted, _: wanted and isinstance(value, list) and _repeats(value),
    "minProperties": lambda value, least, _: isinstance(value, dict) and len(value) < least,
    "maxProperties": lambda value, most, _: isinstance(value, dict) and len(value) > most,
}
"Each answers whether a value breaks what the keyword says."
