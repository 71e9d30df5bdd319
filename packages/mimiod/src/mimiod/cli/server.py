"""`mimiod server`: the embedded server started, stopped, looked at and wiped."""

from __future__ import annotations

from typing import Annotated

import typer

from mimiod import embedded
from mimiod.settings import load_settings

app = typer.Typer(
    help="The embedded server: a stand-in for MongoDB in a process of its own.", no_args_is_help=True
)


@app.command()
def start(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes any that is free.")] = 0,
) -> None:
    """Start the embedded server; one that runs already is kept."""
    settings = load_settings()
    typer.echo(said(embedded.start(settings.data_dir, port=port, cache=settings.server_cache)))


@app.command()
def stop() -> None:
    """Stop the embedded server; its data stays."""
    stopped = embedded.stop(load_settings().data_dir)
    typer.echo(f"stopped, the data stays in {stopped.folder}" if stopped else "no embedded server runs")


@app.command()
def status() -> None:
    """Say whether the embedded server runs, and where; exit 1 if it does not."""
    running = embedded.status(load_settings().data_dir)
    if running is None:
        typer.echo("no embedded server runs; `mimiod server start` starts one")
        raise typer.Exit(1)
    typer.echo(f"{running.uri} (process {running.pid}, data in {running.folder})")


@app.command()
def wipe(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the embedded server and delete all of its databases."""
    data_dir = load_settings().data_dir
    if not yes:
        typer.confirm(f"Delete every database of the embedded server in {data_dir}?", abort=True)
    wiped = embedded.wipe(data_dir)
    typer.echo("\n".join(f"deleted {folder}" for folder in wiped) or "there was nothing to delete")


def said(server: embedded.EmbeddedServer) -> str:
    """Return the line that tells a person of the server, and how to be rid of it."""
    return (
        f"embedded server at {server.uri} (process {server.pid}); "
        "`mimiod server stop` stops it, `mimiod server wipe` deletes its data"
    )
