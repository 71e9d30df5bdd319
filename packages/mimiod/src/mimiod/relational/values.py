"""Values of SQL databases as BSON takes them, and the order of keys that all the databases agree on."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 2**63 - 1
"What a 64-bit integer holds."
_WIDE = Context(prec=400)
_HEX = re.compile(r"[0-9a-fA-F]{32}")


def sort_key(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return what the values of some columns compare by, in the order of `Reader.rows(order=…)`.

    Null comes first; then numbers by their value, with NaN as the greatest; then texts by their code points,
    and among them UUIDs as their text in small letters and dates as their moment in UTC; then bytes.
    """
    return tuple(_sorted_by(value) for value in values)


def _sorted_by(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, int | float | Decimal):
        return (1, True, 0) if math.isnan(value) else (1, False, value)
    if isinstance(value, bytes):
        return (3, value)
    return (2, text_of(value).encode(errors="surrogatepass"))


def text_of(value: Any) -> str:
    """Return the text that a text, UUID or moment is ordered by.

    Raises:
        TypeError: values of that type have no order.
    """
    if isinstance(value, datetime):
        return moment(value).isoformat(timespec="microseconds")
    if isinstance(value, str | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no order")


def moment(value: date) -> datetime:
    """Return a date or moment as one in UTC; one without a time zone is taken as UTC."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def moment_in(text: str) -> datetime | None:
    """Return the moment that a text says, if it is one of Python's calendar (years 1 to 9999)."""
    try:
        return moment(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def uuid_in(text: str) -> UUID | None:
    """Return the UUID that a text says, in any of the usual spellings."""
    plain = text.strip().replace("-", "").strip("{}")
    return UUID(hex=plain) if _HEX.fullmatch(plain) else None


def integer(value: int) -> int | Decimal:
    """Return an integer, as a decimal if 64 bits do not hold it."""
    return value if -LARGEST - 1 <= value <= LARGEST else Decimal(value)


def truth(value: Any) -> Any:
    """Return 0 and 1 as a bool, and what else stands there as it is."""
    return bool(value) if isinstance(value, int) and value in {0, 1} else value


def document(value: Any) -> Any:
    """Return what a text of JSON says, or the text if it is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def decimal(value: Any, digits: int = 0) -> Any:
    """Return a number as a decimal of so many digits, or of as many more as are shown of a float."""
    if not isinstance(value, int | float):
        return value
    number = Decimal(repr(value))
    if not number.is_finite() or -int(number.as_tuple().exponent) >= digits:
        return number
    return number.quantize(Decimal(1).scaleb(-digits), context=_WIDE)
