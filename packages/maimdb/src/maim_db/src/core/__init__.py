"""`maimdb.core`, where older callers import it."""

from maimdb.core import *  # noqa: F403 - the same names
