"""`maimdb.core.models`, where older callers import it."""

from maimdb.core.models import *  # noqa: F403 - the same names
