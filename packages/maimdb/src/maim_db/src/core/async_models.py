"""`maimdb.core.async_models`, where older callers import it, with what they import beside the models."""

from maimdb.core import *  # noqa: F403 - the same names
from maimdb.core.async_models import *  # noqa: F403 - the same names
