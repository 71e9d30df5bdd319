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
from mimiod.errors import AppendError, EmptyDatabaseError, IndexConflictError
from mimiod.projects import explained
from mimiod.resuming import Seeding, Way
from mimiod.run_lock import RunLock
from mimiod.seeder_base import DatabaseSeeder
from mimiod.seeding.describing import distributions
from mimiod.seeding.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.database import Database

    from mimiod.projects import Project

START_OVER = "run the same command again to start over"
GO_ON = "run the same command again to go on where it ended"
"What a KeyboardInterrupt from `run` says, by whether the seeder declares its data."


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
    seed: int | None
    "None, as the scale, of a database that was only verified."
    scale: float | None
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
    way: Way | None = None,
) -> Summary:
    """Fill the project's database on the server at `uri`.

    What Mimiod had put there before goes, unless a run for the same data did not end, or rows are to
    be added (`way.append`, which takes the place of `scale`): then what is there is kept.

    Raises:
        MimiodError: the run could not be done; the database is marked as failed.
        AppendError: there is nothing to add rows to; the database stays as it was.
        KeyboardInterrupt: it came; its text says what to do next. The database is marked as interrupted.
    """
    way = way or Way()
    seeder = _seeder(project, uri)
    seeder.scale = scale = scale if way.append is None else way.append
    if seed is not None:
        seeder.seed = seed
    try:
        plan = seeder.plan()
        if plan is not None:
            plan.warm()  # what cannot be drawn is found before anything is dropped
    except Exception as exc:
        raise explained(exc, project.folder, f"{project.seeder.__name__}.plan()") from exc
    if plan is None and way.append is not None:
        raise AppendError(f"{project.name} seeds its database by itself: only declared rows can be added to")
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
        seeding = Seeding(project, seeder, plan, database, way) if plan else None
        filling = _Run(project, seeder, database, summary, reporter, seeding)
        try:
            with lock.heartbeat():
                filling.fill()
            state = "complete" if summary.passed else "failed"
        except AppendError:
            state = lock.state_before or state
            raise
        except KeyboardInterrupt:
            state = "interrupted"
            raise KeyboardInterrupt(GO_ON if plan else START_OVER) from None
        finally:
            lock.mark[structure.REFUSED] = structure.as_kept(filling.refused, project.schema)
            lock.release(state)
            seeder.close()
    return summary


def verify_project(project: Project, *, uri: str, reporter: Reporter) -> Summary:
    """Verify the project's database on the server at `uri` as it stands; nothing is written.

    Raises:
        EmptyDatabaseError: there is nothing to verify.
        MimiodError: the server does not answer, or refuses.
    """
    seeder = _seeder(project, uri)
    try:
        laws = distributions(seeder.plan())
    except Exception as exc:
        raise explained(exc, project.folder, f"{project.seeder.__name__}.plan()") from exc
    client = mongo.connect(uri)
    with mongo.driver_errors(uri), client:
        database = mongo.database(client, project.schema.database_name)
        names = [each.collection_name for each in project.schema.collections.values()]
        if all(database[name].find_one({}, {"_id": 1}) is None for name in names):
            raise EmptyDatabaseError(
                f"{database.name} on {mongo.mask(uri)} is empty: `mimiod run {project.name}` fills it"
            )
        summary = Summary(
            project=project.name,
            database=database.name,
            server=str(mongo.server(client)),
            uri=mongo.mask(uri),
            seed=None,
            scale=None,
        )
        reporter.phase("validate")
        began = time.monotonic()
        summary.verification = verify(
            database,
            project.schema,
            unsupported_indexes=structure.still_refused(database, project.schema),
            distributions=laws,
            progress=lambda collection, done: reporter.progress(collection, done, None),
        )
        summary.seconds["validate"] = time.monotonic() - began
    return summary


