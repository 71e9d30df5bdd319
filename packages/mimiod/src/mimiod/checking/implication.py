"""Whether a query finds only documents that a partial index holds.

The server uses a partial index only where the query's conditions guarantee its filter
(https://www.mongodb.com/docs/manual/core/index-partial/#query-coverage).
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from mimiod.checking.predicates import Filter, Interval, Predicate, parse
from mimiod.schema_types import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def implies(predicates: Sequence[Predicate], partial_filter: Mapping[str, Any]) -> bool:
    """Return whether whatever satisfies all of the predicates matches the filter."""
    return _implies(predicates, parse(partial_filter))


def answered(predicates: Sequence[Predicate], partial_filter: Mapping[str, Any]) -> list[Predicate]:
    """Return the predicates that every document of a partial index satisfies."""
    held = {(each.path, each.kind, each.intervals) for each in parse(partial_filter).predicates}
    return [each for each in predicates if each.exact and (each.path, each.kind, each.intervals) in held]


def _implies(predicates: Sequence[Predicate], wanted: Filter) -> bool:
    return (
        not wanted.opaque
        and all(any(_covers(each, clause) for each in predicates) for clause in wanted.predicates)
        and all(any(_implies(predicates, branch) for branch in branches) for branches in wanted.alternatives)
    )


def _covers(predicate: Predicate, clause: Predicate) -> bool:
    """Return whether one predicate of the query is enough for one clause of the filter."""
    if predicate.path != clause.path:
        return False
    if clause.kind == "exists":
        if clause.values == (False,):
            return predicate.kind == "exists" and predicate.values == (False,)
        return not predicate.finds_missing
    if clause.kind == "type":
        return predicate.kind == "type" and predicate.values == clause.values
    if not predicate.exact and predicate.kind != "prefix":
        return False
    return clause.kind in {"point", "points", "range"} and all(
        any(_within(interval, outer) for outer in clause.intervals) for interval in predicate.intervals
    )


def _within(inner: Interval, outer: Interval) -> bool:
    if inner == outer:
        return True
    if _is_sample(inner.low) or _is_sample(inner.high):
        # The value is known at run time only, but no value of a type lies below its least.
        return outer.high is None and outer.low in {"", b""} and inner.low == inner.high
    return _starts_after(inner, outer) and _ends_before(inner, outer)


def _starts_after(inner: Interval, outer: Interval) -> bool:
    if outer.low is None:
        return _same_type(inner.low if inner.low is not None else inner.high, outer.high)
    if inner.low is None:
        return False
    strict = inner.low_inclusive and not outer.low_inclusive
    return _compared(operator.gt if strict else operator.ge, inner.low, outer.low)


def _ends_before(inner: Interval, outer: Interval) -> bool:
    if outer.high is None:
        return _same_type(inner.high if inner.high is not None else inner.low, outer.low)
    if inner.high is None:
        return False
    strict = inner.high_inclusive and not outer.high_inclusive
    return _compared(operator.lt if strict else operator.le, inner.high, outer.high)


def _compared(comparison: Any, one: Any, other: Any) -> bool:
    try:
        return _same_type(one, other) and bool(comparison(one, other))
    except TypeError:
        return False


def _same_type(one: Any, other: Any) -> bool:
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return type(one) is type(other)
    return type(one) is type(other) or (isinstance(one, numbers) and isinstance(other, numbers))


def _is_sample(value: Any) -> bool:
    return isinstance(value, Sample)
