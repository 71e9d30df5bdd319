"""What the values of a field are bound to: by the validator that was found, else by what was read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic_core import SchemaError

from mimiod.inspecting.code import Code, literal
from mimiod.inspecting.collection_code import validator_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mimiod.inspecting.declarations import Limits
    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Range

_TINY = 1e-9
_OFTEN = 100
"Times that each literal of a sample is found, on average: then no other is likely."
_MOST_DIGITS = 18
_NUMBERS = frozenset({"int", "double", "decimal"})
_ALTERNATIVES = frozenset({"anyOf", "oneOf", "allOf", "not"})
_SIZES = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 16_000_000)
_PATTERNS = {
    "email": r"^[^@\s]+@[^@\s]+$",
    "url": r"^https?://",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "object_id": r"^[0-9a-f]{24}$",
    "iso_date_time": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d",
    "iso_date": r"^\d{4}-\d\d-\d\d$",
    "country_code": r"^[A-Z]{2}$",
}


@dataclass(frozen=True)
class Rule:
    """What a validator says of a field."""

    node: Mapping[str, Any]
    required: bool

    @property
    def kinds(self) -> list[str]:
        """The BSON types beside null; none where any may be."""
        told = self.node.get("bsonType", [])
        kinds = dict.fromkeys(_merged(kind) for kind in ([told] if isinstance(told, str) else told))
        return [kind for kind in kinds if kind != "null"]

    @property
    def nullable(self) -> bool:
        """Whether null is named as a type."""
        told = self.node.get("bsonType", [])
        return told == "null" or (isinstance(told, list) and "null" in told)

    @property
    def values(self) -> list[Any]:
        """All that there may be beside null; empty where any may."""
        return [value for value in self.node.get("enum", ()) if value is not None]

    @property
    def free(self) -> bool:
        """Whether it is an object of which no field is named."""
        return self.kinds == ["object"] and not {"properties", "patternProperties"} & self.node.keys()

    @property
    def under_keys(self) -> Rule | None:
        """What is said of the values under any key."""
        inner = self.node.get("additionalProperties")
        return Rule(inner, required=False) if isinstance(inner, dict) else None

    def number(self, keyword: str) -> float | None:
        """Return a bound."""
        found = self.node.get(keyword)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else None

    @property
    def pattern(self) -> str:
        """The regular expression, where it is one for pydantic, too."""
        found = self.node.get("pattern", "")
        return found if isinstance(found, str) and _compiles(found) else ""


def rule_of(collection: CollectionFacts, path: tuple[str, ...], *, arrays: bool) -> Rule | None:
    """Return what the validator says of a field, or where `arrays` is false of an array's items."""
    node: Any = validator_of(collection.shape)
    required = True
    for name in path:
        if (node := _items(node)) is None:
            return None
        required = name in node.get("required", ())
        inner = node.get("properties", {})
        node = node.get("additionalProperties") if name == "*" and name not in inner else inner.get(name)
    if not arrays:
        node = _items(node)
    return Rule(node, required) if isinstance(node, dict) and not _ALTERNATIVES & node.keys() else None


def _items(node: Any) -> dict[str, Any] | None:
    """Return the node of what is no array; None where there are alternatives, or nothing is said."""
    while isinstance(node, dict) and isinstance(node.get("items"), dict) and "properties" not in node:
        node = node["items"]
    return node if isinstance(node, dict) and not _ALTERNATIVES & node.keys() else None


def _merged(kind: str) -> str:
    return {"long": "int", "number": "double"}.get(kind, kind)


@lru_cache(maxsize=1_000)
def _compiles(pattern: str) -> bool:
    try:
        TypeAdapter(Annotated[str, Field(pattern=pattern)])
    except SchemaError:
        return False
    return True


