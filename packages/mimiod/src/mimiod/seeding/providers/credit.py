"""Alternative data on who may be lent money: what phones, wallets and bills tell of those without a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mimiod.seeding.choices import Chance, Choice, OneOf
from mimiod.seeding.functions import Share
from mimiod.seeding.numbers import Correlated, LogNormal, Normal, Poisson, Uniform
from mimiod.seeding.providers import social
from mimiod.seeding.relations import Array, Position
from mimiod.seeding.texts import Digits

if TYPE_CHECKING:
    from mimiod.seeding.frames import Draw

_PHONES: Final = [
    # weight, maker, models, operating system, versions
    (24, "Samsung", ["Galaxy A14", "Galaxy A54", "Galaxy A05", "Galaxy S23"], "Android", ["12", "13", "14"]),
    (19, "Xiaomi", ["Redmi 12", "Redmi Note 12", "Redmi A2", "Poco X5"], "Android", ["12", "13", "14"]),
    (17, "OPPO", ["A17", "A58", "Reno8"], "Android", ["12", "13"]),
    (14, "vivo", ["Y16", "Y27", "V27"], "Android", ["12", "13", "14"]),
    (9, "Infinix", ["Hot 30", "Note 30", "Smart 7"], "Android", ["12", "13"]),
    (12, "Apple", ["iPhone 11", "iPhone 12", "iPhone 13", "iPhone 14"], "iOS", ["16.7", "17.4", "17.6"]),
    (5, "Realme", ["C33", "C55", "Narzo 50"], "Android", ["11", "12", "13"]),
]


def device() -> Draw:
    """Return a draw of an embedded document on a phone, whose maker, model and system agree."""
    return OneOf(
        [
            (
                weight,
                {
                    "maker": maker,
                    "model": Choice(models),
                    "os": system,
                    "os_version": Choice(versions),
                    "age_months": LogNormal(17, 0.6, low=0, high=90, digits=0),
                    "rooted": Chance(0.02) if system == "Android" else False,
                    "fingerprint": Digits("################"),
                },
            )
            for weight, maker, models, system, versions in _PHONES
        ]
    )


def social_profile(path: str) -> dict[str, Any]:
    """Return an embedded document on somebody's social media; `path` is its own.

    >>> {"social": social_profile("social")}
    """
    return {
        "platform": social.platform(),
        "connections": LogNormal(230, 0.9, low=0, high=5_000, digits=0),
        "account_age_months": Normal(62, 30, low=0, high=200, digits=0),
        "posts_per_month": Correlated(LogNormal(4, 1.1, high=300, digits=0), f"{path}.connections", 0.4),
        "name_matches": Chance(0.86),
    }


def behaviour() -> dict[str, Any]:
    """Return an embedded document on how somebody fills in an application."""
    return {
        "form_seconds": LogNormal(260, 0.6, low=20, high=7_200, digits=0),
        "corrections": Poisson(2.4, high=40),
        "pasted_fields": Poisson(0.6, high=12),
        "terms_read_seconds": LogNormal(9, 1.2, low=0, high=1_800, digits=0),
        "night_use_share": Normal(0.16, 0.09, low=0, high=1, digits=3),
        "pattern": Choice({"steady": 58, "hesitant": 21, "rushed": 14, "erratic": 7}),
    }


def utility_payments(mean: float = 2) -> Draw:
    """Return a draw of an array with the bills that somebody pays, on average so many, at most 6.

    >>> {"utilities": utility_payments(2.5)}
    """
    bill = {
        "kind": Choice({"electricity": 40, "mobile": 30, "water": 16, "internet": 14}),
        "position": Position(),
        "months": Uniform(3, 36),
        "average_bill": LogNormal(18, 0.6, low=2, high=400, digits=2),
        "paid_on_time": Normal(0.88, 0.12, low=0, high=1, digits=3),
    }
    return Array(bill, Poisson(mean, high=6))


def ewallet(path: str) -> dict[str, Any]:
    """Return an embedded document on the turnover of a wallet; `path` is its own.

    >>> {"wallet": ewallet("wallet")}
    """
    return {
        "provider": Choice({"GoPay": 32, "OVO": 24, "DANA": 22, "ShopeePay": 15, "LinkAja": 7}),
        "monthly_inflow": LogNormal(180, 1.0, low=0, high=20_000, digits=2),
        "monthly_outflow": Share(f"{path}.monthly_inflow", Normal(0.93, 0.08, low=0.3, high=1.1), digits=2),
        "transactions_per_month": LogNormal(22, 0.8, low=0, high=600, digits=0),
        "average_balance": Share(f"{path}.monthly_inflow", LogNormal(0.12, 0.8, high=3), digits=2),
    }


def location_stability() -> dict[str, Any]:
    """Return an embedded document on how settled somebody lives."""
    return {
        "months_at_address": LogNormal(38, 1.0, low=0, high=600, digits=0),
        "moves_in_five_years": Poisson(0.9, high=12),
        "nights_at_home_share": Normal(0.84, 0.1, low=0, high=1, digits=3),
        "distinct_places_per_week": Poisson(6, high=40),
    }


def app_usage() -> dict[str, Any]:
    """Return an embedded document on the apps of a phone."""
    return {
        "installed": Normal(64, 22, low=8, high=220, digits=0),
        "finance": Poisson(3.1, high=20),
        "lending": Poisson(0.8, high=15),
        "gambling": Poisson(0.12, high=8),
        "screen_hours_per_day": LogNormal(4.3, 0.45, low=0.1, high=18, digits=1),
        "social_share": Normal(0.46, 0.14, low=0, high=1, digits=3),
    }


def sim_age_months() -> Draw:
    """Return a draw of how long somebody has had a phone number."""
    return LogNormal(34, 0.9, low=0, high=300, digits=0)
