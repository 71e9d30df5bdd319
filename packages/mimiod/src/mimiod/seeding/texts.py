"""Draws of text: Faker's values by way of pools, templates, and codes of digits."""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.distributions import Given, Law
from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.frames import Draw
from mimiod.seeding.nested import Parted
from mimiod.seeding.numbers import cumulated
from mimiod.seeding.streams import digits
from mimiod.seeding.values import Column, Composed, Integers, Moments, Picked, Pool, Texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mimiod.seeding.frames import Place

POOL = 1000
"How many different values a Faker provider is asked for."


@dataclass(frozen=True)
class Fake(Draw):
    """What a Faker provider gives: `Fake("name")`, `Fake("company", locale="id_ID")`.

    A pool of `pool` values is made once, and rows draw from it. A mapping of locales to weights mixes them,
    and all such fields of one document are of the same locale. `options` are the provider's arguments.
    """

    provider: str
    locale: str | Mapping[str, float] = "en_US"
    pool: int = POOL
    options: Mapping[str, Any] | None = None

    def column(self, at: Place) -> Column:
        """Return a value for each row."""
        if isinstance(self.locale, str):
            pool = self._pool(at, self.locale)
            return Picked(at.below(len(pool)), pool)
        locales = list(self.locale)
        shared = randomness.Key.of(at.plan.seed, at.frame.scope.collection, "locale", *locales)
        edges = cumulated(list(self.locale.values()))
        codes = np.searchsorted(edges, randomness.uniform(shared, at.frame.rows), "right")
        parts = []
        for code, locale in enumerate(locales):
            part = at.part(np.flatnonzero(codes == code))
            pool = self._pool(at, locale)
            parts.append(Picked(part.below(len(pool)), pool))
        return Parted.of(codes, parts)

    def _pool(self, at: Place, locale: str) -> Pool:
        key = ("faker", self.provider, locale, self.pool, repr(sorted((self.options or {}).items())))
        return at.plan.pool(key, lambda: self._values(at, locale, key))

    def _values(self, at: Place, locale: str, key: tuple[object, ...]) -> Sequence[Any]:
        from faker import Faker  # noqa: PLC0415 - slow to import, and only the first process needs it

        try:
            faker = Faker(locale)
        except AttributeError:
            raise DeclarationError(f"{at.where}: Faker has no locale {locale!r}") from None
        faker.seed_instance("/".join(map(str, (at.plan.seed, *key))))
        provider: Callable[..., Any] | None = getattr(faker, self.provider, None)
        if provider is None:
            near = " or ".join(get_close_matches(self.provider, dir(faker), 2)) or "one of its documentation"
            raise DeclarationError(f"{at.where}: Faker has no provider {self.provider!r} ({locale}): {near}?")
        try:
            return [provider(**self.options or {}) for _ in range(self.pool)]
        except (AttributeError, TypeError, ValueError) as exc:
            raise DeclarationError(f"{at.where}: Fake({self.provider!r}): {exc}") from None


@dataclass(frozen=True, eq=False)
class Text(Draw):
    """Text from a template, filled with fields of the document or with draws given by name.

    After a colon stands a format of Python, or `slug`, `lower`, `upper`, `first` (the first word); dates
    take strftime's. `{row}` is the row's number.

    >>> Text("{first} {last}", first=Fake("first_name"), last=Fake("last_name"))
    >>> Text("{name:slug}.{row}@example.com")
    >>> Text("INV-{issued_at:%y%m}-{row:07d}")
    """

    template: str
    parts: Mapping[str, Any]

    def __init__(self, template: str, **parts: Any) -> None:
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "parts", parts)

    def distribution(self, now: int) -> Law:
        """Return that there is always one."""
        del now
        return Given()

    @cached_property
    def _pieces(self) -> list[tuple[str, str | None, str]]:
        try:
            parsed = list(string.Formatter().parse(self.template))
        except ValueError as exc:
            raise DeclarationError(f"Text({self.template!r}): {exc}") from None
        return [(literal, name, spec or "") for literal, name, spec, _ in parsed]

    def column(self, at: Place) -> Column:
        """Return a text for each row."""
        parts: list[Any] = []
        for literal, name, spec in self._pieces:
            if literal:
                parts.append(literal.encode())
            if name is None:
                continue
            column = at.draw(self.parts[name], name) if name in self.parts else at.get(name)
            try:
                parts.append(_formatted(column, spec))
            except (ValueError, TypeError) as exc:
                raise DeclarationError(f"{at.where}: Text({self.template!r}): {exc}") from None
        return Composed(parts, len(at))


