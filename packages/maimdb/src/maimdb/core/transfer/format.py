"""The file of an export: JSON, a line each; see docs/export-format.md."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from maimdb.core.errors import TransferError
from maimdb.core.transfer.tables import Column, Table
from maimdb.core.transfer.values import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = 1
ROWS: Final = 1000
"""Rows to a batch."""
_GZIP: Final = b"\x1f\x8b"
_HEADER: Final = {"maimdb": str, "format": int, "schema": int, "tenant": str, "name": str, "engine": str}
_EXPORT: Final = "tenant export"
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_decode: Final = json.JSONDecoder().decode


@dataclass(frozen=True, slots=True)
class Header:
    """The first line."""

    tenant: str
    name: str
    """The tenant's name."""
    schema: int
    """The version of the schema that the rows are of."""
    engine: str
    exported_at: str


def to_line(value: Any) -> bytes:
    """Return a value as a line."""
    return _encode(value).encode() + b"\n"


class Writer:
    """Writes the lines and keeps their checksum."""

    def __init__(self, file: IO[bytes], header: Header) -> None:
        self._file = file
        self._sum = hashlib.sha256()
        self.counts: dict[str, int] = {}
        self._write({
            "maimdb": _EXPORT, "format": FORMAT, "schema": header.schema, "tenant": header.tenant,
            "name": header.name, "engine": header.engine, "exported_at": header.exported_at,
        })  # fmt: skip

    def table(self, table: Table) -> None:
        """Begin the rows of a table."""
        columns = [[column.name, column.kind] for column in table.columns]
        self._write({"table": table.name, "columns": columns, "key": list(table.key)})
        self.counts[table.name] = 0

    def rows(self, table: Table, rows: list[list[Any]]) -> None:
        """Write encoded rows."""
        lines = b"".join(to_line([table.name, *row]) for row in rows)
        self._sum.update(lines)
        self._file.write(lines)
        self.counts[table.name] += len(rows)

    def end(self) -> str:
        """Write the last line; return the checksum."""
        total = self._sum.hexdigest()
        rows = sum(self.counts.values())
        self._file.write(to_line({"end": {"rows": rows, "tables": self.counts}, "sha256": total}))
        return total

    def _write(self, value: Any) -> None:
        line = to_line(value)
        self._sum.update(line)
        self._file.write(line)


class Reader:
    """Reads the lines, as often as it is iterated, and refuses what is not whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as file, self._whole():
            self.header = self._header(file.readline())

    def __iter__(self) -> Iterator[tuple[Table, int, list[list[Any]]]]:
        """Yield the rows of a table, some hundred at a time, and the number of the first one's line.

        A table without rows is yielded once.

        Raises:
            TransferError: naming the line at fault.
        """
        with self._opened() as file, self._whole():
            yield from self._batches(file)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error) as exc:
            raise TransferError(f"{self.path} is damaged or cut off ({exc}): export again") from exc

    def _batches(self, file: IO[bytes]) -> Iterator[tuple[Table, int, list[list[Any]]]]:
        first = file.readline()
        total, counts = hashlib.sha256(first), dict[str, int]()
        table: Table | None = None
        batch: list[list[Any]] = []
        for number, line in enumerate(file, 2):
            value = self._parsed(line, number)
            if isinstance(value, dict):
                if table is not None:
                    yield table, number - len(batch), batch
                    batch = []
                if "end" in value:
                    self._check_end(value, counts, total.hexdigest(), file, number)
                    return
                table = self._table(value, number, counts)
                counts[table.name] = 0
            else:
                if table is None or not isinstance(value, list) or len(value) != 1 + len(table.columns):
                    raise self._fault(number, "is no row of the table before it")
                if value[0] != table.name:
                    raise self._fault(number, f"is a row of {value[0]!r} among those of {table.name!r}")
                batch.append(value[1:])
                counts[table.name] += 1
            total.update(line)
            if table is not None and len(batch) == ROWS:
                yield table, number - len(batch) + 1, batch
                batch = []
        raise TransferError(f"{self.path} is cut off: its last line is missing; export again")

    def _opened(self) -> IO[bytes]:
        try:
            with self.path.open("rb") as file:
                packed = file.read(2) == _GZIP
            return gzip.open(self.path) if packed else self.path.open("rb")  # type: ignore[return-value]
        except OSError as exc:
            raise TransferError(f"{self.path} cannot be read ({exc.strerror})") from exc

    def _header(self, line: bytes) -> Header:
        value = self._parsed(line, 1)
        if not isinstance(value, dict) or value.get("maimdb") != _EXPORT:
            raise TransferError(
                f"{self.path} is no export of a tenant: pass what `maimdb export` has written"
            )
        if value.get("format") != FORMAT:
            raise TransferError(
                f"{self.path} has format {value.get('format')!r}, and this maimdb reads {FORMAT}: upgrade it"
            )
        for name, kind in _HEADER.items():
            if not isinstance(value.get(name), kind):
                raise self._fault(1, f"has no {name!r}")
        return Header(
            value["tenant"], value["name"], value["schema"], value["engine"], str(value.get("exported_at"))
        )

    def _table(self, value: dict[str, Any], number: int, counts: dict[str, int]) -> Table:
        match value:
            case {"table": str(name), "columns": [*columns], "key": [*key]} if name not in counts:
                pass
            case _:
                raise self._fault(number, "is neither a table nor a row")
        known = all(
            isinstance(each, list) and len(each) == 2 and each[1] in KINDS  # noqa: PLR2004 - name and kind
            for each in columns
        )
        if not known or not key or not {*key} <= {each[0] for each in columns}:
            raise self._fault(number, "has columns that this maimdb does not understand")
        return Table(name, tuple(Column(*each) for each in columns), tuple(key), "")

    def _check_end(
        self, value: dict[str, Any], counts: dict[str, int], total: str, file: IO[bytes], number: int
    ) -> None:
        if value["end"] != {"rows": sum(counts.values()), "tables": counts} or value.get("sha256") != total:
            raise self._fault(number, "does not fit the lines before it: the file was changed or damaged")
        if file.readline():
            raise self._fault(number + 1, "comes after the last")

    def _parsed(self, line: bytes, number: int) -> Any:
        try:
            return _decode(line.decode())
        except (ValueError, RecursionError) as exc:
            if number == 1:
                return None
            cut = "" if line.endswith(b"\n") else " (the file is cut off)"
            raise self._fault(number, f"is no JSON{cut}") from exc

    def _fault(self, number: int, text: str) -> TransferError:
        return TransferError(f"{self.path}, line {number}: it {text}", line=number)
