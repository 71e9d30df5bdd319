"""What the objects of one kind have in common: which fields go together, and what decides which are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.twinning.coupling import Factors, factors, ordered
from mimiod.twinning.derived import Derived, derived
from mimiod.twinning.gauges import NULL

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from mimiod.twinning.gauges import Gauge, Together
    from mimiod.twinning.quantiles import Floats

DECIDES = 0.05
"The share of the variance of a field's presence that another field has to explain to decide it."
LEAST_ROWS = 100
"Objects; of fewer nothing is said."

Path = tuple[str, ...]


@dataclass
class Group:
    """Objects of one kind."""

    factors: Factors = field(default_factory=lambda: Factors({}))
    orders: dict[Path, list[str]] = field(default_factory=dict)
    "Of fields of categories: these in the order by which they go along with other fields."
    derived: dict[Path, Derived] = field(default_factory=dict)
    "Of fields that follow from others."
    delays: dict[Path, Floats] = field(default_factory=dict)
    "Of moments that come after another: by how much, in milliseconds."
    coins: dict[str, dict[str, Any]] = field(default_factory=dict)
    "By factor, of fields that are not always there (`?`) or null (`!`): what decides it."

    def coin(self, path: Path, mark: str, rate: float) -> dict[str, Any]:
        """Return how it is decided whether a field is there (`?`), or is not null (`!`)."""
        name = ".".join(path) + mark
        told = self.coins.get(name, {})
        factor = told.get("factor", name)
        return {"rate": round(rate, 6), "factor": factor, **self.weights(factor), **_only(told, "by")}

    def weights(self, factor: str) -> dict[str, Any]:
        """Return what a factor is made of, if it goes together with others."""
        found = self.factors.weights.get(factor)
        return {"weights": [[name, weight] for name, weight in found]} if found else {}


def group_of(
    together: Together, categories: Mapping[Path, Mapping[str, int]], references: frozenset[Path],
    apart: frozenset[Path], k: int,
) -> Group:  # fmt: skip
    """Return what is in common.

    Args:
        together: the objects.
        categories: by path in the documents, the texts that may be told.
        references: the paths of fields that name documents.
        apart: those of fields whose values have to differ.
        k: how many objects have to share what is told.
    """
    rows = together.rows.values
    group = Group()
    if len(rows) < LEAST_ROWS:
        return group
    raws = {path: [row[at] for row in rows] for at, (path, _) in enumerate(together.members)}
    columns: dict[str, Floats] = {}
    for path, gauge in together.members:
        if not _is_text(gauge, categories) and not _is_text(gauge, references) and _is_alike(gauge):
            columns[".".join(path)] = _numbers(raws[path])
    _derive(group, together, columns, {*references, *apart})
    flags = {
        name: column for path, gauge in together.members for name, column in _flags(path, raws).items()
        if gauge.path not in references and 0 < np.nanmean(column) < 1
    }  # fmt: skip
    deciding = dict(_deciding(together, raws, categories))
    shared: dict[bytes, str] = {}
    for name, column in flags.items():
        same = shared.setdefault(column.tobytes(), name)
        by = _decided(column, deciding, k)
        group.coins[name] = {"factor": same, **({"by": by} if by else {})}
        if same == name and by is None:
            columns[name] = column
    for path, gauge in together.members:
        if _is_text(gauge, categories):
            texts = [raw if isinstance(raw, str) else None for raw in raws[path]]
            order = ordered(list(categories[gauge.path]), texts, list(columns.values()))
            group.orders[path] = order
            places = {text: float(at) for at, text in enumerate(order)}
            columns[".".join(path)] = np.array(
                [places.get(text, np.nan) if text is not None else np.nan for text in texts], np.float64
            )
    group.factors = factors(columns)
    return group


def _derive(group: Group, together: Together, columns: dict[str, Floats], apart: set[Path]) -> None:
    """Find what follows from other fields; in the columns, delays take the place of moments."""
    numbers, moments = (
        {
            ".".join(path): columns[".".join(path)]
            for path, gauge in together.members
            if set(gauge.kinds) == {kind} and gauge.path not in apart and not gauge.written_moments
            if ".".join(path) in columns
        }
        for kind in ("number", "moment")
    )
    certain = {".".join(path) for path in _certain(together)}
    found = {name: made for name, made in derived(numbers, moments).items() if certain.issuperset(made.of)}
    for path, _ in together.members:
        name = ".".join(path)
        if name not in found:
            continue
        group.derived[path] = made = found[name]
        if made.how == "after":
            delays = columns[name] - moments[made.of[0]]
            group.delays[path] = delays[~np.isnan(delays)]
    delayed = {
        name: columns[name] - moments[made.of[0]] for name, made in found.items() if made.how == "after"
    }
    columns.update(delayed)
    for name, made in found.items():
        if made.how != "after":
            del columns[name]


def number_columns(together: Together) -> dict[str, Floats]:
    """Return the numbers and moments of the objects, by their paths; NaN where there is none."""
    rows = together.rows.values
    return {
        ".".join(path): _numbers([row[at] for row in rows])
        for at, (path, gauge) in enumerate(together.members)
        if set(gauge.kinds) in ({"number"}, {"moment"})
    }


def _is_text(gauge: Gauge, paths: Container[Path]) -> bool:
    """Return whether a field, and not the items of its array, is among these."""
    return gauge.path in paths and not gauge.kinds["array"]


def _is_alike(gauge: Gauge) -> bool:
    return len(gauge.kinds) == 1 and not {"object", "other"} & set(gauge.kinds)


def _numbers(raws: Sequence[Any]) -> Floats:
    found = [raw if isinstance(raw, float) else len(raw) if isinstance(raw, str) else np.nan for raw in raws]
    return np.array(found, np.float64)


def _flags(path: Path, raws: Mapping[Path, Sequence[Any]]) -> dict[str, Floats]:
    """Return whether a field is there, where the object around it is; and whether it is not null."""
    raw, around = raws[path], raws.get(path[:-1])
    there = np.array([each is not None for each in raw], np.float64)
    if around is not None:
        there[[each is not True for each in around]] = np.nan
    value = np.array([np.nan if each is None else each is not NULL for each in raw], np.float64)
    name = ".".join(path)
    some = {f"{name}?": there, f"{name}!": value}
    return {each: column for each, column in some.items() if not np.isnan(column).all()}


def _certain(together: Together) -> set[Path]:
    """Return the fields that are in all objects, are never null and of one kind."""
    gauges = dict(together.members)
    found: set[Path] = set()
    for path, gauge in together.members:
        around = gauges.get(path[:-1])
        of = around.values if around is not None else together.rows.count
        within = len(path) == 1 or path[:-1] in found
        if within and gauge.count == of and not gauge.nulls and len(gauge.kinds) == 1:
            found.add(path)
    return found


def _deciding(
    together: Together, raws: Mapping[Path, Sequence[Any]], categories: Mapping[Path, Mapping[str, int]]
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the fields that may decide something: categories that are always there."""
    certain = _certain(together)
    for path, gauge in together.members:
        if path not in certain:
            continue
        if _is_text(gauge, categories):
            told = categories[gauge.path]
            yield ".".join(path), [raw if raw in told else None for raw in raws[path]]
        elif "bool" in gauge.kinds:
            yield ".".join(path), [bool(raw) for raw in raws[path]]


def _decided(flag: Floats, deciding: Mapping[str, Sequence[Any]], k: int) -> dict[str, Any] | None:
    """Return the field that says most of a flag, and its rate with each value."""
    known = ~np.isnan(flag)
    rate = float(flag[known].mean())
    best: tuple[float, dict[str, Any]] | None = None
    for name, values in deciding.items():
        counts: dict[Any, list[float]] = {}
        for value, raised in zip(values, flag.tolist(), strict=True):
            if value is not None and raised == raised:  # noqa: PLR0124 - NaN does not
                found = counts.setdefault(value, [0, 0])
                found[0] += 1
                found[1] += raised
        rates = {value: ups / count for value, (count, ups) in counts.items() if count >= k}
        left = sum(
            count * (share := rates.get(value, rate)) * (1 - share) for value, (count, _) in counts.items()
        )
        said = 1 - left / max(1e-12, known.sum() * rate * (1 - rate))
        if said >= DECIDES and (best is None or said > best[0]):
            told = [[value, round(share, 5)] for value, share in rates.items()]
            best = said, {"field": name, "rates": told}
    return best[1] if best else None


def _only(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {key: told[key]} if key in told else {}
