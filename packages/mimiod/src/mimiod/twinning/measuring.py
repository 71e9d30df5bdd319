"""A database read a second time, to measure what an inspection has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.inspecting.counting import values_at
from mimiod.inspecting.sketches import KeySketch, hash_of
from mimiod.twinning.gauges import Gauge, gauge_of
from mimiod.twinning.quantiles import measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mimiod.inspecting.facts import Inspection, ReferenceFacts
    from mimiod.inspecting.sources import CollectionSource, Source
    from mimiod.twinning.quantiles import Floats

NAMED = 16_384
"Documents whose references are counted, of each field that names some."

_SEED = "mimiod twin"
_TOLD_EVERY = 500
_MOST_ZEROS = 100_000

Progress = Any


@dataclass
class Degrees:
    """How often documents are named by a field: of those with the smallest hashes, exactly."""

    sketch: KeySketch = field(default_factory=lambda: KeySketch(NAMED))

    def add(self, document: Mapping[str, Any], path: tuple[str, ...]) -> None:
        """Count what a document names."""
        for value in values_at(document, path):
            self.sketch.add_hash(hash_of(value), None)

    def counts(self, documents: int) -> tuple[Floats, Floats]:
        """Return how often documents are named, and the weight of each number; `documents` could be named."""
        named = np.array(list(self.sketch.counts.values()), np.float64)
        never = max(0, documents - self.sketch.distinct)
        weight = max(1, self.sketch.distinct) / max(1, len(named))
        values = np.concatenate([[0.0], named])
        return values, np.concatenate([[float(never)], np.full(len(named), weight)])

    def law(self, documents: int, k: int) -> dict[str, Any]:
        """Return the distribution of how often a document is named, and the mean."""
        values, weights = self.counts(documents)
        mean = float((values * weights).sum() / max(weights.sum(), 1e-9))
        zeros = min(_MOST_ZEROS, round(weights[0] / max(weights[-1], 1e-9)))
        share = weights[0] / max(weights.sum(), 1e-9)
        if zeros == _MOST_ZEROS:  # then so many fewer of the others
            kept = max(1, round(zeros * (1 - share) / share))
            values = np.concatenate([[0.0], np.sort(values[1:])[:: max(1, len(values) // kept)]])
        found = measured(np.concatenate([np.zeros(zeros), values[1:]]), k, step=1)
        return {"degrees": found.told(), "mean": round(mean, 6)}


@dataclass
class Measurement:
    """A measured database."""

    roots: dict[str, Gauge] = field(default_factory=dict)
    "By collection."
    degrees: dict[tuple[str, str], Degrees] = field(default_factory=dict)
    "By collection and dotted path: of fields that name documents."
    documents: dict[str, int] = field(default_factory=dict)
    "How many documents each collection has; of a sample as the inspection says."


def measure(
    source: Source,
    inspection: Inspection,
    sample: int | None,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> Measurement:
    """Measure the fields that an inspection found, in a database of the same shape.

    Args:
        source: what is read.
        inspection: what is known of the fields.
        sample: how many documents of each collection; None for all. Those that name others are all read, to
            count how often each is named.
        progress: told the collection, how many documents are read and how many there will be.
    """
    found = Measurement()
    for collection in source.collections():
        if collection.name in inspection.collections:
            named = [
                each
                for each in inspection.references
                if each.collection == collection.name and len(each.fields) == 1
            ]
            _read(collection, inspection, sample, named, found, progress)
    return found


def _read(
    collection: CollectionSource, inspection: Inspection, sample: int | None, named: Sequence[ReferenceFacts],
    found: Measurement, progress: Callable[[str, int, int | None], None],
) -> None:  # fmt: skip
    name, total = collection.name, collection.estimated
    draws = Random(f"{_SEED}/{name}")  # noqa: S311 - the same sample each time
    root = gauge_of(inspection.collections[name].root, draws)
    counted = {each.fields[0]: Degrees() for each in named}
    whole = sample is None or (total is not None and total <= sample)
    read = 0
    for document, _ in collection.documents(None if whole else sample, draws):
        root.add(document, read)
        read += 1
        if whole:
            _count(document, counted)
        if read % _TOLD_EVERY == 0:
            progress(name, read, total if whole or total is None else min(total, sample or total))
    if counted and not whole:
        _count_all(
            (document for document, _ in collection.documents(None, draws)), counted, name, total, progress
        )
    progress(name, read, read)
    found.roots[name] = root
    found.documents[name] = read if whole else max(inspection.collections[name].documents, read)
    found.degrees |= {(name, path): degrees for path, degrees in counted.items()}


def _count_all(
    documents: Iterable[Mapping[str, Any]], counted: Mapping[str, Degrees], name: str, total: int | None,
    progress: Callable[[str, int, int | None], None],
) -> None:  # fmt: skip
    for read, document in enumerate(documents):
        _count(document, counted)
        if read % _TOLD_EVERY == 0:
            progress(name, read, total)


def _count(document: Mapping[str, Any], counted: Mapping[str, Degrees]) -> None:
    for path, degrees in counted.items():
        degrees.add(document, tuple(path.split(".")))
