"""What a generation may use: tokens, money and time; and what it has used."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from mimiod.errors import BudgetSpentError

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNS_PER_TOKEN = 4
"By which tokens are estimated where an endpoint does not count them."

_MILLION = 1_000_000


def estimated_tokens(signs: int) -> int:
    """Return about how many tokens so many signs of text are, rounded up."""
    return -(-signs // SIGNS_PER_TOKEN)


@dataclass
class Budget:
    """The most that may be used of tokens, money and seconds."""

    tokens: int = 1_000_000
    "Of prompts and answers together."
    cost: float | None = None
    "In the currency of the prices; None for no limit."
    price_in: float = 0.0
    "Of a million tokens of prompts."
    price_out: float = 0.0
    "Of a million tokens of answers."
    seconds: float = 3600.0
    "Of this command."
    clock: Callable[[], float] = monotonic
    used_in: int = 0
    used_out: int = 0
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def spent(self) -> float:
        """What was used so far, in money."""
        return self._price(self.used_in, self.used_out)

    @property
    def seconds_left(self) -> float:
        """What is left of the time; below 0 once it is over."""
        return self.seconds - (self.clock() - self.began)

    def charge(self, tokens_in: int, tokens_out: int) -> None:
        """Count what a request used."""
        self.used_in += tokens_in
        self.used_out += tokens_out

    def allow(self, tokens_in: int, tokens_out: int = 0) -> None:
        """Do nothing if a request of that size fits into what is left.

        Raises:
            BudgetSpentError: it does not; the text names the option to raise.
        """
        total_in, total_out = self.used_in + tokens_in, self.used_out + tokens_out
        if total_in + total_out > self.tokens:
            raise BudgetSpentError(
                f"{self.used_in + self.used_out:,} tokens are used, and the next request goes beyond the "
                f"{self.tokens:,} of --max-tokens"
            )
        if self.cost is not None and self._price(total_in, total_out) > self.cost:
            raise BudgetSpentError(
                f"{self.spent:.4f} is spent, and the next request goes beyond the {self.cost:g} of --max-cost"
            )
        if self.seconds_left <= 0:
            raise BudgetSpentError(f"the {self.seconds:g} seconds of --max-time are over")

    def _price(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.price_in + tokens_out * self.price_out) / _MILLION
