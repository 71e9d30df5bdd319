"""`mimiod bench`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mimiod import servers
from mimiod.cli.console import JsonLines
from mimiod.settings import load_settings

if TYPE_CHECKING:
    from mimiod.benchmark.measuring import Rate

PARTS = ("generation", "loading", "memory", "verification")


def bench(
    documents: Annotated[
        int, typer.Option(help="How many documents are made, inserted and verified.", min=1000)
    ] = 100_000,
    only: Annotated[
        str | None, typer.Option(help="One part: generation, loading, memory or verification.")
    ] = None,
    uri: Annotated[str | None, typer.Option(help="The server to load; else as `mimiod run` has it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as lines of JSON.")] = False,
) -> None:
    """Measure the seeding engine beside other generators, the driver's encoder and plain insertion.

    And the verification: its time beside that of reading alone, and its peak memory.

    All in one run, since machines differ: it is the ratios that count. Rivals other than Faker come with
    the extra `bench`. The memory part makes up to five million documents.

    Example: mimiod bench --only generation
    """
    from mimiod.benchmark import measuring, verifying  # noqa: PLC0415 - what it imports, no other command needs

    if only is not None and only not in PARTS:
        raise typer.BadParameter(f"one of {', '.join(PARTS)}", param_hint="--only")
    show = _as_json if as_json else _as_table
    if only in {None, "generation"}:
        show("generation", _compared(measuring.generation(documents)))
    if only in {None, "loading"}:
        where = servers.choose(load_settings(), uri).uri
        show("loading", [_with_ratio(asdict(found)) for found in measuring.loading(documents, where)])
    if only in {None, "memory"}:
        show("memory", [asdict(found) for found in measuring.memory()])
    if only in {None, "verification"}:
        where = servers.choose(load_settings(), uri).uri
        show("verification", [asdict(found) for found in verifying.verification(documents, where)])


def _compared(rates: list[Rate]) -> list[dict[str, Any]]:
    """Return the rates, and each as a multiple of the others'."""
    by_name = {rate.name: rate.per_second for rate in rates}
    rows = []
    for rate in rates:
        others = {"Faker loop": "Faker loop", "mimesis": "mimesis loop", "bson.encode": rate.encoder}
        ratios = {
            f"times {label}": round(rate.per_second / by_name[name], 2) if name in by_name else None
            for label, name in others.items()
        }
        rows.append(
            {
                "generator": rate.name,
                "documents per second": round(rate.per_second),
                **ratios,
                "bytes": rate.average_bytes,
            }
        )
    return rows


def _with_ratio(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "seeded to ready-made": round(row["seeded"] / row["ready_made"], 2)}


def _as_json(part: str, rows: list[dict[str, Any]]) -> None:
    lines = JsonLines(sys.stdout)
    for row in rows:
        lines.write(part, **row)


def _as_table(part: str, rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title=part, title_justify="left")
    for position, name in enumerate(rows[0]):
        table.add_column(
            name.replace("_", " "), justify="right" if position else "left", no_wrap=not position
        )
    for row in rows:
        table.add_row(*(_said(value) for value in row.values()))
    console = Console()
    console.print(table)
    console.print()


def _said(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
