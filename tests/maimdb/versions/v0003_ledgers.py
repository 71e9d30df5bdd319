"""Changes of what version 2 has made."""


def up(schema):
    schema.rename_table("ledger", "ledgers")
    schema.add_column("ledgers", "tenant_id", "VARCHAR(50)")
    schema.add_constraint("ledgers", "ledgers_tenants_fk", "FOREIGN KEY (tenant_id) REFERENCES tenants (id)")
    schema.add_constraint("tenants", "tenants_seats_check", "CHECK (seats >= 0)")
    schema.rename_column("tenants", "seats", "chairs")
    schema.set_null("ledgers", "note", null=False)
    schema.add_index("ledgers", ["n", "tenant_id"], unique=True)


def down(schema):
    schema.drop_index("ledgers", "ledgers_n_tenant_id")
    schema.set_null("ledgers", "note", null=True)
    schema.rename_column("tenants", "chairs", "seats")
    schema.drop_constraint("tenants", "tenants_seats_check")
    schema.drop_constraint("ledgers", "ledgers_tenants_fk")
    schema.drop_column("ledgers", "tenant_id")
    schema.rename_table("ledgers", "ledger")
