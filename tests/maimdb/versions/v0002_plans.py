"""Every kind of change, and rows that must be written once."""


def up(schema):
    schema.create_table("ledger", "n INTEGER NOT NULL, note {text} NOT NULL, CHECK (n > 0)")
    schema.execute("INSERT INTO ledger VALUES (1, 'it''s 100% done')")
    schema.add_column("tenants", "plan", "VARCHAR(40)", null=False, default="it's 100% free")
    schema.add_column("tenants", "seats", "INTEGER")
    schema.add_index("tenants", ["plan", "seats"])
    schema.rename_column("tenants", "owner_id", "owner")
    schema.set_null("tenants", "description", null=False)
    schema.set_null("ledger", "note", null=True)


def down(schema):
    schema.set_null("tenants", "description", null=True)
    schema.rename_column("tenants", "owner", "owner_id")
    schema.drop_column("tenants", "seats")
    schema.drop_column("tenants", "plan")
    schema.execute("DELETE FROM ledger")
    schema.drop_table("ledger")
