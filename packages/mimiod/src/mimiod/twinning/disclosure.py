"""What of a database may be told: what `k` documents or more share, and nothing that identifies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mimiod.inspecting.forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

K = 10
"Documents that have to share what is told."
MOST_CATEGORIES = 500
"Different texts of one field that may still be categories."
LONGEST_CATEGORY = 60
"Characters."
COVERED = 0.8
"The share of the texts that has to be in categories that may be told; else they are no categories."

PERSONAL_FORMS = frozenset({"email", "phone", "url", "uuid", "object_id", "ip_address"})
_PERSONAL = frozenset([
    "address", "birthday", "card", "contact", "dob", "email", "fax", "fingerprint", "iban", "imei", "ip",
    "latitude", "licence", "license", "login", "longitude", "mail", "mobile", "msisdn", "nickname",
    "passport", "password", "phone", "pin", "plate", "postcode", "secret", "ssn", "street", "surname",
    "tax", "telephone", "token", "user", "username", "vat", "vin", "zip",
])  # fmt: skip
_PERSONS = frozenset([
    "agent", "applicant", "approver", "assignee", "author", "borrower", "buyer", "client", "contact",
    "creator", "customer", "doctor", "driver", "editor", "employee", "guest", "holder", "investor",
    "lender", "manager", "member", "name", "nurse", "owner", "passenger", "patient", "payee", "payer",
    "person", "player", "recipient", "referrer", "rep", "reporter", "reviewer", "seller", "sender",
    "signatory", "student", "teacher", "tenant", "tutor", "user", "visitor",
])  # fmt: skip
_IDENTIFYING = frozenset([
    "account", "fk", "guid", "handle", "id", "identifier", "ids", "iban", "imei", "key", "keys", "msisdn",
    "no", "nr", "num", "number", "numbers", "oid", "passport", "phone", "plate", "reference", "ref", "refs",
    "serial", "ssn", "tax", "token", "uuid", "vat", "vin",
])  # fmt: skip
_KINDS = frozenset([
    "brand", "category", "channel", "class", "country", "currency", "group", "kind", "language", "level",
    "locale", "method", "mode", "network", "plan", "provider", "role", "state", "status", "tier", "type",
])  # fmt: skip
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_DATA = re.compile(
    "|".join(f"(?:{FORMS[name]})" for name in ("email", "url", "object_id", "iso_date")).replace("(?i)", "")
)
_NUMBER = re.compile(r"\d{5,}")
_GEO = frozenset(
    {"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"}
)


def words_of(name: str) -> list[str]:
    """Return the words of a field's name in small letters."""
    return [word.lower() for word in _WORDS.findall(name)]


def is_personal(path: Sequence[str]) -> bool:
    """Return whether a field's name says that its texts are about somebody: then none of them is told."""
    words = [words_of(name) for name in path if name != "*"]
    if not words or not words[-1] or words[-1][-1] in _KINDS:
        return False
    return bool(_PERSONAL & set(words[-1])) or words[-1][-1] in _PERSONS


def is_identifying(path: Sequence[str]) -> bool:
    """Return whether a field's name says that its values stand for one thing each."""
    words = words_of(path[-1]) if path else []
    return bool(words) and words[-1] in _IDENTIFYING


def is_data(name: str) -> bool:
    """Return whether the name of a field is no name but data, such as an e-mail address."""
    return bool(_DATA.fullmatch(name) or _NUMBER.search(name))


def categories(
    path: Sequence[str], counts: Mapping[str, tuple[int, int]], total: int, forms: Mapping[str, float], k: int
) -> dict[str, int] | None:
    """Return the texts that may be told, with how often each occurs; None if the field has no categories.

    Args:
        path: the field's names.
        counts: how often each text occurs, and in how many documents.
        total: how many texts there are.
        forms: the known forms that they have.
        k: documents that have to share one.
    """
    if path[-1:] == ("type",) and set(counts) <= _GEO:
        return {text: count for text, (count, _) in counts.items()}
    if PERSONAL_FORMS & forms.keys() or is_personal(path) or is_identifying(path):
        return None
    told = {text: count for text, (count, documents) in counts.items() if documents >= k}
    return told if sum(told.values()) >= COVERED * total and told else None
