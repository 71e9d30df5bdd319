"""Step 1: `tech_design.md` is complete, and its tables say what their columns ask."""

from __future__ import annotations

import re
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING

from mimiod.checking.design_tables import backticked, words
from mimiod.workflow import faults, markdown
from mimiod.workflow.evidence import Evidence, Gate, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.checking.design_tables import Table
    from mimiod.checking.findings import Finding
    from mimiod.workflow.drafts import Draft

FILE = "tech_design.md"
SECTIONS = {
    "entities": r"entit",
    "relationships": r"relation",
    "workload": r"workload",
    "patterns": r"pattern",
    "sample data": r"sample|seed|distribution",
}
"What a design has a section on, and how its heading is known."
INPUT_SHARE = 0.6
"Of the words that the input repeats, how many a design has."

_COLUMNS = {
    "relationships": {
        "cardinality": r"cardinality",
        "embed or reference": r"\bhow\b|embed|reference",
        "why": r"why|reason",
    },
    "workload": {
        "action": r"action",
        "type": r"type",
        "information": r"information",
        "frequency": r"frequency|rate|how often",
        "priority": r"priority",
    },
}
_CLEAR = {
    "cardinality": re.compile(r"\d|\bmany\b|\bone\b|\bn\b", re.IGNORECASE),
    "embed or reference": re.compile(r"embed|refer|copy|copied|comput|`", re.IGNORECASE),
    "type": re.compile(r"read|write", re.IGNORECASE),
    "frequency": re.compile(r"\d|night|dai|hour|week|month|year|once|seldom|rare|assum", re.IGNORECASE),
    "priority": re.compile(r"\W*(high|medium|low|[123])\b", re.IGNORECASE),
}
_REPEATED = 2
_SHORTEST = 5
_MOST_WORDS = 60


def gate(draft: Draft) -> Gate:
    """Judge the design."""
    result = Gate(draft.name, 1)
    result.evidence = _evidence(draft)
    if not isinstance(draft.design, str):
        return result.conclude([draft.design])
    return result.conclude(
        [
            *draft.unfilled(FILE),
            *_sections(draft.design),
            *_tables(draft),
            *_alone(draft),
            *_input(draft),
        ]
    )


def rows_expected(draft: Draft) -> int:
    """Return how many queries and writes the design asks for."""
    return len(draft.workload_rows)


def collections_expected(draft: Draft) -> set[str]:
    """Return the names in backticks in the table of entities: those of the collections."""
    rows = draft.entities.rows if draft.entities else ()
    named = {name for row in rows for name in backticked(row)}
    return {name for name in named if re.fullmatch(r"\w+", name)}


def _sections(text: str) -> Iterator[Finding]:
    for section in markdown.sections(text):
        if not section.body.strip():
            yield faults.SECTION_EMPTY.at(FILE, f"nothing below {section.title!r}", FILE, section.line)
    titles = [section.title.lower() for section in markdown.sections(text)]
    for name, pattern in SECTIONS.items():
        if not any(re.search(pattern, title) for title in titles):
            yield faults.DESIGN_TABLE_MISSING.at(FILE, f"no section on {name}", FILE)


def _tables(draft: Draft) -> Iterator[Finding]:
    if draft.entities is None:
        yield faults.DESIGN_TABLE_MISSING.at(FILE, "no table below a heading with `Entities`", FILE)
    else:
        yield from _cells(draft.entities, sorted(draft.entities.columns))
    for name, found in (("relationships", draft.relationships), ("workload", draft.workload)):
        if not found:
            known = "`Relationships`" if name == "relationships" else "`Workload`, with a column `action`"
            yield faults.DESIGN_TABLE_MISSING.at(FILE, f"no table below a heading with {known}", FILE)
        for table in found:
            yield from _columns(table, name)
    kinds = " ".join(row.get("type", "").lower() for row in draft.workload_rows)
    for kind in ("read", "write"):
        if draft.workload and kind not in kinds:
            line = draft.workload[0].line
            yield faults.DESIGN_NO_READS.at(FILE, f"no row of the workload is a {kind}", FILE, line)


