"""Draws of numbers, each the quantile function of its distribution at a uniform number.

So the same uniform numbers always give the same values, and two fields can be correlated by correlating
those. A field that the schema has as `int` gets whole numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod import distributions
from mimiod.distributions import Given, Law
from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.frames import Draw
from mimiod.seeding.nested import Documents
from mimiod.seeding.relations import bounded_zipf
from mimiod.seeding.values import Column, Integers, Numbers, Picked, Pool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence as Listed

    from numpy.typing import NDArray

    from mimiod.distributions import Family
    from mimiod.seeding.frames import Place

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Number(Draw):
    """A number by its distribution, clipped to `low` and `high` and rounded to `digits`.

    `digits` counts as in Python's `round`: 2 are cents, 0 whole numbers, -3 thousands; None leaves them.
    """

    _: KW_ONLY
    low: float | None = None
    high: float | None = None
    digits: int | None = None

    @abstractmethod
    def quantile(self, u: Floats) -> Floats | NDArray[np.int64]:
        """Return the values below which the share `u` of all lies, before clipping and rounding."""

    @property
    def most(self) -> float | None:
        """The upper bound, where one is given or the distribution has one."""
        return self.high

    @property
    def family(self) -> tuple[Family, tuple[float, ...]] | None:
        """The family of its distribution with its parameters, where it has a name."""
        return None

    def distribution(self, now: int) -> Law:
        """Return its family, clipped and rounded."""
        del now
        if self.family is None:
            return None
        law = distributions.Numbers(*self.family, low=self.low, high=self.high, digits=self.digits)
        if not replace(law, digits=None).is_whole:
            return law
        clips_to_whole = all(bound is None or float(bound).is_integer() for bound in (self.low, self.high))
        return replace(law, digits=None) if clips_to_whole else None

    def column(self, at: Place) -> Column:
        """Return the numbers."""
        return self.shaped(self.quantile(at.uniform()))

    def shaped(self, values: Floats | NDArray[np.int64]) -> Column:
        """Return the values clipped and rounded."""
        if self.low is not None:
            values = np.maximum(values, self.low)
        if self.high is not None:
            values = np.minimum(values, self.high)
        if values.dtype.kind == "i":
            return Integers(values)
        return rounded(values, self.digits)


def rounded(values: Floats | NDArray[np.int64], digits: int | None) -> Column:
    """Return numbers rounded to this many digits: whole ones for 0 and below, as they are for None."""
    if digits is None:
        return Numbers(values)
    if digits > 0:
        return Numbers(np.rint(values * 10.0**digits) / 10.0**digits)
    step = 10 ** (-digits)
    return Integers(np.rint(values / step).astype(np.int64) * step)


@dataclass(frozen=True)
class Uniform(Number):
    """Any number from `first` to `last` alike; whole numbers, both included, if both are whole."""

    first: float
    last: float

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise DeclarationError(f"Uniform({self.first}, {self.last}): the second is below the first")

    @property
    def most(self) -> float | None:
        """The upper bound."""
        return self.last if self.high is None else min(self.high, self.last)

    @property
    def family(self) -> tuple[Family, tuple[float, ...]]:
        whole = isinstance(self.first, int) and isinstance(self.last, int)
        return "whole" if whole else "uniform", (self.first, self.last)

    def quantile(self, u: Floats) -> Floats | NDArray[np.int64]:
        """Return the values at `u`."""
        if isinstance(self.first, int) and isinstance(self.last, int):
            return self.first + randomness.whole(u, self.last - self.first + 1)
        return self.first + u * (self.last - self.first)


@dataclass(frozen=True)
class Normal(Number):
    """The normal distribution with this mean and standard deviation."""

    mean: float
    deviation: float

    @property
    def family(self) -> tuple[Family, tuple[float, ...]]:
        return "normal", (self.mean, self.deviation)

    def quantile(self, u: Floats) -> Floats:
        """Return the values at `u`."""
        return self.mean + self.deviation * randomness.normal_quantile(u)


@dataclass(frozen=True)
class LogNormal(Number):
    """The log-normal distribution: half of the values are below `median`.

    `spread` is the standard deviation of the logarithm: with 0.5 two thirds lie between 0.6 and 1.65 times
    the median, with 1.0 between 0.37 and 2.7 times. The mean is median · exp(spread² / 2).
    """

    median: float
    spread: float

    @property
    def family(self) -> tuple[Family, tuple[float, ...]]:
        return "lognormal", (self.median, self.spread)

    def quantile(self, u: Floats) -> Floats:
        """Return the values at `u`."""
        return self.median * randomness.exp(self.spread * randomness.normal_quantile(u))


@dataclass(frozen=True)
class Exponential(Number):
    """The exponential distribution, as of the time until the next of events that come at random."""

    mean: float

    @property
    def family(self) -> tuple[Family, tuple[float, ...]]:
        return "exponential", (self.mean,)

    def quantile(self, u: Floats) -> Floats:
        """Return the values at `u`."""
        return -self.mean * randomness.log(1 - u)


@dataclass(frozen=True)
class Zipf(Number):
    """Ranks 1 to `ranks`, each with a probability in proportion to rank^-exponent."""

    ranks: int
    exponent: float = 1.1

    @property
    def most(self) -> float | None:
        """The last rank, or `high`."""
        return self.ranks if self.high is None else min(self.high, self.ranks)

    @property
    def family(self) -> tuple[Family, tuple[float, ...]]:
        return "zipf", (self.ranks, self.exponent)

    def quantile(self, u: Floats) -> NDArray[np.int64]:
        """Return the ranks at `u`."""
        return bounded_zipf(u, self.ranks, self.exponent)


def cumulated(weights: Listed[float]) -> Floats:
    """Return where each choice's part of 0 to 1 ends, the last one's end left out."""
    if not len(weights) or min(weights) < 0 or not sum(weights) > 0:
        raise DeclarationError(f"weights have to be numbers from 0 on, not all 0: {list(weights)[:8]}")
    sums = list(accumulate(map(float, weights)))
    return np.array([value / sums[-1] for value in sums[:-1]], np.float64)


@dataclass(frozen=True)
class Poisson(Number):
    """How many of something that happens `mean` times on average, each time by itself."""

    mean: float

    def __post_init__(self) -> None:
        if not 0 < self.mean <= 500:  # noqa: PLR2004 - above, the normal distribution is as good
            raise DeclarationError(f"Poisson({self.mean}): the mean has to be above 0, and at most 500")

    @property
    def most(self) -> float | None:
        """`high`, or what is exceeded less than once in 10^12 draws."""
        return self.high if self.high is not None else self._last

    @property
    def family(self) -> tuple[Family, tuple[float, ...]]:
        return "poisson", (self.mean,)

    @property
    def _last(self) -> int:
        return int(self.mean + 8 * self.mean**0.5 + 12)

    @cached_property
    def _edges(self) -> Floats:
        weights = [float(randomness.exp(np.array([-self.mean]))[0])]
        for number in range(1, self._last + 1):
            weights.append(weights[-1] * self.mean / number)
        return cumulated(weights)

    def quantile(self, u: Floats) -> NDArray[np.int64]:
        """Return the numbers at `u`."""
        return np.searchsorted(self._edges, u, "right").astype(np.int64)


@dataclass(frozen=True)
class Histogram(Number):
    """Numbers with a measured distribution: edges of bins in order, and the weight of each bin.

    >>> Histogram([18, 25, 35, 50, 65, 90], [12, 25, 31, 22, 10], digits=0)
    """

    edges: Listed[float]
    weights: Listed[float]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.weights) + 1 or sorted(self.edges) != list(self.edges):
            raise DeclarationError(
                f"Histogram: {len(self.weights)} weights need {len(self.weights) + 1} ascending edges, "
                f"not {list(self.edges)}"
            )

    @property
    def most(self) -> float | None:
        """The last edge, or `high`."""
        return self.edges[-1] if self.high is None else min(self.high, self.edges[-1])

    @property
    def family(self) -> tuple[Family, tuple[float, ...]]:
        return "table", ()

    def distribution(self, now: int) -> Law:
        """Return its bins, clipped and rounded."""
        del now
        table = (tuple(map(float, self.edges)), tuple(map(float, self.weights)))
        return distributions.Numbers("table", table=table, low=self.low, high=self.high, digits=self.digits)

    @cached_property
    def _table(self) -> tuple[Floats, Floats, Floats]:
        ends = np.concatenate([[0.0], cumulated(self.weights), [1.0]])
        return np.array(self.edges, np.float64), ends[:-1], np.diff(ends)

    def quantile(self, u: Floats) -> Floats:
        """Return the values at `u`."""
        edges, starts, shares = self._table
        bins = np.searchsorted(starts[1:], u, "right")
        within = (u - starts[bins]) / shares[bins]
        values: Floats = edges[bins] + within * (edges[bins + 1] - edges[bins])
        return values


@dataclass(frozen=True)
class Correlated(Draw):
    """A number that goes along with another field of the same document.

    `strength` is the correlation of the two on the normal scale: 1 the same order, 0 none, -1 the opposite
    order. The other field has to be declared as a draw of numbers itself.

    >>> {"income": LogNormal(5_000, 0.6),
    ...  "rent": Correlated(LogNormal(900, 0.4), with_="income", strength=0.7)}
    """

    drawn: Number
    with_: str
    strength: float

    def __post_init__(self) -> None:
        if not -1 <= self.strength <= 1:
            raise DeclarationError(f"Correlated(…, strength={self.strength}): it has to be from -1 to 1")

    @property
    def most(self) -> float | None:
        """That of the draw."""
        return self.drawn.most

    def column(self, at: Place) -> Column:
        """Return the numbers."""
        return self.drawn.shaped(self.drawn.quantile(randomness.normal_probability(self.normal(at))))

    def normal(self, at: Place) -> Floats:
        """Return the standard normal numbers behind the values."""
        other = normal_behind(at, self.with_)
        own = randomness.normal_quantile(at.uniform())
        mixed: Floats = self.strength * other + float(np.sqrt(1 - self.strength**2)) * own
        return mixed


def normal_behind(at: Place, path: str) -> Floats:
    """Return the standard normal numbers behind another field's values."""
    node: Any = at.frame.scope.fields
    for name in path.split("."):
        node = node.get(name) if hasattr(node, "get") else None
    place = at.frame.place(path)
    if isinstance(node, Correlated):
        return node.normal(place)
    if isinstance(node, Number):
        return randomness.normal_quantile(place.uniform())
    if node is None and at.frame.scope.prefix:
        document, index = at.frame.home()
        behind: Floats = normal_behind(document.place(path), path)[index]
        return behind
    raise DeclarationError(f"{at.where} is correlated with {path!r}, which is not drawn as a number")


