"""The score of a project: points for evidence, out of 100 for each step and for the whole.

What is asked for comes from the design as well as from the schema, so that declaring less in one of them
leaves the question open instead of removing it. Where nothing is declared there is no evidence, and no point.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod.schema_types import BaseMongoDbSchema
from mimiod.workflow.gates import STEPS, check_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.workflow.drafts import Draft
    from mimiod.workflow.evidence import Evidence, Gate

SHARES = {1: 20, 2: 25, 3: 15, 4: 25, 5: 15}
"Points of 100 that each step gives to the whole."
POINTS = {
    1: {
        "sections": 15,
        "entities described and related": 20,
        "relationships with cardinality, place and reason": 25,
        "actions with type, information, frequency and priority": 25,
        "words of the input that the design takes up": 15,
    },
    2: {
        "actions of the design that the workload declares": 20,
        "queries without fault": 20,
        "queries that an index serves": 20,
        "collections of the design with a validator that holds": 10,
        "collections that a query is on": 10,
        "relationships of the design that the schema bears out": 10,
        "fields that say what they hold": 10,
    },
    3: {
        "collections that the seeder fills": 30,
        "collections without a fault in a hundred rows": 30,
        "references that resolve": 20,
        "fields that vary": 20,
    },
    4: {
        "a complete run at full scale": 15,
        "collections with verified documents": 20,
        "documents without fault": 15,
        "references verified": 15,
        "queries measured without fault": 35,
    },
    5: {
        "sections": 25,
        "collections with an example query": 25,
        "examples that can run": 15,
        "indexes named": 10,
        "generated sections that are up to date": 15,
        "commands that make the database": 10,
    },
}
"Points of 100 for each thing that a step is asked for."
WITH_ERROR = 59
"The most that a step with an error can have."
WITH_FAILED_STEP = 79
"The most that a project with an error in any step can have."
PER_WARNING = 3
LOWEST_BY_WARNINGS = 70
PER_ACCEPTED = 0.5
MOST_FOR_ACCEPTED = 10


@dataclass(frozen=True)
class StepScore:
    """The score of one step."""

    gate: Gate
    accepted: int = 0
    "Entries of the schema's `accepted`, which the second step pays for."

    @property
    def ceiling(self) -> float:
        """The most that its findings allow."""
        if not self.gate.passed:
            return WITH_ERROR
        warnings = sum(finding.severity == "warning" for finding in self.gate.findings)
        return max(LOWEST_BY_WARNINGS, 100 - PER_WARNING * warnings)

    @property
    def earned(self) -> float:
        """The points of its evidence, less what is accepted."""
        cost = min(MOST_FOR_ACCEPTED, PER_ACCEPTED * self.accepted)
        return max(0.0, sum(self.points(each) for each in self.gate.evidence) - cost)

    @property
    def score(self) -> float:
        """Its score, from 0 to 100."""
        return round(min(self.ceiling, self.earned), 1)

    def points(self, evidence: Evidence) -> float:
        """Return the points of one thing that is asked for."""
        return POINTS[self.gate.step][evidence.asked] * evidence.share

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "step": self.gate.step,
            "name": STEPS[self.gate.step],
            "score": self.score,
            "passed": self.gate.passed,
            "ceiling": self.ceiling,
            "evidence": [
                {
                    **each.to_dict(),
                    "points": round(self.points(each), 1),
                    "most": POINTS[self.gate.step][each.asked],
                }
                for each in self.gate.evidence
            ],
            "accepted": self.accepted,
            "findings": [finding.to_dict() for finding in self.gate.findings],
        }


@dataclass
class Score:
    """The score of a project."""

    project: str
    steps: list[StepScore] = field(default_factory=list)

    @property
    def score(self) -> float:
        """The whole score, from 0 to 100."""
        mean = sum(SHARES[each.gate.step] * each.score for each in self.steps) / 100
        passed = all(each.gate.passed for each in self.steps)
        return round(mean if passed else min(mean, WITH_FAILED_STEP), 1)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "project": self.project,
            "score": self.score,
            "passed": all(each.gate.passed for each in self.steps),
            "steps": [each.to_dict() for each in self.steps],
        }


def score(draft: Draft, uri: Callable[[], str]) -> Score:
    """Return the score of a project; `uri` is asked for the server that has its data.

    Raises:
        MimiodError: the server does not answer, or refuses.
    """
    result = Score(draft.name)
    entries = len(draft.schema.accepted) if isinstance(draft.schema, BaseMongoDbSchema) else 0
    for step in STEPS:
        gate = check_step(draft, step, uri)
        result.steps.append(StepScore(gate, entries if step == 2 else 0))  # noqa: PLR2004
    return result


def scale() -> str:
    """Return the scale in words: what is asked for, and what it is worth."""
    lines = [
        "Each step has up to 100 points, for evidence: what is asked for, and the share of it that holds.",
        "What is asked for is the most that the design or the schema names, so declaring less earns nothing;",
        "an empty workload, or a database without data, has no points where those are asked for.",
        "",
    ]
    for step, name in STEPS.items():
        lines.append(f"Step {step}, {name} ({SHARES[step]} % of the whole)")
        lines += [f"  {points:>3}  {asked}" for asked, points in POINTS[step].items()]
    lines += [
        "",
        f"With an error a step has at most {WITH_ERROR}, and the whole at most {WITH_FAILED_STEP}.",
        f"Each warning takes {PER_WARNING} from the most that a step can have, down to {LOWEST_BY_WARNINGS}.",
        f"Each entry of `accepted` takes {PER_ACCEPTED} from step 2, {MOST_FOR_ACCEPTED} at most.",
        "Notes cost nothing.",
    ]
    return "\n".join(lines)
