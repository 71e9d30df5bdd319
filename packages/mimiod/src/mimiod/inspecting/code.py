"""Python code made of data: names and literals that are inert whatever the data is, laid out as ruff does."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

WIDTH = 88
"Columns: ruff leaves what is broken so as it is, with a longer line too."

_LONGEST_NAME = 40
_RESERVED = {*dir(BaseModel), *dir(builtins), *keyword.kwlist, *keyword.softkwlist, "self", "cls", "id"}


@dataclass(frozen=True)
class Group:
    """Code in brackets: on one line if it fits, else an item a line."""

    before: str
    "`Name(`, `[`, `{` …"
    items: tuple[tuple[str, Code], ...]
    "Each with what stands before it: `key=`, `'key': `, or nothing."
    after: str


Code = str | Group


def call(name: str, /, *arguments: Code, **named: Code) -> Group:
    """Return a call."""
    return Group(
        f"{name}(", tuple([("", a) for a in arguments] + [(f"{n}=", a) for n, a in named.items()]), ")"
    )


def mapping(pairs: list[tuple[str, Code]]) -> Group:
    """Return a dictionary; the keys are code."""
    return Group("{", tuple((f"{key}: ", value) for key, value in pairs), "}")


def listing(items: list[Code]) -> Group:
    """Return a list."""
    return Group("[", tuple(("", item) for item in items), "]")


def subscript(name: str, *items: Code) -> Group:
    """Return a generic type; of one argument it stays on one line."""
    return Group(f"{name}[", tuple(("", item) for item in items), "]")


def flat(code: Code) -> str:
    """Return code on one line."""
    if isinstance(code, str):
        return code
    return code.before + ", ".join(prefix + flat(item) for prefix, item in code.items) + code.after


def laid_out(code: Code, *, indent: int = 0, used: int = 0, more: int = 0) -> str:
    """Return code in lines; `used` columns of the first stand before it, `more` after the last."""
    line = flat(code)
    if isinstance(code, str) or not code.items or indent + used + len(line) + more <= WIDTH:
        return line
    inner = indent + 4
    items = [
        f"{' ' * inner}{prefix}{laid_out(item, indent=inner, used=len(prefix), more=1)},"
        for prefix, item in code.items
    ]
    return "\n".join([code.before, *items, " " * indent + code.after])


def literal(value: Any) -> str:
    """Return the code of a text, number, bool, None or moment, which says that value and does nothing.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            return f'float("{value}")'
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(float(value))
    if isinstance(value, datetime):
        return f"datetime({value.year}, {value.month}, {value.day}, tzinfo=UTC)"
    raise TypeError(f"{type(value).__name__} has no literal")


def literal_of(value: Any) -> Code:
    """Return the code of nested dictionaries and lists of literals; of what has none, its text."""
    if isinstance(value, dict):
        return mapping([(literal(str(key)), literal_of(inner)) for key, inner in value.items()])
    if isinstance(value, list | tuple):
        return listing([literal_of(inner) for inner in value])
    try:
        return literal(value)
    except TypeError:
        return literal(str(value))


def _quoted(text: str) -> str:
    """Return a text between double quotes, but where single ones need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = "".join(
        "\\" + letter if letter in {quote, "\\"} else letter if letter == "'" else repr(letter)[1:-1]
        for letter in text
    )
    return f"{quote}{body}{quote}"


class Names:
    """The names of one scope, each given once."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def field(self, name: str) -> str:
        """Return a Python name for a field."""
        plain = _plain(name)
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain) if plain != name else plain
        plain = plain.strip("_") or "field"
        plain = plain[0].lower() + plain[1:]  # a class's name, taken in its body, would be hidden by it
        if plain[0].isdigit() or plain.startswith("model_"):
            plain = f"field_{plain}"
        if plain in _RESERVED or plain in {"datetime", "date", "time"}:
            plain += "_"
        return self._new(plain[:_LONGEST_NAME])

    def of_class(self, *words: str) -> str:
        """Return a Python name for a class, of a few words."""
        parts = [part for word in words for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", _plain(word))]
        name = "".join(part[:1].upper() + part[1:] for part in parts)[:_LONGEST_NAME] or "Part"
        if name[0].isdigit():
            name = f"Part{name}"
        if name in {"None", "True", "False"} or hasattr(builtins, name):
            name += "Part"
        return self._new(name)

    def _new(self, name: str) -> str:
        free, number = name, 2
        while free in self._taken:
            free, number = f"{name}_{number}", number + 1
        self._taken.add(free)
        return free


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "_", letters)
