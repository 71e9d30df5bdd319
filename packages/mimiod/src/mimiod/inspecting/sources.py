"""What is inspected, whatever it is: collections, and their documents as a stream.

A source of another kind (SQL tables, say) is a `Source` whose collections yield their rows as documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mimiod.evolution.shapes import CollectionShape
from mimiod.inspecting.counting import values_at
from mimiod.inspecting.sketches import hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from random import Random

Path = tuple[str, ...]
"A field's names, from the outermost; array positions are left out, `*` is any key."
T = TypeVar("T")


class CollectionSource(Protocol):
    """A collection to be read."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def estimated(self) -> int | None:
        """About how many documents it has; None where that is not known."""

    @property
    def shape(self) -> CollectionShape:
        """Its validator, indexes and options."""

    @property
    def method(self) -> str:
        """How a sample of it is drawn, in words."""

    def documents(self, sample: int | None, draws: Random) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield all documents, or an unbiased sample of so many, each with its size in bytes."""

    def found(self, wanted: Mapping[Path, Sequence[Any]]) -> dict[Path, set[int]]:
        """Return which of some values stand at some paths, as their `hash_of`; all documents are asked."""


class Source(Protocol):
    """A database to be inspected."""

    @property
    def name(self) -> str:
        """What it is called in messages, without a password."""

    @property
    def notes(self) -> list[str]:
        """What was passed over, a line each."""

    def collections(self) -> list[CollectionSource]:
        """Return its collections, by name."""

    def close(self) -> None:
        """Let go of it."""


class Documents:
    """A collection in memory."""

    def __init__(
        self, name: str, documents: Sequence[dict[str, Any]], shape: CollectionShape | None = None
    ) -> None:
        self.name = name
        self.method = "all documents"
        self.shape = shape or CollectionShape()
        self.estimated = len(documents)
        self._documents = documents

    def documents(self, sample: int | None, draws: Random) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield them."""
        held = self._documents
        if sample is not None and sample < len(held):
            self.method = "reservoir over a scan"
            held = reservoir(held, sample, draws)
        return ((document, 0) for document in held)

    def found(self, wanted: Mapping[Path, Sequence[Any]]) -> dict[Path, set[int]]:
        """Look for the values."""
        return found_in(self._documents, wanted)


class Memory:
    """A database in memory: of collections, by name."""

    notes: list[str]

    def __init__(self, name: str, collections: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        self.name = name
        self.notes = []
        self._collections = collections

    def collections(self) -> list[CollectionSource]:
        """Return the collections."""
        return [Documents(name, held) for name, held in sorted(self._collections.items())]

    def close(self) -> None:
        """Do nothing."""


def reservoir(items: Iterable[T], size: int, draws: Random) -> list[T]:
    """Return so many of the items, each with the same chance (Vitter's algorithm R, 1985)."""
    held: list[T] = []
    for number, item in enumerate(items):
        if number < size:
            held.append(item)
        elif (place := draws.randrange(number + 1)) < size:
            held[place] = item
    return held


def found_in(
    documents: Iterable[Mapping[str, Any]], wanted: Mapping[Path, Sequence[Any]]
) -> dict[Path, set[int]]:
    """Return which of some values stand at some paths, by reading all documents."""
    asked = {path: {hash_of(value) for value in values} for path, values in wanted.items()}
    found: dict[Path, set[int]] = {path: set() for path in wanted}
    for document in documents:
        for path, hashes in asked.items():
            found[path].update(hashes & {hash_of(value) for value in values_at(document, path)})
    return found
