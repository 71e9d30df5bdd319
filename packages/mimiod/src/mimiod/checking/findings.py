"""What a check finds, and which of it a schema accepts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something in a design that is not as it should be."""

    rule: str
    severity: Severity
    where: str
    "`collection`, `collection.field`, `collection:index` or `query NAME`."
    text: str
    "What is so."
    mend: str
    "What to do."
    file: str = ""
    "The project's file that it is in, empty where it is in none."
    line: int | None = None
    "The line of that file, from 1."

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON can hold it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.severity} {self.rule} at {self.where}: {self.text}; {self.mend}"


@dataclass(frozen=True)
class Suppressed:
    """A finding that the schema accepts, and why."""

    finding: Finding
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {**self.finding.to_dict(), "reason": self.reason}


def accepted(
    findings: Iterable[Finding], reasons: Mapping[str, str]
) -> tuple[list[Finding], list[Suppressed]]:
    """Return the findings that are left, and those that a schema's `accepted` suppresses.

    A key is a rule's id or `rule:where`; one that names a collection covers what lies in it. A key
    without a reason suppresses nothing and is an error; one that matches nothing is a note.
    """
    left: list[Finding] = []
    suppressed: list[Suppressed] = []
    used: set[str] = set()
    for finding in findings:
        matching = [key for key in reasons if _covers(key, finding)]
        used.update(matching)
        explained = [key for key in matching if reasons[key].strip()]
        if explained:
            suppressed.append(Suppressed(finding, reasons[max(explained, key=len)]))
        else:
            left.append(finding)
    for key, reason in reasons.items():
        if not reason.strip():
            left.append(
                Finding(
                    "accepted-unexplained",
                    "error",
                    key,
                    "the schema accepts this without a reason",
                    "give the reason in `accepted`, or remove the entry",
                )
            )
        elif key not in used:
            left.append(
                Finding(
                    "accepted-unused",
                    "note",
                    key,
                    "the schema accepts this, and it is not found",
                    "remove the entry from `accepted`",
                )
            )
    return left, suppressed


def _covers(key: str, finding: Finding) -> bool:
    rule, _, place = key.partition(":")
    if rule != finding.rule:
        return False
    # An index may be written as a field is: `loans.by_customer` for `loans:by_customer`.
    wanted, have = place.replace(":", "."), finding.where.replace(":", ".")
    return not place or have == wanted or have.startswith(f"{wanted}.")
