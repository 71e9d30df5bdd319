"""The queries and writes of `record_shop`, by the names of the design's table."""

from datetime import UTC, datetime

from mimiod import Query, Sample

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTH_BEGAN = datetime(2025, 12, 1, tzinfo=UTC)
QUARTER_BEGAN = datetime(2025, 10, 1, tzinfo=UTC)
YEAR_BEGAN = datetime(2025, 1, 1, tzinfo=UTC)

BY_LETTERS = {"locale": "en", "strength": 1}
"""Compares letters only: `BEYONCE` finds `Beyoncé`."""

TRACK_LIST = {"name": 1, "artist_name": 1, "album_title": 1, "milliseconds": 1, "unit_price": 1}
"""What a list of tracks shows."""

catalogue = [
    Query(
        name="artist_by_name",
        collection="artists",
        filter={"name": Sample("artists.name")},
        collation=BY_LETTERS,
        limit=20,
        per_minute=30,
        priority="high",
        latency_ms=20,
        description="Find an artist, whatever the case of the letters",
    ),
    Query(
        name="albums_of_artist",
        collection="albums",
        filter={"artist_id": Sample("albums.artist_id")},
        sort={"title": 1},
        projection={"title": 1, "artist_name": 1, "tracks": 1, "milliseconds": 1, "price": 1},
        limit=100,
        per_minute=60,
        priority="high",
        latency_ms=20,
        description="Open an artist's page",
    ),
    Query(
        name="tracks_of_album",
        collection="tracks",
        filter={"album_id": Sample("tracks.album_id")},
        sort={"position": 1},
        projection={**TRACK_LIST, "position": 1, "composer": 1},
        limit=60,
        per_minute=90,
        priority="high",
        latency_ms=20,
        description="Open an album's page",
    ),
    Query(
        name="tracks_by_name",
        collection="tracks",
        filter={"name": {"$gte": "love", "$lt": "lovf"}},
        sort={"name": 1},
        collation=BY_LETTERS,
        projection=TRACK_LIST,
        limit=20,
        per_minute=120,
        priority="high",
        latency_ms=20,
        description="Find tracks by how their name begins",
    ),
    Query(
        name="tracks_of_genre",
        collection="tracks",
        filter={"genre": Sample("tracks.genre")},
        sort={"artist_name": 1, "name": 1},
        projection=TRACK_LIST,
        limit=50,
        per_minute=40,
        priority="high",
        latency_ms=30,
        description="Browse a genre, by artist and name",
    ),
    Query(
        name="playlists_by_name",
        collection="playlists",
        sort={"name": 1},
        limit=500,
        per_minute=20,
        description="List the playlists",
    ),
    Query(
        name="tracks_of_playlist",
        collection="tracks",
        filter={"playlist_ids": Sample("tracks.playlist_ids")},
        sort={"artist_name": 1, "name": 1},
        projection=TRACK_LIST,
        limit=100,
        per_minute=30,
        priority="high",
        latency_ms=30,
        description="Open a playlist, by artist and name",
    ),
    Query(
        name="publish_album",
        collection="albums",
        action="insert",
        document={
            "title": "",
            "artist_id": Sample("artists._id"),
            "artist_name": Sample("artists.name"),
            "tracks": 0,
            "milliseconds": 0,
            "price": 0,
        },
        per_minute=0.002,
        priority="low",
        description="Take an album into the catalogue",
    ),
    Query(
        name="publish_track",
        collection="tracks",
        action="insert",
        document={
            "name": "",
            "album_id": Sample("albums._id"),
            "position": 60,
            "artist_name": Sample("artists.name"),
            "genre": "Rock",
            "playlist_ids": [],
        },
        per_minute=0.024,
        priority="low",
        description="Take a track into the catalogue",
    ),
    Query(
        name="count_album",
        collection="artists",
        action="update",
        filter={"_id": Sample("artists._id")},
        update={"$inc": {"albums": 1}},
        per_minute=0.002,
        priority="low",
        description="Count a new album for its artist",
    ),
    Query(
        name="count_track",
        collection="albums",
        action="update",
        filter={"_id": Sample("albums._id")},
        update={"$inc": {"tracks": 1, "milliseconds": 245_000, "price": 99}},
        per_minute=0.024,
        priority="low",
        description="Count a new track for its album",
    ),
    Query(
        name="reprice_album",
        collection="albums",
        action="update",
        filter={"_id": Sample("albums._id")},
        update={"$inc": {"price": 30}},
        per_minute=0.014,
        priority="low",
        description="Keep an album's price when a track's changes",
    ),
    Query(
        name="add_to_playlist",
        collection="tracks",
        action="update",
        filter={"_id": Sample("tracks._id"), "playlist_ids.39": {"$exists": False}},
        update={"$addToSet": {"playlist_ids": Sample("playlists._id")}},
        per_minute=0.028,
        priority="low",
        description="Put a track into a playlist",
    ),
    Query(
        name="create_playlist",
        collection="playlists",
        action="insert",
        document={"name": ""},
        per_minute=0.0001,
        priority="low",
        description="Begin a playlist",
    ),
]

