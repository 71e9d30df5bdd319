"""The draws of texts: of a form, of digits, or of words, within what a validator allows."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mimiod.inspecting.bounds import digits_of
from mimiod.inspecting.code import Code, Group, call, literal, mapping

if TYPE_CHECKING:
    from mimiod.inspecting.facts import FieldFacts

_WORD = 8
_NAME = 20
_ROOMY = 40
"Characters that any draw of a text has room in."
_DIGITS = 9
_FORM_LENGTHS = {
    "uuid": 36, "object_id": 24, "iso_date": 10, "iso_date_time": 20, "ip_address": 12, "country_code": 2,
    "email": 30, "url": 34,
}  # fmt: skip
_LONGEST_RUN = 9
_SAMPLES = {"row": 17, "n": 1234, "a": 1, "b": 2, "at": datetime(2025, 1, 2, tzinfo=UTC)}
"What may stand in a template whose texts all look alike."
_QUANTIFIER = re.compile(r"\{(\d+)(,?)(\d*)\}|[?*+]")


@dataclass(frozen=True)
class Room:
    """What texts have to be."""

    unique: bool = False
    rows: int = 0
    "How many there are, at the most, if they are unique."
    least: int = 0
    most: int | None = None
    "Characters."
    pattern: str = ""


def text_code(facts: FieldFacts, room: Room) -> Code:
    """Return the draw of a text."""
    made = _text(facts, room)
    if room.pattern:
        if _all_match(made, room.pattern):
            return made
        address = call("Text", literal("user{row}@example.com"))
        if _all_match(address, room.pattern):
            return address
        mask = mask_of(room.pattern)
        if mask is not None and (not room.unique or 10 ** mask.count("#") >= room.rows):
            return _digits(mask, unique=room.unique)
    known = _examples(made)
    if room.least > 1 and (not known or min(map(len, known)) < room.least):
        length = max(room.least, len(str(room.rows)) if room.unique else 1)
        return _digits("#" * length, unique=room.unique)
    return made


def mask_of(pattern: str) -> str | None:
    """Return a text, with # for any digit, that a regular expression matches; None where none is found."""
    mask, rest = _mask(pattern.removeprefix("^"))
    good = not rest and all(re.search(pattern, mask.replace("#", digit)) for digit in "0123456789")
    return mask if good and mask and mask.isprintable() else None


def _mask(pattern: str) -> tuple[str, str]:
    """Return a text that the beginning of a pattern matches, and what is left of it from a bracket on."""
    made = ""
    while pattern and pattern[0] not in "|)":
        part, pattern = _atom(pattern)
        least, most = 1, 1
        if found := _QUANTIFIER.match(pattern):
            pattern = pattern[found.end() :].removeprefix("?")
            least = int(found[1]) if found[1] else 1 if found[0] == "+" else 0
            open_end = found[0] in {"*", "+"} or (bool(found[2]) and not found[3])
            most = max(least, _LONGEST_RUN) if open_end else int(found[3] or max(least, 1))
        made += part * (most if part == "#" else least)
    while pattern.startswith("|"):
        _, pattern = _mask(pattern[1:])
    return made, pattern


def _atom(pattern: str) -> tuple[str, str]:
    """Return a text that the first part of a pattern matches, and the rest."""
    first = pattern[0]
    if first == "\\":
        return {"d": "#", "w": "#", "S": "#", "s": " ", "b": ""}.get(pattern[1:2], pattern[1:2]), pattern[2:]
    if first == "[":
        end = pattern.find("]", 3 if pattern.startswith("[^") else 2)
        inside = pattern[1:end]
        digits = any(part in inside for part in ("0-9", "\\d", "\\w")) and inside[0] != "^"
        return "#" if digits else "x" if inside[0] == "^" else inside.lstrip("\\")[:1], pattern[end + 1 :]
    if first == "(":
        made, rest = _mask(re.sub(r"^\(\?(:|P<\w+>)|^\(", "", pattern))
        return made, rest[1:]
    return ("" if first in "^$" else "#" if first == "." else first), pattern[1:]


def _all_match(made: Code, pattern: str) -> bool:
    """Return whether texts that a draw makes match, as far as can be known of it."""
    examples = _examples(made)
    return bool(examples) and all(re.search(pattern, each) for each in examples)


def _examples(made: Code) -> list[str]:
    """Return texts that a draw makes; none where they differ in more than numbers."""
    if not isinstance(made, Group) or not isinstance(made.items[0][1], str):
        return []
    told = ast.literal_eval(made.items[0][1])
    if made.before == "Digits(":
        return [told.replace("#", digit) for digit in "0123456789"]
    if made.before == "Fake(" and told == "country_code":
        return ["US", "ID"]
    if made.before != "Text(" or any(name not in _SAMPLES for name in re.findall(r"\{(\w+)", told)):
        return []
    return [told.format_map(_SAMPLES)]


def _digits(mask: str, *, unique: bool) -> Code:
    return call("Digits", literal(mask), **({"unique": "True"} if unique else {}))


def _text(facts: FieldFacts, room: Room) -> Code:  # noqa: C901, PLR0911, PLR0912 - a form each
    """Return the draw of texts of a form, or of about a length, and of `most` characters at the most."""
    form = next(iter(facts.forms), "")
    unique, most = room.unique, room.most
    if most is not None and most < _ROOMY and _FORM_LENGTHS.get(form, _ROOMY) > most:
        return _short_text(facts, most, room)
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
        if not unique or 10**places >= room.rows:
            return _digits(pattern, unique=unique)
    length = facts.lengths.mean if facts.lengths else 0
    word = call("Fake", literal("word"))
    if unique:
        return call("Text", literal("{word}-{row}"), word=word)
    if length <= _WORD:
        return word
    if length <= _NAME:
        return call("Text", literal("{one} {other}"), one=word, other=call("Fake", literal("last_name")))
    longest = min(2_000, max(20, round(facts.lengths.high))) if facts.lengths else _NAME
    return call("Fake", literal("text"), options=mapping([(literal("max_nb_chars"), literal(longest))]))


def _short_text(facts: FieldFacts, most: int, room: Room) -> Code:
    """Return the draw of texts for which there is little room."""
    pattern = digits_of(facts)
    if pattern is None or (room.unique and 10 ** pattern.count("#") < room.rows):
        pattern = "#" * min(most, _DIGITS) if room.unique else None
    if pattern is not None and len(pattern) <= most:
        return _digits(pattern, unique=room.unique)
    word = {"word": call("Fake", literal("word"))}
    wide = facts.lengths is not None and facts.lengths.mean > _WORD and most > _NAME
    if not wide:
        return call("Text", literal(f"{{word:.{most}}}"), **word)
    name = call("Fake", literal("last_name"))
    return call("Text", literal(f"{{word:.{most // 2}}} {{name:.{(most - 1) // 2}}}"), **word, name=name)
