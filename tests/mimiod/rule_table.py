"""How well the rules tell good from bad: run it to print the table of the documentation.

uv run python -m tests.mimiod.rule_table
"""

import sys
from dataclasses import dataclass, field

from mimiod.checking.rules import RULES

from tests.mimiod.rule_mutations import (
    collections,
    documents,
    indexes,
    plans,
    queries,
    relations,
    sharding,
    values,
)

FAMILIES = (documents, values, indexes, relations, collections, queries, plans, sharding)
MUTATIONS = {family.__name__.rpartition(".")[2]: family.MUTATIONS for family in FAMILIES}


@dataclass
class Row:
    """What was found of one rule."""

    mutations: int = 0
    "That have to fire it."
    found: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """The share of firings that are right."""
        return self.found / (self.found + len(self.false)) if self.found + len(self.false) else 1.0

    @property
    def recall(self) -> float:
        """The share of mutations that it noticed."""
        return self.found / self.mutations if self.mutations else 1.0


def measure() -> dict[str, Row]:
    """Run every mutation and return what was found, by rule."""
    rows = {rule: Row() for rule in RULES}
    for family, mutations in MUTATIONS.items():
        for mutation in mutations:
            found = mutation.found()
            for rule in mutation.rules:
                rows[rule].mutations += 1
                rows[rule].found += rule in found
                if rule not in found:
                    rows[rule].missed.append(f"{family}: {mutation.about}")
            for rule in found - mutation.rules - mutation.also:
                rows[rule].false.append(f"{family}: {mutation.about}")
    return rows


def total(rows: dict[str, Row]) -> Row:
    """Return the sum of rows."""
    return Row(
        sum(row.mutations for row in rows.values()),
        sum(row.found for row in rows.values()),
        [text for row in rows.values() for text in row.missed],
        [text for row in rows.values() for text in row.false],
    )


def table(rows: dict[str, Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| rule | mutations | found | missed | false | precision | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in [*rows.items(), ("**all**", total(rows))]:
        numbers = [row.mutations, row.found, len(row.missed), len(row.false)]
        cells = [name, *map(str, numbers), f"{row.precision:.2f}", f"{row.recall:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def report(measured: dict[str, Row]) -> str:
    """Return the table and, below it, what was missed and what fired falsely."""
    harmless = sum(not mutation.rules for each in MUTATIONS.values() for mutation in each)
    lines = [table(measured), ""]
    lines.append(f"{total(measured).mutations} mutations that break a rule, {harmless} that break none.")
    for rule, row in measured.items():
        lines += [f"missed: {rule}: {text}" for text in row.missed]
        lines += [f"false: {rule}: {text}" for text in row.false]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{report(measure())}\n")
