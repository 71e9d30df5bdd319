"""Draws by a Python function: the way out where the vocabulary has no word."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import bson
import numpy as np
from bson.errors import BSONError

from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.choices import MISSING
from mimiod.seeding.frames import Draw
from mimiod.seeding.nested import Parted, or_null
from mimiod.seeding.numbers import rounded
from mimiod.seeding.values import Booleans, Column, Integers, Moments, Numbers, Objects, Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from mimiod.seeding.frames import Place


class Row:
    """A row as a function sees it: `row["address.city"]` is a field, made when it is asked for."""

    def __init__(self, at: Place, position: int, columns: dict[str, list[Any]]) -> None:
        self._at = at
        self._position = position
        self._columns = columns

    def __getitem__(self, path: str) -> Any:
        if path not in self._columns:
            self._columns[path] = self._at.get(path).python()
        return self._columns[path][self._position]

    @property
    def number(self) -> int:
        """The row's number."""
        return int(self._at.frame.rows[self._position])

    @property
    def random(self) -> random.Random:
        """A generator of this field and row: each time it is asked for it begins anew."""
        number = self._at.frame.rows[self._position : self._position + 1]
        return random.Random(int(randomness.bits(self._at.key("random"), number)[0]))  # noqa: S311


@dataclass(frozen=True, init=False, eq=False)
class Function(Draw):
    """What a Python function returns for each row.

    With paths it is called with those fields' values, in their order; without, with a row: `row["name"]`
    is any field, `row.number` the row's number, `row.random` a `random.Random` that depends on nothing but
    seed, field and row. It may return anything that BSON has, or MISSING for no field. It has to be a
    function of what it is given: nothing else random, no clock, no memory of other rows.

    >>> Function(lambda price, quantity: round(price * quantity, 2), "price", "quantity")
    >>> Function(lambda row: row.random.choice(row["tags"] or ["none"]))
    """

    function: Callable[..., Any]
    paths: tuple[str, ...]

    def __init__(self, function: Callable[..., Any], *paths: str) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "paths", paths)

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        known: dict[str, list[Any]] = {}
        arguments: Any
        if self.paths:
            arguments = zip(*(at.get(path).python() for path in self.paths), strict=True)
        else:
            arguments = ((Row(at, position, known),) for position in range(len(at)))
        values = []
        for position, given in enumerate(arguments):
            try:
                values.append(_checked(self.function(*given)))
            except DeclarationError:
                raise
            except Exception as exc:
                raise DeclarationError(
                    f"{at.where}, row {int(at.frame.rows[position])}: its function raised "
                    f"{type(exc).__name__}: {exc}"
                ) from exc
        return column_of(values)


@dataclass(frozen=True, init=False, eq=False)
class Vectorised(Draw):
    """What a function of whole columns returns: called with arrays, a value for each of some rows.

    Numbers come as NumPy arrays, moments as milliseconds since 1970 in int64, anything else as arrays of
    objects; none may be null. It returns as many values: numbers, booleans, `datetime64[ms]` for moments,
    or objects. A row's value has to depend on that row's values alone, and NumPy's logarithms, powers and
    sines differ in the last digit between machines: round after them.

    >>> Vectorised(lambda low, high: (low + high) / 2, "low", "high")
    """

    function: Callable[..., Any]
    paths: tuple[str, ...]

    def __init__(self, function: Callable[..., Any], *paths: str) -> None:
        if not paths:
            raise DeclarationError("Vectorised(f, …) needs the paths of the fields that it is a function of")
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "paths", paths)

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        arguments = [_array(at, path) for path in self.paths]
        if not len(at):
            return Objects([])
        try:
            values = np.asarray(self.function(*arguments))
        except Exception as exc:
            rows = f"rows {int(at.frame.rows[0])} to {int(at.frame.rows[-1])}"
            raise DeclarationError(
                f"{at.where}, {rows}: its function raised {type(exc).__name__}: {exc}"
            ) from exc
        if values.shape != (len(at),):
            raise DeclarationError(
                f"{at.where}: its function returned an array of the shape {values.shape} for {len(at)} rows"
            )
        match values.dtype.kind:
            case "b":
                return Booleans(values)
            case "i" | "u":
                return Integers(values.astype(np.int64))
            case "f":
                return Numbers(values.astype(np.float64))
            case "M":
                return Moments(values.astype("datetime64[ms]").astype(np.int64))
            case _:
                return column_of(values.tolist())


@dataclass(frozen=True, eq=False)
class Share(Draw):
    """A part of another number of the document, or through a reference: that number times `rate`.

    `rate` is a number or a draw; `digits` as of `Uniform`. Null where the other is.

    >>> {"price": LogNormal(50, 0.8, digits=2), "tax": Share("price", 0.19, digits=2)}
    """

    path: str
    rate: Any
    digits: int | None = 0

    def column(self, at: Place) -> Column:
        """Return a number for each row."""
        try:
            numbers, there = at.get(self.path).known()
        except TypeError:
            raise DeclarationError(f"{at.where} is a share of {self.path!r}, which is no number") from None
        rates = at.draw(self.rate, "rate").numbers()
        values = rounded(numbers.astype(np.float64) * rates, self.digits)
        return or_null(values, there)


def _array(at: Place, path: str) -> Any:
    column = at.get(path)
    there = column.present()
    if not there.all():
        row = int(at.frame.rows[int(np.argmin(there))])
        raise DeclarationError(
            f"{at.where} is a function of {path!r}, which is null in row {row}: "
            "use Function, which takes nulls"
        )
    try:
        return column.numbers()
    except TypeError:
        values = np.empty(len(column), object)
        values[:] = column.python()
        return values


def _checked(value: Any) -> Any:
    """Return a value that BSON has."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise TypeError(f"returned {value}, which is no number of 64 bits")
    if value is MISSING or isinstance(value, str | int | float | None):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    try:
        bson.encode({"": value})
    except BSONError as exc:
        raise TypeError(f"returned {value!r}, which is no value of BSON") from exc
    return value


def column_of(values: list[Any]) -> Column:
    """Return Python values as a column; MISSING is no field."""
    kinds = [type(value) for value in values]
    if all(kind is str for kind in kinds):
        return Texts(values)
    if not {int, float, type(MISSING)} & set(kinds):
        return Objects(values)
    # Numbers apart, for these are fitted to the schema's type, row by row.
    codes = np.array([-1 if value is MISSING else _PART.get(type(value), 2) for value in values])
    parts: list[list[Any]] = [[], [], []]
    for code, value in zip(codes.tolist(), values, strict=True):
        if code >= 0:
            parts[code].append(value)
    whole, broken, other = parts
    return Parted.of(
        codes, [Integers(np.array(whole, np.int64)), Numbers(np.array(broken, np.float64)), Objects(other)]
    )


_PART = {int: 0, float: 1}
