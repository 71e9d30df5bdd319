"""`maimdb keys`: API keys."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from maimdb.cli.options import Json, Yes  # noqa: TC001 - typer reads it
from maimdb.cli.printing import confirm, print_json, print_rows
from maimdb.cli.session import opened
from maimdb.core import api_keys
from maimdb.core.models.fields import utc_now
from maimdb.core.models.system_v2 import ApiKey

if TYPE_CHECKING:
    from maimdb.core.api_keys import IssuedKey

app = typer.Typer(no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, not its text.")]


@app.callback()
def keys() -> None:
    """Issue, rotate and revoke API keys. Exit codes: 0 done or valid, 1 refused, 2 wrong usage."""


@app.command("list")
def list_keys(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Only those of this tenant.")] = None,
    as_json: Json = False,
) -> None:
    """List keys, the newest first; never their text, which nobody has.

    Example: maimdb keys list --tenant tenant_k3j9x2ab
    """
    with opened():
        query = ApiKey.select().order_by(ApiKey.created_at.desc(), ApiKey.id)
        if tenant is not None:
            query = query.where(ApiKey.tenant_id == tenant)
        names = ["id", "tenant_id", "agent_id", "name", "permissions", "status", "expires_at"]
        names += ["last_used_at", "usage_count", "rate_limit", "pepper"]
        rows = [{name: getattr(key, name) for name in names} for key in query]
    print_rows(rows, names, as_json=as_json)


@app.command()
def issue(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")],
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")],
    *,
    permission: Annotated[list[str] | None, typer.Option(help="What it may do; repeatable.")] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    per_minute: Annotated[int | None, typer.Option(min=0, help="Requests a minute.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key. Its text is shown this once.

    Example: maimdb keys issue tenant_k3j9x2ab agent_7h2k9qpz --permission chat --days 90
    """
    expires_at = None if days is None else utc_now() + dt.timedelta(days=days)
    with opened():
        issued = api_keys.issue(
            tenant, agent, permission or (), name, expires_at=expires_at, rate_limit=per_minute
        )
    _show(issued, as_json=as_json)


@app.command()
def rotate(
    key: KeyId,
    *,
    overlap: Annotated[float, typer.Option(min=0, metavar="HOURS", help="How long the old one works.")] = 0,
    as_json: Json = False,
) -> None:
    """Make a key in another's place, with its permissions and expiry. Its text is shown this once.

    Example: maimdb keys rotate key_p4s8d1fg --overlap 24
    """
    with opened():
        issued = api_keys.rotate(key, dt.timedelta(hours=overlap))
    _show(issued, as_json=as_json)


@app.command()
def revoke(key: KeyId, *, yes: Yes = False) -> None:
    """Disable a key, for good; within a second it opens nothing anywhere.

    Example: maimdb keys revoke key_p4s8d1fg
    """
    confirm(f"Revoke {key}?", yes=yes)
    with opened():
        api_keys.revoke(key)
    typer.echo(f"revoked {key}")


@app.command()
def verify(*, as_json: Json = False) -> None:
    """Read a key from standard input and print what it opens; exit 1 if it opens nothing.

    Example: maimdb keys verify < key.txt
    """
    text = sys.stdin.readline().strip()
    with opened():
        key = api_keys.verify(text)
    facts = {**asdict(key), "permissions": sorted(key.permissions)}
    print_rows([facts], list(facts), as_json=as_json)


def _show(issued: IssuedKey, *, as_json: bool) -> None:
    if as_json:
        facts = {**asdict(issued), "permissions": sorted(issued.permissions)}
        print_json({("key" if name == "text" else name): value for name, value in facts.items()})
        return
    typer.echo(f"key_id: {issued.key_id}")
    typer.echo(f"key: {issued.text}")
