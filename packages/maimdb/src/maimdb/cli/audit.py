"""`maimdb audit`: the audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.cli.printing import print_json, print_rows
from maimdb.cli.session import opened
from maimdb.core import audit as log

app = typer.Typer(no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Read and verify the audit log. Exit codes: 0 whole, 1 changed, 2 wrong usage."""


@app.command()
def verify(
    *,
    head: Annotated[str | None, typer.Option(help="The head that an earlier run printed.")] = None,
    as_json: Json = False,
) -> None:
    """Look for events that were edited, deleted or cut off; exit 1 if there are any.

    Keep the printed head elsewhere: with --head, a chain that was cut off and sealed anew is found too.

    Example: maimdb audit verify --head 42:5f2c…
    """
    with opened():
        found = log.verify(head=head)
    if as_json:
        print_json({**asdict(found), "ok": found.ok})
    else:
        for fault in found.faults:
            typer.echo(f"event {fault.seq} {fault.what}")
        typer.echo(f"{found.events} events, {len(found.faults)} faults, head {found.head}")
    if not found.ok:
        raise typer.Exit(1)


@app.command("list")
def list_events(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Only those of this tenant.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    as_json: Json = False,
) -> None:
    """List events, the newest first.

    Example: maimdb audit list --tenant tenant_k3j9x2ab
    """
    with opened():
        events = log.events(tenant_id=tenant, limit=limit)
    columns = ["seq", "at", "actor", "tenant_id", "kind", "subject", "details"]
    print_rows([asdict(event) for event in events], columns, as_json=as_json)
