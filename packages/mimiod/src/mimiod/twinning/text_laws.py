"""The laws of texts: their lengths and forms, and never a text that the source may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.twinning.disclosure import PERSONAL_FORMS
from mimiod.twinning.quantiles import measured
from mimiod.twinning.texts import ALPHABETS, capacity, first_place, start_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mimiod.inspecting.facts import FieldFacts
    from mimiod.twinning.gauges import Gauge

_MOSTLY = 0.9
_SELDOM = 0.001
_FORMS = PERSONAL_FORMS | {"digits", "slug"}
_MASKED_FORMS = frozenset({"", "digits", "phone"})

Law = dict[str, Any]


def text_law(gauge: Gauge, k: int, rows: int, times: int, *, unique: bool, distinct: int | None) -> Law:
    """Return the law of texts of which none may be told.

    Args:
        gauge: what was measured of them.
        k: how many documents have to share what is told.
        rows: how many documents the twin has.
        times: how often one document may have the same text.
        unique: whether they have to differ.
        distinct: how many different ones there are; None where hardly any repeats.
    """
    assert gauge.lengths is not None
    texts = gauge.kinds["text"]
    lengths = measured(gauge.lengths.sample(), k, step=1, times=times).told()
    law: Law = {"kind": "text", "length": lengths, "distinct": distinct, "unique": unique}
    form = next((each for each in gauge.facts.forms if each in _FORMS), "")
    if form in _MASKED_FORMS and (masks := _masked(gauge, k, rows, unique=unique)):
        return {**law, "form": "mask", **masks}
    law["form"] = form or "words"
    law["spaced"] = gauge.spaced > texts / 2
    law["case"] = (
        "upper" if gauge.upper > texts / 2 else "lower" if gauge.lower > texts / 2 else
        "capital" if gauge.capital > texts / 2 else "lower"
    )  # fmt: skip
    return law


def _masked(gauge: Gauge, k: int, rows: int, *, unique: bool) -> Law | None:
    """Return the masks of the texts, and what all begin with, where enough documents share these."""
    facts = gauge.facts
    masks = {mask: count for mask, count in (facts.masks or {}).items() if count >= k and _is_code(mask)}
    if not masks or sum(masks.values()) < _MOSTLY * sum((facts.masks or {}).values()):
        return None
    prefix = _prefix(facts, k)
    place = first_place(masks, len(prefix))
    unused = "" if place is None else _unused(gauge, next(iter(masks))[place])
    room = min(capacity(mask[len(prefix) :], unused) for mask in masks)
    if unused and room >= (rows if unique else gauge.count):
        return {"masks": _shares(masks), "prefix": prefix, "first": unused}
    if gauge.count * rows > _SELDOM * min(capacity(mask[len(prefix) :]) for mask in masks):
        masks = _longer(masks, len(prefix), rows if unique else 0)
    return {"masks": _shares(masks), "prefix": prefix, "first": ""}


def _is_code(mask: str) -> bool:
    """Return whether a mask has more than letters, as codes have and names have not."""
    return not mask.isalpha() and capacity(mask) > 1


def _prefix(facts: FieldFacts, k: int) -> str:
    """Return what all texts begin with, up to the first digit, where they are enough."""
    return facts.prefix[: start_of(facts.prefix)] if min(facts.distinct, facts.values) >= k else ""


def _unused(gauge: Gauge, kind: str) -> str:
    """Return the letters or digits that no text of the source has at the first place that is drawn."""
    return "".join(letter for letter in ALPHABETS.get(kind, "") if letter not in gauge.leads)


def _longer(masks: Mapping[str, int], start: int, rows: int) -> dict[str, int]:
    """Return masks with more digits: of texts that the source cannot have, and of so many as are needed."""
    found: dict[str, int] = {}
    for mask, count in masks.items():
        longer = mask[:start] + "9" + mask[start:]
        while longer in masks or longer in found or capacity(longer[start:]) < rows:
            longer = mask[:start] + "9" + longer[start:]
        found[longer] = count
    return found


def _shares(masks: Mapping[str, int]) -> list[list[Any]]:
    total = sum(masks.values())
    return [[mask, round(count / total, 6)] for mask, count in masks.items()]
