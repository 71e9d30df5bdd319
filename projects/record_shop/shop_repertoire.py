"""What records are called, and how long they play: artists, albums and tracks, by kind of music."""

from math import gcd

from mimiod.seeding import Choice, Fake, Function, LogNormal, Text, When
from mimiod.seeding.functions import Row
from shop_words import BANDS, STAGES, TITLES, WORKS, Lists

LONGEST = 24
"""Tracks of an album, at most."""

GENRES = {
    "Rock": 24,
    "Metal": 10,
    "Alternative & Punk": 10,
    "Pop": 9,
    "Latin": 10,
    "Jazz": 8,
    "Blues": 5,
    "Classical": 7,
    "R&B/Soul": 5,
    "Hip Hop/Rap": 4,
    "Reggae": 3,
    "Electronica/Dance": 3,
    "World": 2,
    "Soundtrack": 2,
    "Easy Listening": 1,
    "Bossa Nova": 1,
    "Heavy Metal": 3,
    "Rock And Roll": 2,
}
"""The genres and their shares of the artists, in percent."""

_BEST_KNOWN = [
    "Rock",
    "Pop",
    "Rock",
    "Metal",
    "Alternative & Punk",
    "Latin",
    "R&B/Soul",
    "Rock",
    "Hip Hop/Rap",
]
"""The genres of the first artists, who sell most."""

_HARD = ("Metal", "Heavy Metal")
_SOUTHERN = ("Latin", "Bossa Nova", "World")
_SINGERS = ("Pop", "R&B/Soul", "Hip Hop/Rap", "Easy Listening", "Reggae")
_SWINGING = ("Jazz", "Blues")

LENGTHS = When(
    "genre",
    {
        _HARD: LogNormal(310_000, 0.3, low=60_000, high=1_200_000, digits=0),
        ("Classical",): LogNormal(380_000, 0.55, low=60_000, high=1_800_000, digits=0),
        _SWINGING: LogNormal(320_000, 0.4, low=70_000, high=1_500_000, digits=0),
        _SINGERS: LogNormal(215_000, 0.18, low=90_000, high=600_000, digits=0),
        _SOUTHERN: LogNormal(225_000, 0.22, low=80_000, high=700_000, digits=0),
        ("Electronica/Dance",): LogNormal(290_000, 0.35, low=90_000, high=900_000, digits=0),
    },
    otherwise=LogNormal(245_000, 0.25, low=60_000, high=900_000, digits=0),
)
"""How long a track plays, in milliseconds."""

_KINDS = {
    **dict.fromkeys(_HARD, "hard"),
    **dict.fromkeys(_SINGERS, "sung"),
    **dict.fromkeys(_SWINGING, "swinging"),
    "Latin": "spanish",
    "Bossa Nova": "portuguese",
    "World": "portuguese",
}

MOVEMENTS = [(composer, work, movement) for composer, work, movements in WORKS for movement in movements]
FIRSTS = [number for number, (_, work, _) in enumerate(MOVEMENTS) if work != MOVEMENTS[number - 1][1]]
"""Where in the movements a work begins."""


def _named(lists: Lists, number: int) -> str:
    """Return the name of a number: numbers that differ by less than there are names have others."""
    names = sum(len(firsts) * len(seconds) for firsts, seconds in lists)
    step = next(step for step in range(names * 5 // 8, names) if gcd(step, names) == 1)
    place = number * step % names
    for firsts, seconds in lists:
        if place < len(firsts) * len(seconds):
            break
        place -= len(firsts) * len(seconds)
    first, second = divmod(place, len(seconds))
    return f"{firsts[first]} {seconds[second]}"


def _title(genre: str, number: int) -> str:
    return _named(TITLES[_KINDS.get(genre, "rock")], number)


def _artist(row: Row) -> str:
    genre, chance = row["_genre"], row.random
    if genre in _SWINGING:
        return f"{row['_member']}{chance.choice(['', '', ' Trio', ' Quartet', ' Quintet'])}"
    kind = "Metal" if genre in _HARD else genre
    if kind not in BANDS:
        return str(row["_member"])
    the = chance.choice(["", "The "]) if kind.startswith(("Rock", "Alternative")) else ""
    return the + _named(BANDS[kind], row.number)


def _album(row: Row) -> str:
    genre, chance = row["artist_id._genre"], row.random
    if genre == "Classical":
        composer, work, _ = _movement(row["_start"], 1)
        return f"{composer.split()[-1]}: {work.partition(',')[0]}"
    titles = [str(row["artist_name"]), f"Live in {chance.choice(STAGES)}"]
    titles += [_title(genre, row["_start"] + position) for position in range(1, 11)]
    return chance.choice(titles)


def _movement(start: int, position: int) -> tuple[str, str, str]:
    return MOVEMENTS[(FIRSTS[start % len(FIRSTS)] + position - 1) % len(MOVEMENTS)]


def _track(genre: str, start: int, position: int) -> str:
    if genre == "Classical":
        _, work, movement = _movement(start, position)
        return f"{work}: {movement}"
    return _title(genre, start + position)


def _composer(row: Row) -> str | None:
    if row["album_id.artist_id._genre"] == "Classical":
        return _movement(row["album_id._start"], row["position"])[0]
    first, second = row["album_id.artist_id._member"], row["album_id.artist_id._second_member"]
    labels: list[str | None] = [None, first, first, f"{first}, {second}"]
    return row.random.choice(labels)


def member() -> When:
    """Return a draw of a musician's name, by genre."""
    return When(
        "_genre",
        {"Latin": _person("es_MX"), ("Bossa Nova", "World"): _person("pt_BR")},
        otherwise=_person("en_US"),
    )


def _person(locale: str) -> Text:
    return Text("{first} {last}", first=Fake("first_name", locale), last=Fake("last_name", locale))


artist_name = Function(_artist)
album_title = Function(_album)
track_name = Function(_track, "album_id.artist_id._genre", "album_id._start", "position")
composer = Function(_composer)
drawn_genre = Choice(GENRES)
genre = Function(
    lambda row, drawn: drawn if row >= len(_BEST_KNOWN) else _BEST_KNOWN[row], "row", "_drawn_genre"
)
