"""How a customer meets a brand: messages of campaigns, visits of the customer's own, and the traces of both.

A touch is a message with all that followed from it, or a visit. `plan` draws one as the types and moments of
its events, so that a message, its events and its campaign's counters tell the same story.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from martech_catalogue import MEDIAN_ORDER, NOW, PRODUCTS, price

CANDIDATES = 12
"""The first touches of a customer are draws of the brand's campaigns; the others are visits."""

BASE = 16
"""More than there are candidates: a digit of this base counts how often a campaign was drawn."""

PREPARED = timedelta(hours=24)
"""How long before its start a campaign's messages are prepared."""

FUNNEL = {
    "mail": (0.025, 0.30, 0.11),
    "sms": (0.03, 0.82, 0.12),
    "messenger": (0.02, 0.62, 0.16),
    "social": (0.01, 0.50, 0.03),
}
"""For each channel: the share of messages that bounce, of those that arrive opened, of the opened clicked."""

LIFT = {"A": 1.0, "B": 1.15, "C": 0.9, "D": 1.0}
"""How much better each variant does than the first."""

VISITS = [
    (50, ["page_view"]),
    (16, ["page_view", "page_view"]),
    (10, ["search", "page_view"]),
    (9, ["page_view", "cart_add"]),
    (8, ["search", "page_view", "cart_add", "purchase"]),
    (4, ["chat"]),
    (3, ["follow"]),
]
"""What customers do when they come by themselves, in percent."""

STATES = [
    ("unsubscribed", "unsubscribed"),
    ("purchase", "converted"),
    ("message_clicked", "clicked"),
    ("message_opened", "opened"),
    ("message_bounced", "bounced"),
    ("message_delivered", "delivered"),
    ("message_sent", "sent"),
]
"""The state of a message, by the last event that it led to."""


def plan(row: Any) -> dict[str, Any]:
    """Return what a touch came to: `types` and `at` of its events, `variant`, whether it is a `message`."""
    if row["position"] >= CANDIDATES:
        return _visit(row, row.random)
    if _reached(row):
        return _message(row, row.random)
    return {"types": [], "at": [], "variant": None, "message": False}


def _reached(row: Any) -> bool:
    """Return whether a campaign reaches the customer: prepared, drawn once, joined before, permitted."""
    start = row["starts_at"]
    ready = row["campaign_id.status"] in {"sending", "sent"} or (
        row["campaign_id.status"] == "scheduled" and start - NOW < PREPARED
    )
    drawn_before = row["before"] // BASE ** row["campaign_number"] % BASE > 0
    if not ready or drawn_before or row["joined_at"] > start or row["luck"] > row["campaign_id._reach"]:
        return False
    choice = row["_permits"][row["channel"]]
    granted, withdrawn = choice["granted_at"], choice["withdrawn_at"]
    return granted is not None and granted < start and (withdrawn is None or withdrawn > start)


def _message(row: Any, random: Random) -> dict[str, Any]:
    start, variants = row["starts_at"], row["campaign_id.variants"]
    (variant,) = random.choices([one["key"] for one in variants], [one["share"] for one in variants])
    trail = _trail(row, random, start, variant) if start < NOW else []
    happened = [(kind, at) for kind, at in trail if at < NOW]
    return {
        "types": [kind for kind, _ in happened],
        "at": [at for _, at in happened],
        "variant": variant,
        "message": True,
    }


def _trail(row: Any, random: Random, start: datetime, variant: str) -> list[tuple[str, datetime]]:
    """Return the events of a message, each a step further into the funnel."""
    bounces, opens, clicks = FUNNEL[row["channel"]]
    keen = row["_keenness"] * LIFT[variant]
    at = start + timedelta(seconds=min(10_000, random.expovariate(1 / 1_200)))
    trail = [("message_sent", at)]
    if random.random() < bounces:
        return [*trail, ("message_bounced", at + timedelta(seconds=random.randint(1, 240)))]
    at += timedelta(seconds=random.randint(1, 90))
    trail.append(("message_delivered", at))
    left = _left_by(row)
    if left is not None:
        opened = at + (left - at) * random.uniform(0.5, 0.99)
        return [*trail, ("message_opened", opened), ("unsubscribed", left)]
    if random.random() > min(0.97, opens * keen):
        return trail
    at += timedelta(seconds=30 + random.expovariate(1 / 21_000))
    trail.append(("message_opened", at))
    if random.random() > min(0.8, clicks * keen):
        return trail
    steps = ["message_clicked", "page_view"]
    if random.random() < 0.3:  # noqa: PLR2004 - see the design
        steps.append("cart_add")
        if random.random() < 0.3:  # noqa: PLR2004
            steps.append("purchase")
    return trail + _steps(random, at, steps)


