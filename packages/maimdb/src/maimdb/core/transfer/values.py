"""Values as JSON, so that every engine's are written alike; and back, as an engine's driver takes them.

| Kind | JSON |
|---|---|
| text | text |
| integer | number |
| float | number |
| boolean | true, false |
| moment | text: ISO 8601, UTC, six digits of a second, no zone |
| uuid | text, lower case, with hyphens |
| decimal, date, time | text |
| bytes | text: base64 |

NULL is null in each. What a column holds against its kind, as SQLite allows, and a float that is no number,
is an object of one member: {"text": …}, {"integer": …}, {"float": …}, {"bytes": …}.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import math
import uuid
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.identifiers import quick_uuid

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS: Final = 32


def encode(kind: str, value: Any) -> Any:
    """Return a driver's value as JSON has it."""
    if value is None:
        return None
    try:
        return _ENCODERS[kind](value)
    except (TypeError, ValueError, OverflowError, InvalidOperation):
        return _tagged(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError
    return int(value)


def _float(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> bool:
    if value not in (0, 1):
        raise TypeError
    return bool(value)


def _moment(value: Any) -> str:
    moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, dt.datetime):
        raise TypeError
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds")


def _uuid(value: Any) -> str:
    if isinstance(value, str):
        value = quick_uuid(value) if len(value) == _DIGITS else uuid.UUID(value)
    if not isinstance(value, uuid.UUID):
        raise TypeError
    return str(value)


def _decimal(value: Any) -> str:
    if not isinstance(value, int | float | str | Decimal):
        raise TypeError
    return format(Decimal(str(value)).normalize(), "f")


def _day(value: Any) -> str:
    if isinstance(value, bytes | int | float):
        raise TypeError
    return str(value)


def _bytes(value: Any) -> str:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError
    return base64.b64encode(bytes(value)).decode()


_ENCODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "text": _text,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "moment": _moment,
    "uuid": _uuid,
    "decimal": _decimal,
    "date": _day,
    "time": _day,
    "bytes": _bytes,
}
KINDS: Final = frozenset(_ENCODERS)


def _tagged(value: Any) -> dict[str, Any]:
    if isinstance(value, bool | int):
        return {"integer": int(value)}
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": _bytes(value)}
    return {"text": str(value)}


def decode(kind: str, value: Any) -> Any:
    """Return JSON's value as Python's.

    Raises:
        ValueError: it is none of its kind.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return _untagged(value)
    try:
        decoded = _DECODERS[kind](value)
    except (TypeError, ValueError, InvalidOperation, binascii.Error):
        raise ValueError(f"{str(value)[:60]!r} is no {kind}") from None
    return decoded


def _untagged(value: dict[str, Any]) -> Any:
    match value:
        case {"text": str(text)} if len(value) == 1:
            return text
        case {"integer": int(number)} if len(value) == 1:
            return number
        case {"float": str(number)} if len(value) == 1:
            return float(number)
        case {"bytes": str(text)} if len(value) == 1:
            return base64.b64decode(text, validate=True)
    raise ValueError(f"{str(value)[:60]!r} is no value")


def _true_or_false(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "text": _text,
    "integer": _whole,
    "float": lambda value: _float(_refuse_flag(value)),
    "boolean": _true_or_false,
    "moment": lambda value: dt.datetime.fromisoformat(_text(value)),
    "uuid": lambda value: uuid.UUID(_text(value)),
    "decimal": lambda value: str(Decimal(_text(value))) and _text(value),
    "date": _text,
    "time": _text,
    "bytes": lambda value: base64.b64decode(_text(value), validate=True),
}


def _refuse_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise TypeError
    return value
