"""Records that are put aside until all documents are read: on disk, once they are many.

They lie in parts, by a hash of their keys, so that one part of what belongs together fits into memory.
"""

from __future__ import annotations

import pickle
import tempfile
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

PARTS = 64
"Into how many parts records are divided."
MOST_HELD = 100_000
"Records that are held in memory, of all spills together."

Record = tuple[Any, ...]
"Its first value is the key."


class Store:
    """A temporary file that any number of spills share; it is gone when the store is closed."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._spills: list[Spill] = []
        self.held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def spill(self) -> Spill:
        """Return a new, empty spill."""
        self._spills.append(Spill(self))
        return self._spills[-1]

    def flush(self) -> None:
        """Write down what is held."""
        for spill in self._spills:
            spill.flush()
        self.held = 0

    def write(self, records: list[Record]) -> tuple[int, int]:
        """Append records, and return where they lie and how many bytes they take."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="mimiod-")  # noqa: SIM115 - closed with the store
        start = self._file.seek(0, 2)
        return start, self._file.write(pickle.dumps(records, pickle.HIGHEST_PROTOCOL))

    def read(self, where: tuple[int, int]) -> list[Record]:
        """Return the records that lie there."""
        assert self._file is not None
        self._file.seek(where[0])
        records: list[Record] = pickle.loads(self._file.read(where[1]))  # noqa: S301 - this process wrote it
        return records


class Spill:
    """Records of one kind."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: list[list[Record]] = [[] for _ in range(PARTS)]
        self._written: list[list[tuple[int, int]]] = [[] for _ in range(PARTS)]
        self.sizes = [0] * PARTS
        "How many records each part has."

    def add(self, records: Iterable[Record]) -> None:
        """Put records aside."""
        held, number = self._held, 0
        for record in records:
            held[hash(record[0]) % PARTS].append(record)
            number += 1
        self._store.held += number
        if self._store.held > MOST_HELD:
            self._store.flush()

    def flush(self) -> None:
        """Write down what is held."""
        for part, records in enumerate(self._held):
            if records:
                self._written[part].append(self._store.write(records))
                self.sizes[part] += len(records)
                records.clear()

    def size(self, part: int) -> int:
        """Return how many records a part has."""
        return self.sizes[part] + len(self._held[part])

    def part(self, part: int, turn: int = 0, turns: int = 1) -> Iterator[Record]:
        """Yield the records of a part, or of one of several divisions of it."""
        for records in (*map(self._store.read, self._written[part]), self._held[part]):
            if turns == 1:
                yield from records
            else:
                yield from (record for record in records if hash(record[0]) // PARTS % turns == turn)


MOST_AT_ONCE = 100_000
"Records of a part that are brought into memory together; a larger part is gone through in several turns."


def turns(size: int) -> int:
    """Return in how many turns a part of so many records is gone through."""
    return max(1, -(-size // MOST_AT_ONCE))
