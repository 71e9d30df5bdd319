"""Which table's rows become part of whose documents, and why: the rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimiod.inspecting.keys import words
from mimiod.relational.knowledge import bytes_of, is_required, is_unique, keys_of, own_key
from mimiod.relational.model import ForeignKey
from mimiod.relational.queries import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mimiod.relational.knowledge import Knowledge
    from mimiod.relational.model import Table

MOST = 100
"Rows of one parent that are embedded in it, at the most."
LARGEST = 1_000_000
"Bytes of a document that is made of several tables, as estimated; MongoDB takes 16 MB."
LEVELS = 3
"Of a document: itself, what is embedded, and what is embedded in that."
LOOKUP_ROWS = 500

_LOOKUP_COLUMNS = 4
_ASSUMED = 20
_PARTS = frozenset(
    [
        "line", "item", "detail", "entry", "position", "address", "phone", "email", "contact", "option",
        "tag", "attribute", "property", "image", "photo", "translation", "step", "choice", "answer", "label",
    ]
)  # fmt: skip
_GROWS = frozenset(
    [
        "log", "event", "history", "audit", "message", "reading", "measurement", "metric", "visit", "session",
        "click", "view", "comment", "review", "rating", "vote", "like", "follow", "follower", "notification",
        "movement", "transaction", "transfer", "version", "revision",
    ]
)  # fmt: skip
_DETAILS = frozenset(
    [
        "detail", "profile", "setting", "preference", "info", "information", "extension", "ext", "metadata",
        "data", "stat", "statistic", "option", "picture", "content", "body", "secret", "consent",
    ]
)  # fmt: skip
_DECIDES = re.compile(r"(?i)(.*_)?(type|kind|class|category|discriminator|dtype|subtype)")


@dataclass(frozen=True)
class Place:
    """Where the rows of a table go."""

    form: str
    "`collection`, `array`, `object`, `subtype` or `references`."
    key: ForeignKey | None
    "By which they belong to another's; None of a collection."
    reasons: tuple[str, ...]


def place_all(known: Knowledge) -> dict[str, Place]:
    """Return for each table where its rows go."""
    return _Rules(known).places()


def decider_of(table: Table) -> str:
    """Return the column that says which subtype a row is of, nothing where there is none."""
    return next(
        (
            name
            for name, column in table.columns.items()
            if _DECIDES.fullmatch(name) and column.kind == "string" and column.values and not column.nullable
        ),
        "",
    )


def words_of_parent(name: str, parent: str) -> int:
    """Return how many words a name begins with that its parent's ends with: `order` of `order_items`."""
    own, above = words(name), words(parent)
    alike = [count for count in range(1, len(own)) if own[:count] == above[-count:]]
    return max(alike, default=0)


