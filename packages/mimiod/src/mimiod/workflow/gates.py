"""The gates: what has to hold after each step, and what the score goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimiod.schema_types import BaseMongoDbSchema
from mimiod.workflow import gate_data, gate_design, gate_readme, gate_schema, gate_seeder

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.checking.findings import Finding
    from mimiod.workflow.drafts import Draft
    from mimiod.workflow.evidence import Gate

STEPS = {
    1: "technical design",
    2: "database architecture",
    3: "seed database",
    4: "run and iterate",
    5: "document",
}
"The steps by number."


def check_step(draft: Draft, step: int, uri: Callable[[], str]) -> Gate:
    """Return what the gate of a step finds.

    `uri` is asked for a server where one is needed: by step 4, and by step 3 for a seeder with loops of its
    own.

    Raises:
        MimiodError: a server that is needed does not answer, or refuses.
    """
    if step == 1:
        return gate_design.gate(draft)
    if step == 2:  # noqa: PLR2004 - the number of the step
        return gate_schema.gate(draft)
    if step == 3:  # noqa: PLR2004
        return gate_seeder.gate(draft, uri)
    if step == 4:  # noqa: PLR2004
        return gate_data.gate(draft, uri)
    return gate_readme.gate(draft)


def documents(draft: Draft) -> list[Finding]:
    """Return what the gates find in the design, the imports and the README, as far as these are there.

    It is what a check of the whole project adds to its rules and queries. A dry run is left out, since the
    check reads the full one, and so is the verification of every document, which `mimiod run` does.
    """
    found = list(gate_schema.imports(draft))
    if isinstance(draft.design, str):
        found += gate_design.gate(draft).findings
    if isinstance(draft.readme, str) and isinstance(draft.schema, BaseMongoDbSchema):
        readme = [*draft.unfilled(gate_readme.FILE), *gate_readme.findings(draft, draft.readme, draft.schema)]
        # Whether what is generated in it is up to date, the check itself finds out.
        found += [each for each in readme if each.rule != "readme-stale"]
    return found
