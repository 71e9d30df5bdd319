"""Companies and the people who work in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mimiod.seeding.choices import Choice, When
from mimiod.seeding.numbers import Correlated, LogNormal, Uniform
from mimiod.seeding.texts import Digits, Fake, Text

if TYPE_CHECKING:
    from mimiod.seeding.frames import Draw

_SIZES: Final = {"1-9": 74, "10-49": 17, "50-249": 6.5, "250-999": 1.8, "1000-4999": 0.55, "5000+": 0.15}
_EMPLOYEES: Final = {
    "1-9": LogNormal(3, 0.7, low=1, high=9, digits=0),
    "10-49": LogNormal(19, 0.4, low=10, high=49, digits=0),
    "50-249": LogNormal(95, 0.4, low=50, high=249, digits=0),
    "250-999": LogNormal(420, 0.35, low=250, high=999, digits=0),
    "1000-4999": LogNormal(1_800, 0.4, low=1_000, high=4_999, digits=0),
    "5000+": LogNormal(9_000, 0.6, low=5_000, high=400_000, digits=0),
}


def industry() -> Draw:
    """Return a draw of an industry, by how many companies there are in each."""
    return Choice(
        {
            "Professional services": 16, "Retail": 14, "Construction": 13, "Hospitality": 9, "Healthcare": 8,
            "Manufacturing": 7, "Software": 6, "Real estate": 6, "Logistics": 5, "Finance": 4,
            "Education": 4, "Agriculture": 3, "Media": 2, "Energy": 1.2, "Telecommunications": 0.8,
        }
    )  # fmt: skip


def company_size() -> Draw:
    """Return a draw of a band of employees, such as `10-49`: most companies are small."""
    return Choice(_SIZES)


def employee_count(size: str | None = None) -> Draw:
    """Return a draw of a number of employees; with the path of a company size, one within it.

    >>> {"size": company_size(), "employees": employee_count("size")}
    """
    if size is None:
        return LogNormal(6, 1.6, low=1, high=400_000, digits=0)
    return When(size, _EMPLOYEES, otherwise=_EMPLOYEES["1-9"])


def revenue(employees: str | None = None) -> Draw:
    """Return a draw of a yearly revenue, in thousands; with a path of a drawn number, going along with it.

    >>> {"employees": employee_count(), "revenue": revenue("employees")}
    """
    drawn = LogNormal(900_000, 1.9, low=20_000, high=5e10, digits=-3)
    return drawn if employees is None else Correlated(drawn, with_=employees, strength=0.85)


def department() -> Draw:
    """Return a draw of a department, by its share of the staff."""
    return Choice(
        {
            "Operations": 26, "Sales": 18, "Engineering": 16, "Customer service": 14, "Finance": 7,
            "Marketing": 6, "Human resources": 4, "IT": 4, "Procurement": 3, "Legal": 2,
        }
    )  # fmt: skip


_TITLES: Final = {
    "Operations": ["Operations Associate", "Shift Lead", "Operations Manager", "Warehouse Clerk"],
    "Sales": ["Account Executive", "Sales Representative", "Key Account Manager", "Sales Director"],
    "Engineering": ["Software Engineer", "Senior Engineer", "Quality Engineer", "Engineering Manager"],
    "Customer service": ["Support Agent", "Support Team Lead", "Customer Success Manager"],
    "Finance": ["Accountant", "Financial Analyst", "Controller"],
    "Marketing": ["Marketing Specialist", "Content Editor", "Brand Manager"],
    "Human resources": ["Recruiter", "HR Generalist", "HR Business Partner"],
    "IT": ["System Administrator", "IT Support Specialist", "Security Analyst"],
    "Procurement": ["Buyer", "Category Manager"],
    "Legal": ["Legal Counsel", "Compliance Officer"],
}


def job_title(department: str | None = None) -> Draw:
    """Return a draw of a job title; with the path of a department, one of it.

    >>> {"department": department(), "title": job_title("department")}
    """
    everyone = Choice([title for titles in _TITLES.values() for title in titles])
    if department is None:
        return everyone
    return When(department, {name: Choice(titles) for name, titles in _TITLES.items()}, otherwise=everyone)


def seniority() -> Draw:
    """Return a draw of a level of seniority."""
    return Choice({"junior": 30, "regular": 38, "senior": 20, "lead": 7, "manager": 4, "executive": 1})


def work_email(name: str, company: str) -> Draw:
    """Return a draw of an address at work, made of the paths of a name and a company; unique by the row.

    >>> {"name": Fake("name"), "company": Fake("company"), "email": work_email("name", "company")}
    """
    return Text(f"{{{name}:slug}}.{{row}}@{{{company}:slug}}.example")


def registration_number() -> Draw:
    """Return a draw of a company's number in a register, never the same twice."""
    return Digits("HRB ########", unique=True)


def company_name() -> Draw:
    """Return a draw of a company's name."""
    return Text(
        "{owner} {trade} {form}",
        owner=Fake("last_name"),
        trade=Choice(
            ["Systems", "Trading", "Foods", "Logistics", "Labs", "Textiles", "Consulting", "Energy"]
        ),
        form=Choice({"Ltd": 40, "GmbH": 20, "Inc.": 25, "PT": 15}),
    )


def founded_year() -> Draw:
    """Return a draw of the year of a company's founding, from 1950 to 2025."""
    return Uniform(1950, 2025)
