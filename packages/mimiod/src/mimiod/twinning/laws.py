"""The laws of a twin's fields, made of what was measured: all that is told of it, as `twin.json` holds it.

`docs/twin.md` says what each key means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.twinning.disclosure import categories, is_identifying
from mimiod.twinning.groups import Group, group_of
from mimiod.twinning.quantiles import DAY, HOUR, LARGEST, Quantiles, calendar, measured, week_of
from mimiod.twinning.text_laws import text_law

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mimiod.inspecting.facts import FieldFacts
    from mimiod.twinning.gauges import Gauge
    from mimiod.twinning.quantiles import Floats

MOST_ITEMS = 1_000
"Of one array."
MOST_KEYS = 50
"Of an object with free keys."
OTHER = "other"
"Stands for the categories that too few documents share."

_IDENTIFIER_FROM = 1_000
_DENSE = 0.1
_REPEATED = 0.5
_LARGEST = 10**18
_UNITS = (DAY, HOUR, 60_000, 1_000)
_MOST_DIGITS = 8
_BOUNDED_FORMS = ("country_code",)

Law = dict[str, Any]
Path = tuple[str, ...]


@dataclass
class Known:
    """What is known of a collection beside its measured fields."""

    name: str
    k: int
    rows: int
    "Documents of the twin."
    salt: str
    "By which the made-up texts of this twin differ from those of others."
    references: Mapping[Path, Law] = field(default_factory=dict)
    "By path: the law of a field that names documents."
    copies: Mapping[Path, Law] = field(default_factory=dict)
    unique: frozenset[Path] = frozenset()
    "Fields whose values have to differ."


class Lawmaker:
    """Makes the laws of a collection."""

    def __init__(self, root: Gauge, known: Known) -> None:
        self.root = root
        self.known = known
        self.categories: dict[Path, dict[str, int]] = {}
        "By path: the texts that may be told, with how often each occurs."
        self.identifiers: set[Path] = set()
        "The fields whose numbers stand for something, once they have their laws."
        for gauge in root.below():
            if (told := self._categories(gauge)) is not None:
                self.categories[gauge.path] = told

    def fields(self) -> Law:
        """Return the laws of the fields of the documents."""
        found = self._fields(self.root, (), self._group(self.root), 1)
        identifier = found.get("_id", {}).get("kinds", [{}])
        if identifier and identifier[0].get("kind") == "id" and identifier[0]["type"] == "objectId":
            del found["_id"]
        return found

    def _categories(self, gauge: Gauge) -> dict[str, int] | None:
        texts = gauge.kinds["text"]
        if not texts or gauge.tally is None or gauge.path in self.known.unique:
            return None
        if gauge.path in self.known.references or "*" in gauge.path[-1:]:
            return None
        counts = {text: (count, documents) for text, (count, documents, _) in gauge.tally.items()}
        return categories(gauge.path, counts, texts, gauge.facts.forms, self.known.k)

    def _group(self, gauge: Gauge) -> Group:
        if gauge.together is None:
            return Group()
        references = frozenset(self.known.references)
        return group_of(gauge.together, self.categories, references, self.known.unique, self.known.k)

    def _fields(self, gauge: Gauge, path: Path, group: Group, times: int) -> dict[str, Law]:
        return {
            name: self._node(inner, (*path, name), group, times, gauge.objects)
            for name, inner in gauge.fields.items()
            if inner.count
        }

    def _node(self, gauge: Gauge, path: Path, group: Group, times: int, of: int) -> Law:
        """Return the law of a field: whether it is there, whether it is null, and of what kinds it is."""
        kinds = [law for law in self._kinds(gauge, path, group, times) if law]
        node: Law = {}
        reference = len(kinds) == 1 and kinds[0]["kind"] == "reference"
        for mark, rate in (("?", gauge.count / max(1, of)), ("!", gauge.values / gauge.count)):
            if rate < 1:
                coin = group.coin(path, mark, rate)
                if reference and "by" not in coin and kinds[0].get("counted"):
                    whole = gauge.count / max(1, of) * (gauge.values / gauge.count if mark == "!" else 1)
                    coin = {"counted": round(whole, 6), "factor": ".".join(path), "tree": kinds[0]["tree"]}
                elif reference:
                    kinds[0]["counted"] = False
                node["there" if mark == "?" else "value"] = coin
        if reference and kinds[0].get("counted"):
            kinds[0]["counted"] = round(gauge.values / max(1, of), 6)
        return {**node, "kinds": kinds}

    def _kinds(self, gauge: Gauge, path: Path, group: Group, times: int) -> list[Law]:
        factor = ".".join(path)
        if gauge.path in self.known.references and len(gauge.kinds) == 1 and not gauge.kinds["array"]:
            return [{**self.known.references[gauge.path], "factor": factor}]
        if gauge.path in self.known.copies and len(gauge.kinds) == 1:
            return [dict(self.known.copies[gauge.path])]
        if path in group.derived:
            follows = self._derived(gauge, group, path, times)
            return [{**follows, "factor": factor, **group.weights(factor)}]
        total = max(1, gauge.kinds.total())
        together = {"factor": factor, **(group.weights(factor) if len(gauge.kinds) == 1 else {})}
        made = []
        for kind, count in gauge.kinds.most_common():
            law = self._law(gauge, kind, path, group, times)
            if law:
                made.append({"share": round(count / total, 6), **law, **together})
        return made

    def _law(self, gauge: Gauge, kind: str, path: Path, group: Group, times: int) -> Law | None:  # noqa: PLR0911 - a kind each
        match kind:
            case "number":
                return self._number(gauge, times)
            case "moment":
                return self._moment(gauge, times)
            case "bool":
                return _choice({False: gauge.kinds["bool"] - gauge.true, True: gauge.true})
            case "text":
                return self._text(gauge, path, group, times)
            case "object":
                if gauge.free is not None:
                    return self._free(gauge, times)
                return {"kind": "object", "fields": self._fields(gauge, path, group, times)}
            case "array":
                return self._array(gauge, times)
            case "tuple":
                items = [
                    self._node(each, (*path, str(at)), group, times, gauge.kinds["tuple"])
                    for at, each in enumerate(gauge.positions)
                ]
                return {"kind": "tuple", "items": items}
            case "objectId" | "uuid" | "binData" | "bytes":
                law: Law = {"kind": "id", "type": kind, "distinct": self._distinct(gauge)}
                return law | ({"length": self._lengths(gauge, times)} if gauge.lengths is not None else {})
        return None

    def _number(self, gauge: Gauge, times: int) -> Law:
        assert gauge.numbers is not None
        sample, kind = gauge.numbers.sample(), _type_of(gauge)
        whole = bool((sample == np.rint(sample)).all())
        if kind == "int":
            sample = np.clip(sample, -LARGEST, LARGEST)
        if gauge.path in self.known.unique or (whole and self._identifies(gauge, sample)):
            self.identifiers.add(gauge.path)
            return {"kind": "identifier", "type": kind, **_apart(sample), "distinct": self._distinct(gauge)}
        digits = 0 if whole else next(
            (at for at in range(1, _MOST_DIGITS) if np.array_equal(np.round(sample, at), sample)), None
        )  # fmt: skip
        found = measured(sample, self.known.k, step=0.0 if digits is None else 10.0**-digits, times=times)
        return {"kind": "number", "type": kind, "digits": digits, "quantiles": found.told()}

    def _derived(self, gauge: Gauge, group: Group, path: Path, times: int) -> Law:
        """Return the law of a field that follows from others of its object."""
        made = group.derived[path]
        law: Law = {"kind": made.how, "of": list(made.of)}
        if made.how == "after":
            delays = measured(group.delays[path], self.known.k, step=1, times=times)
            return {**law, "delay": delays.told(), "unit": self._moment(gauge, times)["unit"]}
        own = self._number(gauge, times)
        return {**law, "type": own["type"], "digits": own.get("digits", 0)}

    def _identifies(self, gauge: Gauge, sample: Floats) -> bool:
        """Return whether whole numbers stand for one thing each."""
        high, low = float(np.abs(sample).max()), float(sample.min())
        if is_identifying(gauge.path) and high >= _IDENTIFIER_FROM:
            return True
        facts = gauge.facts
        seldom = facts.unique and facts.values > 2 * self.known.k
        return seldom and facts.distinct / max(1.0, high - low + 1) > _DENSE

    def _distinct(self, gauge: Gauge) -> int | None:
        """Return how many different values there are; None where hardly any repeats."""
        facts = gauge.facts
        if gauge.path in self.known.unique or facts.unique or facts.distinct > _REPEATED * facts.values:
            return None
        return max(1, facts.distinct)

    def _moment(self, gauge: Gauge, times: int) -> Law:
        assert gauge.moments is not None
        sample = gauge.moments.sample()
        if gauge.path in self.known.unique:
            self.identifiers.add(gauge.path)
            return {"kind": "identifier", "type": "date", **_apart(sample), "distinct": None}
        unit = next((each for each in _UNITS if not (sample % each).any()), 1)
        found = calendar(sample, self.known.k, unit=unit, times=times)
        law: Law = {"kind": "moment", "unit": unit, "quantiles": found.told()}
        if len(sample) >= self.known.k * times:
            law["week"] = week_of(gauge.week, self.known.k * times)
        if gauge.kinds["moment"] > gauge.facts.kinds.get("date", 0) and gauge.written_moments:
            law["format"] = _format(gauge.facts)
        return law

    def _text(self, gauge: Gauge, path: Path, group: Group, times: int) -> Law:
        if (told := self.categories.get(gauge.path)) is not None:
            order = group.orders.get(path, list(told))
            hidden = gauge.kinds["text"] - sum(told.values())
            shares = {text: told[text] for text in order}
            if hidden and not any(form in gauge.facts.forms for form in _BOUNDED_FORMS):
                shares[OTHER] = shares.get(OTHER, 0) + hidden
            return _choice(shares)
        law = text_law(
            gauge,
            self.known.k,
            self.known.rows,
            times,
            unique=gauge.path in self.known.unique,
            distinct=self._distinct(gauge),
        )
        if law["form"] == "mask":
            self.identifiers.add(gauge.path)
        return {**law, "salt": self.known.salt}

    def _lengths(self, gauge: Gauge, times: int) -> dict[str, list[float]]:
        assert gauge.lengths is not None
        return measured(gauge.lengths.sample(), self.known.k, step=1, times=times).told()

    def _array(self, gauge: Gauge, times: int) -> Law:
        assert gauge.sizes is not None
        sizes = _sizes(gauge, self.known.k, times, MOST_ITEMS)
        law: Law = {"kind": "array", "size": sizes.told()}
        if gauge.items is not None and gauge.items.count:
            group = self._group(gauge.items)
            inner = times * max(1, math.ceil(sizes.high))
            law["item"] = self._node(gauge.items, (), group, inner, gauge.items.count)
        return law

    def _free(self, gauge: Gauge, times: int) -> Law:
        assert gauge.free is not None
        if gauge.sizes is None or not gauge.free.count or self._names_below(gauge.free):
            return {"kind": "object", "fields": {}}
        sizes = _sizes(gauge, self.known.k, times, MOST_KEYS)
        item = self._node(gauge.free, (), Group(), times * MOST_KEYS, gauge.free.count)
        return {"kind": "free", "size": sizes.told(), "item": item}

    def _names_below(self, gauge: Gauge) -> bool:
        return any(each.path in self.known.references for each in (gauge, *gauge.below()))


def _sizes(gauge: Gauge, k: int, times: int, most: int) -> Quantiles:
    assert gauge.sizes is not None
    found = measured(np.minimum(gauge.sizes.sample(), most), k, step=1, times=times)
    lows = [max(0.0, each) for each in found.lows]
    return Quantiles(found.shares, lows, [max(0.0, each) for each in found.highs])


def _choice(counts: Mapping[Any, int]) -> Law:
    total = max(1, sum(counts.values()))
    return {
        "kind": "category",
        "values": [[value, round(count / total, 7)] for value, count in counts.items() if count],
    }


def _type_of(gauge: Gauge) -> str:
    kinds = gauge.facts.kinds
    return "decimal" if kinds.get("decimal") else "double" if kinds.get("double") else "int"


def _apart(sample: Sequence[float] | Floats) -> Law:
    """Return where identifiers begin that none of the source is among."""
    most = max(9.0, float(np.abs(np.asarray(sample)).max()))
    return {"start": min(_LARGEST, 10 ** (math.floor(math.log10(most)) + 1))}


def _format(facts: FieldFacts) -> str:
    """Return how moments are written that are texts, as `strftime` has it."""
    if facts.forms.get("iso_date") == 1:
        return "%Y-%m-%d"
    masks = facts.masks or {}
    mask = max(masks, key=lambda each: masks[each], default="9999-99-99T99:99:99A")
    between = "T" if mask[10:11] != " " else " "
    clock = "%H:%M:%S" if mask[16:17] == ":" else "%H:%M"
    zone = "Z" if mask.endswith(("A", "a")) else "+00:00" if mask[-6:-5] in {"+", "-"} else ""
    return f"%Y-%m-%d{between}{clock}{zone}"
