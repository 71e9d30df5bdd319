"""The rules by id: what each says of itself, and the findings that it makes of a design."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from mimiod.checking.findings import Finding
from mimiod.errors import UnknownRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mimiod.checking.findings import Severity
    from mimiod.checking.rules.context import Context

LooksAt = Literal["schema", "workload", "data", "explain"]
Found = tuple[str, str]
"Where, as a `Finding` has it, and what is so."

MANUAL = "https://www.mongodb.com/docs/manual/"


@dataclass(frozen=True)
class Threshold:
    """A number from which on a rule finds fault."""

    name: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.value:,} {self.unit}".rstrip()


@dataclass(frozen=True)
class Rule:
    """A rule of good design."""

    id: str
    family: str
    severity: Severity
    looks_at: tuple[LooksAt, ...]
    "The facts that it needs; without them it finds nothing."
    what: str
    "The fault, in a few words."
    reason: str
    example: str
    "Something that fires it."
    mend: str
    page: str
    "MongoDB's documentation of it."
    judge: Callable[[Context], Iterable[Found]]
    threshold: Threshold | None = None

    def findings(self, context: Context) -> Iterator[Finding]:
        """Yield what it finds in a design."""
        for where, text in self.judge(context):
            yield Finding(self.id, self.severity, where, text, self.mend)

    def to_dict(self) -> dict[str, Any]:
        """Return what it says of itself as JSON can hold it."""
        return {
            "id": self.id,
            "family": self.family,
            "severity": self.severity,
            "looks_at": list(self.looks_at),
            "what": self.what,
            "threshold": str(self.threshold) if self.threshold else None,
            "reason": self.reason,
            "example": self.example,
            "mend": self.mend,
            "page": self.page,
        }


RULES: dict[str, Rule] = {}
"All rules by id, a family after the other; importing a family's module puts its rules here."


def rule(
    identifier: str,
    severity: Severity,
    looks_at: str,
    what: str,
    *,
    reason: str,
    example: str,
    mend: str,
    page: str,
    threshold: Threshold | None = None,
) -> Callable[[Callable[[Context], Iterable[Found]]], Callable[[Context], Iterable[Found]]]:
    """Register the function below as a rule of its module's family; `page` is a path in the manual."""

    def register(judge: Callable[[Context], Iterable[Found]]) -> Callable[[Context], Iterable[Found]]:
        places: tuple[Any, ...] = tuple(looks_at.split())
        RULES[identifier] = Rule(
            id=identifier,
            family=judge.__module__.rpartition(".")[2],
            severity=severity,
            looks_at=places,
            what=what,
            reason=reason,
            example=example,
            mend=mend,
            page=MANUAL + page,
            judge=judge,
            threshold=threshold,
        )
        return judge

    return register


def named(identifier: str) -> Rule:
    """Return a rule by its id.

    Raises:
        UnknownRuleError: there is none; it names those that are spelt alike.
    """
    if identifier not in RULES:
        raise UnknownRuleError(identifier, get_close_matches(identifier, RULES, n=3, cutoff=0.5))
    return RULES[identifier]


def findings(context: Context) -> list[Finding]:
    """Return what the rules find in a design; what the schema accepts is still among it."""
    return [finding for each in RULES.values() for finding in each.findings(context)]
