"""The rows of an embedded table, waiting for the document that they belong to."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions

from mimiod.errors import SourceError
from mimiod.relational.identities import bson_value, object_id
from mimiod.relational.values import sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mimiod.relational.planning import Part

Row = dict[str, Any]
Document = dict[str, Any]

PLAIN: CodecOptions[Document] = CodecOptions(tz_aware=True, uuid_representation=UuidRepresentation.STANDARD)
"As documents are encoded, and read again: as they were."
_WRITTEN_AT_ONCE = 1_000


class Made:
    """A row as a document, or as a part of one."""

    __slots__ = ("document", "orphan_of", "row")

    def __init__(self, document: Document, row: Row, orphan_of: str = "") -> None:
        self.document = document
        self.row = row
        self.orphan_of = orphan_of
        "The collection of orphans that it belongs to."


Stream = Generator[Made, None, None]
"Rows, and the orphans met between them."


class Side(ABC):
    """The rows of an embedded table, to be taken by the key of their whole."""

    def __init__(self, part: Part, orphan: Callable[[Made], Made]) -> None:
        self.part = part
        self.orphan = orphan

    @abstractmethod
    def of(self, key: tuple[Any, ...], order: tuple[Any, ...]) -> Iterator[Made]:
        """Yield the rows that name a row of the whole, and the orphans met on the way to them."""

    @abstractmethod
    def rest(self) -> Iterator[Made]:
        """Yield what nobody took: orphans."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


class Merged(Side):
    """Rows that come in the order of the whole's key."""

    def __init__(self, part: Part, rows: Stream, orphan: Callable[[Made], Made]) -> None:
        super().__init__(part, orphan)
        self._rows = rows
        self._next = self._taken()

    def _taken(self) -> tuple[tuple[Any, ...], Made] | None:
        made = next(self._rows, None)
        if made is None:
            return None
        if made.orphan_of:
            return (), made
        return sort_key(made.row[column] for column in self.part.aligned), made

    def of(self, key: tuple[Any, ...], order: tuple[Any, ...]) -> Iterator[Made]:
        """Yield the rows up to a place in the order: those before it are orphans."""
        del key
        while self._next is not None and self._next[0] <= order:
            at, made = self._next
            self._next = self._taken()
            if self._next is not None and not self._next[1].orphan_of and not made.orphan_of:
                check_order(self.part, at, self._next[0])
            yield made if made.orphan_of or at == order else self.orphan(made)

    def rest(self) -> Iterator[Made]:
        """Yield the rows after the last place."""
        while self._next is not None:
            made = self._next[1]
            self._next = self._taken()
            yield made if made.orphan_of else self.orphan(made)

    def close(self) -> None:
        """Read no further."""
        self._rows.close()


class Spooled(Side):
    """Rows that wait in a temporary file, to be taken in any order."""

    def __init__(self, part: Part, rows: Stream, orphan: Callable[[Made], Made]) -> None:
        super().__init__(part, orphan)
        self._rows: Stream | None = rows
        self._file = sqlite3.connect("", isolation_level=None)  # a temporary one, gone when it is closed
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("CREATE TABLE waiting (whole BLOB, number INTEGER, made BLOB)")

    def _fill(self) -> Iterator[Made]:
        """Read all rows; yields the orphans among their own parts."""
        rows, self._rows = self._rows, None
        batch: list[tuple[bytes, int, bytes]] = []
        for number, made in enumerate(rows or ()):
            if made.orphan_of:
                yield made
                continue
            whole = object_id("", (made.row[column] for column in self.part.aligned)).binary
            keys = {column: bson_value(made.row[column]) for column in self._columns()}
            batch.append((whole, number, bson.encode({"d": made.document, "k": keys}, codec_options=PLAIN)))
            if len(batch) == _WRITTEN_AT_ONCE:
                self._write(batch)
        self._write(batch)
        self._file.execute("CREATE INDEX by_whole ON waiting (whole, number)")

    def _columns(self) -> tuple[str, ...]:
        return (*self.part.aligned, *self.part.identity)

    def _write(self, batch: list[tuple[bytes, int, bytes]]) -> None:
        self._file.execute("BEGIN")
        self._file.executemany("INSERT INTO waiting VALUES (?, ?, ?)", batch)
        self._file.execute("COMMIT")
        batch.clear()

    def of(self, key: tuple[Any, ...], order: tuple[Any, ...]) -> Iterator[Made]:
        """Yield the rows with a key, which then wait no longer."""
        del order
        if self._rows is not None:
            yield from self._fill()
        whole = object_id("", key).binary
        found = self._file.execute("SELECT made FROM waiting WHERE whole = ? ORDER BY number", (whole,))
        taken = [_read(made) for (made,) in found]
        if taken:
            self._file.execute("DELETE FROM waiting WHERE whole = ?", (whole,))
        yield from taken

    def rest(self) -> Iterator[Made]:
        """Yield the rows that still wait."""
        if self._rows is not None:
            yield from self._fill()
        with closing(self._file.execute("SELECT made FROM waiting ORDER BY number")) as found:
            for (made,) in found:
                yield self.orphan(_read(made))

    def close(self) -> None:
        """Delete the file."""
        if self._rows is not None:
            self._rows.close()
        self._file.close()


def _read(encoded: bytes) -> Made:
    held = bson.decode(encoded, PLAIN)
    return Made(held["d"], held["k"])


def check_order(part: Part, before: tuple[Any, ...] | None, now: tuple[Any, ...]) -> None:
    """Refuse rows that come before those that came before them: nothing could be put together."""
    if before is not None and now < before:
        raise SourceError(
            f"the rows of {part.table.name!r} do not come in the order of their key: the database has an "
            "order of its own"
        )
