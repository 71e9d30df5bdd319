"""Draws by measured laws: what a twin's `seed_db.py` is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bson import ObjectId
from bson.binary import UUID_SUBTYPE, Binary

from mimiod.errors import DeclarationError, ProjectError
from mimiod.seeding import randomness
from mimiod.seeding.frames import Draw
from mimiod.seeding.nested import Arrays, Parted
from mimiod.seeding.randomness import Key
from mimiod.seeding.relations import Array, Get
from mimiod.seeding.values import (
    Column,
    Constant,
    Decimals,
    Integers,
    Moments,
    Numbers,
    Objects,
    Picked,
    Pool,
    Texts,
)
from mimiod.twinning import texts
from mimiod.twinning.named import Named, counted
from mimiod.twinning.quantiles import DAY, LARGEST, Quantiles, with_week

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mimiod.seeding.frames import Place
    from mimiod.seeding.values import Mask
    from mimiod.twinning.quantiles import Floats

FILE = "twin.json"
FORMAT = 1
"Of that file; raised when a key changes its meaning."

_LEAST = 1e-9
_LATEST = 250_000_000_000_000
_ITEMS = 1 << 40
_PLACES = 8


class Twin:
    """The laws that `mimiod twin` has measured, read from the `twin.json` beside a project's file."""

    def __init__(self, beside: str) -> None:
        file = Path(beside).with_name(FILE)
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            self.collections: Mapping[str, Mapping[str, Any]] = told["collections"]
            known = told["format"] == FORMAT
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ProjectError(f"{file} cannot be read: make the twin again by `mimiod twin`") from exc
        if not known:
            raise ProjectError(f"{file} is of format {told['format']}, not {FORMAT}: make the twin again")

    def fields(self, collection: str) -> dict[str, Any]:
        """Return the draws of the fields of a collection's documents."""
        if collection not in self.collections:
            raise ProjectError(f"{FILE} says nothing of {collection!r}: make the twin again by `mimiod twin`")
        return _fields(self.collections[collection]["fields"], {}, ())


def _fields(nodes: Mapping[str, Any], around: dict[str, Draw], path: tuple[str, ...]) -> dict[str, Any]:
    return {name: _draw(node, around, (*path, name)) for name, node in nodes.items()}


def _draw(node: Mapping[str, Any], around: dict[str, Draw], path: tuple[str, ...]) -> Any:
    """Return the draw of a field; `around` has those of the object's other fields, by path."""
    parts = [_part(law, around, path) for law in node["kinds"]]
    if len(parts) == 1 and "there" not in node and "value" not in node:
        if isinstance(parts[0], Measured | Following):
            around[".".join(path)] = parts[0]
        return parts[0]
    return Occurring(node, parts, around)


def _part(law: Mapping[str, Any], around: dict[str, Draw], path: tuple[str, ...]) -> Any:  # noqa: PLR0911 - a kind each
    match law["kind"]:
        case "object":
            return _object(law["fields"], around, path)
        case "array":
            sizes = {"kind": "number", "type": "int", "digits": 0, "quantiles": law["size"]}
            size = Measured({**law, **sizes})
            return Array(_draw(law["item"], {}, ()), size) if "item" in law else []
        case "free":
            return _free(law)
        case "tuple":
            return Positions([_draw(each, around, (*path, str(at))) for at, each in enumerate(law["items"])])
        case "reference":
            return Named(law)
        case "copy":
            return Get(law["path"])
        case "product" | "sum" | "after":
            return Following(law, around)
    return Measured(law)


def _object(nodes: Mapping[str, Any], around: dict[str, Draw], path: tuple[str, ...]) -> Any:
    """Return the draw of embedded documents: a mapping, unless a `_` would keep a field from being stored."""
    fields = _fields(nodes, around, path)
    return Whole(fields) if any(name.startswith("_") for name in fields) else fields


