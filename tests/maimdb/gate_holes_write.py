"""The ways in that write: updates, deletes, inserts, upserts."""

# ruff: noqa: ARG005, PLC3002 - an attempt is one expression, and is given the world whether it needs it or not

from typing import Any

from maimdb import ChatHistory, Tenant, system_scope
from peewee import (
    SQL,
    Delete,
    Entity,
    Insert,
    Select,
    Table,
    Update,
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


def update_theirs(query: Any, w: World) -> Any:
    return query.where(GateNote.id == w.theirs.note.id).execute()


hole("update")(lambda w: update_theirs(GateNote.update(body="LEAK"), w))
hole("update of all")(lambda w: GateNote.update(rank=7).execute())
hole("update, where 1=1 OR 1=1")(lambda w: GateNote.update(rank=7).where(SQL("1=1 OR 1=1")).execute())
hole("update, where closes a parenthesis", REFUSED)(
    lambda w: GateNote.update(rank=7).where(SQL("1=1) OR (1=1")).execute()
)
hole("update, where hides the rest", REFUSED)(
    lambda w: GateNote.update(rank=7).where(SQL("1=1 -- ")).execute()
)
hole("update of the query builder")(
    lambda w: (
        Update(GateNote, {GateNote.body: "LEAK"}).where(GateNote.id == w.theirs.note.id).bind(w.db).execute()
    )
)
hole("update of a Table()")(
    lambda w: (lambda t: t.update({t.body: "LEAK"}).where(t.id == w.theirs.note.id).execute())(
        Table("gate_note", ["id", "body"]).bind(w.db)
    )
)
hole("update of an alias", REFUSED)(
    lambda w: Update(GateNote.alias("n"), {GateNote.rank: 7}).bind(w.db).execute()
)
hole("update from their subquery")(
    lambda w: (
        GateNote.update(body=GateTag.select(fn.MAX(GateTag.label))).execute(),
        GateNote.select(),
    )[1]
)
hole("update from another table", unsupported="mysql")(
    lambda w: (
        GateNote.update(body=GateTag.label).from_(GateTag).where(GateTag.label == "tag-b").execute(),
        GateNote.select(),
    )[1]
)
hole("move a row: update(tenant_id=theirs)", REFUSED)(lambda w: GateNote.update(tenant_id=B).execute())
hole("move a row: update(tenant_id=SQL)", REFUSED)(
    lambda w: GateNote.update(tenant_id=SQL(f"'{B}'")).execute()
)
hole("move a row: by Entity", REFUSED)(
    lambda w: Update(GateNote, {Entity("tenant_id"): B}).bind(w.db).execute()
)
hole("move a row: by Column", REFUSED)(
    lambda w: Table("gate_note").bind(w.db).update({Table("gate_note").c.TENANT_ID: B}).execute()
)
hole("move a row: save()", REFUSED)(lambda w: (setattr(w.mine.note, "tenant_id", B), w.mine.note.save()))
hole("move a row: tenants.id", REFUSED)(lambda w: Tenant.update(id="tenant_cccccccc").execute())
hole("save() of their instance", REFUSED)(
    lambda w: (setattr(w.theirs.note, "body", "LEAK"), w.theirs.note.save())
)
hole("save(only=…) of their instance")(
    lambda w: (setattr(w.theirs.note, "body", "LEAK"), w.theirs.note.save(only=[GateNote.body]))[1]
)
hole("save() of their instance, as mine")(
    lambda w: (
        setattr(w.theirs.note, "tenant_id", A),
        setattr(w.theirs.note, "body", "LEAK"),
        w.theirs.note.save(),
    )[2]
)
hole("bulk_update")(
    lambda w: (setattr(w.theirs.note, "body", "LEAK"), GateNote.bulk_update([w.theirs.note], ["body"]))[1]
)
hole("set_by_id")(lambda w: GateNote.set_by_id(w.theirs.note.id, {"body": "LEAK"}))
hole("Model[id] = …")(lambda w: GateNote.__setitem__(w.theirs.note.id, {"body": "LEAK"}))
hole("delete")(lambda w: GateNoteTag.delete().execute())
hole("delete of the query builder")(lambda w: Delete(GateNoteTag).bind(w.db).execute())
hole("delete of a Table()")(lambda w: Table("gate_note_tag").bind(w.db).delete().execute())
hole("delete, where 1=1 OR 1=1")(lambda w: GateNoteTag.delete().where(SQL("1=1 OR 1=1")).execute())
hole("delete_by_id, del Model[id]")(
    lambda w: (GateNoteTag.delete_by_id(w.theirs.link.id), GateNoteTag.__delitem__(w.theirs.link.id))[0]
)
hole("delete_instance")(lambda w: w.theirs.link.delete_instance())
hole("delete_instance(recursive)")(
    lambda w: w.theirs.note.delete_instance(recursive=True, delete_nullable=True)
)
hole("truncate_table", REFUSED)(lambda w: GateNoteTag.truncate_table())
hole("drop_table", REFUSED)(lambda w: GateNoteTag.drop_table())
hole("create_table as", REFUSED)(lambda w: GateNote.select().create_table("gate_copy"))
hole("returning", unsupported="mysql sqlite")(
    lambda w: list(GateNote.update(rank=7).returning(GateNote.body).tuples().execute())
)


# Inserts.
def note(w: World, **values: Any) -> dict[str, Any]:
    return {"body": "x", "code": "new", "plain": w.plain, **values}


def foreign_rows(w: World) -> Any:
    with system_scope(reason="test check"):
        return (
            "LEAK"
            if GateNote.select().where(GateNote.code == "new", GateNote.tenant_id != A).exists()
            else ""
        )


hole("create(tenant_id=theirs)", REFUSED)(lambda w: GateNote.create(**note(w, tenant_id=B)))
hole("insert(tenant_id=theirs)", REFUSED)(lambda w: GateNote.insert(note(w, tenant_id=B)).execute())
hole("insert(tenant_id=SQL)", REFUSED)(lambda w: GateNote.insert(note(w, tenant_id=SQL(f"'{B}'"))).execute())
hole("insert(tenant_id=None)")(
    lambda w: (GateNote.insert(note(w, tenant_id=None)).execute(), foreign_rows(w))[1]
)
hole("insert_many of dicts", REFUSED)(
    lambda w: GateNote.insert_many([note(w), note(w, code="n2", tenant_id=B)]).execute()
)
hole("insert_many, tenant in the second row only", REFUSED)(
    lambda w: GateNote.insert_many(iter([note(w), note(w, code="n2", tenant_id=B)])).execute()
)
hole("insert_many of tuples", REFUSED)(
    lambda w: GateNote.insert_many(
        [("x", "new", w.plain.id, B)],
        fields=[GateNote.body, GateNote.code, GateNote.plain, GateNote.tenant_id],
    ).execute()
)
hole("insert_many of tuples, without the column")(
    lambda w: (
        GateNote.insert_many([("x", "new", w.plain.id)], fields=["body", "code", "plain"]).execute(),
        foreign_rows(w),
    )[1]
)
hole("insert_many of bare tuples", REFUSED)(
    lambda w: GateNote.insert_many([(B, "x", "new", 0, w.plain.id, None)]).execute()
)
hole("bulk_create", REFUSED)(lambda w: GateNote.bulk_create([GateNote(**note(w, tenant_id=B))]))
hole("insert into a Table()", REFUSED)(
    lambda w: (lambda t: t.insert({t.c.tenant_id: B, t.c.label: "x"}).execute())(Table("gate_tag").bind(w.db))
)
hole("insert of the query builder", REFUSED)(
    lambda w: Insert(GateTag, {GateTag.tenant_id: B, GateTag.label: "x"}).as_rowcount().bind(w.db).execute()
)
hole("insert by Entity", REFUSED)(
    lambda w: Insert(Table("gate_tag"), {Entity("TENANT_ID"): B, Entity("label"): "x"}).bind(w.db).execute()
)
hole("insert of a subquery")(
    lambda w: (GateTag.insert(label=GateNote.select(fn.MAX(GateNote.body))).execute(), GateTag.select())[1]
)
hole("update in a cte", unsupported="sqlite mysql")(
    lambda w: (lambda c: Select([c], [c.c.body]).with_cte(c).bind(w.db).tuples())(
        GateNote.update(rank=7).returning(GateNote.body).cte("u")
    )
)
hole("insert naming the column twice", REFUSED)(
    lambda w: GateTag.insert_many(
        [(A, B, "x")], fields=[GateTag.tenant_id, GateTag.tenant_id, GateTag.label]
    ).execute()
)
hole("insert_from, their tenant as a value", REFUSED)(
    lambda w: GateNote.insert_from(
        GatePlain.select(Value(B), Value("x"), Value("new"), GatePlain.id, Value(0)),
        [GateNote.tenant_id, GateNote.body, GateNote.code, GateNote.plain, GateNote.rank],
    ).execute()
)
hole("insert_from, their tenant as SQL")(
    lambda w: (
        GateNote.insert_from(
            GatePlain.select(SQL(f"'{B}'"), Value("x"), Value("new"), GatePlain.id, Value(0)),
            [GateNote.tenant_id, GateNote.body, GateNote.code, GateNote.plain, GateNote.rank],
        ).execute(),
        foreign_rows(w),
    )[1]
)
hole("insert_from their rows")(
    lambda w: (
        GateTag.insert_from(GateNote.select(GateNote.body), [GateTag.label]).execute(),
        GateTag.select(),
    )[1]
)
hole("insert_from a union")(
    lambda w: (
        GateTag.insert_from(
            GateNote.select(GateNote.body) | GateTag.select(GateTag.label), [GateTag.label]
        ).execute(),
        GateTag.select(),
    )[1]
)
hole("insert_from SQL", REFUSED)(
    lambda w: GateTag.insert_from(SQL("select body from gate_note"), [GateTag.label]).execute()
)
hole("replace", REFUSED, unsupported="postgresql")(
    lambda w: GateNote.replace(note(w, id=w.theirs.note.id)).execute()
)
hole("replace_many", REFUSED)(lambda w: GateNote.replace_many([note(w, code="code-b")]).execute())
hole("on_conflict_replace", REFUSED)(
    lambda w: GateNote.insert(note(w, code="code-b")).on_conflict_replace().execute()
)
hole("on_conflict_ignore")(lambda w: GateNote.insert(note(w, code="code-b")).on_conflict_ignore().execute())


def upsert(w: World, **options: Any) -> Any:
    if w.engine != "mysql":
        options["conflict_target"] = [GateNote.code]
    return GateNote.insert(note(w, code="code-b", body="LEAK")).on_conflict(**options).execute()


hole("upsert, update")(lambda w: (upsert(w, update={GateNote.body: "LEAK"}), None)[1])
hole("upsert, update by expression")(
    lambda w: (upsert(w, update={GateNote.rank: GateNote.rank + 1}), None)[1]
)
hole("upsert, preserve")(lambda w: (upsert(w, preserve=[GateNote.body]), None)[1])
hole("upsert, preserve the tenant")(lambda w: (upsert(w, preserve=[GateNote.tenant_id]), None)[1])
hole("upsert, by name")(lambda w: (upsert(w, update={"body": "LEAK"}), None)[1])
hole("upsert, set the tenant", REFUSED)(lambda w: upsert(w, update={GateNote.tenant_id: B}))
hole("upsert, where 1=1 OR 1=1", unsupported="mysql")(
    lambda w: (upsert(w, update={GateNote.body: "LEAK"}, where=SQL("1=1 OR 1=1")), None)[1]
)
hole("foreign key to their agent")(
    lambda w: ChatHistory.create(
        session_id="s", user_message="m", agent_response="r", agent_id=w.theirs.agent.id
    )
)
hole("foreign key to their agent, by update")(
    lambda w: ChatHistory.update(agent_id=w.theirs.agent.id).execute()
)
