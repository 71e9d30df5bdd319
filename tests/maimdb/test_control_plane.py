"""MaiMConfig's control plane runs on this package: its routes, over HTTP, on each engine."""

import base64
import sqlite3
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import uvicorn
from maimdb import ChatHistory, close_database, get_database, system_scope

from tests.maimdb.control_plane import app

EMPTY = {"persona": {}, "bot_overrides": {}, "config_overrides": {}}


@contextmanager
def serving(url, monkeypatch):
    """Serve the control plane on a free port, on a database; yields a client of its API."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("MAIMDB_KEY_PEPPER", "a pepper of the tests of 32 characters")
    close_database()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    started, startup = threading.Event(), server.startup

    async def start(sockets=None):
        await startup(sockets)
        started.set()

    server.startup = start
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(30)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v2", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(30)
        close_database()


@pytest.fixture
def http(sql_url, monkeypatch):
    with serving(sql_url, monkeypatch) as client:
        yield client


def made(http, path, **body):
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def tenant(http, name="Example Company", **body):
    return made(http, "/tenants", tenant_name=name, **body)


def agent(http, owner, name="Support Assistant", **body):
    return made(http, "/agents", tenant_id=owner["id"], name=name, **body)


def key(http, of, name="web", **body):
    return made(http, "/api-keys", tenant_id=of["tenant_id"], agent_id=of["id"], name=name, **body)


def validate(http, text, **body):
    answer = http.post("/auth/validate-api-key", json={"api_key": text, **body})
    return answer.status_code, answer.json()


def test_tenants(http):
    assert http.get("/health").json() == {"usable": True, "closed": True, "migrator": "Migrator"}
    first = tenant(
        http, tenant_type="enterprise", tenant_config={"max_agents": 2}, contact_email="a@b.example"
    )
    assert first["id"].startswith("tenant_")
    assert len(first["id"].split("_")[1]) == 12
    wanted = {
        "tenant_type": "enterprise",
        "tenant_config": {"max_agents": 2},
        "status": "active",
        "active": True,
    }
    assert first.items() >= wanted.items()
    assert http.get(f"/tenants/{first['id']}").json() == first
    assert http.post("/tenants", json={"tenant_name": "Example Company"}).status_code == 409
    others = [tenant(http, f"Company {number}") for number in range(3)]
    page = http.get("/tenants", params={"page": 2, "size": 2}).json()
    assert ([each["id"] for each in page["items"]], page["total"]) == ([others[1]["id"], others[2]["id"]], 4)
    changed = http.put(
        f"/tenants/{first['id']}", json={"tenant_config": {"a": [1]}, "description": "d"}
    ).json()
    assert (
        changed.items()
        >= {"tenant_config": {"a": [1]}, "description": "d", "tenant_name": "Example Company"}.items()
    )
    assert changed["updated_at"] > first["updated_at"]
    assert changed["created_at"] == first["created_at"]
    assert http.get(f"/tenants/{first['id']}").json() == changed
    suspended = http.put(f"/tenants/{first['id']}", json={"status": "suspended"}).json()
    assert (suspended["status"], suspended["active"]) == ("suspended", False)
    assert http.delete(f"/tenants/{first['id']}").json() == {"id": first["id"]}
    assert http.get(f"/tenants/{first['id']}").status_code == 404
    assert http.get("/tenants").json()["total"] == 3


def test_agents(http):
    owner, other = tenant(http), tenant(http, "Another Company")
    first = agent(http, owner, description="d", template_id="t")
    second = agent(http, owner, "Second")
    stranger = agent(http, other)
    assert first["id"].startswith("agent_")
    assert (
        first.items()
        >= {"tenant_id": owner["id"], "description": "d", "template_id": "t", "config": EMPTY}.items()
    )
    assert http.get(f"/agents/{first['id']}").json() == first
    twice = {"tenant_id": owner["id"], "name": "Second"}
    assert http.post("/agents", json=twice).status_code == 409
    assert http.post("/agents", json={**twice, "tenant_id": "tenant_nobody"}).status_code == 404
    changed = http.put(f"/agents/{second['id']}", json={"name": "Renamed", "status": "archived"}).json()
    assert (changed["name"], changed["status"]) == ("Renamed", "archived")
    assert http.get(f"/agents/{first['id']}").json() == first
    listed = http.get("/agents", params={"tenant_id": owner["id"], "size": 1, "page": 2}).json()
    assert ([each["id"] for each in listed["items"]], listed["total"]) == ([second["id"]], 2)
    active = http.get("/agents", params={"tenant_id": owner["id"], "status": "active"}).json()
    assert [each["id"] for each in active["items"]] == [first["id"]]
    assert http.delete(f"/agents/{first['id']}").json() == {"id": first["id"]}
    assert http.get(f"/agents/{first['id']}").status_code == 404
    assert http.get(f"/agents/{stranger['id']}").json() == stranger


def test_agent_configuration(http):
    given = {
        "persona": {"personality": "kind", "states": ["calm"]},
        "bot_overrides": {"nickname": "Mai", "platforms": ["qq"]},
        "config_overrides": {
            "chat": {"talk_value": 0.5},
            "relationship": {"enable_relationship": False},
            "model": {"models": [{"name": "m"}]},
        },
    }
    of = agent(http, tenant(http), config=given)
    path = f"/agents/{of['id']}/config"
    config = http.get(path).json()
    assert config == of["config"]
    assert (
        config["persona"].items() >= {**given["persona"], "reply_style": "", "state_probability": 0.0}.items()
    )
    assert config["bot_overrides"].items() >= {**given["bot_overrides"], "alias_names": []}.items()
    assert set(config["config_overrides"]) == {"chat", "relationship", "model"}
    assert config["config_overrides"]["chat"].items() >= {"talk_value": 0.5, "max_context_size": 18}.items()
    assert config["config_overrides"]["model"] == {"models": [{"name": "m"}]}
    partial = {"persona": {"interest": "tea"}, "config_overrides": {"chat": {"max_context_size": 9}}}
    merged = http.put(path, json=partial).json()
    assert merged["persona"] == {**config["persona"], "interest": "tea"}
    assert merged["config_overrides"]["chat"] == {**config["config_overrides"]["chat"], "max_context_size": 9}
    assert merged["config_overrides"]["model"] == config["config_overrides"]["model"]
    for part in http.get("/config-types").json():
        kept = http.put(f"{path}/{part}", json={"mine": [1]}).json()
        assert kept["mine"] == [1]
        assert len(kept) > 1
    wrong = http.put(path, json={"config_overrides": {"chat": {"max_context_size": "many"}}})
    assert (wrong.status_code, "chat.max_context_size" in wrong.text) == (422, True)
    assert http.delete(path).json() == EMPTY
    assert http.put("/agents/agent_nobody/config", json=partial).status_code == 404


def test_an_agent_of_the_specifications_example_can_be_configured(http):
    of = agent(http, tenant(http))
    http.put(f"/agents/{of['id']}", json={"config": {"persona": "professional support", "theme": "dark"}})
    path = f"/agents/{of['id']}/config"
    assert http.get(path).json()["persona"]["personality"] == "professional support"
    config = http.put(path, json={"persona": {"interest": "tea"}}).json()
    assert config["persona"].items() >= {"personality": "professional support", "interest": "tea"}.items()
    assert http.get(f"/agents/{of['id']}/raw").json()["parsed"]["theme"] == "dark"


def test_api_keys(http, sql_url):
    owner = tenant(http)
    of, beside = agent(http, owner), agent(http, owner, "Second")
    first = key(http, of, permissions=["chat", "config_read"])
    text = first["api_key"]
    assert text.startswith("mmc_")
    assert base64.b64decode(text[4:]).decode().split("_")[:2] == [
        owner["id"].split("_")[1],
        of["id"].split("_")[1],
    ]
    assert http.post("/auth/parse-api-key", json={"api_key": text}).json()["agent_id"] == of["id"]
    keys = [first, *(key(http, of, f"key {number}") for number in range(3)), key(http, beside)]
    ids = [each["id"] for each in keys]
    assert all(len(each.split("_")) == 2 for each in ids)
    listed = http.get("/api-keys", params={"tenant_id": owner["id"], "page_size": 2}).json()
    assert ([each["id"] for each in listed["items"]], listed["total"]) == ([ids[4], ids[3]], 5)
    last = http.get("/api-keys", params={"tenant_id": owner["id"], "page_size": 2, "page": 3}).json()
    assert [each["id"] for each in last["items"]] == [ids[0]]
    of_agent = http.get("/api-keys", params={"tenant_id": owner["id"], "agent_id": beside["id"]}).json()
    assert ([each["id"] for each in of_agent["items"]], of_agent["total"]) == ([ids[4]], 1)
    shown = http.get(f"/api-keys/{ids[0]}").json()
    assert (
        shown.items()
        >= {"permissions": ["chat", "config_read"], "usage_count": 0, "expires_at": None}.items()
    )
    assert "api_key" not in shown
    assert http.put(f"/api-keys/{ids[0]}", json={"permissions": ["a"]}).json()["permissions"] == ["a"]
    assert http.get(f"/api-keys/{ids[1]}").json()["permissions"] == []
    http.post(f"/api-keys/{ids[1]}/disable")
    disabled = http.get("/api-keys", params={"tenant_id": owner["id"], "status": "disabled"}).json()
    assert [each["id"] for each in disabled["items"]] == [ids[1]]
    assert http.delete(f"/api-keys/{ids[2]}").json() == {"id": ids[2]}
    assert http.get(f"/api-keys/{ids[2]}").status_code == 404
    rows = repr(get_database().execute_sql("SELECT * FROM api_keys").fetchall())
    assert text not in rows
    assert ids[0] in rows


def test_authentication(http):
    owner, other = tenant(http), tenant(http, "Another Company")
    of, stranger = agent(http, owner), agent(http, other)
    made_key = key(http, of, permissions=["chat"])
    text = made_key["api_key"]
    status, answer = validate(http, text, required_permission="chat")
    assert (status, answer["valid"], answer["has_permission"]) == (200, True, True)
    assert (answer["id"], answer["tenant_id"], answer["agent_id"]) == (made_key["id"], owner["id"], of["id"])
    assert validate(http, text, required_permission="admin")[1]["has_permission"] is False
    assert validate(http, text, tenant_id=owner["id"], agent_id=of["id"])[0] == 200
    for wrong in ({"tenant_id": other["id"]}, {"agent_id": stranger["id"]}):
        assert validate(http, text, **wrong)[0] == 401
    for wrong in (text[:-1], text.swapcase(), "mmc_", "", made_key["id"]):
        assert validate(http, wrong) == (401, {"detail": "no such key"})
    http.post(f"/api-keys/{made_key['id']}/disable")
    assert validate(http, text) == (401, {"detail": "disabled"})
    moment = datetime.now(UTC)
    over = key(http, of, expires_at=(moment - timedelta(minutes=1)).isoformat())
    assert [validate(http, over["api_key"]) for _ in range(2)] == [(401, {"detail": "expired"})] * 2
    assert http.get(f"/api-keys/{over['id']}").json()["status"] == "expired"
    naive = key(http, of, expires_at=(moment + timedelta(minutes=1)).replace(tzinfo=None).isoformat())
    assert validate(http, naive["api_key"])[1]["usage_count"] == 1


def test_activity(http):
    owner, other = tenant(http), tenant(http, "Another Company")
    of, stranger = agent(http, owner), agent(http, other)

    def note(agent_id, ttl_seconds, tenant_id=owner["id"]):
        body = {"tenant_id": tenant_id, "agent_id": agent_id, "ttl_seconds": ttl_seconds}
        return http.put("/agent-activity", json=body)

    def listed(**params):
        return {
            (each["agent_id"], each["ttl_seconds"])
            for each in http.get("/agent-activity", params=params).json()
        }

    assert listed() == {(of["id"], 43200), (stranger["id"], 43200)}
    noted = note(of["id"], 60).json()
    lasts = datetime.fromisoformat(noted["expires_at"]) - datetime.fromisoformat(noted["last_seen_at"])
    assert lasts == timedelta(seconds=60)
    assert listed(tenant_id=owner["id"]) == {(of["id"], 60)}
    assert note(of["id"], -1).status_code == 200
    assert listed() == {(stranger["id"], 43200)}
    assert note(stranger["id"], 60).status_code == 400
    http.put(f"/tenants/{owner['id']}", json={"status": "inactive"})
    assert note(of["id"], 60).status_code == 400


def test_nothing_that_went_wrong_in_earlier_versions(http):
    owner = tenant(http)
    first, second = agent(http, owner), agent(http, owner, "Second")
    turn = {"session_id": "s", "agent_response": "Hi"}
    for number, of in enumerate([first, first, second, second]):
        made(http, "/chats", **turn, agent_id=of["id"], user_message=str(number))
    assert http.get("/chats", params={"session_id": "s"}).json() == ["0", "1", "2", "3"]
    assert http.put("/chats", params={"agent_id": first["id"], "user_message": "x"}).json() == 2
    assert http.get("/chats", params={"session_id": "s"}).json() == ["x", "x", "2", "3"]
    assert http.delete("/chats", params={"agent_id": first["id"]}).json() == 2
    with system_scope(reason="the test counts"):
        assert {chat.agent_id for chat in ChatHistory.select()} == {second["id"]}
    for path, bogus in ((f"/tenants/{owner['id']}", "bogus"), (f"/agents/{first['id']}", "suspended")):
        assert http.put(path, json={"status": bogus}).status_code == 422
        assert http.get(path).json()["status"] == "active"
    unknown = http.post("/agents/unchecked", json={"tenant_id": "tenant_nobody", "name": "a"})
    assert unknown.status_code == 409
    assert http.get("/agents", params={"tenant_id": "tenant_nobody"}).json() == {"items": [], "total": 0}


@pytest.mark.backend("sqlite")
def test_the_path_of_the_url_is_where_the_rows_are(sql_url, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with serving("sqlite:///deep/own.db", monkeypatch) as http:
        owner = tenant(http)
    with closing(sqlite3.connect(tmp_path / "deep/own.db")) as connection:
        assert connection.execute("SELECT id FROM tenants").fetchall() == [(owner["id"],)]
    assert not (tmp_path / "data").exists()


@pytest.mark.backend("sqlite")
def test_null_as_callers_write_it_is_no_configuration(sql_url, monkeypatch):
    from maim_db.core.models import Agent, ApiKey, Tenant  # noqa: PLC0415

    with serving(sql_url, monkeypatch):
        owner = Tenant(id="tenant_0123456789ab", tenant_name="n", tenant_config="null")
        owner.save(force_insert=True)
        of = Agent(id="agent_0123456789ab", tenant_id=owner.id, name="a", config="null")
        of.save(force_insert=True)
        kept = ApiKey(
            id="key_0123456789ab",
            tenant_id=owner.id,
            agent_id=of.id,
            api_key="mmc_own text",
            permissions="null",
        )
        kept.save(force_insert=True)
        assert (Tenant.get_by_id(owner.id).get_config(), Agent.get_by_id(of.id).get_config()) == ({}, {})
        assert ApiKey.get_by_id(kept.id).get_permissions() == []
