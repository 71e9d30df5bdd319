"""The rules by id: what each says of itself, and the findings that it makes of a design."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from mimiod.checking.explanations import MANUAL, OTHERS, Explanation, Threshold
from mimiod.checking.findings import Finding
from mimiod.errors import UnknownRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mimiod.checking.findings import Severity
    from mimiod.checking.rules.context import Context

__all__ = ["RULES", "Found", "Rule", "Threshold", "findings", "named", "rule"]

Found = tuple[str, str]
"Where, as a `Finding` has it, and what is so."


@dataclass(frozen=True, kw_only=True)
class Rule(Explanation):
    """A rule of good design."""

    judge: Callable[[Context], Iterable[Found]]

    def findings(self, context: Context) -> Iterator[Finding]:
        """Yield what it finds in a design."""
        for where, text in self.judge(context):
            yield Finding(self.id, self.severity, where, text, self.mend)


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


def named(identifier: str) -> Explanation:
    """Return a rule, or what else a check finds, by its id.

    Raises:
        UnknownRuleError: there is none; it names those that are spelt alike.
    """
    known = {**RULES, **OTHERS}
    if identifier not in known:
        raise UnknownRuleError(identifier, get_close_matches(identifier, known, n=3, cutoff=0.5))
    return known[identifier]


def findings(context: Context) -> list[Finding]:
    """Return what the rules find in a design; what the schema accepts is still among it."""
    return [finding for each in RULES.values() for finding in each.findings(context)]
