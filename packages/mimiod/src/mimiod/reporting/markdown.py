"""Texts made safe for Markdown, tables of them, and Mermaid's entity diagram."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mimiod.reporting.entities import Entity

_CODE = re.compile(r"`([\w$.,:;=+*/'\"() -]+)`")
"What prose may set in code: what has no backtick, bracket or bar of its own."
_SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])")
"An underscore between letters is none."
_AT_THE_START = re.compile(r"^(\d{0,9})([-+=#.)])")
"What would make a heading, a list or a rule of a line."
_ENTITIES = {letter: f"&#{ord(letter)};" for letter in "&<>\"'`|\\*_[]~:"}
_LOOSE_END = {"0..1": "o|", "0..n": "o{"}
_FIRM_END = {"1": "||", "0..1": "|o", "0..n": "}o"}


def prose(text: str) -> str:
    """Return a text on one line that Markdown shows as it is; names in backticks are set in code."""
    parts = _CODE.split(" ".join(text.split()))
    shown = "".join(f"`{part}`" if number % 2 else _plain(part) for number, part in enumerate(parts))
    return _AT_THE_START.sub(r"\g<1>\\\g<2>", shown)


def _plain(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("://", ":&#47;&#47;")):
        text = text.replace(character, entity)
    return _SPECIAL.sub(r"\\\g<0>", text)


def code(text: str) -> str:
    """Return a name or an expression set in code; it may hold anything, and stand in a table."""
    line = " ".join(text.split())
    return f"`{line}`" if line and not re.search(r"[`|]", line) else html_code(line)


def html_code(text: str) -> str:
    """Return a name set in code where Markdown is not read, as in a `<summary>`."""
    line = " ".join(text.split())
    return f"<code>{''.join(_ENTITIES.get(letter, letter) for letter in line)}</code>"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; its cells are Markdown already."""
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def mermaid(entities: Sequence[Entity]) -> list[str]:
    """Return a Mermaid entity diagram as a fenced block."""
    names = {entity.name: _identifier(entity.name, number) for number, entity in enumerate(entities)}
    lines = ["```mermaid", "erDiagram"]
    for entity in entities:
        lines += [
            f"    {names[link.target]} {_FIRM_END[link.named]}--{_LOOSE_END[link.referring]} "
            f'{names[link.source]} : "{_quoted(link.path)}"'
            for link in entity.links
        ]
    for entity in entities:
        shown = "" if names[entity.name] == entity.name else f'["{_quoted(entity.name)}"]'
        lines.append(f"    {names[entity.name]}{shown} {{")
        lines.append("        id _id PK")
        lines += [
            f"        reference {_attribute(link.path)} FK "
            f'"{_quoted(link.path)} names {_quoted(link.target)}"'
            for link in entity.links
            if link.path != "_id"
        ]
        lines += [
            f'        embedded {_attribute(each.path)} "{_quoted(each.path)}, {each.count}"'
            for each in entity.embedded
        ]
        lines.append("    }")
    return [*lines, "```"]


def _identifier(name: str, number: int) -> str:
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name)
    return name if plain else f"collection_{number}"


def _attribute(path: str) -> str:
    return "f_" + re.sub(r"\W", "_", path, flags=re.ASCII) if not _is_plain(path) else path.replace(".", "_")


def _is_plain(path: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]*", path) is not None


def _quoted(text: str) -> str:
    """Return a text for between quotes: what Mermaid could take for syntax becomes an underscore."""
    return re.sub(r"[^\w .,:*$/()-]", "_", " ".join(text.split()))