def _formatted(column: Column, spec: str) -> Any:
    """Return a column as a part of a text."""
    if spec in _CHANGES:
        return _changed(column, _CHANGES[spec])
    if not spec:
        return column
    if isinstance(column, Integers) and (wide := _ZERO_PADDED.fullmatch(spec)):
        places = int(wide[1])
        if len(column) and column.values.min() >= 0 and column.values.max() < 10 ** min(places, 18):
            return digits(column.values, places)
    if isinstance(column, Moments) and not _FINER_THAN_DAYS.search(spec):
        days, codes = np.unique(column.values // 86_400_000, return_inverse=True)
        return Picked(codes, Pool([format(day, spec) for day in Moments(days * 86_400_000).python()]))
    return Texts([format(value, spec) for value in column.python()])


_ZERO_PADDED = re.compile(r"0(\d\d?)d?")
_FINER_THAN_DAYS = re.compile(r"%[^%YymdjBbAaUWuVG]")


def slug(text: str) -> str:
    """Return a text in the letters of addresses: `Édith Piaf` becomes `edith.piaf`."""
    return _dotted(text).strip(".") or "x"


def _dotted(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", ".", plain)


_CHANGES: dict[str, Callable[[str], str]] = {
    "slug": slug,
    "lower": str.lower,
    "upper": str.upper,
    "first": lambda text: text.split(" ", 1)[0],
}


def _changed(column: Column, change: Callable[[str], str]) -> Column:
    """Return texts changed; for a slug, the parts of a text that is made of pools each by itself."""
    if isinstance(column, Picked):
        return Picked(column.codes, column.pool.changed(change))
    if change is slug and isinstance(column, Composed):
        parts = [part for part in column.parts if isinstance(part, bytes | Picked)]
        if len(parts) == len(column.parts):
            slugs = [
                _changed(part, slug) if isinstance(part, Picked) else _dotted(part.decode()).encode()
                for part in parts
            ]
            return Composed(slugs, len(column))
    known: dict[Any, str] = {}
    values = column.python()
    for value in values:
        if value not in known:
            known[value] = change(str(value))
    return Texts([known[value] for value in values])


@dataclass(frozen=True)
class Digits(Draw):
    """Text with digits in the place of every `#`; with `unique`, never the same twice.

    >>> Digits("+62 8## #### ####", unique=True)
    """

    pattern: str
    unique: bool = False

    def distribution(self, now: int) -> Law:
        """Return that there is always one."""
        del now
        return Given()

    def column(self, at: Place) -> Column:
        """Return a text for each row."""
        places = self.pattern.count("#")
        if not 0 < places <= 18:  # noqa: PLR2004 - what 64 bits hold
            raise DeclarationError(f"{at.where}: Digits({self.pattern!r}) needs 1 to 18 places marked #")
        size = 10**places
        if self.unique:
            rows = at.frame.rows
            if len(rows) and int(rows.max()) >= size:
                raise DeclarationError(
                    f"{at.where}: Digits({self.pattern!r}) has {size:,} texts, and row numbers go beyond"
                )
            numbers = randomness.permutation(at.key(), rows, size)
        else:
            numbers = randomness.bits(at.key(), at.frame.rows) % np.uint64(size)
        matrix, parts, used = digits(numbers, places), [], 0
        for literal, marks in re.findall("([^#]*)(#*)", self.pattern):
            parts += [literal.encode(), matrix[:, used : used + len(marks)]]
            used += len(marks)
        return Composed(parts, len(at))
