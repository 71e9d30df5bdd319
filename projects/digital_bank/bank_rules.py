"""The bank's arithmetic, over whole columns: its calendar, its terms and what follows from them.

Moments come as milliseconds since 1970. Days are those of Jakarta, numbered from 1970; amounts are rupiah.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]

RUPIAH = 16_000
"To the US dollar."
LEAST, MOST = 100 * RUPIAH, 1_500 * RUPIAH
CASE_AFTER, WRITE_OFF_AFTER = 30, 180
"Days late."
COOLING_OFF = 40
"Days, at least, between an application that came to nothing and the next one; paydays may take 32 of them."
LONGEST_ARREARS = 60
"Days after the last due day on which those who go on paying have paid."
CONTACT_EVERY, MOST_CONTACTS = 6, 30
"Days, and how many."

_SECOND, _MINUTE, _DAY = 1_000, 60_000, 86_400_000
_JAKARTA = 7 * 60 * _MINUTE
_NEVER = np.datetime64("2100-01-01", "ms")


def day_of(at: Numbers) -> Numbers:
    """Return the day of a moment."""
    return (at + _JAKARTA) // _DAY


def moment(day: Numbers, seconds: Numbers) -> Numbers:
    """Return a moment by its day and the seconds since that began."""
    return (day * _DAY + seconds * _SECOND - _JAKARTA).astype("datetime64[ms]")


def at_hour(day: Numbers, hour: Numbers) -> Numbers:
    """Return a moment of a day, by the hour with a fraction."""
    return moment(day, np.floor(hour * 3_600).astype(np.int64))


def end_of(day: Numbers) -> Numbers:
    """Return the last second of a day."""
    return moment(day + 1, np.int64(-1))


def night_of(day: Numbers) -> Numbers:
    """Return when the night's run looks for what is late."""
    return moment(day, np.int64(3_600))


def application(ready: Numbers, waits: Numbers, which: Numbers, hour: Numbers) -> Numbers:
    """Return a moment of the next day; of those who wait, of a day on which wages are paid: 25th to 1st."""
    day = day_of(ready) + 1
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    begins = month.astype("datetime64[D]").astype(np.int64)
    first, last = begins + 24, (month + 1).astype("datetime64[D]").astype(np.int64)
    payday = first + np.floor(which * (last - first + 1)).astype(np.int64)
    return at_hour(np.where(waits & (day > begins) & (day < first), payday, day), hour)


def pause(paid_out: Numbers, stops: Numbers, parts: Numbers, period: Numbers, rest: Numbers) -> Numbers:
    """Return the days from one application to the next: a loan is repaid first, or there is none."""
    running = np.where(paid_out, parts * period + LONGEST_ARREARS, 0)
    return COOLING_OFF + rest + np.where(paid_out & stops, 10_000, running)


def model_version(scored_at: Numbers) -> Numbers:
    """Return the name of the quarter's score model."""
    quarters = scored_at.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) // 3
    return np.array([f"risk-{1970 + number // 4}.{number % 4 + 1}" for number in quarters.tolist()])


def approved(requested: Numbers, share: Numbers) -> Numbers:
    """Return a share of what was applied for, in steps of 100,000 rupiah."""
    return np.clip(np.rint(requested * share / 100_000).astype(np.int64) * 100_000, LEAST, MOST)


