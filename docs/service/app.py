"""An example service: chats of agents, for many tenants.

    uv run --with uvicorn uvicorn docs.service.app:app

Each request is done in the scope of its key's tenant: no query here names a tenant, and none can forget to.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI
from maimdb.core.async_models import AsyncChatHistory, unit
from maimdb.fastapi import VerifiedKey, install, lifespan, require
from pydantic import BaseModel

app = FastAPI(title="Chats", lifespan=lifespan)
install(app)

Reader = Annotated[VerifiedKey, Depends(require("chat"))]
Writer = Annotated[VerifiedKey, Depends(require("chat", "chat_write"))]


class Turn(BaseModel):
    """One turn of a conversation, as it is sent."""

    session_id: str
    user_message: str
    agent_response: str
    metadata: dict[str, Any] | None = None


class KeptTurn(Turn):
    """A turn as it is kept."""

    id: UUID
    created_at: datetime


def shown(chat: AsyncChatHistory) -> KeptTurn:
    """Return what is shown of a row."""
    return KeptTurn.model_validate(chat, from_attributes=True)


@app.post("/chats", status_code=201)
async def add(turn: Turn, key: Writer) -> KeptTurn:
    """Keep a turn."""
    return shown(await AsyncChatHistory.create(agent_id=key.agent_id, **turn.model_dump()))


@app.post("/chats/batch", status_code=201)
async def add_all(turns: list[Turn], key: Writer) -> list[KeptTurn]:
    """Keep several turns, all or none."""
    async with unit():
        return [
            shown(await AsyncChatHistory.create(agent_id=key.agent_id, **turn.model_dump())) for turn in turns
        ]


@app.get("/chats")
async def chats(key: Reader, session_id: str, after: UUID | None = None, limit: int = 50) -> list[KeptTurn]:
    """Return turns of a session, in their order; `after` is the last of the page before."""
    del key
    last = await AsyncChatHistory.get_by_id(after) if after else None
    return [shown(row) for row in await AsyncChatHistory.page(session_id=session_id, after=last, limit=limit)]


@app.get("/chats/{chat_id}")
async def chat(chat_id: UUID, key: Reader) -> KeptTurn:
    """Return a turn."""
    del key
    return shown(await AsyncChatHistory.get_by_id(chat_id))


@app.delete("/chats/{chat_id}", status_code=204)
async def forget(chat_id: UUID, key: Writer) -> None:
    """Delete a turn."""
    del key
    await (await AsyncChatHistory.get_by_id(chat_id)).delete()
