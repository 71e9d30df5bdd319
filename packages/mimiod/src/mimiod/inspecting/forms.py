"""What texts look like: known forms such as e-mail addresses, and masks of letters and digits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_MASKS = 16
"Of one field; with more its texts have no common mask."
_LONGEST = 64
_TRIED = 20
"Texts after which a form has to fit nine of ten."
_SHARE = 0.9
_HOPELESS = 3

FORMS = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s.]+",
    "url": r"https?://\S+",
    "uuid": r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "object_id": r"[0-9a-f]{24}",
    "iso_date_time": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?",
    "iso_date": r"\d{4}-\d\d-\d\d",
    "ip_address": r"(\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){2,7}",
    "phone": r"\+\d[\d \-()]{6,18}\d|\(?\d{2,4}\)?[ \-]\d{3,4}[ \-]\d{3,4}",
    "country_code": r"[A-Z]{2}",
    "digits": r"\d+",
    "slug": r"[a-z0-9]+([-.][a-z0-9]+)+",
}
"By name; a text is of a form if the whole of it fits."

_COMPILED = {name: re.compile(form) for name, form in FORMS.items()}
_MASK = {
    **dict.fromkeys(range(ord("0"), ord("9") + 1), "9"),
    **dict.fromkeys(range(ord("a"), ord("z") + 1), "a"),
    **dict.fromkeys(range(ord("A"), ord("Z") + 1), "A"),
}


class Forms:
    """The forms that the texts of one field have."""

    __slots__ = ("_alive", "count", "masks", "prefix")

    def __init__(self) -> None:
        self.count = 0
        self._alive = dict.fromkeys(_COMPILED, 0)
        self.masks: dict[str, int] | None = {}
        "How many have each mask: 9 for a digit, a and A for letters; None where there are too many."
        self.prefix: str | None = None
        "What all begin with."

    def add(self, tally: Mapping[str, int]) -> None:
        """Take in some texts, each as often as is said."""
        texts = list(tally)
        for start, stop in ((0, _TRIED), (_TRIED, len(texts))):
            some = texts[start:stop]
            if some:
                self._add_forms(some, tally)
        one, other = min(texts)[:_LONGEST], max(texts)[:_LONGEST]
        self.prefix = _common(_common(one, other), one if self.prefix is None else self.prefix)
        if self.masks is not None:
            self._add_masks(tally)

    def _add_forms(self, texts: Sequence[str], tally: Mapping[str, int]) -> None:
        self.count += sum(tally[text] for text in texts)
        for name in list(self._alive):
            fits = _COMPILED[name].fullmatch
            self._alive[name] += sum(tally[text] for text in texts if fits(text))
            if self._is_over(name):
                del self._alive[name]

    def _add_masks(self, tally: Mapping[str, int]) -> None:
        assert self.masks is not None
        for text, times in tally.items():
            mask = text.translate(_MASK) if len(text) <= _LONGEST and text.isascii() else None
            if mask is None or (mask not in self.masks and len(self.masks) == MOST_MASKS):
                self.masks = None
                return
            self.masks[mask] = self.masks.get(mask, 0) + times

    def _is_over(self, name: str) -> bool:
        fits = self._alive[name]
        return (self.count >= _TRIED and fits < _SHARE * self.count) or (
            self.count >= _HOPELESS and fits == 0
        )

    def merge(self, other: Forms) -> None:
        """Take in what another did."""
        self.count += other.count
        self._alive = {
            name: fits + other._alive[name] for name, fits in self._alive.items() if name in other._alive
        }
        self.prefix = _common(self.prefix or "", other.prefix or "")
        if self.masks is not None and other.masks is not None:
            for mask, count in other.masks.items():
                self.masks[mask] = self.masks.get(mask, 0) + count
        if other.masks is None or (self.masks is not None and len(self.masks) > MOST_MASKS):
            self.masks = None

    def known(self) -> dict[str, float]:
        """Return the forms that at least nine of ten texts have, each with its share, the closest first."""
        shares = {name: fits / self.count for name, fits in self._alive.items() if fits} if self.count else {}
        return {name: share for name, share in shares.items() if share >= _SHARE}


def _common(one: str, other: str) -> str:
    """Return what two texts begin with."""
    while not other.startswith(one):
        one = one[:-1]
    return one
