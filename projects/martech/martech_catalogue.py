"""What brands of each industry sell, ask their customers and write to them: the words of the sample data."""

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""The present of the data."""

PREFIXES = [
    "Nordvik", "Velora", "Luma", "Kestrel", "Amari", "Brightwater", "Solstice", "Juniper", "Halden",
    "Mirabel", "Tidewell", "Orchard", "Corvin", "Sable", "Alder", "Pampa", "Ravel", "Marlow", "Suka",
    "Fennick", "Estrela", "Lindqvist", "Bramble", "Casa Verde", "Oakridge", "Petit Jour", "Nusantara",
    "Fairweather",
]  # fmt: skip

SUFFIXES = {
    "sportswear": "Sports", "beauty": "Beauty", "fashion": "Clothing", "pets": "Pets",
    "electronics": "Electronics", "books": "Books", "travel": "Travel",
}  # fmt: skip

PRODUCTS = {
    "sportswear": ["running shoes", "football boots", "training shirt", "yoga mat", "rain jacket", "cap"],
    "beauty": ["day cream", "lipstick", "sunscreen", "hair oil", "night serum", "perfume"],
    "fashion": ["linen shirt", "jeans", "summer dress", "wool coat", "trainers", "scarf"],
    "pets": ["dry food", "cat litter", "dog lead", "scratching post", "aquarium filter", "chew toys"],
    "electronics": ["headphones", "phone case", "tablet", "charger", "smart watch", "speaker"],
    "books": ["crime novel", "cookbook", "travel guide", "picture book", "biography", "notebook"],
    "travel": ["weekend in Lisbon", "flight to Bali", "city hotel", "rail pass", "ski week", "rental car"],
}

MEDIAN_ORDER = {
    "sportswear": 6_800, "beauty": 3_900, "fashion": 7_400, "pets": 4_600,
    "electronics": 11_900, "books": 2_200, "travel": 34_000,
}  # fmt: skip
"""In US cents."""

CURRENCIES = {"US": "USD", "GB": "GBP", "DE": "EUR", "FR": "EUR", "ID": "IDR", "BR": "BRL"}

RATES = {"USD": (1.0, 10), "GBP": (0.79, 10), "EUR": (0.92, 10), "IDR": (16_000.0, 100_000), "BRL": (5.4, 10)}
"""What a US cent comes to in the smallest unit of each currency, and to what prices are rounded."""


NICHES = {
    "fitness": "fit", "beauty": "glow", "fashion": "style", "pets": "paws",
    "tech": "tech", "books": "reads", "travel": "trips", "food": "eats",
}  # fmt: skip
"""What the names of accounts of each niche end with."""


def _text(key: str, label: str, *choices: str) -> dict[str, Any]:
    return {"key": key, "label": label, "type": "text", "choices": list(choices)}


def _number(key: str, label: str) -> dict[str, Any]:
    return {"key": key, "label": label, "type": "number", "choices": []}


def _flag(key: str, label: str) -> dict[str, Any]:
    return {"key": key, "label": label, "type": "flag", "choices": []}


COMMON_FIELDS = [
    _text("newsletter", "Newsletter", "weekly", "monthly", "never"),
    _number("loyalty_points", "Loyalty points"),
    _text("found_us", "How did you find us?", "friend", "search", "social media", "shop"),
]

FIELDS = {
    "sportswear": [
        _number("shoe_size", "Shoe size (EU)"),
        _text("sport", "Favourite sport", "running", "football", "cycling", "yoga", "tennis"),
        _text("favourite_team", "Favourite team"),
    ],
    "beauty": [
        _text("skin_type", "Skin type", "dry", "oily", "combination", "sensitive", "normal"),
        _text("hair_colour", "Hair colour", "black", "brown", "blond", "red", "grey"),
        _flag("fragrance_free", "Fragrance-free only"),
    ],
    "fashion": [
        _text("top_size", "Size of tops", "XS", "S", "M", "L", "XL"),
        _number("shoe_size", "Shoe size (EU)"),
        _text("style", "Style", "casual", "classic", "street", "outdoor"),
    ],
    "pets": [
        _text("pet", "Pet", "dog", "cat", "bird", "fish", "rabbit"),
        _text("pet_name", "The pet's name"),
        _flag("subscription", "Food by subscription"),
    ],
    "electronics": [
        _text("phone_system", "Phone", "Android", "iOS"),
        _flag("extended_warranty", "Extended warranty"),
        _number("household", "People in the household"),
    ],
    "books": [
        _text("genre", "Favourite genre", "crime", "romance", "fantasy", "history", "children"),
        _flag("e_reader", "Has an e-reader"),
        _text("author", "Favourite author"),
    ],
    "travel": [
        _text("home_airport", "Home airport", "FRA", "LHR", "JFK", "CDG", "CGK", "GRU"),
        _text("seat", "Seat", "aisle", "window"),
        _number("children", "Children travelling along"),
    ],
}

FREE_TEXTS = {
    "favourite_team": ["Flamengo", "Arsenal", "Persija", "Borussia Dortmund", "LA Lakers", "Paris FC"],
    "pet_name": ["Luna", "Milo", "Bella", "Rocky", "Coco", "Simba"],
    "author": ["Agatha Christie", "Haruki Murakami", "Jane Austen", "Stephen King", "Isabel Allende"],
}

NUMBERS = {"shoe_size": (36, 47), "loyalty_points": (0, 4_000), "household": (1, 6), "children": (0, 4)}

LABELS = [
    "vip", "wholesale", "newsletter", "birthday club", "complaint", "beta tester", "employee",
    "returns often", "gift buyer", "store visitor", "student", "first order",
]  # fmt: skip

THEMES = [
    ["New Year sale", "Winter clearance"], ["Valentine's picks", "Last of winter"],
    ["Spring preview", "New in"], ["Easter gifts", "Spring sale"],
    ["Mother's Day", "Loyalty week"], ["Summer launch", "Early summer deals"],
    ["Summer sale", "Holiday essentials"], ["Back to school", "End of summer"], ["Autumn launch", "New in"],
    ["Halloween deals", "Loyalty week"], ["Black Friday", "Cyber week"], ["Christmas gifts", "Last orders"],
]  # fmt: skip
"""Of campaigns, for each month."""

HEADLINES = [
    "{theme}: it begins today", "Only for you: {theme}", "{theme}, up to 30 % off", "Do not miss {theme}",
]  # fmt: skip


def price(cents: float, currency: str) -> int:
    """Return an amount in US cents as a price in another currency."""
    rate, unit = RATES[currency]
    return max(1, round(cents * rate / unit)) * unit


def segments(industry: str, currency: str) -> list[dict[str, Any]]:
    """Return the segments that a brand of this industry defines, the most common ones first."""
    median = MEDIAN_ORDER[industry]
    return [
        {"name": "Best customers", "rules": [_rule("value", "at_least", number=price(4 * median, currency))]},
        {"name": "New in 90 days", "rules": [_rule("joined", "within_days", number=90)]},
        {
            "name": "Lapsing buyers",
            "rules": [_rule("orders", "at_least", number=1), _rule("activity", "not_within_days", number=60)],
        },
        {"name": "Engaged", "rules": [_rule("score", "at_least", number=30)]},
        {
            "name": "Weekly readers",
            "rules": [
                _rule("field", "is", key="newsletter", text="weekly"),
                _rule("score", "at_least", number=1),
            ],
        },
        {"name": "VIP", "rules": [_rule("label", "is", key="vip")]},
        {"name": "Sleeping", "rules": [_rule("score", "at_most", number=0)]},
    ]


def _rule(
    on: str, operator: str, *, key: str | None = None, text: str | None = None, number: int | None = None
) -> dict[str, Any]:
    return {"on": on, "key": key, "operator": operator, "text": text, "number": number}
