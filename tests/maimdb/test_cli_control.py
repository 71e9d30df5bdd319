"""`maimdb tenants`, `agents`, `keys` and `audit`: tables for people, JSON for machines."""

import json

import pytest
from maimdb import Agent, ApiKey, Tenant, close_database, init_database
from maimdb.cli.app import app, main
from maimdb.core import deletion
from maimdb.core.migrations import migrate
from typer.testing import CliRunner

PEPPER = "a pepper of these tests"


@pytest.fixture
def run(sqlite_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("MAIMDB_KEY_PEPPER", PEPPER)
    migrate(init_database())
    close_database()

    def run(*arguments, text=None):
        result = CliRunner().invoke(app, arguments, input=text)
        return result.exit_code, result.stdout

    yield run
    close_database()


@pytest.fixture
def fails(run, monkeypatch, capsys):
    def fails(*arguments):
        monkeypatch.setattr("sys.argv", ["maimdb", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
        return ended.value.code, captured.err

    return fails


@pytest.fixture
def made(run):
    code, output = run(
        "tenants", "create", "Ex [b]ample\x1b[2J", "--agent", "Support", "--key", "chat", "--json"
    )
    assert code == 0
    return json.loads(output)


def facts(model, key):
    init_database()
    try:
        return model.get_by_id(key)
    finally:
        close_database()


def test_a_tenant_is_created_with_an_agent_and_a_key_shown_once(run, made):
    assert run("keys", "verify", text=f"{made['key']}\n")[0] == 0
    for command in ("tenants", "agents", "keys", "audit"):
        for form in ((), ("--json",)):
            code, output = run(command, "list", *form)
            assert code == 0
            assert made["key"] not in output
            assert "\x1b" not in output
    code, output = run("tenants", "list")
    assert r"Ex [b]ample\x1b[2J" in output
    code, output = run("tenants", "create", "Another", "--agent", "A", "--key", "chat", "--key", "admin")
    assert [line.partition(":")[0] for line in output.splitlines()] == ["tenant", "agent", "key_id", "key"]


def test_a_tenant_is_shown_with_its_rows(run, made):
    code, output = run("tenants", "show", made["tenant"], "--json")
    shown = json.loads(output)
    assert (code, shown["agents"], shown["keys"], shown["rows"]["agents"]) == (0, 1, 1, 1)
    assert f"id: {made['tenant']}" in run("tenants", "show", made["tenant"])[1]


def test_tenants_are_suspended_reactivated_and_archived(run, made):
    tenant = made["tenant"]
    for command, status in (
        (("suspend", tenant, "--reads", "--reason", "invoice"), "suspended"),
        (("reactivate", tenant), "active"),
        (("archive", tenant), "inactive"),
    ):
        assert run("tenants", *command)[0] == 0
        assert facts(Tenant, tenant).status == status
    assert tenant in run("tenants", "list", "--status", "inactive")[1]
    assert tenant not in run("tenants", "list", "--status", "active")[1]


def test_a_tenant_is_deleted_when_it_is_confirmed_and_the_report_proves_it(run, made, tmp_path):
    tenant, report = made["tenant"], tmp_path / "report.json"
    assert run("tenants", "delete", tenant, text="n\n")[0] == 1
    assert facts(Tenant, tenant)
    code, output = run("tenants", "delete", tenant, "--report", str(report), text="y\n")
    assert code == 0
    assert "3 rows, 0 left" in output
    written = json.loads(report.read_text())
    counts = tuple(deletion.Count(**count) for count in written.pop("tables"))
    init_database()
    assert deletion.is_genuine(deletion.DeletionReport(tables=counts, **written))
    assert Tenant.get_or_none(Tenant.id == tenant) is None
    close_database()
    second = json.loads(run("tenants", "create", "Second", "--json")[1])
    code, output = run("tenants", "delete", second["tenant"], "--yes", "--json")
    assert (code, json.loads(output)["tenant_name"]) == (0, "Second")


def test_agents_are_created_up_to_the_limit_and_archived(run, fails):
    code, output = run("tenants", "create", "Small", "--config", '{"max_agents": 1}', "--json")
    tenant = json.loads(output)["tenant"]
    code, output = run("agents", "create", tenant, "One")
    agent = output.strip()
    assert (code, facts(Agent, agent).name) == (0, "One")
    code, message = fails("agents", "create", tenant, "Two")
    assert code == 1
    assert "has 1 of 1 rows in 'agents': raise 'max_agents'" in message
    assert run("agents", "archive", agent) == (0, f"archived {agent}\n")
    assert json.loads(run("agents", "create", tenant, "Two", "--json")[1])["tenant_id"] == tenant
    assert len(json.loads(run("agents", "list", "--tenant", tenant, "--json")[1])) == 2


def test_keys_are_issued_rotated_verified_and_revoked(run, fails, made):
    tenant, agent = made["tenant"], made["agent"]
    options = ("--permission", "chat", "--name", "web", "--days", "90", "--per-minute", "60", "--json")
    issued = json.loads(run("keys", "issue", tenant, agent, *options)[1])
    row = facts(ApiKey, issued["key_id"])
    assert (row.name, row.rate_limit) == ("web", 60)
    assert round((row.expires_at - row.created_at).total_seconds() / 86400) == 90
    code, output = run("keys", "rotate", issued["key_id"], "--overlap", "24")
    new = dict(line.split(": ") for line in output.splitlines())
    assert (code, set(new)) == (0, {"key_id", "key"})
    for text in (issued["key"], new["key"]):
        code, output = run("keys", "verify", "--json", text=f"{text}\n")
        assert (code, json.loads(output)[0]["permissions"]) == (0, ["chat"])
    assert run("keys", "revoke", new["key_id"], text="n\n")[0] == 1
    assert run("keys", "revoke", new["key_id"], "--yes") == (0, f"revoked {new['key_id']}\n")
    assert run("keys", "verify", text=f"{new['key']}\n")[0] == 1
    assert {key["id"] for key in json.loads(run("keys", "list", "--tenant", tenant, "--json")[1])} == {
        made["key_id"],
        issued["key_id"],
        new["key_id"],
    }


def test_no_key_is_taken_from_the_command_line(run, made):
    assert run("keys", "verify", made["key"])[0] == 2


def test_the_audit_log_is_listed_and_verified(run, made):
    events = json.loads(run("audit", "list", "--tenant", made["tenant"], "--limit", "2", "--json")[1])
    assert [event["kind"] for event in events] == ["key.issued", "agent.created"]
    assert events[0]["actor"].startswith("command line: ")
    assert "tenant.created" in run("audit", "list")[1]
    code, output = run("audit", "verify")
    head = output.split()[-1]
    assert (code, "0 faults" in output) == (0, True)
    assert json.loads(run("audit", "verify", "--head", head, "--json")[1])["ok"]

    database = init_database()
    for sql in ("DROP TRIGGER audit_events_update", "UPDATE audit_events SET subject = 'x' WHERE seq = 1"):
        database.connection().execute(sql)
    database.connection().commit()
    close_database()
    code, output = run("audit", "verify")
    assert (code, output.splitlines()[0]) == (1, "event 1 was edited")
    assert run("audit", "verify", "--head", "1:2", "--json")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tenants", "show", "tenant_x"), "there is no tenant 'tenant_x': `maimdb tenants list` shows"),
        (("tenants", "suspend", "tenant_x"), "there is no tenant 'tenant_x'"),
        (("tenants", "create", "X", "--config", "{"), "--config is no JSON"),
        (("agents", "archive", "agent_x"), "there is no agent 'agent_x'"),
        (("agents", "create", "tenant_x", "A"), "there is no tenant 'tenant_x'"),
        (("keys", "issue", "tenant_x", "agent_x"), "tenant 'tenant_x' has no agent 'agent_x'"),
        (("keys", "revoke", "key_x", "--yes"), "there is no key 'key_x'"),
        (("keys", "rotate", "key_x"), "there is no key 'key_x'"),
    ],
)
def test_a_mistake_is_one_line(fails, arguments, said):
    code, message = fails(*arguments)
    assert code == 1
    assert message.startswith(f"error: {said}")
