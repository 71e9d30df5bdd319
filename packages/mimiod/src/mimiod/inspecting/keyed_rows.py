"""Which fields of rows have to differ, alone or together, and what rows have to be drawn with for that."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mimiod.inspecting.code import Code, call, listing, literal, mapping

if TYPE_CHECKING:
    from mimiod.inspecting.facts import CollectionFacts, FieldFacts, Inspection, ReferenceFacts

Path = tuple[str, ...]

MOST_PARTS = 1_000
"Values that are written out, for combinations."

_SEVERAL = 20
_NUMBERS = frozenset({"int", "long", "double", "decimal"})


@dataclass
class Keyed:
    """What unique indexes ask of the rows of a collection."""

    unique: set[Path] = field(default_factory=set)
    "Fields of which no value may be there twice."
    draws: dict[Path, Code] = field(default_factory=dict)
    "Fields that are drawn so that they differ together."
    hidden: list[tuple[str, Code]] = field(default_factory=list)
    "Fields that are not stored, for those."
    per: ReferenceFacts | None = None
    "Whose target has these rows below it."
    most: int = 1
    "Rows of a parent."


def keyed_rows(inspection: Inspection) -> dict[str, Keyed]:
    """Return it for every collection; no collection is above itself."""
    found: dict[str, Keyed] = {}
    for facts in inspection.collections.values():
        found[facts.name] = _Keys(inspection, facts, found).found
    return found


def row_numbers(name: str, rows: dict[str, int], keyed: dict[str, Keyed]) -> int:
    """Return up to which number the rows of a collection go."""
    own = keyed[name]
    return rows[name] if own.per is None else row_numbers(own.per.target, rows, keyed) * own.most


class _Keys:
    """The keys of one collection."""

    def __init__(self, inspection: Inspection, facts: CollectionFacts, others: dict[str, Keyed]) -> None:
        self.inspection = inspection
        self.facts = facts
        self.others = others
        self.at = dict(facts.fields())
        self.references = {
            each.fields[0]: each
            for each in inspection.references
            if each.collection == facts.name and len(each.fields) == 1
        }
        self.found = Keyed(unique=self._known())
        for index in facts.shape.indexes.values():
            if index.get("unique"):
                self._hold(list(index["key"]))

    def _known(self) -> set[Path]:
        """Return the fields of which no value was seen twice."""
        found = {path for path, each in self.at.items() if each.unique and each.values > _SEVERAL}
        identifier = self.facts.root.fields.get("_id")
        if identifier is not None:
            found.add(("_id",))
            found |= {("_id", name) for name, each in identifier.fields.items() if not each.enumeration}
        return found

    def _hold(self, key: list[str]) -> None:
        """Have the fields of a unique index differ."""
        paths = [tuple(path.split(".")) for path in key]
        own = [path for path in paths if ".".join(path) not in self.references]
        if any(path in self.found.unique for path in own):
            return
        free = [path for path in own if path in self.at and self._can_differ(self.at[path])]
        if len(paths) == 1 and own:
            self.found.unique |= set(own)
        elif free:
            self.found.unique.add(max(free, key=lambda path: self.at[path].distinct))
        elif not self._put_below(paths):
            self._combine(paths)

    def _can_differ(self, facts: FieldFacts) -> bool:
        """Return whether there are values enough for all rows."""
        if facts.enumeration is not None or not facts.types:
            return False
        if facts.numbers is not None and set(facts.types) <= _NUMBERS:
            return bool(facts.numbers.high - facts.numbers.low + 1 >= self.facts.documents)
        return facts.types[0] not in {"object", "array", "bool"}

    def _put_below(self, paths: list[Path]) -> bool:
        """Have rows below what one of the fields refers to: then that and a position differ together."""
        named = [
            (path, self.references[name]) for path in paths if (name := ".".join(path)) in self.references
        ]
        for path, reference in named:
            if self.found.per is not None or not self._may_be_below(reference, path):
                continue
            self.found.per = reference
            self.found.draws[path] = call("Parent", literal(reference.target))
            self._number([other for other in paths if other != path], reference)
            return True
        return False

    def _number(self, paths: list[Path], reference: ReferenceFacts) -> None:
        """Have a field be different in each row of a parent: a number, or one of few values."""
        for path in paths:
            values = self._values(path)
            if values:
                children = reference.children.high if reference.children is not None else len(values)
                self.found.most = max(1, min(len(values), round(children)))
                if self._is_counted(path):
                    start = {} if values[0] == "1" else {"start": values[0]}
                    self.found.draws[path] = call("Position", **start)
                else:
                    cases: list[tuple[str, Code]] = [
                        (str(number), value) for number, value in enumerate(values, 1)
                    ]
                    self.found.hidden.append((literal("_position"), call("Position")))
                    self.found.draws[path] = call("When", literal("_position"), mapping(cases))
                return

    def _may_be_below(self, reference: ReferenceFacts, path: Path) -> bool:
        target = reference.target
        seen = {self.facts.name}
        while target not in seen:
            seen.add(target)
            above = self.others[target].per if target in self.others else None
            if above is None:
                break
            target = above.target
        else:
            return False
        whole = all("array" not in self.at[path[:end]].types for end in range(1, len(path) + 1))
        return whole and self.inspection.collections[reference.target].documents > 0

    def _is_counted(self, path: Path) -> bool:
        facts = self.at.get(path)
        return (
            facts is not None
            and ".".join(path) not in self.references
            and facts.numbers is not None
            and set(facts.types) <= {"int", "long"}
        )

    def _combine(self, paths: list[Path]) -> None:
        """Have the fields be a combination that is there once, where their values can be written out."""
        parts = [self._values(path) for path in paths]
        if not all(parts) or math.prod(map(len, parts)) < self.facts.documents:
            return
        name = f"_key_{len(self.found.hidden) + 1}"
        pairs: list[tuple[str, Code]] = [
            (literal(f"part_{n}"), listing(values)) for n, values in enumerate(parts, 1)
        ]
        self.found.hidden.append((literal(name), call("Combination", mapping(pairs))))
        for number, path in enumerate(paths, 1):
            self.found.draws[path] = call("Get", literal(f"{name}.part_{number}"))

    def _values(self, path: Path) -> list[Code]:
        facts = self.at.get(path)
        if facts is None or ".".join(path) in self.references:
            return []
        if facts.enumeration:
            return [literal(value) for value in facts.enumeration]
        if not self._is_counted(path):
            return []
        assert facts.numbers is not None
        low, high = math.ceil(facts.numbers.low), math.floor(facts.numbers.high)
        return [literal(value) for value in range(low, high + 1)] if high - low < MOST_PARTS else []
