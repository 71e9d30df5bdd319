"""The rows of an export written to a database: checked to the last line before the first is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import peewee

from maimdb.core.errors import DatabaseError, TransferError
from maimdb.core.scope import system_scope
from maimdb.core.transfer.format import Reader
from maimdb.core.transfer.reading import require_scope, schema_version
from maimdb.core.transfer.writing import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maimdb.core.engines import Engine
    from maimdb.core.transfer.columns import Row
    from maimdb.core.transfer.tables import Table


@dataclass(slots=True)
class TableReport:
    """What became of the rows of a table; their sum is what the file has of it."""

    inserted: int = 0
    present: int = 0
    """There already, with the same values."""
    skipped: int = 0
    """There already, with other values, which were left as they are."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    tenant: str
    tables: dict[str, TableReport] = field(default_factory=dict)


def import_tenant(
    database: Engine,
    path: Path,
    *,
    on_conflict: Literal["fail", "skip"] = "fail",
    progress: Callable[[str, int], None] | None = None,
) -> ImportReport:
    """Write the rows of an export; those that are there with the same values are left alone.

    An import that was stopped is run again.

    Args:
        database: where to.
        path: the file.
        on_conflict: what to do where the database has a row of the same key and other values; `fail`
            looks at all of them before it writes.
        progress: called with a table's name and how many of its rows are done.

    Raises:
        TransferError: the file is not whole or not understood, a row cannot be stored or is there otherwise.
        CrossTenantError: inside the scope of another tenant.
    """
    source = Reader(path)
    tenant = source.header.tenant
    require_scope(tenant)
    version = schema_version(database)
    if source.header.schema != version:
        raise TransferError(
            f"{path} is of version {source.header.schema} of the schema, and {database.config.url} of "
            f"{version}: use the same maimdb on both sides, and `maimdb migrate`"
        )
    report = ImportReport(tenant)
    with system_scope(reason=f"import of tenant {tenant}"):
        target = Target(database, tenant)
        for table, line, rows in source:
            _check(target, table, rows, line, path, refuse=on_conflict == "fail")
        for table, _, rows in source:
            counts = report.tables.setdefault(table.name, TableReport())
            target.create(table)
            fitting = target.fit(table)
            try:
                missing, differing = database.run_unit(lambda f=fitting, r=rows: _write(target, f, r))  # type: ignore[misc]
            except DatabaseError:
                raise
            except peewee.PeeweeException as exc:
                raise TransferError(
                    f"the rows of {table.name!r} cannot be written: {' '.join(str(exc.args[-1]).split())}",
                    table=table.name,
                ) from exc
            counts.inserted += missing
            counts.skipped += differing
            counts.present += len(rows) - missing - differing
            if progress:
                progress(table.name, counts.inserted + counts.present + counts.skipped)
    return report


def _check(target: Target, table: Table, rows: list[Row], line: int, path: Path, *, refuse: bool) -> None:
    fitting = target.fit(table)
    try:
        target.check(fitting, rows)
    except ValueError as exc:
        number = line + getattr(exc, "place", 0)
        raise TransferError(f"{path}, line {number}: {exc}", table=table.name, line=number) from exc
    differing = target.compare(fitting, rows)[1]
    if refuse and differing:
        key = ", ".join(str(differing[0][place]) for place in fitting.places)
        raise TransferError(
            f"row {key} of {table.name!r} is there with other values, and nothing was written: --on-conflict "
            "skip leaves such rows as they are",
            table=table.name,
        )


def _write(target: Target, table: Table, rows: list[Row]) -> tuple[int, int]:
    missing, differing = target.compare(table, rows)
    target.insert(table, missing)
    return len(missing), len(differing)
