"""The command `mimiod`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mimiod import projects, running, servers
from mimiod.cli import (
    apply,
    bench,
    check,
    diff,
    generate,
    inspect,
    new,
    report,
    rules,
    score,
    server,
    steps,
    twin,
    verify,
)
from mimiod.cli.console import Display, JsonLines, display
from mimiod.errors import MimiodError
from mimiod.resuming import Way
from mimiod.settings import load_settings

INTERRUPTED = 130
"The exit code of what Ctrl-C ended, as shells have it."

app = typer.Typer(
    name="mimiod",
    help="Design, build, seed and check MongoDB databases from a typed schema.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.add_typer(server.app, name="server")
app.command()(bench.bench)
app.command()(check.check)
app.command()(verify.verify)
app.command()(diff.diff)
app.command()(apply.apply)
app.command()(rules.rules)
app.command()(rules.explain)
app.command()(report.report)
app.command()(new.new)
app.command()(generate.generate)
app.command()(steps.steps)
app.command()(score.score)
app.command()(inspect.inspect)
app.command()(twin.twin)


@app.callback()
def _commands() -> None:
    """Design, build, seed and check MongoDB databases from a typed schema."""


@app.command()
def run(
    project: Annotated[str, typer.Argument(help="The project's folder, or its name under projects/.")],
    uri: Annotated[
        str | None, typer.Option(help="The server; else MONGODB_URI, localhost:27017, the embedded one.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="How much data, as a multiple of the default; 1.0 if not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed: the same gives the same data.")] = None,
    append: Annotated[
        float | None,
        typer.Option(metavar="SCALE", help="Keep what a complete run made, and add rows up to this scale."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over even where a run could be gone on with.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Worker processes; else up to 4, none for little data or the embedded server."
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(metavar="DASK", help="Load on a Dask cluster: dask://host:port, or dask://local."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Drop the project's collections even if Mimiod did not fill them"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as lines of JSON.")] = False,
) -> None:
    """Fill a project's database, index it and verify it.

    A run that was killed, interrupted or failed is gone on with by the same command.

    Exits 0 if every document, reference and index is as the schema says, 1 if not or if the run could
    not be done, 130 if it was interrupted.

    Example: mimiod run projects/digital_bank --scale 0.1
    """
    for number, option in ((scale, "--scale"), (append, "--append")):
        if number is not None and not 0 < number < float("inf"):
            raise typer.BadParameter("it has to be above 0", param_hint=option)
    if append is not None and (fresh or scale is not None):
        raise typer.BadParameter("it goes with neither --scale nor --fresh", param_hint="--append")
    way = Way(fresh=fresh, append=append, workers=workers, executor=executor)
    shown = display(as_json=as_json)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        try:
            passed = _run(project, uri, shown, seed=seed, scale=scale or 1.0, replace=replace, way=way)
        except KeyboardInterrupt as exc:
            hint = exc.args[0] if exc.args else running.START_OVER
            raise _InterruptedError(f"interrupted in the phase {shown.current}; {hint}") from None
        finally:
            shown.close()
    if not passed:
        raise typer.Exit(1)


class _InterruptedError(Exception):
    """Ctrl-C in a phase of a run; no KeyboardInterrupt, of which typer would make an exit of its own."""


def _run(
    where: str,
    uri: str | None,
    shown: Display,
    *,
    seed: int | None,
    scale: float,
    replace: bool,
    way: Way,
) -> bool:
    shown.phase("pre-checks")
    project = projects.load_project(where)
    settings = load_settings(project.folder)
    chosen = servers.choose(settings, uri)
    if chosen.embedded is not None:
        shown.note(server.said(chosen.embedded))
    summary = running.run(
        project, uri=chosen.uri, reporter=shown, seed=seed, scale=scale, replace=replace, way=way
    )
    server_uri, question, options = summary.uri.partition("?")
    where = f"{server_uri.rstrip('/')}/{summary.database}{question}{options}"
    shown.summary(summary, hint=f"query it: mongosh {where}")
    return summary.passed


def run_project(main_file: str) -> NoReturn:
    """Do what `mimiod run` does for the project that `main_file` belongs to, with the same options."""
    main(["run", str(Path(main_file).resolve().parent), *sys.argv[1:]])


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; whatever a person can mend is one line on standard error, and exit code 1."""
    as_json = "--json" in (sys.argv if arguments is None else arguments)
    try:
        app(arguments, standalone_mode=True)
    except MimiodError as exc:
        _say(str(exc), as_json=as_json)
        sys.exit(1)
    except _InterruptedError as exc:
        _say(str(exc), as_json=as_json)
        sys.exit(INTERRUPTED)
    except SystemExit as exc:
        # Typer's answer to Ctrl-C is 130, and no word.
        if isinstance(getattr(exc.__context__, "__cause__", None), KeyboardInterrupt):
            _say("interrupted; run the same command again to start over", as_json=as_json)
        raise
    sys.exit(0)


def _say(text: str, *, as_json: bool) -> None:
    if as_json:
        JsonLines(sys.stdout).write("error", text=text)
    else:
        print(f"error: {text}", file=sys.stderr)
