"""Draws of moments."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mimiod.distributions import Law, Numbers
from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.frames import Draw
from mimiod.seeding.nested import or_null
from mimiod.seeding.numbers import LogNormal, cumulated
from mimiod.seeding.values import Column, Moments

if TYPE_CHECKING:
    from collections.abc import Sequence as Listed

    from numpy.typing import NDArray

    from mimiod.seeding.frames import Place

TimeUnit = Literal["seconds", "minutes", "hours", "days"]

MILLISECONDS = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
"What each unit of time has."

_ABOUT_A_DAY = LogNormal(1, 1.0)

DAY = 86_400_000
"Milliseconds of a day."

HOUR = 3_600_000
"Milliseconds of an hour."

A_WHILE: Final = LogNormal(1, 1.0)
"How long after another moment one comes where nothing is said."


def now_of(at: Place) -> int:
    """Return the reference time in milliseconds since 1970."""
    return round(at.plan.reference_time.timestamp() * 1000)


@dataclass(frozen=True, init=False)
class After(Draw):
    """A moment after others of the document, or through a reference: after the latest of them.

    `by` is how long after, in `unit`: a number or a draw. Where one of the others is null so is this one.
    With `past`, none is later than the reference time, unless the others are: those that would be are drawn
    again between the two, evenly.

    >>> After("ordered_at", by=LogNormal(2, 0.6), unit="days")
    """

    paths: tuple[str, ...]
    by: Any
    unit: TimeUnit
    past: bool

    def __init__(
        self, *paths: str, by: Any = _ABOUT_A_DAY, unit: TimeUnit = "days", past: bool = True
    ) -> None:
        if not paths or unit not in MILLISECONDS:
            raise DeclarationError(
                f"After({', '.join(map(repr, paths))}, unit={unit!r}) needs a field to come after, and "
                f"a unit of {', '.join(MILLISECONDS)}"
            )
        for name, value in (("paths", paths), ("by", by), ("unit", unit), ("past", past)):
            object.__setattr__(self, name, value)

    def column(self, at: Place) -> Column:
        """Return a moment for each row."""
        base, there = _latest(at, self.paths)
        delay = np.rint(at.draw(self.by, "by").numbers() * MILLISECONDS[self.unit]).astype(np.int64)
        values = base + np.maximum(delay, 0)
        if self.past:
            now = now_of(at)
            late = (values > now) & (base < now)
            values = np.where(late, base + ((now - base) * at.uniform("past")).astype(np.int64), values)
            values = np.where(base >= now, base, values)
        return nullable(values, there)


@dataclass(frozen=True, init=False)
class Before(Draw):
    """A moment before another of the document, or through a reference; `by` and `unit` as of `After`."""

    path: str
    by: Any
    unit: TimeUnit

    def __init__(self, path: str, *, by: Any = _ABOUT_A_DAY, unit: TimeUnit = "days") -> None:
        if unit not in MILLISECONDS:
            raise DeclarationError(f"Before({path!r}, unit={unit!r}): one of {', '.join(MILLISECONDS)}")
        for name, value in (("path", path), ("by", by), ("unit", unit)):
            object.__setattr__(self, name, value)

    def column(self, at: Place) -> Column:
        """Return a moment for each row."""
        base, there = _latest(at, (self.path,))
        delay = np.rint(at.draw(self.by, "by").numbers() * MILLISECONDS[self.unit]).astype(np.int64)
        return nullable(base - np.maximum(delay, 0), there)


@dataclass(frozen=True)
class Day(Draw):
    """The start of the day, in UTC or `offset` hours east of it, that another moment falls on."""

    path: str
    offset: float = 0

    def column(self, at: Place) -> Column:
        """Return a moment for each row."""
        values, there = at.get(self.path).known()
        shift = round(self.offset * 3_600_000)
        return nullable((values.astype(np.int64) + shift) // DAY * DAY - shift, there)


@dataclass(frozen=True)
class Burst:
    """A part of a window in which there is `times` as much as there would be without it.

    >>> Moment(days=365, bursts=[Burst("2025-11-11", days=2, times=5.0)])
    """

    start: datetime | date | str
    days: float = 1.0
    times: float = 3.0

    def __post_init__(self) -> None:
        if self.days <= 0 or self.times < 0:
            raise DeclarationError(f"{self!r}: `days` has to be above 0, and `times` not below")


@dataclass(frozen=True, eq=False)
class Moment(Draw):
    """A moment in a window, `end` left out: by default the 365 `days` before the reference time.

    `start` and `end` are datetimes, dates or ISO texts, in UTC where they do not say. `hours` are 24 weights,
    `weekdays` seven from Monday on, `months` twelve; they and `bursts` are meant `offset` hours east of UTC.
    `growth` is how many times as dense the end of the window is as its start. The density is the same
    throughout each hour.

    >>> Moment("2024-01-01", "2025-01-01", growth=3.0)
    >>> Moment(days=90, hours=[1] * 8 + [6] * 10 + [3] * 6, weekdays=[5, 5, 5, 5, 5, 2, 1], offset=7)
    """

    start: datetime | date | str | None = None
    end: datetime | date | str | None = None
    _: KW_ONLY
    days: float | None = None
    hours: Listed[float] | None = None
    weekdays: Listed[float] | None = None
    months: Listed[float] | None = None
    growth: float = 1.0
    bursts: Listed[Burst] = ()
    offset: float = 0
    _tables: dict[int, _Table] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name, size in (("hours", 24), ("weekdays", 7), ("months", 12)):
            weights = getattr(self, name)
            if weights is None:
                continue
            if len(weights) != size:
                raise DeclarationError(f"Moment(…, {name}=…) needs {size} weights, not {len(weights)}")
            cumulated(weights)
        if self.growth <= 0:
            raise DeclarationError(f"Moment(…, growth={self.growth}): it has to be above 0")
        if self.start is not None and self.days is not None and self.end is not None:
            raise DeclarationError("Moment: of `start`, `end` and `days` two are enough")
        for moment in (self.start, self.end, *(burst.start for burst in self.bursts)):
            if moment is not None:
                milliseconds(moment)

    def distribution(self, now: int) -> Law:
        """Return the hours of the window, in milliseconds, with their weights."""
        table = self._table(now)
        return Numbers("table", table=(tuple(table.edges.tolist()), tuple(table.weights.tolist())))

    def column(self, at: Place) -> Column:
        """Return a moment for each row."""
        now = now_of(at)
        if now not in self._tables:
            self._tables[now] = self._table(now)
        table = self._tables[now]
        target = at.uniform() * table.ends[-1]
        hour = np.minimum(np.searchsorted(table.ends, target, "right"), table.last)
        starts = table.edges[hour]
        within = (target - (table.ends[hour] - table.weights[hour])) / table.weights[hour]
        values = starts + (within * (table.edges[hour + 1] - starts)).astype(np.int64)
        return Moments(np.clip(values, starts, table.edges[hour + 1] - 1))

    def _window(self, now: int) -> tuple[int, int]:
        length = round((365 if self.days is None else self.days) * DAY)
        if self.start is not None and self.end is None and self.days is not None:
            start = milliseconds(self.start)
            return start, start + length
        end = now if self.end is None else milliseconds(self.end)
        start = end - length if self.start is None else milliseconds(self.start)
        if start >= end:
            raise DeclarationError(
                f"{self!r}: the window ends at {_shown(end)}, not after its start at {_shown(start)}"
            )
        return start, end

    def _table(self, now: int) -> _Table:
        start, end = self._window(now)
        shift = round(self.offset * HOUR)
        first = (start + shift) // HOUR
        hours = np.arange(first, (end - 1 + shift) // HOUR + 1)
        edges = np.append(hours, hours[-1] + 1) * HOUR - shift
        edges[0], edges[-1] = start, end
        weights = np.diff(edges) / HOUR
        days = hours // 24
        if self.hours is not None:
            weights *= np.array(self.hours, np.float64)[hours % 24]
        if self.weekdays is not None:
            weights *= np.array(self.weekdays, np.float64)[(days + _MONDAY) % 7]
        if self.months is not None:
            months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
            weights *= np.array(self.months, np.float64)[months]
        middles = (edges[:-1] + edges[1:]) / 2
        if self.growth != 1:
            rate = randomness.log(np.array([float(self.growth)]))
            weights *= randomness.exp(rate * ((middles - start) / (end - start)))
        for burst in self.bursts:
            begin = milliseconds(burst.start) - (0 if _is_aware(burst.start) else shift)
            inside = (middles >= begin) & (middles < begin + burst.days * DAY)
            weights[inside] *= burst.times
        held = np.flatnonzero(weights)
        if not len(held):
            raise DeclarationError(f"{self!r}: every hour of the window has the weight 0")
        return _Table(edges, weights, np.cumsum(weights), int(held[-1]))


_MONDAY = 3
"The day of the week of 1970-01-01, counted from Monday."


@dataclass(frozen=True, eq=False)
class _Table:
    """The hours of a window: where each starts, its weight, and the weights up to its end."""

    edges: NDArray[np.int64]
    weights: NDArray[np.float64]
    ends: NDArray[np.float64]
    last: int
    "The last hour with a weight."


def milliseconds(moment: datetime | date | str) -> int:
    """Return a moment as milliseconds since 1970; one without a zone is in UTC.

    Raises:
        DeclarationError: the text is no date of ISO 8601.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise DeclarationError(
                f"{moment!r} is no moment: write it as 2025-11-11 or 2025-11-11T18:30:00+07:00"
            ) from None
    elif not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _is_aware(moment: datetime | date | str) -> bool:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return isinstance(moment, datetime) and moment.tzinfo is not None


