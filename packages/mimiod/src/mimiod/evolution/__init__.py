"""A live database beside its schema: how they differ, and the one brought in step with the other."""
