"""The sections of a project's README.md that its schema and workload make: nothing in them is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod.checking.workload import judge, needs
from mimiod.reporting import words
from mimiod.reporting.entities import entities_of
from mimiod.reporting.fields import MOST_VALUES, Field, fields_of
from mimiod.reporting.markdown import code, html_code, mermaid, prose, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema


@dataclass(frozen=True)
class Section:
    """A generated part of a README.md."""

    name: str
    heading: str
    "Written above it where the section is new; a reader's own afterwards."
    make: Callable[[BaseMongoDbSchema], list[str]]

    def text(self, schema: BaseMongoDbSchema) -> str:
        """Return what stands between its markers."""
        return "\n".join(self.make(schema))


def _diagram(schema: BaseMongoDbSchema) -> list[str]:
    return mermaid(entities_of(schema))


def _collections(schema: BaseMongoDbSchema) -> list[str]:
    overview = [
        [code(each.collection_name), prose(each.description), words.number(len(fields_of(each)))]
        for each in schema.collections.values()
    ]
    lines = table(("Collection", "Holds", "Fields"), overview)
    for collection in schema.collections.values():
        lines += ["", *_fields(collection)]
    return lines


def _fields(collection: BaseCollectionSchema) -> list[str]:
    name, fields = collection.collection_name, fields_of(collection)
    if not fields:
        return [f"{code(name)} declares no fields."]
    rows = [[code(each.path), _type(each), _notes(each)] for each in fields]
    summary = f"<summary>Fields of {html_code(name)}</summary>"
    return ["<details>", summary, "", *table(("Field", "Type", "Notes"), rows), "", "</details>"]


def _type(field: Field) -> str:
    return prose(field.type if field.is_required else f"{field.type}, may be absent")


def _notes(field: Field) -> str:
    notes = [prose(field.description)] if field.description else []
    if field.values:
        shown = [code(str(value)) for value in field.values[:MOST_VALUES]]
        more = len(field.values) - len(shown)
        notes.append(f"One of {', '.join(shown)}{f' and {more} more' if more else ''}.")
    if field.bounds:
        notes.append(f"{prose(field.bounds[0].upper() + field.bounds[1:])}.")
    if field.pattern:
        notes.append(f"Matches {code(field.pattern)}.")
    for mark in field.marks:
        reason = f" ({prose(mark.reason)})" if mark.reason else ""
        notes.append(f"**{mark.kind}** {code(mark.text)}{reason}.")
    return " ".join(notes)


def _indexes(schema: BaseMongoDbSchema) -> list[str]:
    served = needs(judge(schema))
    rows = [
        [
            code(collection.collection_name),
            code(index.name),
            "; ".join([prose(words.keys(index)), *(_option(option) for option in words.options(index))]),
            ", ".join(code(name) for name in served.get((collection.collection_name, index.name), ()))
            or ("keeps values unique" if index.unique else "-"),
        ]
        for collection in schema.collections.values()
        for index in collection.indexes
    ]
    by_id = [
        f"{code(name)}: {', '.join(code(query) for query in queries)}"
        for (name, index), queries in served.items()
        if index == "_id_"
    ]
    lines = table(("Collection", "Index", "Keys and options", "Queries"), rows) if rows else []
    if by_id:
        lines += ["", f"By `_id`, which every collection has an index on: {'; '.join(by_id)}."]
    return lines or ["None beside those on `_id`."]


def _option(option: str) -> str:
    word, _, value = option.partition(" ")
    return f"{prose(word)} {code(value)}" if value.startswith(("{", "[", '"')) else prose(option)


def _workload(schema: BaseMongoDbSchema) -> list[str]:
    rows = []
    for measured in judge(schema):
        query, plan = measured.query, measured.plan
        index = "-" if plan is None else code(plan.index) if plan.index else "none: reads the collection"
        sort = {"index": ", in its order", "merge": ", merged in order", "blocking": ", sorted afterwards"}
        covered = ", covered" if plan is not None and plan.covered else ""
        rows.append([
            code(query.name),
            query.action,
            code(query.collection),
            code(words.asked(query)),
            words.rate(query.per_minute),
            query.priority,
            f"{index}{sort.get(plan.sort, '') if plan else ''}{covered}",
        ])  # fmt: skip
    headings = ("Query", "Action", "Collection", "Asks", "How often", "Priority", "Index that MongoDB takes")
    return table(headings, rows) if rows else ["None declared."]


def _volumes(schema: BaseMongoDbSchema) -> list[str]:
    rows = [
        [code(each.collection_name), words.number(schema.volumes[each.collection_name])]
        for each in schema.collections.values()
        if each.collection_name in schema.volumes
    ]
    return table(("Collection", "Documents in production"), rows) if rows else ["None declared."]


SECTIONS = (
    Section("diagram", "Diagram", _diagram),
    Section("collections", "Collections", _collections),
    Section("indexes", "Indexes", _indexes),
    Section("workload", "Workload", _workload),
    Section("volumes", "Volumes", _volumes),
)


def document(schema: BaseMongoDbSchema) -> str:
    """Return all sections as one Markdown document."""
    parts = [f"# {prose(schema.database_name)}", prose(schema.description)]
    for section in SECTIONS:
        parts += [f"## {section.heading}", section.text(schema)]
    return "\n\n".join(part for part in parts if part) + "\n"
