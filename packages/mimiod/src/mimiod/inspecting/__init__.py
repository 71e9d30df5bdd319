"""Reads a database that exists: what stands in it, what refers to what, and a project made of that."""
