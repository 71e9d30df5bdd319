"""`maimdb doctor`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.cli.printing import print_json, shown
from maimdb.core.diagnosis import diagnose


def doctor(*, as_json: Json = False) -> None:
    """Look over the configuration, the database and its schema, and say what to do.

    Nothing is changed. Exits 0 if there is no error, 1 if there is one; a warning is none.

    Example: maimdb doctor
    """
    failed = False
    found = []
    for finding in diagnose():
        failed = failed or finding.level == "error"
        found.append(asdict(finding))
        if not as_json:
            mend = f"\n           {shown(finding.mend)}" if finding.mend else ""
            typer.echo(f"{finding.level:<8} {shown(finding.subject)}: {shown(finding.text)}{mend}")
    if as_json:
        print_json(found)
    if failed:
        raise typer.Exit(1)
