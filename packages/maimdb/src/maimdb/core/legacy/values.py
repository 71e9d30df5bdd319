"""SQLite's values as the target's: moments, texts, JSON and ids; and what cannot be one of them."""

from __future__ import annotations

import codecs
import datetime as dt
import hashlib
import json
import math
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.identifiers import quick_uuid

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - tables hold naive moments in UTC
_UNITS: Final = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Below which number an epoch counts seconds, milli-, micro- or nanoseconds: up to the year 5138."""
_OLDEST: Final = dt.datetime(1000, 1, 1)  # noqa: DTZ001 - MySQL takes no earlier one
_ROW_BITS: Final = 62
SUBSTITUTE: Final = "\x1a"
"""Stands for a byte that no engine takes in a text, such as NUL: one byte for one byte."""
LARGEST: Final = 2**31 - 1
"""The largest number of an INTEGER column."""


class SetAside(Exception):  # noqa: N818 - no error: it says where a row goes
    """A row cannot be mapped, for a reason that is the same for all rows of its kind."""


class Garbled(bytes):
    """A text whose bytes are no UTF-8."""

    __slots__ = ()


def _substitute(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return SUBSTITUTE * (error.end - error.start), error.end


codecs.register_error("maimdb-substitute", _substitute)


def moment_of(value: Any, zone: ZoneInfo | None = None) -> dt.datetime:
    """Return the naive moment in UTC of an epoch in any unit, or of an ISO text; a zone of None is UTC.

    Raises:
        SetAside: it is no moment, or none that every engine can hold.
    """
    if type(value) is str:
        try:
            if "-" in value[1:]:
                return _of_text(value, zone)
            value = float(value)
        except ValueError:
            raise SetAside("its time cannot be read") from None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise SetAside("it has no time" if value is None else "its time cannot be read")
    size = abs(value)
    unit = next((unit for limit, unit in _UNITS if size < limit), 1e-9)
    try:
        return _within_range(_EPOCH + dt.timedelta(seconds=value / unit))
    except OverflowError:
        raise SetAside("its time is out of range") from None


def is_exact(value: Any) -> bool:
    """Whether `moment_of` keeps all there is of a value: it is an epoch in seconds."""
    return type(value) in (int, float) and abs(value) < _UNITS[0][0]


def _of_text(text: str, zone: ZoneInfo | None) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=zone)
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
        except OverflowError:
            raise SetAside("its time is out of range") from None
    return _within_range(moment)


def _within_range(moment: dt.datetime) -> dt.datetime:
    if moment < _OLDEST:
        raise SetAside("its time is out of range")
    return moment


def text_of(value: Any) -> str | None:
    """Return a value as a text that every engine takes, of as many bytes as SQLite's own text of it."""
    if type(value) is str:
        return value.replace("\0", SUBSTITUTE) if "\0" in value else value
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "maimdb-substitute").replace("\0", SUBSTITUTE)
    return str(value) if type(value) is int else _sqlite_text(value)


def is_plain_text(value: Any) -> bool:
    """Whether `text_of` changes nothing."""
    return value is None or (type(value) is str and "\0" not in value)


def _sqlite_text(number: float) -> str:
    database = sqlite3.connect(":memory:")
    try:
        return str(database.execute("SELECT CAST(? AS TEXT)", (number,)).fetchone()[0])
    finally:
        database.close()


def number_of(value: Any, what: str) -> float | None:
    """Return a finite number, or None for NULL.

    Raises:
        SetAside: it is something else.
    """
    if value is None or (type(value) in (int, float) and math.isfinite(value)):
        return value  # type: ignore[no-any-return]
    raise SetAside(f"its {what} is no number")


def integer_of(value: Any, what: str) -> int | None:
    """Return a whole number that an INTEGER column takes, or None for NULL.

    Raises:
        SetAside: it is something else.
    """
    number = number_of(value, what)
    if number is None:
        return None
    if number != int(number) or abs(number) > LARGEST:
        raise SetAside(f"its {what} is no whole number of 32 bits")
    return int(number)


def size_of(value: Any) -> int:
    """Return the bytes of a text or BLOB; 0 for anything else."""
    if type(value) is str:
        return len(value) if value.isascii() else len(value.encode())
    return len(value) if isinstance(value, bytes) else 0


def to_json(values: Mapping[str, Any]) -> str:
    """Return values as JSON that every engine can read.

    What JSON or PostgreSQL's reading of it lacks is an object of one key: `{"$text": hex}` a text with NUL or
    with bytes that are no UTF-8, `{"$blob": hex}`, `{"$real": "inf"}`.
    """
    text = _encode(values)
    if "\\u0000" in text or "Infinity" in text or "NaN" in text:
        text = _encode({key: _json_value(value) for key, value in values.items()})
    return text


def from_json(text: str) -> dict[str, Any]:
    """Return the values of a JSON text that `to_json` made."""
    return {key: _value(value) for key, value in json.loads(text).items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes) or (isinstance(value, str) and "\0" in value):
        return _special(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"$real": str(value)}
    return value


def _special(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {"$text": value.encode().hex()}
    return {"$text" if isinstance(value, Garbled) else "$blob": bytes(value).hex()}


_encode: Final = json.JSONEncoder(ensure_ascii=False, default=_special).encode


def _value(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind == "$real":
        return float(inner)
    if kind not in {"$text", "$blob"}:
        return value
    data = bytes.fromhex(inner)
    if kind == "$blob":
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Garbled(data)


class RowIds:
    """The ids of what becomes of one source table: the same in every run, in the order of its rows.

    A UUID of version 8: sixty bits of a digest of the import and the table, then the row's number.
    """

    def __init__(self, import_id: str, kind: str) -> None:
        digest = int.from_bytes(hashlib.blake2b(f"{import_id}/{kind}".encode(), digest_size=8).digest())
        high = (digest & ~0xF000) | 0x8000
        self._high = f"{high:016x}"

    def of(self, number: int) -> uuid.UUID:
        """Return the id of a row by its number."""
        return quick_uuid(f"{self._high}{0x8000000000000000 | (number & ((1 << _ROW_BITS) - 1)):016x}")

    @property
    def bounds(self) -> tuple[uuid.UUID, uuid.UUID]:
        """The first and the last id that a row can have."""
        return self.of(0), self.of(-1)
