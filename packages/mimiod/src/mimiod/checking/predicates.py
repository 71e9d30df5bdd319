"""A query's filter as predicates: what each lets an index bound, and what has to be looked at besides.

An interval that an operator leaves open on one side ends with the type of its other side, since MongoDB
compares values of one type only
(https://www.mongodb.com/docs/manual/reference/method/db.collection.find/#query-predicate-conditions).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from bson import MaxKey, MinKey, Regex

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal[
    "point", "points", "range", "prefix", "regex", "exists", "type", "negation", "text", "geo", "near"
]

_RANGES = frozenset({"$gt", "$gte", "$lt", "$lte"})
_UNBOUNDED: Mapping[str, Kind] = {
    "$exists": "exists",
    "$type": "type",
    "$ne": "negation",
    "$nin": "negation",
    "$not": "negation",
    "$near": "near",
    "$nearSphere": "near",
    "$geoWithin": "geo",
    "$geoIntersects": "geo",
    "$within": "geo",
}


@dataclass(frozen=True)
class Interval:
    """The values from `low` to `high`.

    Where one of the two is None it is the end of the other's type; null is the interval of None to None.
    """

    low: Any
    high: Any
    low_inclusive: bool = True
    high_inclusive: bool = True

    def __str__(self) -> str:
        ends = ["MinKey" if isinstance(end, MinKey) else "MaxKey" if isinstance(end, MaxKey) else end
                for end in (self.low, self.high)]  # fmt: skip
        low, high = ("…" if end is None else str(end) for end in ends)
        return f"{'[' if self.low_inclusive else '('}{low}, {high}{']' if self.high_inclusive else ')'}"


EVERYTHING = (Interval(MinKey(), MaxKey()),)


def point(value: Any) -> Interval:
    """Return the interval of one value."""
    return Interval(value, value)


@dataclass(frozen=True)
class Predicate:
    """A condition on one path."""

    path: str
    kind: Kind
    intervals: tuple[Interval, ...] = EVERYTHING
    values: tuple[Any, ...] = ()
    "What it compares with."
    finds_missing: bool = False
    "Whether a document without the path can match."
    exact: bool = True
    "Whether whatever lies in the intervals matches."
    group: int | None = None
    "Predicates of one `$elemMatch` have one number: they hold for one element together."
    array: str = ""
    "The path of that `$elemMatch`."


@dataclass(frozen=True)
class Filter:
    """The conjunction of predicates, of alternatives, and of what no index serves."""

    predicates: tuple[Predicate, ...] = ()
    alternatives: tuple[tuple[Filter, ...], ...] = ()
    "Each `$or` by its branches."
    opaque: tuple[str, ...] = ()
    "Operators and paths that only a look at the document decides."

    @property
    def is_empty(self) -> bool:
        """Whether every document matches."""
        return not (self.predicates or self.alternatives or self.opaque)

    def joined(self, other: Filter) -> Filter:
        """Return the conjunction with another."""
        return Filter(
            self.predicates + other.predicates,
            self.alternatives + other.alternatives,
            self.opaque + other.opaque,
        )


def parse(query_filter: Mapping[str, Any]) -> Filter:
    """Return what a filter says; what it does not know is opaque and never an error."""
    return _conjunction(query_filter, "", count())


def _conjunction(conditions: Mapping[str, Any], prefix: str, groups: Iterator[int]) -> Filter:
    whole = Filter()
    for name, condition in conditions.items():
        if not name.startswith("$"):
            part = _at_path(f"{prefix}{name}", condition, groups)
        elif name == "$and":
            part = Filter()
            for each in condition:
                part = part.joined(_conjunction(each, prefix, groups))
        elif name == "$or":
            branches = tuple(_conjunction(each, prefix, groups) for each in condition)
            part = branches[0] if len(branches) == 1 else Filter(alternatives=(branches,))
        elif name == "$text":
            part = Filter((Predicate("", "text", exact=False),))
        elif name == "$comment":
            part = Filter()
        else:  # $expr, $where, $nor, $jsonSchema …
            part = Filter(opaque=(name,))
        whole = whole.joined(part)
    return whole


def _at_path(path: str, condition: Any, groups: Iterator[int]) -> Filter:
    if isinstance(condition, re.Pattern | Regex):
        return Filter((_regex(path, condition.pattern, _flags(condition)),))
    if not (isinstance(condition, Mapping) and condition and all(str(key)[:1] == "$" for key in condition)):
        return Filter(_equal(path, condition))
    whole = Filter()
    for operator, operand in condition.items():
        if operator == "$elemMatch":
            whole = whole.joined(_elem_match(path, operand, groups))
        elif operator == "$all":
            for each in operand:
                whole = whole.joined(_at_path(path, each, groups))
        elif operator == "$regex":
            pattern = operand if isinstance(operand, str) else operand.pattern
            flags = "" if isinstance(operand, str) else _flags(operand)
            whole = whole.joined(Filter((_regex(path, pattern, flags + condition.get("$options", "")),)))
        elif operator not in {"$options", "$maxDistance", "$minDistance"}:
            whole = whole.joined(_operator(path, operator, operand))
    return whole


def _operator(path: str, operator: str, operand: Any) -> Filter:
    if operator == "$eq":
        return Filter(_equal(path, operand))
    if operator == "$in":
        return Filter((_any_of(path, operand),))
    if operator in _RANGES:
        return _range(path, operator, operand)
    if operator in _UNBOUNDED:
        kind = _UNBOUNDED[operator]
        # {$ne: null} finds only what has the field.
        missing = kind == "negation" and not (operator == "$ne" and operand is None)
        missing = missing or (kind == "exists" and not operand)
        return Filter((Predicate(path, kind, values=(operand,), finds_missing=missing, exact=False),))
    return Filter(opaque=(path,))  # $mod, $size, $bitsAllSet …


def _range(path: str, operator: str, operand: Any) -> Filter:
    if operand is None:  # only null is as great as null
        return Filter(_equal(path, None)) if operator.endswith("e") else Filter(opaque=(path,))
    if operator.startswith("$g"):
        bounds = Interval(operand, None, low_inclusive=operator == "$gte")
    else:
        bounds = Interval(None, operand, high_inclusive=operator == "$lte")
    return Filter((Predicate(path, "range", (bounds,), (operand,)),))


def _equal(path: str, value: Any) -> tuple[Predicate, ...]:
    if isinstance(value, list | tuple):
        # The array itself, or an element that is such an array: bounds on its first element find both.
        if not value:
            return (Predicate(path, "type", exact=False),)
        intervals = (point(value[0]), point(list(value)))
        return (Predicate(path, "points", intervals, (value,), exact=False),)
    return (Predicate(path, "point", (point(value),), (value,), finds_missing=value is None),)


def _any_of(path: str, values: Any) -> Predicate:
    if not isinstance(values, list | tuple):  # one Sample stands for the list
        return Predicate(path, "points", (point(values),), (values,))
    if any(isinstance(value, re.Pattern | Regex | list | tuple) for value in values):
        return Predicate(path, "regex", values=tuple(values), exact=False)
    kind: Kind = "point" if len(values) == 1 else "points"
    intervals = tuple(point(value) for value in values)
    return Predicate(path, kind, intervals, tuple(values), finds_missing=None in values)


def _elem_match(path: str, operand: Mapping[str, Any], groups: Iterator[int]) -> Filter:
    group = next(groups)
    of_values = all(name.startswith("$") and name not in {"$and", "$or", "$nor"} for name in operand)
    inner = _at_path(path, operand, groups) if of_values else _conjunction(operand, f"{path}.", groups)
    marked = tuple(
        each if each.group is not None else replace(each, group=group, array=path)
        for each in inner.predicates
    )
    # A branch of an $or in an $elemMatch cannot be taken apart from its siblings.
    opaque = inner.opaque + ((path,) if inner.alternatives else ())
    return Filter(marked, opaque=opaque)


def _regex(path: str, pattern: str, flags: str) -> Predicate:
    start = "" if set(flags) & set("imx") else _literal_start(pattern)
    if not start:
        return Predicate(path, "regex", (Interval("", None),), (pattern,), exact=False)
    after = start[:-1] + chr(ord(start[-1]) + 1)
    whole = pattern == f"^{start}"
    bounds = (Interval(start, after, high_inclusive=False),)
    return Predicate(path, "prefix", bounds, (pattern,), exact=whole)


def _literal_start(pattern: str) -> str:
    """Return the text that whatever matches begins with.

    https://www.mongodb.com/docs/manual/reference/operator/query/regex/#index-use
    """
    if not pattern.startswith("^") or "|" in pattern:
        return ""
    literal = re.match(r"[^\\^$.|?*+()\[\]{}]*", pattern[1:])
    start = literal.group() if literal else ""
    optional = pattern[1 + len(start) :][:1] in {"?", "*", "{"}
    return start[:-1] if optional else start


def _flags(pattern: Any) -> str:
    flags = pattern.flags
    return "".join(
        letter
        for letter, flag in (("i", re.IGNORECASE), ("m", re.MULTILINE), ("x", re.VERBOSE))
        if flags & flag
    )
