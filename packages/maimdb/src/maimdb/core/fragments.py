"""What a piece of SQL text may hold where the gate cannot see its structure.

Text reaches a statement as `SQL("…")`, as a raw statement, and as small words inside Peewee's nodes (a
function's name, an operator, a join type). The rules here keep such text from leaving its place in the
statement, from opening another read, and from naming a guarded table.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`")
_READ: Final = re.compile(r"\b(?:select|table|join|union|intersect|except|returning|into)\b", re.IGNORECASE)
_FROM: Final = re.compile(r"(?<!distinct )\bfrom\b", re.IGNORECASE)
_GROUP: Final = re.compile(r"\([^()]*\)")
_HIDING: Final = re.compile(r"--|/\*|\*/|;|\$\$|\$\w+\$|\\|\x00|#|\bu&", re.IGNORECASE)
_CONTROL: Final = re.compile(
    r"\s*(?:savepoint|release|rollback|begin|commit|start\s+transaction)\b[^;]*;?\s*", re.IGNORECASE
)
_SCHEMA: Final = re.compile(
    r"\s*(?:create|alter|drop|comment|reindex|analyze|vacuum|pragma|show|describe|desc|set)\b", re.IGNORECASE
)
_ROWS: Final = re.compile(r"\b(?:select|as\s+table|values|execute|call|do)\b|;\s*\S", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
# They run the text of their argument as a statement, read whole tables by name, or leave the database.
_RUNNERS: Final = re.compile(
    r"(?:query|cursor|table|schema|database)_to_xml\w*|dblink\w*|ts_stat|crosstab\w*|connectby"
    r"|pg_read_\w+|pg_ls_\w+|lo_\w+|load_extension|load_file|readfile|writefile|edit|eval|select|table|from",
    re.IGNORECASE,
)


class Faults(NamedTuple):
    """What is wrong with a fragment; an empty text is nothing."""

    escape: str
    """Why the text could leave its place in the statement."""
    read: str
    """The word with which the text could open a read of its own."""
    source: str
    """`from` outside its own parentheses; harmless only as part of a function's arguments."""


@lru_cache(maxsize=4096)
def faults_of(text: str) -> Faults:
    """Return the faults of a fragment of SQL."""
    if _WORD.fullmatch(text) and not _READ.fullmatch(text) and not _FROM.fullmatch(text):
        return Faults("", "", "")
    bare = _QUOTED.sub("''", text)
    read = _READ.search(bare)
    outer = " ".join(bare.split())
    while outer != (outer := _GROUP.sub("", outer)):
        pass
    source = _FROM.search(outer)
    return Faults(_escape(text, bare), read.group().lower() if read else "", "from" if source else "")


def _escape(text: str, bare: str) -> str:
    if hidden := _HIDING.search(bare) or ("\\" in text and _HIDING.search(text)):
        return f"it holds {hidden.group()!r}"
    if any(quote in bare.replace("''", "") for quote in "'\"`"):
        return "a quote is not closed"
    depth = 0
    for character in bare:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return "it closes a parenthesis that it did not open"
    return "a parenthesis is not closed" if depth else ""


@lru_cache(maxsize=1024)
def is_plain_call(name: str) -> bool:
    """Return whether the function's name is only a name, and of a function that runs no SQL of its own."""
    return bool(_WORD.fullmatch(name)) and not _RUNNERS.fullmatch(name.rpartition(".")[2])


def is_transaction_control(sql: str) -> bool:
    """Return whether the statement only begins, ends or marks a transaction."""
    return bool(_CONTROL.fullmatch(sql))


def changes_only_schema(sql: str) -> bool:
    """Return whether the statement defines or describes tables and neither reads nor writes rows."""
    return bool(_SCHEMA.match(sql)) and not _ROWS.search(_QUOTED.sub("''", sql))


def name_pattern(names: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of the tables anywhere in a raw statement."""
    return re.compile(rf"(?<!\w)(?:{_alternatives(names)})(?!\w)", re.IGNORECASE)


def source_pattern(names: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of the tables where a statement reads or writes it."""
    schema = r"(?:(?:\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|\w+)\s*\.\s*)*"
    table = rf"[\s(]*{schema}[\"`\[]?(?:{_alternatives(names)})"
    return re.compile(
        rf"\b(?:from|join|into|update|only|lateral|table|straight_join)\b{table}(?!\w|[\"`\]]?\s*\.)"
        rf"|,{table}(?!\w)[\"`\]]?\s+\w",
        re.IGNORECASE,
    )


def _alternatives(names: frozenset[str]) -> str:
    return "|".join(map(re.escape, sorted(names))) or r"(?!)"
