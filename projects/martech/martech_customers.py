"""What a customer is like: consent, fields, labels, scores, and the segments that follow from these."""

from datetime import datetime, timedelta
from typing import Any

from martech_catalogue import COMMON_FIELDS, FIELDS, FREE_TEXTS, LABELS, MEDIAN_ORDER, NOW, NUMBERS, price

CHANNELS = ["mail", "sms", "messenger", "social"]

AGREES = {"mail": 0.92, "sms": 0.45, "messenger": 0.35, "social": 0.3}
"""The share of customers that permits a channel."""

WEIGHTS = {
    "message_opened": 1, "message_clicked": 3, "page_view": 1, "search": 2, "cart_add": 4,
    "purchase": 10, "chat": 3, "follow": 5,
}  # fmt: skip
"""What each act adds to the engagement score."""

HALF_LIFE = 30
"""Days after which an act weighs half."""


def definitions(row: Any) -> list[dict[str, Any]]:
    """Return the fields that a brand has defined: those of its industry, and some that all have."""
    own: list[dict[str, Any]] = FIELDS[row["industry"]]
    return [COMMON_FIELDS[0], *own, *row.random.sample(COMMON_FIELDS[1:], row.random.randint(0, 2))]


def brand_labels(row: Any) -> list[str]:
    """Return the labels that a brand uses."""
    return ["vip", *row.random.sample(LABELS[1:], row.random.randint(4, len(LABELS) - 1))]


def attributes(row: Any) -> list[dict[str, Any]]:
    """Return what a brand's fields say about a customer; a quarter is not known."""
    random = row.random
    known = []
    for field in row["brand_id.fields"]:
        if field["key"] != "newsletter" and random.random() > 0.75:  # noqa: PLR2004 - see the design
            continue
        value: str | int | bool
        if field["type"] == "flag":
            value = random.random() < 0.4  # noqa: PLR2004
        elif field["type"] == "number":
            value = random.randint(*NUMBERS[field["key"]])
        else:
            value = random.choice(field["choices"] or FREE_TEXTS[field["key"]])
        known.append({"key": field["key"], "value": value})
    return known


def labels(row: Any) -> list[str]:
    """Return a customer's labels: `vip` for those who spend much, others at random."""
    random = row.random
    worn = [label for label in row["brand_id.labels"][1:] if random.random() < 0.09]  # noqa: PLR2004
    median = price(MEDIAN_ORDER[row["brand_id.industry"]], row["brand_id.currency"])
    return ["vip", *worn] if row["lifetime_value"] > 5 * median else worn


def granted_at(row: Any) -> datetime | None:
    """Return when a customer permitted a channel: mail mostly on joining; null if never."""
    random, channel = row.random, row["channel"]
    if random.random() > AGREES[channel]:
        return None
    days = 0 if channel == "mail" or random.random() < 0.4 else random.expovariate(1 / 60)  # noqa: PLR2004
    granted = row["joined_at"] + timedelta(days=days, seconds=random.randint(5, 90))
    return granted if granted < NOW else None


def withdrawn_at(row: Any) -> datetime | None:
    """Return when a customer withdrew it: hours after a campaign, or some time later; null if never."""
    random, granted = row.random, row["granted_at"]
    if granted is None or random.random() > 0.14:  # noqa: PLR2004
        return None
    by_link = row["campaign_id.channel"] == row["channel"] and random.random() < 0.4  # noqa: PLR2004
    if by_link and row["campaign_id.starts_at"] > granted:
        withdrawn = row["campaign_id.starts_at"] + timedelta(hours=4 + random.expovariate(1 / 10))
    else:
        withdrawn = granted + timedelta(days=1 + random.expovariate(1 / 200))
    return withdrawn if withdrawn < NOW else None


def permits(choices: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a customer's choice for each channel."""
    return {choice["channel"]: choice for choice in choices}


def consent_now(known: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """Return what a customer's choices come to."""
    return {
        channel: choice["granted_at"] is not None and choice["withdrawn_at"] is None
        for channel, choice in known.items()
    }


def story(touches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a customer's touches come to: score, preferred channel, channels left by a link."""
    return {"score": score(touches), "preferred": preferred_channel(touches), "left": left_by_link(touches)}


def score(touches: list[dict[str, Any]]) -> int:
    """Return the engagement score: each act's weight, halved for every 30 days since; at most 100."""
    total = sum(
        WEIGHTS.get(kind, 0) / 2 ** ((NOW - at).days // HALF_LIFE)
        for touch in touches
        for kind, at in zip(touch["plan"]["types"], touch["plan"]["at"], strict=True)
    )
    return min(100, int(4 * total))


def preferred_channel(touches: list[dict[str, Any]]) -> str | None:
    """Return the channel over which most messages were opened; of equals the first."""
    opened = [touch["channel"] for touch in touches if "message_opened" in touch["plan"]["types"]]
    return max(CHANNELS, key=opened.count) if opened else None


def left_by_link(touches: list[dict[str, Any]]) -> list[str]:
    """Return the channels that a customer left by the link in a message."""
    return [touch["channel"] for touch in touches if "unsubscribed" in touch["plan"]["types"]]


def memberships(row: Any) -> list[Any]:
    """Return the ids of the brand's segments whose rules hold for a customer."""
    known = row["brand_id._segments"]
    return [one["_id"] for one in known if all(holds(rule, row) for rule in one["rules"])]


def holds(rule: dict[str, Any], row: Any) -> bool:
    """Return whether a segment's rule holds for a customer."""
    match rule["on"]:
        case "field":
            return {"key": rule["key"], "value": rule["text"]} in row["attributes"]
        case "label":
            return bool(rule["key"] in row["labels"])
        case "joined" | "activity":
            at = row["joined_at" if rule["on"] == "joined" else "last_activity_at"]
            within = at is not None and NOW - at < timedelta(days=rule["number"])
            return bool(within) == (rule["operator"] == "within_days")
        case on:
            number = row[{"score": "engagement_score", "value": "lifetime_value", "orders": "orders"}[on]]
            return bool(
                number >= rule["number"] if rule["operator"] == "at_least" else number <= rule["number"]
            )
