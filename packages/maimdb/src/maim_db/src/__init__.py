"""Stands where the specification puts `core`."""
