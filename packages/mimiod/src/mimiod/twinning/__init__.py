"""Twins: synthetic data with the shape of a database, and none of what identifies anyone."""

from mimiod.twinning.draws import Twin

__all__ = ["Twin"]
