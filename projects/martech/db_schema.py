"""The schema of `martech`: what each collection holds, its marks and its indexes."""

from datetime import datetime
from typing import Annotated, Literal

from martech_workload import workload
from mimiod import (
    BaseCollectionSchema,
    BaseMongoDbDocumentSchema,
    BaseMongoDbSchema,
    Computed,
    Copy,
    IndexDefinition,
    NotBefore,
    PyObjectId,
    Reference,
)
from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=120)]
Key = Annotated[str, Field(min_length=1, max_length=40)]
Money = Annotated[int, Field(ge=0)]
"""In the smallest unit of the brand's currency."""
Count = Annotated[int, Field(ge=0)]
Channel = Literal["mail", "sms", "messenger", "social"]
BrandId = Annotated[PyObjectId, Reference("brands", why="a brand's customers and their traces are millions")]
Market = Literal["US", "GB", "DE", "FR", "ID", "BR"]
EventType = Literal[
    "message_sent", "message_delivered", "message_opened", "message_clicked", "message_bounced",
    "unsubscribed", "page_view", "search", "cart_add", "purchase", "chat", "follow",
]  # fmt: skip


class Part(BaseModel):
    """What is embedded; the texts under its fields describe them, as in a document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class FieldDefinition(Part):
    """A field that a brand keeps about its customers."""

    key: Key
    """What `customers.attributes.key` and `segments.rules.key` say."""
    label: Name
    """What marketers see."""
    type: Literal["text", "number", "flag"]
    """What its values are: of one field they are all of one type."""
    choices: Annotated[list[Name], Field(max_length=30)]
    """The texts that are allowed; none: any."""


class Brand(BaseMongoDbDocumentSchema):
    """A client of the platform."""

    slug: Key
    """Its name in addresses; unique."""
    name: Name
    """As customers know it."""
    industry: Literal["sportswear", "beauty", "fashion", "pets", "electronics", "books", "travel"]
    """What it sells."""
    market: Market
    """The country of its customers, by ISO 3166."""
    currency: Literal["USD", "GBP", "EUR", "IDR", "BRL"]
    """Of all its amounts, by ISO 4217."""
    plan: Literal["starter", "growth", "enterprise"]
    """What it pays for."""
    fields: Annotated[list[FieldDefinition], Field(min_length=1, max_length=60)]
    """The fields that it has defined."""
    labels: Annotated[list[Key], Field(max_length=40)]
    """The words that its marketers may put on customers."""
    customers: Annotated[int, Computed("count", "customers")]
    """How many customers it has brought."""
    joined_at: datetime
    """When it became a client."""


class Attribute(Part):
    """The value of one of the brand's fields."""

    key: Key
    """The key of its definition in `brands.fields`."""
    value: Annotated[str, Field(max_length=200)] | int | bool
    """Of the type that the definition says."""


class RecentEvent(Part):
    """One of the newest traces, as the profile shows it."""

    type: EventType
    """What happened."""
    at: datetime
    """When."""
    channel: Literal["web", "mail", "sms", "messenger", "social"]
    """Where."""


class ConsentState(Part):
    """Over which channels the customer may be addressed now."""

    mail: bool
    """By mail."""
    sms: bool
    """By SMS."""
    messenger: bool
    """By messenger."""
    social: bool
    """By adverts to this person on social networks."""