def _left_by(row: Any) -> datetime | None:
    """Return when the customer followed this message's link to unsubscribe; null if not this one's."""
    choice = row["_permits"][row["channel"]]
    if choice["campaign_id"] != row["campaign_id"] or choice["withdrawn_at"] is None:
        return None
    moment: datetime = choice["withdrawn_at"]
    return moment


def _visit(row: Any, random: Random) -> dict[str, Any]:
    start, types = row["visit_at"], random.choices([kinds for _, kinds in VISITS], [n for n, _ in VISITS])[0]
    moments = _steps(random, start, types)
    kept = [(kind, at) for kind, at in moments if row["joined_at"] < start and at < NOW]
    return {
        "types": [kind for kind, _ in kept],
        "at": [at for _, at in kept],
        "variant": None,
        "message": False,
    }


def _steps(random: Random, at: datetime, types: list[str]) -> list[tuple[str, datetime]]:
    steps = []
    for kind in types:
        at += timedelta(milliseconds=round(1_000 * (5 + random.expovariate(1 / 90))))
        steps.append((kind, at))
    return steps


def message_state(plan: dict[str, Any]) -> str:
    """Return how far a message got."""
    return next((state for kind, state in STATES if kind in plan["types"]), "queued")


def when(kind: str) -> Any:
    """Return a function that says when a plan's first event of a type happened; null if it did not."""

    def moment(plan: dict[str, Any]) -> datetime | None:
        return plan["at"][plan["types"].index(kind)] if kind in plan["types"] else None

    return moment


def event_channel(kind: str, channel: str) -> str:
    """Return where an event happened: what the customer does in the shop is on the web."""
    if kind.startswith("message_") or kind == "unsubscribed":
        return channel
    return {"chat": "messenger", "follow": "social"}.get(kind, "web")


def amount(row: Any) -> int:
    """Return what a purchase came to, in the brand's currency."""
    median = MEDIAN_ORDER[row["brand_id.industry"]]
    return price(
        min(30 * median, max(median / 5, median * row.random.lognormvariate(0, 0.6))),
        row["brand_id.currency"],
    )


def details(row: Any) -> dict[str, Any]:
    """Return what belongs to an event of its type."""
    if row["type"] in DETAILS:
        return DETAILS[row["type"]](row, row.random, PRODUCTS[row["brand_id.industry"]])
    return {"kind": "message", "variant": row["_touch.plan"]["variant"]}


def _page(_row: Any, random: Random, products: list[str]) -> dict[str, Any]:
    product = random.choice(products).replace(" ", "-")
    path = random.choice(["/", f"/products/{product}", "/sale", "/account"])
    return {"kind": "page", "path": path, "device": _pick(random, phone=62, desktop=33, tablet=5)}


def _search(_row: Any, random: Random, products: list[str]) -> dict[str, Any]:
    return {"kind": "search", "words": random.choice(products), "results": random.randint(0, 60)}


def _cart(_row: Any, random: Random, products: list[str]) -> dict[str, Any]:
    (quantity,) = random.choices([1, 2, 3], [85, 12, 3])
    return {"kind": "cart", "product": random.choice(products), "quantity": quantity}


def _order(row: Any, random: Random, products: list[str]) -> dict[str, Any]:
    (count,) = random.choices([1, 2, 3, 4], [55, 28, 12, 5])
    bought = random.sample(products, count)
    return {"kind": "order", "order_number": f"O-{row.number:09d}", "products": bought}


def _chat(_row: Any, random: Random, _products: list[str]) -> dict[str, Any]:
    topic = _pick(random, order=40, **{"return": 18}, size=12, stock=14, complaint=8, other=8)
    return {"kind": "chat", "topic": topic, "replies": 1 + int(random.expovariate(1 / 4))}


def _follow(_row: Any, random: Random, _products: list[str]) -> dict[str, Any]:
    return {"kind": "follow", "network": _pick(random, instagram=45, tiktok=30, facebook=17, youtube=8)}


def _pick(random: Random, **weights: int) -> str:
    (picked,) = random.choices(list(weights), list(weights.values()))
    return picked


DETAILS: dict[str, Callable[[Any, Random, list[str]], dict[str, Any]]] = {
    "page_view": _page, "search": _search, "cart_add": _cart, "purchase": _order,
    "chat": _chat, "follow": _follow,
}  # fmt: skip
"""Of each type that is no message's: how its details are drawn."""
