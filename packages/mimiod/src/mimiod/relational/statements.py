"""Files of SQL statements, taken apart as a stream: without comments, data, and what psql alone takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mimiod.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = 1 << 18
"Characters that a dialect is guessed from."
_LONGEST = 4 << 20
"Characters of a statement that are kept; one that is longer holds data."

STRINGS = {
    "mysql": r"""'(?>[^'\\]+|\\.|'')*+'|"(?>[^"\\]+|\\.|"")*+"|`[^`]*+`""",
    "postgresql": r"""(?<![A-Za-z0-9_])[eE]'(?>[^'\\]+|\\.|'')*+'|'[^']*+'|"[^"]*+\"""",
    "sqlite": r"""'[^']*+'|"[^"]*+"|`[^`]*+`|\[[^\]\n]*+\]""",
}
"Quoted texts and names, by dialect."
_QUOTES = {"mysql": "'\"`", "postgresql": "'\"", "sqlite": "'\"`["}
_COMMENT = {"mysql": r"--(?=\s|$)|\#", "postgresql": "--", "sqlite": "--"}
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_COPY = re.compile(r"\s*COPY\b.*\bFROM\s+stdin\b", re.IGNORECASE | re.DOTALL)
_COPIED = "\\."
"The line that ends the data of COPY."
_DELIMITER = re.compile(r"\s*DELIMITER\s+(\S+)", re.IGNORECASE)
_SIGNS = {
    "sqlite": r"\bAUTOINCREMENT\b|\bWITHOUT\s+ROWID\b|\bPRAGMA\b|\)\s*STRICT\s*;",
    "mysql": r"\bAUTO_INCREMENT\b|\bENGINE\s*=|^\s*(CREATE|ALTER)\s[^;]*`|\bUNSIGNED\b|\w\W\s*ENUM\s*\("
    r"|\b(MEDIUM|LONG|TINY)(INT|TEXT|BLOB)\b",
    "postgresql": r"\b(SMALL|BIG)?SERIAL\b|\bJSONB\b|::|\bTIMESTAMPTZ\b|\bBYTEA\b|\bAS\s+ENUM\b|\bINHERITS\b"
    r"|\w\[\]|\bsearch_path\b|\bplpgsql\b|\bcharacter varying\b|\bAS\s+IDENTITY\b|\bwith(out)? time zone\b",
}


class Statement(NamedTuple):
    """A statement without its comments."""

    text: str
    line: int
    "Where it begins, from 1."


def guessed(head: str) -> str | None:
    """Return the dialect whose own words stand in the beginning of a file."""
    found = {
        name: len(re.findall(signs, head, re.IGNORECASE | re.MULTILINE)) for name, signs in _SIGNS.items()
    }
    best = max(found, key=lambda name: found[name])
    return best if found[best] else None


