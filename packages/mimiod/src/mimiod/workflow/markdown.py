"""What a Markdown file is made of: sections, fenced blocks and comments, each with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})\s*(.*)")
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_FILL_IN = re.compile(r"(?:<!--|#)\s*fill in\b", re.IGNORECASE)


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, sections below it included."""

    title: str
    level: int
    line: int
    body: str

    @property
    def is_filled(self) -> bool:
        """Whether something stands in it, comments apart."""
        return bool(re.sub(r"<!--.*?-->", "", self.body, flags=re.DOTALL).strip())


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    "The first word after the fence, in lower case."
    name: str
    "The second, as `db_schema.py`."
    text: str
    line: int
    "Of its first line inside."


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a text in order; one that is never closed ends with the text."""
    return [block for block, _ in _fenced(text)]


def sections(text: str) -> list[Section]:
    """Return the sections of a text in order; what stands in fenced blocks is no heading."""
    lines = text.splitlines()
    inside = {number for block, last in _fenced(text) for number in range(block.line - 1, last + 1)}
    heads = [
        (number, match)
        for number, line in enumerate(lines, 1)
        if number not in inside and (match := _HEADING.match(line))
    ]
    found = []
    for at, (number, match) in enumerate(heads):
        level = len(match[1])
        ends = (other for other, head in heads[at + 1 :] if len(head[1]) <= level)
        body = "\n".join(lines[number : next(ends, len(lines) + 1) - 1])
        found.append(Section(match[2], level, number, body))
    return found


def unfilled(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of the comments by which a skeleton asks to be filled in."""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _FILL_IN.search(line):
            yield number, line[match.start() :].strip("<!-># \n")


def _fenced(text: str) -> Iterator[tuple[Block, int]]:
    """Yield each block, and the line of its closing fence."""
    fence, words, begin = "", [""], 0
    inside: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = _FENCE.match(line)
        if not fence:
            if match:
                fence, words, begin, inside = match[1], match[2].split(), number + 1, []
        elif match and match[1].startswith(fence) and not match[2]:
            yield _block(words, inside, begin), number
            fence = ""
        else:
            inside.append(line)
    if fence:
        yield _block(words, inside, begin), len(lines)


def _block(words: list[str], lines: list[str], begin: int) -> Block:
    language, name, *_ = [*words, "", ""]
    return Block(language.lower(), name, "".join(f"{line}\n" for line in lines), begin)
