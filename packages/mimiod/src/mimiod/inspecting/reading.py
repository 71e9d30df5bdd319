"""A database read once, collection by collection, and what is known of it then."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.counting import DEEPEST, Budget, Counter
from mimiod.inspecting.declarations import Knowing
from mimiod.inspecting.facts import CollectionFacts, Inspection, drift_of, field_facts
from mimiod.inspecting.references import find_references, keys_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.inspecting.keys import Keys
    from mimiod.inspecting.sources import CollectionSource, Source

SAMPLE = 10_000
"Documents of a collection that are read where nothing is said."
_SEED = "mimiod inspect"
_TOLD_EVERY = 500

Progress = Any


def inspect(
    source: Source,
    sample: int | None = SAMPLE,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> Inspection:
    """Read a database and return what is known of it.

    Args:
        source: what is read.
        sample: how many documents of each collection; None for all.
        progress: told the collection, how many documents are read and how many there will be.
    """
    collections, keys, sources = {}, [], {}
    for collection in source.collections():
        facts, own = _read(collection, sample, progress)
        collections[collection.name] = facts
        sources[collection.name] = collection
        keys.extend(own)
    named = source.named() if isinstance(source, Knowing) else set()
    told = find_references(
        [each for each in keys if (each.collection, each.dotted) not in named], collections, sources
    )
    found = Inspection(
        source=source.name,
        sample=sample,
        collections=collections,
        references=told.references,
        copies=told.copies,
        split=told.split,
        notes=list(source.notes),
    )
    if isinstance(source, Knowing):
        return source.completed(found, [each for each in keys if (each.collection, each.dotted) in named])
    return found


def _read(
    collection: CollectionSource, sample: int | None, progress: Callable[[str, int, int | None], None]
) -> tuple[CollectionFacts, list[Keys]]:
    draws = Random(f"{_SEED}/{collection.name}")  # noqa: S311 - the same sample each time
    budget = Budget(draws)
    root = Counter(budget)
    total = collection.estimated
    if total is not None and sample is not None:
        total = min(total, sample)
    size = 0
    for document, length in collection.documents(sample, draws):
        root.add(document, length)
        size += length
        if root.count % _TOLD_EVERY == 0:
            progress(collection.name, root.count, total)
    progress(collection.name, root.count, root.count)
    root.settle()
    complete = collection.method == "all documents"
    dated_by, drift = drift_of(root)
    facts = CollectionFacts(
        name=collection.name,
        documents=root.count if complete else max(collection.estimated or 0, root.count),
        read=root.count,
        method=collection.method,
        average_size=size / root.count if root.count else 0,
        root=field_facts(root, root.count),
        dated_by=dated_by,
        drift=drift,
        shape=collection.shape,
        notes=_limits(root, budget, complete=complete),
    )
    return facts, keys_of(collection.name, root)


def _limits(root: Counter, budget: Budget, *, complete: bool) -> list[str]:
    """Return what of the collection was not seen, a line each."""
    notes = []
    if not complete:
        notes.append(
            f"a sample: a field that one document in {max(1, root.count // 3):,} has is missed once in 20 "
            "times"
        )
    if budget.deeper:
        notes.append(
            f"{budget.deeper:,} objects and arrays lie deeper than {DEEPEST} levels, and are not counted"
        )
    if root.free is not None and root.names is not None:
        notes.append(f"{root.names.distinct:,} more fields are counted together, as `*`: there are too many")
    return notes
