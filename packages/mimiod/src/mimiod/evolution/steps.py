"""What has to be done to a database so that it is as its schema declares, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mimiod import mongo, structure
from mimiod.errors import DuplicateKeysError
from mimiod.evolution.differences import Difference, keys, named, shown
from mimiod.evolution.misfits import NAMED, Misfits, refused_documents, repeated_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pymongo.database import Database

    from mimiod.evolution.shapes import CollectionShape, Shape
    from mimiod.schema_types import BaseCollectionSchema, BaseMongoDbSchema, IndexDefinition

State = Literal["planned", "done", "refused", "unsupported", "migration", "rebuild", "kept"]
"""What becomes of a step: it will be or was done; the server refused it; a stand-in for MongoDB cannot; the
data has to change first; the collection has to be built anew; what is there is kept, though not wanted."""

_GRANULARITIES = ("seconds", "minutes", "hours")
_IN_PLACE = {"expireAfterSeconds", "hidden"}
"Options of an index that `collMod` changes."
_SERVERS_OWN = {"v", "ns", "storageEngine"}
"What `listIndexes` adds to an index."


@dataclass
class Step:
    """One change of a collection, or why it is not made."""

    collection: str
    text: str
    "What is to be done."
    differences: list[Difference]
    "What the step would put right."
    state: State = "planned"
    why: str = ""
    "Of what is not done: the reason, and what to do next. Of what is done: what to know."
    make: Callable[[], str] | None = None
    "Does it; returns what a stand-in refused of it, as a line."
    examples: list[dict[str, Any]] = field(default_factory=list)
    "Documents that are in the way: `_id` and `reasons`, or `key`, `ids` and `count`."

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "collection": self.collection,
            "text": self.text,
            "state": self.state,
            "why": self.why,
            "examples": self.examples,
            "differences": [difference.to_dict() for difference in self.differences],
        }


@dataclass(frozen=True)
class Wishes:
    """What a person allows beyond what is safe."""

    moderate: bool = False
    "Tighten validators over documents that do not fit: these stay, and may be changed unchecked."
    drop_indexes: bool = False
    "Drop the indexes that the schema does not have."


def steps(
    database: Database[dict[str, Any]],
    schema: BaseMongoDbSchema,
    have: Shape,
    want: Shape,
    differences: Sequence[Difference],
    wishes: Wishes,
) -> list[Step]:
    """Return the steps in their order; documents in the way are looked for, and nothing is changed."""
    declared = {each.collection_name: each for each in schema.collections.values()}
    by_collection: dict[str, list[Difference]] = {}
    for difference in differences:
        by_collection.setdefault(difference.collection, []).append(difference)
    found: list[Step] = []
    for name, own in by_collection.items():
        if name not in declared:
            found.append(Step(name, "keep the collection", own, "kept", "apply never drops a collection"))
            continue
        one = _Collection(database, name, declared[name], have.collections.get(name), want.collections[name])
        found.extend(one.steps(own, wishes))
    return found


@dataclass(frozen=True)
class _Collection:
    """A collection as it is and as it is wanted."""

    database: Database[dict[str, Any]]
    name: str
    declared: BaseCollectionSchema
    have: CollectionShape | None
    want: CollectionShape

    def steps(self, differences: Sequence[Difference], wishes: Wishes) -> Iterator[Step]:
        if self.have is None:
            yield self._create(differences)
            for index in self.declared.indexes:
                yield Step(self.name, _creation(index), [], make=self._making(index))
            return
        if "viewOn" in self.have.options:
            why = "a view of that name is there: rename or drop it, then apply again"
            yield Step(self.name, "make the collection", list(differences), "rebuild", why)
            return
        for difference in differences:
            if difference.kind == "option":
                yield self._option(difference)
        validator = [each for each in differences if each.kind == "validator"]
        if validator:
            yield self._validator(validator, self.have, wishes)
        yield from self._indexes([each for each in differences if each.kind == "index"], self.have, wishes)

    def _create(self, differences: Sequence[Difference]) -> Step:
        def make() -> str:
            server = mongo.server(self.database.client)
            return structure.create_collection(self.database, server, self.declared)[1]

        step = Step(self.name, "create the collection", list(differences), make=make)
        if self.want.shard_key:
            step.why = (
                f"unsharded; shard it while it is empty: sh.shardCollection by {shown(self.want.shard_key)}"
            )
        return step

    # Options of the collection

    def _option(self, difference: Difference) -> Step:
        change = _option_in_place(difference, self.want.options)
        text = f"change {named(difference.name)} to {shown(difference.want)}"
        if isinstance(change, str):
            return Step(self.name, text, [difference], "rebuild", change)
        return Step(self.name, text, [difference], make=self._modifying(change))

    def _modifying(self, change: Mapping[str, Any]) -> Callable[[], str]:
        def make() -> str:
            self.database.command("collMod", self.name, **change)
            return ""

        return make

    # Validator

    def _validator(self, differences: list[Difference], have: CollectionShape, wishes: Wishes) -> Step:
        fields = sum(each.name not in {"validationLevel", "validationAction"} for each in differences)
        text = (
            f"change the validator ({fields} difference{'' if fields == 1 else 's'})"
            if fields
            else "change how strictly it validates"
        )
        rules = self.want.rules
        step = Step(self.name, text, differences)
        misfits = refused_documents(self.database, self.name, have, self.want)
        step.examples = [{"_id": identifier, "reasons": why} for identifier, why in misfits.examples]
        if misfits.count and not wishes.moderate:
            step.state, step.why = "migration", _in_the_way(misfits)
            return step
        if misfits.count:
            rules["validationLevel"] = "moderate"
            step.text += " at level moderate"
            step.why = (
                f"{_refused(misfits)}: they stay, and may be changed unchecked; mend them, then apply again "
                "for the declared level"
            )
            if all(each.name == "validationLevel" for each in differences) and have.level == "moderate":
                step.state = "kept"
                return step
        step.make = self._validating(rules)
        return step

    def _validating(self, rules: dict[str, Any]) -> Callable[[], str]:
        def make() -> str:
            server = mongo.server(self.database.client)
            return structure.set_rules(self.database, server, self.name, rules)

        return make

    # Indexes

    def _indexes(
        self, differences: list[Difference], have: CollectionShape, wishes: Wishes
    ) -> Iterator[Step]:
        declared = {index.name: index for index in self.declared.indexes}
        extra = {each.name: each for each in differences if each.change == "extra"}
        for each in differences:
            if each.change == "extra":
                continue
            index = declared[each.name]
            twin = next(
                (name for name in extra if each.change == "missing" and _is_same(index, have.indexes[name])),
                None,
            )
            if twin is not None:
                renamed = [each, extra.pop(twin)]
                yield self._rebuild(index, have.indexes[twin], renamed, f"rename index {named(twin)} to")
            elif each.change == "missing":
                yield self._checked(
                    index, Step(self.name, _creation(index), [each], make=self._making(index))
                )
            elif change := _changed_in_place(index, have.indexes[each.name]):
                text = f"change index {named(index.name)}: {shown(change)}"
                modified = self._modifying({"index": {"name": index.name, **change}})
                yield Step(self.name, text, [each], make=modified)
            else:
                yield self._rebuild(index, have.indexes[each.name], [each], "rebuild index")
        for name, each in extra.items():
            text = f"drop index {named(name)} over {keys(have.indexes[name])}"
            if wishes.drop_indexes:
                yield Step(self.name, text, [each], make=self._dropping(name))
            else:
                yield Step(self.name, text, [each], "kept", "--drop-indexes drops it")

    def _rebuild(
        self, index: IndexDefinition, old: Mapping[str, Any], differences: list[Difference], verb: str
    ) -> Step:
        step = Step(
            self.name, f"{verb} {named(index.name)} over {keys(structure.definition_of(index))}", differences
        )
        step.why = "between drop and build its queries scan the collection" + (
            ", and nothing refuses duplicates" if old.get("unique") else ""
        )
        step.make = self._rebuilding(index, old)
        return self._checked(index, step)

    def _checked(self, index: IndexDefinition, step: Step) -> Step:
        """Return the step, or why it cannot be done: the keys that stand in more than one document."""
        if repeated := repeated_keys(self.database, self.name, index):
            step.state, step.make = "migration", None
            step.why = str(DuplicateKeysError(self.name, index.name, repeated))
            step.examples = repeated
        return step

    def _making(self, index: IndexDefinition) -> Callable[[], str]:
        def make() -> str:
            structure.create_index(self.database[self.name], index)
            return ""

        return make

    def _rebuilding(self, index: IndexDefinition, old: Mapping[str, Any]) -> Callable[[], str]:
        def make() -> str:
            self.database.command("dropIndexes", self.name, index=old["name"])
            try:
                structure.create_index(self.database[self.name], index)
            except Exception:
                before = {key: value for key, value in old.items() if key not in _SERVERS_OWN}
                self.database.command("createIndexes", self.name, indexes=[before])
                raise
            return ""

        return make

    def _dropping(self, name: str) -> Callable[[], str]:
        def make() -> str:
            self.database.command("dropIndexes", self.name, index=name)
            return ""

        return make


def _option_in_place(difference: Difference, options: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return what `collMod` takes to change an option, or why it cannot be changed."""
    option, have, want = difference.name, difference.have, difference.want
    why = (
        f"{named(option)} is fixed when a collection is made: make the wanted one under another name, copy "
        "the documents, then rename it over this one"
    )
    match option:
        case "size" | "max" if have is not None and options.get("capped"):
            modified = {"size": "cappedSize", "max": "cappedMax"}[option]
            if want is not None and want > have:
                return {modified: want}
            why = (
                "a smaller capped collection loses its oldest documents, which apply never does: "
                f"by hand, collMod {modified}"
            )
        case "expireAfterSeconds":
            return {option: "off" if want is None else want}
        case "changeStreamPreAndPostImages":
            return {option: want or {"enabled": False}}
        case "timeseries" if have and want and _is_coarser(have, want):
            return {option: {"granularity": want["granularity"]}}
        case "shard_key" if want:
            why = (
                "documents move between shards: sh.shardCollection or sh.reshardCollection, with an index "
                f"that begins with {shown(want)}"
            )
    return why