@dataclass(frozen=True)
class Sequence(Draw):
    """Numbers that follow the row: start, start + step, …; different for different rows."""

    start: int = 1
    step: int = 1

    def distribution(self, now: int) -> Law:
        """Return that there is always one."""
        del now
        return Given()

    def column(self, at: Place) -> Column:
        """Return the numbers."""
        return Integers(at.get("row").numbers() * self.step + self.start)


@dataclass(frozen=True)
class Unique(Draw):
    """Whole numbers from `first` to `last` in no order, never the same twice.

    Raises:
        DeclarationError: there are more row numbers than numbers.
    """

    first: int
    last: int

    def distribution(self, now: int) -> Law:
        """Return that there is always one."""
        del now
        return Given()

    def column(self, at: Place) -> Column:
        """Return the numbers."""
        size = self.last - self.first + 1
        rows = at.frame.rows
        if len(rows) and int(rows.max()) >= size:
            raise DeclarationError(
                f"{at.where}: Unique({self.first}, {self.last}) has {size:,} numbers, and row numbers go to "
                f"{int(rows.max()):,} and beyond: widen it"
            )
        return Integers(randomness.permutation(at.key(), rows, size).astype(np.int64) + self.first)


@dataclass(frozen=True)
class Combination(Draw):
    """Combinations of values, never the same twice: what together must be unique.

    Embedded as it is, or its parts taken by `Get`:

    >>> {"seat": Combination({"row": list("ABCDEF"), "number": list(range(1, 41))})}
    """

    parts: Mapping[str, Listed[Any]]

    @cached_property
    def _pools(self) -> dict[str, Pool]:
        return {name: Pool(values) for name, values in self.parts.items()}

    def column(self, at: Place) -> Column:
        """Return documents with a value of each part."""
        size = 1
        for values in self.parts.values():
            size *= len(values)
        rows = at.frame.rows
        if len(rows) and int(rows.max()) >= size:
            raise DeclarationError(
                f"{at.where}: there are {size:,} combinations, and row numbers go to "
                f"{int(rows.max()):,} and beyond: give more values"
            )
        rest = randomness.permutation(at.key(), rows, size).astype(np.int64)
        fields: dict[str, Column] = {}
        for name, values in self.parts.items():
            rest, code = np.divmod(rest, len(values))
            fields[name] = Picked(code, self._pools[name])
        return Documents(fields, len(at))
