"""`mimiod diff`: what in a live database is not as its schema declares."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mimiod import mongo, projects, servers
from mimiod.cli.console import say
from mimiod.evolution.applying import difference
from mimiod.settings import load_settings

if TYPE_CHECKING:
    from mimiod.evolution.differences import Comparison


def diff(
    project: Annotated[str, typer.Argument(help="The project's folder, or its name under projects/.")],
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show where a live database differs from the project's schema; nothing is written.

    A line each: + is declared and missing, - is there and not declared, ~ is otherwise; `there → declared`.
    Documents are not compared: `mimiod run` and `mimiod check` look at them.

    Exits 0 if nothing differs, 1 if something does or if the databases could not be compared.

    Example: mimiod diff projects/digital_bank
    """
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        loaded = projects.load_project(project)
        chosen = servers.choose(load_settings(loaded.folder), uri).uri
        client = mongo.connect(chosen)
        with mongo.driver_errors(chosen), client:
            database = mongo.database(client, loaded.schema.database_name)
            server = mongo.server(client)
            found = difference(database, loaded.schema)
    if as_json:
        answer = {
            "project": loaded.name,
            "database": database.name,
            "server": str(server),
            "equal": not found.differences,
            "differences": [each.to_dict() for each in found.differences],
            "unsupported": found.unsupported,
        }
        typer.echo(json.dumps(answer, indent=2, default=str))
    else:
        show(found)
        say(f"{database.name} on {server}: {counted(found)}")
    if found.differences:
        raise typer.Exit(1)


def show(found: Comparison) -> None:
    """Print the differences, and what the server cannot hold."""
    for each in found.differences:
        say(str(each))
    for line in found.unsupported:
        say(f"note: {line}")


def counted(found: Comparison) -> str:
    """Return how much differs, in words."""
    number = len(found.differences)
    return f"{number} difference{'s' if number > 1 else ''}" if number else "as declared"
