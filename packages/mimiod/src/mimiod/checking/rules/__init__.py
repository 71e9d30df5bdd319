"""The design rules: what makes a MongoDB database good, each with its reason and its source."""

from mimiod.checking.rules import collections, documents, indexes, plans, queries, relations, sharding, values
from mimiod.checking.rules.context import Context, Explained
from mimiod.checking.rules.registry import RULES, Rule, Threshold, findings, named

__all__ = [
    "RULES",
    "Context",
    "Explained",
    "Rule",
    "Threshold",
    "collections",
    "documents",
    "findings",
    "indexes",
    "named",
    "plans",
    "queries",
    "relations",
    "sharding",
    "values",
]
