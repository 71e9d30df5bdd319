"""What rows become known by, and what their values become: ObjectIds of keys, BSON of values."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, DecimalException
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from bson import Decimal128, ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY = b"mimiod: rows of SQL"
_SEPARATOR = b"\x1f"
_LARGEST = 2**63


def object_id(table: str, values: Iterable[Any]) -> ObjectId:
    """Return the ObjectId of the row of a table that has these values as its key: always the same one.

    These are the first 12 bytes of a keyed BLAKE2b of the table's name and the values. That two of a billion
    rows get the same has a chance of one in 10^11; the server would refuse the second.
    """
    parts = [_escaped(table.encode("utf-8", "surrogatepass")), *map(canonical, values)]
    return ObjectId(blake2b(_SEPARATOR.join(parts), digest_size=12, key=_KEY).digest())


def canonical(value: Any) -> bytes:
    """Return the bytes of a key's value: 5, 5.00 and 5.0 are one number, `"5"` is another value."""
    match value:
        case None:
            return b"-"
        case int():
            return b"n%d" % value
        case float() | Decimal() | Decimal128():
            number = Decimal(repr(value)) if isinstance(value, float) else value
            number = number.to_decimal() if isinstance(number, Decimal128) else number
            whole = number.is_finite() and number == number.to_integral_value()
            return b"n%d" % int(number) if whole else b"n" + str(number.normalize()).encode()
        case datetime():
            return b"d" + _aware(value).isoformat().encode()
        case bytes() | bytearray() | memoryview():
            return b"b" + _escaped(bytes(value))
    return b"s" + _escaped(str(value).encode("utf-8", "surrogatepass"))


def _escaped(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(_SEPARATOR, b"\\u")


def bson_value(value: Any) -> Any:  # noqa: C901, PLR0911 - a type each
    """Return what a document holds for a value of a row: nothing is rounded but moments, to milliseconds."""
    match value:
        case None | bool() | float() | ObjectId():
            return value
        case str():
            return value.encode("utf-8", "replace").decode() if _has_surrogates(value) else value
        case int():
            return value if -_LARGEST <= value < _LARGEST else _decimal(Decimal(value))
        case Decimal():
            return _decimal(value)
        case datetime():
            return _aware(value)
        case date():
            return datetime.combine(value, time(), UTC)
        case time() | timedelta():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case dict():
            return {str(key).replace("\0", ""): bson_value(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [bson_value(inner) for inner in value]
    return value


def _aware(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _decimal(value: Decimal) -> Decimal128 | str:
    """Return a decimal as BSON has it; as a text where it has more than 34 digits."""
    try:
        return Decimal128(value)
    except DecimalException:
        return str(value)


def _has_surrogates(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)
