"""A twin made of a source: measured, told in laws, and written as a project."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mimiod.errors import SourceError
from mimiod.inspecting import reading
from mimiod.inspecting.account import brief, to_dict
from mimiod.inspecting.code import Code, call, laid_out, literal, mapping
from mimiod.inspecting.project_files import write_whole
from mimiod.inspecting.schema_code import schema_code
from mimiod.twinning.draws import FILE, FORMAT
from mimiod.twinning.hiding import hidden
from mimiod.twinning.laws import Lawmaker
from mimiod.twinning.marking import marks_of
from mimiod.twinning.measuring import Measurement, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mimiod.inspecting.facts import Inspection
    from mimiod.inspecting.sources import Source
    from mimiod.twinning.laws import Law

SAMPLE = 50_000
"Documents of a collection that are measured where nothing is said."
MOST_ROWS = 500_000
"Documents of a twin where nothing is said."

Progress = Any


@dataclass
class Made:
    """A twin that can be written."""

    inspection: Inspection
    "As the inspection found it; to measure by, never to be written."
    told: Inspection
    "The same without what could identify."
    measurement: Measurement
    makers: Mapping[str, Lawmaker]
    laws: Mapping[str, Mapping[str, Law]]
    rows: Mapping[str, int]
    k: int

    @property
    def scale(self) -> float:
        """How many documents the twin has for each of the source."""
        return sum(self.rows.values()) / max(1, sum(self.measurement.documents.values()))


def make(
    source: Source, sample: int | None, k: int, *, documents: int | None = None, scale: float | None = None,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> Made:  # fmt: skip
    """Measure a source.

    Args:
        source: what is read.
        sample: how many documents of each collection are measured; None for all.
        k: how many documents have to share what is told.
        documents: how many documents the twin has in all.
        scale: how many it has for each document of the source.
        progress: told the collection, how many documents are read and how many there will be.

    Raises:
        SourceError: there is nothing to measure.
    """
    inspection = reading.inspect(source, sample, progress)
    measurement = measure(source, inspection, sample, progress)
    roots, numbers = measurement.roots, measurement.documents
    total = sum(numbers.values())
    if not total:
        raise SourceError(f"{source.name} has no documents: there is nothing to make a twin of")
    factor = scale or (documents or min(total, MOST_ROWS)) / total
    rows = {name: max(1, round(number * factor)) if number else 0 for name, number in numbers.items()}
    named = {
        (each.collection, each.fields[0]): found.law(numbers[each.target], k)
        for each in inspection.references
        if (found := measurement.degrees.get((each.collection, each.fields[0]))) and each.target in numbers
    }
    marks = marks_of(inspection, roots, rows, named, k)
    makers = {name: Lawmaker(root, marks.known[name]) for name, root in roots.items()}
    laws = {name: maker.fields() for name, maker in makers.items()}
    told = hidden(inspection, roots, laws, marks)
    return Made(inspection, told, measurement, makers, laws, rows, k)


def write(made: Made, folder: Path, others: Callable[[str], dict[str, str]]) -> list[Path]:
    """Write a project's folder and return the files; `others` gives those that laws say nothing of."""
    name = folder.name
    sized = {each: replace(facts, documents=made.rows[each]) for each, facts in made.told.collections.items()}
    texts = {
        "inspection.json": json.dumps(to_dict(made.told), ensure_ascii=True, indent=1, default=str) + "\n",
        "brief.md": brief(made.told, name),
        "db_schema.py": schema_code(replace(made.told, collections=sized), name),
        "seed_db.py": seed_code(made, name),
        FILE: twin_json(made),
        **others(name),
    }
    write_whole(folder, texts)
    return [folder / file for file in texts]


def twin_json(made: Made) -> str:
    """Return the laws as `twin.json` has them."""
    collections = {
        name: {
            "documents": made.measurement.documents[name],
            "measured": made.measurement.roots[name].count,
            "rows": made.rows[name],
            "fields": laws,
        }
        for name, laws in made.laws.items()
    }
    told = {"format": FORMAT, "k": made.k, "collections": collections}
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")) + "\n"


def seed_code(made: Made, name: str) -> str:
    """Return the text of `seed_db.py`."""
    first = next(each for each, count in made.rows.items() if count)
    rows: list[tuple[str, Code]] = []
    for each, count in made.rows.items():
        fields = f"twin.fields({literal(each)})"
        # A collection without documents has none for each document of another.
        how = {"fixed": "True"} if count else {"per": literal(first)}
        rows.append((literal(each), call("Rows", literal(count), fields, **how)))
    camel = "".join(part.capitalize() for part in name.split("_"))
    return (
        f'"""Sample data of `{name}`, distributed as `mimiod twin` measured it: {FILE} says how."""\n\n'
        "from typing import ClassVar\n\n"
        "from mimiod import DatabaseSeeder\n"
        "from mimiod.seeding import Rows\n"
        "from mimiod.twinning import Twin\n\n"
        "twin = Twin(__file__)\n\n\n"
        f"class {camel}Seeder(DatabaseSeeder):\n"
        '    """Draws documents like those of the source, and none of them."""\n\n'
        f"    rows: ClassVar = {laid_out(mapping(rows), indent=4, used=len('rows: ClassVar = '))}\n"
    )
