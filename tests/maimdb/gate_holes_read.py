"""The ways in that read: selects, joins, queries in queries, relations."""

# ruff: noqa: ARG005, PLC3002 - an attempt is one expression, and is given the world whether it needs it or not

from typing import Any

import peewee
from maimdb import Agent, ChatHistory, Tenant
from peewee import (
    JOIN,
    SQL,
    Case,
    Entity,
    Join,
    NodeList,
    Select,
    Table,
    Value,
    fn,
)

from tests.maimdb.gate_world import (
    REFUSED,
    A,
    B,
    GateNote,
    GateNoteTag,
    GatePlain,
    GateTag,
    World,
    hole,
)

hole("select")(lambda w: GateNote.select())
hole("select with columns")(lambda w: GateNote.select(GateNote.body, GateNote.tenant_id).tuples())
hole("dicts, namedtuples, objects")(
    lambda w: [
        *GateNote.select().dicts(),
        *GateNote.select().namedtuples(),
        *[row.body for row in GateNote.select().objects()],
    ]
)
hole("iterator")(lambda w: list(GateNote.select().iterator()))
hole("count, exists")(
    lambda w: (
        "LEAK"
        if GateNote.select().count() > 1 or GateNote.select().where(GateNote.body == "body-b").exists()
        else ""
    )
)
hole("len(Model), x in Model, Model[id]")(
    lambda w: "LEAK" if len(GateNote) > 1 or w.theirs.note.id in GateNote else GateNote[w.theirs.note.id]
)
hole("get")(lambda w: GateNote.get(GateNote.body == "body-b"))
hole("get by key")(lambda w: GateNote.get(GateNote.id == w.theirs.note.id))
hole("get_by_id")(lambda w: GateNote.get_by_id(w.theirs.note.id))
hole("get_or_none")(lambda w: GateNote.get_or_none(GateNote.id == w.theirs.note.id))
hole("get_or_create")(lambda w: GateTag.get_or_create(label="tag-b", defaults={"label": "new"}))
hole("filter")(lambda w: GateNote.filter(body="body-b"))
hole("filter across tables")(
    lambda w: GatePlain.filter(notes__body="body-b").select(GatePlain.name, GateNote.body).tuples()
)
hole("where 1=1 OR 1=1")(lambda w: GateNote.select().where(SQL("1=1 OR 1=1")))
hole("orwhere")(lambda w: GateNote.select().where(GateNote.id == 0).orwhere(GateNote.id > 0))
hole("negated where")(lambda w: GateNote.select().where(~(GateNote.tenant_id == A)))
hole("where tenant_id = theirs")(lambda w: GateNote.select().where(GateNote.tenant_id == B))
hole("order, limit, offset, distinct")(
    lambda w: GateNote.select().distinct().order_by(GateNote.body.desc()).limit(10).offset(0)
)
hole("group by, having")(
    lambda w: (
        GateNote.select(GateNote.tenant_id, fn.COUNT(GateNote.id))
        .group_by(GateNote.tenant_id)
        .having(SQL("1=1 OR 1=1"))
        .tuples()
    )
)
hole("aggregates")(lambda w: GateNote.select(fn.MAX(GateNote.body), fn.COUNT(GateNote.id)).tuples())
hole("window")(
    lambda w: GateNote.select(GateNote.body, fn.ROW_NUMBER().over(order_by=[GateNote.id])).tuples()
)
hole("for update", unsupported="sqlite")(lambda w: GateNote.select().for_update())
hole("model without tenant columns selected")(
    lambda w: Select([GateNote], [GateNote.body]).bind(w.db).tuples()
)
hole("the control plane: tenants")(lambda w: Tenant.select())
hole("the control plane: agents")(lambda w: Agent.select())
hole("business: chat_history")(lambda w: ChatHistory.select())
hole("business: get_by_id")(lambda w: ChatHistory.get_by_id(w.theirs.chat.id))
hole("business: page")(lambda w: [*ChatHistory.page(session_id="s"), *ChatHistory.page(newest_first=True)])

