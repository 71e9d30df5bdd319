"""Step 5: `README.md` has its sections, its examples can run, and what is generated in it is up to date."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mimiod.reporting import readme
from mimiod.schema_types import BaseMongoDbSchema
from mimiod.workflow import faults, markdown
from mimiod.workflow.evidence import Evidence, Gate, counted
from mimiod.workflow.gate_design import collections_expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.checking.findings import Finding
    from mimiod.workflow.drafts import Draft
    from mimiod.workflow.markdown import Block

FILE = "README.md"
SECTIONS = {
    "how to run it": r"\brun\b|usage|start|make",
    "collections": r"collection|diagram|entit|schema",
    "indexes": r"index",
    "queries": r"quer|ask",
    "score": r"score",
}
"What a README has a section on, beside its title and what it is, and how the heading is known."

_PYTHON = frozenset({"python", "py", "python3"})
_SHELL = frozenset({"js", "javascript", "mongosh", "mongodb"})
_NAMED = re.compile(r"\b(?:db|database)(?:\.(?P<dotted>[A-Za-z_]\w*)|\[[\"'](?P<quoted>[^\"']+)[\"']\])")
_METHODS = frozenset({
    "adminCommand", "aggregate", "client", "command", "createCollection", "dropDatabase", "getCollection",
    "getCollectionInfos", "getCollectionNames", "getSiblingDB", "get_collection", "list_collection_names",
    "name", "runCommand", "stats",
})  # fmt: skip


def gate(draft: Draft) -> Gate:
    """Judge the README."""
    result = Gate(draft.name, 5)
    schema = draft.schema
    if not isinstance(draft.readme, str):
        result.evidence = _evidence(draft, "", None, [])
        return result.conclude([draft.readme])
    if not isinstance(schema, BaseMongoDbSchema):
        result.evidence = _evidence(draft, draft.readme, None, [])
        return result.conclude([schema])
    found = [*draft.unfilled(FILE), *findings(draft, draft.readme, schema)]
    result.conclude(found, schema.accepted)
    result.evidence = _evidence(draft, draft.readme, schema, result.findings)
    return result


def findings(draft: Draft, text: str, schema: BaseMongoDbSchema) -> Iterator[Finding]:
    """Yield what is wrong with a README; what the schema accepts is still among it."""
    for section in markdown.sections(text):
        if not section.body.strip():
            yield faults.SECTION_EMPTY.at(FILE, f"nothing below {section.title!r}", FILE, section.line)
    titles = [each.title.lower() for each in markdown.sections(text)]
    for name, pattern in SECTIONS.items():
        if not any(re.search(pattern, title) for title in titles):
            yield faults.README_SECTION_MISSING.at(FILE, f"no section on {name}", FILE)
    yield from commands(draft, text)
    for finding in readme.compare(draft.folder, schema, draft.name):
        yield replace(finding, severity="error")
    known = {each.collection_name for each in schema.collections.values()}
    for block in markdown.blocks(text):
        yield from _code(block, known)
    for name in sorted(known - _shown(text)):
        yield faults.README_UNASKED.at(name, "no example asks it anything", FILE)
    for collection, index in _indexes(schema):
        if index not in text:
            yield faults.README_INDEX.at(f"{collection}:{index}", "the README does not name it", FILE)


def commands(draft: Draft, text: str) -> Iterator[Finding]:
    """Yield which of the two commands that make the database the README does not give."""
    wanted = (rf"mimiod run \S*{re.escape(draft.name)}\b", r"python main\.py")
    for pattern, name in zip(wanted, (f"mimiod run projects/{draft.name}", "python main.py"), strict=True):
        if not re.search(pattern, text):
            yield faults.README_COMMAND.at(FILE, f"it does not say `{name}`", FILE)


def _sections(text: str) -> dict[str, bool]:
    found = markdown.sections(text)
    title = next((section for section in found if section.level == 1), None)
    first = title.body.strip().split("\n", 1)[0] if title else ""
    titles = [each.title.lower() for each in found if each.level > 1 and each.is_filled]
    held = {name: any(re.search(pattern, each) for each in titles) for name, pattern in SECTIONS.items()}
    return {"what it is": bool(first) and not first.startswith(("#", "`", "|", "<")), **held}


def _code(block: Block, known: set[str]) -> Iterator[Finding]:
    if block.language in _PYTHON:
        try:
            ast.parse(block.text)
        except (SyntaxError, ValueError) as exc:
            line = block.line + (getattr(exc, "lineno", None) or 1) - 1
            yield faults.README_CODE.at(FILE, f"this Python does not compile: {exc.args[0]}", FILE, line)
            return
    if block.language in _PYTHON | _SHELL:
        for number, each in enumerate(block.text.splitlines(), block.line):
            for match in _NAMED.finditer(each):
                name = match["dotted"] or match["quoted"]
                if name not in known | _METHODS:
                    yield faults.README_CODE.at(FILE, f"there is no collection {name!r}", FILE, number)


def _shown(text: str) -> set[str]:
    """Return the collections that examples ask."""
    examples = [block for block in markdown.blocks(text) if block.language in _PYTHON | _SHELL]
    return {match["dotted"] or match["quoted"] for block in examples for match in _NAMED.finditer(block.text)}


def _indexes(schema: BaseMongoDbSchema) -> list[tuple[str, str]]:
    return [
        (each.collection_name, index.name) for each in schema.collections.values() for index in each.indexes
    ]


def _evidence(
    draft: Draft, text: str, schema: BaseMongoDbSchema | None, found: list[Finding]
) -> list[Evidence]:
    names = {each.collection_name for each in schema.collections.values()} if schema else set()
    shown = _shown(text)
    broken = sum(1 for finding in found if finding.rule == faults.README_CODE.id)
    examples = len(shown)
    stale = any(finding.rule == "readme-stale" for finding in found)
    lacking = len(list(commands(draft, text)))
    return [
        counted("sections", _sections(text)),
        counted(
            "collections with an example query",
            {name: name in names & shown for name in sorted(names | collections_expected(draft))},
            at_least=1,
        ),
        Evidence("examples that can run", max(0, examples - broken), max(1, examples)),
        counted("indexes named", {f"{c}:{i}": i in text for c, i in _indexes(schema)} if schema else {}),
        Evidence("generated sections that are up to date", float(bool(text) and not stale), 1),
        Evidence("commands that make the database", 2 - lacking, 2),
    ]
