"""The text of CREATE TABLE: its items, their names, and NOT NULL put in and taken out."""

# ruff: noqa: S105 - a token here is a piece of SQL

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_STANDARD: Final = r"'(?:[^']|'')*'"
_BACKSLASHED: Final = r"'(?:[^'\\]|''|\\.)*'"
_REST: Final = r"""|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|\w+|\s+|."""
_TOKENS: Final = {
    False: re.compile(_STANDARD + _REST, re.DOTALL),
    True: re.compile(_BACKSLASHED + _REST, re.DOTALL),
}
_BLANK: Final = re.compile(r"\s+|--[^\n]*|/\*.*?\*/", re.DOTALL)
_CONSTRAINTS: Final = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@dataclass(slots=True)
class Definition:
    """What stands between and after the parentheses of a CREATE TABLE."""

    items: list[str]
    """Columns and constraints, their blanks and comments kept."""
    tail: str
    """`STRICT`, `WITHOUT ROWID` and the like."""

    def index_of(self, column: str) -> int:
        """Return the place of a column's item."""
        return [_folded(column_name(item)) for item in self.items].index(_folded(column))

    def __str__(self) -> str:
        # An item may end in a comment, which ends with its line.
        return f"({','.join(self.items).rstrip()}\n){self.tail}"


def parse(create: str) -> Definition:
    """Return the definition in a CREATE TABLE, or in the bare text between its parentheses."""
    items = [""]
    depth, whole = 0, create if re.match(r"\s*CREATE\b", create, re.IGNORECASE) else f"({create})"
    tokens = _tokens(whole)
    for token in tokens:
        depth -= token == ")"
        if depth == 0 and token == ")":
            break
        if depth == 1 and token == ",":
            items.append("")
        elif depth:
            items[-1] += token
        depth += token == "("
    return Definition(items, "".join(tokens))


def column_name(item: str) -> str | None:
    """Return the name of the column that an item defines; None: it is a constraint."""
    first = next(_words(item), "")
    return None if first.upper() in _CONSTRAINTS else _unquoted(first)


def constraint_name(item: str) -> str | None:
    """Return the name of the constraint that an item defines, if it has one."""
    words = _words(item)
    return _unquoted(next(words)) if next(words, "").upper() == "CONSTRAINT" else None


def without_not_null(item: str, *, backslashes: bool = False) -> str:
    """Return a column's item without its NOT NULL; quoted texts and parentheses are left as they are."""
    tokens = list(_tokens(item, backslashes=backslashes))
    words: list[int] = []
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if depth == 0 and not _BLANK.fullmatch(token):
            words.append(place)
    upper = [tokens[place].upper() for place in words]
    for at in range(len(upper) - 1):
        if upper[at : at + 2] == ["NOT", "NULL"]:
            end = at + (5 if upper[at + 2 : at + 4] == ["ON", "CONFLICT"] else 2)
            for place in words[at:end]:
                tokens[place] = ""
            break
    return "".join(tokens)


def before_check(item: str, words: str) -> str:
    """Return a column's item with words put before its CHECK, which MariaDB wants last."""
    text, depth = "", 0
    for token in _tokens(item, backslashes=True):
        if depth == 0 and words and token.upper() == "CHECK":
            text, words = f"{text}{words} ", ""
        depth += (token == "(") - (token == ")")
        text += token
    return f"{text} {words}".rstrip()


def renamed(expression: str, old: str, new: str) -> str:
    """Return an expression with another name, as SQL writes it, for a column; texts are left as they are."""
    return "".join(
        new if token[0] not in "'\"" and _folded(_unquoted(token)) == _folded(old) else token
        for token in _tokens(expression, backslashes=True)
    )


def _tokens(text: str, *, backslashes: bool = False) -> Iterator[str]:
    return (found.group() for found in _TOKENS[backslashes].finditer(text))


def _words(text: str) -> Iterator[str]:
    return (token for token in _tokens(text) if not _BLANK.fullmatch(token))


def _unquoted(word: str) -> str:
    return word[1:-1].replace(word[0] * 2, word[0]) if word[:1] in ('"', "`", "[", "'") else word


def _folded(name: str | None) -> str | None:
    return name.lower() if name is not None else None
