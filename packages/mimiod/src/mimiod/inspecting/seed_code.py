"""`seed_db.py`, written from facts: data of the measured distributions, and none of the values."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.bounds import Rule, rule_of
from mimiod.inspecting.code import Code, Group, call, laid_out, listing, literal, mapping
from mimiod.inspecting.declarations import Declared
from mimiod.inspecting.keyed_rows import Keyed, keyed_rows, row_numbers
from mimiod.inspecting.schema_code import DEEPEST, MOST_FIELDS, not_seeded
from mimiod.inspecting.text_code import Room, text_code

if TYPE_CHECKING:
    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Inspection, Range, ReferenceFacts

MOST_ROWS = 20_000
"Documents in all, at scale 1."
MOST_ITEMS = 50
"Of one array."

_CENTS = 2
_NEARLY_ALL = 0.99
_SCALARS = frozenset(
    {"string", "int", "long", "double", "decimal", "bool", "date", "objectId", "uuid", "binData"}
)
_NAMES = (
    "MISSING", "Array", "Chance", "Choice", "Combination", "Digits", "Fake", "Function", "Get", "Histogram",
    "Maybe", "Moment", "OneOf", "Parent", "Position", "Ref", "Refs", "Rows", "Sequence", "Text", "Uniform",
    "When",
)  # fmt: skip


def seed_code(inspection: Inspection, name: str) -> str:
    """Return the text of `seed_db.py` for a database of that name."""
    total = sum(each.documents for each in inspection.collections.values())
    factor = min(1.0, MOST_ROWS / max(1, total))
    rows: list[tuple[str, Code]] = []
    keyed = keyed_rows(inspection)
    counts = {
        facts.name: max(min(facts.documents, 10), round(facts.documents * factor))
        for facts in inspection.collections.values()
    }
    for facts in inspection.collections.values():
        own = keyed[facts.name]
        drawn = _Drawn(inspection, facts, own, row_numbers(facts.name, counts, keyed))
        fields = drawn.fields(facts.root, (), top=True)
        if own.per is None:
            rows.append((literal(facts.name), call("Rows", literal(counts[facts.name]), fields)))
        else:
            count = _children(inspection, own, facts)
            below = {"per": literal(own.per.target), "high": literal(own.most)}
            rows.append((literal(facts.name), call("Rows", count, fields, **below)))
    code = laid_out(mapping(rows), indent=4, used=len("rows: ClassVar = "))
    camel = "".join(part.capitalize() for part in name.split("_"))
    assumed = isinstance(inspection, Declared) and inspection.assumed
    found = "their tables are declared" if assumed else "they were found"
    body = (
        f"class {camel}Seeder(DatabaseSeeder):\n"
        f'    """Draws documents as {found}; at scale {1 / factor:.4g} as many."""\n\n'
        f"    rows: ClassVar = {code}\n"
    )
    how = "as `mimiod inspect` assumed it" if assumed else "distributed as `mimiod inspect` measured it"
    title = f'"""Sample data of `{name}`, {how}."""'
    return f"{title}\n\n{_imports(body)}\n\n{body}"


class _Drawn:
    """The draws of one collection."""

    def __init__(self, inspection: Inspection, facts: CollectionFacts, keyed: Keyed, rows: int) -> None:
        self.collection = facts
        self.keyed = keyed
        self.rows = rows
        "Up to which number they go."
        self.inspection = inspection
        self.references: dict[str, ReferenceFacts] = {
            each.fields[0]: each
            for each in inspection.references
            if each.collection == facts.name and len(each.fields) == 1
        }
        self.limits = inspection.limits if isinstance(inspection, Declared) else {}

    def fields(
        self, facts: FieldFacts, path: tuple[str, ...], *, top: bool = False,
        only: frozenset[str] | None = None, chosen: Any = None,
    ) -> Code:  # fmt: skip
        """Return the draws of an object's fields."""
        variants = facts.variants
        pairs: list[tuple[str, Code]] = list(self.keyed.hidden) if top else []
        for name, inner in facts.fields.items():
            if not_seeded(name) or (only is not None and name not in only):
                continue
            place = (*path, name)
            if place == ("_id",) and inner.types == ["objectId"] and "_id" not in self.references:
                continue
            if chosen is not None and variants is not None and name == variants.field:
                pairs.append((literal(name), literal(chosen)))
                continue
            split = variants is not None and name in variants.decided
            draw = self.value(inner, place)
            if draw is None:
                continue
            if split and only is None and top and variants is not None:
                values = [literal(value) for value, own in variants.shapes.items() if name in own]
                key = values[0] if len(values) == 1 else f"({', '.join(values)})"
                draw = call("When", literal(variants.field), mapping([(key, draw)]), otherwise="MISSING")
            elif inner.rate < 1 and not split:
                draw = call("Maybe", _share(inner.rate), draw, "MISSING")
            pairs.append((literal(name), draw))
        return mapping(pairs)

    def value(self, facts: FieldFacts, path: tuple[str, ...]) -> Code | None:
        """Return the draw of a field that is there: null as often as it is; None for what cannot be drawn."""
        if path in self.keyed.draws:
            return self.keyed.draws[path]
        draw = self._present(facts, path)
        if draw is None:
            return "None" if facts.nulls else None
        if facts.nulls:
            return call("Maybe", _share(1 - facts.nulls / facts.count), draw)
        return draw

    def _present(self, facts: FieldFacts, path: tuple[str, ...]) -> Code | None:
        draws = []
        whole = {"int", "long", "double", "decimal"}
        numeric = sum(facts.kinds.get(kind, 0) for kind in whole)
        for kind in facts.types:
            if kind in whole:
                if numeric:
                    draws.append((numeric, self._scalar(facts, path, kind)))
                    numeric = 0
            elif kind == "object":
                draws.append((facts.kinds[kind], self._object(facts, path)))
            elif kind == "array":
                draws.append((facts.kinds[kind], self._array(facts, path)))
            elif kind in _SCALARS:
                draws.append((facts.kinds[kind], self._scalar(facts, path, kind)))
        known = [(count, draw) for count, draw in draws if draw is not None]
        if len(known) < 2:  # noqa: PLR2004 - one kind
            return known[0][1] if known else None
        return call("OneOf", listing([_pair(literal(count), draw) for count, draw in known]))

    def _object(self, facts: FieldFacts, path: tuple[str, ...]) -> Code | None:
        if facts.free is not None:
            inner = self.value(facts.free, (*path, "*"))
            average = facts.free.count / max(1, facts.kinds["object"])
            keys = max(1, min(MOST_ITEMS, round(2 * average)))
            if inner is None or _has_reference(self.references, path):
                return "{}"
            some = call("Maybe", _share(min(1.0, average / keys)), inner, "MISSING")
            return mapping([(literal(f"key_{number}"), some) for number in range(1, keys + 1)])
        if len(path) > DEEPEST or len(facts.fields) > MOST_FIELDS:
            return "{}"
        variants = facts.variants
        deciding = facts.fields.get(variants.field) if variants is not None else None
        if variants is None or deciding is None or not deciding.enumeration or not_seeded(variants.field):
            return self.fields(facts, path)
        common = {name for name in facts.fields if name not in variants.decided}
        weighted = [
            _pair(
                literal(deciding.enumeration.get(value, 1)),
                self.fields(facts, path, only=frozenset({*common, *own}), chosen=value),
            )
            for value, own in variants.shapes.items()
        ]
        return call("OneOf", listing(weighted))

    def _array(self, facts: FieldFacts, path: tuple[str, ...]) -> Code:
        inner = self.value(facts.items, path) if facts.items is not None else None
        if inner is None or facts.items is None or facts.sizes is None:
            return listing([])
        sizes = _histogram(facts.sizes, digits=0, most=MOST_ITEMS)
        reference = self.references.get(".".join(path))
        if reference is not None and isinstance(inner, Group) and inner.before == "Ref(":
            rule = rule_of(self.collection, path, arrays=True)
            once = bool(self.limits) or (rule is not None and rule.node.get("uniqueItems") is True)
            if once or reference.target == self.collection.name:  # whose first row finds none
                return call("Refs", literal(reference.target), sizes)
        return call("Array", inner, sizes)

    def _scalar(self, facts: FieldFacts, path: tuple[str, ...], kind: str) -> Code | None:  # noqa: C901, PLR0911 - a kind each
        reference = self.references.get(".".join(path))
        if reference is not None and self.inspection.collections[reference.target].documents:
            target = call("Ref", literal(reference.target))
            if kind == "string" and facts.forms.get("object_id") == 1:
                return call("Text", literal("{named}"), named=target)
            return target
        unique = path in self.keyed.unique
        rule = rule_of(self.collection, path, arrays=False)
        if facts.enumeration and not unique:
            weights = {
                value: count for value, count in facts.enumeration.items() if isinstance(value, str | bool)
            }
            if rule is not None and rule.values:
                weights = {
                    value: count for value, count in weights.items() if value in rule.values
                } or weights
            if kind == "bool":
                return call("Chance", _share(weights.get(True, 0) / max(1, sum(weights.values()))))
            return call(
                "Choice", mapping([(literal(value), literal(count)) for value, count in weights.items()])
            )
        match kind:
            case "int" | "long" | "double" | "decimal" if facts.numbers is not None:
                return self._number(facts, facts.numbers, kind, rule, unique=unique)
            case "bool":
                return call("Chance", "0.5")
            case "date" if facts.moments is not None:
                return _moment(facts.moments)
            case "string":
                return self._string(facts, path, rule, unique=unique)
            case "uuid":
                return call("Function", "lambda row: UUID(int=row.random.getrandbits(128), version=4)")
            case "binData":
                return call("Function", "lambda row: row.random.randbytes(16)")
            case "objectId":
                return call("Function", "lambda row: ObjectId(row.random.randbytes(12))")
        return None

    def _number(
        self, facts: FieldFacts, numbers: Range, kind: str, rule: Rule | None, *, unique: bool
    ) -> Code:
        first = math.ceil(numbers.low)
        if unique and (not facts.unique or first + self.rows - 1 <= numbers.high):
            return call("Sequence", literal(first))
        if rule is not None and rule.values:
            seen = [*numbers.quantiles, *rule.values]
            return call(
                "Choice", mapping([(literal(value), literal(seen.count(value))) for value in rule.values])
            )
        digits = 0 if kind in {"int", "long"} else _digits(numbers)
        if rule is None:
            return _histogram(numbers, digits=digits)
        least, most = rule.number("minimum"), rule.number("maximum")
        return _histogram(
            numbers,
            digits=digits,
            least=-math.inf if least is None else least,
            most=math.inf if most is None else most,
        )

    def _string(self, facts: FieldFacts, path: tuple[str, ...], rule: Rule | None, *, unique: bool) -> Code:
        limits = self.limits.get((self.collection.name, path))
        values = limits.values if limits is not None else rule.values if rule is not None else ()
        if values and not unique:
            return call("Choice", listing([literal(value) for value in values if isinstance(value, str)]))
        room = Room(unique=unique, rows=max(self.rows, facts.values))
        if limits is not None:
            room = replace(room, most=limits.length)
        elif rule is not None:
            least, most = rule.number("minLength"), rule.number("maxLength")
            room = replace(
                room,
                least=int(least or 0),
                most=None if most is None else int(most),
                pattern=rule.pattern,
            )
        return text_code(facts, room)


