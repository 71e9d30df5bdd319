"""`maimdb.core.configuration`, where older callers import it."""

from maimdb.core.configuration import *  # noqa: F403 - the same names
