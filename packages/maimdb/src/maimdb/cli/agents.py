"""`maimdb agents`."""

from __future__ import annotations

from typing import Annotated

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.cli.printing import print_json, print_rows
from maimdb.cli.session import opened
from maimdb.core import lifecycle
from maimdb.core.models.system_v2 import Agent

app = typer.Typer(no_args_is_help=True)


@app.callback()
def agents() -> None:
    """Create and archive agents. Exit codes: 0 done, 1 refused, 2 wrong usage."""


@app.command("list")
def list_agents(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Only those of this tenant.")] = None,
    as_json: Json = False,
) -> None:
    """List agents by tenant and name.

    Example: maimdb agents list --tenant tenant_k3j9x2ab
    """
    with opened():
        query = Agent.select().order_by(Agent.tenant_id, Agent.name)
        if tenant is not None:
            query = query.where(Agent.tenant_id == tenant)
        names = ["id", "tenant_id", "name", "status", "created_at"]
        rows = [{name: getattr(agent, name) for name in names} for agent in query]
    print_rows(rows, names, as_json=as_json)


@app.command()
def create(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")],
    name: Annotated[str, typer.Argument(help="The agent's name.")],
    *,
    as_json: Json = False,
) -> None:
    """Create an agent; refused where the tenant has as many as its configuration allows.

    Example: maimdb agents create tenant_k3j9x2ab "Support Assistant"
    """
    with opened():
        agent = lifecycle.create_agent(tenant, name)
    if as_json:
        print_json({"id": agent.id, "tenant_id": tenant})
    else:
        typer.echo(agent.id)


@app.command()
def archive(agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")]) -> None:
    """Archive an agent: its rows stay, its keys open nothing.

    Example: maimdb agents archive agent_7h2k9qpz
    """
    with opened():
        lifecycle.archive_agent(agent)
    typer.echo(f"archived {agent}")
