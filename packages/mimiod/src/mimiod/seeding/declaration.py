"""What a seeder declares of each collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod.errors import DeclarationError
from mimiod.seeding.frames import Draw

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Rows:
    """The rows of a collection: how many, and what each field is drawn from.

    `count` is a number; with `per`, a number or a draw of how many each row of that collection has.
    `fields` looks like the document: its leaves are draws or constants, mappings are embedded documents.
    A field that the schema makes plain (a reference, a copy, a total, an order in time, a choice between
    literals, a default) may be left out.

    >>> Rows(1_000, {"name": Fake("name"), "address": {"city": Fake("city"), "country": "ID"}})
    >>> Rows(Poisson(3, high=20), {"amount": LogNormal(50, 0.8, low=1)}, per="customers")
    """

    count: int | Draw
    fields: Mapping[str, Any] = field(default_factory=dict)
    per: str | None = None
    "The parent collection: these rows are made with its rows, and are numbered below them."
    high: int | None = None
    "The most that one parent has; for draws that do not say so themselves."
    fixed: bool = False
    "Whether their number stays the same at every scale, as that of countries or branches does."

    @property
    def most(self) -> int:
        """The most rows that one parent has."""
        if self.high is not None:
            return self.high
        most = self.count.most if isinstance(self.count, Draw) else self.count
        if most is None:
            raise DeclarationError("how many rows a parent has at most is not known: give Rows(…, high=…)")
        return max(1, int(most))


@dataclass(frozen=True)
class Summary:
    """A collection that is computed from another: a row for each group of its rows.

    `by` names the fields that make a group, `totals` what is computed for it; the fields of both make the
    document. Values of `by` are paths in the source, or draws over its rows such as `Day("paid_at")`.

    >>> Summary("payments", by={"day": Day("paid_at"), "channel": "channel"},
    ...         totals={"payments": Count(), "amount": Sum("amount")}, where={"status": "booked"})
    """

    source: str
    by: Mapping[str, Any]
    totals: Mapping[str, Aggregate]
    where: Mapping[str, Any] = field(default_factory=dict)
    "Only rows with these values count; a list means any of them."


@dataclass(frozen=True)
class Aggregate:
    """One number computed over the rows of a group."""

    how: str
    "count, sum, min, max or mean"
    path: str = ""


def Count() -> Aggregate:  # noqa: N802 - stands among the draws
    """Return how many rows there are."""
    return Aggregate("count")


def Sum(path: str) -> Aggregate:  # noqa: N802
    """Return the exact sum of a field."""
    return Aggregate("sum", path)


def Least(path: str) -> Aggregate:  # noqa: N802
    """Return the smallest value of a field."""
    return Aggregate("min", path)


def Greatest(path: str) -> Aggregate:  # noqa: N802
    """Return the largest value of a field."""
    return Aggregate("max", path)
