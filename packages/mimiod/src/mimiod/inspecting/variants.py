"""What decides which fields a document has: the value of another field, or when it was written."""

from __future__ import annotations

import math
import re
import time
from collections import Counter as Tally
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.sketches import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str, ...]
Skeleton = dict[str, tuple[str, Any]]
"""What is remembered of a document: of each field its type, and its value where that is short; of an object,
and of the objects of an array together, such a skeleton; of an ObjectId when it was made."""

MOST_VARIANTS = 20
LEAST_DOCUMENTS = 20
"Fewer say nothing."

_PURE = 0.02
"Of the documents of a variant: so many may be otherwise."
_LEAST_OF_VARIANT = 3
_EXCEPTIONS = 0.03
_CERTAIN = 15.0
"Of the logarithm of a likelihood ratio."
_WHOLE = {"long": "int"}
_ID = ("_id",)
_DAY = 24 * 60 * 60 * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_IDS = milliseconds(datetime(2009, 1, 1, tzinfo=UTC))
"When MongoDB came; ObjectIds of other times were not made by the clock."
_LEAST, _MOST = (milliseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in (1, 9999))
_MADE = re.compile(r"(?i)creat|regist|insert|made|placed|ordered|^at$|^ts$")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)")
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
    "Dotted; array positions are left out."
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


def drifts_of(skeletons: Sequence[Skeleton]) -> tuple[Path | None, list[tuple[Path, Drift]]]:
    """Return the moment that documents are ordered by, and what changed in their shape with time."""
    when = _moment_field(skeletons)
    if when is None or len(skeletons) < LEAST_DOCUMENTS:
        return when, []
    dated = [(moment, each) for each in skeletons if (moment := _moment_at(each, when)) is not None]
    ordered = sorted(dated, key=lambda each: each[0])
    return when, [(path, drift) for path, drift in _drifts((), ordered) if path != when]


def dotted(path: Path) -> str:
    """Return a path as text; a dot within a name has a backslash before it."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in path)


def _drifts(path: Path, ordered: Sequence[tuple[int, Skeleton]]) -> Iterator[tuple[Path, Drift]]:
    """Yield the changes of the fields of some objects, which are in order of time."""
    for name in sorted({name for _, each in ordered for name in each}):
        inner = (*path, name)
        for place, appears, exceptions in _presence_changes([name in each for _, each in ordered]):
            change = "appears" if appears else "disappears"
            yield inner, Drift(dotted(inner), change, _moment(ordered[place][0]), exceptions)
        held = [(moment, *each[name]) for moment, each in ordered if name in each]
        typed = [(moment, _WHOLE.get(kind, kind)) for moment, kind, _ in held if kind != "null"]
        if (becomes := _becomes(inner, typed)) is not None:
            yield inner, becomes
        nested = [(moment, value) for moment, _, value in held if isinstance(value, dict)]
        if len(nested) >= LEAST_DOCUMENTS:
            yield from _drifts(inner, nested)


def _presence_changes(there: Sequence[bool]) -> Iterator[tuple[int, bool, int]]:
    """Yield where a field appears or disappears, which of the two, and how many do not fit: one of each."""
    found = _split(there)
    if found is None:
        return
    place, appears, _ = found
    yield found
    again = _split(there[place:] if appears else there[:place])
    if again is not None and again[1] != appears:
        yield again[0] + place * appears, *again[1:]


def _becomes(path: Path, typed: Sequence[tuple[int, str]]) -> Drift | None:
    usual = [kind for kind, _ in Tally(kind for _, kind in typed).most_common(2)]
    if len(usual) < 2:  # noqa: PLR2004 - before and after
        return None
    found = _split([kind == usual[0] for _, kind in typed])
    if found is None:
        return None
    place, appears, exceptions = found
    after, before = usual if appears else reversed(usual)
    pure = exceptions <= max(1, _EXCEPTIONS * min(place, len(typed) - place))
    if not pure or {kind for _, kind in typed} != set(usual):
        return None
    return Drift(dotted(path), "becomes", _moment(typed[place][0]), exceptions, (before, after))


def _split(there: Sequence[bool]) -> tuple[int, bool, int] | None:
    """Return the place from which on something is there, or not, which of the two, and how many do not fit.

    It is the most likely place of one change (by likelihood ratio), and taken for one if there is hardly
    anything on one side of it, and if chance makes it once in a million times.
    """
    number, total = len(there), sum(there)
    if total in {0, number}:
        return None
    logs = [0.0, *(n * math.log(n) for n in range(1, number + 1))]
    least = max(_LEAST_OF_VARIANT, number // 50)
    best, place, before, count = -math.inf, 0, 0, 0
    for at in range(1, number):
        count += there[at - 1]
        after, rest = total - count, number - at
        likely = logs[count] + logs[at - count] - logs[at] + logs[after] + logs[rest - after] - logs[rest]
        if likely > best and least <= at <= number - least:
            best, place, before = likely, at, count
    if best - (logs[total] + logs[number - total] - logs[number]) < _CERTAIN:
        return None
    after, rest = total - before, number - place
    appears = after * place > before * rest
    few, of, many, others = (before, place, after, rest) if appears else (after, rest, before, place)
    if few > max(1, _EXCEPTIONS * of):
        return None
    missing = others - many
    return place, appears, few + (missing if missing <= _EXCEPTIONS * others else 0)


def _moment_field(skeletons: Sequence[Skeleton]) -> Path | None:
    """Return the moment that nearly all documents have; one that says when they were made, if there is."""
    enough = (1 - _PURE) * len(skeletons)
    held = Tally(path for each in skeletons for path in _paths(each, ()))
    usual = [
        path
        for path, count in held.items()
        if count >= enough and sum(_moment_at(each, path) is not None for each in skeletons) >= enough
    ]
    dates = [path for path in usual if path != _ID]
    made = [path for path in dates if _MADE.search(path[-1])]
    return min(made or dates or usual, key=lambda path: (len(path), path), default=None)


def _paths(skeleton: Skeleton, path: Path) -> Iterator[Path]:
    """Yield the paths of what may be a moment, but for those in arrays."""
    for name, (kind, value) in skeleton.items():
        if kind in {"date", "string"} or (kind == "objectId" and (*path, name) == _ID):
            yield (*path, name)
        elif kind == "object" and isinstance(value, dict):
            yield from _paths(value, (*path, name))


def _moment_at(skeleton: Skeleton, path: Path) -> int | None:
    """Return a moment as milliseconds since 1970: a date, a text of one, or when an ObjectId was made."""
    for name in path[:-1]:
        inner = skeleton[name][1] if name in skeleton else None
        if not isinstance(inner, dict):
            return None
        skeleton = inner
    kind, value = skeleton.get(path[-1], ("", None))
    if kind == "string":
        return _read(value) if value is not None and _ISO.match(value) else None
    if kind == "objectId" and value is not None:
        return value if _FIRST_IDS <= value <= time.time() * 1000 + _DAY else None
    return value if kind == "date" else None


def _read(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return milliseconds(found)


def _moment(moment: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=max(_LEAST, min(_MOST, moment)))
