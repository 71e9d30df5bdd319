"""What `mimiod explain` teaches of a kind of finding, and the kinds that no design rule makes.

The rules register theirs in `checking.rules`; here stand those that come of a server's answers, of a
project's documents compared with its schema, and of what the schema accepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mimiod.checking.findings import Severity

LooksAt = Literal["schema", "workload", "data", "explain", "documents"]
"What a kind of finding is found in; `documents` are tech_design.md and README.md."

MANUAL = "https://www.mongodb.com/docs/manual/"
_OWN_PAGE = "docs/rules.md"


@dataclass(frozen=True)
class Threshold:
    """A number from which on a rule finds fault."""

    name: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.value:,} {self.unit}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A kind of finding: what is wrong, why it matters, and how to mend it."""

    id: str
    family: str
    severity: Severity
    looks_at: tuple[LooksAt, ...]
    "The facts that it needs; without them nothing is found."
    what: str
    "The fault, in a few words."
    reason: str
    example: str
    "Something that is found."
    mend: str
    page: str
    "MongoDB's documentation of it, or ours."
    threshold: Threshold | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what it says of itself as JSON can hold it."""
        return {
            "id": self.id,
            "family": self.family,
            "severity": self.severity,
            "looks_at": list(self.looks_at),
            "what": self.what,
            "threshold": str(self.threshold) if self.threshold else None,
            "reason": self.reason,
            "example": self.example,
            "mend": self.mend,
            "page": self.page,
        }


def _of(
    family: str,
    identifier: str,
    severity: Severity,
    looks_at: tuple[LooksAt, ...],
    *,
    what: str,
    reason: str,
    example: str,
    mend: str,
    page: str,
) -> Explanation:
    return Explanation(
        id=identifier,
        family=family,
        severity=severity,
        looks_at=looks_at,
        what=what,
        reason=reason,
        example=example,
        mend=mend,
        page=page,
    )


_ALL = (
    _of(
        "evidence", "unknown-collection", "error", ("workload",),
        what="a query on a collection that the schema does not have",
        reason="MongoDB answers a query on a collection that is not there with nothing, and no error.",
        example='`Query(collection="custmers")` beside the collection `customers`',
        mend="name a collection of the schema, or declare this one",
        page=f"{MANUAL}core/databases-and-collections/",
    ),
    _of(
        "evidence", "query-refused", "error", ("workload", "explain"),
        what="a query that the server refuses to run",
        reason="What does not run on the data at hand does not run in production. A stand-in for MongoDB "
        "refuses more than MongoDB does, so there it is a note.",
        example="a stage `$densify` without its `range`",
        mend="mend the query; what a stand-in refused, check on MongoDB",
        page=f"{MANUAL}reference/mql/",
    ),
    _of(
        "evidence", "plan-differs", "warning", ("workload", "explain"),
        what="a query for which the server takes another plan than the model expects",
        reason="MongoDB tries the plans that are possible on the data it has; another choice than the "
        "expected one shows data unlike the design, or an index that competes.",
        example="the model has `customer_disbursed`, the server uses `disbursed`",
        mend="look at the server's explain, with data of production's shape",
        page=f"{MANUAL}core/query-plans/",
    ),
    _of(
        "evidence", "query-finds-nothing", "note", ("workload", "data"),
        what="a query that returned nothing in all of its runs",
        reason="Keys and documents examined for nothing returned say nothing of the design.",
        example='a filter `{"status": "lost"}` on data without that status',
        mend="seed data that it finds, or draw its parameters from where they occur with `Sample`",
        page=f"{MANUAL}tutorial/analyze-query-plan/",
    ),
    _of(
        "documents", "design-missing", "warning", ("documents",),
        what="a project without tech_design.md",
        reason="The design says why the schema is as it is; without it nobody can tell a choice from a slip.",
        example="a folder with db_schema.py and seed_db.py only",
        mend="write it: steps/1_tech_design.md says how",
        page=f"{MANUAL}data-modeling/schema-design-process/",
    ),
    _of(
        "documents", "design-row-missing", "warning", ("workload", "documents"),
        what="a query that no row of the design's workload table describes",
        reason="Collections and indexes follow from the workload; a query that the design does not know was "
        "not designed for.",
        example='`Query(name="log_in_by_phone")`, and no row about logging in',
        mend="add its row, or name the query in a cell as `name`",
        page=f"{MANUAL}data-modeling/schema-design-process/identify-workload/",
    ),
    _of(
        "documents", "design-query-missing", "warning", ("workload", "documents"),
        what="an action of the design that the schema's workload has no query for",
        reason="What is only written down is neither explained nor run; nobody knows whether it is served.",
        example="a row *Find late loans* and no such `Query`",
        mend="declare it as a `Query` in `workload`, or name the query in the row as `name`",
        page=f"{MANUAL}data-modeling/schema-design-process/identify-workload/",
    ),
    _of(
        "documents", "design-query-differs", "warning", ("workload", "documents"),
        what="a row of the design that says otherwise than its query",
        reason="Of two that differ one is wrong, and readers believe the document.",
        example="the row has `orders`, a read, priority 1; the query is a write on `people`",
        mend="change the one that is wrong",
        page=f"{MANUAL}data-modeling/schema-design-process/identify-workload/",
    ),
    _of(
        "documents", "design-relation-missing", "warning", ("schema", "documents"),
        what="a reference that no row of the design's relationship table describes",
        reason="Whether to embed or to refer is the choice that is hardest to change later; its reason "
        "belongs in the design.",
        example='`Reference("customers")` on `loans.customer_id`, and no row from customers to loans',
        mend="add the row: from, to, cardinality, embed or reference, why",
        page=f"{MANUAL}data-modeling/schema-design-process/map-relationships/",
    ),
    _of(
        "documents", "design-reference-missing", "warning", ("schema", "documents"),
        what="a reference of the design that the schema does not mark",
        reason="Only a marked reference is followed in verification and drawn from what is there.",
        example="the table has reference `orders.person`, and the field has no `Reference`",
        mend="mark the field with `Reference`, or correct the row",
        page=f"{MANUAL}data-modeling/schema-design-process/map-relationships/",
    ),
    _of(
        "documents", "readme-stale", "warning", ("schema", "workload", "documents"),
        what="a generated section of README.md that is missing, or not what the schema says today",
        reason="Documentation that was right once misleads more than none.",
        example="an index was renamed in db_schema.py, and README.md has its old name",
        mend="`mimiod report NAME --readme` writes the sections anew and leaves the rest as it is",
        page=_OWN_PAGE,
    ),
    _of(
        "acceptance", "accepted-unexplained", "error", ("schema",),
        what="an entry of `accepted` without a reason",
        reason="A finding that is set aside without a reason cannot be told from one that was overlooked.",
        example='`accepted={"unused-index:people": ""}`',
        mend="give the reason in `accepted`, or remove the entry",
        page=_OWN_PAGE,
    ),
    _of(
        "acceptance", "accepted-unused", "note", ("schema",),
        what="an entry of `accepted` that matches no finding",
        reason="It would hide the fault when somebody makes it anew.",
        example="the index of `unused-index:people:old` was dropped, the entry was not",
        mend="remove the entry from `accepted`",
        page=_OWN_PAGE,
    ),
)  # fmt: skip

OTHERS: dict[str, Explanation] = {each.id: each for each in _ALL}
"The kinds of findings that no rule makes, by id."