def kinds_of(facts: FieldFacts, rule: Rule | None = None, *, scalars: bool = False) -> list[str]:
    """Return the types that were found, and those that a validator allows beside them."""
    kinds = dict.fromkeys("int" if kind == "long" else kind for kind in facts.types)
    if rule is not None and not rule.kinds and not rule.values:
        return []
    kinds |= dict.fromkeys(rule.kinds if rule is not None else ())
    return [kind for kind in kinds if not scalars or kind not in {"object", "array"}]


def bounds_of(
    collection: CollectionFacts, facts: FieldFacts, limits: Limits | None, rule: Rule | None, *, assumed: bool
) -> dict[str, Code]:
    """Return what is declared of a field; where nothing is, the bounds of what was read."""
    if rule is not None:
        return _ruled(facts, rule)
    if limits is None:
        return {} if assumed else _limits(collection, facts)
    return _declared(collection, facts, limits, assumed=assumed)


def _declared(
    collection: CollectionFacts, facts: FieldFacts, limits: Limits, *, assumed: bool
) -> dict[str, Code]:
    named: dict[str, Code] = {}
    numbers, lengths = facts.numbers, facts.lengths
    if limits.kind == "array" and limits.high is not None:
        if facts.sizes is None or facts.sizes.high <= limits.high:
            return {"max_length": literal(limits.high)}
        return _limits(collection, facts)
    if limits.kind in {"int", "long", "double", "decimal"} and len(kinds_of(facts)) <= 1:
        if limits.low is not None and (numbers is None or numbers.low >= limits.low):
            named["ge"] = literal(_number(limits.low))
        if limits.high is not None and (numbers is None or numbers.high <= limits.high):
            named["le"] = literal(_number(limits.high))
    if limits.kind == "string" and not limits.values and kinds_of(facts) in ([], ["string"]):
        if limits.length and (lengths is None or lengths.high <= limits.length):
            named["max_length"] = literal(limits.length)
        if not assumed and collection.complete and (pattern := _form_of(facts)):
            named["pattern"] = _raw(pattern)
    return named


def _ruled(facts: FieldFacts, rule: Rule) -> dict[str, Code]:
    """Return the bounds of a validator, but for those that documents break which it came too late for."""
    kinds, named = set(kinds_of(facts, rule)), dict[str, Code]()
    if rule.values:
        return named
    if kinds and kinds <= _NUMBERS:
        held, pairs = facts.numbers, (("minimum", "g"), ("maximum", "l"))
    elif kinds == {"string"}:
        held, pairs = facts.lengths, (("minLength", "min_length"), ("maxLength", "max_length"))
        if rule.pattern and _fit(facts, rule.pattern):
            named["pattern"] = _raw(rule.pattern)
    elif kinds == {"array"}:
        held, pairs = facts.sizes, (("minItems", "min_length"), ("maxItems", "max_length"))
    else:
        return named
    for keyword, ours in pairs:
        bound = rule.number(keyword)
        if bound is None or (
            held is not None and (held.low < bound if keyword.startswith("min") else held.high > bound)
        ):
            continue
        open_end = rule.node.get(f"exclusive{keyword.capitalize()}") is True
        name = ours if len(ours) > 1 else f"{ours}{'t' if open_end else 'e'}"
        named[name] = literal(_number(bound))
    return named


def _fit(facts: FieldFacts, pattern: str) -> bool:
    """Return whether texts match as far as they are known: few values, or what differs in digits only."""
    known = [value for value in facts.enumeration or () if isinstance(value, str)]
    for mask in facts.masks or ():
        rest = mask[len(facts.prefix) :]
        if not re.search("[Aa]", rest):
            known.append(facts.prefix + rest.replace("9", "5"))
    return all(re.search(pattern, value) for value in known)


