"""The generated sections of a project's README.md: written between markers, and compared with the schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mimiod.checking.explanations import OTHERS
from mimiod.checking.findings import Finding
from mimiod.errors import ReadmeError
from mimiod.reporting.markdown import prose
from mimiod.reporting.sections import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mimiod.reporting.sections import Section
    from mimiod.schema_types import BaseMongoDbSchema

FILE = "README.md"


def compare(folder: Path, schema: BaseMongoDbSchema, project: str) -> Iterator[Finding]:
    """Yield which of the sections are missing or stale."""
    mend = f"`mimiod report {project} --readme` writes it anew and leaves the rest as it is"
    try:
        text = _read(folder / FILE)
        if text is None:
            yield _finding("README.md", f"the project has no {FILE}", mend)
            return
        stale = [section for section in SECTIONS if _held(text, section) != section.text(schema)]
    except ReadmeError as exc:
        yield _finding("README.md", str(exc), "put the marker back, or remove the other one")
        return
    for section in stale:
        missing = _held(text, section) is None
        what = "is missing" if missing else "is not what the schema says today"
        line = None if missing else text[: _bounds(text, section)[0]].count("\n") + 1  # type: ignore[index]
        yield _finding(f"README.md:{section.name}", f"the section {section.name!r} {what}", mend, line)


def write(folder: Path, schema: BaseMongoDbSchema) -> list[str]:
    """Write the sections that are missing or stale, and no other byte; return their names.

    Raises:
        ReadmeError: a section begins and does not end, or begins twice.
    """
    file = folder / FILE
    before = _read(file)
    text = f"# {prose(folder.name)}\n" if before is None else before
    changed = []
    for section in SECTIONS:
        if _held(text, section) != section.text(schema):
            text = _with(text, section, section.text(schema))
            changed.append(section.name)
    if text != before:
        file.write_bytes(text.encode())
    return changed


def _finding(where: str, text: str, mend: str, line: int | None = None) -> Finding:
    return Finding("readme-stale", OTHERS["readme-stale"].severity, where, text, mend, FILE, line)


def _read(file: Path) -> str | None:
    """Return the file's text with its own line ends, None where there is no file."""
    try:
        return file.read_bytes().decode() if file.is_file() else None
    except UnicodeDecodeError as exc:
        raise ReadmeError(f"{FILE} is not UTF-8: {exc.reason} at byte {exc.start}") from exc


def _held(text: str, section: Section) -> str | None:
    """Return what stands between a section's markers, None where there are none."""
    bounds = _bounds(text, section)
    return None if bounds is None else text[slice(*bounds)].strip("\r\n").replace("\r\n", "\n")


def _bounds(text: str, section: Section) -> tuple[int, int] | None:
    """Return where the text between a section's markers begins and ends."""
    begins, ends = (
        [(found.start(), found.end()) for found in re.finditer(_line(marker), text, re.MULTILINE)]
        for marker in _markers(section)
    )
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0][1] > ends[0][0]:
        raise ReadmeError(
            f"{FILE} has {len(begins)} begin and {len(ends)} end markers of the section {section.name!r}, "
            "and needs one of each, in this order"
        )
    return begins[0][1], ends[0][0]


def _with(text: str, section: Section, made: str) -> str:
    begin, end = _markers(section)
    newline = "\r\n" if "\r\n" in text else "\n"
    body = made.replace("\n", newline)
    bounds = _bounds(text, section)
    if bounds is not None:
        return f"{text[: bounds[0]]}{newline}{newline}{body}{newline}{newline}{text[bounds[1] :]}"
    gap = "" if text.endswith(newline) or not text else newline
    whole = newline.join(["", f"## {section.heading}", "", begin, "", body, "", end, ""])
    return f"{text}{gap}{whole}"


def _markers(section: Section) -> tuple[str, str]:
    return f"<!-- mimiod:begin {section.name} -->", f"<!-- mimiod:end {section.name} -->"


def _line(marker: str) -> str:
    return rf"^{re.escape(marker)}[ \t]*(?=\r?$)"
