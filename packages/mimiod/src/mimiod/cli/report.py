"""`mimiod report`: the page on a project's database, and the sections of its README.md."""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer
from rich.console import Console

from mimiod import projects, servers
from mimiod.errors import ConfigurationError
from mimiod.reporting import page, readme, sections
from mimiod.reporting.facts import gather
from mimiod.settings import load_settings

TOLD_EVERY = 2.0
"Seconds between lines about one collection."


def report(
    project: Annotated[str, typer.Argument(help="The project's folder, or its name under projects/.")],
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; else data/reports/NAME.html, and Markdown to the screen."),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Write what the schema says, as Markdown; no server is asked.")
    ] = False,
    into_readme: Annotated[
        bool,
        typer.Option("--readme", help="Refresh the generated sections of README.md; no server is asked."),
    ] = False,
) -> None:
    """Write a page on a project's seeded database: diagram, fields, distributions, indexes, plans, sizes.

    The page is one file that needs no network. The generated sections of README.md stand between lines
    `<!-- mimiod:begin … -->` and `<!-- mimiod:end … -->`; whatever else the file says is left as it is.

    Example: mimiod report projects/digital_bank --readme
    """
    if as_markdown and into_readme:
        raise typer.BadParameter("it does not go with --markdown", param_hint="--readme")
    if into_readme and out is not None:
        raise typer.BadParameter("README.md stands in the project's folder", param_hint="--out")
    loaded = projects.load_project(project)
    if into_readme:
        changed = readme.write(loaded.folder, loaded.schema)
        file = loaded.folder / readme.FILE
        print(f"{file}: wrote {', '.join(changed)}" if changed else f"{file}: is up to date")
        return
    if as_markdown:
        text = sections.document(loaded.schema)
        if out is None:
            print(text, end="")
            return
    else:
        settings = load_settings(loaded.folder)
        out = out or settings.data_dir / "reports" / f"{loaded.name}.html"
        chosen = servers.choose(settings, uri)
        text = page.render(gather(loaded, chosen.uri, _Lines()))
    _write(out, text)
    print(out)


class _Lines:
    """What goes on, on standard error: a line for each phase, and now and then how far it is."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.last = time.monotonic()

    def phase(self, text: str) -> None:
        """Say what begins."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def progress(self, done: int, total: int) -> None:
        """Say how many documents are read."""
        now = time.monotonic()
        if now - self.last >= TOLD_EVERY:
            self.last = now
            self.console.print(f"  {done:,} of {total:,} documents", markup=False, highlight=False)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigurationError(f"{file} cannot be written: {exc.strerror}") from exc
