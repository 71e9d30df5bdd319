"""`maimdb fallback`: what was written while SQLite stood in for a server."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.core import fallback
from maimdb.core.database import open_database
from maimdb.core.settings import load_config

app = typer.Typer(no_args_is_help=True)


@app.callback()
def fallback_commands() -> None:
    """Handle what was written while SQLite stood in for a server."""


@app.command()
def replay(
    *,
    source: Annotated[str | None, typer.Option("--from", metavar="FILE", help="The fallback file.")] = None,
    as_json: Json = False,
) -> None:
    """Apply what was written while fallen back to the configured server, each change once.

    Exits 1 if the server has other rows in some places; these are listed and left alone.

    Example: maimdb fallback replay
    """
    config = load_config()
    database = open_database(config)
    try:
        report = fallback.replay(source or config.fallback_path, database)
    finally:
        database.close_all()
    if as_json:
        typer.echo(json.dumps(asdict(report), default=str))
    else:
        typer.echo(
            f"{report.applied} applied, {report.present} there already, {len(report.conflicts)} conflicts"
        )
        for conflict in report.conflicts:
            typer.echo(
                f"  change {conflict.number}: {conflict.operation} {conflict.table} {conflict.key}: "
                f"{conflict.reason}"
            )
    if report.conflicts:
        raise typer.Exit(1)
