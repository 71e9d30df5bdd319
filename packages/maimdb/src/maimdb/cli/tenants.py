"""`maimdb tenants`: the life of a tenant."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated, Any

import typer

from maimdb.cli.options import Json, Yes  # noqa: TC001 - typer reads it
from maimdb.cli.printing import confirm, print_json, print_rows, shown
from maimdb.cli.session import opened
from maimdb.core import deletion, lifecycle
from maimdb.core.errors import LifecycleError, ValidationError
from maimdb.core.models.system_v2 import Agent, ApiKey, Tenant, TenantStatus, TenantType

app = typer.Typer(no_args_is_help=True)

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")]


@app.callback()
def tenants() -> None:
    """Create, suspend, archive and delete tenants. Exit codes: 0 done, 1 refused, 2 wrong usage."""


@app.command("list")
def list_tenants(
    *,
    status: Annotated[TenantStatus | None, typer.Option(help="Only those of this status.")] = None,
    as_json: Json = False,
) -> None:
    """List tenants by name.

    Example: maimdb tenants list --status suspended
    """
    with opened():
        query = Tenant.select().order_by(Tenant.tenant_name)
        if status is not None:
            query = query.where(Tenant.status == status.value)
        columns = ["id", "tenant_name", "tenant_type", "status", "created_at"]
        print_rows([_facts(tenant) for tenant in query], columns, as_json=as_json)


@app.command()
def show(tenant: TenantId, *, as_json: Json = False) -> None:
    """Show a tenant, its configuration, and how many rows each table holds of it.

    Example: maimdb tenants show tenant_k3j9x2ab
    """
    with opened():
        found = Tenant.get_or_none(Tenant.id == tenant)
        if found is None:
            raise LifecycleError(
                f"there is no tenant {tenant!r}: `maimdb tenants list` shows those there are"
            )
        facts: dict[str, Any] = _facts(found) | {
            "description": found.description,
            "contact_email": found.contact_email,
            "config": found.get_config(),
            "agents": Agent.select().where(Agent.tenant_id == tenant).count(),
            "keys": ApiKey.select().where(ApiKey.tenant_id == tenant).count(),
            "rows": deletion.count_rows(tenant),
        }
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name}: {shown(json.dumps(value) if isinstance(value, dict) else value)}")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The tenant's name.")],
    *,
    agent: Annotated[str | None, typer.Option(help="The name of a first agent.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A permission of a first key; repeatable.")] = None,
    kind: Annotated[TenantType, typer.Option("--type", help="What the tenant is.")] = TenantType.PERSONAL,
    config: Annotated[str | None, typer.Option(metavar="JSON", help="Such as '{\"max_agents\": 5}'.")] = None,
    as_json: Json = False,
) -> None:
    """Create a tenant, with an agent and a key if they are named: all or none. The key is shown this once.

    Example: maimdb tenants create "Example Company" --agent Support --key chat
    """
    try:
        settings = None if config is None else json.loads(config)
    except ValueError as exc:
        raise ValidationError(f"--config is no JSON: {exc}") from None
    with opened():
        made = lifecycle.create_tenant(name, agent=agent, key=key, tenant_type=kind, config=settings)
    facts = {
        "tenant": made.tenant.id,
        "agent": made.agent and made.agent.id,
        "key_id": made.key and made.key.key_id,
        "key": made.key and made.key.text,
    }
    if as_json:
        print_json(facts)
        return
    for label, value in facts.items():
        if value is not None:
            typer.echo(f"{label}: {value}")


@app.command()
def suspend(
    tenant: TenantId,
    *,
    reads: Annotated[bool, typer.Option("--reads", help="Let it read.")] = False,
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")] = "",
) -> None:
    """Let a tenant do nothing, or only read, until it is reactivated.

    Example: maimdb tenants suspend tenant_k3j9x2ab --reads --reason "invoice 17"
    """
    with opened():
        lifecycle.suspend(tenant, reads=reads, reason=reason)
    typer.echo(f"suspended {tenant}: it may {'only read' if reads else 'do nothing'}")


@app.command()
def reactivate(tenant: TenantId) -> None:
    """Let a suspended or archived tenant work again.

    Example: maimdb tenants reactivate tenant_k3j9x2ab
    """
    with opened():
        lifecycle.reactivate(tenant)
    typer.echo(f"reactivated {tenant}")


@app.command()
def archive(tenant: TenantId) -> None:
    """Let a tenant only read from now on; its keys open nothing.

    Example: maimdb tenants archive tenant_k3j9x2ab
    """
    with opened():
        lifecycle.archive(tenant)
    typer.echo(f"archived {tenant}")


@app.command()
def delete(
    tenant: TenantId,
    *,
    yes: Yes = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the signed report.")] = None,
    as_json: Json = False,
) -> None:
    """Delete a tenant and every row of it, and print the proof.

    Example: maimdb tenants delete tenant_k3j9x2ab --report deleted.json
    """
    with opened():
        counts = deletion.count_rows(tenant)
        total = sum(counts.values())
        confirm(f"Delete tenant {tenant} and its {total} rows in {len(counts)} tables for good?", yes=yes)
        done = deletion.delete_tenant(tenant)
    if report is not None:
        report.write_text(done.to_json() + "\n")
    if as_json:
        typer.echo(done.to_json())
        return
    print_rows([asdict(count) for count in done.tables], ["table", "before", "after"], as_json=False)
    typer.echo(f"deleted {shown(done.tenant_name)}: {done.rows} rows, {done.left} left; report {done.hash}")


def _facts(tenant: Tenant) -> dict[str, Any]:
    names = ("id", "tenant_name", "tenant_type", "status", "owner_id", "created_at", "updated_at")
    return {name: getattr(tenant, name) for name in names}
