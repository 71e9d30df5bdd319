"""A new project: its folder, its input and skeletons of its five files."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from mimiod.errors import ProjectError
from mimiod.workflow.drafts import MOST_BYTES

if TYPE_CHECKING:
    from typing import BinaryIO

FILES = ("tech_design.md", "db_schema.py", "seed_db.py", "main.py", "README.md")
KINDS = (".md", ".txt", ".sql", ".json")
"The kinds of input, by the endings of their files."

_NAME = re.compile(r"[a-z][a-z0-9_]{0,37}")


def create(name: str, source: str, home: Path, standard_input: BinaryIO) -> Path:
    """Make `projects/NAME` in a home folder and return it; `source` is a file, or `-`.

    Raises:
        ProjectError: the name or the input cannot be used, or the project exists; nothing was made.
    """
    if not _NAME.fullmatch(name):
        raise ProjectError(
            f"{name!r} is no name for a project: 1 to 38 of a-z, 0-9 and _, a letter first, as my_shop"
        )
    folder = home / "projects" / name
    if folder.exists():
        raise ProjectError(f"{folder} exists: give another name, or remove it first")
    ending, content = _input(source, standard_input)
    folder.mkdir(parents=True)
    (folder / f"brief{ending}").write_text(content, encoding="utf-8")
    for file in FILES:
        (folder / file).write_text(skeleton(file, name, f"brief{ending}"), encoding="utf-8")
    return folder


def skeleton(file: str, name: str, brief: str) -> str:
    """Return the skeleton of one of the five files."""
    text = (resources.files("mimiod.workflow") / "templates" / f"{file}.txt").read_text(encoding="utf-8")
    camel = "".join(part.capitalize() for part in name.split("_"))
    return text.replace("PROJECT_NAME", name).replace("ProjectName", camel).replace("BRIEF_FILE", brief)


def _input(source: str, standard_input: BinaryIO) -> tuple[str, str]:
    """Return the ending and the text of an input."""
    file = Path(source)
    if source == "-":
        ending, content = ".md", standard_input.read(MOST_BYTES + 1)
    else:
        ending = file.suffix.lower()
        if ending not in KINDS:
            raise ProjectError(f"{source}: a brief is a file that ends in {', '.join(KINDS)}, or - for input")
        try:
            with file.open("rb") as opened:
                content = opened.read(MOST_BYTES + 1)
        except OSError as exc:
            raise ProjectError(f"{source} cannot be read: {exc.strerror or exc}") from exc
    shown = "the standard input" if source == "-" else source
    if len(content) > MOST_BYTES:
        raise ProjectError(f"{shown} is larger than {MOST_BYTES:,} bytes: a brief says what matters in fewer")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ProjectError(f"{shown} is no UTF-8 text: save it as one") from exc
    if "\0" in text:
        raise ProjectError(f"{shown} is no text: it has null bytes")
    if not text.strip():
        raise ProjectError(f"{shown} is empty: describe the business, its data and what is asked of it")
    if ending == ".json":
        try:
            json.loads(text)
        except ValueError as exc:
            raise ProjectError(f"{shown} is no JSON: {exc}") from exc
    return ending, text
