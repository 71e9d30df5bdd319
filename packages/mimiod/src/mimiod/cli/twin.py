"""`mimiod twin`: synthetic data with the shape of a database that exists."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

import typer

from mimiod import mongo, projects, running, servers
from mimiod.cli import server
from mimiod.cli.console import display, say
from mimiod.cli.inspect import open_source
from mimiod.errors import ProjectError, SourceError
from mimiod.inspecting.mongo_source import MongoSource
from mimiod.inspecting.project_files import check_folder
from mimiod.settings import find_home, load_settings
from mimiod.twinning import making, reporting
from mimiod.twinning.disclosure import K
from mimiod.twinning.distances import LIMIT, distances
from mimiod.twinning.measuring import measure
from mimiod.workflow import skeletons

if TYPE_CHECKING:
    from mimiod.cli.console import Display
    from mimiod.twinning.making import Made
    from mimiod.twinning.reporting import Outcome

_NAME = re.compile(r"[a-z][a-z0-9_]{0,37}")
_OTHERS = ("tech_design.md", "main.py", "README.md")
_SHOWN = 20
_LEAST_K = 2


def twin(
    source: Annotated[
        str,
        typer.Argument(
            help="What `mimiod inspect` reads: mongodb://host/DATABASE, SQL, or a folder of dumps."
        ),
    ],
    name: Annotated[str, typer.Option(help="The project and the database to make: a-z, 0-9 and _.")],
    sample: Annotated[
        int, typer.Option(min=100, metavar="N", help="How many documents of each collection are measured.")
    ] = making.SAMPLE,
    everything: Annotated[bool, typer.Option("--all", help="Measure all documents.")] = False,
    documents: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help=f"Documents of the twin; else as the source, up to {making.MOST_ROWS:,}."
        ),
    ] = None,
    scale: Annotated[
        float | None, typer.Option(metavar="X", help="Documents of the twin for each one of the source.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="URI", help="The twin's server; else MONGODB_URI, localhost, the embedded one."),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", min=_LEAST_K, help="Documents that have to share a value before it is told.")
    ] = K,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Make synthetic data with the shape of a database: projects/NAME, and a database NAME filled from it.

    Numbers, dates, categories, lengths, presence and references are distributed as in the source, which is
    only read. Names, e-mail addresses, free texts, identifiers and what fewer than k documents share are made
    up. How far each field is from the source is measured and printed, the worst first.

    Exits 0 if the twin was made, also where a distance is above 0.05: the last line says so. Exits 1 if it
    could not be made, or is not as its schema says.

    Example: mimiod twin mongodb://localhost/shop --name shop_twin --all
    """
    folder = find_home(Path.cwd()) / "projects" / name
    _check(source, name, scale, documents)
    check_folder(folder)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        shown = display(as_json=False)
        try:
            outcome = _twin(
                source, folder, None if everything else sample, k,
                documents=documents, scale=scale, to=to, shown=shown,
            )  # fmt: skip
        finally:
            shown.close()
    if as_json:
        print(json.dumps({"project": str(folder), **outcome.to_dict()}, ensure_ascii=True, indent=1))
    else:
        _show(outcome, folder)


def _check(source: str, name: str, scale: float | None, documents: int | None) -> None:
    if not _NAME.fullmatch(name):
        raise ProjectError(
            f"{name!r} is no name for a project: 1 to 38 of a-z, 0-9 and _, a letter first, as shop_twin"
        )
    if scale is not None and not 0 < scale < float("inf"):
        raise typer.BadParameter("it has to be above 0", param_hint="--scale")
    if scale is not None and documents is not None:
        raise typer.BadParameter("it does not go with --documents", param_hint="--scale")
    if "://" not in source and source.lower().endswith(".sql"):
        raise SourceError(
            f"{source!r} has no rows to measure: a twin is made of a database, or a folder of dumps"
        )
    if source.startswith("mongodb") and unquote(urlsplit(source).path.strip("/")) == name:
        raise ProjectError(
            f"the twin would have the name of its source, {name!r}: give another --name, as {name}_twin"
        )


def _twin(
    source: str, folder: Path, sample: int | None, k: int,
    *, documents: int | None, scale: float | None, to: str | None, shown: Display,
) -> Outcome:  # fmt: skip
    began = time.monotonic()
    opened = open_source(source, None, shown)
    try:
        shown.phase("pre-checks")
        chosen = servers.choose(load_settings(), to)
        if chosen.embedded is not None:
            shown.note(server.said(chosen.embedded))
        mongo.connect(chosen.uri).close()  # before the source is read, which may take long
        made = making.make(opened, sample, k, documents=documents, scale=scale, progress=shown.progress)
    finally:
        opened.close()
    others = {file: skeletons.skeleton(file, folder.name, "brief.md") for file in _OTHERS}
    making.write(made, folder, lambda _: others)
    _say_size(made, documents, scale, shown)
    try:
        summary = running.run(projects.load_project(folder), uri=chosen.uri, reporter=shown)
    except BaseException:  # Ctrl-C, or a server that is gone: the same command is to work again
        shutil.rmtree(folder)
        raise
    shown.summary(summary, hint=f"measuring {summary.database}")
    if not summary.passed:
        raise ProjectError(
            f"{folder.name} is not as its schema says: see the faults above; the project is in {folder}"
        )
    there = MongoSource(with_database(chosen.uri, summary.database))
    try:
        found = measure(there, made.inspection, sample, shown.progress)
    finally:
        there.close()
    outcome = reporting.Outcome(
        made=made,
        database=summary.database,
        documents=found.documents,
        distances=distances(made.measurement, found, made.makers),
        seconds=time.monotonic() - began,
    )
    reporting.write(outcome, folder)
    return outcome


def with_database(uri: str, name: str) -> str:
    """Return a server's URI with the name of a database; who logs in does so where they did."""
    parts = urlsplit(uri)
    before = parts.path.strip("/")
    query = parts.query
    if "@" in parts.netloc and before and "authsource" not in {key.lower() for key in parse_qs(query)}:
        query = f"{query}{'&' if query else ''}authSource={before}"
    return urlunsplit((parts.scheme, parts.netloc, f"/{quote(name, safe='')}", query, ""))


def _say_size(made: Made, documents: int | None, scale: float | None, shown: Display) -> None:
    total, there = sum(made.rows.values()), sum(made.measurement.documents.values())
    if documents is None and scale is None and total < there:
        shown.note(f"the twin has {total:,} of the source's {there:,} documents: --scale 1 makes all of them")


def _show(outcome: Outcome, folder: Path) -> None:
    rows = [_row(each) for each in outcome.distances[:_SHOWN]]
    rows.insert(0, ("field", "what", "distance", "chance", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for field, what, distance, chance, verdict in rows:
        say(f"{field:<{widths[0]}}  {what:<{widths[1]}}  {distance:>8}  {chance:>6}  {verdict}".rstrip())
    if len(outcome.distances) > _SHOWN:
        say(f"{len(outcome.distances) - _SHOWN:,} more, all nearer, in twin_report.json")
    for note in outcome.made.told.notes:
        say(f"note: {note}")
    say(f"made {folder} and the database {outcome.database} in {outcome.seconds:.1f} s")
    say(f"{outcome.database}: {outcome.verdict}")


def _row(each: Any) -> tuple[str, str, str, str, str]:
    verdict = f"misses {LIMIT}" if each.misses else ""
    field = f"{each.collection}.{each.field}"
    return field, f"{each.what} ({each.measure})", f"{each.distance:.4f}", f"{each.chance:.4f}", verdict
