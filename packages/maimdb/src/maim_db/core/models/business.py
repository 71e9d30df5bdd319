"""`maimdb.core.models.business`, where older callers import it."""

from maimdb.core.models.business import *  # noqa: F403 - the same names
