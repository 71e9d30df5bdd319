"""A workload of SQL: how often tables are read together, read alone, and written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mimiod.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlglot import exp

    from mimiod.relational.model import Relational

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
_UNITS = {
    "s": 86_400, "sec": 86_400, "second": 86_400, "min": 1_440, "minute": 1_440, "h": 24, "hour": 24,
    "day": 1, "d": 1, "week": 1 / 7, "month": 1 / 30, "year": 1 / 365,
}  # fmt: skip
_OFTEN = re.compile(
    r"(?i)(?P<number>\d[\d_,]*(?:\.\d+)?)\s*(?P<thousands>k|m)?\s*(?:times|x)?\s*(?:/|\ban?\b|\bper\b|\bevery\b)\s*"
    rf"(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})s?\b"
)
_THOUSANDS = {"k": 1_000, "m": 1_000_000}
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Asked:
    """A statement: which tables it reads and writes, and how often it comes."""

    reads: frozenset[str]
    writes: frozenset[str]
    per_day: float


@dataclass(frozen=True)
class Workload:
    """The statements of a file."""

    statements: Sequence[Asked]
    notes: Sequence[str] = field(default_factory=list)
    "What was passed over, a line each."

    def together(self, table: str, other: str) -> float:
        """How often a day a table is read with another."""
        return sum(each.per_day for each in self.statements if {table, other} <= each.reads)

    def alone(self, table: str, other: str) -> float:
        """How often a day a table is read without another."""
        return sum(
            each.per_day for each in self.statements if table in each.reads and other not in each.reads
        )

    def written(self, table: str) -> float:
        """How often a day rows of a table are written."""
        return sum(each.per_day for each in self.statements if table in each.writes)


def read_queries(path: Path, schema: Relational) -> Workload:
    """Read a file of queries; a comment before one, such as `-- 500 a day`, says how often it is asked.

    A query without such a comment counts once a day.

    Raises:
        SourceError: the file cannot be read, or holds something that is no SQL.
        ConfigurationError: the extra `sql` is not installed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise SourceError(f"{path} cannot be read: {reason}") from exc
    names = {name.lower(): name for name in schema.tables}
    statements: list[Asked] = []
    unknown: dict[str, None] = {}
    for before, tree in _statements(path, text, _DIALECTS.get(schema.dialect, "")):
        reads, writes = _tables(tree)
        unknown |= dict.fromkeys(name for name in (*reads, *writes) if name.lower() not in names)
        asked = Asked(
            frozenset(names[name.lower()] for name in reads if name.lower() in names),
            frozenset(names[name.lower()] for name in writes if name.lower() in names),
            _per_day(before),
        )
        if asked.reads or asked.writes:
            statements.append(asked)
    if not statements:
        raise SourceError(
            f"{path} has no query on a table of {schema.name}: SELECT, INSERT, UPDATE or DELETE, each ended "
            "with a semicolon, and before it a comment such as -- 500 a day"
        )
    return Workload(statements, [f"{path.name} names {name!r}, which is no table there" for name in unknown])


def _statements(path: Path, text: str, dialect: str) -> Iterator[tuple[str, exp.Expr]]:
    """Yield each statement, parsed, with the text between it and the one before."""
    try:
        import sqlglot  # noqa: PLC0415 - an extra
        from sqlglot.errors import SqlglotError  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError("reading SQL needs an extra: pip install 'mimiod[sql]'") from None
    try:
        tokens = sqlglot.tokenize(text, read=dialect)
    except SqlglotError as exc:
        raise SourceError(f"{path} is no SQL: {' '.join(str(exc).split())[:200]}") from exc
    ended = 0
    while tokens:
        end = next((n for n, each in enumerate(tokens) if each.token_type.name == "SEMICOLON"), len(tokens))
        own, tokens = tokens[:end], tokens[end + 1 :]
        if not own:
            continue
        start, stop = own[0].start, own[-1].end + 1
        statement = text[start:stop]
        try:
            tree = sqlglot.parse_one(statement, read=dialect)
        except SqlglotError as exc:
            shown = " ".join(statement.split())[:_LONGEST_SHOWN]
            raise SourceError(
                f"{path}:{own[0].line}: this is no SQL that can be read: {shown!r}; mend or remove it"
            ) from exc
        yield text[ended:start], tree
        ended = stop


def _tables(tree: exp.Expr) -> tuple[dict[str, None], dict[str, None]]:
    """Return the names of the tables that a statement reads, and of those that it writes."""
    from sqlglot import exp  # noqa: PLC0415 - an extra

    writes: dict[str, None] = {}
    target: exp.Expr | None = None
    if isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        this = tree.this
        target = this if isinstance(this, exp.Table) else this.find(exp.Table) if this is not None else None
        if target is not None:
            writes[target.name] = None
    elif not isinstance(tree, exp.Query):
        return {}, {}
    common = {each.alias_or_name for each in tree.find_all(exp.CTE)}
    reads = {
        each.name: None
        for each in tree.find_all(exp.Table)
        if each is not target and each.name and each.name not in common
    }
    return reads, writes


def _per_day(before: str) -> float:
    """Return how often the comments before a statement say that it comes; once a day if they do not."""
    said = [found for line in before.splitlines() for found in _OFTEN.finditer(line)]
    if not said:
        return 1.0
    number = float(re.sub("[_,]", "", said[-1]["number"])) * _THOUSANDS.get(
        (said[-1]["thousands"] or "").lower(), 1
    )
    return number * _UNITS[said[-1]["unit"].lower()]


def in_words(per_day: float) -> str:
    """Return a frequency in words."""
    return f"{per_day:,.0f}" if per_day >= 1 or per_day == 0 else f"{per_day:.2g}"
