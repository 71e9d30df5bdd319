"""What the sample data is drawn from: the tables of shares, the distributions and the calendar.

Days are those of Jakarta, instants are in UTC.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from random import Random
from typing import Any, Self

from faker import Faker

DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
JAKARTA = timezone(timedelta(hours=7))
HOURS = (1, 1, 0, 0, 1, 2, 4, 6, 8, 10, 11, 11, 12, 10, 9, 9, 9, 10, 11, 13, 13, 10, 6, 3)
"How busy each hour of a day in Jakarta is."

CITIES = {  # code in a national id: (weight, city, province, start of the postcode)
    "3174": (22, "Jakarta Selatan", "DKI Jakarta", "12"),
    "3578": (14, "Surabaya", "Jawa Timur", "60"),
    "3275": (12, "Bekasi", "Jawa Barat", "17"),
    "3273": (12, "Bandung", "Jawa Barat", "40"),
    "1271": (10, "Medan", "Sumatera Utara", "20"),
    "3671": (9, "Tangerang", "Banten", "15"),
    "3374": (7, "Semarang", "Jawa Tengah", "50"),
    "7371": (6, "Makassar", "Sulawesi Selatan", "90"),
    "1671": (5, "Palembang", "Sumatera Selatan", "30"),
    "5171": (3, "Denpasar", "Bali", "80"),
}
OWN_BUSINESS = ("laundry owner", "street-food seller", "kiosk owner", "tailor", "mechanic", "online seller")
EMPLOYED = ("driver", "shop assistant", "factory worker", "security guard", "nurse", "office clerk")
PURPOSES = {"stock": 34, "equipment": 22, "school fees": 14, "medical bills": 12, "repairs": 10, "phone": 8}
APPLICATION_CHANNELS = {"android_app": 78, "ios_app": 12, "agent": 7, "partner": 3}
PAYMENT_CHANNELS = {"virtual_account": 42, "e_wallet": 33, "convenience_store": 17, "direct_debit": 8}
PROVIDERS = {
    "virtual_account": ("BCA", "BRI", "BNI", "Mandiri"),
    "e_wallet": ("GoPay", "OVO", "DANA"),
    "convenience_store": ("Alfamart", "Indomaret"),
    "direct_debit": ("BRI", "Mandiri"),
}
ARRIVES_AFTER = {  # seconds from the payment to its event
    "virtual_account": (5, 120),
    "e_wallet": (1, 20),
    "convenience_store": (600, 21_600),
    "direct_debit": (3_600, 43_200),
}
PAYOUTS = ("bank account BCA", "bank account BRI", "bank account Mandiri", "e-wallet DANA", "e-wallet GoPay")
AMOUNTS = (1_600_000, 24_000_000, 100_000)
"Least, most and step of what is lent: 100 to 1,500 US dollars."
FREQUENCIES = {"weekly": 35, "biweekly": 30, "monthly": 35}
INSTALMENTS = {"weekly": (4, 8, 10, 12, 16, 20), "biweekly": (4, 6, 8, 10, 12), "monthly": (4, 6, 9, 12)}
PERIOD_DAYS = {"weekly": 7, "biweekly": 14, "monthly": 30}
CONTACT_CHANNELS = {"whatsapp": 45, "call": 38, "sms": 12, "visit": 5}
CONTACT_OUTCOMES = {"no_answer": 45, "reached": 22, "promise_to_pay": 20, "refused": 8, "wrong_number": 5}

OLD = date(2020, 1, 1)
ALTERNATIVE_DATA: dict[str, tuple[float, date, Callable[[Random, float], dict[str, Any]]]] = {
    # kind: (share of the customers, day since which it is collected, what is seen of an ability to repay)
    "device": (1.0, OLD, lambda rng, _: {
        "os": pick(rng, {"Android": 88, "iOS": 12}), "os_version": rng.randint(10, 17),
    }),
    "usage": (0.95, OLD, lambda rng, able: {
        "sessions_per_week": rng.randint(1, 30), "night_share": share(rng.gauss(0.25 - 0.05 * able, 0.1)),
    }),
    "e_wallet": (0.75, OLD, lambda rng, able: {
        "provider": rng.choice(PROVIDERS["e_wallet"]),
        "turnover_30d": round(rng.lognormvariate(14.2 + 0.3 * able, 0.6)),
    }),
    "location": (0.7, OLD, lambda rng, able: {
        "same_home_months": max(0, round(rng.gauss(30 + 9 * able, 15))),
    }),
    "social": (0.6, OLD, lambda rng, able: {"profiles": [
        {"network": network, "age_months": max(1, round(rng.gauss(60 + 12 * able, 25)))}
        for network in rng.sample(("facebook", "instagram", "tiktok", "linkedin"), rng.randint(1, 3))
    ]}),
    "utilities": (0.5, date(2024, 7, 1), lambda rng, able: {
        "bill": rng.choice(("electricity", "water")),
        "on_time_share": share(rng.gauss(0.8 + 0.08 * able, 0.1)),
    }),
    "marketplace": (0.4, date(2025, 1, 1), lambda rng, _: {
        "orders_90d": rng.randint(1, 300), "rating": rng.randint(35, 50) / 10,
    }),
    "telco": (0.55, date(2025, 6, 1), lambda rng, _: {
        "operator": rng.choice(("Telkomsel", "Indosat", "XL")), "top_ups_90d": rng.randint(0, 25),
    }),
}  # fmt: skip


@dataclass(frozen=True)
class Pools:
    """Names and addresses, made by Faker once."""

    women: list[str]
    men: list[str]
    families: list[str]
    streets: list[str]
    companies: list[str]
    underwriters: list[dict[str, str]]
    collectors: list[dict[str, str]]

    @classmethod
    def filled_by(cls, fake: Faker) -> Self:
        """Draw from a Faker all that any number of customers needs."""

        def staff(prefix: str, number: int) -> list[dict[str, str]]:
            names = [f"{fake.first_name()} {fake.last_name()}" for _ in range(number)]
            return [{"id": f"{prefix}-{each:02}", "name": name} for each, name in enumerate(names, 1)]

        return cls(
            women=[fake.first_name_female() for _ in range(300)],
            men=[fake.first_name_male() for _ in range(300)],
            families=[fake.last_name() for _ in range(200)],
            streets=[fake.street_address() for _ in range(500)],
            companies=[fake.company() for _ in range(200)],
            underwriters=staff("UW", 12),
            collectors=staff("CL", 10),
        )


def chance(rng: Random, probability: float) -> bool:
    """Return True so often."""
    return rng.random() < probability


def pick(rng: Random, weights: Mapping[str, int]) -> str:
    """Return a key, each as often as its weight says."""
    return rng.choices([*weights], [*weights.values()])[0]


def share(value: float) -> float:
    """Return a number as a share between 0 and 1."""
    return round(min(1.0, max(0.0, value)), 2)


def log_normal(rng: Random, median: float, sigma: float, low: int, high: int, step: int) -> int:
    """Return a draw between `low` and `high`, in steps."""
    return min(high, max(low, round(rng.lognormvariate(math.log(median), sigma) / step) * step))


def wait(rng: Random, least: float, mean_more: float) -> timedelta:
    """Return a time of so many days, exponential above the least."""
    return (least + rng.expovariate(1 / mean_more)) * DAY


def moment(rng: Random, day: date, hours: range = range(24)) -> datetime:
    """Return an instant of a day in Jakarta, in the busy hours more often."""
    hour = rng.choices(hours, HOURS[hours.start : hours.stop])[0]
    local = datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), JAKARTA)
    return local.astimezone(UTC)


def payday(rng: Random, day: date) -> date:
    """Return the day, or one of the next days on which wages are paid: the 25th to the 1st."""
    if day.day == 1 or day.day >= 25:  # noqa: PLR2004
        return day
    first = day.replace(day=25)
    return first + rng.randint(0, (_next_month(first) - first).days) * DAY


def _next_month(day: date) -> date:
    return (day.replace(day=28) + 4 * DAY).replace(day=1)


def day_of(at: datetime) -> date:
    """Return the day in Jakarta."""
    return at.astimezone(JAKARTA).date()


def due_day(first: date, frequency: str, number: int) -> date:
    """Return the due day of an instalment of a loan paid out on the day `first`."""
    if frequency != "monthly":
        return first + number * PERIOD_DAYS[frequency] * DAY
    year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
    return date(year, month + 1, min(first.day, 28))


def end_of(day: date) -> datetime:
    """Return the last second of a day in Jakarta."""
    return datetime.combine(day, time(23, 59, 59), JAKARTA).astimezone(UTC)


def night_after(due_at: datetime, days: timedelta) -> datetime:
    """Return when the night's run finds that what was due then is so many days late."""
    return datetime.combine(day_of(due_at) + days, time(1), JAKARTA).astimezone(UTC)