# Joins.
hole("join plain to guarded")(lambda w: GatePlain.select(GateNote.body).join(GateNote).tuples())
hole("join guarded to guarded")(
    lambda w: GateNote.select(GateNote.body, GateTag.label).join(GateTag).tuples()
)
hole("left join plain to guarded")(
    lambda w: GatePlain.select(GateNote.body).join(GateNote, JOIN.LEFT_OUTER).tuples()
)
hole("left join guarded to guarded, ON true")(
    lambda w: (
        GateTag.select(GateTag.label, GateNote.body)
        .join(GateNote, JOIN.LEFT_OUTER, on=(GateNote.id > 0))
        .tuples()
    )
)
hole("right join plain to guarded")(
    lambda w: GatePlain.select(GateNote.body).join(GateNote, JOIN.RIGHT_OUTER).tuples()
)
hole("right join guarded to guarded")(
    lambda w: (
        GateTag.select(GateTag.label, GateNote.body)
        .join(GateNote, JOIN.RIGHT_OUTER, on=(GateNote.id > 0))
        .tuples()
    )
)
hole("full join", unsupported="mysql")(
    lambda w: (
        GateTag.select(GateTag.label, GateNote.body)
        .join(GateNote, JOIN.FULL_OUTER, on=(GateNote.tag == GateTag.id))
        .tuples()
    )
)
hole("cross join")(lambda w: GatePlain.select(GateNote.body).join(GateNote, JOIN.CROSS).tuples())
hole("two sources in FROM")(lambda w: GatePlain.select(GateNote.body).from_(GatePlain, GateNote).tuples())
hole("join of a join")(
    lambda w: (
        GateNoteTag.select(GateNote.body, GateTag.label)
        .join(GateNote, JOIN.LEFT_OUTER)
        .switch(GateNoteTag)
        .join(GateTag, JOIN.LEFT_OUTER)
        .tuples()
    )
)
hole("query builder's join")(
    lambda w: (
        Select([Join(GatePlain, GateNote, JOIN.INNER, GateNote.plain == GatePlain.id)], [GateNote.body])
        .bind(w.db)
        .tuples()
    )
)
hole("alias")(lambda w: GateNote.alias("n").select())
hole("alias joined to itself")(
    lambda w: (lambda other: GateNote.select(other.body).join(other, on=(other.id != GateNote.id)).tuples())(
        GateNote.alias()
    )
)
hole("lateral", unsupported="sqlite mysql")(
    lambda w: (lambda sub: GatePlain.select(sub.c.body).join(sub, JOIN.LEFT_LATERAL).tuples())(
        GateNote.select(GateNote.body).where(GateNote.plain == GatePlain.id).alias("l")
    )
)

# Queries in queries.
hole("cte")(
    lambda w: (lambda cte: cte.select_from(cte.c.body).tuples())(GateNote.select(GateNote.body).cte("c"))
)
hole("cte of a query builder")(
    lambda w: (lambda cte: cte.select_from(cte.c.body).tuples())(
        Select([GateNote], [GateNote.body]).bind(w.db).cte("c")
    )
)


@hole("recursive cte")
def _(w: World) -> Any:
    base = GateNote.select(GateNote.id, GateNote.body).where(GateNote.id == w.mine.note.id)
    cte = base.cte("c", recursive=True, columns=("id", "body"))
    other = GateNote.alias("r")
    union = cte.union_all(other.select(other.id, other.body).join(cte, on=(other.id > cte.c.id)))
    return union.select_from(union.c.id, union.c.body).tuples()


