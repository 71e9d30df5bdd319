"""`mimiod new`: a project's folder, with its input and skeletons of its files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mimiod.settings import find_home
from mimiod.workflow import skeletons


def new(
    name: Annotated[str, typer.Argument(help="The project's name: a-z, 0-9 and _.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="BRIEF",
            help="The business description: a file .md, .txt, .sql or .json, or - for input.",
        ),
    ],
) -> None:
    """Begin a project: projects/NAME with its input, and skeletons of its five files.

    Example: mimiod new my_shop --from my_shop.md
    """
    folder = skeletons.create(name, source, find_home(Path.cwd()), sys.stdin.buffer)
    print(f"made {folder}")
    print(f"next: mimiod steps 1, then mimiod check {name} --step 1")
