"""The versions of the schema. An applied file is never changed: a change is a new file."""