class Customer(BaseMongoDbDocumentSchema):
    """A person, as one brand knows it."""

    brand_id: BrandId
    """Whose customer."""
    number: Key
    """The brand's own key of the customer; unique in the brand."""
    name: Name
    """Given and family name."""
    email: Annotated[str, Field(max_length=254)]
    """Where mail goes."""
    phone: Annotated[str, Field(max_length=24)] | None
    """Where SMS go, if the customer has said so."""
    city: Name
    """Where the customer lives."""
    attributes: Annotated[list[Attribute], Field(max_length=60)]
    """What the brand's own fields say about the customer."""
    labels: Annotated[list[Key], Field(max_length=30)]
    """Words from `brands.labels`."""
    segment_ids: Annotated[
        list[
            Annotated[PyObjectId, Reference("segments", why="a customer is in few, a segment has millions")]
        ],
        Field(max_length=30),
    ]
    """The segments that the customer is in, as of the last event or save."""
    consent: ConsentState
    """What `consents` comes to."""
    engagement_score: Annotated[int, Field(ge=0, le=100)]
    """0 to 100: the weights of the customer's acts, halved for every 30 days since."""
    lifetime_value: Annotated[Money, Computed("sum", "events.amount", where={"type": "purchase"})]
    """What all purchases came to."""
    orders: Annotated[int, Computed("count", "events", where={"type": "purchase"})]
    """How many there were."""
    preferred_channel: Channel | None
    """The one over which most messages were opened; null if none was."""
    last_activity_at: Annotated[datetime | None, Computed("max", "events.at", where={"own_act": True})]
    """When the customer last did something; null if never."""
    recent: Annotated[list[RecentEvent], Field(max_length=10)]
    """The newest traces, the newest first."""
    joined_at: Annotated[datetime, NotBefore("brand_id.joined_at")]
    """When the brand brought the customer."""
    schema_version: Literal[1]
    """Of the documents' shape."""


class PageView(Part):
    """A page that was looked at."""

    kind: Literal["page"]
    """The shape."""
    path: Annotated[str, Field(max_length=200)]
    """Of the address."""
    device: Literal["phone", "desktop", "tablet"]
    """What it was looked at on."""


class SearchDetails(Part):
    """A search in the shop."""

    kind: Literal["search"]
    """The shape."""
    words: Annotated[str, Field(max_length=200)]
    """What was typed."""
    results: Count
    """How many products were found."""


class CartDetails(Part):
    """A product that was put into the cart."""

    kind: Literal["cart"]
    """The shape."""
    product: Name
    """Which."""
    quantity: Annotated[int, Field(ge=1, le=99)]
    """How many."""


class OrderDetails(Part):
    """A purchase."""

    kind: Literal["order"]
    """The shape."""
    order_number: Key
    """The shop's number of the order."""
    products: Annotated[list[Name], Field(min_length=1, max_length=30)]
    """What was bought."""


class MessageDetails(Part):
    """What became of a message."""

    kind: Literal["message"]
    """The shape."""
    variant: Literal["A", "B", "C", "D"]
    """Which text of the campaign it had."""


class ChatDetails(Part):
    """A talk over a messenger."""

    kind: Literal["chat"]
    """The shape."""
    topic: Literal["order", "return", "size", "stock", "complaint", "other"]
    """What it was about."""
    replies: Count
    """How often the customer wrote."""


class FollowDetails(Part):
    """A customer began to follow the brand."""

    kind: Literal["follow"]
    """The shape."""
    network: Literal["instagram", "tiktok", "facebook", "youtube"]
    """Where."""


class Event(BaseMongoDbDocumentSchema):
    """One trace of a customer; the collector makes its `_id`, so that a repeated report is refused."""

    brand_id: BrandId
    """Whose customer's."""
    customer_id: Annotated[PyObjectId, Reference("customers", why="traces grow without end")]
    """Who left it."""
    type: EventType
    """What happened."""
    at: Annotated[datetime, NotBefore("customer_id.joined_at")]
    """When."""
    channel: Literal["web", "mail", "sms", "messenger", "social"]
    """Where."""
    own_act: bool
    """Whether the customer did it; a delivery is none."""
    campaign_id: Annotated[
        PyObjectId | None,
        Reference("campaigns", why="a campaign has millions of traces, and is read without them"),
    ] = None
    """The campaign that led to it; absent if none did."""
    amount: Money | None = None
    """What a purchase came to; absent else."""
    details: Annotated[
        PageView | SearchDetails | CartDetails | OrderDetails | MessageDetails | ChatDetails | FollowDetails,
        Field(discriminator="kind"),
    ]
    """What belongs to this type."""


