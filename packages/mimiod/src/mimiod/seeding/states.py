"""Draws of what happens to a document over time: a state machine with dwell times."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mimiod.errors import DeclarationError
from mimiod.seeding.frames import Draw, Place
from mimiod.seeding.nested import Arrays, Documents, or_null
from mimiod.seeding.numbers import cumulated
from mimiod.seeding.times import A_WHILE, MILLISECONDS, TimeUnit, now_of, nullable
from mimiod.seeding.values import Column, Integers, Moments, Picked, Pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Integer = NDArray[np.int64]

STEPS: Final = 16
"How many steps a document takes at most; a machine that goes round is cut there."


@dataclass(frozen=True, eq=False)
class To:
    """A step to another state: its weight, and how long after the one before it comes.

    `by` is a number or a draw of how long, in `unit`. Weights of a state's steps that add up to less than
    1 are shares: the rest stays in the state for good.
    """

    state: str
    weight: float = 1.0
    _: KW_ONLY
    by: Any = A_WHILE
    unit: TimeUnit = "days"


@dataclass(frozen=True, eq=False)
class States:
    """A state machine that starts at a moment in the state `first`; fields of the document read it.

    `start` is the path of that moment; where it is null so is all that is read. `steps` gives the steps
    from each state, one without is final. With `past`, a step that would come after the reference time has
    not happened yet. A document takes at most 16 steps. Two machines of a collection that have the same
    start and states need a `name` each, or they go together.

    >>> life = States("applied_at", {
    ...     "applied": [To("approved", 0.6, by=LogNormal(2, 0.7), unit="hours"), To("rejected", 0.3)],
    ...     "approved": [To("disbursed", 0.9, by=LogNormal(1, 0.5))],
    ... }, first="applied")
    >>> {"applied_at": Moment(days=90), "status": life.state(), "approved_at": life.at("approved")}
    """

    start: str
    steps: Mapping[str, Sequence[To]]
    _: KW_ONLY
    first: str
    past: bool = True
    name: str = ""

    def __post_init__(self) -> None:
        if self.first not in self.steps:
            raise DeclarationError(
                f"States({self.start!r}, …, first={self.first!r}): no steps lead from there"
            )
        for state, steps in self.steps.items():
            if steps:
                cumulated([step.weight for step in steps])
            for step in steps:
                if step.unit not in MILLISECONDS:
                    raise DeclarationError(
                        f"States({self.start!r}, …): the step from {state!r} to {step.state!r} has the unit "
                        f"{step.unit!r}, which is none of {', '.join(MILLISECONDS)}"
                    )

    def state(self) -> Draw:
        """Return a draw of the state at last."""
        return _Read(self, "state")

    def since(self) -> Draw:
        """Return a draw of when the state at last was entered."""
        return _Read(self, "since")

    def at(self, state: str) -> Draw:
        """Return a draw of when a state was first entered; null where it never was."""
        self.code(state)
        return _Read(self, "at", (state,))

    def history(self, state: str = "state", at: str = "at") -> Draw:
        """Return a draw of all states in order: embedded documents with these two fields."""
        return _Read(self, "history", (state, at))

    def step_count(self) -> Draw:
        """Return a draw of how many steps have been taken."""
        return _Read(self, "step_count")

    @cached_property
    def names(self) -> list[str]:
        """The states, in the order in which they are named."""
        targets = (step.state for steps in self.steps.values() for step in steps)
        return list(dict.fromkeys([self.first, *self.steps, *targets]))

    @cached_property
    def pool(self) -> Pool:
        """The states, to be picked from."""
        return Pool(self.names)

    def code(self, state: str) -> int:
        """Return a state's position among the names."""
        if state not in self.names:
            raise DeclarationError(
                f"States({self.start!r}, …) has no state {state!r}: it has {', '.join(self.names)}"
            )
        return self.names.index(state)

    def walk(self, at: Place) -> Walk:
        """Return what happened in each row, made once for these rows."""
        key = f"~{id(self)}"
        if key not in at.frame.related:
            at.frame.related[key] = self._walked(at)
        walk: Walk = at.frame.related[key]
        return walk

    def _walked(self, at: Place) -> Walk:
        path = "~" + (self.name or "/".join([self.start, *self.names]))
        try:
            moments, there = at.get(self.start).known()
        except TypeError:
            raise DeclarationError(
                f"{at.where} is a state since {self.start!r}, which is no moment"
            ) from None
        codes = [np.where(there, 0, -1)]
        entered = [moments.astype(np.int64)]
        now = now_of(at)
        moving = np.flatnonzero(there)
        for number in range(STEPS):
            place = Place(at.frame, f"{path}/{number}").part(moving)
            state, moment = self._stepped(place, codes[-1][moving], entered[-1][moving])
            if self.past:
                state[moment > now] = -1
            moving, state, moment = moving[state >= 0], state[state >= 0], moment[state >= 0]
            if not len(moving):
                break
            codes.append(np.full(len(at), -1))
            entered.append(np.zeros(len(at), np.int64))
            codes[-1][moving], entered[-1][moving] = state, moment
        return Walk(np.stack(codes, axis=1), np.stack(entered, axis=1))

    def _stepped(self, place: Place, state: Integer, moment: Integer) -> tuple[Integer, Integer]:
        """Return the next state of each row (-1: none) and when it is entered."""
        u = place.uniform()
        target, when = np.full(len(state), -1), moment.copy()
        for name, steps in self.steps.items():
            own = state == self.code(name)
            end = 0.0
            whole = max(1.0, sum(step.weight for step in steps))
            for number, step in enumerate(steps):
                start, end = end, end + step.weight / whole
                last = number == len(steps) - 1 and end > 1 - 1e-9  # sums of shares may fall short of it
                taken = np.flatnonzero(own & (u >= start) & ((u < end) | last))
                if len(taken):
                    salt = f"{name}>{step.state}"
                    delay = place.part(taken).draw(step.by, salt).numbers() * MILLISECONDS[step.unit]
                    target[taken] = self.code(step.state)
                    when[taken] += np.maximum(np.rint(delay).astype(np.int64), 0)
        return target, when


@dataclass(frozen=True, eq=False)
class Walk:
    """The states of some rows, a column for each step: -1 where there is none."""

    codes: Integer
    moments: Integer

    @cached_property
    def sizes(self) -> Integer:
        """How many states each row has been in."""
        sizes: Integer = (self.codes >= 0).sum(axis=1)
        return sizes


@dataclass(frozen=True, eq=False)
class _Read(Draw):
    """A field that reads a state machine."""

    states: States
    what: str
    names: tuple[str, ...] = ()

    def column(self, at: Place) -> Column:
        walk = self.states.walk(at)
        there = walk.sizes > 0
        rows, last = np.arange(len(at)), np.maximum(walk.sizes - 1, 0)
        if self.what == "state":
            codes = np.maximum(walk.codes[rows, last], 0)
            picked = Picked(codes, self.states.pool)
            return or_null(picked, there)
        if self.what == "since":
            return nullable(walk.moments[rows, last], there)
        if self.what == "at":
            found = walk.codes == self.states.code(self.names[0])
            return nullable(walk.moments[rows, found.argmax(axis=1)], found.any(axis=1))
        if self.what == "step_count":
            return Integers(last)
        kept = walk.codes >= 0
        items: dict[str, Column] = {
            self.names[0]: Picked(walk.codes[kept], self.states.pool),
            self.names[1]: Moments(walk.moments[kept]),
        }
        return Arrays(Documents(items, int(walk.sizes.sum())), walk.sizes)
