"""The sample data of `record_shop`: a fortieth of the shop of the design.

A name that begins with `_` is drawn for the sake of others and is no part of the document. References to
parents, copies and totals follow from the marks in `db_schema.py`.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
import shop_repertoire as repertoire
from mimiod import DatabaseSeeder
from mimiod.seeding import (
    Age,
    Array,
    Chance,
    Choice,
    Count,
    Day,
    Fake,
    Function,
    Get,
    LogNormal,
    Maybe,
    Moment,
    Newest,
    Normal,
    OneOf,
    Poisson,
    Position,
    Ref,
    Rows,
    Sum,
    Summary,
    Text,
    Uniform,
    Vectorised,
    When,
)
from mimiod.seeding.functions import Row
from shop_draws import Distinct, ItemOf, RowOf, RowsOf
from shop_people import COUNTRIES, STAFF, SUPPORT, above, by_country, cities, hired, title

YEARS = 3
DAYS = 365 * YEARS + 1
REPRICED_AT = datetime(2024, 7, 1, tzinfo=UTC)
"""Since then what is sought costs 1.29; before, everything new was 0.99."""
MOST_LINES = 20
EVENINGS = [3, 2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 7, 7, 8, 9, 11, 13, 14, 13, 10, 6]
WEEKEND = [9, 9, 9, 10, 12, 14, 14]
CHRISTMAS = [10, 9, 9, 9, 9, 9, 9, 9, 10, 11, 13, 17]

# Catalogue

BEST_KNOWN = 30
"""Artists with more albums than others; the earlier an artist's row, the more of its tracks are bought."""
BOUGHT = 0.7
"""The exponent of that."""

artists = Rows(
    300,
    {
        "_drawn_genre": repertoire.drawn_genre,
        "_genre": repertoire.genre,
        "_is_known": Vectorised(lambda row: row < BEST_KNOWN, "row"),
        "_member": repertoire.member(),
        "_second_member": repertoire.member(),
        "name": repertoire.artist_name,
    },
)

albums = Rows(
    When("_is_known", {True: Poisson(6, low=3, high=12)}, otherwise=Poisson(1.8, low=1, high=12)),
    {
        "_start": Uniform(0, 9_999),
        "_price": Choice({99: 72, 69: 14, 129: 14}),
        "title": repertoire.album_title,
    },
    per="artists",
)

THEMES = [
    ("Guitar Anthems", {"Rock", "Rock And Roll"}),
    ("Classic Rock Road Trip", {"Rock", "Rock And Roll", "Blues"}),
    ("Headbanger's Hour", {"Metal", "Heavy Metal"}),
    ("Metal for the Gym", {"Metal", "Heavy Metal"}),
    ("Three Chords", {"Alternative & Punk"}),
    ("Indie Afternoon", {"Alternative & Punk", "Pop"}),
    ("90s Alternative", {"Alternative & Punk", "Rock"}),
    ("Pop Hits", {"Pop", "R&B/Soul"}),
    ("Sing in the Shower", {"Pop", "Easy Listening"}),
    ("Brazilian Music", {"Latin", "Bossa Nova"}),
    ("Fiesta", {"Latin", "World"}),
    ("Rio at Sunset", {"Bossa Nova", "Latin", "Jazz"}),
    ("Late Night Jazz", {"Jazz"}),
    ("Dinner Jazz", {"Jazz", "Bossa Nova", "Easy Listening"}),
    ("Twelve Bars", {"Blues"}),
    ("Classical 101", {"Classical"}),
    ("Classical for Concentration", {"Classical"}),
    ("Soul Kitchen", {"R&B/Soul"}),
    ("Block Party", {"Hip Hop/Rap", "R&B/Soul"}),
    ("Island Time", {"Reggae"}),
    ("Dance Floor", {"Electronica/Dance", "Pop"}),
    ("Around the World", {"World", "Latin", "Reggae"}),
    ("At the Movies", {"Soundtrack", "Classical"}),
    ("Rainy Sunday", {"Jazz", "Blues", "Easy Listening", "Classical"}),
]
"""The playlists, and the genres that each takes tracks from."""

SHELVED = 0.12
"""The share of fitting tracks that a playlist takes."""


def playlists_of(row: Row) -> list[int]:
    """Return the numbers of the playlists that a track is in."""
    chance = row.random
    fitting = [number for number, (_, genres) in enumerate(THEMES) if row["genre"] in genres]
    return [number for number in fitting if chance.random() < SHELVED]


tracks = Rows(
    OneOf([(6, 1), (94, Poisson(11.5, low=4, high=repertoire.LONGEST))]),
    {
        "name": repertoire.track_name,
        "position": Position(),
        "genre": Maybe(0.99, Get("album_id.artist_id._genre")),
        "composer": repertoire.composer,
        "milliseconds": repertoire.LENGTHS,
        "_bytes_per_ms": Normal(32, 1.2, low=28, high=36),
        "bytes": Maybe(
            0.995, Vectorised(lambda ms, rate: np.rint(ms * rate), "milliseconds", "_bytes_per_ms")
        ),
        "_is_hit": Choice({True: 8, False: 92}),
        "unit_price": When("_is_hit", {True: 129}, otherwise=Get("album_id._price")),
        "playlist_ids": RowsOf("playlists", Function(playlists_of)),
    },
    per="albums",
)

