"""What a gate returns: its findings, and the evidence on which the score goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod.checking.findings import Finding, Suppressed, accepted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ORDER = ("error", "warning", "note")
_NAMED = 5


@dataclass(frozen=True)
class Evidence:
    """How much of what a step asks for holds."""

    asked: str
    held: float
    of: float
    "Of how much; 0 where there is nothing to ask for."
    lacking: tuple[str, ...] = ()
    "The first that do not hold."

    @property
    def share(self) -> float:
        """The part that holds, from 0 to 1."""
        return min(1.0, self.held / self.of) if self.of > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"asked": self.asked, "held": self.held, "of": self.of, "lacking": list(self.lacking)}


def counted(asked: str, holds: Mapping[str, bool], at_least: int = 0) -> Evidence:
    """Return the evidence of things that each hold or not; of so many at least, declared or not."""
    lacking = tuple(name for name, good in holds.items() if not good)
    return Evidence(asked, len(holds) - len(lacking), max(len(holds), at_least), lacking[:_NAMED])


@dataclass
class Gate:
    """What the gate of one step found."""

    project: str
    step: int
    findings: list[Finding] = field(default_factory=list)
    "The gravest first."
    suppressed: list[Suppressed] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    "What else is worth knowing, as JSON can hold it."

    @property
    def passed(self) -> bool:
        """Whether no error was found."""
        return not any(finding.severity == "error" for finding in self.findings)

    def conclude(self, found: Iterable[Finding], reasons: Mapping[str, str] | None = None) -> Gate:
        """Take the findings in, without those that the schema accepts; returns the gate."""
        given = list(found)
        if reasons is not None:
            # What is accepted may be found by another gate only: an unused key is no fault of this one.
            left, self.suppressed = accepted(given, reasons)
            given = [each for each in left if each.rule != "accepted-unused"]
        self.findings = sorted(given, key=lambda each: _ORDER.index(each.severity))
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "project": self.project,
            "step": self.step,
            "passed": self.passed,
            "findings": [finding.to_dict() for finding in self.findings],
            "accepted": [each.to_dict() for each in self.suppressed],
            "evidence": [each.to_dict() for each in self.evidence],
            **self.facts,
        }
