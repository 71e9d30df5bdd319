"""The entity diagram: boxes for collections, lines for references, as a template draws them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod.reporting.layers import lay_out
from mimiod.reporting.words import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mimiod.reporting.entities import Entity, Link
    from mimiod.reporting.layers import Layout, Place

MOST_ROWS = 12
"Of one box; it says how many more there are."

_MARGIN = 28
_HEADER = 30
_ROW = 19
_FOOT = 8
_BETWEEN = 84
"Between two rows of boxes, where the lines bend."
_LETTER = 6.7
"The width of a letter, about."
_WIDEST = 300
_NARROWEST = 130
_LABEL = 12
_BELOW, _ABOVE = 17, -9
"The text at a line's end, from the box that it ends at."
_APART = 4
"Of two lines between the same boxes, one each way: each from the middle between them."


@dataclass(frozen=True)
class Row:
    """A line of text in a box."""

    text: str
    aside: str
    "At the right: a cardinality, or the collection that is referred to."
    kind: str
    "reference, embedded or more."
    top: float


@dataclass(frozen=True)
class Box:
    """A collection."""

    name: str
    left: float
    top: float
    width: float
    height: float
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Line:
    """A reference."""

    path: str
    "As SVG has it, from the referring box to the one that is named."
    text: str
    "All of it in words."
    labels: tuple[tuple[float, float, str, str], ...]
    "Horizontal and vertical place, anchor and text of the cardinality at each end."


@dataclass(frozen=True)
class Diagram:
    """Boxes and lines, and how much room they take."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass
class _Line:
    """A line on its way to be drawn."""

    links: list[Link]
    way: list[Place]
    "From the top."
    points_up: bool
    start: float = 0
    "Horizontally, at the upper box."
    end: float = 0


def draw(entities: Sequence[Entity]) -> Diagram:
    """Return the diagram of these collections, those that others refer to above the others."""
    rows = {entity.name: _rows(entity) for entity in entities}
    widths = {entity.name: _width(entity.name, rows[entity.name]) for entity in entities}
    together: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for entity in entities:
        for link in entity.links:
            together[link.source, link.target].append(link)
    layout = lay_out(widths, together)
    tops, height = _tops(layout, rows)
    boxes = tuple(
        Box(place.key, place.left + _MARGIN, tops[place.row], place.width, _height(rows[place.key]),
            rows[place.key])
        for row in layout.rows
        for place in row
        if not place.is_held
    )  # fmt: skip
    by_name = {box.name: box for box in boxes}
    lines = [
        _Line(links, layout.ways.get((target, source)) or layout.ways[source, target],
              (target, source) in layout.ways)
        for (source, target), links in together.items()
        if source != target
    ]  # fmt: skip
    _spread(lines)
    drawn = [_drawn(line, by_name, tops, layout, rows) for line in lines]
    loops = [_loop(by_name[a], links) for (a, b), links in together.items() if a == b]
    return Diagram(layout.width + 2 * _MARGIN + 20, height, boxes, (*drawn, *loops))


def _rows(entity: Entity) -> tuple[Row, ...]:
    said = [(link.path, f"→ {link.target}", "reference") for link in entity.links]
    said += [(each.path, each.count, "embedded") for each in entity.embedded]
    if len(said) > MOST_ROWS:
        said = [*said[: MOST_ROWS - 1], (f"and {len(said) - MOST_ROWS + 1} more", "", "more")]
    return tuple(
        Row(short(text, 22), short(aside, 22), kind, _HEADER + _ROW * number)
        for number, (text, aside, kind) in enumerate(said)
    )


def _width(name: str, rows: tuple[Row, ...]) -> float:
    letters = max([1.15 * len(short(name, 28)), *(len(row.text) + len(row.aside) + 4 for row in rows)])
    return min(_WIDEST, max(_NARROWEST, letters * _LETTER))


def _height(rows: tuple[Row, ...]) -> float:
    return _HEADER + _ROW * len(rows) + (_FOOT if rows else 0)


