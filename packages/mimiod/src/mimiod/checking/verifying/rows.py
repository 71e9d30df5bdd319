"""The rows that a total is computed over: what each of them adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.checking.existing import values_at
from mimiod.checking.verifying.values import canonical, getter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.schema_types import Computed


def contribution(mark: Computed, source: str) -> Callable[[Any], list[Any]]:
    """Return the function that finds what a row (a document, or any item of an array) adds to a total.

    `source` is the collection or the array that the rows are of, which stands before the mark's paths.
    """
    field = mark.of.removeprefix(source).removeprefix(".")
    conditions = [(getter(name), _any_of(wanted)) for name, wanted in mark.conditions.items()]
    by = getter(mark.by.removeprefix(f"{source}."))
    read = getter(field)

    def counts(row: Any) -> bool:
        if not conditions:
            return True
        return isinstance(row, dict) and all(canonical(get(row)) in wanted for get, wanted in conditions)

    match mark.how:
        case "count":
            return lambda row: [True] if counts(row) else []
        case "sum" | "min" | "max":
            return lambda row: [canonical(value) for value in values_at(row, field)] if counts(row) else []

    def moment_and_value(row: Any) -> list[Any]:
        moment = by(row) if isinstance(row, dict) else None
        return [(canonical(moment), canonical(read(row)))] if moment is not None and counts(row) else []

    return moment_and_value


def _any_of(wanted: Any) -> list[Any]:
    several = isinstance(wanted, list | tuple | set | frozenset)
    return [canonical(value) for value in (wanted if several else [wanted])]
