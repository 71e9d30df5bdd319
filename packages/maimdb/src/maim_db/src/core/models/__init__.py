"""`maimdb.core.models`, where older callers import it, with what they import beside the models."""

from maimdb.core import *  # noqa: F403 - the same names
from maimdb.core.models import *  # noqa: F403 - the same names