def _columns(table: Table, name: str) -> Iterator[Finding]:
    for asked, pattern in _COLUMNS[name].items():
        own = [column for column in table.rows[0] if re.search(pattern, column)]
        if not own:
            text = f"the table below {table.heading!r} has no column {asked!r}"
            yield faults.DESIGN_COLUMN_MISSING.at(FILE, text, FILE, table.line - 2)
            continue
        clear = _CLEAR.get(asked)
        for number, row in enumerate(table.rows, table.line):
            cell = row.get(own[0], "")
            if cell and clear and not clear.search(cell):
                text = f"{_title(row)}: {cell!r} is no {asked}"
                yield faults.DESIGN_CELL_UNCLEAR.at(FILE, text, FILE, number)
    yield from _cells(table, list(table.rows[0]))


def _cells(table: Table, columns: list[str]) -> Iterator[Finding]:
    for number, row in enumerate(table.rows, table.line):
        for column in columns:
            if not row.get(column, "").strip():
                text = f"{_title(row)}: nothing in the column {column!r}"
                yield faults.DESIGN_CELL_EMPTY.at(FILE, text, FILE, number)


def _alone(draft: Draft) -> Iterator[Finding]:
    table = draft.entities
    for number, row in enumerate(table.rows if table else (), table.line if table else 0):
        if not _related(row, draft):
            text = f"no row of the relationship table is from or to {_title(row)!r}"
            yield faults.DESIGN_ENTITY_ALONE.at(FILE, text, FILE, number)


def _related(row: dict[str, str], draft: Draft) -> bool:
    """Whether a relationship names an entity, by all words of its name or the last; or it stands alone."""
    if "alone" in " ".join(row.values()).lower():
        return True
    name = _title(row)
    last = words(re.split(r"[\s_]+", name.strip())[-1])
    wanted = [words(name), last, *(words(each) for each in backticked(row))]
    for table in draft.relationships:
        for other in table.rows:
            ends = [cell for column, cell in other.items() if re.search(r"from|to\b|→|->|between", column)]
            said = words(" ".join(ends or list(other.values())[:2]))
            if any(each and each <= said for each in wanted):
                return True
    return False


def _input(draft: Draft) -> Iterator[Finding]:
    found, wanted = _recurring(draft)
    if len(found) < ceil(INPUT_SHARE * len(wanted)):
        lacking = ", ".join(word for word in wanted if word not in found)[:200]
        text = f"it has {len(found)} of the {len(wanted)} words that the input repeats; not {lacking}"
        yield faults.DESIGN_THIN.at(FILE, text, FILE)


def _recurring(draft: Draft) -> tuple[set[str], list[str]]:
    """Return the words that the input repeats and the design has, and all that it repeats."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", draft.input)
    tally = Counter(word.removesuffix("s") for word in re.findall(r"[a-z]{5,}", text.lower()))
    often = [word for word, times in tally.most_common(_MOST_WORDS) if times >= _REPEATED]
    wanted = [word for word in often if len(word) >= _SHORTEST]
    design = draft.design.lower() if isinstance(draft.design, str) else ""
    return {word for word in wanted if word in design}, wanted


def _evidence(draft: Draft) -> list[Evidence]:
    titles = _titles(draft.design if isinstance(draft.design, str) else "")
    entities = draft.entities.rows if draft.entities else ()
    found, wanted = _recurring(draft)
    enough = max(1, ceil(INPUT_SHARE * len(wanted)))
    return [
        counted("sections", {n: any(re.search(p, t) for t in titles) for n, p in SECTIONS.items()}),
        counted("entities described and related", {
            _title(row): all(row.values()) and _related(row, draft) for row in entities
        }, at_least=1),
        counted(
            "relationships with cardinality, place and reason", _whole(draft.relationships, "relationships")
        ),
        counted("actions with type, information, frequency and priority", _whole(draft.workload, "workload")),
        Evidence(
            "words of the input that the design takes up",
            min(enough, len(found)) if wanted else float(bool(titles)),
            enough,
        ),
    ]  # fmt: skip


def _whole(tables: list[Table], name: str) -> dict[str, bool]:
    held: dict[str, bool] = {}
    for table in tables:
        bad = {finding.line for finding in _columns(table, name)}
        broken = table.line - 2 in bad
        for number, row in enumerate(table.rows, table.line):
            held[f"{_title(row)} (line {number})"] = not broken and number not in bad
    return held


def _titles(text: str) -> list[str]:
    """Return the headings that have something below them, in lower case."""
    return [each.title.lower() for each in markdown.sections(text) if each.is_filled]


def _title(row: dict[str, str]) -> str:
    """Return what a row is about: its first cell that is no number."""
    cells = [cell for cell in row.values() if cell and not cell.strip("#. ").isdigit()]
    return cells[0].replace("`", "") if cells else "a row"
