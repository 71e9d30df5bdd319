"""Who works in the shop, and where its customers live."""

import numpy as np
from mimiod.seeding import Choice, Fake, When
from numpy.typing import NDArray

COUNTRIES = {
    "US": (
        30,
        "en_US",
        ["New York", "Chicago", "Boston", "Seattle", "Austin", "Denver", "Portland", "Madison"],
    ),
    "BR": (10, "pt_BR", ["São Paulo", "Rio de Janeiro", "Belo Horizonte", "Recife", "Porto Alegre"]),
    "DE": (9, "de_DE", ["Berlin", "Hamburg", "München", "Köln", "Leipzig", "Stuttgart"]),
    "FR": (9, "fr_FR", ["Paris", "Lyon", "Bordeaux", "Lille", "Dijon", "Toulouse"]),
    "CA": (8, "en_CA", ["Toronto", "Vancouver", "Ottawa", "Edmonton", "Halifax", "Winnipeg"]),
    "GB": (8, "en_GB", ["London", "Manchester", "Edinburgh", "Bristol", "Leeds", "Cardiff"]),
    "IT": (4, "it_IT", ["Roma", "Milano", "Torino", "Bologna", "Napoli"]),
    "ES": (4, "es_ES", ["Madrid", "Barcelona", "Sevilla", "Valencia"]),
    "AU": (4, "en_AU", ["Sydney", "Melbourne", "Brisbane", "Perth"]),
    "NL": (3, "nl_NL", ["Amsterdam", "Utrecht", "Rotterdam", "Groningen"]),
    "IN": (3, "en_IN", ["Mumbai", "Delhi", "Bengaluru", "Pune"]),
    "PT": (3, "pt_PT", ["Lisboa", "Porto", "Coimbra"]),
    "CZ": (3, "cs_CZ", ["Praha", "Brno", "Olomouc"]),
    "SE": (2, "sv_SE", ["Stockholm", "Göteborg", "Malmö"]),
}
"""By code: the share of customers in percent, the language of names and addresses, and towns."""

STAFF = 48
LEADS = range(4, 8)
SUPPORT = range(8, 36)
TECHNICIANS = range(36, 40)
"""Rows of employees; the general manager is the first, then three managers, and editors are the last."""


_VARIETY = 25
"""Values of each kind for each percent of the customers."""


def by_country(provider: str) -> When:
    """Return a draw of Faker's in the language of the customer's country."""
    return When(
        "address.country",
        {
            code: Fake(provider, locale=locale, pool=_VARIETY * weight)
            for code, (weight, locale, _) in COUNTRIES.items()
        },
    )


def cities() -> When:
    """Return a draw of a town in the customer's country."""
    return When("address.country", {code: Choice(towns) for code, (_, _, towns) in COUNTRIES.items()})


def above(row: int) -> list[int]:
    """Return the rows of an employee's superiors, the top first."""
    if row == 0:
        return []
    if row < LEADS.start:
        return [0]
    if row in LEADS:
        return [0, 1]
    if row in SUPPORT:
        return [0, 1, LEADS.start + row % len(LEADS)]
    return [0, 2 if row in TECHNICIANS else 3]


def title(row: int) -> str:
    """Return an employee's role."""
    if row < LEADS.start:
        return ["General Manager", "Sales Manager", "IT Manager", "Catalogue Manager"][row]
    if row in LEADS:
        return "Support Team Lead"
    if row in SUPPORT:
        return "Sales Support Agent"
    return "IT Staff" if row in TECHNICIANS else "Catalogue Editor"


_DAY = 86_400_000
_OPENED = np.datetime64("2008-01-01", "ms").astype(np.int64)
_COMPLETE = np.datetime64("2022-12-01", "ms").astype(np.int64)
"""When the shop opened, and when everybody of today was there."""


def hired(born: NDArray[np.int64], share: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return first days at work, in milliseconds: not before somebody is 19."""
    first = np.maximum(born + 19 * 366 * _DAY, _OPENED)
    return np.asarray((first + share * (_COMPLETE - first)) // _DAY * _DAY, np.int64)
