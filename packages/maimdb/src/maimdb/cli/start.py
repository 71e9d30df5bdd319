"""`maimdb init` and `maimdb shell`: the first steps."""

from __future__ import annotations

import code
from contextlib import nullcontext
from typing import Annotated

import typer

import maimdb
from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.cli.printing import print_json
from maimdb.cli.session import opened
from maimdb.core import lifecycle
from maimdb.core.migrations import migrate
from maimdb.core.scope import tenant_scope


def init(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Create this tenant, too.")] = None,
    agent: Annotated[str, typer.Option(metavar="NAME", help="The tenant's first agent.")] = "assistant",
    as_json: Json = False,
) -> None:
    """Make the configured database ready: its tables, and with --tenant a tenant, an agent and a key.

    The key's text is shown this once. A database that is ready stays as it is.

    Example: maimdb init --tenant "Example Company"
    """
    with opened() as database:
        lines = migrate(database)
        url = database.config.url
        made = lifecycle.create_tenant(tenant, agent=agent, key=["chat"]) if tenant is not None else None
    facts: dict[str, object] = {"database": url, "steps": len(lines)}
    if made is not None and made.agent is not None and made.key is not None:
        facts |= {"tenant": made.tenant.id, "agent": made.agent.id, "key": made.key.text}
    if as_json:
        print_json(facts)
        return
    typer.echo(f"{url} {'is ready' if lines else 'was ready'}")
    for name in ("tenant", "agent", "key"):
        if name in facts:
            typer.echo(f"{name:<7} {facts[name]}")
    if "key" in facts:
        typer.echo("The key is shown this once: keep it where your service finds it.")
    else:
        typer.echo('Next: maimdb tenants create "Example Company"')


def shell(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Open this tenant's scope.")] = None,
) -> None:
    """Open a Python prompt with the models and the configured database.

    Example: maimdb shell --tenant tenant_k3j9x2ab
    """
    with opened() as database, tenant_scope(tenant) if tenant is not None else nullcontext():
        names = {name: getattr(maimdb, name) for name in maimdb.__all__}
        where = f"{database.config.url}{f', in the scope of {tenant}' if tenant else ''}"
        code.interact(
            banner=f"{where}: database, {', '.join(m.__name__ for m in maimdb.ALL_MODELS)}",
            local={**names, "database": database},
            exitmsg="",
        )
