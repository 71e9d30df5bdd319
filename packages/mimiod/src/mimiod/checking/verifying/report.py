"""What a verification found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

EXAMPLES = 10
"How many faults of a kind are named for each collection; all are counted."


@dataclass(frozen=True)
class Fault:
    """Something in the database that the schema or the declaration does not allow."""

    kind: str
    """collection, index, document, size, reference, copy, total, order, unique, or distribution (of a share;
    a single value that cannot come out is a document's)"""
    collection: str
    identifier: str
    "The document's `_id`, the index's name, or the path whose shares differ."
    reason: str
    "What was found, and what was expected."

    def __str__(self) -> str:
        return f"{self.collection} {self.identifier}: {self.reason}"


@dataclass
class CollectionVerification:
    """What was found in one collection."""

    documents: int = 0
    references: int = 0
    "Values that name another document."
    fault_counts: dict[str, int] = field(default_factory=dict)
    "How many faults of each kind."
    faults: list[Fault] = field(default_factory=list)
    "The first of each kind."
    checked: dict[str, int] = field(default_factory=dict)
    "How many values of each kind (copy, total, order, unique, distribution) were compared."

    def count(self, kind: str, number: int) -> None:
        """Add values that were compared."""
        self.checked[kind] = self.checked.get(kind, 0) + number

    def add(self, fault: Fault) -> None:
        """Count a fault, and keep it if it is among the first of its kind."""
        count = self.fault_counts.get(fault.kind, 0) + 1
        self.fault_counts[fault.kind] = count
        if count <= EXAMPLES:
            self.faults.append(fault)

    def merge(self, other: CollectionVerification) -> None:
        """Take over what was found apart."""
        for kind, number in other.checked.items():
            self.count(kind, number)
        for kind, number in other.fault_counts.items():
            named = [fault for fault in other.faults if fault.kind == kind]
            room = EXAMPLES - self.fault_counts.get(kind, 0)
            self.faults += named[: max(0, room)]
            self.fault_counts[kind] = self.fault_counts.get(kind, 0) + number


@dataclass
class Verification:
    """What was found in a database."""

    collections: dict[str, CollectionVerification] = field(default_factory=dict)
    untested: list[str] = field(default_factory=list)
    "Marks and indexes that could not be tested, a line each with the reason."
    unstated: list[str] = field(default_factory=list)
    "Declared fields whose distribution nobody states, since it follows from others: it is not tested."

    @property
    def faults(self) -> list[Fault]:
        """The faults that are named, at most `EXAMPLES` of a kind for each collection."""
        return list(chain.from_iterable(found.faults for found in self.collections.values()))

    @property
    def fault_count(self) -> int:
        """How many faults there are."""
        return sum(sum(found.fault_counts.values()) for found in self.collections.values())

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault_count == 0

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "passed": self.passed,
            "fault_count": self.fault_count,
            "collections": {
                name: {
                    "documents": found.documents,
                    "references": found.references,
                    "checked": dict(found.checked),
                    "faults": dict(found.fault_counts),
                    "examples": [str(fault) for fault in found.faults],
                    "named": [asdict(fault) for fault in found.faults],
                }
                for name, found in self.collections.items()
            },
            "untested": list(self.untested),
            "unstated": list(self.unstated),
        }
