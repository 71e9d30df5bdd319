"""`maimdb status`."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.core import fallback
from maimdb.core.database import open_database
from maimdb.core.settings import load_config


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
