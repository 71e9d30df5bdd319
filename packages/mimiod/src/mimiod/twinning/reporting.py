"""What a twin came to: the distances as `twin_report.json`, and in words as `twin.md`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mimiod.evolution.differences import named
from mimiod.twinning.distances import LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mimiod.twinning.distances import Distance
    from mimiod.twinning.making import Made

FORMAT = 1
"Of `twin_report.json`; raised when a key changes its meaning."
FILES = ("twin_report.json", "twin.md")


@dataclass
class Outcome:
    """A twin that was made, and how far it is from its source."""

    made: Made
    database: str
    "The twin's name."
    documents: Mapping[str, int]
    "How many each collection of the twin has."
    distances: Sequence[Distance]
    seconds: float
    "From the first document that was read to the last that was compared."

    @property
    def missed(self) -> list[Distance]:
        """Those that are farther than they may be."""
        return [each for each in self.distances if each.misses]

    @property
    def verdict(self) -> str:
        """All in a line."""
        count, missed = len(self.distances), len(self.missed)
        near = sum(each.distance <= LIMIT for each in self.distances)
        worst = max((each.distance for each in self.distances), default=0.0)
        if near == count:
            return f"all {count:,} distances are within {LIMIT}; the greatest is {worst:.3f}"
        told = f"{near:,} of {count:,} distances are within {LIMIT}"
        if count - near > missed:
            told += f", {count - near - missed:,} within what chance explains"
        return f"{told}, {missed:,} {'misses' if missed == 1 else 'miss'}; the greatest is {worst:.3f}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        source = self.made.measurement.documents
        return {
            "format": FORMAT,
            "database": self.database,
            "source": self.made.told.source,
            "k": self.made.k,
            "limit": LIMIT,
            "seconds": round(self.seconds, 1),
            "collections": {
                name: {"source": count, "twin": self.documents.get(name, 0)} for name, count in source.items()
            },
            "missed": len(self.missed),
            "notes": list(self.made.told.notes),
            "distances": [each.told() for each in self.distances],
        }


def write(outcome: Outcome, folder: Path) -> None:
    """Write the files of a project that say how far the twin is from its source."""
    told = json.dumps(outcome.to_dict(), ensure_ascii=True, indent=1) + "\n"
    for file, text in zip(FILES, (told, page(outcome)), strict=True):
        (folder / file).write_text(text, encoding="utf-8")


def page(outcome: Outcome) -> str:
    """Return the report as a page."""
    lines = [
        f"# {outcome.database}: a twin",
        "",
        f"Drawn by the measured laws in `twin.json`, which tell nothing that fewer than {outcome.made.k}",
        f"documents of the source share. {outcome.verdict[0].upper()}{outcome.verdict[1:]}.",
        "",
        "A distance may be 0.05, or what chance explains: `chance` is what two samples of these sizes from",
        "one distribution stay below in 99 of 100 cases. KS is the greatest difference of the cumulated",
        "distributions, TV the share that would have to change its value.",
        "",
        "| Collection | Source | Twin |",
        "|---|---:|---:|",
    ]
    source = outcome.made.measurement.documents
    lines += [
        f"| {_code(name)} | {count:,} | {outcome.documents.get(name, 0):,} |"
        for name, count in source.items()
    ]
    lines += ["", "| Field | What | Distance | Chance | |", "|---|---|---:|---:|---|"]
    for each in outcome.distances:
        shown = f"{_code(f'{each.collection}.{each.field}')} | {named(each.what)}, {each.measure}"
        verdict = "misses" if each.misses else ""
        lines.append(f"| {shown} | {each.distance:.4f} | {each.chance:.4f} | {verdict} |")
    if outcome.made.told.notes:
        lines += ["", "Notes:", "", *(f"- {named(note)}" for note in outcome.made.told.notes)]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    """Return a text as code in a table of Markdown, whatever it holds."""
    plain = named(text).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`"