playlists = Rows(
    len(THEMES),
    {"name": Function(lambda row: THEMES[row][0], "row")},
    fixed=True,
)

# Staff

employees = Rows(
    STAFF,
    {
        "first_name": Fake("first_name"),
        "last_name": Fake("last_name"),
        "title": Function(title, "row"),
        "reports_to": RowOf("employees", Function(lambda row: above(row)[-1] if row else -1, "row")),
        "managers": RowsOf("employees", Function(above, "row")),
        "born_on": Age(Normal(41, 10, low=26, high=66)),
        "_share": Uniform(0.0, 1.0),
        "hired_on": Vectorised(hired, "born_on", "_share"),
        "email": Text("{first_name:slug}.{last_name:slug}{row:02d}@recordshop.example"),
    },
    fixed=True,
)

# Customers and what they bought

support = RowOf("employees", Uniform(SUPPORT.start, SUPPORT.stop - 1))

customers = Rows(
    1_500,
    {
        "first_name": by_country("first_name"),
        "last_name": by_country("last_name"),
        "_is_business": Chance(0.12),
        "company": When("_is_business", {True: by_country("company")}),
        "_street": by_country("street_address"),
        "address": {
            "street": Function(lambda street: " ".join(street.split()), "_street"),
            "city": cities(),
            "country": Choice({code: weight for code, (weight, _, _) in COUNTRIES.items()}),
            "postal_code": by_country("postcode"),
        },
        "phone": Maybe(0.9, by_country("phone_number")),
        "email": Text(
            "{first_name:slug}.{last_name:slug}{row}@{provider}",
            provider=Choice(
                {"gmail.example": 5, "outlook.example": 3, "yahoo.example": 2, "mail.example": 1}
            ),
        ),
        "support_rep": {"employee_id": support},
        "_first_rep": support,
        "_handed_over_at": Maybe(0.2, Moment(days=DAYS)),
        "_former_city": cities(),
        "_moved_at": Maybe(0.1, Moment(days=DAYS)),
        "recent_invoices": Newest("invoices", 5, by="invoiced_at", fields=["number", "invoiced_at", "total"]),
    },
)


def before(moment: str) -> Function:
    """Return a draw of whether an invoice was made before something happened to its customer."""
    return Function(lambda at, then: then is not None and at < then, "invoiced_at", f"customer_id.{moment}")


def price_then(price: int, at: datetime) -> int:
    """Return what a track cost at a moment, by what it costs now."""
    return 99 if price > 99 and at < REPRICED_AT else price  # noqa: PLR2004


invoices = Rows(
    LogNormal(5, 0.9, digits=0),
    {
        "invoiced_at": Moment(days=DAYS, growth=2.2, hours=EVENINGS, weekdays=WEEKEND, months=CHRISTMAS),
        "number": Text("{invoiced_at:%Y%m%d}-{row:06d}"),
        "_before_hand_over": before("_handed_over_at"),
        "support_rep_id": When(
            "_before_hand_over",
            {True: Get("customer_id._first_rep")},
            otherwise=Get("customer_id.support_rep.employee_id"),
        ),
        "_before_move": before("_moved_at"),
        "billing": {
            "city": When(
                "_before_move",
                {True: Get("customer_id._former_city")},
                otherwise=Get("customer_id.address.city"),
            ),
            "country": Get("customer_id.address.country"),
        },
        "_artist_id": Ref("artists", prefer="zipf", strength=BOUGHT),
        "_picked": Array(
            OneOf([(6, Ref("tracks", of="_artist_id")), (4, Ref("tracks", prefer="zipf", strength=BOUGHT))]),
            Poisson(2.4, low=1, high=MOST_LINES),
        ),
        "_tracks": Distinct("_picked"),
        "lines": Array(
            {
                "track_id": ItemOf("_tracks"),
                "name": Get("track_id.name"),
                "artist_name": Get("track_id.artist_name"),
                "unit_price": Function(price_then, "track_id.unit_price", "invoiced_at"),
                "quantity": When(
                    "customer_id._is_business",
                    {True: Choice({1: 74, 2: 10, 5: 10, 10: 6})},
                    otherwise=Choice({1: 98, 2: 2}),
                ),
                "amount": Vectorised(lambda price, quantity: price * quantity, "unit_price", "quantity"),
            },
            Function(len, "_tracks"),
        ),
    },
    per="customers",
    high=60,
)

daily_sales = Summary(
    "invoices",
    by={"country": "billing.country", "day": Day("invoiced_at")},
    totals={"invoices": Count(), "copies": Sum("copies"), "total": Sum("total")},
)


class RecordShopSeeder(DatabaseSeeder):
    """Draws every document from its row number."""

    rows: ClassVar[dict[str, Any]] = {
        "playlists": playlists,
        "artists": artists,
        "albums": albums,
        "tracks": tracks,
        "employees": employees,
        "customers": customers,
        "invoices": invoices,
        "daily_sales": daily_sales,
    }
