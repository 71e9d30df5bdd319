"""`mimiod verify`: every document of a database held against what its project declares."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from mimiod import projects, running, servers
from mimiod.cli import server
from mimiod.cli.console import display
from mimiod.settings import load_settings


def verify(
    project: Annotated[str, typer.Argument(help="The project's folder, or its name under projects/.")],
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as lines of JSON.")] = False,
) -> None:
    """Verify a project's database as it stands; nothing is written.

    Read are all documents: their shape and size, references, copies, totals, orders in time, unique keys,
    and the distributions that the seeder declares; indexes and validators too. Each fault is named by
    collection and _id.

    Exits 0 if everything is as declared, 1 if not or if it could not be found out.

    Example: mimiod verify projects/digital_bank
    """
    shown = display(as_json=as_json)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        try:
            loaded = projects.load_project(project)
            chosen = servers.choose(load_settings(loaded.folder), uri)
            if chosen.embedded is not None:
                shown.note(server.said(chosen.embedded))
            summary = running.verify_project(loaded, uri=chosen.uri, reporter=shown)
        finally:
            shown.close()
    for line in summary.verification.untested:
        shown.note(f"not tested: {line}")
    if summary.verification.unstated:
        number = len(summary.verification.unstated)
        shown.note(f"the distributions of {number} fields follow from others and are not tested")
    named = "all faults are counted; of each kind in a collection ten are named"
    shown.summary(summary, hint=f"its design: mimiod check {project}" if summary.passed else named)
    if not summary.passed:
        raise typer.Exit(1)
