"""What becomes of each table, and why: by keys, by names, by how many rows there are, and by queries."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mimiod.errors import SourceError
from mimiod.relational.ddl import read_ddl
from mimiod.relational.declared import references_of
from mimiod.relational.indexing import shape_of
from mimiod.relational.model import Children, Column, ForeignKey, Relational, Table
from mimiod.relational.planning import plan
from mimiod.relational.queries import read_queries

from tests.mimiod.sql_samples import SHOP_DDL

ORDERS = """
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(40));
CREATE TABLE products (id INT PRIMARY KEY, name VARCHAR(40), price INT, stock INT, weight INT);
CREATE TABLE orders (
    id INT PRIMARY KEY, customer_id INT NOT NULL REFERENCES customers (id), at DATE NOT NULL);
CREATE TABLE order_items (
    order_id INT REFERENCES orders (id), line INT, product_id INT NOT NULL REFERENCES products (id),
    quantity INT NOT NULL, PRIMARY KEY (order_id, line));
"""


@pytest.fixture
def read(tmp_path: Path):
    def schema(text):
        (tmp_path / "schema.sql").write_text(text)
        return read_ddl(tmp_path / "schema.sql")

    return schema


@pytest.fixture
def asked(tmp_path: Path):
    def workload(text, schema):
        (tmp_path / "queries.sql").write_text(text)
        return read_queries(tmp_path / "queries.sql", schema)

    return workload


def spread(most, rows=1000):
    return Children(rows=rows, parents=max(1, rows // max(1, most)), most=most)


def decided(made):
    return {each.table: (each.form, each.where) for each in made.decisions}


def why(made, table):
    return "; ".join(next(each.reasons for each in made.decisions if each.table == table))


def test_plan_embeds_the_lines_of_an_order_and_nothing_that_stands_for_itself(read):
    made = plan(read(ORDERS))
    assert decided(made) == {
        "customers": ("collection", "customers"),
        "products": ("collection", "products"),
        "orders": ("collection", "orders"),
        "order_items": ("array", "orders.items"),
    }
    assert "its primary key contains the key of 'orders'" in why(made, "order_items")
    items = made.part_of("order_items")[2]
    assert items.fields == {"line": "line", "quantity": "quantity"}
    assert [(link.field, link.collection) for link in items.links] == [("product_id", "products")]


def test_plan_of_the_record_shop_is_what_a_designer_would_draw(read):
    made = decided(plan(read(SHOP_DDL)))
    assert made.pop("invoice_lines") == ("array", "invoices.lines")
    assert made.pop("playlist_tracks") == ("references", "playlists.track_ids")
    assert made == {name: ("collection", name) for name in made}


@pytest.mark.parametrize(("most", "form"), [(100, "array"), (101, "collection")])
def test_plan_embeds_only_what_is_bounded_in_the_data(read, most, form):
    counts = dict.fromkeys(("customers", "products", "orders", "order_items"), 1000)
    children = {("order_items", ("order_id",)): spread(most)}
    made = plan(read(ORDERS), counts, children)
    assert decided(made)["order_items"][0] == form
    assert f"{most:,}" in why(made, "order_items")


@pytest.mark.parametrize(
    ("name", "columns", "form"),
    [
        ("user_events", "what TEXT", "collection"),
        ("user_addresses", "city TEXT", "array"),
        ("addresses", "city TEXT", "array"),
        ("visits", "place TEXT", "collection"),
        ("purchases", "price INT", "collection"),
    ],
)
def test_plan_embeds_parts_and_not_what_grows_or_stands_for_itself(read, name, columns, form):
    made = plan(
        read(
            "CREATE TABLE users (id INT PRIMARY KEY, name TEXT);"
            f"CREATE TABLE {name} (id INT PRIMARY KEY, {columns}, "
            "user_id INT NOT NULL REFERENCES users (id));"
        )
    )
    assert decided(made)[name][0] == form


def test_plan_does_not_embed_events_that_are_deleted_with_their_parent(read):
    text = (
        "CREATE TABLE users (id INT PRIMARY KEY);"
        "CREATE TABLE purchases (id INT PRIMARY KEY, user_id INT NOT NULL REFERENCES users (id) "
        "ON DELETE CASCADE{});"
    )
    assert decided(plan(read(text.format(""))))["purchases"][0] == "array"
    dated = plan(read(text.format(", at TIMESTAMP NOT NULL")))
    assert decided(dated)["purchases"][0] == "collection"
    assert "a moment of its own" in why(dated, "purchases")


def test_plan_does_not_embed_what_another_table_refers_to(read):
    made = plan(read(f"{ORDERS}CREATE TABLE refunds (id INT PRIMARY KEY, order_id INT, line INT, "
                     "FOREIGN KEY (order_id, line) REFERENCES order_items (order_id, line));"))  # fmt: skip
    assert decided(made)["order_items"] == ("collection", "order_items")
    assert "'refunds' refers to it" in why(made, "order_items")
    refunds = made.collections["refunds"]
    assert refunds.fields == {"id": "id", "order_id": "order_id", "line": "line"}
    assert [link.field for link in refunds.links] == ["order_item_id"]


def test_plan_nests_parts_of_parts_three_levels_deep_and_no_deeper(read):
    made = plan(
        read(
            "CREATE TABLE forms (id INT PRIMARY KEY);"
            "CREATE TABLE form_pages (id INT PRIMARY KEY, form_id INT NOT NULL REFERENCES forms (id));"
            "CREATE TABLE page_items (id INT PRIMARY KEY, page_id INT NOT NULL REFERENCES form_pages (id));"
            "CREATE TABLE item_options (id INT PRIMARY KEY, item_id INT NOT NULL REFERENCES page_items (id));"
        )
    )
    assert decided(made) == {
        "forms": ("collection", "forms"),
        "form_pages": ("collection", "form_pages"),
        "page_items": ("array", "form_pages.items"),
        "item_options": ("array", "form_pages.items.options"),
    }
    assert "level 4" in why(made, "form_pages")


def test_plan_embeds_a_detail_as_an_object(read):
    made = plan(
        read(
            "CREATE TABLE users (id INT PRIMARY KEY, name TEXT);"
            "CREATE TABLE user_profiles (user_id INT PRIMARY KEY REFERENCES users (id), biography TEXT);"
        )
    )
    assert decided(made)["user_profiles"] == ("object", "users.profile")


def test_plan_merges_joined_tables_into_their_base(read):
    made = plan(
        read(
            "CREATE TABLE parties (id INT PRIMARY KEY, country TEXT);"
            "CREATE TABLE persons (id INT PRIMARY KEY REFERENCES parties (id), name TEXT, email TEXT);"
            "CREATE TABLE companies (id INT PRIMARY KEY REFERENCES parties (id), name TEXT, email INT);"
            "CREATE TABLE accounts (id INT PRIMARY KEY, owner INT NOT NULL REFERENCES persons (id));"
        )
    )
    assert decided(made)["persons"] == decided(made)["companies"] == ("subtype", "parties")
    parties = made.collections["parties"]
    assert parties.discriminator == "type"
    persons, companies = parties.subtypes()
    assert (persons.fields, companies.fields) == (
        {"name": "name", "email": "email"},
        {"name": "name", "email": "company_email"},  # of another kind
    )
    owner = made.collections["accounts"].links[0]
    assert (owner.root, owner.collection) == ("parties", "parties")


def test_plan_takes_overlapping_tables_for_details(read):
    text = (
        "CREATE TABLE users (id INT PRIMARY KEY);"
        "CREATE TABLE drivers (id INT PRIMARY KEY REFERENCES users (id), licence TEXT);"
        "CREATE TABLE buyers (id INT PRIMARY KEY REFERENCES users (id), budget INT);"
    )
    apart = plan(read(text), {"users": 10, "drivers": 4, "buyers": 6}, {})
    assert decided(apart)["drivers"] == ("subtype", "users")
    overlapping = plan(read(text), {"users": 10, "drivers": 9, "buyers": 8}, {})
    assert decided(overlapping)["drivers"] == ("object", "users.driver")


def test_plan_merges_what_inherits(read):
    schema = read("CREATE TABLE cities (id INT PRIMARY KEY, name TEXT); CREATE TABLE capitals "
                  "(id INT, name TEXT, state TEXT);")  # fmt: skip
    capitals = schema.tables["capitals"]
    inherits = Table(capitals.name, capitals.columns, inherits="cities")
    made = plan(Relational("x", "postgresql", {"cities": schema.tables["cities"], "capitals": inherits}))
    assert decided(made)["capitals"] == ("subtype", "cities")
    cities, own = made.collections["cities"].wholes()
    assert own.table.name == "capitals"
    assert own.fields == {**cities.fields, "state": "state"}
    assert list(shape_of(cities).indexes) == ["id_1_type_1"]  # each table has ids of its own


MANY = """
CREATE TABLE actors (id INT PRIMARY KEY, name TEXT);
CREATE TABLE films (id INT PRIMARY KEY, title TEXT);
CREATE TABLE {name} (film_id INT REFERENCES films (id), actor_id INT REFERENCES actors (id){more},
    PRIMARY KEY (film_id, actor_id));
