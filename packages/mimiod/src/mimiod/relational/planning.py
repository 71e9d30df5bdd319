"""The collections that SQL tables become: a tree of parts for each, and the decisions with their reasons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mimiod.inspecting.keys import words
from mimiod.relational.knowledge import Knowledge, is_required, keys_of, own_key
from mimiod.relational.owning import Place, decider_of, place_all, words_of_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mimiod.relational.model import Children, ForeignKey, Relational, Table
    from mimiod.relational.queries import Workload

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Link:
    """A field with the ObjectId of the row that a foreign key names."""

    field: str
    columns: tuple[str, ...]
    "In the order of the key there."
    key: ForeignKey
    root: str
    "The table whose rows' ObjectIds these are: that of the base, where the one named is a subtype."
    collection: str
    required: bool
    missing: int = 0
    "Rows whose key names nothing."


@dataclass
class Part:
    """A table as the documents of a collection, or as part of those of another."""

    table: Table
    form: str
    "`collection`, `array`, `object`, `subtype` or `references`."
    name: str
    "Of the collection, or of the field; of a subtype the value of the discriminator."
    key: ForeignKey | None
    "By which rows belong to those of the whole."
    identity: tuple[str, ...]
    "The columns that a row is known by, in the order of the root's; empty where there are none."
    root: str
    "The table from whose name and key ObjectIds are made."
    fields: dict[str, str] = field(default_factory=dict)
    "By column, those that are kept as they are."
    links: list[Link] = field(default_factory=list)
    by_value: list[ForeignKey] = field(default_factory=list)
    "Foreign keys to what a row is not known by: they stay as they are."
    parts: list[Part] = field(default_factory=list)
    discriminator: str = ""
    "The field made to say which subtypes a document is of; nothing if a column does, or there are none."
    apart: bool = False
    "Of a subtype: whether its rows are whole documents, and not the rest of rows of its base (PostgreSQL)."
    sign: str = ""
    "Of a subtype: a field that its documents have and no others; nothing if there is none."

    aligned: tuple[str, ...] = ()
    "The columns that name a row of the whole, in the order of its identity."

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Part]]:
        """Yield this and all parts with their paths, which a subtype has in common with its base."""
        yield path, self
        for part in self.parts:
            yield from part.walk(path if part.form == "subtype" else (*path, part.name))

    def wholes(self) -> list[Part]:
        """Return the tables whose rows are whole documents: this, and the subtypes apart from it."""
        return [self, *(part for part in self.subtypes() if part.apart)]

    def subtypes(self) -> list[Part]:
        """Return the subtypes, and theirs."""
        found = []
        for part in self.parts:
            if part.form == "subtype":
                found += [part, *part.subtypes()]
        return found


@dataclass(frozen=True)
class Decision:
    """What became of a table, and why."""

    table: str
    form: str
    where: str
    "The collection, with the path in its documents."
    reasons: Sequence[str]


@dataclass(frozen=True)
class Plan:
    """The collections that a database of tables becomes."""

    schema: Relational
    collections: Mapping[str, Part]
    decisions: Sequence[Decision]
    orphaned: Mapping[str, str]
    "By table that is part of others: the collection of its rows that name none."
    notes: Sequence[str]
    "Names that were changed, a line each."

    def parts(self) -> Iterator[tuple[str, tuple[str, ...], Part]]:
        """Yield every part with its collection and path; those of orphans are not among them."""
        for name, whole in self.collections.items():
            for path, part in whole.walk():
                yield name, path, part

    def part_of(self, table: str) -> tuple[str, tuple[str, ...], Part]:
        """Return where a table's rows are."""
        return next(found for found in self.parts() if found[2].table.name == table)


def plan(
    schema: Relational,
    counts: Mapping[str, int] | None = None,
    children: Mapping[tuple[str, tuple[str, ...]], Children] | None = None,
    queries: Workload | None = None,
) -> Plan:
    """Decide what becomes of each table, by its keys and by what is known of rows and queries.

    Args:
        schema: the tables.
        counts: rows by table; None where only declarations are known.
        children: by table and columns of a foreign key, how rows are spread over those they name.
        queries: how often the tables are asked for.
    """
    return plan_of(Knowledge(schema, counts or {}, children or {}, queries))


def plan_of(known: Knowledge) -> Plan:
    """Decide what becomes of each table."""
    return _Planner(known, place_all(known)).plan()


