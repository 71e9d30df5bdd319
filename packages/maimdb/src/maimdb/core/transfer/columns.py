"""Rows column by column: what is ordinary is known a column at a time, the rest goes through `values`."""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.transfer.values import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from maimdb.core.transfer.tables import Column

Row = list[Any]
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX: Final = re.compile(r"[0-9a-f]{32}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
_SAME: Final[dict[str, set[type]]] = {
    "text": {str},
    "integer": {int},
    "boolean": {bool},
    "date": {str},
    "time": {str},
}
"""Types whose values are the same in JSON, in Python and for a driver."""
_NONE: Final = frozenset[type]()
_LENGTH: Final = re.compile(r"char[a-z ]*\((\d+)\)")
_BITS: Final = {"smallint": 16, "bigint": 64, "int8": 64}


def encode_rows(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> list[Row]:
    """Return a driver's rows as JSON has them."""
    if not rows:
        return []
    encoded = [
        _encoded(column.kind, values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    return [list(row) for row in zip(*encoded, strict=True)]


def _encoded(kind: str, values: Sequence[Any]) -> Sequence[Any]:
    kinds = _types(values)
    if kinds <= _SAME.get(kind, _NONE) or (kinds == {float} and kind == "float" and _are_finite(values)):
        return values
    if kind == "uuid" and kinds == {str}:
        return [
            _hyphened(value) if value and _HEX.fullmatch(value) else encode(kind, value) for value in values
        ]
    return [encode(kind, value) for value in values]


def _hyphened(value: str) -> str:
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


def are_ordinary(column: Column, values: Sequence[Any], engine: str) -> bool:
    """Whether encoded values all fit a column of a database; False: they are to be looked at one by one."""
    kinds = _types(values)
    present = [value for value in values if value is not None]
    if not present:
        return True
    return kinds == {_ORDINARY.get(column.kind)} and _FITS[column.kind](column, present, engine)


def longest_of(column: Column) -> int | None:
    """Return how many characters a column of text has room for; None: as many as come."""
    found = _LENGTH.search(column.declared)
    return int(found[1]) if found else None


def bounds_of(column: Column, engine: str) -> tuple[int, int]:
    """Return the least and the greatest number that a column of integers has room for."""
    bits = _BITS.get(column.declared.partition("(")[0], 64 if engine == "sqlite" else 32)
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def parameters(column: Column, values: Sequence[Any], engine: str) -> Sequence[Any]:
    """Return encoded values as a driver takes them.

    Raises:
        ValueError: one is none of its kind.
    """
    kinds = _types(values)
    if kinds <= _SAME.get(column.kind, _NONE) or (kinds == {float} and column.kind == "float"):
        return values
    if kinds == {str} and column.kind == "uuid" and all(v is None or _UUID.fullmatch(v) for v in values):
        return values if engine == "postgresql" else [v and v.replace("-", "") for v in values]
    if kinds == {str} and column.kind == "moment" and all(v is None or _MOMENT.fullmatch(v) for v in values):
        return values if engine != "sqlite" else [v and _spaced(v) for v in values]
    return [_parameter(column, value, engine) for value in values]


def _spaced(moment: str) -> str:
    """Return a moment as Python's sqlite3 and Peewee write it."""
    return f"{moment[:10]} {moment[11:].removesuffix('.000000')}"


def _parameter(column: Column, value: Any, engine: str) -> Any:
    value = decode(column.kind, value)
    if isinstance(value, uuid.UUID):
        return str(value) if engine == "postgresql" else value.hex
    if isinstance(value, dt.datetime) and engine == "sqlite":
        return value.isoformat(" ")
    return value


def _types(values: Sequence[Any]) -> set[type]:
    return set(map(type, values)) - {NoneType}


def _are_finite(values: Sequence[Any]) -> bool:
    return all(math.isfinite(value) for value in values if value is not None)


def _are_moments(texts: list[str]) -> bool:
    try:
        for text in texts:
            dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_storable(column: Column, texts: list[str], engine: str) -> bool:
    whole = "".join(texts)
    longest = longest_of(column)
    if longest is not None and len(max(texts, key=len)) > longest:
        return False
    if "\0" in whole and engine == "postgresql":
        return False
    if not whole.isascii():
        try:
            whole.encode()
        except UnicodeEncodeError:
            return False
    return True


def _is_within(column: Column, numbers: list[int], engine: str) -> bool:
    low, high = bounds_of(column, engine)
    return low <= min(numbers) and max(numbers) <= high


_ORDINARY: Final[dict[str, type]] = {
    "text": str,
    "integer": int,
    "boolean": bool,
    "float": float,
    "uuid": str,
    "moment": str,
}
_FITS: Final[dict[str, Callable[[Column, list[Any], str], bool]]] = {
    "text": _is_storable,
    "integer": _is_within,
    "boolean": lambda *_: True,
    "float": lambda _column, numbers, _engine: all(map(math.isfinite, numbers)),
    "uuid": lambda _column, texts, _engine: all(map(_UUID.fullmatch, texts)),
    "moment": lambda _column, texts, _engine: all(map(_MOMENT.fullmatch, texts)) and _are_moments(texts),
}
