"""The sample data of `martech`: brands, customers, and what campaigns and customers do to each other."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from martech_catalogue import CURRENCIES, HEADLINES, NICHES, NOW, PREFIXES, SUFFIXES, THEMES, segments
from martech_customers import (
    CHANNELS,
    attributes,
    brand_labels,
    consent_now,
    definitions,
    granted_at,
    labels,
    memberships,
    permits,
    story,
    withdrawn_at,
)
from martech_touches import BASE, CANDIDATES, amount, details, event_channel, message_state, plan, when
from mimiod import DatabaseSeeder
from mimiod.seeding import (
    MISSING,
    After,
    Array,
    Burst,
    Choice,
    City,
    Digits,
    Earlier,
    Fake,
    Function,
    Get,
    Item,
    ItemRows,
    LogNormal,
    Maybe,
    Moment,
    Newest,
    Poisson,
    Position,
    Ref,
    Rows,
    Share,
    Sum,
    Summary,
    Text,
    Uniform,
    Vectorised,
    When,
    social,
)

LOCALES = {"US": "en_US", "GB": "en_GB", "DE": "de_DE", "FR": "fr_FR", "ID": "id_ID", "BR": "pt_BR"}
PHONES = {
    "US": "+1 ### 555 01##", "GB": "+44 7700 900 ###", "DE": "+49 15# ########", "FR": "+33 6 ## ## ## ##",
    "ID": "+62 812 #### ####", "BR": "+55 11 9#### ####",
}  # fmt: skip
MEDIAN = 40
"""Customers of a brand in the sample: half of the brands have more."""
LARGE = 200
"""Customers of a brand, in the sample, above which its campaigns count in slices."""
HOURS = [1, 1, 0, 0, 0, 1, 3, 5, 6, 7, 7, 8, 9, 8, 7, 7, 7, 8, 10, 12, 12, 10, 6, 3]


def campaign_state(starts_at: datetime, luck: float) -> str:
    """Return how far a campaign is, by when it starts."""
    if luck < 0.04:  # noqa: PLR2004
        return "cancelled"
    if starts_at > NOW:
        return "draft" if luck > 0.8 and starts_at - NOW > timedelta(days=2) else "scheduled"  # noqa: PLR2004
    return "sending" if NOW - starts_at < timedelta(hours=8) else "sent"


def campaign_name(starts_at: datetime, luck: float, number: int) -> str:
    """Return what marketers call a campaign: its theme, its month and its number."""
    themes = THEMES[starts_at.month - 1]
    return f"{themes[int(luck * 100) % len(themes)]} {starts_at:%Y-%m} #{number + 1}"


def variants(name: str, count: int) -> list[dict[str, Any]]:
    """Return a campaign's variants, with equal shares."""
    theme = name.rsplit(" ", 2)[0]
    shares = {1: [100], 2: [50, 50], 3: [34, 33, 33], 4: [25, 25, 25, 25]}[count]
    return [
        {"key": "ABCD"[place], "headline": HEADLINES[place].format(theme=theme), "share": share}
        for place, share in enumerate(shares)
    ]


def consent_source(row: Any) -> str:
    """Return where a permission was given or withdrawn: by a message's link if one was followed."""
    if row["_choice.turn"] == 0:
        weights = {"sign_up": 6, "checkout": 3, "preferences": 1}
    elif row["channel"] in row["customer_id._story"]["left"]:
        return "unsubscribe_link"
    else:
        weights = {"preferences": 8, "customer_service": 2}
    return str(row.random.choices(list(weights), list(weights.values()))[0])


def erased(row: Any) -> list[str]:
    """Return where nothing is left of a customer: everywhere, or as far as an open request has got."""
    stores = ["events", "messages", "consents", "customer"]
    return stores if row["status"] == "done" else stores[: row.random.randint(0, 2)]


def counter(kind: str) -> Vectorised:
    """Return a draw of 1 for events of a type, 0 for others."""
    return Vectorised(lambda kinds: (kinds == kind).astype(int), "type")