class Rule(Part):
    """One condition of a segment."""

    on: Literal["field", "label", "score", "value", "orders", "activity", "joined"]
    """What it looks at."""
    key: Key | None
    """Of a field its key, of a label the word; null else."""
    operator: Literal["is", "at_least", "at_most", "within_days", "not_within_days"]
    """How it compares."""
    text: Name | None
    """With which text; null for a label and for numbers."""
    number: Count | None
    """With how many points, units of money, orders or days; null for texts and labels."""


class Segment(BaseMongoDbDocumentSchema):
    """A group of a brand's customers, by rules."""

    brand_id: BrandId
    """Whose."""
    name: Name
    """What marketers call it; unique in the brand."""
    rules: Annotated[list[Rule], Field(min_length=1, max_length=12)]
    """All of them hold for a member."""
    created_at: Annotated[datetime, NotBefore("brand_id.joined_at")]
    """When it was defined."""


class Variant(Part):
    """One of the texts that a campaign tries."""

    key: Literal["A", "B", "C", "D"]
    """What messages and counters say."""
    headline: Name
    """The subject, or the first line."""
    share: Annotated[int, Field(ge=1, le=100)]
    """How many of a hundred recipients get it."""


class Booking(Part):
    """An account that posts for a campaign."""

    account_id: Annotated[PyObjectId, Reference("social_accounts", why="brands share the accounts")]
    """Which."""
    username: Annotated[
        Name, Copy("bookings.account_id.username", stale="a day; the nightly update rewrites it")
    ]
    """What the campaign's page shows."""
    price: Money
    """What was agreed for the post, in US cents."""
    post_at: datetime
    """When it goes online."""


class Campaign(BaseMongoDbDocumentSchema):
    """What is sent to a segment over one channel."""

    brand_id: BrandId
    """Whose."""
    segment_id: Annotated[PyObjectId, Reference("segments", why="a segment is sent to again and again")]
    """To whom."""
    name: Name
    """What marketers call it."""
    channel: Channel
    """Over what."""
    status: Literal["draft", "scheduled", "sending", "sent", "cancelled"]
    """How far it is."""
    variants: Annotated[list[Variant], Field(min_length=1, max_length=4)]
    """The texts; their shares come to 100."""
    bookings: Annotated[list[Booking], Field(max_length=20)]
    """Who posts for it."""
    counter_slices: Literal[1, 8]
    """Over how many documents an hour's counters are spread: 8 for audiences above half a million."""
    created_at: Annotated[datetime, NotBefore("segment_id.created_at")]
    """When it was planned."""
    starts_at: Annotated[datetime, NotBefore("created_at")]
    """When its first message is due."""


class Message(BaseMongoDbDocumentSchema):
    """One campaign to one customer."""

    campaign_id: Annotated[PyObjectId, Reference("campaigns", why="up to ten million messages of a campaign")]
    """Of what."""
    campaign_name: Annotated[Name, Copy("campaign_id.name", stale="a day; seldom renamed once it is sent")]
    """What the customer's list shows."""
    channel: Annotated[Channel, Copy("campaign_id.channel", stale="never: fixed when messages are prepared")]
    """Over what."""
    customer_id: Annotated[PyObjectId, Reference("customers", why="two a week, for years")]
    """To whom."""
    variant: Literal["A", "B", "C", "D"]
    """Which text."""
    status: Literal[
        "queued", "bounced", "sent", "delivered", "opened", "clicked", "converted", "unsubscribed"
    ]
    """How far it got."""
    sent_at: datetime | None
    """When it left; null while it is queued."""
    delivered_at: Annotated[datetime | None, NotBefore("sent_at")]
    """When it arrived."""
    opened_at: Annotated[datetime | None, NotBefore("delivered_at")]
    """When it was first opened."""
    clicked_at: Annotated[datetime | None, NotBefore("opened_at")]
    """When its link was first followed."""
    converted_at: Annotated[datetime | None, NotBefore("clicked_at")]
    """When a purchase followed."""
    unsubscribed_at: Annotated[datetime | None, NotBefore("delivered_at")]
    """When its link to unsubscribe was followed."""


