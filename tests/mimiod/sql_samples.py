"""Three SQL databases whose keys are known: a record shop, a school, and parties of joined tables.

Each is a `SqlSample`: its tables for any SQL server, its rows (the same ones every time), and its references.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    create_engine,
    text,
)

Rows = dict[str, list[dict[str, Any]]]
Link = tuple[str, tuple[str, ...], str, tuple[str, ...]]
"Table, columns, table referred to, columns there."

SHOP_DDL = (Path(__file__).parents[2] / "projects" / "record_shop" / "brief.sql").read_text()

_CITIES = [("Lyon", "France"), ("Graz", "Austria"), ("Porto", "Portugal"), ("Oslo", "Norway")]
_FIRST = ["Ada", "Bea", "Cem", "Dan", "Eva", "Finn", "Gia", "Hana", "Ivo", "Jana", "Kai", "Lea", "Mio"]
_LAST = ["Abel", "Brun", "Costa", "Dahl", "Egger", "Faria", "Gruber", "Holm", "Ito", "Jensen", "Kern"]
_WORDS = ["Night", "River", "Stone", "Golden", "Paper", "Winter", "Silent", "Electric", "Blue", "Last"]


@dataclass(frozen=True)
class SqlSample:
    """A database that can be made on any SQL server."""

    name: str
    metadata: MetaData
    made: Callable[[], Rows]

    def rows(self) -> Rows:
        """Its rows by table, parents first but for cycles."""
        return self.made()

    @property
    def links(self) -> frozenset[Link]:
        """Its foreign keys."""
        return frozenset(
            (
                table.name,
                tuple(column.name for column in key.columns),
                key.referred_table.name,
                tuple(element.column.name for element in key.elements),
            )
            for table in self.metadata.tables.values()
            for key in table.foreign_key_constraints
        )

    def create(self, database: str | Connection) -> None:
        """Make the tables and rows in an empty database, given by a URL or a connection."""
        if isinstance(database, str):
            engine = create_engine(re.sub(r"^postgresql:", "postgresql+psycopg2:", database))
            try:
                with engine.begin() as connection:
                    self.create(connection)
            finally:
                engine.dispose()
            return
        self.metadata.create_all(database)
        fill(database, self)


def samples() -> list[SqlSample]:
    """Return all three."""
    return [shop(), school(), parties()]


def fill(connection: Connection, sample: SqlSample) -> None:
    """Insert the rows of a sample; what closes a cycle is set afterwards."""
    dialect = connection.dialect.name
    late = {
        (table.name, key.columns.keys()[0])
        for table in sample.metadata.tables.values()
        for key in table.foreign_key_constraints
        if key.use_alter or key.referred_table is table
    }
    rows = sample.rows()
    for name, held in rows.items():
        table = sample.metadata.tables[name]
        plain = [{key: _plain(value, dialect) for key, value in row.items()} for row in held]
        first = [{k: None if (name, k) in late else v for k, v in row.items()} for row in plain]
        named = ", ".join(f":{column}" for column in first[0])
        connection.execute(text(f"INSERT INTO {name} ({', '.join(first[0])}) VALUES ({named})"), first)
        rows[name] = plain
        assert list(first[0]) == table.columns.keys()
    for name, column in sorted(late):
        table = sample.metadata.tables[name]
        keys = table.primary_key.columns.keys()
        where = " AND ".join(f"{key} = :{key}" for key in keys)
        for row in rows[name]:
            if row[column] is not None:
                some = {column: row[column], **{key: row[key] for key in keys}}
                connection.execute(text(f"UPDATE {name} SET {column} = :{column} WHERE {where}"), some)


def sqlite_file(sample: SqlSample, path: Path) -> str:
    """Make a SQLite file of a sample, and return its URL."""
    url = f"sqlite:///{path}"
    sample.create(url)
    return url


def _plain(value: Any, dialect: str) -> Any:
    if isinstance(value, UUID) and dialect != "postgresql":
        return str(value)
    if dialect == "sqlite" and isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if dialect == "sqlite" and isinstance(value, date | Decimal):
        return str(value)
    return value


def _moment(draws: Random, year: int = 2024) -> datetime:
    return datetime(year, 1, 1) + timedelta(minutes=draws.randrange(365 * 24 * 60))  # noqa: DTZ001 - as SQL has it


def shop() -> SqlSample:
    """A record shop, as `SHOP_DDL` declares it: integers as keys, each from 1."""
    metadata = MetaData()
    price = Numeric(10, 2)

    def key(name: str) -> Column[Any]:
        return Column(name, Integer, primary_key=True, autoincrement=False)

    Table("artists", metadata, key("artist_id"), Column("name", String(120), nullable=False))
    Table(
        "albums",
        metadata,
        key("album_id"),
        Column("title", String(160), nullable=False),
        Column("artist_id", ForeignKey("artists.artist_id"), nullable=False),
    )
    Table("genres", metadata, key("genre_id"), Column("name", String(120), unique=True))
    Table(
        "tracks",
        metadata,
        key("track_id"),
        Column("name", String(200), nullable=False),
        Column("album_id", ForeignKey("albums.album_id")),
        Column("genre_id", ForeignKey("genres.genre_id")),
        Column("composer", String(220)),
        Column("milliseconds", Integer, CheckConstraint("milliseconds > 0"), nullable=False),
        Column("bytes", BigInteger),
        Column("unit_price", price, nullable=False),
        Index("ix_tracks_album", "album_id"),
    )
    Table(
        "employees",
        metadata,
        key("employee_id"),
        Column("last_name", String(20), nullable=False),
        Column("first_name", String(20), nullable=False),
        Column("title", String(30)),
        Column("reports_to", ForeignKey("employees.employee_id")),
        Column("birth_date", DateTime),
        Column("hire_date", DateTime),
        Column("email", String(60), unique=True),
    )
    Table(
        "customers",
        metadata,
        key("customer_id"),
        Column("first_name", String(40), nullable=False),
        Column("last_name", String(20), nullable=False),
        Column("company", String(80)),
        Column("address", String(70)),
        Column("city", String(40)),
        Column("country", String(40)),
        Column("postal_code", String(10)),
        Column("phone", String(24)),
        Column("email", String(60), nullable=False, unique=True),
        Column("support_rep_id", ForeignKey("employees.employee_id")),
    )
    Table(
        "invoices",
        metadata,
        key("invoice_id"),
        Column("customer_id", ForeignKey("customers.customer_id"), nullable=False),
        Column("invoice_date", DateTime, nullable=False),
        Column("billing_city", String(40)),
        Column("billing_country", String(40)),
        Column("total", price, nullable=False),
        Index("ix_invoices_customer", "customer_id", "invoice_date"),
    )
    Table(
        "invoice_lines",
        metadata,
        key("invoice_line_id"),
        Column("invoice_id", ForeignKey("invoices.invoice_id"), nullable=False),
        Column("track_id", ForeignKey("tracks.track_id"), nullable=False),
        Column("unit_price", price, nullable=False),
        Column("quantity", Integer, CheckConstraint("quantity > 0"), nullable=False),
    )
    Table("playlists", metadata, key("playlist_id"), Column("name", String(120)))
    Table(
        "playlist_tracks",
        metadata,
        Column("playlist_id", ForeignKey("playlists.playlist_id"), primary_key=True),
        Column("track_id", ForeignKey("tracks.track_id"), primary_key=True),
    )
    return SqlSample("shop", metadata, _shop_rows)


def _shop_rows() -> Rows:
    draws = Random(11)
    rows: Rows = {
        "artists": [
            {"artist_id": n, "name": f"{draws.choice(_FIRST)} & the {draws.choice(_WORDS)}s {n}"}
            for n in range(1, 41)
        ],
        "albums": [
            {"album_id": n, "title": f"{draws.choice(_WORDS)} {n}", "artist_id": draws.randint(1, 40)}
            for n in range(1, 81)
        ],
        "genres": [
            {"genre_id": n, "name": name}
            for n, name in enumerate(["Rock", "Jazz", "Metal", "Blues", "Latin", "Pop", "Classical"], 1)
        ],
        "tracks": [
            {
                "track_id": n,
                "name": f"{draws.choice(_WORDS)} {draws.choice(_WORDS)} {n}",
                "album_id": draws.randint(1, 80) if draws.random() < 0.95 else None,
                "genre_id": min(7, 1 + int(draws.expovariate(0.6))),
                "composer": draws.choice(_LAST) if draws.random() < 0.7 else None,
                "milliseconds": (length := draws.randint(90_000, 480_000)),
                "bytes": length * 33 if draws.random() < 0.9 else None,
                "unit_price": Decimal("0.99") if draws.random() < 0.9 else Decimal("1.99"),
            }
            for n in range(1, 401)
        ],
        "employees": [
            {
                "employee_id": n,
                "last_name": _LAST[n],
                "first_name": _FIRST[n],
                "title": ["General Manager", "Sales Manager", "Sales Support Agent"][min(n - 1, 2)],
                "reports_to": None if n == 1 else 1 if n == 2 else 2,
                "birth_date": _moment(draws, 1970 + n).replace(hour=0, minute=0),
                "hire_date": _moment(draws, 2010 + n).replace(hour=0, minute=0),
                "email": f"{_FIRST[n].lower()}@shop.example",
            }
            for n in range(1, 9)
        ],
        "customers": [],
        "invoices": [],
        "invoice_lines": [],
        "playlists": [{"playlist_id": n, "name": f"{draws.choice(_WORDS)} mix {n}"} for n in range(1, 16)],
        "playlist_tracks": [
            {"playlist_id": n, "track_id": track}
            for n in range(1, 16)
            for track in sorted(draws.sample(range(1, 401), draws.randint(5, 40)))
        ],
    }
    for n in range(1, 61):
        city, country = draws.choice(_CITIES)
        first, last = draws.choice(_FIRST), draws.choice(_LAST)
        rows["customers"].append(
            {
                "customer_id": n,
                "first_name": first,
                "last_name": last,
                "company": f"{last} Ltd." if draws.random() < 0.3 else None,
                "address": f"{draws.randint(1, 99)} {draws.choice(_WORDS)} Street",
                "city": city,
                "country": country,
                "postal_code": f"{draws.randint(1000, 9999)}",
                "phone": f"+43 1 {draws.randint(100000, 999999)}" if draws.random() < 0.8 else None,
                "email": f"{first}.{last}.{n}@mail.example".lower(),
                "support_rep_id": draws.randint(3, 8),
            }
        )
    for n in range(1, 241):
        customer = draws.choice(rows["customers"][:-5])
        tracks = draws.sample(rows["tracks"], draws.randint(1, 6))
        lines = [
            {
                "invoice_line_id": len(rows["invoice_lines"]) + position,
                "invoice_id": n,
                "track_id": track["track_id"],
                "unit_price": track["unit_price"],
                "quantity": draws.choice([1, 1, 1, 2]),
            }
            for position, track in enumerate(tracks, 1)
        ]
        rows["invoice_lines"] += lines
        rows["invoices"].append(
            {
                "invoice_id": n,
                "customer_id": customer["customer_id"],
                "invoice_date": _moment(draws),
                "billing_city": customer["city"],
                "billing_country": customer["country"],
                "total": sum((line["unit_price"] * line["quantity"] for line in lines), Decimal(0)),
            }
        )
    return rows


def school() -> SqlSample:
    """A school: keys of several columns, many-to-many, self references, and keys in a circle."""
    metadata = MetaData()
    code = String(4)
    Table(
        "departments",
        metadata,
        Column("department_code", code, primary_key=True),
        Column("name", String(60), nullable=False, unique=True),
        Column(
            "head_id",
            Integer,
            ForeignKey("teachers.teacher_id", name="fk_departments_head", use_alter=True),
        ),
    )
    Table(
        "teachers",
        metadata,
        Column("teacher_id", Integer, primary_key=True, autoincrement=False),
        Column("name", String(80), nullable=False),
        Column("department_code", code, ForeignKey("departments.department_code"), nullable=False),
        Column("mentor_id", Integer, ForeignKey("teachers.teacher_id")),
        Column("hired_on", Date, nullable=False),
        Column("salary", Numeric(9, 2), CheckConstraint("salary BETWEEN 1000 AND 20000"), nullable=False),
    )
    Table(
        "students",
        metadata,
        Column("student_no", String(12), primary_key=True),
        Column("name", String(80), nullable=False),
        Column("born_on", Date),
        Column("email", String(80), nullable=False, unique=True),
        Column("level", String(12), CheckConstraint("level IN ('bachelor', 'master', 'doctoral')")),
    )
    Table(
        "rooms",
        metadata,
        Column("building", String(10), primary_key=True),
        Column("room_no", Integer, primary_key=True, autoincrement=False),
        Column("seats", SmallInteger, nullable=False),
    )
    Table(
        "courses",
        metadata,
        Column("department_code", code, ForeignKey("departments.department_code"), primary_key=True),
        Column("course_no", Integer, primary_key=True, autoincrement=False),
        Column("title", String(120), nullable=False),
        Column("credits", SmallInteger, CheckConstraint("credits >= 1 AND credits <= 12"), nullable=False),
    )
    Table(
        "course_prerequisites",
        metadata,
        Column("department_code", code, primary_key=True),
        Column("course_no", Integer, primary_key=True, autoincrement=False),
        Column("needs_department_code", code, primary_key=True),
        Column("needs_course_no", Integer, primary_key=True, autoincrement=False),
        ForeignKeyConstraint(
            ["department_code", "course_no"], ["courses.department_code", "courses.course_no"]
        ),
        ForeignKeyConstraint(
            ["needs_department_code", "needs_course_no"], ["courses.department_code", "courses.course_no"]
        ),
    )
    Table(
        "sections",
        metadata,
        Column("department_code", code, primary_key=True),
        Column("course_no", Integer, primary_key=True, autoincrement=False),
        Column("term", String(6), primary_key=True),
        Column("section_no", Integer, primary_key=True, autoincrement=False),
        Column("teacher_id", Integer, ForeignKey("teachers.teacher_id"), nullable=False),
        Column("building", String(10)),
        Column("room_no", Integer),
        ForeignKeyConstraint(
            ["department_code", "course_no"], ["courses.department_code", "courses.course_no"]
        ),
        ForeignKeyConstraint(["building", "room_no"], ["rooms.building", "rooms.room_no"]),
    )
    Table(
        "enrollments",
        metadata,
        Column("student_no", String(12), ForeignKey("students.student_no"), primary_key=True),
        Column("department_code", code, primary_key=True),
        Column("course_no", Integer, primary_key=True, autoincrement=False),
        Column("term", String(6), primary_key=True),
        Column("section_no", Integer, primary_key=True, autoincrement=False),
        Column("enrolled_on", Date, nullable=False),
        Column("grade", Numeric(3, 1)),
        ForeignKeyConstraint(
            ["department_code", "course_no", "term", "section_no"],
            ["sections.department_code", "sections.course_no", "sections.term", "sections.section_no"],
        ),
    )
    Table(
        "clubs",
        metadata,
        Column("club_id", Integer, primary_key=True, autoincrement=False),
        Column("name", String(60), nullable=False, unique=True),
        Column("president_no", String(12), ForeignKey("students.student_no")),
    )
    Table(
        "club_members",
        metadata,
        Column("club_id", Integer, ForeignKey("clubs.club_id"), primary_key=True, autoincrement=False),
        Column("student_no", String(12), ForeignKey("students.student_no"), primary_key=True),
    )
    return SqlSample("school", metadata, _school_rows)


def _school_rows() -> Rows:
    draws = Random(12)
    codes = {"MATH": "Mathematics", "PHYS": "Physics", "HIST": "History", "BIOL": "Biology", "ARTS": "Arts"}
    teachers: list[dict[str, Any]] = [
        {
            "teacher_id": 100 + n,
            "name": f"{draws.choice(_FIRST)} {draws.choice(_LAST)}",
            "department_code": list(codes)[n % 5],
            "mentor_id": 100 + draws.randrange(n) if n > 4 and draws.random() < 0.7 else None,
            "hired_on": _moment(draws, 2000 + n % 20).date(),
            "salary": Decimal(draws.randint(200_000, 900_000)) / 100,
        }
        for n in range(30)
    ]
    students: list[dict[str, Any]] = [
        {
            "student_no": f"S{2020 + n % 5}-{n:05}",
            "name": f"{draws.choice(_FIRST)} {draws.choice(_LAST)}",
            "born_on": _moment(draws, 2000 + n % 6).date() if draws.random() < 0.9 else None,
            "email": f"s{n}@school.example",
            "level": draws.choices(["bachelor", "master", "doctoral"], [6, 3, 1])[0],
        }
        for n in range(150)
    ]
    courses = [
        {
            "department_code": code,
            "course_no": number,
            "title": f"{draws.choice(_WORDS)} {codes[code]} {number}",
            "credits": draws.randint(1, 12),
        }
        for code in codes
        for number in sorted(draws.sample(range(101, 400), 8))
    ]
    rooms = [
        {"building": building, "room_no": floor * 100 + door, "seats": draws.choice([20, 40, 120])}
        for building in ("North", "South")
        for floor in (1, 2)
        for door in range(1, 6)
    ]
    sections = [
        {
            "department_code": course["department_code"],
            "course_no": course["course_no"],
            "term": term,
            "section_no": number,
            "teacher_id": draws.choice(teachers)["teacher_id"],
            **(
                {"building": room["building"], "room_no": room["room_no"]}
                if (room := draws.choice(rooms)) and draws.random() < 0.9
                else {"building": None, "room_no": None}
            ),
        }
        for course in courses
        for term in ("2023W", "2024S")
        for number in range(1, draws.randint(1, 2) + 1)
    ]
    key = ("department_code", "course_no", "term", "section_no")
    return {
        "departments": [
            {
                "department_code": code,
                "name": name,
                "head_id": 100 + position if code != "ARTS" else None,
            }
            for position, (code, name) in enumerate(codes.items())
        ],
        "teachers": teachers,
        "students": students,
        "rooms": rooms,
        "courses": courses,
        "course_prerequisites": [
            {
                "department_code": course["department_code"],
                "course_no": course["course_no"],
                "needs_department_code": other["department_code"],
                "needs_course_no": other["course_no"],
            }
            for position, course in enumerate(courses)
            if position % 8
            for other in draws.sample(courses[position - position % 8 : position], min(2, position % 8))
        ],
        "sections": sections,
        "enrollments": [
            {
                "student_no": student["student_no"],
                **{name: section[name] for name in key},
                "enrolled_on": _moment(draws, 2023).date(),
                "grade": Decimal(draws.randint(10, 50)) / 10 if draws.random() < 0.8 else None,
            }
            for student in students
            for section in draws.sample(sections, draws.randint(0, 8))
        ],
        "clubs": [
            {
                "club_id": n,
                "name": f"{_WORDS[n]} club",
                "president_no": draws.choice(students)["student_no"] if n % 4 else None,
            }
            for n in range(1, 9)
        ],
        "club_members": [
            {"club_id": n, "student_no": student["student_no"]}
            for n in range(1, 9)
            for student in draws.sample(students, draws.randint(3, 25))
        ],
    }


def parties() -> SqlSample:
    """Persons and companies that are parties (joined tables), with details 1:1 and UUIDs as keys."""
    metadata = MetaData()
    uuid = Uuid().with_variant(CHAR(36), "sqlite", "mysql", "mariadb")

    def party(name: str, **options: Any) -> Column[Any]:
        return Column(name, uuid, ForeignKey("parties.party_id", ondelete="CASCADE"), **options)

    Table(
        "parties",
        metadata,
        Column("party_id", uuid, primary_key=True),
        Column("kind", String(10), CheckConstraint("kind IN ('person', 'company')"), nullable=False),
        Column("country", CHAR(2), nullable=False),
        Column("created_at", DateTime, nullable=False),
    )
    Table(
        "persons",
        metadata,
        party("party_id", primary_key=True),
        Column("first_name", String(40), nullable=False),
        Column("last_name", String(40), nullable=False),
        Column("born_on", Date),
    )
    Table(
        "companies",
        metadata,
        party("party_id", primary_key=True),
        Column("legal_name", String(120), nullable=False),
        Column("register_no", String(20), nullable=False, unique=True),
        Column("founder_id", uuid, ForeignKey("persons.party_id")),
    )
    Table(
        "passports",
        metadata,
        Column("passport_no", String(9), primary_key=True),
        Column("person_id", uuid, ForeignKey("persons.party_id"), nullable=False, unique=True),
        Column("expires_on", Date, nullable=False),
    )
    Table(
        "addresses",
        metadata,
        Column("address_id", uuid, primary_key=True),
        party("party_id", nullable=False),
        Column("purpose", String(10), CheckConstraint("purpose IN ('home', 'work', 'billing')")),
        Column("street", String(80), nullable=False),
        Column("city", String(40), nullable=False),
        Index("ix_addresses_party", "party_id"),
    )
    Table(
        "employments",
        metadata,
        Column("person_id", uuid, ForeignKey("persons.party_id"), primary_key=True),
        Column("company_id", uuid, ForeignKey("companies.party_id"), primary_key=True),
        Column("role", String(40), nullable=False),
        Column("since", Date, nullable=False),
    )
    Table(
        "accounts",
        metadata,
        Column("account_id", uuid, primary_key=True),
        Column("owner_id", uuid, ForeignKey("parties.party_id"), nullable=False),
        Column(
            "status", String(8), CheckConstraint("status IN ('open', 'frozen', 'closed')"), nullable=False
        ),
        Column("balance", Numeric(14, 2), nullable=False),
        Column("opened_on", Date, nullable=False),
    )
    Table(
        "transfers",
        metadata,
        Column("transfer_id", uuid, primary_key=True),
        Column("from_account_id", uuid, ForeignKey("accounts.account_id"), nullable=False),
        Column("to_account_id", uuid, ForeignKey("accounts.account_id"), nullable=False),
        Column("amount", Numeric(14, 2), CheckConstraint("amount > 0"), nullable=False),
        Column("made_at", DateTime, nullable=False),
        UniqueConstraint("from_account_id", "made_at", "transfer_id"),
    )
    return SqlSample("parties", metadata, _party_rows)


def _party_rows() -> Rows:
    draws = Random(13)

    def uuids(count: int) -> list[UUID]:
        return [UUID(int=draws.getrandbits(128), version=4) for _ in range(count)]

    persons, companies, accounts = uuids(120), uuids(30), uuids(160)
    rows: Rows = {
        "parties": [
            {
                "party_id": key,
                "kind": kind,
                "country": draws.choice(["AT", "PT", "NO"]),
                "created_at": _moment(draws),
            }
            for kind, keys in (("person", persons), ("company", companies))
            for key in keys
        ],
        "persons": [
            {
                "party_id": key,
                "first_name": draws.choice(_FIRST),
                "last_name": draws.choice(_LAST),
                "born_on": _moment(draws, draws.randint(1950, 2004)).date() if draws.random() < 0.9 else None,
            }
            for key in persons
        ],
        "companies": [
            {
                "party_id": key,
                "legal_name": f"{draws.choice(_WORDS)} {draws.choice(_LAST)} {n} Ltd.",
                "register_no": f"FN {draws.randint(100_000, 999_999)}{n:02}",
                "founder_id": draws.choice(persons) if draws.random() < 0.7 else None,
            }
            for n, key in enumerate(companies)
        ],
        "passports": [
            {
                "passport_no": f"P{n:04}{draws.randint(1000, 9999)}",
                "person_id": key,
                "expires_on": _moment(draws, 2030).date(),
            }
            for n, key in enumerate(draws.sample(persons, 70))
        ],
        "addresses": [],
        "employments": [
            {
                "person_id": person,
                "company_id": company,
                "role": draws.choice(["clerk", "engineer", "manager"]),
                "since": _moment(draws, 2020).date(),
            }
            for person in persons
            for company in draws.sample(companies, draws.choice([0, 1, 1, 2]))
        ],
        "accounts": [
            {
                "account_id": key,
                "owner_id": draws.choice(persons + companies),
                "status": draws.choices(["open", "frozen", "closed"], [8, 1, 1])[0],
                "balance": Decimal(draws.randint(-50_000, 5_000_000)) / 100,
                "opened_on": _moment(draws, 2022).date(),
            }
            for key in accounts
        ],
        "transfers": [
            {
                "transfer_id": key,
                "from_account_id": draws.choice(accounts[:140]),
                "to_account_id": draws.choice(accounts),
                "amount": Decimal(draws.randint(1, 900_000)) / 100,
                "made_at": _moment(draws),
            }
            for key in uuids(400)
        ],
    }
    for party in persons + companies:
        for purpose in draws.sample(["home", "work", "billing"], draws.randint(0, 3)):
            city, _ = draws.choice(_CITIES)
            address = {
                "address_id": uuids(1)[0],
                "party_id": party,
                "purpose": purpose,
                "street": f"{draws.randint(1, 99)} {draws.choice(_WORDS)} Lane",
                "city": city,
            }
            rows["addresses"].append(address)
    return rows
