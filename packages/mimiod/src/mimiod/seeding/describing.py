"""What a plan declares of the distribution of its documents' values, for whoever tests them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bson import Decimal128

from mimiod.distributions import Fields, Items, Law, Numbers, Sometimes
from mimiod.seeding.choices import MISSING
from mimiod.seeding.declaration import Rows
from mimiod.seeding.frames import law_of
from mimiod.seeding.models import FieldFacts, fields_of
from mimiod.seeding.numbers import Correlated
from mimiod.seeding.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def distributions(plan: object) -> dict[str, Law]:
    """Return the laws of each collection's documents; none where the plan is not a declaration's."""
    if not isinstance(plan, Plan):
        return {}
    now = round(plan.reference_time.timestamp() * 1000)
    models = {each.collection_name: each.document_schema for each in plan.schema.collections.values()}
    return {
        name: _fields(plan.scope(name).fields, fields_of(models[name]), lambda drawn: _law(drawn, now))
        for name, declared in plan.declarations.items()
        if isinstance(declared, Rows)
    }


def _law(drawn: Any, now: int) -> Law:
    if drawn is MISSING:
        return None
    # Each number is distributed as it would be alone; of items of one array that is not so.
    return law_of(drawn.drawn if isinstance(drawn, Correlated) else drawn, now)


def _fields(
    declared: Mapping[str, Any], facts: Mapping[str, FieldFacts], law: Callable[[Any], Law]
) -> Fields:
    """Return the laws of the fields that are stored, `_id` left out."""
    return Fields(
        {
            name: _fitted(law(drawn), facts.get(name))
            for name, drawn in declared.items()
            if name != "_id" and (not name.startswith("_") or name in facts)
        }
    )


def _fitted(law: Law, facts: FieldFacts | None) -> Law:
    """Return a law of numbers as they are in the type that the schema has for them."""
    match law:
        case Numbers() if facts is not None and facts.type is int:
            return law.rounded(0)
        case Numbers() if facts is not None and facts.type is Decimal128:
            return law.rounded(2)
        case Sometimes():
            inner = _fitted(law.law, facts)
            return replace(law, law=inner) if inner else None
        case Items():
            return replace(law, item=_fitted(law.item, facts))
        case Fields():
            return _fields(law.laws, fields_of(facts.model if facts else None), lambda inner: inner)
    return law
