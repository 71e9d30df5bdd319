"""What the database has been given of the versions, and the files that they are."""

# ruff: noqa: S608 - every value is a literal of ours

from __future__ import annotations

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maimdb.core.errors import MigrationError

if TYPE_CHECKING:
    from maimdb.core.migrations.operations import Operations

VERSIONS: Final = Path(__file__).with_name("versions")
"""The folder of the files `v0001_name.py`, each with `up(schema)` and `down(schema)`."""
TABLE: Final = "maimdb_migrations"
_FILE: Final = re.compile(r"v(\d+)_(\w+)\.py")


@dataclass(frozen=True, slots=True)
class Version:
    """A file of changes."""

    number: int
    name: str
    path: Path

    @property
    def checksum(self) -> str:
        """The SHA-256 of its text."""
        return hashlib.sha256(self.path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()

    def change(self, direction: str) -> Any:
        """Return its function `up` or `down`."""
        spec = importlib.util.spec_from_file_location(f"maimdb_version_{self.number}", self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not hasattr(module, direction):
            raise MigrationError(f"{self.path.name} has no function {direction!r}: add it")
        return getattr(module, direction)

    def __str__(self) -> str:
        return f"{self.number} ({self.name})"


@dataclass(frozen=True, slots=True)
class Mark:
    """What the database remembers of a version."""

    version: int
    name: str
    checksum: str
    direction: str | None
    """`up` or `down` while the change is under way, which others see only on MySQL."""
    steps: int
    """How many steps of that change are made."""
    changed_at: str


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """How a version stands in a database."""

    version: int
    name: str
    state: str
    """`applied`, `pending`, `half done`, `changed` (its file, since it was applied) or `unknown`."""
    changed_at: str | None


def load_versions(folder: Path) -> dict[int, Version]:
    """Return the versions of a folder by number, in order."""
    versions: dict[int, Version] = {}
    for path in sorted(folder.glob("v*.py")):
        found = _FILE.fullmatch(path.name)
        if not found or int(found[1]) in versions or int(found[1]) == 0:
            raise MigrationError(f"{path} is no version: name it v<number>_<name>.py, each number once")
        versions[int(found[1])] = Version(int(found[1]), found[2], path)
    return dict(sorted(versions.items()))


class History:
    """The table of the marks, read and written through the operations, so that a dry run shows it."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._planned: dict[int, Mark] | None = None
        self._created = False

    def read(self) -> dict[int, Mark]:
        """Return the marks by version."""
        if self._planned is None:
            marks = self._read()
            if not self._operations.dry_run:
                return marks
            self._planned = marks
        return self._planned

    def write(self, version: Version, direction: str | None, steps: int) -> None:
        """Remember that a version is applied (None), or how far its change has come."""
        emit, literal, quote = self._operations.emit, self._operations.literal, self._operations.quote
        if not (self._created or self._operations.has_table(TABLE)):
            self._created = True
            emit(
                f"CREATE TABLE {quote(TABLE)} (version INTEGER NOT NULL PRIMARY KEY, "
                "name VARCHAR(200) NOT NULL, checksum VARCHAR(64) NOT NULL, direction VARCHAR(4), "
                f"steps INTEGER NOT NULL, changed_at VARCHAR(40) NOT NULL){self._operations.table_options}"
            )
        marks = self.read()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        mark = Mark(version.number, version.name, version.checksum, direction, steps, now)
        if version.number in marks:
            emit(
                f"UPDATE {quote(TABLE)} SET checksum = {literal(mark.checksum)}, "
                f"direction = {literal(direction)}, steps = {steps}, changed_at = {literal(now)} "
                f"WHERE version = {version.number}"
            )
        else:
            values = (mark.version, mark.name, mark.checksum, direction, steps, now)
            emit(f"INSERT INTO {quote(TABLE)} VALUES ({', '.join(map(literal, values))})")
        self._plan(version.number, mark)

    def forget(self, version: Version) -> None:
        """Remember that a version is not applied."""
        self._operations.emit(f"DELETE FROM {self._operations.quote(TABLE)} WHERE version = {version.number}")
        self._plan(version.number, None)

    def _plan(self, number: int, mark: Mark | None) -> None:
        if self._planned is None:
            return
        self._planned = {**self._planned}
        self._planned.pop(number, None)
        if mark is not None:
            self._planned[number] = mark

    def _read(self) -> dict[int, Mark]:
        database = self._operations.database
        if TABLE not in database.get_tables():
            return {}
        rows = database.execute_sql(
            f"SELECT version, name, checksum, direction, steps, changed_at FROM {TABLE} ORDER BY version"
        ).fetchall()
        return {row[0]: Mark(*row) for row in rows}
