"""Campaigns, what they cost and what they bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.seeding.choices import Choice, OneOf
from mimiod.seeding.functions import Share
from mimiod.seeding.numbers import LogNormal, Normal, Uniform
from mimiod.seeding.texts import Text

if TYPE_CHECKING:
    from mimiod.seeding.frames import Draw

_THEMES = ["Launch", "Sale", "Giveaway", "Loyalty", "Win-back", "Referral", "Clearance", "Newsletter"]
_SEASONS = ["Spring", "Summer", "Autumn", "Winter", "Holiday", "Back-to-School", "Black Friday", "New Year"]


def campaign_type() -> Draw:
    """Return a draw of a kind of campaign."""
    return Choice(
        {
            "email": 28, "social": 24, "search": 18, "display": 11, "video": 7, "affiliate": 5,
            "sms": 4, "event": 3,
        }
    )  # fmt: skip


def campaign_name() -> Draw:
    """Return a draw of a campaign's name, such as `Summer Sale 204`; its number is the row's."""
    return Text("{season} {theme} {row}", season=Choice(_SEASONS), theme=Choice(_THEMES))


def channel() -> Draw:
    """Return a draw of the channel by which a visitor came."""
    return Choice(
        {
            "organic_search": 34, "direct": 22, "paid_search": 14, "social": 12, "email": 9,
            "referral": 6, "display": 3,
        }
    )  # fmt: skip


def objective() -> Draw:
    """Return a draw of a campaign's objective."""
    return Choice({"conversions": 36, "leads": 24, "awareness": 20, "traffic": 14, "retention": 6})


def event_type() -> Draw:
    """Return a draw of what a visitor does, as rare as it is in a funnel."""
    return Choice(
        {
            "page_view": 620, "scroll": 180, "click": 110, "search": 40, "add_to_cart": 26, "sign_up": 10,
            "checkout": 9, "purchase": 5,
        }
    )  # fmt: skip


def budget() -> Draw:
    """Return a draw of a campaign's budget, in hundreds."""
    return LogNormal(6_000, 1.1, low=200, high=2_000_000, digits=-2)


def open_rate() -> Draw:
    """Return a draw of the share of e-mails that are opened."""
    return Normal(0.22, 0.07, low=0.02, high=0.6, digits=4)


def click_rate() -> Draw:
    """Return a draw of the share of views with a click."""
    return LogNormal(0.018, 0.6, low=0.001, high=0.25, digits=4)


def engagement(path: str) -> dict[str, Any]:
    """Return an embedded document of a campaign's numbers, each a part of the one before; `path` is its own.

    >>> {"metrics": engagement("metrics")}
    """
    return {
        "impressions": LogNormal(40_000, 1.4, low=100, high=50_000_000, digits=0),
        "clicks": Share(f"{path}.impressions", LogNormal(0.018, 0.6, high=0.3)),
        "conversions": Share(f"{path}.clicks", LogNormal(0.03, 0.6, high=0.5)),
        "spend": Share(f"{path}.clicks", LogNormal(0.7, 0.5, low=0.05), digits=2),
    }


def utm() -> Draw:
    """Return a draw of an embedded document with a source, a medium that fits it, and a campaign."""
    campaign = Text("{season:slug}_{theme:slug}", season=Choice(_SEASONS), theme=Choice(_THEMES))
    pairs = {
        ("google", "cpc"): 38, ("facebook", "paid_social"): 18, ("newsletter", "email"): 16,
        ("instagram", "paid_social"): 12, ("bing", "cpc"): 6, ("linkedin", "paid_social"): 5,
        ("partner", "affiliate"): 5,
    }  # fmt: skip
    return OneOf(
        [
            (weight, {"source": source, "medium": medium, "campaign": campaign})
            for (source, medium), weight in pairs.items()
        ]
    )


def lead_score() -> Draw:
    """Return a draw of a lead's score from 0 to 100."""
    return Normal(42, 18, low=0, high=100, digits=0)


def session_seconds() -> Draw:
    """Return a draw of how long a visit lasts."""
    return LogNormal(75, 1.2, low=1, high=7_200, digits=0)


def pages_per_visit() -> Draw:
    """Return a draw of how many pages a visit has."""
    return LogNormal(2.2, 0.7, low=1, high=60, digits=0)


def discount() -> Draw:
    """Return a draw of a discount in percent, in steps of five."""
    return Choice({5: 20, 10: 34, 15: 18, 20: 16, 25: 6, 30: 4, 50: 2})


def promotion_code() -> Draw:
    """Return a draw of a code such as `SALE25-1042`; its last part is the row."""
    return Text(
        "{word:upper}{percent}-{row}", word=Choice(["sale", "hello", "vip", "flash"]), percent=Uniform(5, 50)
    )
