"""The vocabulary in which a seeder declares its data; `docs/seeding.md` is its one page."""

from mimiod.seeding.choices import MISSING, Chance, Choice, Maybe, OneOf, When
from mimiod.seeding.declaration import Count, Greatest, Least, Rows, Sum, Summary
from mimiod.seeding.frames import Draw
from mimiod.seeding.functions import Function, Share, Vectorised
from mimiod.seeding.histories import Earlier, Happened, Item, ItemRows, Newest, Previous, Until
from mimiod.seeding.numbers import (
    Combination,
    Correlated,
    Exponential,
    Histogram,
    LogNormal,
    Normal,
    Poisson,
    Sequence,
    Uniform,
    Unique,
    Zipf,
)
from mimiod.seeding.places import City, Point
from mimiod.seeding.prose import Prose
from mimiod.seeding.providers import business, credit, financial, marketing, social, time_series
from mimiod.seeding.relations import Array, Get, Parent, Position, Ref, Refs
from mimiod.seeding.states import States, To
from mimiod.seeding.texts import Digits, Fake, Text
from mimiod.seeding.times import After, Age, Before, Burst, Day, Moment

__all__ = [
    "MISSING",
    "After",
    "Age",
    "Array",
    "Before",
    "Burst",
    "Chance",
    "Choice",
    "City",
    "Combination",
    "Correlated",
    "Count",
    "Day",
    "Digits",
    "Draw",
    "Earlier",
    "Exponential",
    "Fake",
    "Function",
    "Get",
    "Greatest",
    "Happened",
    "Histogram",
    "Item",
    "ItemRows",
    "Least",
    "LogNormal",
    "Maybe",
    "Moment",
    "Newest",
    "Normal",
    "OneOf",
    "Parent",
    "Point",
    "Poisson",
    "Position",
    "Previous",
    "Prose",
    "Ref",
    "Refs",
    "Rows",
    "Sequence",
    "Share",
    "States",
    "Sum",
    "Summary",
    "Text",
    "To",
    "Uniform",
    "Unique",
    "Until",
    "Vectorised",
    "When",
    "Zipf",
    "business",
    "credit",
    "financial",
    "marketing",
    "social",
    "time_series",
]
