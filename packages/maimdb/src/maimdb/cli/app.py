"""The command `maimdb`: its commands gathered."""

from __future__ import annotations

import peewee
import typer

from maimdb.cli import (
    agents,
    audit,
    backups,
    bench,
    doctor,
    fallback,
    keys,
    legacy,
    migrations,
    start,
    status,
    tenants,
    transfer,
)
from maimdb.core.errors import MaimdbError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(start.init)
app.command()(status.status)
app.command()(doctor.doctor)
app.add_typer(migrations.app, name="migrate")
app.command()(backups.backup)
app.command()(backups.restore)
app.command()(transfer.export)
app.command("import")(transfer.import_)
app.command()(transfer.move)
app.command("import-legacy")(legacy.import_legacy)
app.add_typer(fallback.app, name="fallback")
app.add_typer(tenants.app, name="tenants")
app.add_typer(agents.app, name="agents")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.command()(start.shell)
app.command()(bench.bench)


@app.callback()
def maimdb() -> None:
    """Look after MaimDB's database, which DATABASE_URL or the DB_* variables name."""


def main() -> None:
    """Run the command; an expected error is one line and exit code 1."""
    try:
        app()
    except MaimdbError as exc:
        typer.echo(f"error: {exc}", err=True)
        raise SystemExit(1) from None
    except peewee.PeeweeException as exc:
        first = next(iter(str(exc).splitlines()), type(exc).__name__)
        typer.echo(f"error: {first}: `maimdb doctor` says whether the schema is this version's", err=True)
        raise SystemExit(1) from None
