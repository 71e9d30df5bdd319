"""`seed_db.py`, written from facts: data of the measured distributions, and none of the values."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mimiod.inspecting.code import Code, Group, call, laid_out, listing, literal, mapping
from mimiod.inspecting.schema_code import DEEPEST, MOST_FIELDS, digits_of, not_seeded

if TYPE_CHECKING:
    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Inspection, Range, ReferenceFacts

MOST_ROWS = 20_000
"Documents in all, at scale 1."
MOST_ITEMS = 50
"Of one array."

_WORD = 8
_NAME = 20
_CENTS = 2
_SCALARS = frozenset(
    {"string", "int", "long", "double", "decimal", "bool", "date", "objectId", "uuid", "binData"}
)
_NAMES = (
    "MISSING", "Array", "Chance", "Choice", "Digits", "Fake", "Function", "Histogram", "Maybe", "Moment",
    "OneOf", "Ref", "Rows", "Sequence", "Text", "Uniform", "When",
)  # fmt: skip


def seed_code(inspection: Inspection, name: str) -> str:
    """Return the text of `seed_db.py` for a database of that name."""
    total = sum(each.documents for each in inspection.collections.values())
    factor = min(1.0, MOST_ROWS / max(1, total))
    rows: list[tuple[str, Code]] = []
    for facts in inspection.collections.values():
        drawn = _Drawn(inspection, facts)
        count = max(min(facts.documents, 10), round(facts.documents * factor))
        rows.append(
            (literal(facts.name), call("Rows", literal(count), drawn.fields(facts.root, (), top=True)))
        )
    code = laid_out(mapping(rows), indent=4, used=len("rows: ClassVar = "))
    camel = "".join(part.capitalize() for part in name.split("_"))
    body = (
        f"class {camel}Seeder(DatabaseSeeder):\n"
        f'    """Draws documents as they were found; at scale {1 / factor:.4g} as many."""\n\n'
        f"    rows: ClassVar = {code}\n"
    )
    title = f'"""Sample data of `{name}`, distributed as `mimiod inspect` measured it."""'
    return f"{title}\n\n{_imports(body)}\n\n{body}"


class _Drawn:
    """The draws of one collection."""

    def __init__(self, inspection: Inspection, facts: CollectionFacts) -> None:
        self.collection = facts
        self.inspection = inspection
        self.references: dict[str, ReferenceFacts] = {
            each.fields[0]: each
            for each in inspection.references
            if each.collection == facts.name and len(each.fields) == 1
        }
        self.unique = _unique_fields(facts, set(self.references))

    def fields(
        self, facts: FieldFacts, path: tuple[str, ...], *, top: bool = False,
        only: frozenset[str] | None = None, chosen: Any = None,
    ) -> Code:  # fmt: skip
        """Return the draws of an object's fields."""
        variants = facts.variants
        pairs: list[tuple[str, Code]] = []
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
        if inner is None or facts.sizes is None:
            return listing([])
        return call("Array", inner, _histogram(facts.sizes, digits=0, most=MOST_ITEMS))

    def _scalar(self, facts: FieldFacts, path: tuple[str, ...], kind: str) -> Code | None:  # noqa: C901, PLR0911 - a kind each
        reference = self.references.get(".".join(path))
        if reference is not None and self.inspection.collections[reference.target].documents:
            target = call("Ref", literal(reference.target))
            if kind == "string" and facts.forms.get("object_id") == 1:
                return call("Text", literal("{named}"), named=target)
            return target
        unique = path in self.unique
        if facts.enumeration and not unique:
            weights = {
                value: count for value, count in facts.enumeration.items() if isinstance(value, str | bool)
            }
            if kind == "bool":
                return call("Chance", _share(weights.get(True, 0) / max(1, sum(weights.values()))))
            return call(
                "Choice", mapping([(literal(value), literal(count)) for value, count in weights.items()])
            )
        match kind:
            case "int" | "long" | "double" | "decimal" if facts.numbers is not None:
                if unique:
                    return call("Sequence", literal(math.floor(facts.numbers.low)))
                digits = 0 if kind in {"int", "long"} else _digits(facts.numbers)
                return _histogram(facts.numbers, digits=digits)
            case "bool":
                return call("Chance", "0.5")
            case "date" if facts.moments is not None:
                return _moment(facts.moments)
            case "string":
                return _text(facts, unique=unique)
            case "uuid":
                return call("Function", "lambda row: UUID(int=row.random.getrandbits(128), version=4)")
            case "binData":
                return call("Function", "lambda row: row.random.randbytes(16)")
            case "objectId":
                return call("Function", "lambda row: ObjectId(row.random.randbytes(12))")
        return None


def _unique_fields(facts: CollectionFacts, referring: set[str]) -> set[tuple[str, ...]]:
    """Return the fields that have to differ: by a unique index, or since no value was seen twice."""
    found = {path for path, each in facts.fields() if each.unique and each.values > 20}  # noqa: PLR2004
    identifier = facts.root.fields.get("_id")
    if identifier is not None:
        found.add(("_id",))
        found |= {("_id", name) for name, each in identifier.fields.items() if not each.enumeration}
    for index in facts.shape.indexes.values():
        if index.get("unique"):
            paths = [tuple(path.split(".")) for path in index["key"]]
            if not any(path in found for path in paths):
                found |= set([path for path in paths if ".".join(path) not in referring][:1])
    return found


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


def _histogram(numbers: Range, *, digits: int | None, most: float = math.inf) -> Code:
    """Return the draw of numbers: ten ranges between measured quantiles, each alike often."""
    low, high = min(numbers.low, most), min(numbers.high, most)
    if low == high:
        return literal(round(low) if digits == 0 else low)
    edges = [low, *(min(value, most) for value in numbers.quantiles[2:-2:2]), high]
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


def _text(facts: FieldFacts, *, unique: bool) -> Code:  # noqa: C901, PLR0911, PLR0912 - a form each
    form = next(iter(facts.forms), "")
    number = {"n": call("Uniform", "0", "9999")}
    match form:
        case "email":
            return (
                call("Text", literal("user{row}@example.com")) if unique else call("Fake", literal("email"))
            )
        case "url":
            return call("Text", literal("https://example.com/{row}"))
        case "uuid":
            return call("Text", literal("{n:08x}-0000-4000-8000-{row:012x}"), **number)
        case "object_id":
            return call("Text", literal("{n:08x}{row:016x}"), **number)
        case "iso_date":
            return call("Text", literal("{at:%Y-%m-%d}"), at=call("Moment"))
        case "iso_date_time":
            return call("Text", literal("{at:%Y-%m-%dT%H:%M:%SZ}"), at=call("Moment"))
        case "ip_address":
            return call(
                "Text", literal("10.0.{a}.{b}"), a=call("Uniform", "0", "255"), b=call("Uniform", "1", "254")
            )
        case "country_code" if not unique:
            return call("Fake", literal("country_code"))
    if (pattern := digits_of(facts)) is not None:
        places = pattern.count("#")
        if not unique or 10**places >= facts.values:
            return call("Digits", literal(pattern), **({"unique": "True"} if unique else {}))
    length = facts.lengths.mean if facts.lengths else 0
    word = call("Fake", literal("word"))
    if unique:
        return call("Text", literal("{word}-{row}"), word=word)
    if length <= _WORD:
        return word
    if length <= _NAME:
        return call("Text", literal("{one} {other}"), one=word, other=call("Fake", literal("last_name")))
    most = min(2_000, max(20, round(facts.lengths.high))) if facts.lengths else _NAME
    return call("Fake", literal("text"), options=mapping([(literal("max_nb_chars"), literal(most))]))


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
