"""Tables for people and JSON for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as a table of these columns, or whole as JSON; a terminal's control characters are shown."""
    rows = list(rows)
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(row[column])) for column in columns))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 1000  # whoever reads a file or a pipe wants no lines broken
    console.print(table)


def print_json(value: Any) -> None:
    """Print JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def shown(value: Any) -> str:
    """Return a value as a terminal may be given it."""
    if value is None:
        return ""
    text = str(value)
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; whoever does not agree exits 1."""
    if not yes:
        typer.confirm(question, abort=True)
