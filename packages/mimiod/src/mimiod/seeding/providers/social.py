"""Accounts on social platforms and what they post."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mimiod.seeding.choices import Chance, Choice
from mimiod.seeding.functions import Share
from mimiod.seeding.numbers import Correlated, LogNormal, Poisson, Uniform
from mimiod.seeding.relations import Array
from mimiod.seeding.texts import Fake, Text

if TYPE_CHECKING:
    from mimiod.seeding.frames import Draw

_TAGS = [
    "travel", "food", "fitness", "photography", "music", "fashion", "art", "nature", "family", "coffee",
    "style", "sunset", "health", "books", "coding", "gaming", "football", "startup", "diy", "pets",
]  # fmt: skip


def username() -> Draw:
    """Return a draw of a user name; the row's number in it makes it unique."""
    return Text(
        "{word:slug}{sign}{first:slug}{row}",
        word=Fake("word"),
        sign=Choice({"_": 5, ".": 3, "": 4}),
        first=Fake("first_name"),
    )


def platform() -> Draw:
    """Return a draw of a platform, by about how many use it."""
    return Choice(
        {
            "facebook": 30, "youtube": 25, "instagram": 20, "tiktok": 15, "linkedin": 6, "x": 5,
            "reddit": 4, "pinterest": 4,
        }
    )  # fmt: skip


def follower_count() -> Draw:
    """Return a draw of a number of followers: half have fewer than 250, a few have millions."""
    return LogNormal(250, 1.9, low=0, high=200_000_000, digits=0)


def following_count() -> Draw:
    """Return a draw of how many others an account follows; platforms stop it at 7,500."""
    return LogNormal(280, 0.9, low=0, high=7_500, digits=0)


def engagement_rate(followers: str | None = None) -> Draw:
    """Return a draw of the share of followers that react; with their path, lower where they are many.

    >>> {"followers": follower_count(), "engagement_rate": engagement_rate("followers")}
    """
    drawn = LogNormal(0.025, 0.7, low=0.0005, high=0.4, digits=4)
    return drawn if followers is None else Correlated(drawn, with_=followers, strength=-0.5)


def hashtags(mean: float = 3) -> Draw:
    """Return a draw of an array of hashtags, on average so many, at most 30.

    >>> {"hashtags": hashtags(4)}
    """
    tags = Choice({f"#{tag}": 1 / (rank + 2) for rank, tag in enumerate(_TAGS)})
    return Array(tags, Poisson(mean, high=30))


def post_type() -> Draw:
    """Return a draw of a kind of post."""
    return Choice({"photo": 38, "short_video": 27, "text": 14, "story": 10, "link": 6, "video": 5})


def reactions(followers: str) -> Draw:
    """Return a draw of how many react to a post, given the path of the followers; through a reference too.

    >>> {"author_id": Ref("accounts"), "likes": reactions("author_id.followers")}
    """
    return Share(followers, LogNormal(0.025, 0.9, high=2.0))


def verified() -> Draw:
    """Return a draw of whether an account is verified: three in a hundred are."""
    return Chance(0.03)


def sentiment() -> Draw:
    """Return a draw of a post's mood."""
    return Choice({"neutral": 46, "positive": 38, "negative": 16})


def language() -> Draw:
    """Return a draw of the language of a post, as a code of ISO 639-1."""
    return Choice({"en": 45, "es": 14, "pt": 9, "id": 8, "hi": 7, "ar": 6, "fr": 5, "de": 3, "ja": 3})


def profile(path: str) -> dict[str, Any]:
    """Return an embedded document of an account that agrees in itself; `path` is its own.

    >>> {"profile": profile("profile")}
    """
    return {
        "username": username(),
        "platform": platform(),
        "followers": follower_count(),
        "following": following_count(),
        "posts": Uniform(0, 3_000),
        "engagement_rate": engagement_rate(f"{path}.followers"),
        "verified": verified(),
    }
