"""The unique indexes of a collection, held by its documents: the server's index is not asked.

A collation is followed as far as its strength says: 1 takes letters with and without accents and in either
case for the same, 2 those in either case. The rules of single locales are not followed.
"""

from __future__ import annotations

import unicodedata
from itertools import product
from typing import TYPE_CHECKING, Any

from mimiod.checking.verifying.filters import UnknownOperatorError, matches
from mimiod.checking.verifying.report import CollectionVerification, Fault
from mimiod.checking.verifying.spill import PARTS, turns
from mimiod.checking.verifying.values import canonical, shown

if TYPE_CHECKING:
    from mimiod.checking.verifying.spill import Record, Store
    from mimiod.schema_types import BaseCollectionSchema, IndexDefinition

_EMPTY = frozenset[Any]()
"Stands for an empty array, which is a key of its own: neither null nor any other."
_ACCENTS_COUNT = 2
"The strength of a collation from which on accents make a difference."
_CASE_COUNTS = 3
"The strength from which on case does; it is a collation's default."


class UniqueIndex:
    """The keys of one unique index."""

    def __init__(self, collection: str, index: IndexDefinition, store: Store) -> None:
        self.collection = collection
        self.index = index
        self.untested: str | None = None
        "Why it could not be looked at."
        self._spill = store.spill()
        self._paths = [name.split(".") for name in index.keys]
        strength = (index.collation or {}).get("strength", _CASE_COUNTS)
        simple = not index.collation or index.collation.get("locale") == "simple"
        self._strength = None if simple else strength

    def see(self, documents: list[dict[str, Any]], ids: list[Any], found: CollectionVerification) -> None:
        """Put the documents' keys aside."""
        if self.untested:
            return
        try:
            records: list[Record] = [
                (key, identifier)
                for document, identifier in zip(documents, ids, strict=True)
                if self._holds(document)
                for key in self._keys(document)
            ]
        except UnknownOperatorError as exc:
            self.untested = f"{self.collection} {self.index.name}: its filter has {exc}"
            return
        found.count("unique", len(records))
        self._spill.add(records)

    def judge(self, found: CollectionVerification) -> None:
        """Find keys that several documents have; each document but the first is a fault."""
        if self.untested:
            return
        for part in range(PARTS):
            rounds = turns(self._spill.size(part))
            for turn in range(rounds):
                first: dict[Any, Any] = {}
                for key, identifier in self._spill.part(part, turn, rounds):
                    other = first.setdefault(key, identifier)
                    if other is not identifier and other != identifier:
                        names = ", ".join(self.index.keys)
                        reason = (
                            f"{names}: found {', '.join(map(shown, key))}, which _id {shown(other)} has too; "
                            f"expected once, as index {self.index.name} is unique"
                        )
                        found.add(Fault("unique", self.collection, f"_id {shown(identifier)}", reason))

    def _holds(self, document: dict[str, Any]) -> bool:
        index = self.index
        if index.partial_filter is not None:
            return matches(document, index.partial_filter)
        return not index.sparse or any(_has(document, path) for path in self._paths)

    def _keys(self, document: dict[str, Any]) -> set[tuple[Any, ...]]:
        choices = [
            [self._collated(canonical(value)) for value in _elements(document, path)] for path in self._paths
        ]
        return set(product(*choices))

    def _collated(self, value: Any) -> Any:
        if self._strength is None or not isinstance(value, str):
            return value
        value = unicodedata.normalize("NFKD" if self._strength < _ACCENTS_COUNT else "NFC", value)
        if self._strength < _ACCENTS_COUNT:
            value = "".join(sign for sign in value if not unicodedata.combining(sign))
        return value.casefold() if self._strength < _CASE_COUNTS else value


def unique_indexes(declared: BaseCollectionSchema, store: Store) -> list[UniqueIndex]:
    """Return the unique indexes of a collection but that of `_id`, which every server holds."""
    return [
        UniqueIndex(declared.collection_name, index, store)
        for index in declared.indexes
        if index.unique and list(index.keys) != ["_id"]
    ]


def _elements(value: Any, path: list[str]) -> list[Any]:
    """Return what an index has for a path: each item of an array; null where there is nothing."""
    for position, name in enumerate(path):
        if isinstance(value, list):
            rest = path[position:]
            return [found for item in value for found in _elements(item, rest)] or [None]
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, list):
        return value or [_EMPTY]
    return [value]


def _has(value: Any, path: list[str]) -> bool:
    """Return whether there is such a field, be it null."""
    for position, name in enumerate(path):
        if isinstance(value, list):
            return any(_has(item, path[position:]) for item in value)
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True
