"""The command `maimdb`: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from maimdb.core import backup as copies
from maimdb.core import fallback
from maimdb.core.database import open_database
from maimdb.core.errors import BackupError, MaimdbError
from maimdb.core.migrations import migrate, migration_status
from maimdb.core.settings import load_config

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
fallback_app = typer.Typer(no_args_is_help=True)
app.add_typer(fallback_app, name="fallback")
migrate_app = typer.Typer()
app.add_typer(migrate_app, name="migrate")

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


@migrate_app.callback(invoke_without_command=True)
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


@migrate_app.command("status")
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


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The copy to make.")]) -> None:
    """Copy the configured SQLite database, which may be in use, to a file, and check the copy.

    Example: maimdb backup copies/monday.db
    """
    source = _sqlite_file()
    copies.back_up(source, file)
    typer.echo(f"copied {source} to {file}")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="The copy to put back.")]) -> None:
    """Check a copy and put it in the place of the configured SQLite database, which is kept beside it.

    Example: maimdb restore copies/monday.db
    """
    target = _sqlite_file()
    aside = copies.restore(file, target)
    typer.echo(f"restored {target} from {file}")
    if aside is not None:
        typer.echo(f"what was there is now {aside}")


def _sqlite_file() -> Path:
    config = load_config()
    if config.engine != "sqlite" or config.database == ":memory:":
        raise BackupError(
            f"{config.source} names no SQLite file: use the server's own tools, such as pg_dump or mysqldump"
        )
    return Path(config.database)


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
