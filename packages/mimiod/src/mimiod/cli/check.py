"""`mimiod check`: the workload explained and run on the data, and what of the design falls short."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mimiod import projects, servers
from mimiod.checking.check import check as checked
from mimiod.settings import load_settings

if TYPE_CHECKING:
    from mimiod.checking.check import CheckReport
    from mimiod.checking.workload import Measured


def check(
    project: Annotated[str, typer.Argument(help="The project's folder, or its name under projects/.")],
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Judge a project's design on its seeded database; nothing is written.

    Each query of the workload is judged twice: by a model of MongoDB's index selection, and by what the
    server at hand shows.

    Exits 0 if no error is found, 1 if one is or if the check could not be done.

    Example: mimiod check projects/digital_bank
    """
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        loaded = projects.load_project(project)
        report = checked(loaded, servers.choose(load_settings(loaded.folder), uri).uri)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), ensure_ascii=False, indent=2, default=str))
    else:
        _show(report)
    if not report.passed:
        raise typer.Exit(1)


def _show(report: CheckReport) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("query", "collection", "index", "keys/doc", "sort", "ms", "verdict"):
        table.add_column(
            heading, justify="right" if heading in {"keys/doc", "ms"} else "left", overflow="fold"
        )
    grave = {finding.where for finding in report.findings if finding.severity == "error"}
    doubtful = {finding.where for finding in report.findings if finding.severity == "warning"}
    for measured in report.queries:
        where = f"query {measured.query.name}"
        verdict = "error" if where in grave else "warning" if where in doubtful else "ok"
        table.add_row(*_row(measured), verdict)
    if report.queries:
        console.print(table)
        console.print()
    for finding in report.findings:
        console.print(
            f"{finding.severity}: {finding.where}: {finding.text} ({finding.rule})\n  mend: {finding.mend}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    for measured in report.queries:
        if measured.disagreement:
            console.print(
                f"differs: query {measured.query.name}: {measured.disagreement}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    for each in report.suppressed:
        console.print(
            f"accepted: {each.finding.where}: {each.finding.rule}: {each.reason}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    counts = [
        f"{sum(finding.severity == severity for finding in report.findings)} {severity}s"
        for severity in ("error", "warning", "note")
    ]
    console.print(
        f"{report.project}: {'passed' if report.passed else 'NOT passed'}, {', '.join(counts)}, "
        f"{len(report.suppressed)} accepted, on {report.server}",
        style="bold green" if report.passed else "bold red",
        highlight=False,
        soft_wrap=True,
    )


def _row(measured: Measured) -> list[str]:
    plan, ratio = measured.plan, measured.keys_per_returned
    index = "-" if plan is None else plan.index or "none"
    covered = " (covered)" if plan is not None and plan.covered else ""
    return [
        measured.query.name,
        measured.query.collection,
        f"{index}{covered}",
        "-" if ratio is None else f"{ratio:.1f}",
        plan.sort if plan is not None and plan.sort != "none" else "-",
        "-" if measured.milliseconds is None else f"{measured.milliseconds:.1f}",
    ]
