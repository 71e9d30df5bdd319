"""Import paths of older callers; everything in them is `maimdb`'s own."""

from maimdb import *  # noqa: F403 - the same names
