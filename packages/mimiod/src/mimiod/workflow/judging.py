"""The verdict on a project's files after a step: inspected first, then checked by the gate in the sandbox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mimiod import mongo
from mimiod.checking.findings import Finding
from mimiod.errors import ConfigurationError, ProjectError
from mimiod.workflow.folder import MAIN
from mimiod.workflow.inspection import inspected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mimiod.workflow.sandbox import Ran, Sandbox

RUN_STEP: Final = 4
"The step whose gate needs a database that was filled."
README_STEP: Final = 5
"The step in which Mimiod writes a part of what is judged."
README: Final = "README.md"
_MEND: Final = "mend what is named: in the schema or the seeder"
_SHOWN: Final = 600
"Characters that a finding repeats of what a command said."
_TEXT: Final = 2_000
"Characters of a finding's text that are kept."
_KEYS: Final = ("rule", "severity", "where", "text", "mend", "file", "line")


class Reached(IntEnum):
    """How far the judging of an answer came."""

    NOTHING = 0
    "It holds no files, or the inspection refuses them: none is kept."
    SANDBOX = 1
    "The files ran there, and the gate came to no conclusion."
    GATE = 2
    "The gate judged them."


@dataclass(frozen=True)
class Verdict:
    """What was found in a project's files, the gravest first."""

    findings: tuple[Finding, ...]
    reached: Reached = Reached.GATE
    completed: Mapping[str, str] = field(default_factory=dict)
    "Files as Mimiod itself completed them, before the gate judged them."

    @property
    def passed(self) -> bool:
        """Whether the step is done."""
        return self.reached is Reached.GATE and not self.errors

    @property
    def errors(self) -> int:
        """How many errors there are."""
        return sum(found.severity == "error" for found in self.findings)

    @property
    def rank(self) -> tuple[int, int, int]:
        """The lower, the better: the furthest, then fewest errors, then fewest warnings."""
        warnings = sum(found.severity == "warning" for found in self.findings)
        return -self.reached, self.errors, warnings

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as a transcript holds it."""
        findings = [found.to_dict() for found in self.findings]
        return {"reached": int(self.reached), "findings": findings, "completed": dict(self.completed)}


def verdict_of(recorded: Mapping[str, Any]) -> Verdict:
    """Return the verdict that `to_dict` returned."""
    findings = tuple(map(_finding, recorded["findings"]))
    return Verdict(findings, Reached(recorded["reached"]), recorded["completed"])


def refused_in(files: Mapping[str, str]) -> list[Finding]:
    """Return what of a model's files may not be run, nor kept."""
    return inspected({name: text for name, text in files.items() if name != MAIN})


def failed(rule: str, where: str, text: str, mend: str, reached: Reached = Reached.NOTHING) -> Verdict:
    """Return the verdict on what the gate could not judge."""
    return Verdict((Finding(rule, "error", where, text, mend),), reached)


class Judge:
    """Judges files in a sandbox."""

    def __init__(self, sandbox: Callable[[], Sandbox], name: str) -> None:
        self._made = sandbox
        self.name = name

    @cached_property
    def sandbox(self) -> Sandbox:
        """The sandbox, made when it is first needed."""
        return self._made()

    def verdict(self, step: int, files: Mapping[str, str]) -> Verdict:
        """Return what is found in the files after a step.

        Raises:
            MimiodError: the gate itself fails, for a reason that no change to the files mends.
        """
        if refused := refused_in(files):
            return Verdict(tuple(refused), Reached.NOTHING)
        completed = self._completed(files) if step == README_STEP else {}
        verdict = self._run(files) if step == RUN_STEP else None
        verdict = verdict or replace(self._checked(step, {**files, **completed}), completed=completed)
        if verdict.reached is not Reached.GATE:
            self._expect_sound()
        return verdict

    def _expect_sound(self) -> None:
        """Do nothing if the sandbox and its server work, so that it is the files that do not.

        Raises:
            MimiodError: they do not.
        """
        mongo.connect(self.sandbox.uri).close()
        ran = self.sandbox.run(self.name, {}, ["--help"])
        if ran.code or ran.stopped:
            raise ConfigurationError(f"the sandbox does not work here: {_tail(ran)}")

    def _completed(self, files: Mapping[str, str]) -> dict[str, str]:
        """Return the README with its generated sections; nothing where they cannot be written."""
        ran = self.sandbox.run(self.name, files, ["report", "{project}", "--readme"], writable=README)
        return {README: ran.written} if ran.code == 0 and not ran.stopped and README in files else {}

    def _run(self, files: Mapping[str, str]) -> Verdict | None:
        """Fill the database; returns why that failed."""
        ran = self._ran(files, "run", "{project}", "--replace", "--fresh", "--json")
        if ran.stopped:
            return _stopped(ran)
        events = [_object(line) for line in ran.out.splitlines()]
        said = next((event["text"] for event in events if event.get("event") == "error"), None)
        if ran.code in {0, 1} and said is None and events:
            return None  # the gate finds what the run found at its end
        text = said if isinstance(said, str) else _tail(ran)
        return failed("run-failed", "mimiod run", text[:_TEXT], _MEND, Reached.SANDBOX)

    def _checked(self, step: int, files: Mapping[str, str]) -> Verdict:
        ran = self._ran(files, "check", "{project}", "--step", str(step), "--json")
        if ran.stopped:
            return _stopped(ran)
        report = _object(ran.out)
        findings = report.get("findings")
        if report.get("project") != self.name or report.get("step") != step or not isinstance(findings, list):
            said = report.get("text") if report.get("event") == "error" else None
            text = said if isinstance(said, str) else _tail(ran)
            return failed("check-failed", "mimiod check", text[:_TEXT], _MEND, Reached.SANDBOX)
        verdict = Verdict(tuple(map(_finding, findings)))
        if verdict.passed and report.get("passed") is not True:
            raise ProjectError(f"the gate of step {step} does not pass, and names no error")
        return verdict

    def _ran(self, files: Mapping[str, str], *arguments: str) -> Ran:
        return self.sandbox.run(self.name, files, [*arguments, "--uri", self.sandbox.uri])


def _stopped(ran: Ran) -> Verdict:
    return failed(
        "limit",
        "the sandbox",
        f"the code was ended: {ran.stopped}",
        "declare fewer rows; let the seeder go by its scale; remove loops that do not end",
        Reached.SANDBOX,
    )


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tail(ran: Ran) -> str:
    """Return the end of what a command said, where its reasons stand."""
    said = " ".join((ran.err.strip() or ran.out.strip()).split())
    return f"it ended with exit code {ran.code}: {said[-_SHOWN:] or 'it said nothing'}"


def _finding(facts: Any) -> Finding:
    given = facts if isinstance(facts, dict) else {}
    texts = {key: str(given.get(key) or "")[:_TEXT] for key in _KEYS}
    severity = texts["severity"]
    line = given.get("line")
    return Finding(
        rule=texts["rule"],
        severity=severity if severity in {"error", "warning", "note"} else "error",  # type: ignore[arg-type]
        where=texts["where"],
        text=texts["text"],
        mend=texts["mend"],
        file=texts["file"],
        line=line if isinstance(line, int) else None,
    )
