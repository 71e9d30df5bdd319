"""Where a mark stands in a document, and what the path that it names means there.

In the items of an array a path means the item's own fields first, then those of what is around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mimiod.checking.existing import values_at
from mimiod.checking.field_types import field_type
from mimiod.checking.verifying.values import getter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

Scopes = tuple[dict[str, Any], ...]
"A document and, where a mark stands in arrays, the item in each, from the outside in."


@dataclass(frozen=True)
class Path:
    """A path, and among which of the scopes it starts."""

    whole: str
    "From the document on."
    depth: int
    relative: str

    @property
    def reader(self) -> Callable[[Scopes], Any]:
        """The function that reads it: None where there is nothing."""
        read, depth = getter(self.relative), self.depth
        return lambda scopes: read(scopes[depth])

    def all_at(self, scopes: Scopes) -> Iterator[Any]:
        """Yield what stands there, through arrays."""
        return values_at(scopes[self.depth], self.relative)


@dataclass(frozen=True)
class Position:
    """A marked field."""

    model: type[BaseModel]
    path: str
    arrays: tuple[str, ...]
    "The arrays around it, from the outside in."

    @classmethod
    def of(cls, model: type[BaseModel], path: str) -> Position:
        """Return the position of a mark."""
        around = [array for array in field_type(model, path).arrays if path.startswith(f"{array}.")]
        return cls(model, path, tuple(sorted(around, key=len)))

    @property
    def is_named(self) -> bool:
        """Whether no mapping with free keys lies on the path."""
        return "*" not in self.path.split(".")

    @property
    def own(self) -> Path:
        """The marked field itself."""
        return self._within(len(self.arrays), self.path)

    def resolve(self, path: str) -> Path:
        """Return what a path means here."""
        for depth in range(len(self.arrays), 0, -1):
            prefix = f"{self.arrays[depth - 1]}."
            if path.startswith(prefix):
                return self._within(depth, path)
            if field_type(self.model, prefix + path.partition(".")[0]).types:
                return self._within(depth, prefix + path)
        return Path(path, 0, path)

    def _within(self, depth: int, whole: str) -> Path:
        return Path(whole, depth, whole[len(self.arrays[depth - 1]) + 1 :] if depth else whole)

    @property
    def scopes(self) -> Callable[[dict[str, Any]], list[Scopes]]:
        """The function that finds the field's scopes in a document."""
        if not self.arrays:
            return lambda document: [(document,)]
        ends = (0, *(len(array) + 1 for array in self.arrays))
        steps = [getter(array[end:]) for array, end in zip(self.arrays, ends, strict=False)]

        def found(document: dict[str, Any]) -> list[Scopes]:
            level: list[Scopes] = [(document,)]
            for step in steps:
                level = [
                    (*scopes, item)
                    for scopes in level
                    for item in _items(step(scopes[-1]))
                    if isinstance(item, dict)
                ]
            return level

        return found


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
