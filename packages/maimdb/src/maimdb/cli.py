"""The command `maimdb`: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from maimdb.core import fallback
from maimdb.core.database import open_database
from maimdb.core.errors import MaimdbError
from maimdb.core.settings import load_config

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
fallback_app = typer.Typer(no_args_is_help=True)
app.add_typer(fallback_app, name="fallback")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def maimdb() -> None:
    """Look after MaimDB's database, which DATABASE_URL or the DB_* variables name."""


@app.command()
def status(*, as_json: Json = False) -> None:
    """Print what the configured database is and what waits to be replayed to it.

    Example: maimdb status --json
    """
    config = load_config()
    database = open_database(config)
    try:
        facts = asdict(database.status())
    finally:
        database.close_all()
    facts = {name: facts[name] for name in ("engine", "version", "url")}
    facts["fallback_pending"] = fallback.pending(config.fallback_path)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{facts['engine']} {facts['version']} at {facts['url']}")
    if facts["fallback_pending"]:
        typer.echo(
            f"{facts['fallback_pending']} changes wait in {config.fallback_path}: maimdb fallback replay"
        )


@fallback_app.callback()
def fallback_commands() -> None:
    """Handle what was written while SQLite stood in for a server."""


@fallback_app.command()
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


def main() -> None:
    """Run the command; an expected error is one line and exit code 1."""
    try:
        app()
    except MaimdbError as exc:
        typer.echo(f"error: {exc}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
