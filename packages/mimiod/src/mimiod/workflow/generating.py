"""Drives a language model through the five steps, and keeps the best of what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mimiod.errors import TranscriptError
from mimiod.workflow import answers, prompts
from mimiod.workflow.answers import AnswerError
from mimiod.workflow.endpoint import Answer, ContextOverflowError, Message
from mimiod.workflow.gates import STEPS
from mimiod.workflow.judging import RUN_STEP, Reached, Verdict, failed, refused_in, verdict_of
from mimiod.workflow.transcript import TranscriptEndError, digest_of

if TYPE_CHECKING:
    from mimiod.workflow.budget import Budget
    from mimiod.workflow.folder import ProjectFolder
    from mimiod.workflow.judging import Judge
    from mimiod.workflow.patience import Listener
    from mimiod.workflow.transcript import Record, Transcript


class Reporter(Protocol):
    """Who is told how a generation goes."""

    def step(self, step: int) -> None:
        """Learn that a step begins."""

    def attempt(self, attempt: int, attempts: int) -> None:
        """Learn that the model is asked."""

    def heard(self, text: str) -> None:
        """Take a piece of its answer."""

    def waits(self, seconds: float, why: str) -> None:
        """Learn that it is asked again after so many seconds."""

    def answered(self, answer: Answer, *, recorded: bool) -> None:
        """Learn what it answered; `recorded` if that was read from a transcript."""

    def judges(self) -> None:
        """Learn that the gate of the step is run."""

    def found(self, verdict: Verdict) -> None:
        """Learn what the gate found."""

    def note(self, text: str) -> None:
        """Learn of something that a person should know."""


Ask = Callable[[list[Message], "Listener"], Answer]


@dataclass(frozen=True)
class _Hearing:
    """Passes on how a request goes, and records what it used for nothing."""

    reporter: Reporter
    transcript: Transcript

    def heard(self, text: str) -> None:
        self.reporter.heard(text)

    def waits(self, seconds: float, why: str) -> None:
        self.reporter.waits(seconds, why)

    def spent(self, tokens_in: int, tokens_out: int, why: str) -> None:
        self.transcript.add("spent", tokens_in=tokens_in, tokens_out=tokens_out, why=why)


@dataclass(frozen=True)
class Done:
    """A step that was worked on."""

    step: int
    attempts: int
    "How often the model was asked; 0 where there was no need."
    verdict: Verdict
    "On the best attempt, whose files were kept."

    @property
    def passed(self) -> bool:
        """Whether the step is done."""
        return self.verdict.passed


@dataclass
class Generation:
    """One project on its way from a brief to a database."""

    folder: ProjectFolder
    instructions: Mapping[int, str]
    transcript: Transcript
    budget: Budget
    reporter: Reporter
    ask: Ask | None
    judge: Judge | None
    "Both None where a transcript is only played back."
    attempts: int = 4
    "How often the model is asked for one step."
    files: dict[str, str] = field(default_factory=dict)
    "What the steps so far have made, by name."

    def run(self) -> list[Done]:
        """Do the steps, up to the first that does not pass.

        Raises:
            MimiodError: a budget is used up, no answer is to be had, or the transcript is of something else.
                The files that were best are kept, and the same command goes on.
        """
        done: list[Done] = []
        for step in STEPS:
            self.reporter.step(step)
            try:
                done.append(self._step(step))
            except TranscriptEndError as exc:
                done.append(Done(step, 0, failed("transcript-ends", "the transcript", str(exc), "")))
            if not done[-1].passed:
                break
        self.folder.keep(self.files)
        return done

    def _step(self, step: int) -> Done:
        best: Verdict | None = None
        last: tuple[str, Verdict] | None = None
        if step == RUN_STEP:  # perhaps there is nothing to mend
            best = self._judged(step, 0, self.files)
            if best.passed:
                return Done(step, 0, best)
            last = "", best
        attempt = 0
        while self.ask is None or attempt < self.attempts:
            if attempt and self.ask is None and self.transcript.ended:
                break
            attempt += 1
            self.reporter.attempt(attempt, self.attempts)
            answer = self._answered(step, attempt, last)
            files, verdict = self._tried(step, attempt, answer)
            if best is None or verdict.rank < best.rank:
                best = verdict
                self._keep(files, verdict)
            if verdict.passed:
                break
            last = answer.text, verdict
        assert best is not None
        return Done(step, attempt, best)

    def _keep(self, files: dict[str, str], verdict: Verdict) -> None:
        """Go on from these files; what the inspection refuses is never written."""
        if verdict.reached is Reached.NOTHING:
            return
        self.files = files
        if self.transcript.live and self.transcript.ended:
            self.folder.keep(files)

    def _tried(self, step: int, attempt: int, answer: Answer) -> tuple[dict[str, str], Verdict]:
        """Return the files with an answer's, and the verdict on them."""
        try:
            changed = _files_in(answer, step)
        except AnswerError as exc:
            verdict = failed("answer-format", "the answer", str(exc), prompts.FORMAT_MEND)
            self.reporter.found(verdict)
            return self.files, verdict
        files = self.files | changed
        verdict = self._judged(step, attempt, files)
        self.folder.made(changed)
        self.folder.made(verdict.completed)
        return {**files, **verdict.completed}, verdict

    def _answered(self, step: int, attempt: int, last: tuple[str, Verdict] | None) -> Answer:
        """Return the answer to a step's prompt, which is shortened as far as the model needs."""
        for shorter in range(prompts.SHORTER + 1):
            told = prompts.messages(
                step,
                name=self.folder.path.name,
                brief=self.folder.brief,
                instructions=self.instructions[step],
                files=self.files,
                last=last,
                shorter=shorter,
            )
            try:
                return self._exchanged(step, attempt, told)
            except ContextOverflowError as exc:
                if shorter == prompts.SHORTER:
                    raise ContextOverflowError(
                        f"{exc}; the prompt of step {step} is as short as it gets: take a model that reads "
                        "more, or a shorter brief"
                    ) from None
                self.reporter.note(
                    f"the prompt is too long for the model; shortened: {prompts.LEFT_OUT[shorter]}"
                )
        raise AssertionError("the last prompt returns or raises")

    def _exchanged(self, step: int, attempt: int, told: list[Message]) -> Answer:
        self.budget.charge(*self.transcript.spent())
        record = self.transcript.exchange(step, attempt, told)
        if record is not None:
            return self._recorded(record)
        assert self.ask is not None
        try:
            answer = self.ask(told, _Hearing(self.reporter, self.transcript))
        except ContextOverflowError:
            self.transcript.add("exchange", step=step, attempt=attempt, messages=told, overflow=True)
            raise
        self.transcript.add("exchange", step=step, attempt=attempt, messages=told, answer=answer.to_dict())
        self.reporter.answered(answer, recorded=False)
        return answer

    def _recorded(self, record: Record) -> Answer:
        if "overflow" in record:
            raise ContextOverflowError("the prompt was too long for the model")
        answer = Answer(**record["answer"])
        self.budget.charge(answer.tokens_in, answer.tokens_out)
        self.reporter.answered(answer, recorded=True)
        return answer

    def _judged(self, step: int, attempt: int, files: Mapping[str, str]) -> Verdict:
        """Return the verdict on files: the recorded one, or the gate's."""
        record = self.transcript.gate(step, attempt, files)
        if record is None:
            assert self.judge is not None
            self.reporter.judges()
            verdict = self.judge.verdict(step, {**self.folder.given, **files})
            self.transcript.add(
                "gate", step=step, attempt=attempt, files=digest_of(files), **verdict.to_dict()
            )
        else:
            verdict = verdict_of(record)
            if verdict.reached is not Reached.NOTHING and refused_in(files):
                raise TranscriptError(f"the transcript holds code that is refused, at step {step}")
        self.reporter.found(verdict)
        return verdict


def _files_in(answer: Answer, step: int) -> dict[str, str]:
    if answer.refusal or answer.finish == "content_filter":
        raise AnswerError(f"it is a refusal: {(answer.refusal or answer.text or 'no reason given')[:300]}")
    if answer.finish == "length":
        raise AnswerError(
            "it was cut at the model's limit on the length of an answer: write less, or split a long file "
            "into modules over several attempts"
        )
    if not answer.text.strip():
        raise AnswerError("it is empty")
    return answers.files_in(answer.text, step)
