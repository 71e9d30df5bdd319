"""What a run does with what an earlier one left: start over, go on, or add rows; and who does it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import bson
from bson.codec_options import CodecOptions

from mimiod import mongo, projects, sharding
from mimiod.errors import AppendError, ConfigurationError, MimiodError, ProjectError
from mimiod.seeding import loading
from mimiod.seeding.coordinator import Coordinator
from mimiod.seeding.executors import FEW_DOCUMENTS, InProcess, Processes, default_workers
from mimiod.seeding.loading import Job
from mimiod.seeding.progress import Progress, fingerprint
from mimiod.seeding.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from pymongo.database import Database

    from mimiod.projects import Project
    from mimiod.seeder_base import DatabaseSeeder
    from mimiod.seeding.executors import Executor
    from mimiod.seeding.plan import Plan


@dataclass(frozen=True)
class Way:
    """How a database is to be seeded."""

    fresh: bool = False
    "Start over whatever is there."
    append: float | None = None
    "The scale up to which rows are added to what is there."
    workers: int | None = None
    "Worker processes; 1 loads in this process. None: as many as suit machine and data."
    executor: str | None = None
    "`dask://host:port`, or `dask://local`."


@dataclass(frozen=True)
class ProjectSource:
    """Makes a project's plan in any process that has its folder."""

    folder: Path
    uri: str
    seed: int
    scale: float
    reference_time: datetime
    fingerprint: str

    def plan(self) -> Plan:
        """Return the plan."""
        here = fingerprint(self.folder, self.seed, self.reference_time)
        if here != self.fingerprint:
            raise ProjectError(
                f"{self.folder} or a package it uses differs between the machines, or was edited"
            )
        project = projects.load_project(self.folder)
        seeder = project.seeder(self.uri, project.schema)
        seeder.seed, seeder.scale, seeder.reference_time = self.seed, self.scale, self.reference_time
        plan = seeder.plan()
        assert plan is not None
        return plan

    def explained(self, exc: Exception) -> MimiodError:
        """Return what the project's own code raised as an error that names its file and line."""
        return projects.explained(exc, self.folder, "its plan")