def _children(inspection: Inspection, keyed: Keyed, facts: CollectionFacts) -> Code:
    """Return the draw of how many rows a parent has.

    Where others refer to these rows every parent has some: a reference would not always find one.
    """
    assert keyed.per is not None
    average = facts.documents / inspection.collections[keyed.per.target].documents
    some: Code = "1"
    held, share = keyed.per.children, min(1.0, average)
    if keyed.most > 1 and held is not None:
        some, share = _histogram(held, digits=0, most=keyed.most), min(1.0, average / held.mean)
    asked = any(each.target == facts.name for each in inspection.references)
    return some if asked or share > _NEARLY_ALL else call("Maybe", _share(share), some, "0")


def _has_reference(references: dict[str, ReferenceFacts], path: tuple[str, ...]) -> bool:
    below = ".".join((*path, "*"))
    return any(name.startswith(below) for name in references)


def _pair(weight: Code, draw: Code) -> Code:
    return Group("(", (("", weight), ("", draw)), ")")


def _share(rate: float) -> str:
    return literal(min(1.0, max(0.0, float(f"{rate:.4g}"))))


def _digits(numbers: Range) -> int | None:
    short = all(round(float(value), _CENTS) == float(value) for value in numbers.quantiles)
    return _CENTS if short else None


def _histogram(
    numbers: Range, *, digits: int | None, least: float = -math.inf, most: float = math.inf
) -> Code:
    """Return the draw of numbers: ten ranges between measured quantiles, each alike often."""
    low, high = (max(least, min(bound, most)) for bound in (numbers.low, numbers.high))
    if low == high:
        return literal(round(low) if digits == 0 else low)
    edges = [low, *(max(low, min(value, high)) for value in numbers.quantiles[2:-2:2]), high]
    edges = sorted(_short(value, low, high) for value in edges)
    named: dict[str, Code] = {"digits": literal(digits)} if digits is not None else {}
    weights = listing(["1"] * (len(edges) - 1))
    return call("Histogram", listing([literal(edge) for edge in edges]), weights, **named)


