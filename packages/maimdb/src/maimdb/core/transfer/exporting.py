"""A tenant's rows written to a file."""

from __future__ import annotations

import contextlib
import gzip
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from maimdb.core.errors import TransferError
from maimdb.core.scope import system_scope
from maimdb.core.transfer.format import Header, Writer
from maimdb.core.transfer.reading import Snapshot, find_tenant, schema_version
from maimdb.core.transfer.tables import tables_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maimdb.core.engines import Engine


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote."""

    tenant: str
    tables: dict[str, int]
    """Rows by table."""
    sha256: str

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(self.tables.values())


def export_tenant(
    database: Engine, tenant: str, out: Path | IO[bytes], progress: Callable[[str, int], None] | None = None
) -> ExportReport:
    """Write all rows of a tenant, of one moment, to a file; gzip where its name ends in `.gz`.

    Args:
        database: where they are.
        tenant: its id or name.
        out: the file, which must not exist yet and is whole once it does; or a stream.
        progress: called with a table's name and how many of its rows are written.

    Raises:
        TransferError: there is no such tenant; the file exists or cannot be written.
        CrossTenantError: inside the scope of another tenant.
    """
    found, name = find_tenant(database, tenant)
    header = Header(
        found,
        name,
        schema_version(database),
        database.engine_name,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_written(out)) if isinstance(out, Path) else out
        stack.enter_context(system_scope(reason=f"export of tenant {found}"))
        tables = tables_of(database)
        writer = Writer(file, header)
        with Snapshot(database, found) as snapshot:
            for table in tables:
                writer.table(table)
                for rows in snapshot.batches(table):
                    writer.rows(table, rows)
                    if progress:
                        progress(table.name, writer.counts[table.name])
        return ExportReport(found, writer.counts, writer.end())


@contextlib.contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    if path.exists():
        raise TransferError(f"{path} exists: name another file, or remove it first")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0, filename="") as file:
                    yield file  # type: ignore[misc]
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        partial.rename(path)
    except OSError as exc:
        raise TransferError(f"{path} cannot be written ({exc.strerror})") from exc
    finally:
        partial.unlink(missing_ok=True)
