"""The files in a model's answer, in the one format that is understood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mimiod.workflow.folder import MAIN
from mimiod.workflow.gates import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = """\
Answer with whole files and nothing else, each between two lines like these:

=== FILE db_schema.py ===
(all of the file's lines)
=== END db_schema.py ===

Both lines stand alone, with the same name. Give every file that is new or changes, whole; a file that you
leave out stays as it is. Put no fence around a file's content."""

FILES: Final[dict[int, frozenset[str]]] = {
    1: frozenset({"tech_design.md"}),
    2: frozenset({"db_schema.py"}),
    3: frozenset({"seed_db.py", "db_schema.py"}),
    4: frozenset({"seed_db.py", "db_schema.py", "tech_design.md"}),
    5: frozenset({"README.md"}),
}
"What each step may write, beside modules of the project's own in steps 2 to 4."
MODULE: Final = re.compile(r"[a-z][a-z0-9_]{0,40}\.py")
"The name of a module of the project's own."
WITH_MODULES: Final = frozenset({2, 3, 4})
MOST_SIGNS: Final = 200_000
"Of one file."
MOST_FILES: Final = 20

_BEGIN = re.compile(r"=== FILE (.+?) ===[ \t]*")
_END = re.compile(r"=== END (.+?) ===[ \t]*")
_FENCE = re.compile(r"\s*```[a-z]*\n(.*)\n```\s*", re.DOTALL)


class AnswerError(ValueError):
    """An answer that is not in the format; the text says what is wrong with it."""


def files_in(answer: str, step: int) -> dict[str, str]:
    """Return the files in an answer by their names.

    Raises:
        AnswerError: there are none, or one that the step may not write, or one that cannot be read.
    """
    files: dict[str, str] = {}
    name, lines = "", list[str]()
    for line in answer.split("\n"):
        begins, ends = _BEGIN.fullmatch(line), _END.fullmatch(line)
        if name and ends and ends[1] == name:
            files[name] = _content(name, "\n".join(lines))
            name, lines = "", []
        elif name:
            if begins:
                raise AnswerError(f"{name} does not end before {begins[1][:60]!r} begins")
            lines.append(line)
        elif begins:
            name = _allowed(begins[1], step)
            if name in files:
                raise AnswerError(f"{name} is there twice")
    if name:
        raise AnswerError(f"{name} does not end: there is no line `=== END {name} ===`")
    if not files:
        raise AnswerError("there is no file in it")
    if len(files) > MOST_FILES:
        raise AnswerError(f"there are {len(files)} files in it; at most {MOST_FILES} are taken")
    return files


def digest(files: Mapping[str, str]) -> str:
    """Return files as an answer holds them."""
    return "\n".join(f"=== FILE {name} ===\n{text}=== END {name} ===" for name, text in files.items())


def _allowed(name: str, step: int) -> str:
    named = FILES[step]
    taken = name == MAIN or any(name in files for files in FILES.values())
    module = step in WITH_MODULES and not taken and MODULE.fullmatch(name)
    if name not in named and not module:
        more = " and modules named like my_draws.py" if step in WITH_MODULES else ""
        raise AnswerError(
            f"the file {name[:60]!r}: step {step} ({STEPS[step]}) writes {', '.join(sorted(named))}{more}"
        )
    return name


def _content(name: str, text: str) -> str:
    if len(text) > MOST_SIGNS:
        raise AnswerError(f"{name} has {len(text):,} signs; at most {MOST_SIGNS:,} are taken")
    if bad := next((sign for sign in text if sign < " " and sign not in "\n\t"), None):
        raise AnswerError(f"{name} holds the control character U+{ord(bad):04X}")
    fenced = _FENCE.fullmatch(text) if name.endswith(".py") else None
    return (fenced[1] if fenced else text).rstrip() + "\n"
