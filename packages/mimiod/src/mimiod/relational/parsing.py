"""sqlglot, as it is used: statements of three dialects; CREATE TABLE piece by piece: little stops it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import errors, exp

from mimiod.relational.statements import STRINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SQLGLOT: Mapping[str, str] = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
"What sqlglot calls a dialect."

_PART = r"""(?:'(?:[^']|'')++'|"(?:[^"]|"")++"|`[^`]++`|\[[^\]]*\]|[\w$]+)"""
_HEAD = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?P<kind>(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|FOREIGN|VIRTUAL)\s+)*)TABLE\s+"
    rf"(?P<exists>IF\s+NOT\s+EXISTS\s+)?(?P<name>{_PART}(?:\s*\.\s*{_PART})*)\s*",
    re.IGNORECASE,
)
_UNREAD = {
    "sqlite": r"\bON\s+CONFLICT\s+(?:ROLLBACK|ABORT|FAIL|IGNORE|REPLACE)\b",
    "mysql": r"(?<=[^\s(,])\s+(?:(?:IN)?VISIBLE|(?:NOT\s+)?ENFORCED)\b|\bSRID\s+\d+"
    r"|\bGENERATED\s+ALWAYS\s+AS\s+ROW\s+(?:START|END)\b",
    "postgresql": r"\bNULLS\s+NOT\s+DISTINCT\b|\bUSING\s+INDEX\s+TABLESPACE\s+\w+"
    r"|\bSEQUENCE\s+NAME\s+[\w.\"]+|\bNOT\s+VALID\b|\bNO\s+INHERIT\b|(?<=\bON)\s+ONLY\b|(?<=[^\s(,])\s+(?:(?:NOT\s+)?ENFORCED|STORAGE\s+\w+|COMPRESSION\s+\w+)\b",
}
"What says nothing of tables and keys, and sqlglot does not read."
_COLUMN = re.compile(
    rf"\s*({_PART})\s+(.+?)(?=\s+(?:CONSTRAINT|NOT|NULL|DEFAULT|PRIMARY|UNIQUE|REFERENCES|CHECK|COLLATE|GENERATED|AS"
    r"|AUTO_INCREMENT|AUTOINCREMENT|COMMENT|ON|CHARACTER\s+SET|CHARSET|KEY)\b|\s*$)",
    re.IGNORECASE | re.DOTALL,
)
_TYPE = re.compile(
    r"(?:interval(?:\s+\w+(?:\s+to\s+\w+)?)?|(?:national|long|bit|character|char)\s+\w+|double\s+precision|[\w$]+"
    r"|(?:[\w$]+\.)?\"[^\"]+\"|[\w$]+\.[\w$]+)(?:\s*\(\s*-?[\w.]+(?:\s*,\s*-?\d+)*\s*\))?(?:\s*\[\d*\])*",
    re.IGNORECASE,
)
"A type that sqlglot may not know, and that yet is one."
_NO_COLUMN = {
    "mysql": r"\s*(?:PERIOD\s+FOR|(?:SPATIAL|FULLTEXT|UNIQUE)\s+(?:KEY|INDEX)|(?:KEY|INDEX)\s+\S+\s*\()",
    "postgresql": r"\s*(?:CONSTRAINT\s+\S+\s+)?EXCLUDE\b",
    "sqlite": r"(?!)",
}
"What sqlglot may not read, and can be done without: indexes of expressions, and the like."
_WRAPPED = "CREATE TABLE t "
logging.getLogger("sqlglot").addFilter(lambda record: "Falling back to parsing as" not in record.getMessage())


