"""The schema of `record_shop`: a catalogue, customers, and what they bought."""

from datetime import datetime
from typing import Annotated, Literal

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
from shop_workload import BY_LETTERS, workload

Name = Annotated[str, Field(min_length=1, max_length=120)]
Title = Annotated[str, Field(min_length=1, max_length=160)]
Cents = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Country = Annotated[str, Field(min_length=2, max_length=2)]
Email = Annotated[str, Field(min_length=6, max_length=60)]

Genre = Literal[
    "Rock",
    "Metal",
    "Alternative & Punk",
    "Pop",
    "Latin",
    "Jazz",
    "Blues",
    "Classical",
    "R&B/Soul",
    "Hip Hop/Rap",
    "Reggae",
    "Electronica/Dance",
    "World",
    "Soundtrack",
    "Easy Listening",
    "Bossa Nova",
    "Heavy Metal",
    "Rock And Roll",
]


class Embedded(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Artist(BaseMongoDbDocumentSchema):
    """Who recorded albums: a band, a singer, an orchestra."""

    name: Name
    """As it stands on the cover; searched without regard to case and accents."""
    albums: Annotated[Count, Computed("count", "albums")]
    """How many albums of the artist the shop has."""


class Album(BaseMongoDbDocumentSchema):
    """A title of one artist."""

    title: Title
    """As it stands on the cover."""
    artist_id: Annotated[
        PyObjectId, Reference("artists", why="an artist's albums grow without end, and are opened one by one")
    ]
    """Who recorded it."""
    artist_name: Annotated[Name, Copy("artist_id.name", stale="a minute; renaming an artist rewrites it")]
    """What every list of albums shows."""
    tracks: Annotated[Count, Computed("count", "tracks")]
    """How many tracks it has."""
    milliseconds: Annotated[Count, Computed("sum", "tracks.milliseconds")]
    """How long they play."""
    price: Annotated[Cents, Computed("sum", "tracks.unit_price")]
    """What all of them cost now, in cents."""


class Track(BaseMongoDbDocumentSchema):
    """One recording: what is sold."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """Its title; searched without regard to case and accents."""
    album_id: Annotated[
        PyObjectId,
        Reference("albums", why="searched, browsed, sold and put into playlists without its album"),
    ]
    """The album that it is on."""
    position: Annotated[int, Field(ge=1, le=60)]
    """Its place on the album, from 1."""
    album_title: Annotated[Title, Copy("album_id.title", stale="a minute; correcting an album rewrites it")]
    """What lists of tracks show."""
    artist_name: Annotated[
        Name, Copy("album_id.artist_name", stale="a minute; renaming an artist rewrites it")
    ]
    """What lists of tracks show, and are sorted by."""
    genre: Genre | None
    """By what the catalogue is browsed; null until somebody has decided."""
    composer: Annotated[str, Field(max_length=220)] | None
    """Who wrote it, as the label says; null where it does not."""
    milliseconds: Annotated[int, Field(gt=0)]
    """How long it plays."""
    bytes: Annotated[int, Field(gt=0)] | None
    """The size of its file; null until the file has come."""
    unit_price: Cents
    """What it costs now, in cents."""
    playlist_ids: Annotated[
        list[PyObjectId],
        Field(max_length=40),
        Reference("playlists", why="a track is in few playlists, a playlist holds up to thousands of tracks"),
    ]
    """The playlists that it is in, in no order."""


class Playlist(BaseMongoDbDocumentSchema):
    """A named set of tracks; which they are stands in the tracks."""

    name: Name
    """By which it is listed."""


class Employee(BaseMongoDbDocumentSchema):
    """Somebody who works here: a node of a tree."""

    first_name: Annotated[str, Field(min_length=1, max_length=20)]
    """The given name."""
    last_name: Annotated[str, Field(min_length=1, max_length=20)]
    """The family name."""
    title: Literal[
        "General Manager",
        "Sales Manager",
        "IT Manager",
        "Catalogue Manager",
        "Support Team Lead",
        "Sales Support Agent",
        "IT Staff",
        "Catalogue Editor",
    ]
    """The role."""
    reports_to: Annotated[PyObjectId | None, Reference("employees", why="a tree; people change superiors")]
    """The superior; null for the one at the top."""
    managers: Annotated[
        list[PyObjectId],
        Field(max_length=5),
        Reference("employees", why="all superiors, so that a whole branch is one equality"),
    ]
    """All superiors, the top first and the direct one last."""
    born_on: datetime
    """The birthday, at midnight."""
    hired_on: Annotated[datetime, NotBefore("born_on")]
    """The first day at work, at midnight."""
    email: Email
    """At work; unique."""


class Address(Embedded):
    """Where a customer lives."""

    street: Annotated[str, Field(max_length=70)]
    """Street and number."""
    city: Annotated[str, Field(max_length=40)]
    """The town."""
    country: Country
    """The country's code of two letters."""
    postal_code: Annotated[str, Field(max_length=10)]
    """In the country's own form."""


class SupportRep(Embedded):
    """Who looks after a customer, as the account page shows it."""

    employee_id: Annotated[
        PyObjectId, Reference("employees", why="shared by many customers, and handed over")
    ]
    """The employee."""
    first_name: Annotated[
        str, Copy("support_rep.employee_id.first_name", stale="a day; a nightly job rewrites it")
    ]
    """What the account page shows."""
    email: Annotated[Email, Copy("support_rep.employee_id.email", stale="a day; a nightly job rewrites it")]
    """Where the customer writes to."""


class RecentInvoice(Embedded):
    """An invoice, as the account page lists it."""

    number: Annotated[str, Field(min_length=1, max_length=20)]
    """The invoice's number, by which it is opened."""
    invoiced_at: datetime
    """When it was made."""
    total: Cents
    """What it came to, in cents."""


class Customer(BaseMongoDbDocumentSchema):
    """Somebody with an account."""

    first_name: Annotated[str, Field(min_length=1, max_length=40)]
    """The given name."""
    last_name: Annotated[str, Field(min_length=1, max_length=20)]
    """The family name."""
    company: Annotated[str, Field(max_length=80)] | None
    """For whom the customer buys, if not privately."""
    address: Address
    """For the next invoice."""
    phone: Annotated[str, Field(max_length=24)] | None
    """If the customer gave one."""
    email: Email
    """For signing in; unique."""
    support_rep: SupportRep
    """Whom the customer turns to."""
    invoices: Annotated[Count, Computed("count", "invoices")]
    """How many purchases there have been."""
    spent: Annotated[Cents, Computed("sum", "invoices.total")]
    """What they came to, in cents."""
    last_invoice_at: Annotated[datetime | None, Computed("max", "invoices.invoiced_at")]
    """When the newest was made; null before the first."""
    recent_invoices: Annotated[list[RecentInvoice], Field(max_length=5)]
    """The five newest, the newest first; all are in `invoices`."""


class Billing(Embedded):
    """Where an invoice went."""

    city: Annotated[str, Field(max_length=40)]
    """The town, then."""
    country: Country
    """The country's code, then."""


class Line(Embedded):
    """One track on an invoice, as it was when it was sold."""

    track_id: Annotated[PyObjectId, Reference("tracks", why="shared; the line keeps what was sold, itself")]
    """The track."""
    name: Annotated[str, Field(max_length=200)]
    """Its title, then."""
    artist_name: Name
    """Its artist's name, then."""
    unit_price: Cents
    """Its price, then, in cents."""
    quantity: Annotated[int, Field(gt=0, le=100)]
    """How many copies: more than one for companies and gifts."""
    amount: Cents
    """Price times copies, in cents."""


class Invoice(BaseMongoDbDocumentSchema):
    """One purchase; never changed."""

    number: Annotated[str, Field(min_length=1, max_length=20)]
    """On the invoice, and quoted by customers; unique."""
    customer_id: Annotated[
        PyObjectId, Reference("customers", why="grows with every purchase, and is read by number and day too")
    ]
    """Who bought."""
    support_rep_id: Annotated[
        PyObjectId, Reference("employees", why="whose sale it is: who looked after the customer then")
    ]
    """Who looked after the customer."""
    invoiced_at: datetime
    """When it was bought and paid."""
    billing: Billing
    """Where the invoice went."""
    lines: Annotated[list[Line], Field(min_length=1, max_length=20)]
    """What was bought."""
    copies: Annotated[Count, Computed("sum", "lines.quantity")]
    """How many copies in all."""
    total: Annotated[Cents, Computed("sum", "lines.amount")]
    """What it came to, in cents."""


class DailySales(BaseMongoDbDocumentSchema):
    """What was sold in one country on one day."""

    country: Country
    """Of the invoices' addresses."""
    day: datetime
    """The day's midnight in UTC."""
    invoices: Count
    """How many invoices."""
    copies: Count
    """How many copies."""
    total: Cents
    """What they came to, in cents."""


database_schema = BaseMongoDbSchema(
    database_name="record_shop",
    description="A shop that sells recordings track by track: catalogue, customers, purchases.",
    collections={
        "artists": BaseCollectionSchema(
            document_schema=Artist,
            description="Who recorded the albums.",
            indexes=[IndexDefinition(name="name", keys={"name": 1}, collation=BY_LETTERS)],
        ),
        "albums": BaseCollectionSchema(
            document_schema=Album,
            description="Titles, with what their tracks add up to.",
            indexes=[IndexDefinition(name="artist_title", keys={"artist_id": 1, "title": 1})],
        ),
        "tracks": BaseCollectionSchema(
            document_schema=Track,
            description="What is sold, with what lists show of album and artist.",
            indexes=[
                IndexDefinition(name="album_position", keys={"album_id": 1, "position": 1}, unique=True),
                IndexDefinition(name="name", keys={"name": 1}, collation=BY_LETTERS),
                IndexDefinition(name="genre", keys={"genre": 1, "artist_name": 1, "name": 1}),
                IndexDefinition(name="playlist", keys={"playlist_ids": 1, "artist_name": 1, "name": 1}),
            ],
        ),
        "playlists": BaseCollectionSchema(
            document_schema=Playlist,
            description="Names of sets of tracks.",
            indexes=[IndexDefinition(name="name", keys={"name": 1})],
        ),
        "employees": BaseCollectionSchema(
            document_schema=Employee,
            description="Who works here, each with all superiors.",
            indexes=[
                IndexDefinition(name="email", keys={"email": 1}, unique=True),
                IndexDefinition(name="managers", keys={"managers": 1, "last_name": 1}),
            ],
        ),
        "customers": BaseCollectionSchema(
            document_schema=Customer,
            description="Accounts, with contact, totals and the newest purchases.",
            indexes=[
                IndexDefinition(name="email", keys={"email": 1}, unique=True),
                IndexDefinition(
                    name="support_rep_last",
                    keys={"support_rep.employee_id": 1, "last_invoice_at": -1},
                ),
            ],
        ),
        "invoices": BaseCollectionSchema(
            document_schema=Invoice,
            description="Purchases with their lines, as they were.",
            indexes=[
                IndexDefinition(name="number", keys={"number": 1}, unique=True),
                IndexDefinition(name="customer_invoiced", keys={"customer_id": 1, "invoiced_at": -1}),
                IndexDefinition(name="support_rep_invoiced", keys={"support_rep_id": 1, "invoiced_at": -1}),
                IndexDefinition(name="track_invoiced", keys={"lines.track_id": 1, "invoiced_at": -1}),
                IndexDefinition(name="invoiced", keys={"invoiced_at": -1}),
            ],
        ),
        "daily_sales": BaseCollectionSchema(
            document_schema=DailySales,
            description="Sums of the invoices by country and day.",
            indexes=[IndexDefinition(name="country_day", keys={"country": 1, "day": 1}, unique=True)],
        ),
    },
    workload=workload,
    volumes={
        "artists": 6_000,
        "albums": 14_000,
        "tracks": 160_000,
        "playlists": 300,
        "employees": 48,
        "customers": 60_000,
        "invoices": 450_000,
        "daily_sales": 25_000,
    },
)
