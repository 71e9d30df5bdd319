"""`mimiod score`: how good a project is, step by step."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mimiod import projects, servers
from mimiod.errors import ConfigurationError
from mimiod.settings import load_settings
from mimiod.workflow.drafts import Draft
from mimiod.workflow.gates import STEPS
from mimiod.workflow.score import POINTS, scale
from mimiod.workflow.score import score as scored

if TYPE_CHECKING:
    from mimiod.checking.findings import Finding
    from mimiod.workflow.score import Score


def score(
    project: Annotated[
        str | None, typer.Argument(help="The project's folder, or its name under projects/.")
    ] = None,
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    least: Annotated[
        float, typer.Option(min=0, max=100, metavar="N", help="Exit with 1 below so many points.")
    ] = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Print the scale instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score a project from 0 to 100, by what of each step is asked for and holds; nothing is written.

    Exits 0 if it has at least so many points as --least says, 1 if not or if it could not be scored.

    Example: mimiod score digital_bank --least 90
    """
    if explain:
        print(scale())
        return
    if project is None:
        raise ConfigurationError("which project? `mimiod score PROJECT`, or `mimiod score --explain`")
    folder = projects.find_project(project)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        found = scored(Draft(folder), lambda: servers.choose(load_settings(folder), uri).uri)
    if as_json:
        print(json.dumps({**found.to_dict(), "least": least}, ensure_ascii=False, indent=2, default=str))
    else:
        _show(found)
    if found.score < least:
        raise typer.Exit(1)


def _show(found: Score) -> None:
    console = Console()

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    for step in found.steps:
        number = step.gate.step
        state = "passed" if step.gate.passed else "NOT passed"
        say(f"{number}. {STEPS[number]}: {step.score:.0f} ({state})", "bold")
        for each in step.gate.evidence:
            lacking = f"; not {', '.join(each.lacking)}" if each.lacking else ""
            most = POINTS[number][each.asked]
            points = f"{step.points(each):5.1f} of {most:>2}"
            say(f"   {points}  {each.asked}: {each.held:g} of {each.of:g}{lacking}")
        if step.ceiling < step.earned:
            say(f"   at most {step.ceiling:g}: {_counts(step.gate.findings)}")
        if step.accepted:
            say(f"   {step.accepted} findings are accepted in the schema, at half a point each")
    say(f"{found.project}: {found.score:.0f} of 100", "bold")
    say("the scale: mimiod score --explain; the findings: mimiod check PROJECT --step N")


def _counts(findings: list[Finding]) -> str:
    kinds = [finding.severity for finding in findings]
    counts = ((kinds.count(kind), kind) for kind in ("error", "warning"))
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for count, kind in counts if count)
