"""`mimiod inspect`: a project made of a database that exists."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mimiod.cli.console import display, say
from mimiod.errors import ProjectError, SourceError
from mimiod.inspecting import project_files, reading
from mimiod.inspecting.account import to_dict
from mimiod.inspecting.folder_source import FolderSource
from mimiod.inspecting.mongo_source import MongoSource
from mimiod.settings import find_home
from mimiod.workflow import skeletons

if TYPE_CHECKING:
    from mimiod.inspecting.facts import Inspection
    from mimiod.inspecting.sources import Source

_NAME = re.compile(r"[a-z][a-z0-9_]{0,37}")
_OTHERS = ("tech_design.md", "main.py", "README.md")


def inspect(
    source: Annotated[
        str, typer.Argument(help="mongodb://host/DATABASE, or a folder of .json, .ndjson or .bson files.")
    ],
    name: Annotated[str, typer.Option(help="The project to make: a-z, 0-9 and _.")],
    sample: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many documents of each collection are read.")
    ] = reading.SAMPLE,
    everything: Annotated[
        bool, typer.Option("--all", help="Read all documents: nothing rare is missed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the facts as one JSON document.")] = False,
) -> None:
    """Read a database and make projects/NAME of it: facts, a brief, db_schema.py and seed_db.py.

    Nothing is written to the source; the role `read` on the database is enough. The files hold no values
    of it but for enumerations and bounds.

    Example: mimiod inspect mongodb://localhost/shop --name shop --all
    """
    if not _NAME.fullmatch(name):
        raise ProjectError(
            f"{name!r} is no name for a project: 1 to 38 of a-z, 0-9 and _, a letter first, as my_shop"
        )
    folder = find_home(Path.cwd()) / "projects" / name
    project_files.check_folder(folder)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        shown = display(as_json=False)
        opened = _opened(source)
        try:
            found = reading.inspect(opened, None if everything else sample, shown.progress)
        finally:
            shown.close()
            opened.close()
        project_files.write(found, folder, _others)
    if as_json:
        print(
            json.dumps({"project": str(folder), **to_dict(found)}, ensure_ascii=True, indent=1, default=str)
        )
    else:
        _show(found, folder)


def _opened(source: str) -> Source:
    if "://" in source:
        if not source.startswith(("mongodb://", "mongodb+srv://")):
            raise SourceError("what is inspected is mongodb://host/DATABASE or a folder of dumps")
        return MongoSource(source)
    folder = Path(source)
    if not folder.is_dir():
        raise SourceError(f"{source!r} is no folder, and no mongodb://host/DATABASE")
    return FolderSource(folder)


def _others(name: str) -> dict[str, str]:
    return {file: skeletons.skeleton(file, name, "brief.md") for file in _OTHERS}


def _show(found: Inspection, folder: Path) -> None:
    for facts in found.collections.values():
        fields = sum(1 for _ in facts.fields())
        read = "all" if facts.complete else f"{facts.read:,} by {facts.method}"
        say(f"{facts.name}: {facts.documents:,} documents (read: {read}), {fields:,} fields")
        for each in facts.drift:
            say(f"  {each.field} {each.change} at {each.at:%Y-%m-%d}")
        for note in facts.notes:
            say(f"  note: {note}")
    for reference in found.references:
        say(
            f"{reference.collection}.{'+'.join(reference.fields)} → {reference.target}."
            f"{'+'.join(reference.keys)} ({reference.cardinality}, confidence {reference.confidence:.0%})"
        )
    for note in found.notes:
        say(f"note: {note}")
    say(f"made {folder}")
    say(f"next: read brief.md and db_schema.py, then mimiod run {folder.name}")
