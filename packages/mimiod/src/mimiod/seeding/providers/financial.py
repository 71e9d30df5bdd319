"""Accounts, payments and loans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimiod.errors import DeclarationError
from mimiod.seeding.choices import Choice
from mimiod.seeding.functions import Function
from mimiod.seeding.numbers import Correlated, Histogram, LogNormal, Normal
from mimiod.seeding.texts import Digits

if TYPE_CHECKING:
    from mimiod.seeding.frames import Draw
    from mimiod.seeding.functions import Row

_IBAN_DIGITS = {"AT": 16, "CH": 17, "DE": 18}
"How many digits follow the check digits, in countries where these are all."


def loan_purpose() -> Draw:
    """Return a draw of what a loan is for."""
    return Choice(
        {
            "debt_consolidation": 31, "working_capital": 16, "home_improvement": 13, "car": 11, "medical": 8,
            "education": 8, "household": 7, "travel": 3, "wedding": 2, "other": 1,
        }
    )  # fmt: skip


def credit_score() -> Draw:
    """Return a draw of a credit score from 300 to 850, most between 600 and 780."""
    return Normal(690, 85, low=300, high=850, digits=0)


def interest_rate(score: str | None = None) -> Draw:
    """Return a draw of a yearly interest rate in percent; with the path of a score, lower for a better one.

    >>> {"score": credit_score(), "rate": interest_rate("score")}
    """
    drawn = LogNormal(12.5, 0.42, low=3.5, high=36, digits=2)
    return drawn if score is None else Correlated(drawn, with_=score, strength=-0.75)


def loan_amount(median: float = 9_000) -> Draw:
    """Return a draw of a loan's amount, in hundreds, from a tenth to ten times the median.

    >>> {"amount": loan_amount(median=2_500)}
    """
    return LogNormal(median, 0.75, low=median / 10, high=median * 10, digits=-2)


def loan_term_months() -> Draw:
    """Return a draw of a loan's term in months."""
    return Choice({6: 6, 12: 18, 24: 22, 36: 30, 48: 10, 60: 14})


def loan_application_status() -> Draw:
    """Return a draw of how an application stands."""
    return Choice({"approved": 48, "rejected": 33, "in_review": 9, "withdrawn": 6, "draft": 4})


def payment_method() -> Draw:
    """Return a draw of how somebody pays."""
    return Choice(
        {
            "debit_card": 29, "credit_card": 24, "bank_transfer": 18, "e_wallet": 17, "direct_debit": 6,
            "cash": 5, "cheque": 1,
        }
    )  # fmt: skip


def payment_status() -> Draw:
    """Return a draw of how a payment ended."""
    return Choice({"settled": 943, "pending": 21, "failed": 26, "refunded": 8, "disputed": 2})


def transaction_type() -> Draw:
    """Return a draw of a kind of booking on an account."""
    return Choice(
        {"card_payment": 46, "transfer_out": 16, "transfer_in": 14, "withdrawal": 9, "direct_debit": 8,
         "salary": 4, "fee": 2, "interest": 1}
    )  # fmt: skip


def transaction_amount() -> Draw:
    """Return a draw of an amount paid, in whole cents: half are below 28."""
    return LogNormal(28, 1.2, low=0.5, high=50_000, digits=2)


def currency() -> Draw:
    """Return a draw of a currency, by about its part in the world's payments."""
    return Choice(
        {
            "USD": 47,
            "EUR": 23,
            "GBP": 7,
            "CNY": 4.5,
            "JPY": 3.8,
            "CAD": 2.5,
            "AUD": 1.6,
            "SGD": 1.4,
            "IDR": 0.8,
        }
    )


def account_number() -> Draw:
    """Return a draw of an account number of ten digits, never the same twice."""
    return Digits("##########", unique=True)


def account_type() -> Draw:
    """Return a draw of a kind of account."""
    return Choice({"current": 52, "savings": 33, "credit_card": 11, "time_deposit": 4})


def card_network() -> Draw:
    """Return a draw of a card's network."""
    return Choice({"visa": 52, "mastercard": 33, "unionpay": 8, "amex": 5, "jcb": 2})


def income() -> Draw:
    """Return a draw of a yearly income, in hundreds."""
    return LogNormal(42_000, 0.6, low=6_000, high=2_000_000, digits=-2)


def debt_to_income() -> Draw:
    """Return a draw of the share of an income that goes into debts."""
    return Histogram([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8], [14, 25, 27, 19, 10, 5], digits=3)


def iban(country: str = "DE") -> Draw:
    """Return a draw of an international account number with right check digits, of AT, CH or DE.

    >>> {"iban": iban("DE")}
    """
    if country not in _IBAN_DIGITS:
        raise DeclarationError(f"iban({country!r}): one of {', '.join(_IBAN_DIGITS)}")

    def number(row: Row) -> str:
        digits = row.random.randrange(10 ** _IBAN_DIGITS[country])
        account = f"{digits:0{_IBAN_DIGITS[country]}d}"
        # ISO 7064, mod 97-10, letters being 10 to 35.
        check = 98 - int(account + "".join(str(ord(letter) - 55) for letter in country) + "00") % 97
        return f"{country}{check:02d}{account}"

    return Function(number)
