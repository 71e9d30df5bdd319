"""What a generation looks like: a growing line on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.text import Text

from mimiod.cli.console import JsonLines as JsonOut
from mimiod.workflow.gates import STEPS
from mimiod.workflow.generating import Reporter

if TYPE_CHECKING:
    from rich.status import Status

    from mimiod.workflow.budget import Budget
    from mimiod.workflow.endpoint import Answer
    from mimiod.workflow.generating import Done
    from mimiod.workflow.judging import Verdict

SHOWN_EVERY = 2.0
"Seconds between two events that say how far an answer is."
_FINDINGS = 5


class Display(Reporter, Protocol):
    """A reporter that also shows how a generation ended."""

    def error(self, text: str) -> None:
        """Show why it ended early."""

    def summary(self, name: str, done: list[Done]) -> None:
        """Show what was made, and what to do next."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def display(budget: Budget, *, as_json: bool) -> Display:
    """Return the display for this output."""
    return Events(budget) if as_json else Lines(budget)


class Lines:
    """Lines; on a terminal one below them that shows the answer grow."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.console = Console()
        self.status: Status | None = None
        self.doing = ""
        self.signs = 0

    def step(self, step: int) -> None:
        self._print(f"step {step}  {STEPS[step]}")

    def attempt(self, attempt: int, attempts: int) -> None:
        self.signs = 0
        self._begin(f"attempt {attempt} of {attempts}: ", "asking the model")

    def heard(self, text: str) -> None:
        self.signs += len(text)
        if self.status is not None:
            self.status.update(Text(f"  {self.doing}{self.signs:,} signs"))

    def waits(self, seconds: float, why: str) -> None:
        self.signs = 0
        self._print(f"  {why}; asking again in {seconds:,.0f} s")

    def answered(self, answer: Answer, *, recorded: bool) -> None:
        self.close()
        tokens = (
            f"{answer.tokens_in:,} + {answer.tokens_out:,} tokens{' (estimated)' if answer.estimated else ''}"
        )
        source = "from the transcript" if recorded else f"in all {_used(self.budget)}"
        self._print(f"  {self.doing}{tokens}, {source}")

    def judges(self) -> None:
        self._begin("", "checking what it wrote")

    def found(self, verdict: Verdict) -> None:
        self.close()
        self._print(f"  {'passed' if verdict.passed else 'does not pass'}: {_counted(verdict)}")
        for finding in verdict.findings[:_FINDINGS]:
            self._print(f"    {finding.severity}: {finding.where}: {finding.text}")
        if len(verdict.findings) > _FINDINGS:
            self._print(f"    and {len(verdict.findings) - _FINDINGS} more")

    def note(self, text: str) -> None:
        self._print(f"note: {text}")

    def error(self, text: str) -> None:
        print(f"error: {text}", file=sys.stderr)

    def summary(self, name: str, done: list[Done]) -> None:
        last = done[-1]
        attempts = ", ".join(f"{each.step}: {each.attempts}" for each in done)
        self._print(f"attempts by step: {attempts}; {_used(self.budget)}")
        if last.passed:
            self._print(f"{name}: all five steps pass", style="bold green")
            self._print(f"fill it: mimiod run {name}")
        else:
            self._print(
                f"{name}: step {last.step} does NOT pass; its best attempt is kept, with "
                f"{_counted(last.verdict)}",
                style="bold red",
            )
            self._print(
                "go on: the same command with more --attempts, or by hand: "
                f"mimiod check {name} --step {last.step}"
            )

    def close(self) -> None:
        if self.status is not None:
            self.status.stop()
        self.status = None

    def _begin(self, doing: str, what: str) -> None:
        self.close()
        self.doing = doing
        if self.console.is_terminal:
            self.status = self.console.status(Text(f"  {doing}{what}"))
            self.status.start()

    def _print(self, text: str, style: str | None = None) -> None:
        # What a model or a server says may hold control characters: a terminal would follow them.
        plain = "".join(sign if sign.isprintable() else " " for sign in text)
        self.console.print(plain, style=style, markup=False, highlight=False, soft_wrap=True)


class Events:
    """One JSON object a line: `event` and its facts."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.out = JsonOut(sys.stdout)
        self.signs = 0
        self.last = 0.0

    def step(self, step: int) -> None:
        self.out.write("step", step=step, name=STEPS[step])

    def attempt(self, attempt: int, attempts: int) -> None:
        self.signs, self.last = 0, time.monotonic()
        self.out.write("attempt", attempt=attempt, attempts=attempts)

    def heard(self, text: str) -> None:
        self.signs += len(text)
        if time.monotonic() - self.last >= SHOWN_EVERY:
            self.last = time.monotonic()
            self.out.write("progress", signs=self.signs)

    def waits(self, seconds: float, why: str) -> None:
        self.signs = 0
        self.out.write("wait", seconds=seconds, why=why)

    def answered(self, answer: Answer, *, recorded: bool) -> None:
        self.out.write(
            "answer",
            recorded=recorded,
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            estimated=answer.estimated,
        )

    def judges(self) -> None:
        self.out.write("check")

    def found(self, verdict: Verdict) -> None:
        self.out.write("found", passed=verdict.passed, **verdict.to_dict())

    def note(self, text: str) -> None:
        self.out.write("note", text=text)

    def error(self, text: str) -> None:
        self.out.write("error", text=text)

    def summary(self, name: str, done: list[Done]) -> None:
        self.out.write(
            "summary",
            project=name,
            passed=len(done) == len(STEPS) and done[-1].passed,
            steps=[{"step": each.step, "attempts": each.attempts, "passed": each.passed} for each in done],
            tokens_in=self.budget.used_in,
            tokens_out=self.budget.used_out,
            cost=round(self.budget.spent, 6),
            findings=[found.to_dict() for found in done[-1].verdict.findings],
        )

    def close(self) -> None:
        pass


def _used(budget: Budget) -> str:
    used = f"{budget.used_in + budget.used_out:,} tokens"
    return f"{used}, {budget.spent:.4f} spent" if budget.price_in or budget.price_out else used


def _counted(verdict: Verdict) -> str:
    warnings = sum(found.severity == "warning" for found in verdict.findings)
    return f"{verdict.errors} errors, {warnings} warnings"
