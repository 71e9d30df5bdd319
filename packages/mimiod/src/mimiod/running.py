"""A run: one project's database cleared, built, seeded, indexed and verified."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pymongo.errors

from mimiod import mongo, structure
from mimiod.checking.verification import Verification, verify
from mimiod.errors import IndexConflictError, MimiodError, ProjectError
from mimiod.projects import place_of
from mimiod.run_lock import RunLock
from mimiod.seeder_base import DatabaseSeeder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

    from mimiod.projects import Project


class Reporter(Protocol):
    """Whoever is told how a run goes."""

    def phase(self, name: str) -> None:
        """A phase begins: pre-checks, clear, collections, seed, indexes or validate."""

    def note(self, text: str) -> None:
        """Something worth a line, but no fault."""

    def progress(self, collection: str, done: int, total: int | None) -> None:
        """So many documents of a collection are done in this phase."""


@dataclass
class Summary:
    """What a run came to."""

    project: str
    database: str
    server: str
    uri: str
    "Without its password."
    seed: int
    scale: float
    verification: Verification = field(default_factory=Verification)
    faults: list[str] = field(default_factory=list)
    "What the seeder's own validation found."
    unsupported: list[str] = field(default_factory=list)
    "What the server could not hold of the schema, a line each."
    seconds: dict[str, float] = field(default_factory=dict)
    "By phase."

    @property
    def passed(self) -> bool:
        """Whether the database is what the project says."""
        return self.verification.passed and not self.faults

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON can hold it."""
        return {
            "project": self.project,
            "database": self.database,
            "server": self.server,
            "uri": self.uri,
            "seed": self.seed,
            "scale": self.scale,
            "passed": self.passed,
            "documents": sum(found.documents for found in self.verification.collections.values()),
            "verification": self.verification.to_dict(),
            "faults": self.faults,
            "unsupported": self.unsupported,
            "seconds": {phase: round(seconds, 3) for phase, seconds in self.seconds.items()},
        }


def run(
    project: Project,
    *,
    uri: str,
    reporter: Reporter,
    seed: int | None = None,
    scale: float = 1.0,
    replace: bool = False,
) -> Summary:
    """Fill the project's database on the server at `uri`; what Mimiod had put there before goes.

    Raises:
        MimiodError: the run could not be done; the database is marked as failed.
        KeyboardInterrupt: as it came; the database is marked as interrupted.
    """
    seeder = _seeder(project, uri)
    seeder.scale = scale
    if seed is not None:
        seeder.seed = seed
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        database = mongo.database(client, project.schema.database_name)
        summary = Summary(
            project=project.name,
            database=database.name,
            server=str(mongo.server(client)),
            uri=mongo.mask(uri),
            seed=seeder.seed,
            scale=scale,
        )
        lock = RunLock(database, {"project": project.name, "seed": seeder.seed, "scale": scale})
        lock.acquire(replace=replace)
        state = "failed"
        try:
            with lock.heartbeat():
                _Run(project, seeder, database, summary, reporter).fill()
            state = "complete" if summary.passed else "failed"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            lock.release(state)
            seeder.close()
    return summary


@dataclass
class _Run:
    """The phases of a run."""

    project: Project
    seeder: DatabaseSeeder
    database: Database[dict[str, Any]]
    summary: Summary
    reporter: Reporter
    counts: dict[str, int] = field(default_factory=dict)
    "Documents seeded by collection; counting them on the server can take as long as reading them."

    def fill(self) -> None:
        """Do all of them."""
        schema = self.project.schema
        self.seeder.progress = self.seeded
        with self.phase("clear"):
            self.own("clear_database")
        with self.phase("collections"):
            refused = structure.create_collections(self.database, schema).refused
        with self.phase("seed"):
            self.own("seed_all_collections")
        with self.phase("indexes"):
            if self.overrides("create_indexes"):
                self.own("create_indexes")
            try:
                refused |= structure.create_indexes(self.database, schema).refused
            except IndexConflictError as exc:
                self.reporter.note(str(exc))  # the verification counts it
        self.summary.unsupported = list(refused.values())
        for line in self.summary.unsupported:
            self.reporter.note(line)
        with self.phase("validate"):
            if self.overrides("validate_seed_data"):
                self.summary.faults = _faults_in(self.own("validate_seed_data"))
            self.summary.verification = verify(
                self.database, schema, unsupported_indexes=frozenset(refused), progress=self.verified
            )

    def seeded(self, collection: str, done: int, total: int | None) -> None:
        self.counts[collection] = done
        self.reporter.progress(collection, done, total)

    def verified(self, collection: str, done: int) -> None:
        self.reporter.progress(collection, done, self.counts.get(collection))

    def overrides(self, method: str) -> bool:
        return getattr(self.project.seeder, method) is not getattr(DatabaseSeeder, method)

    def own(self, method: str) -> Any:
        """Call a method of the seeder; what its code raises is said with file and line."""
        try:
            return getattr(self.seeder, method)()
        except (MimiodError, pymongo.errors.PyMongoError):
            raise
        except Exception as exc:
            where = place_of(exc, self.project.folder) or f"{self.project.seeder.__name__}.{method}()"
            raise ProjectError(f"{where}: {type(exc).__name__}: {' '.join(str(exc).split())}") from exc

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.reporter.phase(name)
        began = time.monotonic()
        yield
        self.summary.seconds[name] = time.monotonic() - began


def _seeder(project: Project, uri: str) -> DatabaseSeeder:
    try:
        return project.seeder(uri, project.schema)
    except MimiodError:
        raise
    except Exception as exc:
        where = place_of(exc, project.folder) or project.seeder.__name__
        raise ProjectError(f"{where}: {type(exc).__name__}: {' '.join(str(exc).split())}") from exc


def _faults_in(verdict: Any) -> list[str]:
    """Return what an overridden `validate_seed_data` found: False, or a report that says so."""
    if verdict is False:
        return ["the seeder's validate_seed_data() answered False"]
    if isinstance(verdict, Mapping):
        errors = [str(error) for error in verdict.get("errors") or []]
        failed = [key for key in ("passed", "valid", "is_valid", "success") if verdict.get(key) is False]
        return errors or [f"the seeder's validate_seed_data() reports {key!r}: False" for key in failed]
    return []