def _short(value: float, low: float, high: float) -> float:
    if isinstance(value, int) or float(value).is_integer():
        return value
    return min(high, max(low, float(f"{value:.6g}")))


def _moment(moments: Range) -> Code:
    start = moments.low.replace(hour=0, minute=0, second=0, microsecond=0)
    end = min(moments.high, datetime(9000, 1, 1, tzinfo=UTC)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    start = max(start, datetime(1000, 1, 1, tzinfo=UTC))
    end = max(end, start) + timedelta(days=1)
    return call("Moment", literal(f"{start:%Y-%m-%d}"), literal(f"{end:%Y-%m-%d}"))


def _imports(body: str) -> str:
    used = set(re.findall(r"[A-Za-z_]\w*", body))
    lines = ["from typing import ClassVar"]
    lines += ["from uuid import UUID"] if "UUID" in used else []
    lines += [
        "",
        *(["from bson import ObjectId"] if "ObjectId(" in body else []),
        "from mimiod import DatabaseSeeder",
    ]
    names = [name for name in _NAMES if re.search(rf"\b{name}\b", body)]
    imported = f"from mimiod.seeding import {', '.join(names)}"
    if len(imported) > 88:  # noqa: PLR2004 - WIDTH
        imported = "from mimiod.seeding import (\n" + "".join(f"    {name},\n" for name in names) + ")"
    return "\n".join([*lines, *([imported] if names else [])]) + "\n"