def _tops(layout: Layout, rows: dict[str, tuple[Row, ...]]) -> tuple[list[float], float]:
    """Return where each row of boxes begins, and where the last ends."""
    tops, top = [], float(_MARGIN)
    for row in layout.rows:
        tops.append(top)
        top += _row_height(row, rows) + _BETWEEN
    return tops, top - _BETWEEN + _MARGIN


def _row_height(row: list[Place], rows: dict[str, tuple[Row, ...]]) -> float:
    return max(_height(rows[place.key]) for place in row if not place.is_held)


def _spread(lines: list[_Line]) -> None:
    """Give the lines at one side of a box a place each, in the order of where they lead."""
    above: dict[str, list[_Line]] = defaultdict(list)
    below: dict[str, list[_Line]] = defaultdict(list)
    for line in lines:
        above[line.way[0].key].append(line)
        below[line.way[-1].key].append(line)
    for side in above.values():
        box = side[0].way[0]
        for number, line in enumerate(sorted(side, key=lambda line: line.way[1].middle), 1):
            line.start = box.left + box.width * number / (len(side) + 1)
    for side in below.values():
        box = side[0].way[-1]
        for number, line in enumerate(sorted(side, key=lambda line: line.way[-2].middle), 1):
            line.end = box.left + box.width * number / (len(side) + 1)


def _drawn(
    line: _Line, boxes: dict[str, Box], tops: list[float], layout: Layout, rows: dict[str, tuple[Row, ...]]
) -> Line:
    upper, lower = boxes[line.way[0].key], boxes[line.way[-1].key]
    points = [(line.start + _MARGIN, upper.top + upper.height)]
    first_row = tops[line.way[0].row] + _row_height(layout.rows[line.way[0].row], rows)
    points.append((line.start + _MARGIN, first_row))
    aside = _MARGIN + (_APART if line.points_up else -_APART)
    for held in line.way[1:-1]:
        x, top = held.middle + aside, tops[held.row]
        points += [(x, top), (x, top + _row_height(layout.rows[held.row], rows))]
    points.append((line.end + _MARGIN, lower.top))
    at_upper = _label(points[0], points[2], _BELOW)
    at_lower = _label(points[-1], points[-2], _ABOVE)
    if line.points_up:
        points.reverse()
    link = line.links[0]
    ends = (link.named, link.referring) if line.points_up else (link.referring, link.named)
    return Line(_curve(points), _in_words(line.links), ((*at_upper, ends[0]), (*at_lower, ends[1])))


def _label(at: tuple[float, float], towards: tuple[float, float], lower: float) -> tuple[float, float, str]:
    """Return where the text at a line's end stands: on the side that the line does not bend to."""
    (x, y), bends_right = at, towards[0] > at[0]
    return (x - 4, y + lower, "end") if bends_right else (x + 4, y + lower, "start")


def _curve(points: list[tuple[float, float]]) -> str:
    """Return a line through the points that leaves and reaches each vertically."""
    (x, y), *rest = points
    path = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        if abs(to_x - x) < 1 and abs(to_y - y) < 1:
            continue
        if abs(to_x - x) < 1:
            path += f"L{to_x:.1f} {to_y:.1f}"
        else:
            middle = (y + to_y) / 2
            path += f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    return path


def _loop(box: Box, links: list[Link]) -> Line:
    """Return the line of a collection that refers to itself, at the right of its box."""
    right, top = box.left + box.width, box.top + 9
    low, out = top + 24, right + 34
    path = f"M{right:.1f} {low:.1f}C{out:.1f} {low:.1f} {out:.1f} {top:.1f} {right:.1f} {top:.1f}"
    labels = (
        (right + 4, top + 24 + _LABEL, "start", links[0].referring),
        (right + 4, top - 4, "start", links[0].named),
    )
    return Line(path, _in_words(links), labels)


def _in_words(links: list[Link]) -> str:
    return "; ".join(
        f"{link.source}.{link.path} names {link.named} of {link.target}, "
        f"each named by {link.referring} of {link.source}"
        for link in links
    )