def _limits(collection: CollectionFacts, facts: FieldFacts) -> dict[str, Code]:
    """Return bounds that hold of what was read, widened; of a sample only those that are likely to hold."""
    kinds = kinds_of(facts)
    if len(kinds) != 1 or (facts.enumeration and kinds == ["string"]):
        return {}
    kind = kinds[0]
    if kind in {"int", "double"} and facts.numbers and not facts.not_finite:
        return _bounds(facts.numbers, exact=collection.complete)
    if kind == "array" and facts.sizes and collection.complete and facts.items is not None:
        return {"max_length": literal(_rounded_up(facts.sizes.high))}
    if kind != "string" or facts.lengths is None:
        return {}
    if (pattern := pattern_of(facts)) and (collection.complete or facts.values >= 1_000):  # noqa: PLR2004
        return {"pattern": _raw(pattern)}
    return {"max_length": literal(_rounded_up(facts.lengths.high * (1 if collection.complete else 4)))}


def pattern_of(facts: FieldFacts) -> str:
    """Return the regular expression that all texts match, or nothing."""
    if form := _form_of(facts):
        return form
    if facts.values > 1 and len(facts.masks or ()) == 1 and (pattern := digits_of(facts)) is not None:
        return "^" + "".join(_run(run[0]) for run in re.finditer(r"#+|[^#]+", pattern)) + "$"
    return ""


def _form_of(facts: FieldFacts) -> str:
    """Return the regular expression of the known form that all texts have, or nothing."""
    known = [name for name, share in facts.forms.items() if share == 1 and name in _PATTERNS]
    return next((_PATTERNS[name] for name in known if not (facts.unique and name == "country_code")), "")


def digits_of(facts: FieldFacts) -> str | None:
    """Return the usual form of texts that differ in digits only, with # for these; None for others."""
    if not facts.masks:
        return None
    masks = facts.masks
    mask = max(masks, key=lambda each: masks[each])
    start = re.match(r"[^0-9]*", facts.prefix)
    kept = start[0] if start else ""
    rest = mask[len(kept) :]
    pattern = kept + rest.replace("9", "#")
    if re.search("[Aa#]", rest) or "#" in kept or not kept.isprintable():
        return None
    return pattern if 0 < pattern.count("#") <= _MOST_DIGITS else None


def few_of(
    collection: CollectionFacts, facts: FieldFacts, limits: Limits | None, rule: Rule | None
) -> Sequence[Any]:
    """Return all values that there may be: as declared, unless others were found; else as they were found."""
    found = facts.enumeration or {}
    kinds = kinds_of(facts, rule)
    if kinds == ["int"] and rule is not None and all(type(value) is int for value in rule.values):
        return rule.values if facts.distinct <= len(rule.values) else ()
    if kinds not in ([], ["string"]):
        return ()
    if rule is not None or limits is not None:
        declared = rule.values if rule is not None else limits.values if limits is not None else ()
        texts = all(isinstance(value, str) for value in declared)
        others = not texts or not found.keys() <= set(declared) or facts.distinct > len(declared)
        return () if others else declared
    enough = collection.complete or facts.values >= _OFTEN * len(found)
    return list(found) if enough else ()


def _number(value: Any) -> float:
    """Return a bound as a literal has it: whole, or of floating point."""
    return int(value) if value == int(value) else float(value)


def _run(run: str) -> str:
    return rf"\d{{{len(run)}}}" if run[0] == "#" else re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", run)


def _raw(pattern: str) -> str:
    return f'r"{pattern}"' if '"' not in pattern and not pattern.endswith("\\") else literal(pattern)


def _bounds(numbers: Range, *, exact: bool) -> dict[str, Code]:
    if not exact:
        return {"ge": "0"} if numbers.low >= 0 else {}
    low, high = _outward(numbers.low, up=False), _outward(numbers.high, up=True)
    return {"ge": literal(low), "le": literal(high)}


def _outward(value: float, *, up: bool) -> float:
    """Return a number of two digits that is no nearer to zero's other side."""
    if not _TINY < abs(value) < 2**53:
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    rounded = (math.ceil if up else math.floor)(value / step) * step
    whole = round(rounded) if isinstance(value, int) or abs(rounded) >= 10 else float(f"{rounded:.2g}")  # noqa: PLR2004
    return whole if (whole >= value if up else whole <= value) else value


def _rounded_up(size: float) -> int:
    return next((each for each in _SIZES if each >= size), math.ceil(size))
