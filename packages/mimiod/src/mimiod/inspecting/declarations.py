"""What a source says of itself, beside its documents: limits, references, and how it was planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mimiod.inspecting.facts import Inspection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mimiod.inspecting.keys import Keys


@dataclass(frozen=True)
class Limits:
    """What is declared of a field, whatever stands in it today."""

    kind: str
    "The BSON type of its values, as `$type` names it, or `uuid`."
    nullable: bool = True
    optional: bool = False
    "Whether some documents have no such field: those of other subtypes."
    length: int | None = None
    "Characters, at the most."
    values: Sequence[str] = ()
    "All that there may be; empty where any may."
    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class TableDecision:
    """What became of a table, and why."""

    table: str
    form: str
    "`collection`, `array`, `object`, `subtype` or `references`."
    where: str
    "The collection, with the path in its documents."
    reasons: Sequence[str]


@dataclass(frozen=True)
class Declared(Inspection):
    """A database as it was found, of which more is declared than its documents show."""

    limits: Mapping[tuple[str, tuple[str, ...]], Limits] = field(default_factory=dict)
    "By collection and path."
    decisions: Sequence[TableDecision] = ()
    assumed: bool = False
    "Whether no rows were read: numbers of documents, presence and distributions are assumed."


@runtime_checkable
class Knowing(Protocol):
    """A source that knows more than its documents say."""

    def named(self) -> set[tuple[str, str]]:
        """Return the fields, as collection and dotted path, whose references are known."""

    def completed(self, inspection: Inspection, keys: Sequence[Keys]) -> Inspection:
        """Return what was found with what is known; `keys` are the values of the fields that it named."""
