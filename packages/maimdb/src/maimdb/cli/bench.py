"""`maimdb bench`."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.cli.printing import print_json
from maimdb.cli.session import opened
from maimdb.core import api_keys, lifecycle
from maimdb.core.bulk import bulk_insert
from maimdb.core.deletion import delete_tenant
from maimdb.core.models import ChatHistory
from maimdb.core.scope import tenant_scope

if TYPE_CHECKING:
    from collections.abc import Callable

_ROWS = 2_000


def bench(
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each operation is repeated.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Measure how fast the configured database answers this process.

    The rows are those of a tenant of its own, which is deleted at the end.

    Example: maimdb bench --seconds 3
    """
    with opened() as database:
        made = lifecycle.create_tenant(f"maimdb bench {time.time_ns()}", agent="bench", key=["chat"])
        try:
            with tenant_scope(made.tenant.id):
                rates = {name: _rate(act, seconds) for name, act in _operations(made.key).items()}
        finally:
            delete_tenant(made.tenant.id)
        facts = {"database": database.config.url, "per_second": rates}
    if as_json:
        print_json(facts)
        return
    typer.echo(f"{facts['database']}: operations a second, one after the other")
    for name, rate in rates.items():
        typer.echo(f"{name:<22}{rate:>12,.0f}")


def _operations(key: Any) -> dict[str, Callable[[], int]]:
    """Return operations by name; each returns how many things it did."""

    def row(number: int) -> dict[str, Any]:
        return {"session_id": f"s{number % 20}", "user_message": "Hello", "agent_response": "Hi " * 40}

    bulk_insert(ChatHistory, [row(number) for number in range(_ROWS)])
    ids = itertools.cycle([chat.id for chat in ChatHistory.select(ChatHistory.id)])
    sessions = itertools.cycle([f"s{number}" for number in range(20)])

    def one(act: Callable[[], object]) -> Callable[[], int]:
        return lambda: 1 if act() is not None else 0

    return {
        "get by id": one(lambda: ChatHistory.get_by_id(next(ids))),
        "page of 50": one(lambda: ChatHistory.page(session_id=next(sessions))),
        "insert": one(lambda: ChatHistory.create(**row(0))),
        "update by id": one(lambda: ChatHistory.set_by_id(next(ids), {"user_id": "u"})),
        "bulk insert, rows": lambda: bulk_insert(ChatHistory, [row(number) for number in range(1_000)]),
        "verify an API key": one(lambda: api_keys.verify(key.text)),
    }


def _rate(act: Callable[[], int], seconds: float) -> float:
    done, began = 0, time.perf_counter()
    while (taken := time.perf_counter() - began) < seconds or not done:
        done += act()
    return done / taken
