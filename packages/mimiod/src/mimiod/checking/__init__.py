"""Judges what stands in a database; shares no code with what fills it."""