def interest(principal: Numbers, rate: Numbers, parts: Numbers, period: Numbers) -> Numbers:
    """Return flat interest, of a rate in basis points, for each month begun."""
    months = -(-parts * period // 30)
    return principal * rate * months // 1_000_000 * 100


def part(total: Numbers, parts: Numbers, number: Numbers) -> Numbers:
    """Return an instalment: equal ones in steps of 100 rupiah, the last of which takes what is left."""
    each = total // parts // 100 * 100
    return np.where(number < parts, each, total - each * (parts - 1))


def paid_parts(stops: Numbers, parts: Numbers, when: Numbers) -> Numbers:
    """Return how many instalments will be paid; those who stop do so anywhere."""
    return np.where(stops, np.floor(when * parts).astype(np.int64), parts)


def lost(first: Numbers, period: Numbers, parts: Numbers, paid: Numbers) -> Numbers:
    """Return when a loan is written off, should nobody go on paying it."""
    at = night_of(first + (paid + 1) * period + WRITE_OFF_AFTER)
    return np.where(paid < parts, at, _NEVER)


def due(first: Numbers, period: Numbers, number: Numbers) -> Numbers:
    """Return when an instalment is due: at the end of a day."""
    return end_of(first + period * number)


def meant(due_at: Numbers, days: Numbers, hour: Numbers) -> Numbers:
    """Return when an instalment would be paid if none before it were in arrears."""
    return np.minimum(at_hour(day_of(due_at) + days, hour), end_of(day_of(due_at) + days))


def paid(
    meant_at: Numbers, before: Numbers, number: Numbers, to_be_paid: Numbers, second: Numbers | int = 0
) -> Numbers:
    """Return when a part of an instalment is paid: after all before it, a minute apart; or never."""
    at = np.maximum(meant_at, before) + number * _MINUTE + second * _MINUTE // 2
    return np.where(number <= to_be_paid, at.astype("datetime64[ms]"), _NEVER)


def rest(meant_at: Numbers, two: Numbers, gap: Numbers) -> Numbers:
    """Return when the second part of an instalment would be paid, some days after the first."""
    return meant_at + two * gap * _DAY


def first_amount(amount: Numbers, percent: Numbers) -> Numbers:
    """Return the first part of an instalment that is paid in two, in steps of 1,000 rupiah."""
    return amount * percent // 100_000 * 1_000


def paid_amount(
    amount: Numbers, first: Numbers, two: Numbers, first_is_in: Numbers, all_is_in: Numbers
) -> Numbers:
    """Return what has been paid for an instalment."""
    return np.where(all_is_in, amount, np.where(two & first_is_in, first, 0))


def events(two: Numbers, first_is_in: Numbers, all_is_in: Numbers, twice: Numbers) -> Numbers:
    """Return how many payment events an instalment has; that of the first part may come twice."""
    return (two & first_is_in).astype(np.int64) + all_is_in + twice


def event_amount(amount: Numbers, first: Numbers, two: Numbers, second: Numbers) -> Numbers:
    """Return what one event pays."""
    return np.where(two, np.where(second, amount - first, first), amount)


def received(paid_at: Numbers, arrives: Numbers, again: Numbers, is_again: Numbers) -> Numbers:
    """Return when an event arrived, after some seconds; one that is sent again after some more."""
    return (paid_at + (arrives + again * is_again) * _SECOND).astype("datetime64[ms]")


def case(due_at: Numbers) -> Numbers:
    """Return when a collection case is opened, unless the instalment has been paid."""
    return night_of(day_of(due_at) + CASE_AFTER)


def days_past_due(status: str, due_at: Any, now: Any) -> int:
    """Return the days since the due day; of a loan written off, those after which it was."""
    if status == "written_off":
        return WRITE_OFF_AFTER
    if due_at is None:
        return 0
    days = [int(day_of(round(at.timestamp() * 1_000))) for at in (due_at, now)]
    return max(0, days[1] - days[0])


def contacts(opened_at: Numbers, until: Numbers) -> Numbers:
    """Return how often a customer is contacted."""
    return np.minimum((until - opened_at) // (CONTACT_EVERY * _DAY), MOST_CONTACTS)


def contact(opened_at: Numbers, number: Numbers, within: Numbers, hour: Numbers) -> Numbers:
    """Return when a customer is contacted: once in so many days."""
    return at_hour(day_of(opened_at) + np.floor((number + within) * CONTACT_EVERY).astype(np.int64), hour)