class UnparsedError(Exception):
    """A text that cannot be parsed."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        "From 1, in the text."


@dataclass(frozen=True)
class Created:
    """A CREATE TABLE statement."""

    name: exp.Table
    exists: bool
    "Whether it says IF NOT EXISTS."
    kind: str
    "`TEMPORARY`, `FOREIGN`, `VIRTUAL` …, or nothing."
    elements: list[exp.Expr] | None
    "Columns and constraints; None if there are none in brackets."
    options: str
    "What stands after them."
    types: Mapping[str, str]
    "Declared types, by column, as they are written."


def parsed(text: str, dialect: str) -> exp.Expr:
    """Return a statement.

    Raises:
        UnparsedError: it cannot be parsed.
    """
    try:
        return sqlglot.parse_one(_known(text, dialect), dialect=SQLGLOT[dialect])
    except errors.ParseError as exc:
        told = exc.errors[0] if exc.errors else {}
        start = str(told.get("start_context", "")).removeprefix(_WRAPPED).lstrip("(")[-30:]
        near = " ".join(f"{start}{told.get('highlight', '')}".split())
        what = f"{str(told.get('description', 'it cannot be parsed')).rstrip('.')}, near {near!r}"
        raise UnparsedError(int(told.get("line") or 1), what) from exc
    except (errors.SqlglotError, RecursionError, ValueError) as exc:
        raise UnparsedError(1, " ".join(str(exc).split())[:200]) from exc


def table_created(text: str, dialect: str, *, any_type: bool = True) -> Created:
    """Return what a CREATE TABLE statement says; SQLite takes any words as a type, if they are to be.

    Raises:
        UnparsedError: it cannot be parsed.
    """
    text = _known(text, dialect)
    head = _HEAD.match(text)
    if head is None:
        raise UnparsedError(1, "CREATE TABLE without a name")
    try:
        name = exp.to_table(head["name"], dialect=SQLGLOT[dialect])
    except (errors.SqlglotError, ValueError):
        raise UnparsedError(1, f"{head['name']!r} is no table's name") from None
    kind = " ".join(head["kind"].upper().split())
    if not text.startswith("(", head.end()) or kind == "VIRTUAL":
        return Created(name, bool(head["exists"]), kind, None, text[head.end() :], {})
    pieces, end = _pieces(text, head.end(), dialect)
    try:
        elements = _elements(text[head.end() : end], dialect)
    except UnparsedError:
        elements = []
        for place, piece in pieces:
            try:
                elements += _piece(piece, dialect, any_type=any_type and dialect == "sqlite")
            except UnparsedError as exc:
                raise UnparsedError(text.count("\n", 0, place) + exc.line, str(exc)) from exc
    types = {}
    for _, piece in pieces:
        if column := _COLUMN.match(piece):
            types[_plain(column[1])] = " ".join(column[2].split())
    return Created(name, bool(head["exists"]), kind, elements, text[end:], types)


def conditions(elements: list[exp.Expr]) -> Iterator[exp.Expr]:
    """Yield what the check constraints of columns and tables demand."""
    for element in elements:
        for check in element.find_all(exp.CheckColumnConstraint):
            yield check.this


def _known(text: str, dialect: str) -> str:
    """Return a statement without what sqlglot does not read, of as many lines."""
    unread = re.compile(f"({STRINGS[dialect]})|{_UNREAD[dialect]}", re.IGNORECASE | re.DOTALL)
    return unread.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)


def _plain(name: str) -> str:
    quote = name[0]
    return name[1:-1].replace(quote * 2, quote) if quote in "'\"`[" else name


def _elements(body: str, dialect: str) -> list[exp.Expr]:
    statement = parsed(f"{_WRAPPED}{body}", dialect)
    if not isinstance(statement, exp.Create) or not isinstance(statement.this, exp.Schema):
        raise UnparsedError(1, "it cannot be parsed")
    return list(statement.this.expressions)


def _piece(piece: str, dialect: str, *, any_type: bool) -> list[exp.Expr]:
    """Return a column, though its type is not known, or a constraint."""
    try:
        return _elements(f"({piece})", dialect)
    except UnparsedError:
        if re.match(_NO_COLUMN[dialect], piece, re.IGNORECASE):
            return []
        column = _COLUMN.match(piece)
        if column is None or not (any_type or _TYPE.fullmatch(column[2].strip())):
            raise
        return _elements(f"({column[1]} TEXT {piece[column.end() :]})", dialect)


def _pieces(text: str, start: int, dialect: str) -> tuple[list[tuple[int, str]], int]:
    """Return what commas part in the brackets that open at a place, with its place, and where they end."""
    found: list[tuple[int, str]] = []
    begin, depth = start + 1, 0
    for sign in re.finditer(rf"{STRINGS[dialect]}|[(),]", text[start:], re.DOTALL):
        place = start + sign.start()
        if sign[0] == "(":
            depth += 1
        elif sign[0] == ")":
            depth -= 1
            if depth == 0:
                return [*found, (begin, text[begin:place])], place + 1
        elif sign[0] == "," and depth == 1:
            found.append((begin, text[begin:place]))
            begin = place + 1
    raise UnparsedError(text.count("\n") + 1, "the statement ends before its brackets do")
