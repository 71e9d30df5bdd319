"""What the gates find beside the design rules: each fault by its id, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod.checking.explanations import OTHERS, Explanation
from mimiod.checking.findings import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from mimiod.checking.explanations import LooksAt
    from mimiod.checking.findings import Severity

_LOOKS_AT: dict[int, tuple[LooksAt, ...]] = {
    1: ("documents",),
    2: ("schema", "documents"),
    3: ("schema", "data"),
    4: ("data",),
    5: ("documents",),
}


@dataclass(frozen=True, kw_only=True)
class Fault(Explanation):
    """A fault that the gate of a step finds."""

    def at(self, where: str, text: str, file: Path | str = "", line: int | None = None) -> Finding:
        """Return it as found at a place; `file` is named relative to the project's folder."""
        return Finding(self.id, self.severity, where, text, self.mend, str(file), line)


FAULTS: dict[str, Fault] = {}
"All faults by id, in the order of the steps; `mimiod explain` knows them too."


def _fault(
    identifier: str, step: int, severity: Severity, what: str, *, reason: str, example: str, mend: str
) -> Fault:
    fault = Fault(
        id=identifier,
        family=f"step {step}",
        severity=severity,
        looks_at=_LOOKS_AT[step],
        what=what,
        reason=reason,
        example=example,
        mend=mend,
        page="docs/workflow.md",
    )
    FAULTS[identifier] = OTHERS[identifier] = fault
    return fault


