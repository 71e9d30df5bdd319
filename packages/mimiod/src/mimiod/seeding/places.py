"""Draws of real cities, and of points around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.frames import Draw, Place
from mimiod.seeding.nested import Arrays, Documents, or_null
from mimiod.seeding.numbers import cumulated
from mimiod.seeding.values import Column, Constant, Numbers, Picked, Pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_PARTS: Final = ("city", "country", "timezone", "location")
_KM_PER_DEGREE: Final = 111.195


@dataclass(frozen=True, eq=False)
class City(Draw):
    """A real city: `{"city", "country", "timezone", "location"}`, the last a GeoJSON point.

    `countries` is a code of two letters, some of them, or a mapping of them to weights; None is the world.
    The cities of a country are equally likely. Where the document has other names for the parts, take them
    one by one: `city()`, `country()`, `timezone()`, `point()`; what one City gives in a document agrees.
    Two of the same countries in one collection need a `name` each, or they are the same city.

    >>> {"place": City("ID")}
    >>> home = City({"ID": 8, "MY": 1, "PH": 1}, name="home")
    >>> {"address": {"city": home.city(), "country": home.country(), "location": home.point(spread_km=5)}}
    """

    countries: str | Sequence[str] | Mapping[str, float] | None = None
    _: KW_ONLY
    name: str = ""

    def city(self) -> Draw:
        """Return a draw of its name."""
        return _PartOfCity(self, "city")

    def country(self) -> Draw:
        """Return a draw of its country's code."""
        return _PartOfCity(self, "country")

    def timezone(self) -> Draw:
        """Return a draw of its time zone, such as `Asia/Jakarta`."""
        return _PartOfCity(self, "timezone")

    def point(self, spread_km: float = 8) -> Draw:
        """Return a draw of a GeoJSON point around it."""
        return Point(self, spread_km)

    def column(self, at: Place) -> Column:
        """Return a document for each row."""
        return Documents({part: self.part(at, part) for part in _PARTS}, len(at))

    def part(self, at: Place, part: str) -> Column:
        """Return one part of the city of each row."""
        cities = at.plan.pool(("cities", self._key), lambda: _cities(at, self.countries))
        values = at.plan.pool(("cities", self._key, part), lambda: [city[part] for city in cities.values])
        edges = at.plan.pool(("cities", self._key, "weight"), lambda: _edges(cities)).numbers
        u = Place(at.frame, f"~city/{self.name or self._key}").uniform()
        return Picked(np.searchsorted(edges, u, "right"), values)

    @property
    def _key(self) -> str:
        return repr(self.countries)


def _cities(at: Place, countries: str | Sequence[str] | Mapping[str, float] | None) -> list[dict[str, Any]]:
    from faker.providers.geo import Provider  # noqa: PLC0415 - slow to import, and only the first process does

    wanted = [countries] if isinstance(countries, str) else countries
    table: list[dict[str, Any]] = [
        {
            "city": city,
            "country": country,
            "timezone": timezone,
            "location": {"type": "Point", "coordinates": [float(longitude), float(latitude)]},
        }
        for latitude, longitude, city, country, timezone in Provider.land_coords
        if wanted is None or country in wanted
    ]
    found = Counter(row["country"] for row in table)
    shares = wanted if isinstance(wanted, Mapping) else {code: float(count) for code, count in found.items()}
    if missing := sorted(set(wanted or ()) - set(found)):
        raise DeclarationError(
            f"{at.where}: no cities are known of {', '.join(missing)}: name countries as ID or US"
        )
    for row in table:
        row["weight"] = shares[row["country"]] / found[row["country"]]
    return table


def _edges(cities: Pool) -> list[float]:
    edges: list[float] = cumulated([city["weight"] for city in cities.values]).tolist()
    return edges


@dataclass(frozen=True, eq=False)
class _PartOfCity(Draw):
    """One part of a city."""

    of: City
    part: str

    def column(self, at: Place) -> Column:
        return self.of.part(at, self.part)


@dataclass(frozen=True, eq=False)
class Point(Draw):
    """A GeoJSON point around another, normally distributed with `spread_km` to the north and to the east.

    `of` is a pair of longitude and latitude, or the path of a GeoJSON point or of a City; through a
    reference too. Where that is null so is the point. Coordinates have six digits, about 10 cm.

    >>> {"place": City("ID"), "seen_at": Point("place", spread_km=3)}
    >>> {"location": Point((106.85, -6.21), spread_km=12)}
    """

    of: str | tuple[float, float] | City
    spread_km: float = 8

    def column(self, at: Place) -> Column:
        """Return a point for each row."""
        centres = self._centres(at)
        there = np.array([centre is not None for centre in centres], np.bool_)
        places = np.array([(0.0, 0.0) if c is None else c for c in centres], np.float64).reshape(len(at), 2)
        degrees = self.spread_km / _KM_PER_DEGREE
        north = degrees * randomness.normal_quantile(at.uniform("north"))
        east = degrees * randomness.normal_quantile(at.uniform("east"))
        latitude = np.clip(places[:, 1] + north, -90, 90)
        longitude = places[:, 0] + east / np.maximum(randomness.cosine(places[:, 1]), 0.01)
        longitude = np.where(np.abs(longitude) > 180, (longitude + 180) % 360 - 180, longitude)  # noqa: PLR2004
        return or_null(_geojson(np.stack([longitude, latitude], axis=1)), there)

    def _centres(self, at: Place) -> list[Any]:
        """Return longitude and latitude, or None, for each row."""
        if isinstance(self.of, tuple):
            return [self.of] * len(at)
        if isinstance(self.of, City):
            column: Column = self.of.part(at, "location")
        else:
            column = at.get(self.of)
        try:
            return [None if v is None else v.get("location", v)["coordinates"] for v in column.python()]
        except (AttributeError, KeyError, TypeError):
            raise DeclarationError(
                f"{at.where} is a point around {self.of!r}, which is neither a GeoJSON point nor a City"
            ) from None


def _geojson(coordinates: Floats) -> Column:
    rounded = Numbers(np.rint(coordinates.ravel() * 1e6) / 1e6)
    pairs = Arrays(rounded, np.full(len(coordinates), 2))
    return Documents({"type": Constant("Point", len(coordinates)), "coordinates": pairs}, len(coordinates))