"""


@pytest.mark.parametrize(
    ("name", "films", "actors", "place"),
    [
        ("roles", 40, 7, ("references", "actors.film_ids")),
        ("roles", 7, 40, ("references", "films.actor_ids")),
        ("roles", 7, 400, ("references", "films.actor_ids")),
        ("actor_films", 7, 40, ("references", "actors.film_ids")),
        ("actor_films", 7, 400, ("references", "films.actor_ids")),
        ("roles", 400, 101, ("collection", "roles")),
    ],
)
def test_plan_puts_references_on_the_named_side_or_that_with_the_fewer(read, name, films, actors, place):
    children = {(name, ("film_id",)): spread(films), (name, ("actor_id",)): spread(actors)}
    made = plan(read(MANY.format(name=name, more="")), {}, children)
    assert decided(made)[name] == place


def test_plan_embeds_rows_that_join_and_say_more_where_they_are_fewest(read):
    schema = read(MANY.format(name="roles", more=", part TEXT"))
    children = {("roles", ("film_id",)): spread(30), ("roles", ("actor_id",)): spread(90)}
    made = plan(schema, {}, children)
    assert decided(made)["roles"] == ("array", "films.roles")
    assert [link.field for link in made.part_of("roles")[2].links] == ["actor_id"]
    assert decided(plan(schema))["roles"] == ("collection", "roles")  # whose it is nobody can say


def test_plan_decides_by_the_workload(read, asked):
    schema = read(ORDERS)
    together = asked(
        "-- 500 a day\nSELECT * FROM orders o JOIN order_items i ON i.order_id = o.id;\n"
        "-- 20 a day\nSELECT sum(quantity) FROM order_items;\nUPDATE order_items SET quantity = 1;",
        schema,
    )
    made = plan(schema, queries=together)
    assert decided(made)["order_items"][0] == "array"
    assert "read with it 500 times a day, alone 20, written 1" in why(made, "order_items")
    alone = asked("-- 3 per hour\nSELECT * FROM order_items;\nSELECT 1 FROM orders, order_items;", schema)
    made = plan(schema, queries=alone)
    assert decided(made)["order_items"][0] == "collection"
    assert "without 'orders' 72 times a day, with it 1" in why(made, "order_items")


def test_queries_that_are_no_sql_are_refused_with_their_line(read, asked):
    schema = read(ORDERS)
    with pytest.raises(SourceError, match=r"queries\.sql:2: .*SELEC \* FRM"):
        asked("SELECT 1 FROM orders;\nSELEC * FRM x y z (;\n", schema)
    with pytest.raises(SourceError, match="has no query on a table"):
        asked("SELECT 1;", schema)
    strange = asked("SELECT 1 FROM orders; SELECT 1 FROM nowhere;", schema)
    assert strange.notes == ["queries.sql names 'nowhere', which is no table there"]


def test_plan_refers_where_keys_go_round_in_a_circle(read):
    made = plan(
        read(
            "CREATE TABLE a (id INT PRIMARY KEY, b_id INT NOT NULL);"
            "CREATE TABLE b (id INT PRIMARY KEY, a_id INT NOT NULL REFERENCES a (id) ON DELETE CASCADE);"
            "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b (id);"
            "CREATE TABLE nodes (id INT PRIMARY KEY, node_id INT NOT NULL REFERENCES nodes (id));"
        )
    )
    assert {form for form, _ in decided(made).values()} == {"collection"}


def test_a_key_to_what_is_no_primary_key_stays_as_it_is(read):
    made = plan(
        read(
            "CREATE TABLE lands (id INT PRIMARY KEY, code CHAR(2) NOT NULL UNIQUE);"
            "CREATE TABLE towns (id INT PRIMARY KEY, land CHAR(2) NOT NULL REFERENCES lands (code));"
        )
    )
    assert made.collections["towns"].fields == {"id": "id", "land": "land"}
    assert "land_1" in shape_of(made.collections["towns"]).indexes
    (reference,) = references_of(made)
    assert (reference.fields, reference.target, reference.keys) == (("land",), "lands", ("code",))
    assert reference.confidence == 1


def test_plan_names_fields_as_mongodb_takes_them():
    columns = {name: Column(name, "int", "INT") for name in ("_id", "a.b", "$c", "")}
    made = plan(Relational("x", "sqlite", {"system.x": Table("system.x", columns, ("_id",))}))
    assert list(made.collections) == ["table_system_x"]
    fields = made.collections["table_system_x"].fields
    assert fields == {"_id": "id", "a.b": "a_b", "$c": "_c", "": "unnamed"}
    assert len(made.notes) == 5


def test_indexes_are_unique_where_keys_are_and_leave_nulls_out(read):
    made = plan(
        read(
            "CREATE TABLE users (id INT PRIMARY KEY, email TEXT UNIQUE, code TEXT NOT NULL UNIQUE, "
            "boss INT REFERENCES users (id));"
            "CREATE INDEX by_boss ON users (boss, code);"
            "CREATE TABLE user_phones (id INT PRIMARY KEY, user_id INT NOT NULL REFERENCES users (id), "
            "number TEXT NOT NULL UNIQUE, label TEXT UNIQUE);"
        )
    )
    indexes = {
        name: (each.get("unique", False), each.get("partialFilterExpression"))
        for name, each in shape_of(made.collections["users"]).indexes.items()
    }
    assert indexes == {
        "id_1": (True, None),
        "email_1": (True, {"email": {"$type": "string"}}),
        "code_1": (True, None),
        "boss_1_code_1": (False, None),
        "phones.number_1": (True, {"phones.number": {"$type": "string"}}),
        "phones.label_1": (False, None),  # a null in an array would meet that of another document
    }


@st.composite
def databases(draw):
    """Tables whose keys go anywhere, in circles too."""
    count = draw(st.integers(1, 6))
    names = [f"{draw(st.sampled_from(['a', 'b', 'item', 'log', 'ключ', '-']))}_{n}" for n in range(count)]
    tables = {}
    for name in names:
        columns = {"id": Column("id", "int", "INT", nullable=False)}
        keys = []
        for number in range(draw(st.integers(0, 3))):
            column = f"k{number}"
            columns[column] = Column(column, "int", "INT", nullable=draw(st.booleans()))
            cascade = draw(st.sampled_from(["", "CASCADE"]))
            keys.append(ForeignKey((column,), draw(st.sampled_from(names)), ("id",), cascade))
        own = draw(st.sampled_from([("id",), ("id", "k0"), ("k0",), ()]))
        own = own if set(own) <= set(columns) else ("id",)
        tables[name] = Table(name, columns, own, keys)
    return Relational("x", "sqlite", tables)


@settings(max_examples=50, deadline=None)
@given(databases())
def test_every_table_has_one_place_whatever_its_keys_are(schema):
    made = plan(schema)
    assert sorted(part.table.name for _, _, part in made.parts()) == sorted(schema.tables)
    assert all(each.reasons for each in made.decisions)
    for _, path, part in made.parts():
        assert len(path) <= 3
        columns = {*part.fields, *part.aligned, *(c for link in part.links for c in link.columns)}
        assert columns == set(part.table.columns)