class _Rules:
    def __init__(self, known: Knowledge) -> None:
        self.known = known
        self.tables = known.schema.tables
        self.keys = {name: keys_of(table, known.schema) for name, table in self.tables.items()}
        self.referring: dict[str, list[tuple[str, ForeignKey]]] = {name: [] for name in self.tables}
        for name, keys in self.keys.items():
            for key in keys:
                self.referring[key.target].append((name, key))
        self.placed: dict[str, Place] = {}
        self.levels = dict.fromkeys(self.tables, 1)
        self.sizes = {name: bytes_of(table) for name, table in self.tables.items()}
        "Bytes of a row, with what is embedded in it."

    def places(self) -> dict[str, Place]:
        self.placed |= self._subtypes()
        for name in self.tables:
            if name not in self.placed and (joined := self._joined(name)) is not None:
                self.placed[name] = joined
        refused: dict[str, tuple[str, ...]] = {}
        changed = True
        while changed:  # from the leaves up: each table that is placed may free another
            changed = False
            for name in self.tables:
                if name in self.placed:
                    continue
                place = self._embedded(name)
                if place.key is None:
                    refused[name] = place.reasons
                    continue
                self.placed[name] = place
                self._grow(name, place.key)
                changed = True
        own = {name: Place("collection", None, reasons) for name, reasons in refused.items()}
        everything = {**own, **self.placed}
        return {name: everything[name] for name in self.tables}

    def _grow(self, name: str, key: ForeignKey) -> None:
        spread = self.known.spread(name, key)
        size = self.sizes[name] * (spread.most if spread else _ASSUMED)
        above: ForeignKey | None = key
        while above is not None:
            self.levels[above.target] = max(self.levels[above.target], self.levels[name] + 1)
            self.sizes[above.target] += size
            place = self.placed.get(above.target)
            above = place.key if place is not None and place.form == "subtype" else None

    # Inheritance

    def _subtypes(self) -> dict[str, Place]:
        """Return the tables that hold the rest of rows of another, their base."""
        bases: dict[str, tuple[ForeignKey, str]] = {}
        for name, table in self.tables.items():
            if table.inherits in self.tables:
                bases[name] = ForeignKey((), table.inherits, ()), f"it inherits from {table.inherits!r}"
        for base in self.tables.values():
            for name, key, why in self._joined_subtypes(base):
                bases.setdefault(name, (key, why))
        places = {}
        for name, (key, why) in bases.items():
            above, seen = key.target, {name}
            while above in bases and above not in seen:
                seen.add(above)
                above = bases[above][0].target
            if above not in seen:  # no circle
                places[name] = Place(
                    "subtype", key, (why, "a document says itself what it is, and no read needs two")
                )
        return places

    def _joined_subtypes(self, base: Table) -> Iterator[tuple[str, ForeignKey, str]]:
        """Yield the tables whose primary key names a row of another, and that are no mere details of it."""
        found = [
            (name, key)
            for name, key in self.referring[base.name]
            if name != base.name
            and set(key.columns) == set(self.tables[name].primary_key)
            and set(key.keys) == set(own_key(base))
            and not self._is_detail(name, base.name)
        ]
        rows = [self.known.rows(name) for name, _ in found]
        whole = self.known.rows(base.name)
        if len(found) > 1:
            apart = whole is None or sum(count or 0 for count in rows) <= whole
            if not apart:
                return
            why = "a row of it is one of {}, as one of {} is: the primary key is the key of both"
            for name, key in found:
                others = ", ".join(repr(other) for other, _ in found if other != name)
                yield name, key, why.format(repr(base.name), others)
        elif found:
            name, key = found[0]
            if decider_of(base) or any(other != name for other, _ in self.referring[name]):
                yield name, key, f"a row of it is one of {base.name!r}: the primary key is the key of both"

    def _is_detail(self, name: str, base: str) -> bool:
        own, above = words(name), words(base)
        return own[: len(above)] == above or bool(set(own[-1:]) & _DETAILS)

    # Many to many

    def _joined(self, name: str) -> Place | None:
        """Return the side on which the rows of a table that only joins two become an array of references."""
        table, keys = self.tables[name], self.keys[name]
        columns = {column for key in keys for column in key.columns}
        if len(keys) != 2 or columns != set(table.columns) or self.referring[name]:  # noqa: PLR2004 - two ends
            return None
        if not all(self._names_whole(key) and is_required(table, key) for key in keys):
            return None
        if words(name)[-1:] and words(name)[-1] in _GROWS:
            grows = f"it joins {keys[0].target!r} and {keys[1].target!r}, and goes on growing by its name"
            return Place("collection", None, (grows,))
        spreads = [self.known.spread(name, key) for key in keys]
        measured = [spread.most for spread in spreads if spread is not None]
        bounded = [spread is None or spread.most <= MOST for spread in spreads]
        ends = [repr(key.target) for key in keys]
        joined = f"rows of {ends[0]} with each other" if ends[0] == ends[1] else " and ".join(ends)
        first = f"it joins {joined} and has no columns of its own"
        if not any(bounded):
            counts = " and ".join(f"{most:,}" for most in measured)
            return Place(
                "collection", None, (first, f"one row is joined with up to {counts}: more than {MOST}")
            )
        side, why = self._side(name, keys, bounded, measured)
        return Place("references", keys[side], (first, why))

    def _side(
        self, name: str, keys: list[ForeignKey], bounded: list[bool], measured: list[int]
    ) -> tuple[int, str]:
        """Return which of two ends has the array, and why."""
        counts = ""
        if len(measured) == len(keys):
            one, other = (
                f"{most:,} for one of {key.target!r}" for most, key in zip(measured, keys, strict=True)
            )
            counts = f"; up to {one}, {other}"
        if not all(bounded):
            side = bounded.index(True)
            return side, f"only on the side of {keys[side].target!r} are they bounded{counts}"
        workload = self.known.workload
        if workload is not None:
            asked = [workload.together(name, key.target) for key in keys]
            if asked[0] != asked[1]:
                side = asked.index(max(asked))
                return side, (
                    f"it is read with {keys[side].target!r} {in_words(asked[side])} times a day, with "
                    f"{keys[1 - side].target!r} {in_words(asked[1 - side])}{counts}"
                )
        named = [self._is_named_after(name, key.target) for key in keys]
        if named[0] != named[1]:
            side = named.index(True)
            return side, f"by its name it belongs to {keys[side].target!r}{counts}"
        if len(measured) == len(keys) and measured[0] != measured[1]:
            side = measured.index(min(measured))
            return side, f"on the side with the fewer{counts}"
        return 0, f"the first column of its key names {keys[0].target!r}{counts}"

    # Parts

    def _embedded(self, name: str) -> Place:
        """Return whose part the rows of a table are; a place without a key says why of nobody's."""
        table = self.tables[name]
        owner, reasons = self._owner(name)
        if owner is None:
            return Place("collection", None, reasons)
        one = is_unique(table, owner.columns)
        spread = self.known.spread(name, owner)
        against = self._against(name, owner, one=one)
        if against:
            return Place("collection", None, (against,))
        how_many = (
            "at most one to a row"
            if one
            else f"at most {spread.most:,} to a row, {spread.mean:.1f} on average"
            if spread
            else "few by its declaration; no rows were counted"
        )
        others = [key.target for key in self.keys[name] if key != owner]
        inside = [f"references to {', '.join(map(repr, others))} stand in it"] if others else []
        asked = self._asked(name, owner.target)
        return Place("object" if one else "array", owner, (*reasons, how_many, *asked, *inside))

    def _owner(self, name: str) -> tuple[ForeignKey | None, tuple[str, ...]]:
        """Return the key to the one parent that owns the rows, or why there is none."""
        table = self.tables[name]
        if any(key.target == name for key in self.keys[name]):
            return None, ("it refers to itself: a tree has no depth that is known",)
        strangers = sorted(
            {
                other
                for other, _ in self.referring[name]
                if other not in self.placed or self._whole_of(other) != name
            }
        )
        if strangers:
            return None, self._why_referred(name, strangers)
        keys = [key for key in self.keys[name] if is_required(table, key) and self._names_whole(key)]
        if not keys:
            why = "it names no other" if not self.keys[name] else "it need not belong to another"
            return None, (f"{why}: it stands for itself",)
        signs = {key: self._signs(name, key, only=len(keys) == 1) for key in keys}
        best = max(sum(weight for weight, _ in found) for found in signs.values())
        if best == 0:
            targets = " and ".join(dict.fromkeys(repr(key.target) for key in keys))
            return None, (f"it names {targets}, and nothing says that it is part of it",)
        owners = [key for key in keys if sum(weight for weight, _ in signs[key]) == best]
        owner = owners[0] if len(owners) == 1 else self._fewest(name, owners)
        if owner is None:
            return None, (f"it belongs to {' as much as to '.join(repr(key.target) for key in owners)}",)
        told = [f"{text} of {owner.target!r}" for _, text in signs[owner]]
        if len(owners) > 1:
            told.append(f"one of {owner.target!r} has fewer of them")
        return owner, tuple(told)

    def _fewest(self, name: str, keys: list[ForeignKey]) -> ForeignKey | None:
        """Return the one of several keys by which rows are spread the thinnest."""
        spreads = {key: spread.most for key in keys if (spread := self.known.spread(name, key)) is not None}
        if len(spreads) < len(keys):
            return None
        few = [key for key, most in spreads.items() if most == min(spreads.values())]
        return few[0] if len(few) == 1 else None

    def _signs(self, name: str, key: ForeignKey, *, only: bool) -> list[tuple[int, str]]:
        """Return what says that rows are part of those they name, each with its weight."""
        table = self.tables[name]
        found = []
        if set(key.columns) <= set(table.primary_key):
            found.append((3, "its primary key contains the key"))
        elif is_unique(table, key.columns):
            found.append((2, "there is one for one"))
        if key.on_delete.upper() == "CASCADE":
            found.append((2, "it is deleted with its row"))
        if self._is_named_after(name, key.target):
            found.append((2, "by its name it is a part"))
        elif only and set(words(name)[-1:]) & _PARTS:
            found.append((1, f"{words(name)[-1]!r} is the name of a part"))
        workload = self.known.workload
        if (
            workload is not None
            and only
            and workload.together(name, key.target) > workload.alone(name, key.target)
        ):
            found.append((1, "it is mostly read with its row"))
        return found

    def _against(self, name: str, owner: ForeignKey, *, one: bool) -> str:
        """Return what speaks against embedding rows in the parent that owns them, nothing if they may be."""
        table, parent = self.tables[name], owner.target
        spread = self.known.spread(name, owner)
        most = 1 if one else spread.most if spread else None
        if most is not None and most > MOST:
            return f"one of {parent!r} has up to {most:,} of them, and more than {MOST} are not embedded"
        if not one and set(words(name)[-1:]) & _GROWS:
            return f"it is part of {parent!r}, but {words(name)[-1]!r} says that there is no end of them"
        if not one and self._is_dated(table) and not self._is_weak(table, owner):
            return f"each has a moment of its own: one of {parent!r} gets ever more of them"
        if self.levels[name] + 1 > LEVELS:
            return f"within {parent!r} it would be the level {self.levels[name] + 1} of a document"
        size = self.sizes[parent] + self.sizes[name] * (most or _ASSUMED)
        if size > LARGEST:
            return f"a document of {parent!r} might reach {size / 1e6:.1f} MB with it"
        return self._against_by_workload(name, parent)

    def _against_by_workload(self, name: str, parent: str) -> str:
        workload = self.known.workload
        if workload is None:
            return ""
        together, alone = workload.together(name, parent), workload.alone(name, parent)
        if alone >= together and alone:
            return (
                f"it is read without {parent!r} {in_words(alone)} times a day, with it {in_words(together)}"
            )
        written = workload.written(name)
        if written > 10 * (together + alone):
            return f"it is written {in_words(written)} times a day and read {in_words(together + alone)}"
        return ""

    def _asked(self, name: str, parent: str) -> list[str]:
        workload = self.known.workload
        if workload is None:
            return []
        together, alone = workload.together(name, parent), workload.alone(name, parent)
        written = workload.written(name)
        if not together and not alone and not written:
            return ["no query of the workload asks for it"]
        apart = f"alone {in_words(alone)}, written {in_words(written)}"
        return [f"read with it {in_words(together)} times a day, {apart}"]

    def _why_referred(self, name: str, strangers: list[str]) -> tuple[str, ...]:
        referring = f"{', '.join(map(repr, strangers[:3]))}{' …' if len(strangers) > 3 else ''}"  # noqa: PLR2004
        verb = "refers" if len(strangers) == 1 else "refer"
        rows = self.known.rows(name)
        columns = self.tables[name].columns
        small = len(columns) <= _LOOKUP_COLUMNS and (rows is None or rows <= LOOKUP_ROWS)
        if small and not self.keys[name] and len(strangers) == len(self.referring[name]):
            counted = f" of {rows:,} rows" if rows is not None else ""
            return (f"a lookup{counted}: {referring} {verb} to it, and a name changes in one place",)
        return (f"{referring} {verb} to it",)

    def _whole_of(self, name: str) -> str:
        key = self.placed[name].key
        return key.target if key is not None else name

    def _names_whole(self, key: ForeignKey) -> bool:
        """Return whether a foreign key names rows by what they are known by."""
        own = own_key(self.tables[key.target])
        return bool(own) and set(key.keys) == set(own)

    def _is_named_after(self, name: str, parent: str) -> bool:
        return words_of_parent(name, parent) > 0

    def _is_dated(self, table: Table) -> bool:
        return any(column.kind == "date" and not column.nullable for column in table.columns.values())

    def _is_weak(self, table: Table, owner: ForeignKey) -> bool:
        """Return whether rows have no life of their own, whatever moments they have."""
        return set(owner.columns) <= set(table.primary_key) or bool(set(words(table.name)[-1:]) & _PARTS)
