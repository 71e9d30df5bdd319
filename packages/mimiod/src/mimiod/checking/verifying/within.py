"""What a document's marks say of the document itself: copies, totals of its arrays, and order in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mimiod.checking.verifying.rows import contribution
from mimiod.checking.verifying.totals import differs, total
from mimiod.checking.verifying.values import canonical, same, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mimiod.checking.verifying.places import Path, Position, Scopes
    from mimiod.schema_types import Computed

Fault = tuple[str, str]
"Its kind and its reason."


@dataclass(frozen=True)
class Within:
    """A check of one mark that needs nothing but the document."""

    kind: str
    scopes: Callable[[dict[str, Any]], list[Scopes]]
    reason: Callable[[Scopes], str | None]
    "What is wrong, None where nothing is."

    def faults(self, document: dict[str, Any]) -> Iterator[Fault]:
        """Yield what is wrong with a document."""
        for scopes in self.scopes(document):
            reason = self.reason(scopes)
            if reason is not None:
                yield self.kind, reason


def copied(position: Position, original: Path) -> Within:
    """Return the check of a field that repeats another."""
    own, read = position.own.reader, original.reader

    def reason(scopes: Scopes) -> str | None:
        found, expected = canonical(own(scopes)), canonical(read(scopes))
        if same(found, expected):
            return None
        return (
            f"{position.path}: found {shown(found)}, expected {shown(expected)}, a copy of {original.whole}"
        )

    return Within("copy", position.scopes, reason)


def not_before(position: Position, earlier: Path) -> Within:
    """Return the check of a moment that does not come before another."""
    own = position.own.reader

    def reason(scopes: Scopes) -> str | None:
        moment = own(scopes)
        others = [value for value in earlier.all_at(scopes) if isinstance(value, datetime)]
        return out_of_order(position.path, canonical(moment), earlier.whole, max(others, default=None))

    return Within("order", position.scopes, reason)


def out_of_order(path: str, moment: Any, earlier: str, other: Any) -> str | None:
    """Return what is wrong with two moments, None where the first does not come before the other."""
    if not isinstance(moment, datetime) or not isinstance(other, datetime) or moment >= other:
        return None
    return f"{path}: found {shown(moment)}, expected not before {earlier}, {shown(other)}"


def totalled(position: Position, mark: Computed, array: Path, name: str) -> Within:
    """Return the check of a total over an array, which the mark calls by this name."""
    own = position.own.reader
    contributed = contribution(mark, name)
    rows = array.reader

    def reason(scopes: Scopes) -> str | None:
        computed = total(mark, canonical(own(scopes)))
        found = rows(scopes)
        for row in found if isinstance(found, list) else ():
            for value in contributed(row):
                computed.add(value)
        return None if computed.is_right else differs(position.path, mark, computed)

    return Within("total", position.scopes, reason)
