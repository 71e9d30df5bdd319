"""A FastAPI service on MaimDB: the example of docs/service, under uvicorn, called over HTTP."""

import asyncio
import logging
import threading
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
import uvicorn
from maimdb import ChatHistory, close_database, init_database, system_scope
from maimdb.core import api_keys, lifecycle
from maimdb.core.migrations import migrate
from maimdb.core.models.fields import utc_now

from docs.service.app import app

TURN = {"session_id": "s", "user_message": "Hello", "agent_response": "Hi", "metadata": {"n": 1}}
PERMISSIONS = ["chat", "chat_write"]


@pytest.fixture
def database(sql_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", sql_url)
    monkeypatch.setenv("MAIMDB_KEY_PEPPER", "a pepper of the tests of 32 characters")
    database = init_database()
    migrate(database)
    yield database
    close_database()


@contextmanager
def serving():
    """Serve the example on a free port; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_keep_alive=120))
    thread = threading.Thread(target=server.run)
    started = threading.Event()
    startup = server.startup

    async def start(sockets=None):
        await startup(sockets)
        started.set()

    server.startup = start
    thread.start()
    try:
        assert started.wait(30)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def address(database):
    with serving() as address:
        yield address


def tenant(name, permissions=PERMISSIONS, **options):
    return lifecycle.create_tenant(name, agent="Helper", key=permissions, **options)


def ask(address, key, method, path, **options):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.request(method, f"{address}{path}", headers=headers, timeout=60, **options)


def test_a_key_opens_its_tenants_rows_and_no_others(address):
    mine, theirs = tenant("Mine"), tenant("Theirs")
    kept = ask(address, mine.key.text, "POST", "/chats", json=TURN)
    assert kept.status_code == 201
    assert kept.json()["metadata"] == {"n": 1}
    path = f"/chats/{kept.json()['id']}"
    assert ask(address, mine.key.text, "GET", path).json() == kept.json()
    for method in ("GET", "DELETE"):
        refused = ask(address, theirs.key.text, method, path)
        assert (refused.status_code, refused.json()) == (404, {"detail": "not found"})
    unknown = ask(address, theirs.key.text, "GET", "/chats/00000000-0000-0000-0000-000000000000")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "not found"})
    assert ask(address, theirs.key.text, "GET", "/chats?session_id=s").json() == []
    assert ask(address, mine.key.text, "GET", "/chats?session_id=s").json() == [kept.json()]
    assert ask(address, mine.key.text, "DELETE", path).status_code == 204
    with system_scope(reason="the test counts"):
        assert ChatHistory.select().count() == 0


@pytest.mark.backend("sqlite")
def test_both_headers_carry_a_key_and_no_url_does(address):
    made = tenant("Mine")
    path = f"{address}/chats?session_id=s"
    assert httpx.get(path, headers={"X-API-Key": made.key.text}).status_code == 200
    for place in ("api_key", "key", "X-API-Key", "token"):
        assert httpx.get(f"{path}&{place}={made.key.text}").status_code == 401


@pytest.mark.backend("sqlite")
def test_what_opens_nothing_is_unauthorized_and_looks_alike(address):
    made = tenant("Mine")
    expired = api_keys.issue(made.tenant.id, made.agent.id, ["chat"], expires_at=utc_now() - timedelta(1))
    revoked = api_keys.issue(made.tenant.id, made.agent.id, ["chat"])
    api_keys.revoke(revoked.key_id)
    answers = [
        ask(address, text, "GET", "/chats?session_id=s")
        for text in ("wrong", made.key.text[:-1], f"{made.key.text}x", expired.text, revoked.text)
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    none = ask(address, None, "GET", "/chats?session_id=s")
    assert none.status_code == 401
    assert "X-API-Key" in none.json()["detail"]


@pytest.mark.backend("sqlite")
def test_a_missing_permission_is_forbidden(address):
    made = tenant("Mine", ["chat"])
    assert ask(address, made.key.text, "GET", "/chats?session_id=s").status_code == 200
    refused = ask(address, made.key.text, "POST", "/chats", json=TURN)
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "the key lacks the permission 'chat_write'"},
    )


@pytest.mark.backend("sqlite")
def test_a_tenants_limit_is_kept(address):
    made = tenant("Mine", config={"requests_per_minute": 3})
    other = tenant("Other")
    statuses = [ask(address, made.key.text, "GET", "/chats?session_id=s").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = ask(address, made.key.text, "GET", "/chats?session_id=s")
    assert 1 <= int(refused.headers["Retry-After"]) <= 20
    assert ask(address, other.key.text, "GET", "/chats?session_id=s").status_code == 200


@pytest.mark.backend("sqlite")
def test_what_is_sent_wrong_is_refused_whole(address):
    made = tenant("Mine")
    refused = ask(address, made.key.text, "POST", "/chats", json={**TURN, "user_message": "a\0b"})
    assert refused.status_code == 422
    assert "NUL" in refused.json()["detail"]
    batch = [TURN, {**TURN, "session_id": "x" * 256}]
    assert ask(address, made.key.text, "POST", "/chats/batch", json=batch).status_code == 422
    assert ask(address, made.key.text, "GET", "/chats?session_id=s").json() == []
    assert ask(address, made.key.text, "POST", "/chats/batch", json=[TURN, TURN]).status_code == 201
    assert len(ask(address, made.key.text, "GET", "/chats?session_id=s").json()) == 2


@pytest.mark.backend("sqlite")
def test_pages_follow_each_other(address):
    made = tenant("Mine")
    turns = [{**TURN, "user_message": str(number)} for number in range(7)]
    ask(address, made.key.text, "POST", "/chats/batch", json=turns)
    seen, after = [], ""
    while page := ask(address, made.key.text, "GET", f"/chats?session_id=s&limit=3{after}").json():
        seen += [turn["user_message"] for turn in page]
        after = f"&after={page[-1]['id']}"
    assert seen == [turn["user_message"] for turn in turns]


@pytest.mark.backend("sqlite")
def test_health_and_readiness(address, database, sqlite_url):
    assert httpx.get(f"{address}/health").json() == {"status": "ok"}
    ready = httpx.get(f"{address}/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    migrate(database, to=1)
    behind = httpx.get(f"{address}/ready")
    assert behind.status_code == 503
    assert "maimdb migrate" in behind.json()["status"]


@pytest.mark.backend("postgresql")
def test_a_database_that_is_gone_is_said_without_its_address(private_server, monkeypatch):
    server = private_server()
    monkeypatch.setenv("DATABASE_URL", f"{server.url}postgres")
    monkeypatch.setenv("DB_CONNECTION_TIMEOUT", "1")
    monkeypatch.setenv("DB_FALLBACK", "error")
    monkeypatch.setenv("MAIMDB_KEY_PEPPER", "a pepper of the tests of 32 characters")
    migrate(init_database())
    made = tenant("Mine")
    with serving() as address:
        assert httpx.get(f"{address}/ready").status_code == 200
        server.stop()
        assert httpx.get(f"{address}/health").status_code == 200
        assert httpx.get(f"{address}/ready", timeout=60).status_code == 503
        gone = ask(address, made.key.text, "GET", "/chats?session_id=s")
        assert (gone.status_code, gone.json()) == (503, {"detail": "the database does not answer"})


def test_200_clients_of_mixed_tenants_and_no_row_out_of_place(address):
    logging.getLogger("httpx").setLevel(logging.WARNING)
    made = [tenant(f"Tenant {number}") for number in range(10)]
    clients, turns = 200, 3

    async def use(http, number):
        name = f"client {number}"
        options = {"headers": {"X-API-Key": made[number % len(made)].key.text}}
        for turn in range(turns):
            body = {"session_id": name, "user_message": f"{name}: {turn}", "agent_response": "Hi"}
            assert (await http.post("/chats", json=body, **options)).status_code == 201
        seen = (await http.get("/chats", params={"session_id": name}, **options)).json()
        assert [row["user_message"] for row in seen] == [f"{name}: {turn}" for turn in range(turns)]
        stranger = await http.get("/chats", params={"session_id": f"client {number + 1}"}, **options)
        assert stranger.json() == []

    async def crowd():
        limits = httpx.Limits(max_connections=clients)
        async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as http:
            await asyncio.gather(*(use(http, number) for number in range(clients)))

    asyncio.run(crowd())
    with system_scope(reason="the test counts"):
        rows = list(ChatHistory.select())
    assert len(rows) == clients * turns
    for row in rows:
        number = int(row.session_id.removeprefix("client "))
        assert (row.tenant_id, row.agent_id) == (
            made[number % len(made)].tenant.id,
            made[number % len(made)].agent.id,
        )
    api_keys.flush()


@pytest.mark.backend("sqlite")
def test_uses_are_written_when_the_service_ends(database):
    made = tenant("Mine")
    with serving() as address:
        for _ in range(5):
            ask(address, made.key.text, "GET", "/chats?session_id=s")
    from maimdb import ApiKey  # noqa: PLC0415

    assert ApiKey.get_by_id(made.key.key_id).usage_count == 5
