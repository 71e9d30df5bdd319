"""Measurements over time."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.errors import DeclarationError
from mimiod.seeding import randomness
from mimiod.seeding.choices import Chance, Choice, When
from mimiod.seeding.frames import Draw
from mimiod.seeding.nested import or_null
from mimiod.seeding.numbers import LogNormal, Normal
from mimiod.seeding.times import DAY, HOUR, milliseconds, now_of
from mimiod.seeding.values import Column, Moments, Numbers

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from mimiod.seeding.frames import Place

_YEAR_DAYS = 365.25
_UNITS = {
    "temperature": "°C", "humidity": "%", "pressure": "hPa", "power": "kW", "voltage": "V",
    "vibration": "mm/s", "co2": "ppm", "flow": "l/min",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Reading(Draw):
    at: str
    mean: Any
    _: KW_ONLY
    daily: float
    yearly: float
    warmest: float
    drift: float
    noise: float
    anomalies: float
    digits: int

    def column(self, at: Place) -> Column:
        try:
            moments, there = at.get(self.at).known()
        except TypeError:
            raise DeclarationError(f"{at.where} is a reading at {self.at!r}, which is no moment") from None
        days = moments / DAY
        values = at.draw(self.mean, "mean").numbers() + self.daily * _wave(days - self.warmest / 24)
        values = values + self.yearly * _wave(days / _YEAR_DAYS - 0.55)
        values = values + self.drift * (days - now_of(at) / DAY)
        spread = np.where(
            at.uniform("anomaly") < self.anomalies, 8 * self.noise + abs(self.daily), self.noise
        )
        values = values + spread * randomness.normal_quantile(at.uniform("noise"))
        return or_null(Numbers(np.rint(values * 10.0**self.digits) / 10.0**self.digits), there)


def _wave(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 at whole turns, -1 halfway between them."""
    return randomness.cosine((turns - np.rint(turns)) * 360)


def sensor_reading(
    at: str,
    mean: Any = 20.0,
    *,
    daily: float = 4.0,
    yearly: float = 0.0,
    warmest: float = 15.0,
    drift: float = 0.0,
    noise: float = 0.5,
    anomalies: float = 0.001,
    digits: int = 2,
) -> Draw:
    """Return a draw of what a sensor shows at a moment, which is given by its path.

    `mean` is a number or a draw, or `Get` of the sensor's own; `daily` and `yearly` how far the season takes
    it up and down, highest at the hour `warmest` in UTC and in July; `drift` is the change per day, 0 at the
    reference time; `noise` the standard deviation; `anomalies` the share of readings far out.

    >>> {"at": ticks("2025-06-01", minutes=10), "celsius": sensor_reading("at", Get("sensor.mean"), daily=6)}
    """
    return _Reading(
        at,
        mean,
        daily=daily,
        yearly=yearly,
        warmest=warmest,
        drift=drift,
        noise=noise,
        anomalies=anomalies,
        digits=digits,
    )


@dataclass(frozen=True, eq=False)
class _Ticks(Draw):
    start: int
    step: int
    jitter: float

    def column(self, at: Place) -> Column:
        below = at.frame.owner is not None or at.plan.declared(at.frame.scope.collection).per is not None
        position = at.frame.ordinal() if below else at.frame.rows.astype(np.int64)
        late = (at.uniform() * self.jitter * 1000).astype(np.int64)
        return Moments(self.start + position * self.step + late)


def ticks(start: datetime | str, *, minutes: float = 60, jitter_seconds: float = 0) -> Draw:
    """Return a draw of moments at equal distances: a child's, or item's, position counts, else the row.

    `jitter_seconds` is how late each may be.

    >>> Rows(288, {"at": ticks("2025-06-01", minutes=5, jitter_seconds=2)}, per="sensors")
    """
    return _Ticks(milliseconds(start), round(minutes * HOUR / 60), jitter_seconds)


def metric_name() -> Draw:
    """Return a draw of what a sensor measures."""
    return Choice(
        {
            "temperature": 34, "humidity": 18, "power": 14, "pressure": 9, "voltage": 8, "vibration": 7,
            "co2": 6, "flow": 4,
        }
    )  # fmt: skip


def unit(metric: str) -> Draw:
    """Return the unit of a metric, which is given by its path.

    >>> {"metric": metric_name(), "unit": unit("metric")}
    """
    return When(metric, dict(_UNITS))


def status() -> Draw:
    """Return a draw of a device's status."""
    return Choice({"ok": 962, "warning": 25, "offline": 9, "error": 4})


def quality() -> Draw:
    """Return a draw of a reading's quality, as industrial protocols name it."""
    return Choice({"good": 985, "uncertain": 11, "bad": 4})


def cpu_percent() -> Draw:
    """Return a draw of a processor's load in percent."""
    return LogNormal(18, 0.8, low=0.1, high=100, digits=1)


def latency_ms() -> Draw:
    """Return a draw of how long a request takes, with the long tail that requests have."""
    return LogNormal(42, 0.9, low=1, high=60_000, digits=1)


def battery_percent() -> Draw:
    """Return a draw of a battery's charge in percent."""
    return Normal(68, 22, low=0, high=100, digits=0)


def is_anomaly(rate: float = 0.002) -> Draw:
    """Return a draw of whether a reading was marked as an anomaly.

    >>> {"anomaly": is_anomaly(0.01)}
    """
    return Chance(rate)
