"""The ways in past Peewee's nodes: raw statements, fragments of SQL, and queries that are kept."""

# ruff: noqa: ARG005, PLC3002 - an attempt is one expression, and is given the world whether it needs it or not

from typing import Any

import peewee
from maimdb import system_scope, tenant_scope
from peewee import (
    SQL,
    Expression,
    Function,
    Join,
    NodeList,
    Select,
    Value,
    fn,
)

from tests.maimdb.gate_world import (
    REFUSED,
    B,
    GateNote,
    GatePlain,
    GateTag,
    World,
    hole,
)

hole("Model.raw", REFUSED)(lambda w: list(GateNote.raw("select * from gate_note")))
hole("RawQuery", REFUSED)(lambda w: peewee.RawQuery("select * from gate_note").bind(w.db).execute())
hole("execute_sql", REFUSED)(lambda w: w.db.execute_sql("select * from gate_note").fetchall())
hole("execute_sql of another's compiled query", REFUSED)(
    lambda w: w.db.execute_sql(*GateNote.select().sql()).fetchall()
)
hole("raw in a cte", REFUSED)(
    lambda w: (lambda c: Select([c], [SQL("body")]).with_cte(c).bind(w.db).execute())(
        peewee.CTE("c", peewee.RawQuery("select * from gate_note"))
    )
)
hole("fragment: SELECT", REFUSED)(
    lambda w: GatePlain.select(SQL("(select max(body) from gate_note)")).tuples()
)
hole("fragment: select of another table", REFUSED)(lambda w: GatePlain.select(SQL("(select 1)")).tuples())
hole("fragment: SELECT in an array's subscript", REFUSED)(
    lambda w: GatePlain.select(SQL("(ARRAY[1,2])[(select 1)]")).tuples()
)
hole("fragment: TABLE", REFUSED)(lambda w: GatePlain.select(SQL("(table gate_note)")).tuples())
hole("fragment: FROM without a source", REFUSED)(
    lambda w: Select(columns=[SQL("body from gate_note")]).bind(w.db).execute()
)
hole("fragment: in WHERE", REFUSED)(
    lambda w: GatePlain.select().where(SQL("exists (select 1 from gate_note where body = 'body-b')"))
)
hole("fragment: in ORDER BY", REFUSED)(
    lambda w: list(GatePlain.select().order_by(SQL("(select max(body) from gate_note)")))
)
hole("fragment: in GROUP BY and HAVING", REFUSED)(
    lambda w: (
        GatePlain.select(fn.COUNT(1))
        .group_by(GatePlain.id)
        .having(SQL("1=1 union select body from gate_note"))
    )
)
hole("fragment: in ON", REFUSED)(
    lambda w: GatePlain.select(SQL("x.body")).join(GateTag, on=SQL("1=1, gate_note x")).tuples()
)
hole("fragment: in ON, wrapped", REFUSED)(
    lambda w: GatePlain.select(SQL("x.body")).join(GateTag, on=NodeList((SQL("1=1, gate_note x"),))).tuples()
)
hole("fragment: a further table in ON", unsupported="sqlite postgresql mysql")(
    lambda w: GatePlain.select(SQL("x.usename")).join(GateTag, on=NodeList((SQL("1=1, pg_user x"),))).tuples()
)
hole("fragment: in UPDATE … FROM", REFUSED)(
    lambda w: GateNote.update(body=SQL("x.body")).from_(GatePlain, SQL("gate_note x")).execute()
)
hole("fragment: a second statement", REFUSED)(
    lambda w: list(GatePlain.select().where(SQL("1=1; delete from gate_note")))
)
hole("fragment: a comment", REFUSED)(lambda w: list(GatePlain.select(SQL("1 /* */"))))
hole("fragment: an open quote", REFUSED)(lambda w: list(GatePlain.select(SQL("'"))))
hole("fragment: words glued", REFUSED)(
    lambda w: list(
        GatePlain.select(NodeList((SQL("(sel"), SQL("ect body fr"), SQL("om gate_note)")), glue=""))
    )
)
hole("fragment: a glue that reads", REFUSED)(
    lambda w: list(
        GatePlain.select(NodeList((Value(1), Value(2)), glue=" union select body from gate_note -- "))
    )
)
hole("fragment: a function's name", REFUSED)(
    lambda w: list(GatePlain.select(Function("max(body) from gate_note --", ())))
)
hole("fragment: a function that runs SQL", REFUSED)(
    lambda w: list(GatePlain.select(fn.query_to_xml("select * from gate_note", True, False, "")))  # noqa: FBT003
)
hole("fragment: an operator", REFUSED)(
    lambda w: list(GateNote.select().where(Expression(GateNote.id, "= 1 OR 1=1) OR (1 =", 1)))
)
hole("fragment: a join type", REFUSED)(
    lambda w: (
        Select([Join(GatePlain, GateTag, ", gate_note AS x JOIN", SQL("1=1"))], [SQL("x.body")])
        .bind(w.db)
        .execute()
    )
)
hole("fragment: a compound's operator", REFUSED)(
    lambda w: (
        peewee.CompoundSelectQuery(
            GatePlain.select(GatePlain.name),
            "UNION SELECT body FROM gate_note UNION",
            GatePlain.select(GatePlain.name),
        )
        .bind(w.db)
        .execute()
    )
)
hole("fragment: an ordering", REFUSED)(
    lambda w: list(
        GatePlain.select().order_by(peewee.Ordering(GatePlain.id, "ASC; delete from gate_note; --"))
    )
)


class _Smuggler(peewee.Node):
    def __sql__(self, ctx: Any) -> Any:
        return ctx.literal("(select max(body) from gate_note)")


hole("a node of one's own", REFUSED)(lambda w: list(GatePlain.select(_Smuggler())))


@hole("a query that another tenant ran")
def _(w: World) -> Any:
    query = GateNote.select()
    with system_scope(reason="test"):
        list(query)
    return [*query, *query[:5], *query.execute()]


@hole("a compound that another tenant ran")
def _(w: World) -> Any:
    query = GateNote.select(GateNote.body) | GateTag.select(GateTag.label)
    with system_scope(reason="test"), tenant_scope(B):
        list(query.tuples())
        list(query)
    return [row.body for row in query]


@hole("len() of a query that another tenant ran")
def _(w: World) -> Any:
    query = GateNote.select()
    with system_scope(reason="test"):
        len(query)
    return "LEAK" if len(query) > 1 else ""
