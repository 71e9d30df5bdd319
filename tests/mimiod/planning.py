"""Plans for tests of the vocabulary: small schemas, and their documents without a server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import sqrt
from typing import Any

import bson
from bson.codec_options import CodecOptions
from mimiod import BaseCollectionSchema, BaseMongoDbDocumentSchema, BaseMongoDbSchema
from mimiod.seeding import Rows
from mimiod.seeding.plan import Plan
from mimiod.seeding.units import Unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


class Anything(BaseMongoDbDocumentSchema):
    """A document of any fields."""

    model_config = {"extra": "allow", "arbitrary_types_allowed": True}


def plan_of(
    rows: Mapping[str, Any],
    models: Mapping[str, type] | None = None,
    *,
    seed: int = 1,
    scale: float = 1.0,
    now: datetime = NOW,
) -> Plan:
    """Return a plan of these rows; a collection without a model takes any fields."""
    collections = {
        name: BaseCollectionSchema(document_schema=(models or {}).get(name, Anything)) for name in rows
    }
    schema = BaseMongoDbSchema(database_name="trial", collections=collections)
    return Plan(schema, rows, seed, scale, now)


def encoded(plan: Plan, step: int | None = None) -> dict[str, list[bytes]]:
    """Return all documents as bytes, made in units of `step` rows."""
    found: dict[str, list[bytes]] = {name: [] for name in plan.declarations}
    for root, count in plan.roots.items():
        size = step or plan.rows_per_unit(root)
        for start in range(0, count, size):
            for part in plan.encode(Unit(root, start, min(start + size, count))):
                found[part.collection] += part.documents
    return found


def documents(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Return all documents."""
    return {name: [bson.decode(raw, AWARE) for raw in raws] for name, raws in encoded(plan).items()}


def drawn(fields: Mapping[str, Any], rows: int = 50_000, **options: Any) -> list[dict[str, Any]]:
    """Return documents with these fields."""
    return documents(plan_of({"things": Rows(rows, fields)}, **options))["things"]


def values(draw: Any, rows: int = 50_000, **options: Any) -> list[Any]:
    """Return what a draw gives."""
    return [document["value"] for document in drawn({"value": draw}, rows, **options)]


def kolmogorov(sample: list[float], law: Any) -> float:
    """Return the Kolmogorov-Smirnov statistic times √n, which exceeds 1.95 once in a thousand samples."""
    ordered = sorted(sample)
    n = len(ordered)
    levels = [law(value) for value in ordered]
    return max(max((i + 1) / n - p, p - i / n) for i, p in enumerate(levels)) * sqrt(n)


def chi_square(counts: Mapping[Any, int], weights: Mapping[Any, float]) -> float:
    """Return the chi-square statistic as standard deviations above what is expected."""
    total, weight = sum(counts.values()), sum(weights.values())
    assert set(counts) <= set(weights)
    cells = [(counts.get(key, 0), total * share / weight) for key, share in weights.items() if share]
    freedom = len(cells) - 1
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in cells)
    return (statistic - freedom) / sqrt(2 * freedom)
