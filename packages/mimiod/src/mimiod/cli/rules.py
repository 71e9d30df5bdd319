"""`mimiod rules` and `mimiod explain`."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mimiod.checking.explanations import OTHERS
from mimiod.checking.rules import RULES, named
from mimiod.cli.console import JsonLines

if TYPE_CHECKING:
    from mimiod.checking.explanations import Explanation

_COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}
_INTRODUCED = {
    "evidence": ("Not rules: what a check finds when it asks the server.", ""),
    "documents": ("Not rules: where tech_design.md and README.md say otherwise than the schema.", ""),
    "acceptance": ("Not rules: what is wrong with an entry of `accepted`.", ""),
}


def rules(
    as_json: Annotated[bool, typer.Option("--json", help="Print the rules as lines of JSON.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/rules.md of the documentation.")
    ] = False,
) -> None:
    """List the design rules: id, severity, and the fault that each finds.

    Example: mimiod rules --json
    """
    if as_json:
        lines = JsonLines(sys.stdout)
        for rule in RULES.values():
            lines.write("rule", **rule.to_dict())
    elif as_markdown:
        print(markdown(), end="")
    else:
        _print_table()


def explain(
    rule: Annotated[
        str, typer.Argument(metavar="RULE", help="A rule's id, as `mimiod rules` and findings have it.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Teach one rule: why it is one, what fires it, and how to mend that.

    Example: mimiod explain unbounded-array
    """
    taught = named(rule)
    if as_json:
        JsonLines(sys.stdout).write("rule", **taught.to_dict())
        return
    console = Console()
    looks = f"looks at: {', '.join(taught.looks_at)}"
    console.print(f"{taught.id}  {taught.severity}  {looks}", style="bold", highlight=False)
    console.print()
    for heading, text in _said(taught).items():
        console.print(f"{heading:<10} {text}", markup=False, highlight=False, soft_wrap=True)


def markdown() -> str:
    """Return the page of the documentation that describes all rules."""
    lines = [
        "# Design rules",
        "",
        "Written by `mimiod rules --markdown`. `mimiod check` applies them; `mimiod explain RULE` shows one.",
        "What is meant to be is accepted in the schema, with the reason:",
        '`accepted={"unbounded-array:products.tags": "twelve at most, by the editor\'s form"}`.',
        "",
    ]
    explained = [*RULES.values(), *OTHERS.values()]
    for family, group in groupby(explained, key=lambda each: each.family):
        members = list(group)
        lines += [
            f"## {family.capitalize()}",
            "",
            *_INTRODUCED.get(family, ()),
            "| rule | severity | looks at | fault |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| [{rule.id}](#{rule.id}) | {rule.severity} | {', '.join(rule.looks_at)} | {rule.what} |"
            for rule in members
        ]
        lines.append("")
        for rule in members:
            lines += [f"### {rule.id}", ""]
            lines += [f"- **{heading}** {text}" for heading, text in _said(rule).items()]
            lines.append("")
    return "\n".join(lines)


def _said(rule: Explanation) -> dict[str, str]:
    said = {
        "Fault": rule.what,
        "Reason": rule.reason,
        "Threshold": str(rule.threshold) if rule.threshold else "",
        "Example": rule.example,
        "Mend": rule.mend,
        "Page": rule.page,
    }
    return {heading: text for heading, text in said.items() if text}


def _print_table() -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rule", "severity"):
        table.add_column(heading, no_wrap=True)
    table.add_column("fault")
    for rule in RULES.values():
        color = _COLORS[rule.severity]
        table.add_row(rule.id, f"[{color}]{rule.severity}[/]", rule.what)
    Console().print(table)