@dataclass
class _Run:
    """The phases of a run."""

    project: Project
    seeder: DatabaseSeeder
    database: Database[dict[str, Any]]
    summary: Summary
    reporter: Reporter
    seeding: Seeding | None
    "None where the seeder inserts its documents by itself."
    counts: dict[str, int] = field(default_factory=dict)
    "Documents seeded by collection; counting them on the server can take as long as reading them."
    refused: dict[str, str] = field(default_factory=dict)
    "What a stand-in for MongoDB could not make: `collection` or `collection.index`, and a line each."

    def fill(self) -> None:
        """Do all of them."""
        schema = self.project.schema
        self.seeder.progress = self.seeded
        kept = self.seeding.look() if self.seeding else None
        if kept:
            self.reporter.note(kept)
        else:
            with self.phase("clear"):
                Progress.forget(self.database)
                self.own("clear_database")
        with self.phase("collections"):
            self.refused = self.collections()
        with self.phase("seed"):
            if self.seeding:
                with self.explaining("its plan"):
                    self.seeding.load(self.seeded, self.reporter.note)
            else:
                self.own("seed_all_collections")
        with self.phase("indexes"):
            if self.overrides("create_indexes"):
                self.own("create_indexes")
            try:
                self.refused |= structure.create_indexes(self.database, schema).refused
            except IndexConflictError as exc:
                self.reporter.note(str(exc))  # the verification counts it
        self.summary.unsupported = list(self.refused.values())
        for line in self.summary.unsupported:
            self.reporter.note(line)
        with self.phase("validate"):
            if self.overrides("validate_seed_data"):
                self.summary.faults = _faults_in(self.own("validate_seed_data"))
            self.summary.verification = verify(
                self.database,
                schema,
                unsupported_indexes=frozenset(self.refused),
                distributions=distributions(self.seeding.plan) if self.seeding else None,
                progress=self.verified,
            )
            if self.seeding:
                self.conclude(self.seeding)

    def collections(self) -> dict[str, str]:
        """Make the collections; returns what a stand-in for MongoDB refuses of them."""
        if self.seeding:
            self.seeding.clear_computed()
        refused = structure.create_collections(self.database, self.project.schema).refused
        for line in self.seeding.shard() if self.seeding else ():
            self.reporter.note(line)
        return refused

    def conclude(self, seeding: Seeding) -> None:
        """Compare with what was made. A run that passed can be appended to; one that did not starts over."""
        found = self.summary.verification.collections
        self.summary.faults += seeding.miscounted({name: each.documents for name, each in found.items()})
        if self.summary.passed:
            seeding.progress.complete = True
            seeding.progress.write()
        else:
            Progress.forget(self.database)

    def seeded(self, collection: str, done: int, total: int | None) -> None:
        self.counts[collection] = done
        self.reporter.progress(collection, done, total)

    def verified(self, collection: str, done: int) -> None:
        self.reporter.progress(collection, done, self.counts.get(collection))

    def overrides(self, method: str) -> bool:
        return getattr(self.project.seeder, method) is not getattr(DatabaseSeeder, method)

    def own(self, method: str) -> Any:
        """Call a method of the seeder; what its code raises is said with file and line."""
        with self.explaining(f"{self.project.seeder.__name__}.{method}()"):
            return getattr(self.seeder, method)()

    @contextmanager
    def explaining(self, otherwise: str) -> Iterator[None]:
        """Say what the project's code raises with file and line, else with `otherwise`."""
        try:
            yield
        except pymongo.errors.PyMongoError:
            raise
        except Exception as exc:
            raise explained(exc, self.project.folder, otherwise) from exc

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.reporter.phase(name)
        began = time.monotonic()
        yield
        self.summary.seconds[name] = time.monotonic() - began


def _seeder(project: Project, uri: str) -> DatabaseSeeder:
    try:
        return project.seeder(uri, project.schema)
    except Exception as exc:
        raise explained(exc, project.folder, project.seeder.__name__) from exc


def _faults_in(verdict: Any) -> list[str]:
    """Return what an overridden `validate_seed_data` found: False, or a report that says so."""
    if verdict is False:
        return ["the seeder's validate_seed_data() answered False"]
    if isinstance(verdict, Mapping):
        errors = [str(error) for error in verdict.get("errors") or []]
        failed = [key for key in ("passed", "valid", "is_valid", "success") if verdict.get(key) is False]
        return errors or [f"the seeder's validate_seed_data() reports {key!r}: False" for key in failed]
    return []
