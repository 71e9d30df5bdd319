"""SQL databases: their tables, and the documents that they become."""
