"""Asking until there is an answer: waits, and no more of them than the budget has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from mimiod.errors import BudgetSpentError, LanguageModelError
from mimiod.workflow.budget import Budget, estimated_tokens
from mimiod.workflow.endpoint import PassingTroubleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.workflow.endpoint import Answer, LanguageModel, Message

TRIES: Final = 6
"How often one request is made."
_LONGEST_WAIT: Final = 60.0
"Seconds between two tries where the endpoint names none."


class Listener(Protocol):
    """Who is told how a request goes."""

    def heard(self, text: str) -> None:
        """Take a piece of an answer."""

    def waits(self, seconds: float, why: str) -> None:
        """Learn that the request is made again after so many seconds."""

    def spent(self, tokens_in: int, tokens_out: int, why: str) -> None:
        """Learn of tokens that were used for nothing."""


def ask(
    model: LanguageModel,
    messages: list[Message],
    *,
    budget: Budget,
    listener: Listener,
    sleep: Callable[[float], None],
) -> Answer:
    """Return the model's answer, asked for again where that may help, and charge the budget with it.

    Raises:
        BudgetSpentError: there is no room for the request, its answer or the wait.
        LanguageModelError: no answer is to be had.
    """
    asked = estimated_tokens(sum(len(message["content"]) for message in messages))
    for tried in range(1, TRIES + 1):
        budget.allow(asked)
        signs = 0

        def heard(text: str) -> None:
            nonlocal signs
            signs += len(text)
            listener.heard(text)
            budget.allow(asked, estimated_tokens(signs))

        try:
            answer = model.answer(messages, heard)
        except PassingTroubleError as exc:
            _charge(budget, listener, exc.tokens_in, exc.tokens_out, str(exc))
            if tried == TRIES:
                raise LanguageModelError(f"{exc}; tried {TRIES} times") from None
            _wait(exc, tried, budget, listener, sleep)
        except (BudgetSpentError, KeyboardInterrupt) as exc:
            if signs:
                _charge(budget, listener, asked, estimated_tokens(signs), str(exc) or "interrupted")
            raise
        else:
            budget.charge(answer.tokens_in, answer.tokens_out)
            return answer
    raise AssertionError("the last try returns or raises")


def _charge(budget: Budget, listener: Listener, tokens_in: int, tokens_out: int, why: str) -> None:
    if tokens_in or tokens_out:
        budget.charge(tokens_in, tokens_out)
        listener.spent(tokens_in, tokens_out, why)


def _wait(
    trouble: PassingTroubleError,
    tried: int,
    budget: Budget,
    listener: Listener,
    sleep: Callable[[float], None],
) -> None:
    seconds = min(2.0 ** (tried - 1), _LONGEST_WAIT) if trouble.after is None else trouble.after
    if seconds > budget.seconds_left:
        raise BudgetSpentError(
            f"{trouble}; the next try would be in {seconds:,.0f} s, and --max-time leaves "
            f"{max(0.0, budget.seconds_left):,.0f}"
        ) from None
    listener.waits(seconds, str(trouble))
    if seconds:
        sleep(seconds)
