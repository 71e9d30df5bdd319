"""Draws of several fields of business, ready made: each function returns one."""

from mimiod.seeding.providers import business, credit, financial, marketing, social, time_series

__all__ = ["business", "credit", "financial", "marketing", "social", "time_series"]
