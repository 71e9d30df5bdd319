"""`mimiod inspect`: a project made of a database that exists."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mimiod import mongo, projects, servers
from mimiod.cli import server
from mimiod.cli.console import PLAIN_LINE_EVERY, display, say
from mimiod.errors import ProjectError, SourceError
from mimiod.inspecting import project_files, reading
from mimiod.inspecting.account import FORMS, to_dict
from mimiod.inspecting.declarations import Declared
from mimiod.inspecting.folder_source import FolderSource
from mimiod.inspecting.mongo_source import MongoSource
from mimiod.inspecting.schema_code import schema_code
from mimiod.settings import find_home, load_settings
from mimiod.workflow import skeletons

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.cli.console import Display
    from mimiod.inspecting.facts import Inspection
    from mimiod.inspecting.sources import Source
    from mimiod.relational.loading import Loaded
    from mimiod.relational.sql_source import SqlSource

KINDS = (
    "a database, postgresql://, mysql://, mariadb:// or sqlite:///FILE, a .sql file, "
    "mongodb://host/DATABASE or a folder of dumps"
)
"What can be inspected."
_NAME = re.compile(r"[a-z][a-z0-9_]{0,37}")
_OTHERS = ("tech_design.md", "main.py", "README.md")
_SQL = re.compile(r"(postgresql|mysql|mariadb|sqlite)(\+\w+)?://")
_DIALECTS = ("postgresql", "mysql", "sqlite")


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            help="mongodb://host/DATABASE; postgresql://, mysql://, mariadb:// or sqlite:///; a .sql file of "
            "CREATE TABLE; or a folder of .json, .ndjson or .bson files."
        ),
    ],
    name: Annotated[str, typer.Option(help="The project to make: a-z, 0-9 and _.")],
    sample: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many documents of each collection are read.")
    ] = reading.SAMPLE,
    everything: Annotated[
        bool, typer.Option("--all", help="Read all documents: nothing rare is missed.")
    ] = False,
    dialect: Annotated[
        str | None, typer.Option(help="Of a .sql file: postgresql, mysql or sqlite; else it is guessed.")
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(help="Of SQL: a file of the queries that are asked, each after a comment: -- 500 a day"),
    ] = None,
    load: Annotated[
        bool, typer.Option("--load", help="Of a SQL database: write its data into MongoDB as NAME (--all).")
    ] = False,
    uri: Annotated[
        str | None,
        typer.Option(help="Where to load to; else MONGODB_URI, localhost:27017, the embedded server."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Load even where there is data: drop the collections first.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the facts as one JSON document.")] = False,
) -> None:
    """Read a database and make projects/NAME of it: facts, a brief, db_schema.py and seed_db.py.

    Nothing is written to the source; the role `read`, or SELECT, is enough. The files hold no values of it
    but for enumerations and bounds. Tables become documents: what is embedded in what, and why, is said.

    Exits 1 if what was loaded is not what is in the source.

    Example: mimiod inspect mongodb://localhost/shop --name shop --all
    """
    if not _NAME.fullmatch(name):
        raise ProjectError(
            f"{name!r} is no name for a project: 1 to 38 of a-z, 0-9 and _, a letter first, as my_shop"
        )
    _check_options(source, dialect, queries, load=load, uri=uri, replace=replace)
    folder = find_home(Path.cwd()) / "projects" / name
    project_files.check_folder(folder)
    loaded: Loaded | None = None
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        shown = display(as_json=False)
        try:
            found: Inspection
            if _is_file_of_sql(source):
                found = _declared(Path(source), dialect, queries)
            else:
                target = _target(name, uri, shown, replace=replace) if load else ""
                opened = open_source(source, queries, shown)
                try:
                    found = reading.inspect(opened, None if everything or load else sample, shown.progress)
                    loaded = _load(opened, found, name, target, shown, replace=replace) if load else None
                finally:
                    opened.close()
        finally:
            shown.close()
        files = project_files.write(found, folder, lambda name: _others(name, loaded))
    if as_json:
        told = {"project": str(folder), **to_dict(found)}
        told |= {"reconciliation": loaded.to_dict()} if loaded else {}
        print(json.dumps(told, ensure_ascii=True, indent=1, default=str))
    else:
        _show(found, files[0].parent, loaded)
    if loaded is not None and not loaded.balance.balanced:
        raise typer.Exit(1)


def _check_options(
    source: str, dialect: str | None, queries: Path | None, *, load: bool, uri: str | None, replace: bool
) -> None:
    """Refuse options that mean nothing for a source."""
    file, live = _is_file_of_sql(source), _SQL.match(source) is not None
    if dialect is not None and dialect not in _DIALECTS:
        raise typer.BadParameter(f"it is one of {', '.join(_DIALECTS)}", param_hint="--dialect")
    if dialect is not None and not file:
        raise typer.BadParameter("it goes with a .sql file only", param_hint="--dialect")
    if queries is not None and not file and not live:
        raise typer.BadParameter("it goes with SQL only", param_hint="--queries")
    if load and not live:
        raise typer.BadParameter(
            "it goes with a SQL database: postgresql://, mysql://, mariadb://, sqlite:///",
            param_hint="--load",
        )
    if not load and (uri is not None or replace):
        raise typer.BadParameter("it goes with --load only", param_hint="--uri" if uri else "--replace")


def _is_file_of_sql(source: str) -> bool:
    return "://" not in source and source.lower().endswith(".sql")


def open_source(source: str, queries: Path | None = None, shown: Display | None = None) -> Source:
    """Return the database that a URL or a folder's name means, connected.

    Raises:
        SourceError: it is none, or cannot be read.
    """
    if source.startswith(("mongodb://", "mongodb+srv://")):
        return MongoSource(source)
    if _SQL.match(source):
        return _open_sql(source, queries, shown)
    if "://" in source:
        raise SourceError(f"what is inspected is {KINDS}")
    folder = Path(source)
    if not folder.is_dir():
        raise SourceError(f"{source!r} is no folder; what is inspected is {KINDS}")
    return FolderSource(folder)


def _open_sql(url: str, queries: Path | None, shown: Display | None) -> SqlSource:
    from mimiod.relational import live  # noqa: PLC0415 - an extra
    from mimiod.relational.queries import read_queries  # noqa: PLC0415
    from mimiod.relational.sql_source import SqlSource  # noqa: PLC0415

    reader = live.connect(url)
    try:
        workload = read_queries(queries, reader.schema) if queries else None
        return SqlSource(reader, mongo.mask(url), workload, _counting(shown))
    except BaseException:
        reader.close()
        raise


def _counting(shown: Display | None) -> Callable[[str, int, int | None], None]:
    """Return what says every few seconds how many tables are counted."""
    said = time.monotonic()

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal said
        if shown is not None and time.monotonic() - said >= PLAIN_LINE_EVERY:
            said = time.monotonic()
            shown.note(f"{done:,} of {total:,} {what}")

    return progress


def _declared(file: Path, dialect: str | None, queries: Path | None) -> Declared:
    """Return what a file of statements says of a database."""
    from mimiod.relational.ddl import read_ddl  # noqa: PLC0415 - an extra
    from mimiod.relational.declared import inspection_of  # noqa: PLC0415
    from mimiod.relational.planning import plan  # noqa: PLC0415
    from mimiod.relational.queries import read_queries  # noqa: PLC0415

    schema = read_ddl(file, dialect)
    workload = read_queries(queries, schema) if queries else None
    return inspection_of(plan(schema, queries=workload), file.name)


def _target(name: str, uri: str | None, shown: Display, *, replace: bool) -> str:
    """Return the server that is loaded into; refuses one whose database has data."""
    from mimiod.relational.loading import check_target  # noqa: PLC0415 - an extra

    chosen = servers.choose(load_settings(), uri)
    if chosen.embedded is not None:
        shown.note(server.said(chosen.embedded))
    check_target(chosen.uri, name, replace=replace)
    return chosen.uri


def _load(opened: Source, found: Inspection, name: str, uri: str, shown: Display, *, replace: bool) -> Loaded:
    """Write the data into MongoDB, by the schema that the project will have."""
    from mimiod.relational.loading import load  # noqa: PLC0415 - an extra
    from mimiod.relational.sql_source import SqlSource  # noqa: PLC0415

    assert isinstance(opened, SqlSource)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "db_schema.py").write_text(schema_code(found, name), encoding="utf-8")
        schema = projects.load_schema(folder)
    return load(opened, schema, uri=uri, reporter=shown, replace=replace)


def _others(name: str, loaded: Loaded | None) -> dict[str, str]:
    files = {file: skeletons.skeleton(file, name, "brief.md") for file in _OTHERS}
    if loaded is not None:
        files["reconciliation.json"] = json.dumps(loaded.to_dict(), ensure_ascii=True, indent=1) + "\n"
    return files


def _show(found: Inspection, folder: Path, loaded: Loaded | None) -> None:
    if isinstance(found, Declared):
        for made in found.decisions:
            say(f"{made.table}: {FORMS[made.form].format(made.where)}: {'; '.join(made.reasons)}")
    assumed = isinstance(found, Declared) and found.assumed
    for facts in found.collections.values():
        fields = sum(1 for _ in facts.fields())
        read = (
            "assumed"
            if assumed
            else "read: all"
            if facts.complete
            else f"read: {facts.read:,} by {facts.method}"
        )
        say(f"{facts.name}: {facts.documents:,} documents ({read}), {fields:,} fields")
        for each in facts.drift:
            kinds = f" {each.kinds[1]} (was {each.kinds[0]})" if each.kinds else ""
            beside = f", {each.exceptions:,} exceptions" if each.exceptions else ""
            say(f"  {each.field} {each.change}{kinds} at {each.at:%Y-%m-%d} by {facts.dated_by}{beside}")
        for note in facts.notes:
            say(f"  note: {note}")
    for reference in found.references:
        say(
            f"{reference.collection}.{'+'.join(reference.fields)} → {reference.target}."
            f"{'+'.join(reference.keys)} ({reference.cardinality}, confidence {reference.confidence:.0%})"
        )
    for note in found.notes:
        say(f"note: {note}")
    if loaded is not None:
        _show_balance(loaded)
    say(f"made {folder}")
    then = "" if loaded is not None else f", then mimiod run {folder.name}"
    say(f"next: read brief.md and db_schema.py{then}")


def _show_balance(loaded: Loaded) -> None:
    """Print a line for each table, and one for each column that is not the same on both sides."""
    rows = [
        (each, f"{each.rows:,}", f"{each.found:,}", f"{each.orphaned:,}", f"{len(each.columns):,}")
        for each in loaded.balance.tables
    ]
    wide = max((len(each.table) for each, *_ in rows), default=0)
    say(f"{'table':<{wide}} {'rows':>12} {'loaded':>12} {'orphaned':>9} {'columns':>8}")
    for each, there, here, orphaned, columns in rows:
        verdict = "" if each.balanced else "  DIFFERS"
        say(f"{each.table:<{wide}} {there:>12} {here:>12} {orphaned:>9} {columns:>8}{verdict}")
        for column in each.columns:
            if not column.balanced:
                sums = f", sum {column.sums[0]} there, {column.sums[1]} here" if column.sums else ""
                say(f"  {column.column}: {column.values[0]:,} values there, {column.values[1]:,} here{sums}")
    dangling = loaded.balance.dangling
    if any(dangling):
        say(f"references that name nothing: {dangling[0]:,} there, {dangling[1]:,} here")
    for fault in loaded.balance.faults:
        say(f"fault: {fault}")
    verdict = "balanced" if loaded.balance.balanced else "NOT balanced"
    say(f"{loaded.database}: {verdict}, {loaded.documents:,} documents on {loaded.server} ({loaded.uri})")
