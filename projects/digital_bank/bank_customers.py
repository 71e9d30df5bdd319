"""The customers of the digital bank, with the alternative data that differs from one to the next."""

from datetime import UTC, datetime, timedelta

import numpy as np
from mimiod.seeding import (
    MISSING,
    After,
    Array,
    Chance,
    Choice,
    Combination,
    Digits,
    Exponential,
    Fake,
    Function,
    Get,
    LogNormal,
    Maybe,
    Moment,
    Newest,
    Normal,
    OneOf,
    Rows,
    Text,
    Uniform,
    Vectorised,
    When,
)

CUSTOMERS = 4_000
"A thousandth of the 4 million; 30 applications a day and 575 loans a year come with them."
OPEN_FOR = 730
"Days since the bank opened."
LOCALE = "id_ID"
JAKARTA = 7
"Hours east of UTC."
HOURS = [1, 1, 0, 0, 1, 2, 4, 6, 8, 10, 11, 11, 12, 10, 9, 9, 9, 10, 11, 13, 13, 10, 6, 3]
"How busy each hour of a day in Jakarta is."

GRADES = {"A": 9, "B": 18, "C": 34, "D": 39}
"How reliable customers are: what decisions, scores and lateness have in common."
CITIES = {  # weight, region in a national id, province, start of the postcode
    "Jakarta Selatan": (22, "3174", "DKI Jakarta", "12"),
    "Surabaya": (14, "3578", "Jawa Timur", "60"),
    "Bekasi": (12, "3275", "Jawa Barat", "17"),
    "Bandung": (12, "3273", "Jawa Barat", "40"),
    "Medan": (10, "1271", "Sumatera Utara", "20"),
    "Tangerang": (9, "3671", "Banten", "15"),
    "Semarang": (7, "3374", "Jawa Tengah", "50"),
    "Makassar": (6, "7371", "Sulawesi Selatan", "90"),
    "Palembang": (5, "1671", "Sumatera Selatan", "30"),
    "Denpasar": (3, "5171", "Bali", "80"),
}
OWN_BUSINESS = ["laundry owner", "street-food seller", "kiosk owner", "tailor", "mechanic", "online seller"]
EMPLOYED = ["driver", "shop assistant", "factory worker", "security guard", "nurse", "office clerk"]
BIRTHDAYS = [datetime(1966, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(40 * 365)]
VERSIONS_SINCE = np.array(["2024-10-01", "2025-03-01", "2025-08-01"], "datetime64[ms]").astype(np.int64)
"When versions 2, 3 and 4 of the app came out, each with one more kind of alternative data."
PAYMENT_CHANNELS = {"virtual_account": 42, "e_wallet": 33, "convenience_store": 17, "direct_debit": 8}
ANDROID_PHONES = ["Oppo A18", "Vivo Y17s", "Xiaomi Redmi 13C", "Samsung Galaxy A15", "Infinix Hot 40"]
E_WALLETS = ["GoPay", "OVO", "DANA"]
TURNOVER = {
    "A": LogNormal(2_200_000, 0.6, digits=-3),
    "B": LogNormal(1_700_000, 0.6, digits=-3),
    "C": LogNormal(1_400_000, 0.6, digits=-3),
}


LAST_VERSION = 4
ALTERNATIVE_DATA = {  # kind: the share of customers, since which version of the app, and what is seen
    "device": (
        1.0,
        1,
        OneOf(
            [
                (88, {"os": "Android", "os_version": Uniform(10, 16), "model": Choice(ANDROID_PHONES)}),
                (
                    12,
                    {"os": "iOS", "os_version": Uniform(15, 18), "model": Choice(["iPhone 11", "iPhone 13"])},
                ),
            ]
        ),
    ),
    "usage": (
        0.95,
        1,
        {"sessions_per_week": Uniform(1, 30), "night_share": Normal(0.25, 0.1, low=0, high=1, digits=2)},
    ),
    "e_wallet": (
        0.75,
        1,
        {
            "provider": Choice(E_WALLETS),
            "turnover_30d": When("_grade", TURNOVER, otherwise=LogNormal(1_000_000, 0.6, digits=-3)),
        },
    ),
    "location": (0.7, 1, {"same_home_months": Normal(30, 15, low=0, digits=0)}),
    "social": (
        0.6,
        1,
        {
            "profiles": Array(
                {
                    "network": Choice(["facebook", "instagram", "tiktok", "linkedin"]),
                    "age_months": Normal(60, 25, low=1, digits=0),
                },
                size=Uniform(1, 3),
            )
        },
    ),
    "utilities": (
        0.5,
        2,
        {
            "bill": Choice(["electricity", "water"]),
            "on_time_share": Normal(0.8, 0.1, low=0, high=1, digits=2),
        },
    ),
    "marketplace": (0.4, 3, {"orders_90d": Uniform(1, 300), "rating": Uniform(3.5, 5.0, digits=1)}),
    "telco": (
        0.55,
        4,
        {"operator": Choice(["Telkomsel", "Indosat", "XL"]), "top_ups_90d": Uniform(0, 25)},
    ),
}


def national_id(city: str, woman: int, born_on: datetime, district: int, serial: int) -> str:
    """Return region, district, date of birth (day + 40 for women) and serial."""
    return f"{CITIES[city][1]}{district:02}{born_on.day + 40 * woman:02}{born_on:%m%y}{serial:04}"


customers = Rows(
    CUSTOMERS,
    {
        "_grade": Choice(GRADES),
        "_woman": Chance(0.54),
        "_employed": Chance(0.4),
        "_citizen": Combination(
            {"born_on": BIRTHDAYS, "district": range(1, 100), "serial": range(1, 10_000)}
        ),
        "_has": {
            kind: When(
                "schema_version", {tuple(range(since, LAST_VERSION + 1)): Chance(share)}, otherwise=False
            )
            for kind, (share, since, _) in ALTERNATIVE_DATA.items()
        },
        "_pays_by": Choice(PAYMENT_CHANNELS),
        "_ready_at": After("identity.checked_at", by=Exponential(10), past=False),
        "_new_phone_at": Maybe(0.15, After("registered_at", by=Uniform(1.0, 500.0))),
        "schema_version": Vectorised(
            lambda at: 1 + np.searchsorted(VERSIONS_SINCE, at, "right"), "registered_at"
        ),
        "national_id": Function(
            national_id, "address.city", "_woman", "born_on", "_citizen.district", "_citizen.serial"
        ),
        "name": Text(
            "{first} {last}",
            first=When(
                "_woman", {True: Fake("first_name_female", LOCALE), False: Fake("first_name_male", LOCALE)}
            ),
            last=Fake("last_name", LOCALE),
        ),
        "phone": Text(
            "+628{prefix}{rest}",
            prefix=Choice([12, 13, 21, 52, 57, 77, 96]),
            rest=Digits("########", unique=True),
        ),
        "email": Maybe(0.7, Text("{name:slug}.{row}@example.com")),
        "born_on": Get("_citizen.born_on"),
        "address": {
            "street": Fake("street_address", LOCALE),
            "city": Choice({city: weight for city, (weight, *_) in CITIES.items()}),
            "province": Function(lambda city: CITIES[city][2], "address.city"),
            "postcode": Text(
                "{start}{rest}",
                start=Function(lambda city: CITIES[city][3], "address.city"),
                rest=Uniform(100, 999),
            ),
        },
        "identity": {
            "status": Choice({"verified": 92, "refused": 3, "pending": 5}),
            "selfie_similarity": When(
                "identity.status",
                {"verified": Uniform(0.9, 0.999, digits=3), "refused": Uniform(0.3, 0.7, digits=3)},
            ),
            "checked_at": When(
                "identity.status",
                {("verified", "refused"): After("registered_at", by=Uniform(2.0, 30.0), unit="minutes")},
            ),
        },
        "occupation": When("_employed", {True: Choice(EMPLOYED), False: Choice(OWN_BUSINESS)}),
        "employer": When("_employed", {True: Fake("company", LOCALE)}),
        "monthly_income": LogNormal(4_500_000, 0.45, low=1_000_000, high=40_000_000, digits=-4),
        "registered_at": Moment(days=OPEN_FOR, growth=3.0, hours=HOURS, offset=JAKARTA),
        "alternative_data": {
            kind: When(f"_has.{kind}", {True: drawn}, otherwise=MISSING)
            for kind, (_, _, drawn) in ALTERNATIVE_DATA.items()
        },
        "score": {
            "history": Newest("scores", 5, by="scored_at", fields=["value", "model_version", "scored_at"])
        },
    },
)
