"""`mimiod apply`: a changed schema brought to a live database."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mimiod import mongo, projects, servers
from mimiod.cli.console import say
from mimiod.cli.diff import show
from mimiod.evolution import applying
from mimiod.evolution.differences import named
from mimiod.evolution.steps import Step, Wishes
from mimiod.settings import load_settings

if TYPE_CHECKING:
    from mimiod.evolution.applying import Applied

_SAID = {
    "planned": "would",
    "done": "done",
    "refused": "REFUSED",
    "unsupported": "not here",
    "migration": "DATA FIRST",
    "rebuild": "REBUILD",
    "kept": "kept",
}
"What stands before a step, by what became of it."


def apply(
    project: Annotated[str, typer.Argument(help="The project's folder, or its name under projects/.")],
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    level: Annotated[
        Literal["strict", "moderate"],
        typer.Option(
            help="Where documents do not fit a new validator: leave it (strict), or make it at the level "
            "moderate, which lets these be changed unchecked."
        ),
    ] = "strict",
    drop_indexes: Annotated[
        bool, typer.Option("--drop-indexes", help="Drop the indexes that the schema does not have.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Change a live database so that it is as the project's schema declares; no document is ever lost.

    Collections and indexes that are missing are made, validators and what else can be changed in place
    is changed; an index with other keys or options is dropped and built anew. What needs a rebuild of a
    collection, or other data first, is said and left. What was interrupted goes on by the same command.

    Exits 0 if all that is declared is there, but for what an option allows and what a stand-in for
    MongoDB cannot hold; 1 if something is left to do by hand, or if the command could not be done.

    Example: mimiod apply projects/digital_bank --dry-run
    """
    wishes = Wishes(moderate=level == "moderate", drop_indexes=drop_indexes)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        loaded = projects.load_project(project)
        chosen = servers.choose(load_settings(loaded.folder), uri).uri
        client = mongo.connect(chosen)
        with mongo.driver_errors(chosen), client:
            database = mongo.database(client, loaded.schema.database_name)
            if not as_json:
                show(applying.difference(database, loaded.schema))
            try:
                applied = applying.apply(
                    database,
                    loaded.schema,
                    project=loaded.name,
                    wishes=wishes,
                    dry_run=dry_run,
                    say=lambda step: None if as_json else _show(step),
                )
            except KeyboardInterrupt:
                sys.stderr.write("error: interrupted; run the same command again to go on\n")
                raise typer.Exit(130) from None
    if as_json:
        answer = {"project": loaded.name, "database": database.name, **applied.to_dict()}
        typer.echo(json.dumps(answer, indent=2, default=str))
    else:
        for step in applied.distrusted:
            _show(step)
        say(f"{database.name} on {applied.server}: {_verdict(applied)}")
    if not applied.passed:
        raise typer.Exit(1)


def _show(step: Step) -> None:
    why = f": {step.why}" if step.why else ""
    say(f"{_SAID[step.state]:<10} {named(step.collection)}: {step.text}{why}")


def _verdict(applied: Applied) -> str:
    counts = {state: sum(step.state == state for step in applied.steps) for state in _SAID}
    open_ = counts["refused"] + counts["migration"] + counts["rebuild"]
    left = f", {open_} left to do by hand" if open_ else ""
    if counts["planned"]:
        return f"{counts['planned']} to do{left}"
    return f"{counts['done']} done{left}" if counts["done"] else f"nothing to do{left}"