class _Planner:
    def __init__(self, known: Knowledge, places: Mapping[str, Place]) -> None:
        self.known = known
        self.schema = known.schema
        self.places = places
        self.notes: list[str] = []
        self.collections = self._named(
            [name for name, place in places.items() if place.form == "collection"], "collection"
        )

    def plan(self) -> Plan:
        whole = {called: self._part(name, called, {"_id"}) for name, called in self.collections.items()}
        where = {}
        for collection, part in whole.items():
            for path, inner in part.walk():
                where[inner.table.name] = ".".join((collection, *path))
        decisions = [
            Decision(name, place.form, where[name], place.reasons) for name, place in self.places.items()
        ]
        orphaned = {
            name: orphan_collection(name)
            for name, place in self.places.items()
            if place.key is not None and self.known.missing(name, place.key)
        }
        return Plan(self.schema, whole, decisions, orphaned, [*self.schema.notes, *self.notes])

    def _named(self, names: list[str], what: str) -> dict[str, str]:
        """Return names that MongoDB takes, and say which were changed."""
        given: dict[str, str] = {}
        taken: set[str] = set()
        for name in names:
            plain = _free(_plain(name, collection=what == "collection"), taken)
            if plain != name:
                self.notes.append(f"table {name!r} becomes {plain!r}: MongoDB takes no such name")
            taken.add(plain)
            given[name] = plain
        return given

    def _part(self, name: str, called: str, taken: set[str], whole: Part | None = None) -> Part:
        """Return a table with all of its parts; `taken` are the fields of the document it stands in."""
        table, place = self.schema.tables[name], self.places[name]
        root, identity = self._identity(name)
        part = Part(table, place.form, called, place.key, identity, root, apart=self._is_apart(name))
        if place.key is not None and whole is not None and not part.apart:
            by_key = dict(zip(place.key.keys, place.key.columns, strict=True))
            part.aligned = tuple(by_key[column] for column in whole.identity)
        below = [
            other
            for other, its in self.places.items()
            if its.key is not None and its.key.target == name and its.form != "collection"
        ]
        subtypes = [other for other in below if self.places[other].form == "subtype"]
        self._name_fields(part, taken, whole)
        for other in below:
            if other not in subtypes:
                inner = _free(self._field_of(other, name), taken)
                taken.add(inner)
                part.parts.append(self._part(other, inner, set(), part))
        self._add_subtypes(part, subtypes, taken)
        if subtypes and place.form != "subtype":
            signed = all(each.sign and not each.apart for each in part.subtypes())
            if not signed or not decider_of(table):
                part.discriminator = _free("type", taken)
                taken.add(part.discriminator)
                for each in part.subtypes():
                    each.discriminator = part.discriminator
        return part

    def _add_subtypes(self, part: Part, names: list[str], taken: set[str]) -> None:
        """Add the subtypes; what two of them call alike and is of one kind is one field."""
        kinds: dict[str, str] = {}
        made = []
        for name in names:
            columns = self.schema.tables[name].columns
            alike = {
                field for field, kind in kinds.items() if field in columns and columns[field].kind == kind
            }
            own = taken | (kinds.keys() - alike)
            before = set(own)
            made.append(self._part(name, name, own, part))
            for each in own - before:
                kinds[each] = columns[each].kind if each in columns else ""
        for subtype in made:
            others = {each for other in made if other is not subtype for each in _fields_of(other)}
            subtype.sign = next((each for each in _fields_of(subtype) if each not in others), "")
        part.parts += made
        taken |= kinds.keys()

    def _identity(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Return the table that rows are known by, and their own columns in the order of its key."""
        place = self.places[name]
        if place.form != "subtype" or place.key is None or self._is_apart(name):
            return name, own_key(self.schema.tables[name])
        root, above = self._identity(place.key.target)
        by_key = dict(zip(place.key.keys, place.key.columns, strict=True))
        return root, tuple(by_key[column] for column in above)

    def _is_apart(self, name: str) -> bool:
        """Return whether the rows of a subtype are not those of its base: it inherits columns, no rows."""
        place, inherits = self.places[name], self.schema.tables[name].inherits
        return place.form == "subtype" and place.key is not None and place.key.target == inherits

    def _name_fields(self, part: Part, taken: set[str], whole: Part | None) -> None:
        """Give each column a field, but those that say which row of the whole it belongs to."""
        table, name = part.table, part.table.name
        if part.apart and whole is not None:
            part.fields |= {
                column: called for column, called in whole.fields.items() if column in table.columns
            }
            part.links += [link for link in whole.links if set(link.columns) <= set(table.columns)]
        inherited = {link.columns for link in part.links}
        implied = {*part.aligned, *part.fields}
        linked = {columns[0] for columns in inherited if len(columns) == 1}
        links = []
        for key, columns in self._named_rows(part):
            if columns not in inherited:
                single = len(columns) == 1 and columns[0] not in linked and columns[0] not in implied
                links.append((key, columns, single))
                linked |= set(columns) if single else set()
        for column in table.columns:
            if column in implied or column in linked:
                continue
            plain = _free(_plain(column) if column != "_id" else "id", taken, f"{_singular(name)}_")
            if plain != column:
                self.notes.append(f"column {column!r} of {name!r} becomes {plain!r}")
            taken.add(plain)
            part.fields[column] = plain
        for key, columns, single in links:
            wanted = _link_name(columns[0], key) if single else f"{_singular(key.target)}_id"
            called = _free(_plain(wanted), taken, f"{_singular(name)}_")
            taken.add(called)
            part.links.append(self._link(called, key, columns, table))

    def _named_rows(self, part: Part) -> Iterator[tuple[ForeignKey, tuple[str, ...]]]:
        """Yield the foreign keys that become ObjectIds, with their columns in the order of the key there."""
        for key in keys_of(part.table, self.schema):
            _, identity = self._identity(key.target)
            if key == part.key:
                continue
            if not identity or set(key.keys) != set(identity):
                part.by_value.append(key)
            elif part.form != "subtype" or part.apart or set(key.columns) != set(part.aligned):
                by_key = dict(zip(key.keys, key.columns, strict=True))
                yield key, tuple(by_key[column] for column in identity)

    def _link(self, called: str, key: ForeignKey, columns: tuple[str, ...], table: Table) -> Link:
        return Link(
            field=called,
            columns=columns,
            key=key,
            root=self._identity(key.target)[0],
            collection=self._collection_of(key.target),
            required=is_required(table, key),
            missing=self.known.missing(table.name, key),
        )

    def _collection_of(self, table: str) -> str:
        while (key := self.places[table].key) is not None:
            table = key.target
        return self.collections[table]

    def _field_of(self, name: str, parent: str) -> str:
        """Return what an embedded table is called in its parent: `lines` of `invoice_lines` in `invoices`."""
        place = self.places[name]
        if place.form == "references":
            other = next(key for key in keys_of(self.schema.tables[name], self.schema) if key != place.key)
            if other.target == parent:
                return _plain(f"{_singular(_without(name, parent))}_ids")
            column = other.columns[0]
            if len(other.columns) == 1 and column.lower().endswith("id"):
                return _plain(f"{column}s")
            return _plain(f"{_singular(other.target)}_ids")
        plain = _without(name, parent)
        return _plain(_singular(plain) if place.form == "object" else plain)


def _without(name: str, parent: str) -> str:
    """Return a table's name without that of its parent, if it begins with it."""
    found = list(_WORD.finditer(name))
    count = words_of_parent(name, parent)
    if 0 < count < len(found):
        rest = name[found[count].start() :]
        return rest[0].lower() + rest[1:]
    return name


def _link_name(column: str, key: ForeignKey) -> str:
    """Return what the ObjectId of a foreign key is called: `head_id` of `head_code` that names a `code`."""
    found, there = list(_WORD.finditer(column)), list(_WORD.finditer(key.keys[0]))
    if not found or not there or found[-1][0].lower() == "id" or found[-1][0].lower() != there[-1][0].lower():
        return column if column != "_id" else f"{_singular(key.target)}_id"
    if len(found) == 1:
        return f"{_singular(key.target)}_id"
    return column[: found[-1].start()] + ("id" if found[-1][0].islower() else "Id")


def orphan_collection(table: str) -> str:
    """Return the collection of the rows of an embedded table that name no parent."""
    return f"orphaned_{_plain(table)}"


def _fields_of(part: Part) -> list[str]:
    """Return the fields that rows of a table have, whatever is embedded in them."""
    return [*part.fields.values(), *(link.field for link in part.links)]


def _singular(name: str) -> str:
    """Return a name with its last word in the singular."""
    found = list(_WORD.finditer(name))
    if not found:
        return name
    last = found[-1]
    singular = words(last[0])
    if not singular or singular[0] == last[0].lower():
        return name
    return name[: last.start()] + (singular[0] if last[0].islower() else singular[0].capitalize())


def _plain(name: str, *, collection: bool = False) -> str:
    """Return a name without what paths, operators and namespaces have a meaning for."""
    plain = re.sub(r"[.$\0*]", "_", name)[:_LONGEST_NAME].strip() or "unnamed"
    if collection and (plain.startswith("system") or plain == "_mimiod"):
        plain = f"table_{plain}"
    return plain


def _free(name: str, taken: set[str], prefix: str = "") -> str:
    """Return a name that is not taken: the same, with a prefix, or with a number behind it."""
    tries = [name, *([prefix + name] if prefix else [])]
    number = 2
    while all(each in taken for each in tries):
        tries.append(f"{name}_{number}")
        number += 1
    return next(each for each in tries if each not in taken)