hole("cte that takes a guarded name", REFUSED)(
    lambda w: (lambda cte: cte.select_from(cte.c.name).tuples())(
        GatePlain.select(GatePlain.name).cte("gate_note")
    )
)
hole("union")(lambda w: (GateNote.select(GateNote.body) | GateTag.select(GateTag.label)).tuples())
hole("union all, intersect, except of aliases")(
    lambda w: [
        *(GateNote.select(GateNote.body) + GateNote.alias("z").select(GateNote.alias("z").body)).tuples(),
        *(GateNote.select(GateNote.body) - GatePlain.select(GatePlain.name)).tuples(),
        *(GateNote.select(GateNote.body) & GateNote.select(GateNote.body)).tuples(),
    ]
)
hole("scalar subquery in SELECT")(
    lambda w: GatePlain.select(Select([GateNote], [fn.MAX(GateNote.body)])).tuples()
)
hole("subquery in FROM")(
    lambda w: (lambda sub: Select([sub], [sub.c.body]).bind(w.db).tuples())(
        GateNote.select(GateNote.body).alias("q")
    )
)
hole("subquery in WHERE IN")(
    lambda w: (
        GatePlain.select(Value("LEAK")).where(Value("body-b") << GateNote.select(GateNote.body)).tuples()
    )
)
hole("EXISTS")(
    lambda w: (
        GatePlain.select(Value("LEAK"))
        .where(fn.EXISTS(GateNote.select().where(GateNote.body == "body-b")))
        .tuples()
    )
)
hole("subquery in CASE and ORDER BY")(
    lambda w: (
        GatePlain.select(Case(None, [(GatePlain.id > 0, GateNote.select(fn.MAX(GateNote.body)))], None))
        .order_by(GateNote.select(fn.MAX(GateNote.id)))
        .tuples()
    )
)
hole("Table()")(lambda w: Table("gate_note").bind(w.db).select(Table("gate_note").c.body).tuples())
hole("Table() in other letters", unsupported="postgresql mysql")(
    lambda w: Table("GATE_NOTE").bind(w.db).select(SQL("body")).tuples()
)
hole("Table() with columns")(lambda w: Table("gate_note", ["id", "body"]).bind(w.db).select().tuples())
hole("Table() with a schema", unsupported="postgresql mysql")(
    lambda w: Table("gate_note", schema="main").bind(w.db).select(SQL("body")).tuples()
)
hole("Table() aliased")(lambda w: Table("gate_note").alias("q").bind(w.db).select(SQL("body")).tuples())
hole("Table() that no model declares", REFUSED)(
    lambda w: Table("pg_stats").bind(w.db).select(SQL("*")).tuples()
)
hole("Entity as a source", REFUSED)(
    lambda w: Select([Entity("gate_note")], [SQL("body")]).bind(w.db).tuples()
)
hole("SQL as a source", REFUSED)(lambda w: Select([SQL("gate_note")], [SQL("body")]).bind(w.db).tuples())
hole("NodeList as a source", REFUSED)(
    lambda w: Select([NodeList((SQL("gate_"), SQL("note")), glue="")], [SQL("body")]).bind(w.db).tuples()
)

# Relations.
hole("backref")(lambda w: w.plain.notes)
hole("foreign key of a row held from elsewhere")(
    lambda w: (w.theirs.note.__rel__.clear(), w.theirs.note.tag)[1].label
)
hole("prefetch")(lambda w: [note for row in GatePlain.select().prefetch(GateNote) for note in row.notes])
hole("with_related")(
    lambda w: [
        note for row in GatePlain.select().with_related(peewee.Load(GatePlain.notes)) for note in row.notes
    ]
)
hole("with_related per parent")(
    lambda w: [
        note
        for row in GatePlain.select().with_related(peewee.Load(GatePlain.notes, per_parent=5))
        for note in row.notes
    ]
)
hole("many to many, read")(lambda w: w.mine.shelf.tags)
hole("many to many, their shelf")(lambda w: list(w.theirs.shelf.tags))
hole("many to many, their backref")(lambda w: [row.name + "'" for row in w.theirs.tag.shelves])
hole("many to many, clear theirs")(lambda w: w.theirs.shelf.tags.clear())
hole("many to many, remove theirs")(lambda w: w.theirs.shelf.tags.remove([w.theirs.tag]))
hole("many to many, add by query")(
    lambda w: (w.mine.shelf.tags.add(GateTag.select().where(GateTag.label == "tag-b")), w.mine.shelf.tags)[1]
)
hole("many to many without a tenant, read", REFUSED)(lambda w: list(w.theirs.shelf.loose))
hole("many to many without a tenant, add", REFUSED)(lambda w: w.mine.shelf.loose.add([w.theirs.tag]))
