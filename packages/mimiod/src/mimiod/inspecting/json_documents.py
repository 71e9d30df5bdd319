"""The documents of files of JSON and BSON, one after the other, each with its place for messages."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
from datetime import UTC
from typing import TYPE_CHECKING, Any, BinaryIO
from zlib import error as zlib_error

import bson
from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError

from mimiod.errors import SourceError
from mimiod.inspecting.mongo_source import DECODED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LARGEST = 48 * 2**20
"Bytes of one document: what 16 MB of BSON may take as JSON."

_TOO_LARGE = f"a document is larger than {LARGEST // 2**20} MB, which none can be"
_CHUNK = 2**16
_LONGEST_WORD = 20
_HEAD = 4
_SMALLEST = 5
_EXTENDED = json_util.JSONOptions(
    tz_aware=True,
    tzinfo=UTC,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_BETWEEN = re.compile(r"[\s,]*")
_STRAY = re.compile("[\udc80-\udcff]")

Record = tuple[str | bytes, int]
"A document as it is written, and the number of its line, or of itself in a file of BSON."


def records(file: Path, *, lines: bool) -> Iterator[Record]:
    """Yield the documents of a file as they are written.

    Args:
        file: it ends in `.bson`, or is JSON: documents one after the other, or one array of them. `.gz` too.
        lines: whether each stands on a line of its own.

    Raises:
        SourceError: the file cannot be read; the text names file and line.
    """
    try:
        with _opened(file) as opened:
            if ".bson" in file.suffixes:
                yield from _bson(opened, file)
                return
            first = opened.read(2)
            encoding = _BOMS.get(first, "utf-8-sig")
            whole = io.BufferedReader(_Rest(first, opened))
            text = io.TextIOWrapper(whole, encoding=encoding, errors="surrogateescape", newline="\n")
            yield from _lines(text, file) if lines else _stream(text, file)
    except (EOFError, zlib_error, gzip.BadGzipFile) as exc:
        raise SourceError(f"{file} cannot be unpacked: {exc}") from exc
    except UnicodeError as exc:
        raise SourceError(f"{file} is no text: {exc}") from exc
    except OSError as exc:
        raise SourceError(f"{file} cannot be read: {exc.strerror or exc}") from exc


def decoded(record: Record, file: Path, stray: Callable[[int], None]) -> dict[str, Any]:
    """Return the document of a record; `stray` is told of lines with bytes that are no UTF-8.

    Raises:
        SourceError: it is broken, or no document.
    """
    raw, place = record
    try:
        if isinstance(raw, bytes):
            return bson.decode(raw, DECODED)
        if not raw.isascii() and _STRAY.search(raw):
            stray(place)
            raw = _STRAY.sub(lambda byte: _as_windows(byte[0]), raw)
        found = json_util.loads(raw, json_options=_EXTENDED) if '"$' in raw else json.loads(raw)
    except json.JSONDecodeError as exc:
        line = place + exc.lineno - 1
        raise SourceError(f"{file}, line {line:,}, column {exc.colno}: {exc.msg}") from exc
    except RecursionError:
        raise SourceError(f"{_named(file, place, raw)}: it is nested too deeply") from None
    except (ValueError, TypeError, KeyError, OverflowError, BSONError) as exc:
        raise SourceError(f"{_named(file, place, raw)}: {' '.join(str(exc).split())}") from exc
    if not isinstance(found, dict):
        raise SourceError(f"{_named(file, place, raw)}: a document is an object, and this is none")
    return found


def _named(file: Path, place: int, raw: str | bytes) -> str:
    return f"{file}, {'document' if isinstance(raw, bytes) else 'line'} {place:,}"


def _as_windows(byte: str) -> str:
    return bytes([ord(byte) - 0xDC00]).decode("cp1252", "replace")


def _opened(file: Path) -> BinaryIO:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


class _Rest(io.RawIOBase):
    """A stream whose first bytes were read."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = self._first or self._rest.read(len(buffer))
        self._first = b""
        buffer[: len(got)] = got
        return len(got)


def _bson(opened: BinaryIO, file: Path) -> Iterator[Record]:
    number = 0
    while head := opened.read(_HEAD):
        number += 1
        size = struct.unpack("<i", head)[0] if len(head) == _HEAD else 0
        if not _SMALLEST <= size <= LARGEST:
            raise SourceError(f"{file}, document {number:,}: this is no BSON")
        rest = opened.read(size - _HEAD)
        if len(rest) < size - _HEAD:
            raise SourceError(f"{file}, document {number:,}: the file ends within it")
        yield head + rest, number


def _lines(text: io.TextIOWrapper, file: Path) -> Iterator[Record]:
    number = 0
    while line := text.readline(LARGEST):
        number += 1
        if len(line) == LARGEST and not line.endswith("\n"):
            raise SourceError(f"{file}, line {number:,}: {_TOO_LARGE}")
        if line.strip():
            yield line.rstrip("\r\n"), number


def _stream(text: io.TextIOWrapper, file: Path) -> Iterator[Record]:  # noqa: C901 - a state machine
    """Yield the values of a file one by one, and the items of an array that is the whole of it."""
    decoder = json.JSONDecoder()
    buffer, at, line, chunk = text.read(_CHUNK).lstrip("\ufeff"), 0, 1, _CHUNK
    in_array, begun = False, False
    while True:
        between = _BETWEEN.match(buffer, at)
        assert between is not None
        line += buffer.count("\n", at, between.end())
        at = between.end()
        if at == len(buffer):
            buffer, at = text.read(_CHUNK), 0
            if not buffer:
                if in_array:
                    raise SourceError(f"{file}, line {line:,}: the file ends within its array")
                return
            continue
        if not begun and buffer[at] == "[":
            in_array, begun, at = True, True, at + 1
            continue
        begun = True
        if in_array and buffer[at] == "]":
            in_array, at = False, at + 1
            continue
        try:
            _, end = decoder.raw_decode(buffer, at)
            if end == len(buffer) and (more := text.read(chunk)):
                buffer += more
                continue
        except RecursionError:
            raise SourceError(f"{file}, line {line:,}: it is nested too deeply") from None
        except json.JSONDecodeError as exc:
            if len(buffer) - at >= LARGEST and _may_go_on(exc, buffer):
                raise SourceError(f"{file}, line {line:,}: {_TOO_LARGE}") from exc
            if more := text.read(chunk) if _may_go_on(exc, buffer) else "":
                buffer, at, chunk = buffer[at:] + more, 0, 2 * chunk
                continue
            broken = line + buffer.count("\n", at, exc.pos)
            raise SourceError(f"{file}, line {broken:,}, column {exc.colno}: {exc.msg}") from exc
        raw = buffer[at:end]
        yield raw, line
        line += raw.count("\n")
        at, chunk = end, _CHUNK
        if at > _CHUNK:
            buffer, at = buffer[at:], 0


def _may_go_on(exc: json.JSONDecodeError, buffer: str) -> bool:
    """Whether what is wrong is that the text ends: at its end, or within a string, or a word of its own."""
    return exc.pos > len(buffer) - _LONGEST_WORD or exc.msg.startswith("Unterminated string")
