"""`maimdb migrate`: the schema brought to a version."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.core import backup as copies
from maimdb.core.database import open_database
from maimdb.core.migrations import migrate, migration_status
from maimdb.core.settings import load_config

app = typer.Typer()


@app.callback(invoke_without_command=True)
def migrate_schema(
    context: typer.Context,
    *,
    to: Annotated[int | None, typer.Option(metavar="N", help="The version; 0 is before the first.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL, change nothing.")] = False,
) -> None:
    """Bring the schema of the configured database to the latest version, or up or down to another.

    A SQLite file that holds anything is copied first, to a file beside it.

    Example: maimdb migrate --dry-run
    """
    if context.invoked_subcommand is not None:
        return
    config = load_config()
    database = open_database(config)
    try:
        is_file = config.engine == "sqlite" and config.database != ":memory:"
        if is_file and not dry_run and migrate(database, to=to, dry_run=True):
            copy = copies.back_up_beside(Path(config.database))
            if copy is not None:
                typer.echo(f"copied to {copy}", err=True)
        lines = migrate(database, to=to, dry_run=dry_run)
    finally:
        database.close_all()
    if dry_run:
        lines = [line if line.startswith("--") else f"{line};" for line in lines]
    typer.echo("\n".join(lines) or "nothing to do")


@app.command("status")
def migrate_status(*, as_json: Json = False) -> None:
    """Print how each version of the schema stands; exit 1 unless all are applied.

    Example: maimdb migrate status --json
    """
    database = open_database(load_config())
    try:
        versions = migration_status(database)
    finally:
        database.close_all()
    if as_json:
        typer.echo(json.dumps([asdict(version) for version in versions]))
    else:
        for each in versions:
            typer.echo(f"{each.version:>4}  {each.name}  {each.state}  {each.changed_at or ''}".rstrip())
    if any(each.state != "applied" for each in versions):
        raise typer.Exit(1)
