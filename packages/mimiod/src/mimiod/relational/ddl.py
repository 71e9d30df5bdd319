"""Files of SQL statements that declare a database: CREATE TABLE and what belongs to it, and whole dumps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mimiod.errors import ConfigurationError, SourceError

try:
    from sqlglot import exp

    from mimiod.relational.column_types import ColumnType, column_type
    from mimiod.relational.declarations import AgainError, Declarations
    from mimiod.relational.parsing import SQLGLOT, UnparsedError, parsed, table_created
except ImportError as exc:
    raise ConfigurationError("to read SQL needs more packages: pip install 'mimiod[sql]'") from exc
from mimiod.relational.statements import guessed, opened, statements

if TYPE_CHECKING:
    from pathlib import Path

    from mimiod.relational.model import Relational
    from mimiod.relational.statements import Statement

DIALECTS = tuple(SQLGLOT)
_ALIASES = {"postgres": "postgresql", "mariadb": "mysql", "sqlite3": "sqlite"}
_WORDS = re.compile(
    r"\s*(\w+)(?:\s+(?:OR\s+REPLACE\s+)?((?:UNIQUE|GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|FOREIGN|VIRTUAL|MATERIALIZED|RECURSIVE|FULLTEXT|SPATIAL)\s+)*(\w+))?",
    re.IGNORECASE,
)
_ADDS = re.compile(r"\bADD\s+(?:COLUMN|CONSTRAINT|PRIMARY|UNIQUE|FOREIGN|CHECK)\b", re.IGNORECASE)
_ATTACHED = re.compile(r"\bATTACH\s+PARTITION\s+(\S+)", re.IGNORECASE)
_DOMAIN = re.compile(
    r"CREATE\s+DOMAIN\s+(\S+)\s+(?:AS\s+)?(.+?)(?=\s+(?:CONSTRAINT|CHECK|NOT|NULL|DEFAULT|COLLATE)\b|\s*$)",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMA = re.compile(
    r"(?:SET\s+(?:SESSION\s+|LOCAL\s+)?search_path\s*(?:=|TO)|USE)\s*['\"`]?(\w*)", re.IGNORECASE
)


def read_ddl(path: Path, dialect: str | None = None) -> Relational:
    """Return the database that a file of statements declares.

    The dialect is `postgresql`, `mysql` or `sqlite`; without one it is told by the file's words, and where
    these are nobody's, it is the first that all statements can be parsed in.

    Raises:
        SourceError: the file cannot be read, is no SQL, declares no table or one twice, or has a statement
            that cannot be parsed.
    """
    encoding, head = opened(path)
    if dialect is not None:
        wanted = _ALIASES.get(dialect.lower(), dialect.lower())
        if wanted not in DIALECTS:
            raise SourceError(f"{dialect!r} is no dialect that is read: {', '.join(DIALECTS)}")
        return _read(path, encoding, wanted)
    if found := guessed(head):
        return _read(path, encoding, found)
    first: SourceError | None = None
    for each in DIALECTS:
        try:
            return _read(path, encoding, each, any_type=False)
        except SourceError as exc:
            first = first or exc
    raise first or SourceError(f"{path} cannot be read")


def _read(path: Path, encoding: str, dialect: str, *, any_type: bool = True) -> Relational:
    declared = Declarations(dialect, any_type=any_type)
    try:
        for statement in statements(path, encoding, dialect):
            _take(declared, statement, path)
    except UnicodeError as exc:
        raise SourceError(f"{path} is no text in {encoding}: save it as UTF-8") from exc
    if not declared:
        told = ", ".join(f"{count:,} {what}" for what, count in declared.passed.items())
        raise SourceError(
            f"{path} has no CREATE TABLE{f' (but {told})' if told else ''}: pg_dump writes such a file with "
            "--schema-only, mysqldump with --no-data, sqlite3 with .schema"
        )
    return declared.relational(path.stem)


def _take(declared: Declarations, statement: Statement, path: Path) -> None:
    words = _WORDS.match(statement.text)
    verb, noun = (str(words[1]).upper(), str(words[3] or "").upper()) if words else ("?", "")
    try:
        if (verb, noun) in {
            ("CREATE", "TABLE"),
            ("CREATE", "INDEX"),
            ("CREATE", "TYPE"),
            ("ALTER", "TABLE"),
            ("DROP", "TABLE"),
        }:
            statement.text.encode()  # bytes that are no UTF-8 were let pass in data alone
            _declare(declared, statement.text, verb, noun)
        elif (verb, noun) == ("CREATE", "DOMAIN") and (domain := _DOMAIN.match(statement.text)):
            name = exp.to_table(domain[1], dialect=SQLGLOT[declared.dialect])
            declared.create_type(name, column_type(domain[2], declared.dialect))
        elif schema := _SCHEMA.match(statement.text):
            declared.schema = schema[1]
        else:
            declared.passed[f"{verb} {noun}".strip() if verb in {"CREATE", "ALTER", "DROP"} else verb] += 1
    except UnparsedError as exc:
        line = statement.line + exc.line - 1
        raise SourceError(
            f"{path}, line {line:,}: {exc} (read as {declared.dialect}); mend it, or name the dialect: "
            f"--dialect {'|'.join(DIALECTS)}"
        ) from exc
    except AgainError as exc:
        raise SourceError(
            f"{path}, line {statement.line:,}: the table {str(exc)!r} is there already: remove one"
        ) from exc
    except UnicodeEncodeError as exc:
        raise SourceError(
            f"{path}, line {statement.line:,}: it has bytes that are no UTF-8: save it as UTF-8"
        ) from exc


def _declare(declared: Declarations, text: str, verb: str, noun: str) -> None:
    if (verb, noun) == ("CREATE", "TABLE"):
        declared.create_table(table_created(text, declared.dialect, any_type=declared.any_type))
        return
    if noun == "TABLE" and (attached := _ATTACHED.search(text)):
        declared.drop(exp.to_table(attached[1], dialect=SQLGLOT[declared.dialect]))
        declared.passed["partitions of tables"] += 1
        return
    try:
        statement = parsed(text, declared.dialect)
    except UnparsedError:
        if (verb, noun) == ("ALTER", "TABLE") and _ADDS.search(text):
            raise
        declared.passed[f"{verb} {noun} that cannot be parsed"] += 1
        return
    if isinstance(statement, exp.Create) and noun == "INDEX":
        declared.create_index(statement)
    elif isinstance(statement, exp.Create) and isinstance(statement.expression, exp.DataType):
        values = tuple(value.name for value in statement.expression.expressions)
        declared.create_type(statement.this, ColumnType("string", values=values))
    elif isinstance(statement, exp.Alter):
        declared.alter(statement)
    elif isinstance(statement, exp.Drop):
        for table in statement.args.get("tables") or [statement.this]:
            declared.drop(table)
    else:
        declared.passed[f"{verb} {noun}"] += 1
