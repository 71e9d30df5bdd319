"""What a mutation does to the shop: each function returns a change."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mimiod import IndexDefinition
from mimiod.checking.profile import CollectionFacts, PathFacts
from mimiod.checking.rules import Explained, findings
from mimiod.schema_types import Query, Sample

from tests.mimiod.rule_shop import Shop, good_shop

Change = Callable[[Shop], None]

UNUSED = "unused-index"
HOT = {"per_minute": 1000, "priority": "high"}
SOMEBODY = {"customer_id": Sample("customers._id")}
MINE = {"$match": SOMEBODY}


@dataclass(frozen=True)
class Mutation:
    """A change of the good shop, and the rules that have to fire: none for a harmless one."""

    about: str
    rules: frozenset[str]
    changes: tuple[Change, ...]
    also: frozenset[str] = field(default=frozenset())
    "Rules that may fire besides, since the change breaks them too."

    def found(self) -> set[str]:
        """Return the rules that fire on the changed shop."""
        shop = good_shop()
        for change in self.changes:
            change(shop)
        return {finding.rule for finding in findings(shop.context())}


def breaks(rule: str, about: str, *changes: Change, also: str = "") -> Mutation:
    """Return a mutation that breaks one rule; `also` are rules that may fire besides."""
    return Mutation(about, frozenset([rule]), changes, frozenset(also.split()))


def harmless(about: str, *changes: Change) -> Mutation:
    """Return a mutation that breaks nothing."""
    return Mutation(about, frozenset(), changes)


def put(collection: str, /, **fields: Any) -> Change:
    """Add fields, or change them."""
    return lambda shop: shop.fields[collection].update(fields)


def drop(collection: str, *names: str) -> Change:
    """Remove fields."""
    return lambda shop: [shop.fields[collection].pop(name) for name in names] and None


def part(model: str, /, **fields: Any) -> Change:
    """Add fields to a model that is embedded, or make one."""
    return lambda shop: shop.models.setdefault(model, {}).update(fields)


def index(collection: str, keys: dict[str, Any], **options: Any) -> Change:
    """Add an index; one of the same name is replaced."""
    made = IndexDefinition(keys=keys, **options)

    def change(shop: Shop) -> None:
        kept = [each for each in shop.indexes.get(collection, []) if each.name != made.name]
        shop.indexes[collection] = [*kept, made]

    return change


def unindex(collection: str, *names: str) -> Change:
    """Remove indexes by name, or all of them."""

    def change(shop: Shop) -> None:
        shop.indexes[collection] = [
            each for each in shop.indexes[collection] if names and each.name not in names
        ]

    return change


def query(name: str, collection: str, filters: dict[str, Any] | None = None, **parts: Any) -> Change:
    """Add a query."""
    made = Query(name=name, collection=collection, filter=filters or {}, **{"per_minute": 1, **parts})
    return lambda shop: shop.workload.update({name: made})


def pipeline(name: str, collection: str, *stages: dict[str, Any], **parts: Any) -> Change:
    """Add an aggregation."""
    return query(name, collection, action="aggregate", pipeline=list(stages), **parts)


def ask(name: str, **parts: Any) -> Change:
    """Change a query."""
    return lambda shop: shop.workload.update({name: shop.workload[name].model_copy(update=parts)})


def forget(*names: str) -> Change:
    """Remove queries."""
    return lambda shop: [shop.workload.pop(name) for name in names] and None


def settings(collection: str, **options: Any) -> Change:
    """Change what a collection has beside fields and indexes."""
    return lambda shop: shop.settings.setdefault(collection, {}).update(options)


def collection(name: str, /, **fields: Any) -> Change:
    """Add a collection."""
    return lambda shop: shop.fields.update({name: fields})


def volume(collection: str, documents: int) -> Change:
    """Say how many documents a collection is designed for."""
    return lambda shop: shop.volumes.update({collection: documents})


def explained(name: str, **values: Any) -> Change:
    """Say what a server needed for a query."""
    return lambda shop: shop.explained.update({name: Explained(**values)})


def facts(collection: str, **values: Any) -> Change:
    """Change what is known of a collection's data."""

    def change(shop: Shop) -> None:
        shop.facts[collection] = replace(shop.facts.get(collection, CollectionFacts()), **values)

    return change


def known(collection: str, path: str, **values: Any) -> Change:
    """Change what is known of one path."""

    def change(shop: Shop) -> None:
        whole = shop.facts[collection]
        paths = {**whole.paths, path: replace(whole.paths.get(path, PathFacts()), **values)}
        shop.facts[collection] = replace(whole, paths=paths)

    return change