class CampaignHour(BaseMongoDbDocumentSchema):
    """The counters of one variant in one hour; of large campaigns, an eighth of them."""

    campaign_id: Annotated[PyObjectId, Reference("campaigns", why="counted up thousands of times a minute")]
    """Of what."""
    hour: datetime
    """The hour's beginning."""
    variant: Literal["A", "B", "C", "D"]
    """Which text."""
    slice: Annotated[int, Field(ge=0, le=7)]
    """Which of the campaign's `counter_slices`."""
    sent: Count
    """Messages that left in this hour."""
    delivered: Count
    """Messages that arrived."""
    opened: Count
    """Messages that were first opened."""
    clicked: Count
    """Messages whose link was first followed."""
    converted: Count
    """Purchases that followed."""
    unsubscribed: Count
    """Recipients who unsubscribed."""
    revenue: Money
    """What the purchases came to."""


class SocialAccount(BaseMongoDbDocumentSchema):
    """An account on a social network that can be booked."""

    username: Key
    """Its name there; unique on its network."""
    network: Literal["instagram", "tiktok", "youtube", "facebook"]
    """Where."""
    kind: Literal["influencer", "page"]
    """A person, or a page about a topic."""
    niche: Literal["fitness", "beauty", "fashion", "pets", "tech", "books", "travel", "food"]
    """What it is about."""
    followers: Count
    """As of the last update."""
    engagement_rate: Annotated[float, Field(ge=0, le=1)]
    """The share of followers that react to a post."""
    price_per_post: Money
    """What a post costs, in US cents."""
    updated_at: datetime
    """When the numbers were fetched."""


class Consent(BaseMongoDbDocumentSchema):
    """A permission given or withdrawn; never changed."""

    customer_id: Annotated[PyObjectId, Reference("customers", why="evidence, read without the profile")]
    """By whom."""
    channel: Channel
    """For what."""
    state: Literal["granted", "withdrawn"]
    """What was said."""
    at: Annotated[datetime, NotBefore("customer_id.joined_at")]
    """When."""
    source: Literal["sign_up", "checkout", "preferences", "unsubscribe_link", "customer_service"]
    """Where."""
    text_version: Annotated[str, Field(max_length=20)]
    """Of the text that was agreed to."""


class DeletionRequest(BaseMongoDbDocumentSchema):
    """A customer's demand to be forgotten."""

    brand_id: BrandId
    """Whose customer."""
    subject: Annotated[str, Field(max_length=64)]
    """A keyed hash of the brand's number: proves the deletion without naming anybody."""
    customer_id: Annotated[
        PyObjectId | None, Reference("customers", why="the customer goes, the request remains")
    ]
    """Who; null once it is done."""
    status: Literal["open", "done"]
    """Whether it is met."""
    erased: Annotated[list[Literal["events", "messages", "consents", "customer"]], Field(max_length=4)]
    """Where nothing is left of the customer."""
    requested_at: Annotated[datetime, NotBefore("brand_id.joined_at")]
    """When it came in."""
    due_at: Annotated[datetime, NotBefore("requested_at")]
    """30 days later."""
    done_at: Annotated[datetime | None, NotBefore("requested_at")]
    """When the last trace was gone; null while it is open."""


