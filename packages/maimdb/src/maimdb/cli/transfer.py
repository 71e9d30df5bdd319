"""`maimdb export`, `maimdb import` and `maimdb move`: all rows of one tenant."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import asdict
from enum import Enum
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.core.database import open_database
from maimdb.core.settings import config_from_url, load_config
from maimdb.core.transfer import export_tenant, import_tenant, move_tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maimdb.core.engines import Engine

_SECONDS = 1.0
"""Between two lines of progress."""

Tenant = Annotated[str, typer.Option("--tenant", metavar="ID|NAME", help="The tenant.")]


class OnConflict(str, Enum):  # noqa: UP042 - typer shows its values
    """What to do with a row that is there with other values."""

    FAIL = "fail"
    SKIP = "skip"


def export(
    *,
    tenant: Tenant,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file; gzip if it ends in .gz.")
    ] = None,
) -> None:
    """Write all rows of a tenant to a file, or to standard output: see docs/export-format.md.

    The file holds hashes of API keys and no key. It exists once it is whole.

    Example: maimdb export --tenant tenant_k3x9a1bc --out acme.ndjson.gz
    """
    with _configured() as database:
        report = export_tenant(database, tenant, out or sys.stdout.buffer, _progress())
    typer.echo(f"{report.rows} rows of tenant {report.tenant}, SHA-256 {report.sha256}", err=True)


def import_(
    *,
    file: Annotated[Path, typer.Argument(help="What `maimdb export` has written.")],
    on_conflict: Annotated[
        OnConflict, typer.Option(help="For a row that is there with other values.")
    ] = OnConflict.FAIL,
    as_json: Json = False,
) -> None:
    """Write the rows of an export to the configured database; one that was stopped is run again.

    The file is checked to its last line before the first row is written.

    Example: maimdb import acme.ndjson.gz
    """
    with _configured() as database:
        report = import_tenant(
            database,
            file,
            on_conflict="skip" if on_conflict is OnConflict.SKIP else "fail",
            progress=_progress(),
        )
    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    typer.echo(f"{'table':<24}{'in file':>9}{'inserted':>10}{'present':>9}{'skipped':>9}")
    for name, table in report.tables.items():
        rows = table.inserted + table.present + table.skipped
        typer.echo(f"{name:<24}{rows:>9}{table.inserted:>10}{table.present:>9}{table.skipped:>9}")


def move(
    *,
    tenant: Tenant,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The database to move it to.")],
    delete_source: Annotated[bool, typer.Option("--delete-source", help="Delete the rows here.")] = False,
    as_json: Json = False,
) -> None:
    """Move a tenant to another database; its writes are refused while the last changes are copied.

    Here the tenant stays behind, inactive, unless it is deleted. A move that was stopped is run again.

    Example: maimdb move --tenant tenant_k3x9a1bc --to postgresql://user:password@host/maimdb
    """
    with _configured() as source, contextlib.closing(_Closing(open_database(config_from_url(to)))) as target:
        report = move_tenant(
            source, target.database, tenant, delete_source=delete_source, progress=_progress()
        )
    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    for name, rows in report.tables.items():
        typer.echo(f"{name:<24}{rows:>9} rows on both sides")
    typer.echo(f"writes were refused for {report.pause * 1000:.0f} ms")
    left = "deleted here" if report.deleted else "inactive here"
    typer.echo(f"tenant {report.tenant} is at {target.database.config.url}, and {left}")


class _Closing:
    def __init__(self, database: Engine) -> None:
        self.database = database

    def close(self) -> None:
        self.database.close_all()


@contextlib.contextmanager
def _configured() -> Iterator[Engine]:
    with contextlib.closing(_Closing(open_database(load_config()))) as opened:
        yield opened.database


def _progress() -> Callable[[str, int], None] | None:
    """Return what prints how far it has come, where somebody is looking."""
    if not sys.stderr.isatty():
        return None
    last = 0.0

    def show(table: str, rows: int) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS:
            last = time.monotonic()
            typer.echo(f"  {table}: {rows} rows", err=True)

    return show
