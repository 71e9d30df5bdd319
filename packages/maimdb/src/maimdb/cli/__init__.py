"""The command `maimdb`: parse, call, print."""

from maimdb.cli.app import main

__all__ = ["main"]