customers = [
    Query(
        name="customer_by_email",
        collection="customers",
        filter={"email": Sample("customers.email")},
        limit=1,
        per_minute=15,
        priority="high",
        latency_ms=20,
        description="Open an account: sign-in, or a call to support",
    ),
    Query(
        name="invoices_of_customer",
        collection="invoices",
        filter={"customer_id": Sample("invoices.customer_id")},
        sort={"invoiced_at": -1},
        projection={"number": 1, "invoiced_at": 1, "total": 1},
        limit=50,
        per_minute=2,
        priority="high",
        latency_ms=30,
        description="List all purchases of a customer, the newest first",
    ),
    Query(
        name="invoice_by_number",
        collection="invoices",
        filter={"number": Sample("invoices.number")},
        limit=1,
        per_minute=3,
        description="Open an invoice",
    ),
    Query(
        name="customers_of_employee",
        collection="customers",
        filter={"support_rep.employee_id": Sample("customers.support_rep.employee_id")},
        sort={"last_invoice_at": -1},
        projection={"first_name": 1, "last_name": 1, "company": 1, "last_invoice_at": 1},
        limit=50,
        per_minute=2,
        description="List whom an employee looks after, the newest purchase first",
    ),
    Query(
        name="register",
        collection="customers",
        action="insert",
        document={
            "first_name": "",
            "last_name": "",
            "email": "",
            "support_rep": {"employee_id": Sample("employees._id"), "first_name": "", "email": ""},
            "invoices": 0,
            "spent": 0,
            "last_invoice_at": None,
            "recent_invoices": [],
        },
        per_minute=0.023,
        description="Open an account",
    ),
    Query(
        name="purchase",
        collection="invoices",
        action="insert",
        document={
            "number": "20260101-000001",
            "customer_id": Sample("customers._id"),
            "support_rep_id": Sample("employees._id"),
            "invoiced_at": NOW,
            "lines": [{"track_id": Sample("tracks._id"), "unit_price": 99, "quantity": 1, "amount": 99}],
            "copies": 1,
            "total": 99,
        },
        per_minute=0.38,
        priority="high",
        description="Buy",
    ),
    Query(
        name="count_purchase",
        collection="customers",
        action="update",
        filter={"_id": Sample("invoices.customer_id")},
        update={
            "$inc": {"invoices": 1, "spent": 99},
            "$set": {"last_invoice_at": NOW},
            "$push": {
                "recent_invoices": {
                    "$each": [{"number": "20260101-000001", "invoiced_at": NOW, "total": 99}],
                    "$position": 0,
                    "$slice": 5,
                }
            },
        },
        per_minute=0.38,
        priority="high",
        description="Count a purchase for its customer",
    ),
    Query(
        name="hand_over_customer",
        collection="customers",
        action="update",
        filter={"_id": Sample("customers._id")},
        update={
            "$set": {
                "support_rep": {
                    "employee_id": Sample("employees._id"),
                    "first_name": Sample("employees.first_name"),
                    "email": Sample("employees.email"),
                }
            }
        },
        per_minute=0.007,
        priority="low",
        description="Give a customer to another employee",
    ),
]