def _creation(index: IndexDefinition) -> str:
    return f"create index {named(index.name)} over {keys(structure.definition_of(index))}"


def _is_same(wanted: IndexDefinition, existing: Mapping[str, Any]) -> bool:
    """Whether two indexes differ in no more than their name and what can be changed in place."""
    return not structure.index_differences(
        {key: value for key, value in structure.definition_of(wanted).items() if key not in _IN_PLACE},
        {key: value for key, value in existing.items() if key not in _IN_PLACE},
    )


def _changed_in_place(wanted: IndexDefinition, existing: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `collMod` takes to change an index; nothing where it has to be rebuilt."""
    options = structure.definition_of(wanted)
    change: dict[str, Any] = {}
    if bool(options.get("hidden")) != bool(existing.get("hidden")):
        change["hidden"] = bool(options.get("hidden"))
    seconds = options.get("expireAfterSeconds")
    if seconds != existing.get("expireAfterSeconds"):
        if seconds is None:
            return {}  # collMod has no way to make it no TTL index
        change["expireAfterSeconds"] = seconds
    return change if _is_same(wanted, existing) else {}


def _is_coarser(have: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    """Whether two time series differ in granularity alone, and the wanted one is coarser."""
    parts = [part for part in want if want[part] != have.get(part)]
    before, after = have.get("granularity", "seconds"), want.get("granularity")
    known = before in _GRANULARITIES and after in _GRANULARITIES
    return parts == ["granularity"] and known and _GRANULARITIES.index(after) > _GRANULARITIES.index(before)


def _refused(misfits: Misfits) -> str:
    some = "; ".join(
        f"_id {identifier}: {', '.join(why) or 'the validator refuses it'}"
        for identifier, why in misfits.examples
    )
    more = f"; and {misfits.count - NAMED} more" if misfits.count > NAMED else ""
    return f"{misfits.count} document{'s' if misfits.count > 1 else ''} would be refused ({some}{more})"


def _in_the_way(misfits: Misfits) -> str:
    return (
        f"{_refused(misfits)}: the validator stays as it is; mend these documents and apply again, or let "
        "them stay with --level moderate, which checks what is inserted and what fits already"
    )
