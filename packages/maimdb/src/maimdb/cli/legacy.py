"""`maimdb import-legacy`: a file of MaiBot or of MaimDB's first version brought into the database."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from maimdb.cli.options import Json  # noqa: TC001 - typer reads it
from maimdb.core.database import open_database
from maimdb.core.errors import LegacyImportError
from maimdb.core.legacy import LegacyImport, Options, open_source
from maimdb.core.settings import load_config

if TYPE_CHECKING:
    from maimdb.core.legacy import Balance, Imported

INTERRUPTED = 130
_LINES = 5.0
"""Seconds between two lines of progress where there is no terminal."""


def import_legacy(
    file: Annotated[Path, typer.Argument(help="The SQLite file; it is not changed.")],
    *,
    tenant: Annotated[str, typer.Option(metavar="NAME", help="Whose a bot's file becomes.")] = "",
    agent: Annotated[str, typer.Option(metavar="NAME", help="The agent that the bot becomes.")] = "",
    bot_account: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="The bot's account; again for each that it has."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of the bot's local times; default: this machine's.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, change nothing.")] = False,
    as_json: Json = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Import a file of MaiBot 0.7 to 0.12, or of MaimDB's first version, into the configured database.

    Prints a plan with counts, asks, imports, and proves that nothing was lost or doubled; exits 1 if it
    cannot. A run that was stopped goes on with the same command; once it is done, the same command changes
    nothing.

    Example: maimdb import-legacy MaiBot.db --tenant me --agent bot --bot-account 10001
    """
    try:
        code = run(
            file,
            Options(tenant, agent, frozenset(bot_account or ()), timezone or local_zone()),
            dry_run=dry_run,
            as_json=as_json,
            yes=yes,
        )
    except KeyboardInterrupt:
        typer.echo("stopped: what was imported stays, and the same command goes on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(code)


def run(file: Path, options: Options, *, dry_run: bool, as_json: bool, yes: bool) -> int:
    """Plan, ask, import and report; return the exit code."""
    zone = zone_of(options.timezone)
    config = replace(load_config(), fallback="error")
    if config.engine == "sqlite" and Path(config.database).absolute() == file.absolute():
        raise LegacyImportError(
            f"{file} is the configured database itself: name another by DATABASE_URL", path=file
        )
    with open_source(file) as source:
        database = open_database(config)
        try:
            work = LegacyImport(source, database, options, zone)
            planned = work.plan()
            facts: dict[str, Any] = {
                "file": str(file),
                "found": work.detected.label,
                "target": config.url,
                "timezone": options.timezone,
                "bot_accounts": sorted(options.accounts),
                "plan": [asdict(each) for each in planned],
            }
            if not as_json:
                _print_plan(work, facts)
            if dry_run:
                typer.echo(json.dumps(facts, ensure_ascii=False) if as_json else "nothing was changed")
                return 0
            if not (yes or _agreed(as_json=as_json)):
                typer.echo("nothing was changed")
                return 1
            imported = _imported(work)
        finally:
            database.close_all()
    if as_json:
        balances = [asdict(each) | {"balanced": each.balanced} for each in imported.balances]
        facts |= {"fresh": imported.fresh, "reconciliation": balances, "balanced": imported.balanced}
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _print_balances(imported)
    return 0 if imported.balanced else 1


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name, or raise an error that says what to name."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise LegacyImportError(
            f"--timezone {name!r} is unknown here: name one such as Asia/Shanghai or UTC (package tzdata)"
        ) from None


def local_zone() -> str:
    """Return the name of this machine's time zone, or UTC where it does not say."""
    _, found, name = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
    return name if found else "UTC"


def _agreed(*, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise LegacyImportError("there is no terminal to ask on: pass --yes to import, --dry-run to look")
    return typer.confirm("Import?")


def _imported(work: LegacyImport) -> Imported:
    if not sys.stderr.isatty():
        return work.run(_Lines())
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def report(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(_printable(name), total=total)
            progress.update(tasks[name], completed=done)

        return work.run(report)


class _Lines:
    """Reports progress in lines: each table's end, and every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self._last > _LINES:
            self._last = now
            typer.echo(f"{_printable(name)}: {done:,} of {total:,} rows", err=True)


def _print_plan(work: LegacyImport, facts: dict[str, Any]) -> None:
    typer.echo(f"{facts['file']} is of {facts['found']}; it goes to {facts['target']}")
    if work.is_bots:
        accounts = ", ".join(facts["bot_accounts"]) or "none named, so every message counts as a user's"
        typer.echo(f"local times are read as {facts['timezone']} (--timezone); bot accounts: {accounts}")
    else:
        typer.echo("it names its tenants and agents itself; its times are read as UTC")
    table = _table("table", "rows", "goes to")
    for each in facts["plan"]:
        table.add_row(Text(_printable(each["table"])), f"{each['rows']:,}", Text(_printable(each["goes_to"])))
    Console().print(table)


def _print_balances(imported: Imported) -> None:
    if not imported.fresh:
        typer.echo("imported before; nothing was changed. What it came to:")
    table = _table("table", "rows in", "rows out", "set aside", "sums", "")
    for each in imported.balances:
        aside = sum(each.set_aside.values())
        sums = ", ".join(f"{one.label} {one.source:,.10g}" for one in each.sums if one.equal)
        verdict = "equal" if each.balanced else "NOT EQUAL"
        table.add_row(
            Text(_printable(each.table)),
            f"{each.rows_in:,}",
            f"{each.rows_out:,}",
            f"{aside:,}",
            sums,
            verdict,
        )
    Console().print(table)
    for each in imported.balances:
        for reason, count in each.set_aside.items():
            typer.echo(f"{_printable(each.table)}: {count:,} set aside: {reason}")
        for line in _unequal(each):
            typer.echo(line)
    typer.echo("balanced" if imported.balanced else "NOT balanced: see above")


def _unequal(balance: Balance) -> list[str]:
    return [
        f"{_printable(balance.table)}: {one.label} {one.source!r} in the file, {one.target!r} in the target "
        f"and {one.set_aside!r} set aside"
        for one in balance.sums
        if not one.equal
    ]


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(
            head, justify="right" if head in {"rows", "rows in", "rows out", "set aside"} else "left"
        )
    return table


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