def segment(part: str) -> Function:
    """Return a part of the segment that stands at this place of the brand's list."""
    return Function(
        lambda industry, currency, place: segments(industry, currency)[place][part],
        "brand_id.industry",
        "brand_id.currency",
        "_place",
    )


class MartechSeeder(DatabaseSeeder):
    """Draws every document from its row number."""

    rows: ClassVar = {
        "social_accounts": Rows(
            400,
            {
                "username": Text(
                    "{first:slug}{sign}{word}{row}",
                    first=Fake("first_name"),
                    sign=Choice(["", ".", "_"]),
                    word=When("niche", dict(NICHES)),
                ),
                "network": Choice({"instagram": 45, "tiktok": 30, "youtube": 17, "facebook": 8}),
                "kind": Choice({"influencer": 8, "page": 2}),
                "niche": Choice(
                    {
                        "fitness": 14,
                        "beauty": 20,
                        "fashion": 20,
                        "pets": 8,
                        "tech": 10,
                        "books": 6,
                        "travel": 12,
                        "food": 10,
                    }
                ),
                "followers": LogNormal(60_000, 1.4, low=1_000, high=40_000_000, digits=0),
                "engagement_rate": social.engagement_rate("followers"),
                "price_per_post": Share("followers", LogNormal(1.1, 0.35, low=0.3, high=4), digits=-3),
                "updated_at": Moment(days=1),
            },
            fixed=True,
        ),
        "brands": Rows(
            30,
            {
                "industry": Choice(
                    {
                        "fashion": 22,
                        "beauty": 18,
                        "sportswear": 15,
                        "electronics": 14,
                        "pets": 11,
                        "books": 8,
                        "travel": 12,
                    }
                ),
                "market": Choice({"US": 30, "GB": 15, "DE": 17, "FR": 12, "ID": 14, "BR": 12}),
                "currency": Function(CURRENCIES.__getitem__, "market"),
                "name": Function(
                    lambda row, industry: f"{PREFIXES[row % len(PREFIXES)]} {SUFFIXES[industry]}",
                    "row",
                    "industry",
                ),
                "slug": Function(
                    lambda name, row: f"{name.lower().replace(' ', '-')}-{row + 1}", "name", "row"
                ),
                "_newest": Newest("segments", 7, by="created_at", fields=["_id", "rules"]),
                "_segments": Function(list, "_newest"),
                "_size": LogNormal(MEDIAN, 1.0, low=8, high=600, digits=0),
                "plan": Function(
                    lambda size: "enterprise" if size > LARGE else "growth" if size > MEDIAN else "starter",
                    "_size",
                ),
                "fields": Function(definitions),
                "labels": Function(brand_labels),
                "joined_at": Moment(start="2019-01-01", end="2023-10-01"),
            },
        ),
        "segments": Rows(
            Uniform(4, 7),
            {
                "_place": Position(0),
                "name": segment("name"),
                "rules": segment("rules"),
                "created_at": Moment(start="2023-10-01", end="2024-12-01"),
            },
            per="brands",
        ),
        "campaigns": Rows(
            Poisson(8, low=3, high=12),
            {
                "_number": Position(0),
                "_luck": Uniform(0.0, 1.0),
                "_reach": Choice({1.0: 3, 0.6: 4, 0.3: 3}),
                "name": Function(campaign_name, "starts_at", "_luck", "_number"),
                "channel": Choice({"mail": 55, "sms": 18, "messenger": 15, "social": 12}),
                "status": Function(campaign_state, "starts_at", "_luck"),
                "variants": Function(variants, "name", "_variants"),
                "_variants": Choice({1: 3, 2: 6, 3: 1}),
                "bookings": Array(
                    {
                        "account_id": Ref("social_accounts"),
                        "price": Share("account_id.price_per_post", Uniform(0.8, 1.1), digits=-2),
                        "post_at": After("starts_at", by=Uniform(0.0, 72.0), unit="hours", past=False),
                    },
                    When("channel", {"social": Poisson(3, low=1, high=20)}, otherwise=0),
                ),
                "counter_slices": Function(
                    lambda size, reach: 8 if size > LARGE and reach == 1 else 1, "brand_id._size", "_reach"
                ),
                "_lead_hours": LogNormal(200, 0.6, low=2, high=1_500),
                "created_at": Function(
                    lambda starts_at, lead: min(starts_at, NOW) - timedelta(hours=lead),
                    "_starts_at",
                    "_lead_hours",
                ),
                "starts_at": Get("_starts_at"),
                "_starts_at": Moment(
                    start="2025-01-02",
                    end="2026-01-22",
                    hours=[0] * 8 + [4, 7, 9, 6, 4, 4, 5, 5, 5, 6, 4, 2] + [0] * 4,
                    weekdays=[4, 6, 6, 6, 5, 2, 2],
                    bursts=[Burst("2025-11-24", 7, 5), Burst("2025-12-31", 2, 4)],
                ),
            },
            per="brands",
        ),
        "customers": Rows(
            Get("_size"),
            {
                "number": Text("C-{row:07d}"),
                "name": When(
                    "brand_id.market", {code: Fake("name", locale=locale) for code, locale in LOCALES.items()}
                ),
                "email": Text(
                    "{name:slug}{row}@{host}",
                    host=Choice({"example.com": 6, "example.net": 2, "example.org": 2}),
                ),
                "phone": Maybe(
                    0.6, When("brand_id.market", {code: Digits(pattern) for code, pattern in PHONES.items()})
                ),
                "city": When("brand_id.market", {code: City(code, name=code).city() for code in LOCALES}),
                "attributes": Function(attributes),
                "labels": Function(labels),
                "_keenness": LogNormal(1, 0.5, low=0.2, high=4),
                "_choices": Array(
                    {
                        "channel": Function(lambda place: CHANNELS[place - 1], "place"),
                        "place": Position(),
                        "campaign_id": Ref("campaigns"),
                        "granted_at": Function(granted_at),
                        "withdrawn_at": Function(withdrawn_at),
                        "rows": Function(
                            lambda *moments: sum(at is not None for at in moments),
                            "granted_at",
                            "withdrawn_at",
                        ),
                    },
                    len(CHANNELS),
                ),
                "_touches": Array(
                    {
                        "position": Position(0),
                        "campaign_id": Ref("campaigns"),
                        "campaign_number": Get("campaign_id._number"),
                        "campaign_name": Get("campaign_id.name"),
                        "channel": Get("campaign_id.channel"),
                        "starts_at": Get("campaign_id.starts_at"),
                        "luck": Uniform(0.0, 1.0),
                        "slices": Get("campaign_id.counter_slices"),
                        "digit": Function(
                            lambda place, number: BASE**number if place < CANDIDATES else 0,
                            "position",
                            "campaign_number",
                        ),
                        "before": Earlier("digit", "sum"),
                        "visit_at": Moment(
                            days=400, hours=HOURS, months=[8, 7, 8, 8, 8, 8, 7, 7, 8, 9, 13, 12]
                        ),
                        "plan": Function(plan),
                        "steps": Function(lambda plan: len(plan["types"]), "plan"),
                        "message": Function(lambda plan: int(plan["message"]), "plan"),
                    },
                    Function(lambda visits: CANDIDATES + visits, "_visits"),
                ),
                "_visits": LogNormal(3, 1.1, high=150, digits=0),
                "_permits": Function(permits, "_choices"),
                "_story": Function(story, "_touches"),
                "consent": Function(consent_now, "_permits"),
                "engagement_score": Function(lambda story: story["score"], "_story"),
                "preferred_channel": Function(lambda story: story["preferred"], "_story"),
                "segment_ids": Function(memberships),
                "recent": Newest("events", 10, by="at", fields=["type", "at", "channel"]),
                "joined_at": Moment(days=730, growth=2),
            },
            per="brands",
            high=600,
        ),
        "messages": Rows(
            ItemRows("_touches", "message"),
            {
                "_touch": Item("_touches", "message"),
                "campaign_id": Get("_touch.campaign_id"),
                "campaign_name": Get("_touch.campaign_name"),
                "channel": Get("_touch.channel"),
                "variant": Function(lambda plan: plan["variant"], "_touch.plan"),
                "status": Function(message_state, "_touch.plan"),
                "sent_at": Function(when("message_sent"), "_touch.plan"),
                "delivered_at": Function(when("message_delivered"), "_touch.plan"),
                "opened_at": Function(when("message_opened"), "_touch.plan"),
                "clicked_at": Function(when("message_clicked"), "_touch.plan"),
                "converted_at": Function(when("purchase"), "_touch.plan"),
                "unsubscribed_at": Function(when("unsubscribed"), "_touch.plan"),
            },
            per="customers",
            high=CANDIDATES,
        ),
        "events": Rows(
            ItemRows("_touches", "steps"),
            {
                "_touch": Item("_touches", "steps"),
                "type": Function(lambda plan, turn: plan["types"][turn], "_touch.plan", "_touch.turn"),
                "at": Function(lambda plan, turn: plan["at"][turn], "_touch.plan", "_touch.turn"),
                "channel": Function(event_channel, "type", "_touch.channel"),
                "own_act": Function(
                    lambda kind: kind not in {"message_sent", "message_delivered", "message_bounced"}, "type"
                ),
                "campaign_id": Function(
                    lambda plan, campaign: campaign if plan["message"] else MISSING,
                    "_touch.plan",
                    "_touch.campaign_id",
                ),
                "amount": Function(lambda row: amount(row) if row["type"] == "purchase" else MISSING),
                "details": Function(details),
                "_counted": Function(lambda plan: plan["message"], "_touch.plan"),
                "_variant": Function(lambda plan: plan["variant"], "_touch.plan"),
                "_slice": Function(lambda row: row.number % row["_touch.slices"]),
                "_sent": counter("message_sent"),
                "_delivered": counter("message_delivered"),
                "_opened": counter("message_opened"),
                "_clicked": counter("message_clicked"),
                "_converted": counter("purchase"),
                "_unsubscribed": counter("unsubscribed"),
            },
            per="customers",
            high=800,
        ),
        "campaign_hours": Summary(
            "events",
            by={
                "campaign_id": "campaign_id",
                "hour": Vectorised(lambda at: (at // 3_600_000 * 3_600_000).astype("datetime64[ms]"), "at"),
                "variant": "_variant",
                "slice": "_slice",
            },
            totals={
                "sent": Sum("_sent"),
                "delivered": Sum("_delivered"),
                "opened": Sum("_opened"),
                "clicked": Sum("_clicked"),
                "converted": Sum("_converted"),
                "unsubscribed": Sum("_unsubscribed"),
                "revenue": Sum("amount"),
            },
            where={"_counted": True},
        ),
        "consents": Rows(
            ItemRows("_choices", "rows"),
            {
                "_choice": Item("_choices", "rows"),
                "channel": Get("_choice.channel"),
                "state": When("_choice.turn", {0: "granted", 1: "withdrawn"}),
                "at": When("_choice.turn", {0: Get("_choice.granted_at"), 1: Get("_choice.withdrawn_at")}),
                "source": Function(consent_source),
                "text_version": Function(lambda at: f"{at.year}.{1 if at.month < 7 else 2}", "at"),  # noqa: PLR2004
            },
            per="customers",
            high=2 * len(CHANNELS),
        ),
        "deletion_requests": Rows(
            Poisson(3, high=12),
            {
                "_customer": Ref("customers"),
                "_joined_at": Get("_customer.joined_at"),
                "_asked_at": Moment(days=365),
                "requested_at": Function(
                    lambda asked, joined: min(
                        max(asked, joined + timedelta(days=1)), NOW - timedelta(hours=1)
                    ),
                    "_asked_at",
                    "_joined_at",
                ),
                "due_at": After("requested_at", by=30, past=False),
                "_done_at": After("requested_at", by=LogNormal(9, 0.5, high=29.5), past=False),
                "done_at": Function(lambda done: done if done < NOW else None, "_done_at"),
                "status": Function(lambda done: "open" if done is None else "done", "done_at"),
                "customer_id": When("status", {"open": Get("_customer")}),
                "erased": Function(erased),
                "subject": Function(lambda row: f"{row.random.getrandbits(256):064x}"),
            },
            per="brands",
        ),
    }