def _shown(value: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)).isoformat()


@dataclass(frozen=True)
class Age(Draw):
    """The day, at midnight in UTC, on which somebody was born who has been this many years since.

    `years` is a number or a draw; its whole part is the age at the reference time.

    >>> Age(Normal(38, 12, low=18, high=80))
    """

    years: Any

    def column(self, at: Place) -> Column:
        """Return a moment for each row; null where there is no age."""
        years, there = at.draw(self.years, "years").known()
        now = at.plan.reference_time.astimezone(UTC)
        month = (now.year - 1970) * 12 + now.month - 1
        months = month - 12 * np.floor(years).astype(np.int64)
        birthday = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        # The 28th for the last days of a month, which other years may lack.
        day = min(now.day, 28)
        birthday += day - 1 - at.below(365 - (now.day - day))
        return nullable(birthday * DAY, there)


def nullable(values: NDArray[np.int64], there: NDArray[np.bool_]) -> Column:
    """Return moments, null where there is none."""
    return or_null(Moments(values), there)


def _latest(at: Place, paths: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    found = np.full(len(at), np.iinfo(np.int64).min)
    there = np.ones(len(at), np.bool_)
    for path in paths:
        try:
            values, known = at.get(path).known()
        except TypeError:
            raise DeclarationError(f"{at.where} is to come after {path!r}, which is no moment") from None
        found = np.maximum(found, values.astype(np.int64))
        there &= known
    return np.where(there, found, 0), there
