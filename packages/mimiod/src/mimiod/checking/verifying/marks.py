"""The marks of a schema as checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mimiod.checking.field_types import field_type
from mimiod.checking.verifying import within
from mimiod.checking.verifying.meetings import Claims, Contributions, Meeting, Want, Wanted
from mimiod.checking.verifying.places import Path, Position
from mimiod.checking.verifying.report import Fault
from mimiod.checking.verifying.values import shown
from mimiod.schema_types import Computed, Copy, NotBefore, marks, references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mimiod.checking.verifying.report import CollectionVerification
    from mimiod.checking.verifying.spill import Store
    from mimiod.schema_types import BaseCollectionSchema, Reference


@dataclass
class MarkedChecks:
    """The checks of all marks."""

    store: Store
    declared: Mapping[str, BaseCollectionSchema]
    untested: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.models = {name: each.document_schema for name, each in self.declared.items()}
        self.references = {name: references(model) for name, model in self.models.items()}
        self.meetings: dict[tuple[str, str], Meeting] = {}
        self.claims: dict[str, list[Claims]] = {name: [] for name in self.declared}
        self.contributions: dict[str, list[Contributions]] = {name: [] for name in self.declared}
        self.within: dict[str, list[within.Within]] = {name: [] for name in self.declared}
        for name, model in self.models.items():
            if model is not None:
                for path, reference in self.references[name].items():
                    self._claims(name, Position(model, path, ()), Path(path, 0, path), reference)
        for name, model in self.models.items():
            if model is not None:
                for path, copy in marks(model, Copy).items():
                    self._compared("copy", name, Position.of(model, path), copy.path)
                for path, order in marks(model, NotBefore).items():
                    for earlier in order.paths:
                        self._compared("order", name, Position.of(model, path), earlier)
                for path, computed in marks(model, Computed).items():
                    self._computed(name, Position.of(model, path), computed)

    def see(
        self, name: str, documents: list[dict[str, Any]], ids: list[Any], found: CollectionVerification
    ) -> None:
        """Look at documents of a collection."""
        for (collection, _), meeting in self.meetings.items():
            if collection == name:
                meeting.see(documents, ids)
        for claims in self.claims[name]:
            claims.see(documents, ids, found)
        for contributions in self.contributions[name]:
            contributions.see(documents)
        for check in self.within[name]:
            found.count(check.kind, len(documents))
            for document, identifier in zip(documents, ids, strict=True):
                for kind, reason in check.faults(document):
                    found.add(Fault(kind, name, f"_id {shown(identifier)}", reason))

    def judge(self, found: Mapping[str, CollectionVerification]) -> None:
        """Bring together what documents say of each other."""
        for meeting in self.meetings.values():
            meeting.judge(found)

    def _meeting(self, collection: str, name: str) -> Meeting:
        key = (collection, name)
        if key not in self.meetings:
            self.meetings[key] = Meeting(collection, name, self.store)
        return self.meetings[key]

    def _claims(
        self, name: str, position: Position, path: Path, reference: Reference, *, exists: bool = True
    ) -> Claims:
        claims = Claims(name, path, self.store.spill(), position.scopes, exists=exists)
        self.claims[name].append(claims)
        self._meeting(reference.collection, reference.field).claims.append(claims)
        return claims

    def _compared(self, kind: str, name: str, position: Position, path: str) -> None:
        """Compare a field with another: of the same document, or of one that it names."""
        there = position.resolve(path)
        where = f"{name}.{position.path}"
        if not position.is_named:
            self.untested.append(f"{where}: a mark under free keys")
            return
        stem = self._stem(name, there.whole)
        if stem is None:
            check = within.copied if kind == "copy" else within.not_before
            self.within[name].append(check(position, there))
            return
        reference = self.references[name][stem]
        rest = there.whole[len(stem) + 1 :]
        inner = len(position.arrays[there.depth - 1]) if there.depth else 0
        if any(len(array) > inner for array in field_type(position.model, stem).arrays):
            self.untested.append(f"{where}: {path} leads through an array of references")
        elif self._stem(reference.collection, rest) is not None:
            self.untested.append(f"{where}: {path} leads through two references")
        else:
            relative = there.relative[: len(there.relative) - len(rest) - 1]
            claims = self._claims_by(name, position, Path(stem, there.depth, relative), reference)
            meeting = self._meeting(reference.collection, reference.field)
            claims.want(Want(kind, position, rest, meeting.fact(kind, rest)))

    def _stem(self, name: str, path: str) -> str | None:
        """Return the reference that a path leads through."""
        stems = [stem for stem in self.references[name] if path.startswith(f"{stem}.")]
        return max(stems, key=len, default=None)

    def _claims_by(self, name: str, position: Position, path: Path, reference: Reference) -> Claims:
        """Return the claims that a mark's own may join: by the same reference, in the same arrays."""
        for claims in self.claims[name]:
            arrays = claims.wants[0].position.arrays if claims.wants else ()
            if claims.reference == path and arrays == position.arrays:
                return claims
        return self._claims(name, position, path, reference, exists=False)

    def _computed(self, name: str, position: Position, mark: Computed) -> None:
        where = f"{name}.{position.path}"
        there = position.resolve(mark.of)
        inner = len(position.arrays[there.depth - 1]) if there.depth else 0
        arrays = [each for each in field_type(position.model, there.whole).arrays if len(each) > inner]
        if not position.is_named:
            self.untested.append(f"{where}: a mark under free keys")
        elif arrays:
            array = min(arrays, key=len)
            beyond = len(there.whole) - len(array)
            path = Path(array, there.depth, there.relative[: len(there.relative) - beyond])
            called = mark.of[: len(mark.of) - beyond]
            self.within[name].append(within.totalled(position, mark, path, called))
        elif position.arrays:
            self.untested.append(f"{where}: a total over a collection, inside an array")
        else:
            self._total(name, position.path, mark)

    def _total(self, name: str, path: str, mark: Computed) -> None:
        """Compare a total over a collection, by each way in which that refers to this one."""
        source = mark.of.partition(".")[0]
        ways = [
            (stem, reference)
            for stem, reference in self.references.get(source, {}).items()
            if reference.collection == name
        ]
        if not ways:
            self.untested.append(f"{name}.{path}: {source} does not refer to {name}")
        for stem, reference in ways:
            meeting = self._meeting(name, reference.field)
            known = meeting.totals.setdefault(source, [])
            contributions = next((each for each in known if each.reference == stem), None)
            if contributions is None:
                contributions = Contributions(source, stem, self.store.spill())
                known.append(contributions)
                self.contributions[source].append(contributions)
            contributions.want(Wanted(path, mark, meeting.fact("total", path)))
