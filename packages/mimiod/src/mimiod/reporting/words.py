"""Numbers, sizes, moments and queries as a reader wants them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mimiod.schema_types import Sample

if TYPE_CHECKING:
    from mimiod.schema_types import IndexDefinition, Query

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDEST_NUMBER = 1e15
_PER_DAY = 1440
_DAY = 86_400


def number(value: float) -> str:
    """Return a number with commas, and no more digits than say something."""
    if value != value or abs(value) >= _WIDEST_NUMBER:  # noqa: PLR0124 - a NaN differs from itself
        return f"{Decimal(value):.3g}"  # also an integer that no float can hold
    if isinstance(value, int) or value.is_integer():
        return f"{value:,.0f}"
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:,.3g}"


def brief(value: float) -> str:
    """Return a number in few letters: `4.8 M`."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e5, "k")):
        if factor <= abs(value) < _WIDEST_NUMBER:
            return f"{value / (1e3 if unit == 'k' else factor):,.3g} {unit}"
    return number(value)


def size(count: float | None) -> str:
    """Return bytes in the unit that suits them; 1 kB is 1,000 bytes."""
    if count is None:
        return "not told"
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:,.2g} {unit}"  # noqa: PLR2004


def share(part: float, whole: float) -> str:
    """Return a share in percent: 0 and 100 only where it is exactly that."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if part in {0, whole}:
        return f"{percent:.0f} %"
    return f"{percent:.0f} %" if 1 <= percent <= 99 else "below 1 %" if percent < 1 else "above 99 %"  # noqa: PLR2004


def moment(seconds: float) -> str:
    """Return seconds since 1970 as a day, or with the time where it is not midnight."""
    try:
        at = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return f"{seconds / 86_400 / 365.2425 + 1970:,.0f}"
    return f"{at:%Y-%m-%d}" if seconds % _DAY == 0 else f"{at:%Y-%m-%d %H:%M}"


def rate(per_minute: float) -> str:
    """Return how often a query is asked: per minute or day, whichever makes a round number."""
    units = ((1, "min"), (_PER_DAY, "day"))
    for factor, unit in units:
        times = round(float(per_minute * factor), 6)
        if times >= 1 and times.is_integer():
            return f"{number(times)} / {unit}"
    factor, unit = next((pair for pair in units if per_minute * pair[0] >= 1), units[-1])
    return f"{number(round(per_minute * factor, 3))} / {unit}"


def counted(count: int, what: str) -> str:
    """Return how many there are of something: `1 note`, `2 notes`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def short(text: str, most: int) -> str:
    """Return a text on one line, cut where it is longer than so many letters."""
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def keys(index: IndexDefinition) -> str:
    """Return an index's fields: `customer_id, applied_at ↓`."""
    return ", ".join(
        path + ({1: "", -1: " ↓"}.get(way, f" {way}") if isinstance(way, int) else f" ({way})")
        for path, way in index.key_pairs()
    )


def options(index: IndexDefinition) -> list[str]:
    """Return what is special about an index, in a few words each."""
    said = index.options()
    words = [word for word in ("unique", "sparse", "hidden") if said.get(word)]
    if index.ttl_seconds is not None:
        words.append(f"removes after {number(index.ttl_seconds)} s")
    if index.partial_filter is not None:
        words.append(f"where {expression(index.partial_filter)}")
    left = said.keys() - {
        "name", "unique", "sparse", "hidden", "expireAfterSeconds", "partialFilterExpression",
    }  # fmt: skip
    words += [f"{name} {expression(said[name])}" for name in sorted(left)]
    return words


def asked(query: Query) -> str:
    """Return what a query asks, as a line; of an update the paths that it changes."""
    parts = []
    if query.filter:
        parts.append(expression(query.filter))
    if query.pipeline:
        parts.append(expression(query.pipeline))
    if query.sort:
        parts.append(f"sort {expression(query.sort)}")
    if query.limit:
        parts.append(f"limit {query.limit}")
    if query.update:
        changes = (
            f"{operator} {', '.join(paths) if isinstance(paths, dict) else expression(paths)}"
            for operator, paths in query.update.items()
        )
        parts.append(f"update {'; '.join(changes)}")
    if query.document:
        parts.append(expression(query.document))
    return " ".join(parts) or "all documents"


def expression(value: Any) -> str:
    """Return a filter or pipeline as JSON; a parameter drawn from the data stands as `<path>`."""
    return json.dumps(_plain(value), ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Sample):
        return f"<{value.path}>"
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
