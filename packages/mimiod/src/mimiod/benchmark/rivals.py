"""The same customer, made by others: a loop over Faker, one over mimesis, and polyfactory."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from bson import ObjectId
from faker import Faker

from mimiod.benchmark.subject import STATUSES, Customer

Make = Callable[[int], list[dict[str, Any]]]
"Makes so many documents."


def rivals() -> dict[str, Make]:
    """Return those that are installed; `mimiod[bench]` has all."""
    found: dict[str, Make] = {"Faker loop": faker_loop()}
    if find_spec("mimesis"):
        found["mimesis loop"] = mimesis_loop()
    if find_spec("polyfactory"):
        found["polyfactory"] = polyfactory()
    return found


def _status() -> str:
    return random.choices(list(STATUSES), list(STATUSES.values()))[0]  # noqa: S311 - sample data


def faker_loop() -> Make:
    """Return a loop that asks Faker for each field of each document."""
    fake = Faker("en_US")
    fake.seed_instance(1)

    def make(count: int) -> list[dict[str, Any]]:
        return [
            {
                "_id": ObjectId(),
                "name": fake.name(),
                "email": fake.email(),
                "phone": fake.phone_number(),
                "address": {
                    "street": fake.street_address(),
                    "city": fake.city(),
                    "zip": fake.postcode(),
                    "state": fake.state_abbr(),
                },
                "company": fake.company(),
                "job": fake.job(),
                "born": fake.date_time_between("-80y", "-18y"),
                "income": fake.random_int(20_000, 200_000),
                "score": fake.random_int(300, 850),
                "status": _status(),
                "tags": fake.words(3),
                "created": fake.date_time_between("-2y", "now"),
                "bio": fake.sentence(),
            }
            for _ in range(count)
        ]

    return make


def mimesis_loop() -> Make:
    """Return a loop that asks mimesis for each field of each document."""
    from mimesis import Generic  # noqa: PLC0415 - an extra

    generic = Generic(seed=1)

    def make(count: int) -> list[dict[str, Any]]:
        return [
            {
                "_id": ObjectId(),
                "name": generic.person.full_name(),
                "email": generic.person.email(),
                "phone": generic.person.phone_number(),
                "address": {
                    "street": generic.address.address(),
                    "city": generic.address.city(),
                    "zip": generic.address.postal_code(),
                    "state": generic.address.state(abbr=True),
                },
                "company": generic.finance.company(),
                "job": generic.person.occupation(),
                "born": generic.datetime.datetime(1945, 2007),
                "income": generic.numeric.integer_number(20_000, 200_000),
                "score": generic.numeric.integer_number(300, 850),
                "status": _status(),
                "tags": generic.text.words(3),
                "created": generic.datetime.datetime(2024, 2025),
                "bio": generic.text.sentence(),
            }
            for _ in range(count)
        ]

    return make


def polyfactory() -> Make:
    """Return polyfactory's documents of the model; their texts are random letters."""
    from polyfactory.factories.pydantic_factory import ModelFactory  # noqa: PLC0415 - an extra

    factory = ModelFactory.create_factory(Customer, id=ObjectId)

    def make(count: int) -> list[dict[str, Any]]:
        return [made.model_dump(by_alias=True) for made in factory.batch(count)]

    return make
