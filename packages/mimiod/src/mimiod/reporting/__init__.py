"""The report on a database: a page with what was measured, and the sections of a README.md."""