def _free(law: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields `key_1`, `key_2` …, of which as many are there as there were free keys."""
    sizes = Quantiles.read(law["size"])
    inner = _draw(law["item"], {}, ())
    there = {"factor": law["factor"], **({"weights": law["weights"]} if "weights" in law else {})}
    return {
        f"key_{number}": Occurring({"there": {**there, "rate": sizes.share_above(number - 0.5)}}, [inner], {})
        for number in range(1, max(1, round(sizes.high)) + 1)
    }


def _key(at: Place, name: str, salt: str = "") -> Key:
    """Return the key of random numbers that all who ask for this name in the same documents share."""
    scope = at.frame.scope
    branch = (scope.branch,) if scope.branch else ()
    return Key.of(at.plan.seed, scope.collection, scope.prefix, "twin", name, salt, *branch)


def _even(at: Place, told: Mapping[str, Any]) -> Floats:
    """Return a number above 0 and below 1 for each row, which goes together with others as was measured."""
    rows = at.frame.rows
    weights: Sequence[tuple[str, float]] = told.get("weights", ())
    if not weights:
        return randomness.uniform(_key(at, told["factor"]), rows)
    normal = np.zeros(len(rows))
    for name, weight in weights:
        kept = f"~{name}"
        if kept not in at.frame.related:
            at.frame.related[kept] = randomness.normal_quantile(randomness.uniform(_key(at, name), rows))
        normal += weight * at.frame.related[kept]
    return np.clip(randomness.normal_probability(normal), _LEAST, 1 - _LEAST)


@dataclass(frozen=True, eq=False)
class Measured(Draw):
    """Values by a measured law: numbers, moments, categories, texts or identifiers."""

    law: Mapping[str, Any]

    @property
    def most(self) -> float | None:
        """The greatest number that is drawn."""
        return self._quantiles.high if self.law["kind"] == "number" else None

    @cached_property
    def _quantiles(self) -> Quantiles:
        found = Quantiles.read(self.law["quantiles"])
        return with_week(found, self.law["week"], self.law["unit"]) if "week" in self.law else found

    @cached_property
    def _lengths(self) -> Quantiles:
        return Quantiles.read(self.law["length"])

    @cached_property
    def _pool(self) -> tuple[Floats, Pool]:
        edges = np.cumsum([share for _, share in self.law["values"]])
        return edges[:-1] / edges[-1], Pool([value for value, _ in self.law["values"]])

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        u = _even(at, self.law)
        match self.law["kind"]:
            case "category":
                edges, pool = self._pool
                return Picked(np.searchsorted(edges, u, "right"), pool)
            case "number":
                return _numbers(self._quantiles.at(u), self.law["type"], self.law["digits"])
            case "moment":
                return self._moments(u)
        rows = at.frame.rows
        distinct = self.law["distinct"]
        if distinct is not None:
            which = np.minimum((u * distinct).astype(np.int64), distinct - 1)
            rows, u = which.astype(np.uint64), (which + 0.5) / distinct
        match self.law["kind"]:
            case "identifier":
                return self._identifiers(at, rows)
            case "id":
                return self._ids(at, rows, u)
        lengths = np.maximum(np.rint(self._lengths.at(u)), 0).astype(np.int64)
        size = None
        if self.law["unique"]:
            size = 0 if at.frame.scope.prefix else _size(at)
        return Texts(texts.made(self.law, lengths, rows, lambda salt: self._key(at, salt), size))

    def _key(self, at: Place, salt: str) -> Key:
        return _key(at, self.law["factor"], salt)

    def _moments(self, u: Floats) -> Column:
        unit = self.law["unit"]
        moments = np.floor(self._quantiles.at(u) / unit).astype(np.int64) * unit
        found = Moments(np.clip(moments, -_LATEST // 4, _LATEST))
        if (form := self.law.get("format")) is None:
            return found
        if unit % DAY:
            return Texts([each.strftime(form) for each in found.python()])
        days, codes = np.unique(found.values, return_inverse=True)
        return Picked(codes, Pool([each.strftime(form) for each in Moments(days).python()]))

    def _identifiers(self, at: Place, rows: NDArray[np.uint64]) -> Column:
        key, start = self._key(at, "number"), int(self.law["start"])
        if self.law["distinct"] is not None:
            numbers = rows
        elif at.frame.scope.prefix:
            numbers = randomness.bits(key, rows) % np.uint64(_ITEMS)
        else:
            numbers = randomness.permutation(key, rows, _size(at))
        values = numbers.astype(np.int64) + start
        if self.law["type"] == "date":
            return Moments(start + numbers.astype(np.int64) * 1000)
        return (
            _numbers(values.astype(np.float64), "double", None)
            if self.law["type"] == "double"
            else Integers(values)
        )

    def _ids(self, at: Place, rows: NDArray[np.uint64], u: Floats) -> Column:
        first = randomness.bits(self._key(at, "first"), rows).astype(">u8").tobytes()
        second = randomness.bits(self._key(at, "second"), rows).astype(">u8").tobytes()
        raws = [first[end - 8 : end] + second[end - 8 : end] for end in range(8, len(first) + 8, 8)]
        if self.law["type"] == "objectId":
            seconds = int(at.plan.reference_time.timestamp()).to_bytes(4, "big")
            return Objects([ObjectId(seconds + raw[:8]) for raw in raws])
        if self.law["type"] == "uuid":
            return Objects([Binary(_version_4(raw), UUID_SUBTYPE) for raw in raws])
        lengths = np.maximum(np.rint(self._lengths.at(u)), 0).astype(np.int64).tolist()
        return Objects([(raw * (size // 16 + 1))[:size] for raw, size in zip(raws, lengths, strict=True)])


def _numbers(values: Floats, kind: str, digits: int | None) -> Column:
    values = np.clip(values, -LARGEST, LARGEST) if kind != "double" else values
    if kind == "int":
        return Integers(np.rint(values).astype(np.int64))
    if kind == "decimal":
        places = 2 if digits is None else min(digits, _PLACES)
        return Decimals(np.rint(np.clip(values * 10.0**places, -LARGEST, LARGEST)).astype(np.int64), places)
    if digits is not None and digits < _PLACES:
        size = 10.0**digits
        values = np.rint(values * size) / size
    return Numbers(values)


def _version_4(raw: bytes) -> bytes:
    return raw[:6] + bytes([raw[6] & 0x0F | 0x40, raw[7], raw[8] & 0x3F | 0x80]) + raw[9:]


def _size(at: Place) -> int:
    """Return how many rows a collection has."""
    size = at.plan.rows_of(at.frame.scope.collection)
    if len(at) and int(at.frame.rows.max()) >= size:
        raise DeclarationError(f"{at.where}: a twin's rows are numbered from 0: they have no `per`")
    return size


@dataclass(frozen=True, eq=False)
class Following(Draw):
    """What follows from other fields of the object: a product, a sum, or a moment some time after another."""

    law: Mapping[str, Any]
    around: Mapping[str, Draw] = field(repr=False)

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        others = [self.around[name].column(at).numbers() for name in self.law["of"]]
        if self.law["kind"] == "after":
            delay = np.maximum(Quantiles.read(self.law["delay"]).at(_even(at, self.law)), 0)
            unit = self.law["unit"]
            moments = np.minimum((others[0] + delay.astype(np.int64)) // unit * unit, _LATEST)
            return Moments(np.maximum(moments, others[0]))
        made = others[0] * others[1] if self.law["kind"] == "product" else others[0] + others[1]
        return _numbers(made.astype(np.float64), self.law["type"], self.law["digits"])


@dataclass(frozen=True, eq=False)
class Whole(Draw):
    """Embedded documents, all fields of which are stored."""

    fields: Mapping[str, Any]

    def column(self, at: Place) -> Column:
        """Return a document for each row."""
        return at.draw(self.fields, "whole")


@dataclass(frozen=True, eq=False)
class Positions(Draw):
    """Arrays of a few numbers, a draw for each position."""

    items: Sequence[Draw]

    def column(self, at: Place) -> Column:
        """Return an array for each row."""
        columns = [each.column(at).numbers().astype(np.float64) for each in self.items]
        joined = Numbers(np.stack(columns, axis=1).reshape(-1))
        return Arrays(joined, np.full(len(at), len(self.items)))


@dataclass(frozen=True, eq=False)
class Occurring(Draw):
    """A field that is not always there, is null at times, or is of several kinds."""

    node: Mapping[str, Any]
    parts: Sequence[Any]
    around: Mapping[str, Draw] = field(repr=False)

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        codes = np.ones(len(at), np.intp)
        if len(self.parts) > 1:
            shares = np.cumsum([law["share"] for law in self.node["kinds"]])
            u = randomness.uniform(_key(at, self.node["kinds"][0].get("factor", ""), "kind"), at.frame.rows)
            codes += np.searchsorted(shares[:-1] / shares[-1], u, "right")
        if not self.parts:
            codes[:] = 0
        if "value" in self.node:
            codes[~self._tossed(at, self.node["value"])] = 0
        if "there" in self.node:
            codes[~self._tossed(at, self.node["there"])] = -1
        columns: list[Column] = [Constant(None, 1)]
        places = np.zeros(len(at), np.intp)
        for code, part in enumerate(self.parts, 1):
            own = np.flatnonzero(codes == code)
            places[own] = np.arange(len(own))
            columns.append(at.part(own).draw(part, str(code)))
        return Parted(codes, places, columns)

    def _tossed(self, at: Place, coin: Mapping[str, Any]) -> Mask:
        if "counted" in coin:
            there: Mask = counted(at, coin)[0]
            return there
        rate: Any = coin["rate"]
        if "by" in coin:
            rates = dict(map(tuple, coin["by"]["rates"]))
            column = self.around[coin["by"]["field"]].column(at)
            assert isinstance(column, Picked)
            rate = np.array([rates.get(value, rate) for value in column.pool.values])[column.codes]
        found: Mask = _even(at, coin) < rate
        return found
