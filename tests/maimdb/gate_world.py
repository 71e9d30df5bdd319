"""Two tenants with the same rows, and what it means that one reached the other's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import peewee
from maimdb import (
    Agent,
    ChatHistory,
    Tenant,
    UserSession,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core.errors import ScopeError
from maimdb.core.models.base import Record
from maimdb.core.models.fields import StringField
from maimdb.core.scope import current_tenant
from peewee import (
    ForeignKeyField,
    IntegerField,
    ManyToManyField,
)

A, B = "tenant_aaaaaaaa", "tenant_bbbbbbbb"
CLOSED, REFUSED = "closed", "refused"


class GatePlain(Record):
    name = StringField(50)


class GateTag(Record):
    tenant_id = StringField(50, null=True, default=current_tenant)
    label = StringField(50)


class GateNote(Record):
    tenant_id = StringField(50, null=True, default=current_tenant)
    body = StringField(50)
    code = StringField(50, unique=True)
    rank = IntegerField(default=0)
    plain = ForeignKeyField(GatePlain, backref="notes")
    tag = ForeignKeyField(GateTag, backref="notes", null=True)


class GateNoteTag(Record):
    tenant_id = StringField(50, null=True, default=current_tenant)
    note = ForeignKeyField(GateNote)
    tag = ForeignKeyField(GateTag)


Through: Any = peewee.DeferredThroughModel()


class GateShelf(Record):
    tenant_id = StringField(50, null=True, default=current_tenant)
    name = StringField(50)
    tags = ManyToManyField(GateTag, backref="shelves", through_model=Through)
    loose = ManyToManyField(GateTag, backref="loose_shelves")


class GateShelfTag(Record):
    tenant_id = StringField(50, null=True, default=current_tenant)
    shelf = ForeignKeyField(GateShelf)
    tag = ForeignKeyField(GateTag)


Through.set_model(GateShelfTag)
Loose = GateShelf.loose.get_through_model()
MODELS = [
    Tenant,
    Agent,
    ChatHistory,
    UserSession,
    GatePlain,
    GateTag,
    GateNote,
    GateNoteTag,
    GateShelf,
    GateShelfTag,
]


class World:
    """Two tenants with the same rows each; `mine` is tenant A's, `theirs` B's."""

    def __init__(self, url: str) -> None:
        self.db: Any = init_database(url)
        self.engine = self.db.config.engine
        self.db.create_tables([*MODELS, Loose])
        self.rows: dict[str, SimpleNamespace] = {}

    def reset(self) -> None:
        with system_scope(reason="test set-up"):
            for model in reversed([*MODELS, Loose]):
                peewee.ModelDelete(model).execute()
            self.plain = GatePlain.create(name="p")
            for tenant in (A, B):
                Tenant.create(id=tenant, tenant_name=tenant)
        for tenant, letter in ((A, "a"), (B, "b")):
            with tenant_scope(tenant):
                agent = Agent.create(id=f"agent_{letter}", name=letter)
                tag = GateTag.create(label=f"tag-{letter}")
                note = GateNote.create(
                    body=f"body-{letter}", code=f"code-{letter}", plain=self.plain, tag=tag
                )
                link = GateNoteTag.create(note=note, tag=tag)
                shelf = GateShelf.create(name=letter)
                shelf.tags.add([tag])
                chat = ChatHistory.create(
                    session_id="s", user_message=f"from {letter}", agent_response="r", agent_id=agent.id
                )
                self.rows[tenant] = SimpleNamespace(
                    agent=agent, tag=tag, note=note, link=link, shelf=shelf, chat=chat
                )
        self.mine, self.theirs = self.rows[A], self.rows[B]

    def truth(self) -> list[tuple[Any, ...]]:
        """What B's tables hold."""
        with system_scope(reason="test check"):
            return [
                tuple(row)
                for model in (
                    Agent,
                    ChatHistory,
                    GateTag,
                    GateNote,
                    GateNoteTag,
                    GateShelf,
                    GateShelfTag,
                    Tenant,
                )
                for row in model.select(*comparable(model))
                .where(model._meta.columns[model._meta.tenant_column] == B)
                .order_by(model._meta.primary_key)
                .tuples()
            ]


def comparable(model: Any) -> list[Any]:
    return [each for each in model._meta.sorted_fields if each.name != "updated_at"]


@dataclass(frozen=True)
class Hole:
    """A way in; `attempt` returns what it could read."""

    name: str
    attempt: Callable[[World], Any]
    expected: str = CLOSED
    unsupported: frozenset[str] = field(default_factory=frozenset)


HOLES: list[Hole] = []


def hole(name: str, expected: str = CLOSED, *, unsupported: str = "") -> Callable[[Any], Any]:
    def enlist(attempt: Callable[[World], Any]) -> Callable[[World], Any]:
        HOLES.append(Hole(name, attempt, expected, frozenset(unsupported.split())))
        return attempt

    return enlist


def everything(found: Any) -> str:
    """Whatever was read, as one text."""
    if isinstance(found, peewee.Model):
        return f"{found.__data__}"
    if isinstance(found, str | bytes | int | float | None | bool):
        return str(found)
    if isinstance(found, dict):
        return everything(list(found.values()))
    return " ".join(everything(item) for item in found)


def outcome(entry: Hole, world: World) -> str:
    world.reset()
    before = world.truth()
    found = ""
    with tenant_scope(A):
        try:
            found = everything(entry.attempt(world))
            result = CLOSED
        except ScopeError:
            result = REFUSED
        except (peewee.PeeweeException, peewee.DoesNotExist, ValueError) as exc:
            result = "unsupported" if world.engine in entry.unsupported else f"closed by {type(exc).__name__}"
            if isinstance(exc, peewee.DoesNotExist | peewee.IntegrityError):
                result = CLOSED
    if any(mark in found for mark in (B, "-b'", "body-b", "tag-b", "code-b", "from b", "agent_b", "LEAK")):
        return f"LEAK {found[:200]}"
    after = world.truth()
    return result if after == before else f"LEAK: changed {before} to {after}"
