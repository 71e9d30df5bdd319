"""Brings a schema to a version.

Each version is one transaction, in which the database's lock is taken, the marks are read and the first
change that is missing is made: whoever comes second finds it made. MySQL undoes no change of a schema; there
the lock is the session's, and a mark is left before the first step and after each, so that a run that was
stopped goes on where it stood, in the direction that it had. The step that it stood at looks whether it has
been made. Until it is done, the steps after that one may be corrected in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import peewee

from maimdb.core.errors import ConnectionLostError, MigrationError, PoolTimeoutError
from maimdb.core.migrations.adoption import adopt
from maimdb.core.migrations.engines import operations_for
from maimdb.core.migrations.history import VERSIONS, History, Mark, Version, VersionStatus, load_versions
from maimdb.core.migrations.operations import reason_of
from maimdb.core.scope import internal_scope, system_scope

if TYPE_CHECKING:
    from pathlib import Path

FIRST: Final = "tables"
"""The name of the version whose tables an earlier V2 had in another form."""


class _Undo(Exception):  # noqa: N818 - no error: it ends a transaction that shall leave nothing
    """Undoes what a dry run on SQLite has done."""


def migrate(
    database: peewee.Database, *, to: int | None = None, dry_run: bool = False, folder: Path = VERSIONS
) -> list[str]:
    """Bring the schema to a version, by default to the latest, and return the changes that were made.

    A dry run returns SQL and executes nothing; on SQLite it executes and undoes it, as there a change
    depends on what was made of the table before.

    Raises:
        MigrationError: there is no such version; the schema is newer; the file of an applied version was
            changed; a change cannot be made.
    """
    return _Run(database, to, load_versions(folder), dry_run=dry_run).run()


def migration_status(database: peewee.Database, *, folder: Path = VERSIONS) -> list[VersionStatus]:
    """Return how each version stands in the database."""
    versions = load_versions(folder)
    with internal_scope():
        marks = History(operations_for(database)).read()
    return [
        _status(number, versions.get(number), marks.get(number)) for number in sorted({*versions, *marks})
    ]


def _status(number: int, version: Version | None, mark: Mark | None) -> VersionStatus:
    if mark is None:
        assert version is not None
        return VersionStatus(number, version.name, "pending", None)
    if version is None:
        state = "unknown"
    elif mark.direction:
        state = "half done"
    else:
        state = "applied" if version.checksum == mark.checksum else "changed"
    return VersionStatus(number, mark.name, state, mark.changed_at)


class _Run:
    def __init__(
        self, database: peewee.Database, to: int | None, versions: dict[int, Version], *, dry_run: bool
    ) -> None:
        if to is not None and to not in {0, *versions}:
            raise MigrationError(f"there is no version {to}: use one from 0 to {max(versions, default=0)}")
        if database.in_transaction():
            raise MigrationError("the schema cannot be migrated inside a transaction: commit it first")
        self.versions = versions
        self.target = max(versions, default=0) if to is None else to
        self.dry_run = dry_run
        # SQLite's rebuilds read what came before: there a dry run is a transaction that is undone.
        self.undone = dry_run and isinstance(database, peewee.SqliteDatabase)
        self.operations = operations_for(database, dry_run=dry_run and not self.undone)
        self.history = History(self.operations)
        self.output: list[str] = []

    def run(self) -> list[str]:
        try:
            with system_scope(reason="migration of the schema"):
                self._run()
        except _Undo:
            pass
        except (MigrationError, ConnectionLostError, PoolTimeoutError):
            raise
        except peewee.PeeweeException as exc:
            raise MigrationError(f"the schema cannot be migrated: {reason_of(exc)}") from exc
        return self.output

    def _run(self) -> None:
        if self.operations.dry_run:
            while self._advance():
                pass
            return
        with self.operations.exclusive():
            if self.undone:
                with self.operations.transaction():
                    while self._advance():
                        pass
                    raise _Undo
            advanced = True
            while advanced:
                with self.operations.transaction():
                    advanced = self._advance()

    def _advance(self) -> bool:
        """Make the next change of those that are missing; False: none is."""
        marks = self.history.read()
        self._refuse_strangers(marks)
        half = next((mark for mark in marks.values() if mark.direction), None)
        if half is not None:
            self._make(self.versions[half.version], str(half.direction), half.steps)
        elif missing := [number for number in self.versions if number <= self.target and number not in marks]:
            if not marks and self.versions[min(missing)].name == FIRST:
                self._adopt()
            self._make(self.versions[min(missing)], "up", 0)
        elif surplus := [number for number in marks if number > self.target]:
            self._make(self.versions[max(surplus)], "down", 0)
        else:
            return False
        return True

    def _adopt(self) -> None:
        before = len(self.operations.statements)
        lines = adopt(self.operations)
        made = self.operations.statements[before:]
        if lines and self.dry_run:
            self.output += [
                "-- adopt an earlier V2",
                *self.operations.opening,
                *made,
                *self.operations.closing,
            ]
        else:
            self.output += lines

    def _refuse_strangers(self, marks: dict[int, Mark]) -> None:
        latest = max(self.versions, default=0)
        if marks and max(marks) > latest:
            raise MigrationError(
                f"the schema is at version {max(marks)}, newer than {latest}, the latest of this maimdb: "
                "install the one that migrated it"
            )
        for mark in marks.values():
            version = self.versions.get(mark.version)
            if version is None:
                raise MigrationError(
                    f"version {mark.version} ({mark.name}) is applied and its file is missing"
                )
            if version.checksum != mark.checksum and not mark.direction:
                raise MigrationError(
                    f"{version.path.name} was changed after it was applied: put it back, and make the change "
                    "in a new version"
                )

    def _make(self, version: Version, direction: str, done: int) -> None:
        operations, history = self.operations, self.history
        operations.steps, operations.done = 0, done
        before = len(operations.statements)
        marking = not (operations.transactional or operations.dry_run)
        if marking:
            history.write(version, direction, done)
            operations.mark = lambda steps: history.write(version, direction, steps)
        begun = len(operations.statements)
        try:
            version.change(direction)(operations)
        except (ConnectionLostError, PoolTimeoutError):
            raise
        except (peewee.PeeweeException, MigrationError, ValueError) as exc:
            stay = "nothing was changed"
            if marking and (done or len(operations.statements) > begun):
                stay = f"{operations.steps - 1} steps stay done"
            elif marking:
                self._end(version, "down" if direction == "up" else "up")
            text = f"version {version} cannot be {'applied' if direction == 'up' else 'taken back'}"
            raise MigrationError(f"{text}: {reason_of(exc)} ({stay})", operation=str(version)) from exc
        self._end(version, direction)
        if self.dry_run:
            made = operations.statements[before:]
            self.output += [f"-- {direction} {version}", *operations.opening, *made, *operations.closing]
        else:
            self.output.append(f"{direction} {version}")

    def _end(self, version: Version, direction: str) -> None:
        if direction == "up":
            self.history.write(version, None, self.operations.steps)
        else:
            self.history.forget(version)