database_schema = BaseMongoDbSchema(
    database_name="martech",
    description="Customers, their traces, segments and campaigns of some 600 brands.",
    collections={
        "brands": BaseCollectionSchema(
            document_schema=Brand,
            description="The platform's clients, with the fields and labels that they have defined.",
            indexes=[IndexDefinition(name="slug", keys={"slug": 1}, unique=True)],
        ),
        "customers": BaseCollectionSchema(
            document_schema=Customer,
            description="The brands' customers, with scores, labels and the brands' own fields.",
            shard_key={"brand_id": 1, "number": 1},
            indexes=[
                IndexDefinition(name="brand_number", keys={"brand_id": 1, "number": 1}, unique=True),
                IndexDefinition(
                    name="brand_label_score", keys={"brand_id": 1, "labels": 1, "engagement_score": -1}
                ),
                IndexDefinition(
                    name="brand_attribute",
                    keys={"brand_id": 1, "attributes.key": 1, "attributes.value": 1},
                ),
                IndexDefinition(name="brand_segment", keys={"brand_id": 1, "segment_ids": 1, "_id": 1}),
                IndexDefinition(name="brand_value", keys={"brand_id": 1, "lifetime_value": -1}),
            ],
        ),
        "events": BaseCollectionSchema(
            document_schema=Event,
            description="The customers' traces: visits, purchases, messages, chats, follows.",
            shard_key={"customer_id": 1, "at": 1},
            indexes=[
                IndexDefinition(name="customer_at", keys={"customer_id": 1, "at": 1}),
                IndexDefinition(
                    name="campaign_at",
                    keys={"campaign_id": 1, "at": -1},
                    partial_filter={"campaign_id": {"$exists": True}},
                ),
                IndexDefinition(name="brand_type_at", keys={"brand_id": 1, "type": 1, "at": -1}),
            ],
        ),
        "segments": BaseCollectionSchema(
            document_schema=Segment,
            description="Groups of customers, by rules.",
            indexes=[IndexDefinition(name="brand_name", keys={"brand_id": 1, "name": 1}, unique=True)],
        ),
        "campaigns": BaseCollectionSchema(
            document_schema=Campaign,
            description="What is sent to whom, in which variants, and who posts for it.",
            indexes=[
                IndexDefinition(name="brand_starts", keys={"brand_id": 1, "starts_at": -1}),
                IndexDefinition(
                    name="scheduled", keys={"starts_at": 1}, partial_filter={"status": "scheduled"}
                ),
                IndexDefinition(name="account", keys={"bookings.account_id": 1, "starts_at": -1}),
            ],
        ),
        "messages": BaseCollectionSchema(
            document_schema=Message,
            description="One campaign to one customer, and how far it got.",
            shard_key={"customer_id": 1, "campaign_id": 1},
            indexes=[
                IndexDefinition(
                    name="customer_campaign", keys={"customer_id": 1, "campaign_id": 1}, unique=True
                ),
                IndexDefinition(name="customer_sent", keys={"customer_id": 1, "sent_at": -1}),
                IndexDefinition(
                    name="queued",
                    keys={"campaign_id": 1},
                    partial_filter={"status": "queued"},
                ),
            ],
        ),
        "campaign_hours": BaseCollectionSchema(
            document_schema=CampaignHour,
            description="The counters of campaigns, by hour and variant.",
            indexes=[
                IndexDefinition(
                    name="campaign_hour_variant_slice",
                    keys={"campaign_id": 1, "hour": 1, "variant": 1, "slice": 1},
                    unique=True,
                ),
            ],
        ),
        "social_accounts": BaseCollectionSchema(
            document_schema=SocialAccount,
            description="Influencers and pages that can be booked.",
            indexes=[
                IndexDefinition(name="network_username", keys={"network": 1, "username": 1}, unique=True),
                IndexDefinition(
                    name="niche_engagement",
                    keys={"niche": 1, "engagement_rate": -1, "price_per_post": 1},
                ),
            ],
        ),
        "consents": BaseCollectionSchema(
            document_schema=Consent,
            description="The history of permissions, by channel.",
            indexes=[IndexDefinition(name="customer_at", keys={"customer_id": 1, "at": -1})],
        ),
        "deletion_requests": BaseCollectionSchema(
            document_schema=DeletionRequest,
            description="Demands to be forgotten, and how far they are met.",
            indexes=[
                IndexDefinition(name="open", keys={"due_at": 1}, partial_filter={"status": "open"}),
                IndexDefinition(
                    name="open_customer", keys={"customer_id": 1}, partial_filter={"status": "open"}
                ),
            ],
        ),
    },
    workload=workload,
    volumes={
        "brands": 600,
        "customers": 300_000_000,
        "events": 16_000_000_000,
        "segments": 12_000,
        "campaigns": 100_000,
        "messages": 4_700_000_000,
        "campaign_hours": 20_000_000,
        "social_accounts": 40_000,
        "consents": 900_000_000,
        "deletion_requests": 2_200_000,
    },
)