FILE_MISSING = _fault(
    "file-missing",
    1,
    "error",
    "a file of the project that is not there",
    reason="Each step makes one file, and the next steps read it.",
    example="no `seed_db.py` when step 3 is checked",
    mend="write it: `mimiod steps N` says how, `mimiod new` makes skeletons of all five",
)
FILE_UNREADABLE = _fault(
    "file-unreadable",
    1,
    "error",
    "a file of the project that is no text",
    reason="A project's files are UTF-8 text of at most a megabyte.",
    example="a `tech_design.md` saved as UTF-16",
    mend="save it as UTF-8 text",
)
UNFILLED = _fault(
    "unfilled",
    1,
    "error",
    "a part of the skeleton that nobody has filled in",
    reason="The comment stands for what only the author of the project can say.",
    example="`<!-- fill in: one row for each entity -->`",
    mend="write what the comment asks for, and remove the comment",
)
SECTION_EMPTY = _fault(
    "section-empty",
    1,
    "error",
    "a heading with nothing below it",
    reason="A heading promises what its section does not hold.",
    example="`## Patterns` directly before `## Workload`",
    mend="write the section, or remove the heading",
)
DESIGN_TABLE_MISSING = _fault(
    "design-table-missing",
    1,
    "error",
    "a table that every design has and this one lacks",
    reason="The gates, the schema and the score go by the tables of entities, relationships and workload.",
    example="a design whose relationships are told in prose only",
    mend="write the table as `mimiod steps 1` shows it",
)
DESIGN_COLUMN_MISSING = _fault(
    "design-column-missing",
    1,
    "error",
    "a table of the design without a column that it needs",
    reason="Each column answers a question on which indexes, embedding or volumes depend.",
    example="a workload table without `frequency`",
    mend="add the column, with a cell in every row",
)
DESIGN_CELL_EMPTY = _fault(
    "design-cell-empty",
    1,
    "error",
    "an empty cell in a table of the design",
    reason="What is left open here is decided by accident later.",
    example="a relationship without a `why`",
    mend="fill the cell; where the input says nothing, assume something and say that it is an assumption",
)
DESIGN_CELL_UNCLEAR = _fault(
    "design-cell-unclear",
    1,
    "error",
    "a cell of the design that does not say what its column asks",
    reason="`mimiod` compares these cells with the schema.",
    example="`type` is neither read nor write; a cardinality without numbers; a priority other than "
    "high, medium, low (or 1, 2, 3)",
    mend="use the words of `mimiod steps 1`",
)
DESIGN_ENTITY_ALONE = _fault(
    "design-entity-alone",
    1,
    "error",
    "an entity that no relationship names",
    reason="What belongs to nothing was forgotten in the relationship table, or is not needed.",
    example="an entity `Payment`, and no row from or to payments",
    mend="add its row to the relationship table, or say in its entity row that it stands alone, and why",
)
DESIGN_NO_READS = _fault(
    "design-no-reads",
    1,
    "error",
    "a workload without a read, or without a write",
    reason="A database that nobody reads needs no design, and data has to come from somewhere.",
    example="a workload of insertions only",
    mend="add the actions that the input names, and those that it implies",
)
DESIGN_THIN = _fault(
    "design-misses-input",
    1,
    "warning",
    "a design in which much of the input does not occur",
    reason="Words that the input repeats are its subject; a design without them has left a part out.",
    example="a brief on loans and collections, and a design that knows loans only",
    mend="read the input again, and design for the parts that are named; rename nothing without need",
)
IMPORT_FORBIDDEN = _fault(
    "import-forbidden",
    2,
    "error",
    "an import that a project does not need",
    reason="A project is data: it needs mimiod, pydantic, bson, Faker, NumPy and parts of Python's "
    "standard library that reach neither files nor processes nor the network.",
    example="`import subprocess` in `db_schema.py`",
    mend="remove the import; seeders draw from `mimiod.seeding`",
)
IMPORT_FAILED = _fault(
    "import-failed",
    2,
    "error",
    "a Python file of the project that does not import",
    reason="Nothing can be derived from a schema or seeder that Python cannot load.",
    example="a misspelt name, a validation error of a `Query`, a reference to no collection",
    mend="mend the line that is named",
)
WORKLOAD_EMPTY = _fault(
    "workload-empty",
    2,
    "error",
    "a schema without a workload",
    reason="Indexes can only be judged against the queries that they are for.",
    example="`BaseMongoDbSchema(…)` without `workload=[…]`",
    mend="declare a `Query` for each row of the design's workload table",
)
COLLECTION_MISSING = _fault(
    "collection-missing",
    2,
    "warning",
    "a collection of the design that is not declared",
    reason="What the table of entities names in backticks is a collection: the design and the schema are two "
    "databases otherwise.",
    example="`branches` in the table of entities, and no such collection in the schema",
    mend="declare it, or write in the table where the entity is embedded, without backticks",
)
COLLECTION_UNUSED = _fault(
    "collection-without-query",
    2,
    "warning",
    "a collection that no query reads and no write fills",
    reason="It is there for nobody, or its workload was forgotten.",
    example='a collection `branches`, and no `Query(collection="branches")`',
    mend="declare its queries, embed it where it is read, or leave it out",
)
SEEDER_FAILED = _fault(
    "seeder-failed",
    3,
    "error",
    "a seeder whose rows cannot be drawn",
    reason="A declaration that fails for a hundred rows fails for all.",
    example="a field that is declared and that the schema does not have",
    mend="mend what is named; `docs/seeding.md` and `mimiod steps 3` have the vocabulary",
)
SEED_DOCUMENT = _fault(
    "seed-document",
    3,
    "error",
    "seeded documents that their model refuses",
    reason="The validator on the server is derived from the model, and refuses them too.",
    example="a draw of -3 for a field with `ge=0`",
    mend="change the draw (`low=`, `high=`), or the model where that is wrong",
)
SEED_REFERENCE = _fault(
    "seed-reference",
    3,
    "error",
    "seeded references to nothing",
    reason="A reference that names no document is an answer that is missing later.",
    example="an id made by a function instead of `Ref`",
    mend="leave the field undeclared, so that the mark fills it, or draw it by `Ref` or `Parent`",
)
SEED_DUPLICATE = _fault(
    "seed-duplicate",
    3,
    "error",
    "seeded values that a unique index refuses",
    reason="The run ends at the index.",
    example='`Fake("email")` under a unique index',
    mend="make it unique by construction: `{row}` in a Text, `Unique`, `Sequence`, `Digits(…, unique=True)`",
)
SEED_EMPTY = _fault(
    "seed-empty",
    3,
    "error",
    "a collection that the seeder leaves empty",
    reason="Queries on it find nothing, and prove nothing.",
    example="children of which every parent has 0",
    mend="declare more rows",
)
SEED_UNIFORM = _fault(
    "seed-constant",
    3,
    "warning",
    "a field that has one value in every row",
    reason="A constant is no sample of anything: an index on it selects nothing.",
    example='`"status": "open"` for every order',
    mend="draw it: `Choice`, `States`, or a distribution of the business",
)
SEED_LARGE = _fault(
    "seed-ignores-scale",
    3,
    "warning",
    "a seeder that makes many rows whatever its scale",
    reason="`mimiod run --scale 0.01` is how a first look stays short.",
    example="`range(100_000)` instead of `self.scaled(100_000)`",
    mend="declare `rows`, or go by `self.scaled(n)`",
)
RUN_MISSING = _fault(
    "run-missing",
    4,
    "error",
    "a database without a complete run",
    reason="The design is judged on all of its data.",
    example="a run at `--scale 0.01`, or one that was interrupted",
    mend="run it: `mimiod run PROJECT`",
)
DATA_FAULT = _fault(
    "data-fault",
    4,
    "error",
    "data that is not as the schema says",
    reason="Every document, reference and index is verified by code that shares nothing with the seeder.",
    example="an order of a customer that there is not",
    mend="mend the schema or the seeder, never the data, and run again",
)
README_SECTION_MISSING = _fault(
    "readme-section-missing",
    5,
    "error",
    "a README without one of its sections",
    reason="Whoever gets the database has to learn what it holds, how to make it and what to ask it.",
    example="no heading with `Indexes`",
    mend="write the section as `mimiod steps 5` shows it",
)
README_CODE = _fault(
    "readme-code",
    5,
    "error",
    "an example in the README that cannot run",
    reason="Examples are copied.",
    example="Python that does not compile; `db.orders` where there is no collection `orders`",
    mend="run the example, and paste what ran",
)
README_UNASKED = _fault(
    "readme-query-missing",
    5,
    "warning",
    "a collection for which the README shows no query",
    reason="A reader learns a collection from what is asked of it.",
    example="no block with `db.payments.find(…)`",
    mend="show one query of the workload that reads it, with its answer",
)
README_COMMAND = _fault(
    "readme-command-missing",
    5,
    "error",
    "a README that does not say how to make the database",
    reason="The command is the first thing that a reader needs.",
    example="no `mimiod run` in the section on running",
    mend="give both: `uv run mimiod run projects/NAME`, and `uv run python main.py` in its folder",
)
README_INDEX = _fault(
    "readme-index-missing",
    5,
    "warning",
    "an index that the README does not name",
    reason="Whoever changes a query has to know which index serves it.",
    example="an index `by_customer`, and no row for it",
    mend="name each index with the queries that it serves; the generated sections do",
)