def opened(path: Path) -> tuple[str, str]:
    """Return the encoding of a file and its beginning.

    Raises:
        SourceError: it cannot be read, or is no text.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as exc:
        raise SourceError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if head.startswith(b"SQLite format 3"):
        raise SourceError(f"{path} is a SQLite database, no statements: inspect sqlite:///{path}")
    if head.startswith(b"PGDMP"):
        raise SourceError(
            f"{path} is an archive of pg_dump: pg_restore --schema-only -f schema.sql {path.name}"
        )
    if head.startswith(b"\x1f\x8b"):
        raise SourceError(f"{path} is packed: gunzip it first")
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = head.decode(encoding, errors="ignore")
    if "\0" in text:
        raise SourceError(f"{path} is no text: a file of SQL statements is wanted, in UTF-8")
    return encoding, text


def statements(path: Path, encoding: str, dialect: str) -> Iterator[Statement]:
    """Yield the statements of a file; of one too long to be a declaration, its beginning."""
    splitter = _Splitter(dialect)
    with path.open(encoding=encoding, errors="surrogateescape", newline=None) as file:
        for number, line in enumerate(file, 1):
            yield from splitter.fed(line, number)
    yield from splitter.ended(path)


class _Splitter:
    """What is known between the lines."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._comment = re.compile(_COMMENT[dialect])
        self._parts: list[str] = []
        self._size = 0
        self._begin = 0
        self._line = 0
        self._open = ""
        "What ends the text, comment or data that the last line was in."
        self._end_at(";")

    def _end_at(self, delimiter: str) -> None:
        """Let statements end with a sign."""
        self._delimiter = delimiter
        letters = "eE" if self._dialect == "postgresql" else ""
        signs = re.escape(_QUOTES[self._dialect] + ";$#/-" + letters + delimiter[0])
        rest = f"|[{letters}]" if letters else ""
        self._plain = re.compile(rf"(?>[^{signs}]+|{STRINGS[self._dialect]}{rest})++", re.DOTALL)

    def fed(self, line: str, number: int) -> Iterator[Statement]:
        """Take a line, and yield what statements end in it."""
        if self._passed(line):
            return
        position = 0
        while position < len(line):
            if self._open:
                position = self._closed(line, position)
                continue
            if found := self._plain.match(line, position):
                self._keep(found[0], number)
                position = found.end()
            elif line.startswith(self._delimiter, position):
                position += len(self._delimiter)
                if done := self._done():
                    yield done
                    if _COPY.match(done.text):
                        self._open = _COPIED
                        return
            else:
                position = self._special(line, position, number)

    def _passed(self, line: str) -> bool:
        """Pass over a line of data, of psql's or of the client's of MySQL."""
        if self._open == _COPIED:
            if line.rstrip("\r\n") == _COPIED:
                self._open = ""
            return True
        if self._begin or self._open:
            return False
        if self._dialect == "mysql" and (told := _DELIMITER.match(line)):
            self._end_at(told[1])
            return True
        return line.startswith("\\")

    def ended(self, path: Path) -> Iterator[Statement]:
        """Yield what stands after the last semicolon.

        Raises:
            SourceError: a text or comment has no end.
        """
        if self._open not in {"", _COPIED}:
            raise SourceError(
                f"{path}, line {self._line:,}: what begins here has no end: {self._open} is missing "
                f"(read as {self._dialect}); mend it, or name the dialect"
            )
        if done := self._done():
            yield done

    def _special(self, line: str, position: int, number: int) -> int:
        """Go past what begins a comment, a text of several lines, or nothing."""
        self._line = number
        if self._comment.match(line, position):
            self._keep("\n", number)
            return len(line)
        if line.startswith("/*", position):
            self._open = "*/"
            self._keep(" ", number)
            return position + 2
        if self._dialect == "postgresql" and (dollar := _DOLLAR.match(line, position)):
            self._keep("''", number)
            self._open = dollar[0]
            return dollar.end()
        sign = line[position]
        if sign in _QUOTES[self._dialect]:
            self._open = "]" if sign == "[" else sign
        self._keep(sign, number)
        return position + 1

    def _closed(self, line: str, position: int) -> int:
        """Go to the end of what is open, or of the line."""
        end = self._open
        comment = end == "*/" or end.startswith("$")
        at = line.find(end, position)
        while self._dialect == "mysql" and end in {"'", '"'} and (escape := line.find("\\", position)) >= 0:
            if 0 <= at < escape:
                break
            self._keep(line[position : escape + 2], 0)
            position = min(escape + 2, len(line))
            at = line.find(end, position)
        if at < 0:
            self._keep("\n" if comment else line[position:], 0)
            return len(line)
        if not comment:
            self._keep(line[position : at + len(end)], 0)
        self._open = ""
        return at + len(end)

    def _keep(self, text: str, number: int) -> None:
        if not self._begin:
            if text.isspace():
                return
            self._begin = number
        if self._size < _LONGEST:
            self._parts.append(text)
            self._size += len(text)

    def _done(self) -> Statement | None:
        text, line = "".join(self._parts).strip(), self._begin
        self._parts, self._size, self._begin = [], 0, 0
        return Statement(text, line) if text else None
