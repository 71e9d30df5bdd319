"""A layered layout of boxes: which row each stands in, in which order, and where.

After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures"
(1981): rows, places held in the rows that a line passes, an order by the mean of the neighbours, and
positions as near to the neighbours as the order allows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_IN_A_ROW = 4
GAP = 36
"Between the boxes of a row."
HELD = 14
"The width of the place that is held for a line."

_SWEEPS = 12


@dataclass
class Place:
    """A box in a row, or the place of a line that passes the row."""

    key: str
    width: float
    row: int = 0
    left: float = 0
    is_held: bool = False

    @property
    def middle(self) -> float:
        """Its horizontal middle."""
        return self.left + self.width / 2


@dataclass
class Layout:
    """The rows from top to bottom, and the way of each line through them."""

    rows: list[list[Place]] = field(default_factory=list)
    ways: dict[tuple[str, str], list[Place]] = field(default_factory=dict)
    "Of each pair, upper and lower: both boxes and the places between them, from the top."

    @property
    def width(self) -> float:
        """From the leftmost to the rightmost box."""
        return max((place.left + place.width for row in self.rows for place in row), default=0)


def lay_out(widths: Mapping[str, float], pairs: Iterable[tuple[str, str]]) -> Layout:
    """Place boxes of these widths so that of each pair (from, to) the box that is pointed at stands above.

    Where the pairs make a circle, the box that more point at stands above.
    """
    known = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
    order = _by_importance(list(widths), known)
    downward = list(
        dict.fromkeys((b, a) if order.index(a) > order.index(b) else (a, b) for a, b in known)
    )  # (upper, lower)
    places = {key: Place(key, width) for key, width in widths.items()}
    _assign_rows(order, downward, places)
    layout = Layout([[] for _ in range(max((place.row for place in places.values()), default=-1) + 1)])
    for key in widths:
        layout.rows[places[key].row].append(places[key])
    for upper, lower in downward:
        layout.ways[upper, lower] = _way(places[upper], places[lower], layout.rows)
    neighbours = _neighbours(layout.ways.values())
    _order(layout.rows, neighbours)
    _position(layout.rows, neighbours)
    return layout


def _by_importance(keys: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the boxes, those that others point at before those that point at others."""
    left = list(keys)
    first: list[str] = []
    last: list[str] = []
    while left:
        among = [(a, b) for a, b in pairs if a in left and b in left]
        out = {key: sum(a == key for a, _ in among) for key in left}
        into = {key: sum(b == key for _, b in among) for key in left}
        chosen = next((key for key in left if not out[key]), None)
        if chosen is None:
            chosen = next((key for key in reversed(left) if not into[key]), None)
            if chosen is not None:
                last.insert(0, chosen)
                left.remove(chosen)
                continue
            chosen = max(left, key=lambda key: sum(b == key for _, b in pairs))
        first.append(chosen)
        left.remove(chosen)
    return first + last


def _assign_rows(order: list[str], downward: list[tuple[str, str]], places: dict[str, Place]) -> None:
    taken: dict[int, int] = defaultdict(int)
    for key in order:
        row = max((places[upper].row + 1 for upper, lower in downward if lower == key), default=0)
        while taken[row] >= MOST_IN_A_ROW:
            row += 1
        places[key].row = row
        taken[row] += 1


def _way(upper: Place, lower: Place, rows: list[list[Place]]) -> list[Place]:
    held = []
    for row in range(upper.row + 1, lower.row):
        place = Place(f"{upper.key} {lower.key}", HELD, row, is_held=True)
        rows[row].append(place)
        held.append(place)
    return [upper, *held, lower]


def _neighbours(ways: Iterable[list[Place]]) -> dict[int, list[Place]]:
    """Return by a place's identity those that a line leads to in the rows above and below."""
    found: dict[int, list[Place]] = defaultdict(list)
    for way in ways:
        for one, two in pairwise(way):
            found[id(one)].append(two)
            found[id(two)].append(one)
    return found


def _order(rows: list[list[Place]], neighbours: Mapping[int, list[Place]]) -> None:
    """Order each row by the mean place of its neighbours in the row that was ordered before."""
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for number in range(len(rows)) if downwards else reversed(range(len(rows))):
            beside = number - 1 if downwards else number + 1
            if not 0 <= beside < len(rows):
                continue
            at = {id(place): spot / len(rows[beside]) for spot, place in enumerate(rows[beside])}
            means = {}
            for spot, place in enumerate(rows[number]):
                found = [at[id(other)] for other in neighbours.get(id(place), ()) if id(other) in at]
                means[id(place)] = sum(found) / len(found) if found else spot / len(rows[number])
            rows[number].sort(key=lambda place: means[id(place)])


def _position(rows: list[list[Place]], neighbours: Mapping[int, list[Place]]) -> None:
    for row in rows:
        _settle(row, [0.0] * len(row))
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            wanted = []
            for place in row:
                found = [other.middle for other in neighbours.get(id(place), ())]
                middle = sum(found) / len(found) if found else place.middle
                wanted.append(middle - place.width / 2)
            _settle(row, wanted)
    leftmost = min((place.left for row in rows for place in row), default=0)
    for row in rows:
        for place in row:
            place.left -= leftmost


def _settle(row: list[Place], wanted: Sequence[float]) -> None:
    """Place a row in its order as near as may be to where each wants to stand: least squares."""
    offsets, offset = [], 0.0
    for place in row:
        offsets.append(offset)
        offset += place.width + (GAP if not place.is_held else GAP / 2)
    # Pools of places that stand side by side: the sum of where they want to be, and how many.
    pools: list[list[float]] = []
    for each, shift in zip(wanted, offsets, strict=True):
        pools.append([each - shift, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    settled = [total / count for total, count in pools for _ in range(int(count))]
    for place, start, shift in zip(row, settled, offsets, strict=True):
        place.left = start + shift
