"""`mimiod diff`: what differs between a schema and a database, or between two databases."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mimiod import mongo, projects, servers
from mimiod.cli.console import display, say
from mimiod.errors import ConfigurationError
from mimiod.evolution import shapes
from mimiod.evolution.applying import difference
from mimiod.evolution.differences import SIDES, Comparison, compare
from mimiod.inspecting.comparing import compare_documents, compare_with_schema, read_documents
from mimiod.inspecting.mongo_source import collections_of, database_of, reading
from mimiod.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

    from mimiod.evolution.differences import Difference
    from mimiod.evolution.shapes import Shape
    from mimiod.inspecting.mongo_source import MongoCollection
    from mimiod.schema_types import BaseMongoDbSchema

SAMPLE = 1_000
"Documents of each collection that are compared where nothing is said."
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: a database, or a schema."""

    label: str
    shape: Shape
    schema: BaseMongoDbSchema | None = None
    uri: str = ""
    database: Database[dict[str, Any]] | None = None


def diff(
    one: Annotated[
        str, typer.Argument(metavar="A", help="A project's folder or name, or mongodb://host/DATABASE.")
    ],
    two: Annotated[
        str | None,
        typer.Argument(metavar="[B]", help="The same; else the database that the project's schema names."),
    ] = None,
    uri: Annotated[
        str | None,
        typer.Option(help="The server of a single A; else MONGODB_URI, localhost:27017, the embedded one."),
    ] = None,
    sample: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="How many documents of each collection are read; 0: structure only."
        ),
    ] = SAMPLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show where a database differs from a schema, or from another database; nothing is written.

    With a schema, in whichever order: + is declared and missing, - is there and not declared, ~ is
    otherwise, `there → declared`. Of two databases: - is in A only, + in B only, ~ is otherwise, `A → B`.

    Compared are collections, options, validators, indexes, and in a sample of the documents their fields,
    types and presence: by more than 5 points, and more than chance would make. `mimiod verify` reads all.

    Exits 0 if nothing differs, 1 if something does or if the two could not be compared.

    Example: mimiod diff mongodb://staging.example.com/shop mongodb://db.example.com/shop
    """
    if two is not None and uri is not None:
        raise typer.BadParameter("it goes with one project only; write URI/DATABASE as B", param_hint="--uri")
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        shown = display(as_json=False)
        with contextlib.ExitStack() as opened, contextlib.closing(shown):
            have, want = _sides(one, two, uri, opened)
            found = _compared(have, want, sample, shown.progress)
    if as_json:
        typer.echo(json.dumps(_told(have, want, found), indent=2, default=str))
    elif have.database is not None and want.schema is not None:
        show(found)
        say(f"{have.database.name} on {have.shape.server}: {counted(found)}")
    else:
        say(f"A: {have.label}")
        say(f"B: {want.label}")
        show(found)
        say(counted(found, "no differences"))
    if found.differences:
        raise typer.Exit(1)


def show(found: Comparison) -> None:
    """Print the differences, and what the server cannot hold."""
    for each in found.differences:
        say(str(each))
    for line in found.unsupported:
        say(f"note: {line}")


def counted(found: Comparison, none: str = "as declared") -> str:
    """Return how much differs, in words."""
    number = len(found.differences)
    return f"{number} difference{'s' if number > 1 else ''}" if number else none


def _sides(one: str, two: str | None, uri: str | None, opened: contextlib.ExitStack) -> tuple[Side, Side]:
    """Return what there is, and what it is compared with: of a schema and a database the database first."""
    if two is not None:
        first, second = _side(one, opened), _side(two, opened)
        return (second, first) if first.schema and not second.schema else (first, second)
    if "://" in one:
        raise ConfigurationError(
            f"{mongo.mask(one)} is to be compared with what? Give a project, or another database, as B"
        )
    loaded = projects.load_project(one)
    server = servers.choose(load_settings(loaded.folder), uri).uri
    schema = Side(loaded.name, shapes.declared(loaded.schema), loaded.schema)
    return _live(server, loaded.schema.database_name, opened), schema


def _side(named: str, opened: contextlib.ExitStack) -> Side:
    if named.startswith(("mongodb://", "mongodb+srv://")):
        return _live(named, database_of(named), opened)
    if "://" in named:
        raise ConfigurationError(
            f"{mongo.mask(named)} cannot be compared: A and B are projects, or mongodb://host/DATABASE"
        )
    loaded = projects.load_project(named)
    return Side(loaded.name, shapes.declared(loaded.schema), loaded.schema)


def _live(uri: str, name: str, opened: contextlib.ExitStack) -> Side:
    database = mongo.database(opened.enter_context(mongo.connect(uri)), name)
    with reading(uri, name):
        shape = shapes.live(database)
    return Side(f"{name} on {mongo.mask(uri)}, {shape.server}", shape, None, uri, database)


def _compared(have: Side, want: Side, sample: int, progress: Progress) -> Comparison:
    if have.database is None or want.schema is None:
        found = compare(have.shape, want.shape, SIDES)
    else:
        with reading(have.uri, have.database.name):
            found = difference(have.database, want.schema, have.shape)
    if sample and have.database is not None:
        found.differences.extend(_documents(have, want, sample, progress))
    return found


def _documents(have: Side, want: Side, sample: int, progress: Progress) -> Iterator[Difference]:
    assert have.database is not None
    others = {} if want.database is None else _by_name(want)
    for name, collection in _by_name(have).items():
        declared = want.shape.collections.get(name)
        if want.schema is not None and declared is not None and "$jsonSchema" in declared.validator:
            read = read_documents(collection, sample, progress)
            yield from compare_with_schema(name, read, declared.validator["$jsonSchema"])
        elif name in others:
            read, other = (read_documents(each, sample, progress) for each in (collection, others[name]))
            yield from compare_documents(name, read, other, SIDES)


def _by_name(side: Side) -> dict[str, MongoCollection]:
    assert side.database is not None
    return {each.name: each for each in collections_of(side.database, side.shape, side.uri)}


def _told(have: Side, want: Side, found: Comparison) -> dict[str, Any]:
    known: dict[str, Any] = {"a": have.label, "b": want.label}
    if have.database is not None and want.schema is not None:
        known = {"project": want.label, "database": have.database.name, "server": str(have.shape.server)}
    return {
        **known,
        "equal": not found.differences,
        "differences": [each.to_dict() for each in found.differences],
        "unsupported": found.unsupported,
    }
