"""The small charts of a field's values, as a template draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod.reporting import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mimiod.reporting.distributions import PathData
    from mimiod.reporting.histograms import Histogram

WIDTH = 220
HEIGHT = 44
"Of a histogram."
MOST_BARS = 7
"Kinds of values with a bar of their own; the last bar holds the others together."
FEW = 6
"Different texts that are shown one by one however seldom each is."

_LONGEST = 24
_FEWEST_WIDTHS = 4
"A bar is as wide as a quarter of the chart at most."
_TWO_DAYS = 172_800


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram."""

    left: float
    top: float
    width: float
    height: float
    count: int
    text: str


@dataclass(frozen=True)
class HistogramChart:
    """Numbers, moments, lengths: a bar for each range of values."""

    what: str
    "values, elements or characters"
    bars: tuple[Bar, ...]
    "None where all values are the same."
    low: str
    high: str
    mean: str
    label: str
    "What a reader who does not see it is told."
    kind: str = "histogram"


@dataclass(frozen=True)
class KindBar:
    """One kind of value."""

    text: str
    count: int
    width: float
    share: str


@dataclass(frozen=True)
class KindsChart:
    """Texts and booleans: a bar for each."""

    bars: tuple[KindBar, ...]
    label: str
    kind: str = "kinds"


def charts_of(data: PathData) -> list[HistogramChart | KindsChart]:
    """Return the charts of a field: lengths of arrays, numbers, moments, kinds or lengths of texts."""
    found: list[HistogramChart | KindsChart] = []
    if data.elements.count:
        found.append(_histogram(data.elements, "elements", words.brief))
    if data.numbers.count:
        found.append(_histogram(data.numbers, "values", words.brief))
    if data.moments.count:
        found.append(_histogram(data.moments, "moments", words.moment))
    counted = sum((data.kinds or {}).values())
    if data.kinds and len(data.kinds) <= max(FEW, counted / 2):
        found.append(_kinds(data.kinds, counted))
    elif data.lengths.count:
        found.append(_histogram(data.lengths, "characters", words.brief))
    return found


def _histogram(histogram: Histogram, what: str, said: Callable[[float], str]) -> HistogramChart:
    low, high, mean = said(histogram.low), said(histogram.high), said(histogram.mean)
    counted = f"{histogram.count:,} {what}"
    if histogram.low == histogram.high:
        return HistogramChart(what, (), low, high, mean, f"{counted}, all {low}")
    if histogram.of_moments and histogram.high - histogram.low > _TWO_DAYS:
        low, high, mean = (text.partition(" ")[0] for text in (low, high, mean))
    bins = histogram.bins()
    most = max(each.count for each in bins)
    width = WIDTH / max(len(bins), _FEWEST_WIDTHS)
    each_one = bins[0].high - bins[0].low == 1 and not histogram.of_moments
    bars = tuple(
        Bar(
            left=number * width,
            top=HEIGHT - _tall(each.count, most),
            width=max(width - 1, 1),
            height=_tall(each.count, most),
            count=each.count,
            text=f"{said(each.low)}{'' if each_one else f' to {said(each.high)}'}: {each.count:,}",
        )
        for number, each in enumerate(bins)
    )
    fullest = max(bins, key=lambda each: each.count)
    label = (
        f"{counted} from {low} to {high}, mean {mean}; "
        f"most, {fullest.count:,}, from {said(fullest.low)} to below {said(fullest.high)}"
    )
    return HistogramChart(what, bars, low, high, mean, label)


def _tall(count: int, most: int) -> float:
    """Return the height of a bar; one that holds anything can be seen."""
    return max(HEIGHT * count / most, 1.5) if count else 0.0


def _kinds(kinds: Mapping[str, int], total: int) -> KindsChart:
    ranked = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    if len(ranked) > MOST_BARS:
        others = ranked[MOST_BARS - 1 :]
        ranked = [*ranked[: MOST_BARS - 1], (f"{len(others)} others", sum(count for _, count in others))]
    most = max(count for _, count in ranked)
    bars = tuple(
        KindBar(
            words.short(text, _LONGEST) or "(empty)", count, WIDTH * count / most, words.share(count, total)
        )
        for text, count in ranked
    )
    return KindsChart(bars, "; ".join(f"{bar.text}: {bar.count:,}" for bar in bars))
