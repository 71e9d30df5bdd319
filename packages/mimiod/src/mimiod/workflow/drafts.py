"""A project as far as it has got: its files, of which any may be missing or broken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mimiod import projects
from mimiod.checking import design_tables
from mimiod.errors import ProjectError
from mimiod.workflow import faults, markdown

if TYPE_CHECKING:
    from pathlib import Path

    from mimiod.checking.design_tables import Table
    from mimiod.checking.findings import Finding
    from mimiod.projects import Project
    from mimiod.schema_types import BaseMongoDbSchema

MOST_BYTES = 1_000_000
"Of a file of text."
INPUTS = ("brief.md", "brief.txt", "brief.sql", "brief.json")
"The names under which a project keeps its input."

_PLACED = re.compile(r"(?P<file>.+?\.py)(?::(?P<line>\d+))?:? (?P<text>.*)", re.DOTALL)


@dataclass(frozen=True)
class Draft:
    """A project that may not be whole."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @cached_property
    def design(self) -> str | Finding:
        """The text of `tech_design.md`, or why there is none."""
        return self.text("tech_design.md")

    @cached_property
    def readme(self) -> str | Finding:
        """The text of `README.md`, or why there is none."""
        return self.text("README.md")

    @cached_property
    def schema(self) -> BaseMongoDbSchema | Finding:
        """The schema, or why there is none."""
        if found := self._missing("db_schema.py"):
            return found
        try:
            return projects.load_schema(self.folder)
        except ProjectError as exc:
            return self.placed(exc)

    @cached_property
    def project(self) -> Project | Finding:
        """The schema and the seeder, or why they are not both there."""
        if found := self._missing("db_schema.py") or self._missing("seed_db.py"):
            return found
        try:
            return projects.load_project(self.folder)
        except ProjectError as exc:
            return self.placed(exc)

    @cached_property
    def entities(self) -> Table | None:
        """The table of entities, with the columns that the first row gives names."""
        return next((each for each in self._tables if "entit" in each.heading.lower()), None)

    @cached_property
    def relationships(self) -> list[Table]:
        """The tables of relationships."""
        return [
            each
            for each in self._tables
            if "cardinality" in each.columns or "relationship" in each.heading.lower()
        ]

    @cached_property
    def workload(self) -> list[Table]:
        """The tables of the workload."""
        return [each for each in self._tables if "action" in each.columns]

    @property
    def workload_rows(self) -> list[dict[str, str]]:
        """The rows of the workload."""
        return [row for table in self.workload for row in table.rows]

    @cached_property
    def input(self) -> str:
        """The business description that it is made of; empty where none was kept."""
        for name in INPUTS:
            text = self.text(name)
            if isinstance(text, str):
                return text
        return ""

    def text(self, name: str) -> str | Finding:
        """Return what a file says, or why that cannot be read."""
        file = self.folder / name
        if found := self._missing(name):
            return found
        try:
            content = file.read_bytes()
            if len(content) > MOST_BYTES:
                return faults.FILE_UNREADABLE.at(name, f"it has {len(content):,} bytes", name)
            return content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            return faults.FILE_UNREADABLE.at(name, f"it cannot be read: {exc}", name)

    def placed(self, error: Exception, fault: faults.Fault = faults.IMPORT_FAILED) -> Finding:
        """Return an error as a finding, at the file and line that its text begins with."""
        text = str(error)
        if match := _PLACED.fullmatch(text):
            file = match["file"].removeprefix(f"{self.folder}/").removeprefix(f"{self.folder}\\")
            line = int(match["line"]) if match["line"] else None
            return fault.at(file, match["text"], file, line)
        return fault.at(self.name, text)

    def unfilled(self, name: str) -> list[Finding]:
        """Return what of the skeleton of a file is still to be written."""
        text = self.text(name)
        if not isinstance(text, str):
            return []
        return [faults.UNFILLED.at(name, said, name, line) for line, said in markdown.unfilled(text)]

    def _missing(self, name: str) -> Finding | None:
        if (self.folder / name).is_file():
            return None
        return faults.FILE_MISSING.at(name, f"the project has no {name}", name)

    @cached_property
    def _tables(self) -> list[Table]:
        return design_tables.tables(self.design) if isinstance(self.design, str) else []
