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
from mimiod.reporting import readme
from mimiod.settings import load_settings
from mimiod.workflow.drafts import Draft
from mimiod.workflow.gates import check_step, documents

if TYPE_CHECKING:
    from mimiod.checking.check import CheckReport
    from mimiod.checking.findings import Finding, Suppressed
    from mimiod.checking.workload import Measured

WIDE = 110
"Characters from which on a window has room for all columns."


def check(
    project: Annotated[str, typer.Argument(help="The project's folder, or its name under projects/.")],
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(min=1, max=5, help="Only the gate of this step: the project may be unfinished."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Judge a project's design on its seeded database; nothing is written.

    Each query of the workload is judged twice: by a model of MongoDB's index selection, and by what the
    server at hand shows.

    Exits 0 if no error is found, 1 if one is or if the check could not be done.

    Example: mimiod check projects/digital_bank

    Example: mimiod check my_shop --step 1
    """
    if step is not None:
        _check_step(project, uri, step, as_json=as_json)
        return
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        loaded = projects.load_project(project)
        chosen = servers.choose(load_settings(loaded.folder), uri)
        stale = readme.compare(loaded.folder, loaded.schema, loaded.name)
        report = checked(loaded, chosen.uri, others=[*stale, *documents(Draft(loaded.folder))])
    if as_json:
        typer.echo(json.dumps(report.to_dict(), ensure_ascii=False, indent=2, default=str))
    else:
        _show(report)
    if not report.passed:
        raise typer.Exit(1)


def _check_step(project: str, uri: str | None, step: int, *, as_json: bool) -> None:
    folder = projects.find_project(project)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        gate = check_step(Draft(folder), step, lambda: servers.choose(load_settings(folder), uri).uri)
    if as_json:
        typer.echo(json.dumps(gate.to_dict(), ensure_ascii=False, indent=2, default=str))
    else:
        console = Console()
        _show_findings(console, gate.findings, gate.suppressed)
        _conclude(console, f"{gate.project}, step {step}", gate.findings, len(gate.suppressed))
    if not gate.passed:
        raise typer.Exit(1)


def _show(report: CheckReport) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    # A query's name stays whole, so that it can be searched for; its collection gives way in a narrow window.
    wide = console.width >= WIDE
    for heading in ("query", "collection", "index", "keys/doc", "sort", "ms", "verdict"):
        if wide or heading != "collection":
            numeric = heading in {"keys/doc", "ms"}
            table.add_column(
                heading,
                justify="right" if numeric else "left",
                overflow="fold",
                no_wrap=numeric or heading == "query",
            )
    for measured in report.queries:
        name, collection, *rest = _row(measured)
        table.add_row(name, *([collection] if wide else []), *rest, report.verdict(measured))
    if report.queries:
        console.print(table)
        console.print()
    _show_findings(console, report.findings, report.suppressed)
    for measured in report.queries:
        if measured.disagreement:
            console.print(
                f"differs: query {measured.query.name}: {measured.disagreement}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    _conclude(console, report.project, report.findings, len(report.suppressed), f", on {report.server}")


def _show_findings(console: Console, findings: list[Finding], suppressed: list[Suppressed]) -> None:
    for finding in findings:
        line = f":{finding.line}" if finding.line else ""
        place = f" in {finding.file}{line}" if finding.file and finding.where != finding.file else line
        console.print(
            f"{finding.severity}: {finding.where}{place}: {finding.text} ({finding.rule})\n"
            f"  mend: {finding.mend}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    for each in suppressed:
        console.print(
            f"accepted: {each.finding.where}: {each.finding.rule}: {each.reason}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _conclude(console: Console, what: str, findings: list[Finding], accepted: int, on: str = "") -> None:
    severities = [finding.severity for finding in findings]
    counts = [
        f"{count} {severity}" if count == 1 else f"{count} {severity}s"
        for severity in ("error", "warning", "note")
        for count in [severities.count(severity)]
    ]
    passed = not any(finding.severity == "error" for finding in findings)
    console.print(
        f"{what}: {'passed' if passed else 'NOT passed'}, {', '.join(counts)}, {accepted} accepted{on}",
        style="bold green" if passed else "bold red",
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
