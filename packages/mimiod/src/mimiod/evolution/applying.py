"""A schema applied to a live database: what can be changed in place is changed, the rest is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymongo.errors

from mimiod import mongo, structure
from mimiod.errors import DuplicateKeysError
from mimiod.evolution.differences import Comparison, compare
from mimiod.evolution.shapes import declared, live
from mimiod.evolution.steps import Step, Wishes, steps
from mimiod.run_lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymongo.database import Database

    from mimiod.evolution.shapes import Shape
    from mimiod.schema_types import BaseMongoDbSchema

_UNAUTHORIZED = 13


@dataclass
class Applied:
    """What applying a schema came to."""

    server: mongo.Server
    dry_run: bool
    comparison: Comparison
    "Before anything was changed."
    steps: list[Step] = field(default_factory=list)
    distrusted: list[Step] = field(default_factory=list)
    "The steps to which the server said yes, and which it did not do."
    left: Comparison = field(default_factory=Comparison)
    "What differs afterwards; in a dry run, what differs."

    @property
    def passed(self) -> bool:
        """Whether all that is declared is there, but for what was allowed and what a stand-in cannot hold."""
        return all(step.state in {"planned", "done", "unsupported", "kept"} for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "server": str(self.server),
            "dry_run": self.dry_run,
            "passed": self.passed,
            "steps": [step.to_dict() for step in self.steps],
            "unsupported": self.left.unsupported,
            "left": [difference.to_dict() for difference in self.left.differences],
        }


def difference(
    database: Database[dict[str, Any]], schema: BaseMongoDbSchema, have: Shape | None = None
) -> Comparison:
    """Compare a database, whose shape may be known, with its schema; nothing is written."""
    found = compare(have or live(database), declared(schema))
    refused = structure.still_refused(database, schema)
    for each in list(found.differences):
        if (each.kind, each.change) == ("index", "missing") and f"{each.collection}.{each.name}" in refused:
            found.differences.remove(each)
            found.unsupported.append(f"{each.collection}: {each.text}: the server refused it to the last run")
    return found


def apply(
    database: Database[dict[str, Any]],
    schema: BaseMongoDbSchema,
    *,
    project: str,
    wishes: Wishes | None = None,
    dry_run: bool = False,
    say: Callable[[Step], None] = lambda _step: None,
) -> Applied:
    """Change a database until it is as its schema declares, as far as no document is lost by it.

    What was interrupted is gone on with by applying again. `say` hears each step once it is over.

    Raises:
        DatabaseInUseError: a run fills the database.
    """
    applied = _planned(database, schema, wishes or Wishes(), dry_run=dry_run)
    if dry_run or not any(step.make and step.state == "planned" for step in applied.steps):
        for step in applied.steps:
            say(step)
        return applied
    lock = RunLock(database, {"project": project}, borrowed=True)
    lock.acquire(replace=True)
    try:
        with lock.heartbeat():
            applied = _planned(database, schema, wishes or Wishes(), dry_run=False)
            for step in applied.steps:
                if step.make and step.state == "planned":
                    _do(step, step.make, applied.server)
                say(step)
    finally:
        lock.give_back()
    applied.left = difference(database, schema)
    _distrust(applied)
    return applied


def _planned(
    database: Database[dict[str, Any]], schema: BaseMongoDbSchema, wishes: Wishes, *, dry_run: bool
) -> Applied:
    have, want = live(database), declared(schema)
    found = compare(have, want)
    assert have.server is not None
    planned = steps(database, schema, have, want, found.differences, wishes)
    return Applied(have.server, dry_run, found, planned, left=found)


def _do(step: Step, make: Callable[[], str], server: mongo.Server) -> None:
    try:
        refused = make()
    except DuplicateKeysError as exc:
        step.state, step.why, step.examples = "migration", str(exc), [dict(each) for each in exc.duplicates]
    except pymongo.errors.OperationFailure as exc:
        if exc.code == _UNAUTHORIZED:
            raise
        step.state = "unsupported" if server.stand_in else "refused"
        step.why = f"{server} refused: {mongo.brief(exc)}"
    else:
        step.state = "done"
        step.why = refused or step.why


def _distrust(applied: Applied) -> None:
    """Take nothing for done that is not there: a stand-in may say yes and change nothing."""
    left = {(each.collection, each.kind, each.name) for each in applied.left.differences}
    for step in applied.steps:
        still = [
            each
            for each in step.differences
            if (each.collection, each.kind, each.name) in left and each.name != "validationLevel"
        ]
        if step.state == "done" and still:
            applied.distrusted.append(step)
            step.state = "unsupported" if applied.server.stand_in else "refused"
            step.why = (
                f"{applied.server} said yes, and did not do it: {'; '.join(each.text for each in still)}"
            )