class Seeding:
    """The seeding of a project whose seeder declares its data."""

    def __init__(
        self,
        project: Project,
        seeder: DatabaseSeeder,
        plan: Plan,
        database: Database[dict[str, Any]],
        way: Way,
    ) -> None:
        self.project = project
        self.seeder = seeder
        self.plan = plan
        self.database = database
        self.way = way
        self.fingerprint = fingerprint(project.folder, seeder.seed, seeder.reference_time)
        self.progress = Progress(database, self.fingerprint, seeder.scale)

    def look(self) -> str | None:
        """Decide; returns a line about what is kept, None if all is made anew.

        Raises:
            AppendError: rows are to be added, and there is nothing they could be added to.
        """
        stored = Progress.stored(self.database)
        if self.way.append is not None:
            return self._append(stored, self.way.append)
        if self.way.fresh or stored is None or stored.complete:
            return None
        if not stored.covers(self.fingerprint, self.seeder.scale):
            return None
        return self._resume(stored)

    def clear_computed(self) -> None:
        """Drop the collections that are computed as a whole and not done: what they hold may be of before."""
        for root in self.plan.computed:
            if self.progress.rows[root].missing(1):
                self.database.drop_collection(root)

    def load(self, report: Callable[[str, int, int | None], None], say: Callable[[str], None]) -> None:
        """Load what is missing."""
        self.progress.write()
        patience = loading.PATIENCE
        declared = self.project.schema.collections.values()
        Coordinator(
            self.plan,
            self.progress,
            self.database,
            report=report,
            say=_once(say),
            patience=patience,
            shrinking=frozenset(c.collection_name for c in declared if c.shrinks()),
        ).run(self._executor(_once(say), patience))

    def shard(self) -> list[str]:
        """Shard the collections that have a shard key; returns what the server does not do, a line each."""
        return sharding.shard_collections(self.database, self.project.schema, self.sample)

    def miscounted(self, counts: dict[str, int]) -> list[str]:
        """Return the collections that do not hold what was made, a line each."""
        return [
            f"{name} holds {counts[name]:,} documents, {made:,} were made"
            for name, made in self.progress.made.items()
            if counts.get(name, made) > made
        ]

    def _append(self, stored: Progress | None, scale: float) -> str:
        name = self.database.name
        if stored is None:
            raise AppendError(f"database {name!r} has nothing to append to: run without --append first")
        if stored.fingerprint != self.fingerprint:
            raise AppendError(
                f"what database {name!r} holds was made with other project files, another seed or other "
                "versions: run without --append to start over"
            )
        if not stored.complete and stored.scale == scale:
            return self._resume(stored)
        if not stored.complete:
            raise AppendError(
                f"the last run on database {name!r} did not end well: run it again, "
                f"with --scale {stored.scale:g}, before appending"
            )
        if scale <= stored.scale:
            raise AppendError(
                f"database {name!r} is at scale {stored.scale:g}: --append takes a larger one, not {scale:g}"
            )
        kept = f"keeping {stored.made.total():,} documents of scale {stored.scale:g}"
        self.progress = stored
        stored.scale, stored.complete = scale, False
        stored.clear(self.plan.computed)
        stored.write()
        return f"{kept}, adding rows up to scale {scale:g}"

    def _resume(self, stored: Progress) -> str:
        self.progress = stored
        there, total = stored.made.total(), sum(self.plan.expected.values())
        return f"resuming: {there:,} of about {max(there, total):,} documents are there (--fresh starts over)"

    def _executor(self, say: Callable[[str], None], patience: float) -> Executor:
        job = Job(
            ProjectSource(
                self.project.folder,
                self.seeder.connection_string,
                self.seeder.seed,
                self.seeder.scale,
                self.seeder.reference_time,
                self.fingerprint,
            ),
            self.plan.pools,
            self.seeder.connection_string,
            self.database.name,
            patience,
        )
        if self.way.executor is not None:
            return _cluster(self.way.executor, job, self.way.workers, say)
        workers = self.way.workers or self._workers()
        if workers > 1:
            return Processes(job, workers, say)
        return InProcess(self.plan, self.database, uri=job.uri, say=say, patience=patience)

    def _workers(self) -> int:
        left = sum(self.plan.expected.values()) - self.progress.made.total()
        if left < FEW_DOCUMENTS or mongo.server(self.database.client).serves_one_at_a_time:
            return 1
        return default_workers()

    def sample(self, collection: str, number: int) -> list[dict[str, Any]]:
        """Return about so many documents of a collection, evenly over the rows that hold them."""
        documents: list[dict[str, Any]] = []
        for root, rows in self.plan.roots.items():
            if root in self.plan.computed:
                continue
            found: list[dict[str, Any]] = []
            for start in range(0, rows, max(1, rows // number)):
                encoded = self.plan.encode(Unit(root, start, start + 1))
                own = (
                    document
                    for part in encoded
                    if part.collection == collection
                    for document in part.documents
                )
                found += [bson.decode(document, CodecOptions(tz_aware=True)) for document in islice(own, 1)]
                if not found:
                    break  # this root's rows have none
            documents += found
        return documents


def _cluster(address: str, job: Job, workers: int | None, say: Callable[[str], None]) -> Executor:
    if not address.startswith("dask://"):
        raise ConfigurationError(f"--executor {address!r} is none: it reads dask://host:port or dask://local")
    from mimiod.seeding.dask_executor import DaskExecutor  # noqa: PLC0415 - an extra

    return DaskExecutor(address, job, workers, say)


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return a `say` that says each text once: every worker notices that a server is gone."""
    said: set[str] = set()

    def say_once(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    return say_once
