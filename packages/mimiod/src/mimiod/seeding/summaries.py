"""Collections that are computed from the rows of another: one document for each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.seeding.frames import Draw, Frame, Scope
from mimiod.seeding.nested import Documents
from mimiod.seeding.relations import UNITS, equals
from mimiod.seeding.values import Identifiers, Integers, Moments, Numbers, Objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.seeding.declaration import Aggregate, Summary
    from mimiod.seeding.plan import Plan
    from mimiod.seeding.values import Column, Index

_ROWS = 16_384
"Root rows that are looked at together."


def summarise(plan: Plan, collection: str, summary: Summary) -> list[bytes]:
    """Return the documents of a computed collection, in the order of what they are grouped by.

    Every row of the source is made again, but only the fields that are asked for.
    """
    groups: dict[tuple[Any, ...], list[Any]] = {}
    shapes: dict[str, type] = {}
    for frame in _frames(plan, summary.source):
        _add(frame, summary, groups, shapes)
    keys = sorted(groups, key=lambda key: tuple((value is None, value) for value in key))
    fields: dict[str, Column] = {
        "_id": Identifiers(np.arange(len(keys), dtype=np.uint64), plan.owner(collection))
    }
    for position, name in enumerate(summary.by):
        fields[name] = Objects([key[position] for key in keys])
    for position, (name, total) in enumerate(summary.totals.items()):
        values = [groups[key][position] for key in keys]
        fields[name] = _finished(total, values, shapes.get(name))
    scope = Scope(plan, collection, "", {})
    fitted = {name: plan.fitted(scope, name, column) for name, column in fields.items()}
    return Documents(fitted, len(keys)).encode()


def _frames(plan: Plan, source: str) -> Iterator[Frame]:
    chain = plan.chain(source)
    rows = plan.rows_of(chain[0])
    step = max(1, min(_ROWS, 4 * plan.rows_per_unit(chain[0])))
    for start in range(0, rows, step):
        frame = Frame(plan.scope(chain[0]), np.arange(start, min(start + step, rows), dtype=np.uint64))
        for collection in chain[1:]:
            frame = frame.children(collection)
        yield frame


def _add(
    frame: Frame, summary: Summary, groups: dict[tuple[Any, ...], list[Any]], shapes: dict[str, type]
) -> None:
    """Count the rows of a frame into the groups."""
    kept = np.ones(len(frame), np.bool_)
    for name, wanted in summary.where.items():
        kept &= equals(frame.column(name), wanted)
    counted = np.flatnonzero(kept)
    codes, values = np.zeros(len(counted), np.int64), []
    for by in summary.by.values():
        column = by.column(frame.place("")) if isinstance(by, Draw) else frame.column(by)
        distinct: dict[Any, int] = {}
        own = [distinct.setdefault(value, len(distinct)) for value in column.take(counted).python()]
        codes = codes * max(1, len(distinct)) + np.array(own, np.int64)
        values.append(list(distinct))
    found, index = np.unique(codes, return_inverse=True)
    partial = [_partial(total, name, frame, counted, index, shapes) for name, total in summary.totals.items()]
    for group, code in enumerate(found.tolist()):
        key: list[Any] = []
        for choices in reversed(values):
            code, position = divmod(code, max(1, len(choices)))  # noqa: PLW2901
            key.insert(0, choices[position])
        row = [numbers[group] for numbers in partial]
        if (known := groups.get(tuple(key))) is None:
            groups[tuple(key)] = row
        else:
            groups[tuple(key)] = [
                _merged(total.how, one, two)
                for total, one, two in zip(summary.totals.values(), known, row, strict=True)
            ]


def _partial(
    total: Aggregate, name: str, frame: Frame, counted: Index, index: Index, shapes: dict[str, type]
) -> list[Any]:
    """Return a number for each group: for a mean the sum and how many; sums in whole units."""
    groups = int(index.max(initial=-1)) + 1
    if total.how == "count":
        return list(np.bincount(index, minlength=groups).tolist())
    column = frame.column(total.path)
    shapes[name] = type(column)
    numbers, there = column.known()
    numbers, there = numbers[counted], there[counted]
    owners, numbers = index[there], numbers[there]
    if total.how in {"sum", "mean"}:
        whole = numbers if numbers.dtype.kind != "f" else np.rint(numbers * UNITS)
        sums = np.zeros(groups, np.int64)
        np.add.at(sums, owners, whole.astype(np.int64))
        if numbers.dtype.kind == "f":
            shapes[name] = Numbers
        if total.how == "sum":
            return list(sums.tolist())
        return list(zip(sums.tolist(), np.bincount(owners, minlength=groups).tolist(), strict=True))
    order = np.lexsort((numbers, owners))
    last = total.how == "max"
    ends = np.searchsorted(owners[order], np.arange(groups), "right" if last else "left") - last
    known = np.bincount(owners, minlength=groups) > 0
    listed = numbers[order].tolist()
    return [listed[end] if there else None for end, there in zip(ends.tolist(), known.tolist(), strict=True)]


def _merged(how: str, one: Any, two: Any) -> Any:
    if how == "mean":
        return one[0] + two[0], one[1] + two[1]
    if how in {"count", "sum"}:
        return one + two
    if one is None or two is None:
        return two if one is None else one
    return min(one, two) if how == "min" else max(one, two)


def _finished(total: Aggregate, values: list[Any], shape: type | None) -> Column:
    if total.how == "count":
        return Integers(np.array(values, np.int64))
    if total.how == "mean":
        unit = UNITS if shape is Numbers else 1
        return Objects([None if not count else round(whole / count / unit, 6) for whole, count in values])
    if total.how == "sum":
        whole = np.array(values, np.int64)
        return Numbers(whole / UNITS) if shape is Numbers else Integers(whole)
    if any(value is None for value in values):
        return Objects(values)
    return shape(np.array(values)) if shape in (Moments, Integers, Numbers) else Objects(values)
