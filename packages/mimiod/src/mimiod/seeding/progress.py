"""What is done of a database: ranges of rows, kept in the database beside the run's mark."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from pymongo.write_concern import WriteConcern

from mimiod.run_lock import COLLECTION
from mimiod.seeding.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from pymongo.collection import Collection
    from pymongo.database import Database

    from mimiod.seeding.plan import Plan

_ID = "progress"
_DURABLE = WriteConcern(w="majority", j=True)
"A journal is written in order: with this write, all that was acknowledged before it is durable."
_PACKAGES = ("mimiod", "faker", "numpy")


def fingerprint(folder: Path, seed: int, reference_time: datetime) -> str:
    """Return a digest of what the rows of a project depend on; their number, the scale, is no part of it."""
    digest = hashlib.sha256()
    facts = [str(seed), reference_time.isoformat(), *map(importlib.metadata.version, _PACKAGES)]
    for file in sorted(folder.rglob("*.py")):
        inside = file.relative_to(folder)
        if not any(part.startswith(".") for part in inside.parts):
            facts += [inside.as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()]
    digest.update("\0".join(facts).encode())
    return digest.hexdigest()


class Ranges:
    """Row numbers as ranges [start, stop): merged, in order."""

    def __init__(self, ranges: Iterable[Iterable[int]] = ()) -> None:
        self.ranges: list[tuple[int, int]] = []
        for start, stop in ranges:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Take in a range; what touches it becomes one with it."""
        apart = []
        for first, last in self.ranges:
            if last < start or stop < first:
                apart.append((first, last))
            else:
                start, stop = min(start, first), max(stop, last)
        self.ranges = sorted([*apart, (start, stop)])

    def missing(self, total: int) -> list[tuple[int, int]]:
        """Return the ranges that are not there of `total` rows."""
        gaps, at = [], 0
        for start, stop in [*self.ranges, (total, total)]:
            if at < min(start, total):
                gaps.append((at, min(start, total)))
            at = max(at, stop)
        return gaps


def missing(plan: Plan, rows: Mapping[str, Ranges]) -> list[Unit]:
    """Return the units of a plan whose rows are not there, in its order."""
    units = []
    for root, total in plan.roots.items():
        step = plan.rows_per_unit(root)
        for start, stop in rows.get(root, Ranges()).missing(total):
            units += [Unit(root, at, min(at + step, stop)) for at in range(start, stop, step)]
    return units


class Progress:
    """What of a plan is done in a database, and for which data that holds."""

    def __init__(self, database: Database[dict[str, Any]], fingerprint: str, scale: float) -> None:
        self.database = database
        self.fingerprint = fingerprint
        self.scale = scale
        self.complete = False
        "Whether a run went through all phases with it."
        self.rows: defaultdict[str, Ranges] = defaultdict(Ranges)
        "By root collection."
        self.made: Counter[str] = Counter()
        "Documents of these rows, by collection."

    @classmethod
    def stored(cls, database: Database[dict[str, Any]]) -> Progress | None:
        """Return what the database says is done."""
        kept = _place(database).find_one({"_id": _ID})
        if kept is None:
            return None
        progress = cls(database, kept["fingerprint"], kept["scale"])
        progress.complete = kept["complete"]
        for each in kept["rows"]:
            progress.rows[each["root"]] = Ranges(each["ranges"])
        for each in kept["made"]:
            progress.made[each["collection"]] = each["documents"]
        return progress

    @staticmethod
    def forget(database: Database[dict[str, Any]]) -> None:
        """Claim nothing any more."""
        _place(database).delete_one({"_id": _ID})

    def covers(self, fingerprint: str, scale: float) -> bool:
        """Return whether it is about this data."""
        return (self.fingerprint, self.scale) == (fingerprint, scale)

    def add(self, unit: Unit, made: Mapping[str, int]) -> None:
        """Take note that a unit is done."""
        self.rows[unit.root].add(unit.start, unit.stop)
        self.made.update(made)

    def clear(self, roots: Iterable[str]) -> None:
        """Take note that roots which have no rows below them are to be done again."""
        for root in roots:
            self.rows.pop(root, None)
            self.made.pop(root, None)

    def write(self) -> None:
        """Keep it in the database; when this returns, it and what it speaks of are durable."""
        kept = {
            "fingerprint": self.fingerprint,
            "scale": self.scale,
            "complete": self.complete,
            "rows": [{"root": root, "ranges": rows.ranges} for root, rows in self.rows.items()],
            "made": [{"collection": name, "documents": number} for name, number in self.made.items()],
        }
        _place(self.database).replace_one({"_id": _ID}, kept, upsert=True)


def _place(database: Database[dict[str, Any]]) -> Collection[dict[str, Any]]:
    return database.get_collection(COLLECTION, write_concern=_DURABLE)
