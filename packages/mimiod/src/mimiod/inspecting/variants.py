"""What decides which fields a document has: the value of another field, or when it was written."""

from __future__ import annotations

import re
from collections import Counter as Tally
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Skeleton = dict[str, tuple[str, Any]]
"What is remembered of a document: of each field its type, and its value where that is short."

MOST_VARIANTS = 20
LEAST_DOCUMENTS = 20
"Fewer say nothing."

_PURE = 0.02
"Of the documents of a variant: so many may be otherwise."
_LEAST_OF_VARIANT = 3
_KIND = re.compile(
    r"(?i)_?(t|type|kind|class|cls|category|event|variant|discriminator|.*(_type|_kind|Type|Kind))"
)


@dataclass(frozen=True)
class Variants:
    """The shapes of documents, split by the value of a field."""

    field: str
    shapes: Mapping[Any, Sequence[str]]
    "By that value: which of the fields `decided` there are."
    decided: Sequence[str]
    "The fields that are there with some values and not with others."


@dataclass(frozen=True)
class Drift:
    """A field that documents have, have no longer, or have as another type, from some moment on."""

    field: str
    change: str
    "`appears`, `disappears` or `becomes`."
    at: datetime
    exceptions: int
    "Of the documents that were remembered: so many do not fit."
    kinds: Sequence[str] = ()
    "Of `becomes`: the type before, and the one after."


def variants_of(skeletons: Sequence[Skeleton]) -> Variants | None:
    """Return the field whose value decides which other fields there are, if one does."""
    if len(skeletons) < LEAST_DOCUMENTS:
        return None
    presence = Tally(name for each in skeletons for name in each)
    optional = [name for name, count in presence.items() if count < len(skeletons)]
    if not optional:
        return None
    best: tuple[tuple[Any, ...], Variants] | None = None
    for name, count in presence.items():
        if count < len(skeletons) or not _may_decide(name, skeletons):
            continue
        found = _decided_by(name, [other for other in optional if other != name], skeletons)
        if found is None:
            continue
        named = bool(_KIND.fullmatch(name))
        if len(found.decided) < (1 if named else 2):
            continue
        rank = (len(found.decided), named, -len(found.shapes))
        if best is None or rank > best[0]:
            best = rank, found
    return best[1] if best else None


def _may_decide(name: str, skeletons: Sequence[Skeleton]) -> bool:
    values: set[Any] = set()
    for each in skeletons:
        kind, value = each[name]
        if kind not in {"string", "int", "bool"} or value is None:
            return False
        values.add(value)
        if len(values) > MOST_VARIANTS:
            return False
    return len(values) > 1


def _decided_by(name: str, optional: Sequence[str], skeletons: Sequence[Skeleton]) -> Variants | None:
    groups: dict[Any, list[Skeleton]] = {}
    for each in skeletons:
        groups.setdefault(each[name][1], []).append(each)
    if len({type(value) for value in groups}) > 1:
        return None
    if min(map(len, groups.values())) < _LEAST_OF_VARIANT:
        return None
    decided: list[str] = []
    shapes: dict[Any, list[str]] = {value: [] for value in groups}
    for other in optional:
        shares = {value: sum(other in each for each in group) / len(group) for value, group in groups.items()}
        if not all(share <= _PURE or share >= 1 - _PURE for share in shares.values()):
            continue
        if len({share > _PURE for share in shares.values()}) < 2:  # noqa: PLR2004 - there and not there
            continue
        decided.append(other)
        for value, share in shares.items():
            if share > _PURE:
                shapes[value].append(other)
    return Variants(name, dict(sorted(shapes.items(), key=lambda pair: str(pair[0]))), decided)


def drifts_of(skeletons: Sequence[Skeleton]) -> tuple[str | None, list[Drift]]:
    """Return the date that documents are ordered by, and what changed in their shape with time."""
    when = _date_field(skeletons)
    if when is None or len(skeletons) < LEAST_DOCUMENTS:
        return when, []
    dated = (each for each in skeletons if when in each and each[when][1] is not None)
    ordered = sorted(dated, key=lambda each: each[when][1])
    names = {name for each in ordered for name in each} - {when}
    found = []
    for name in sorted(names):
        kinds = [each[name][0] if name in each else None for each in ordered]
        drift = _changed(name, when, ordered, kinds)
        if drift is not None:
            found.append(drift)
    return when, found


def _changed(name: str, when: str, ordered: Sequence[Skeleton], kinds: Sequence[str | None]) -> Drift | None:
    """Return the change at the place where the fewest documents do not fit."""
    seen = Tally(kind for kind in kinds if kind != "null")
    if len(seen) != 2:  # noqa: PLR2004 - before and after
        return None
    one, other = seen
    least = max(_LEAST_OF_VARIANT, len(ordered) // 50)
    if min(seen.values()) < least:
        return None
    best: tuple[int, int, str | None, str | None] | None = None
    for before, after in ((one, other), (other, one)):
        wrong = seen[before]  # with the change before the first document
        for place, kind in enumerate(kinds):
            if best is None or wrong < best[0]:
                best = wrong, place, before, after
            wrong += (kind == after) - (kind == before)
    assert best is not None
    exceptions, place, before, after = best
    if not 0 < place < len(ordered) or exceptions > _PURE * min(seen.values()):
        return None
    if ordered[place - 1][when][1] == ordered[place][when][1]:
        return None
    change = "appears" if before is None else "disappears" if after is None else "becomes"
    at = datetime.fromtimestamp(ordered[place][when][1] / 1000, UTC)
    told = (before, after) if before is not None and after is not None else ()
    return Drift(name, change, at, exceptions, told)


def _date_field(skeletons: Sequence[Skeleton]) -> str | None:
    """Return the moment that nearly all documents have; one that says when they were made, if there is."""
    dated = Tally(
        name
        for each in skeletons
        for name, (kind, value) in each.items()
        if kind == "date" and value is not None
    )
    usual = [name for name, count in dated.items() if count >= (1 - _PURE) * len(skeletons)]
    made = [
        name for name in usual if re.search(r"(?i)creat|regist|insert|made|placed|ordered|^at$|^ts$", name)
    ]
    return min(made or usual, default=None)
