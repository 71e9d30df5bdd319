"""`mimiod steps`: the instructions for each step."""

from __future__ import annotations

from typing import Annotated

import typer

from mimiod.workflow import steps as instructions


def steps(
    step: Annotated[
        int | None, typer.Argument(min=1, max=5, help="The step; without one, the page on all of them.")
    ] = None,
) -> None:
    """Print how a project is made: what goes in, what comes out, and how to check it.

    Example: mimiod steps 1
    """
    print(instructions.text(step), end="")
