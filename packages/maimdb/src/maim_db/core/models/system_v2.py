"""`maimdb.core.models.system_v2`, where older callers import it."""

from maimdb.core.models.system_v2 import *  # noqa: F403 - the same names