figures = [
    Query(
        name="team_of_manager",
        collection="employees",
        filter={"managers": Sample("employees.managers")},
        sort={"last_name": 1},
        projection={"first_name": 1, "last_name": 1, "title": 1, "reports_to": 1},
        limit=100,
        per_minute=0.33,
        description="List everybody below a manager",
    ),
    Query(
        name="hire",
        collection="employees",
        action="insert",
        document={
            "email": "",
            "last_name": "",
            "reports_to": Sample("employees._id"),
            "managers": [Sample("employees._id")],
        },
        per_minute=0.00003,
        priority="low",
        description="Employ somebody",
    ),
    Query(
        name="sales_of_employee",
        collection="invoices",
        action="aggregate",
        pipeline=[
            {
                "$match": {
                    "support_rep_id": Sample("invoices.support_rep_id"),
                    "invoiced_at": {"$gte": MONTH_BEGAN, "$lt": NOW},
                }
            },
            {"$group": {"_id": "$support_rep_id", "invoices": {"$sum": 1}, "total": {"$sum": "$total"}}},
        ],
        per_minute=0.5,
        description="An employee's sales this month, for the bonus",
    ),
    Query(
        name="sales_of_track",
        collection="invoices",
        action="aggregate",
        pipeline=[
            {
                "$match": {
                    "lines.track_id": Sample("invoices.lines.track_id"),
                    "invoiced_at": {"$gte": QUARTER_BEGAN, "$lt": NOW},
                }
            },
            {"$unwind": "$lines"},
            {"$match": {"lines.track_id": Sample("invoices.lines.track_id")}},
            {
                "$group": {
                    "_id": "$lines.track_id",
                    "copies": {"$sum": "$lines.quantity"},
                    "total": {"$sum": "$lines.amount"},
                }
            },
        ],
        per_minute=0.04,
        priority="low",
        description="How often a track was sold in a quarter, for its rights holders",
    ),
    Query(
        name="best_sellers",
        collection="invoices",
        action="aggregate",
        pipeline=[
            {"$match": {"invoiced_at": {"$gte": MONTH_BEGAN, "$lt": NOW}}},
            {"$unwind": "$lines"},
            {
                "$group": {
                    "_id": "$lines.track_id",
                    "name": {"$first": "$lines.name"},
                    "artist_name": {"$first": "$lines.artist_name"},
                    "copies": {"$sum": "$lines.quantity"},
                }
            },
            {"$sort": {"copies": -1, "_id": 1}},
            {"$limit": 100},
        ],
        per_minute=0.0007,
        priority="low",
        description="The chart of the past month",
    ),
    Query(
        name="turnover_of_country",
        collection="daily_sales",
        filter={
            "country": Sample("daily_sales.country"),
            "day": {"$gte": YEAR_BEGAN, "$lt": NOW},
        },
        sort={"day": 1},
        projection={"day": 1, "invoices": 1, "total": 1},
        limit=366,
        per_minute=0.5,
        description="A country's turnover by day, over a year",
    ),
    Query(
        name="count_day",
        collection="daily_sales",
        action="update",
        filter={"country": Sample("daily_sales.country"), "day": Sample("daily_sales.day")},
        update={"$inc": {"invoices": 1, "copies": 1, "total": 99}},
        per_minute=0.38,
        description="Count a purchase for its country and day",
    ),
]

workload = [*catalogue, *customers, *figures]
