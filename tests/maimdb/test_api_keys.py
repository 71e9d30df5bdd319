"""API keys: what opens, what does not, and what is said of it."""

import datetime as dt
import hashlib
import string
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from maimdb import (
    ALL_MODELS,
    ApiKey,
    ConfigurationError,
    Tenant,
    ValidationError,
    close_database,
    init_database,
    system_scope,
    tenant_scope,
)
from maimdb.core import api_keys, audit, key_text
from maimdb.core.errors import InvalidKeyError, LifecycleError, LimitExceededError, RateLimitedError
from maimdb.core.models.fields import to_json, utc_now

from tests.maimdb.rows import assistant, company

OLD, NEW = "an older pepper of a test", "a newer pepper of a test"


@pytest.fixture
def database(sql_url: str) -> Iterator[Any]:
    database = init_database(sql_url)
    database.create_tables(ALL_MODELS)
    yield database
    close_database()


@pytest.fixture
def agent(database):
    return assistant(company())


def issued(agent, *permissions, **values):
    return api_keys.issue(agent.tenant_id, agent.id, permissions, **values)


def count_statements(database):
    """Return a list that grows with each statement of this thread."""
    statements = []
    thread, execute = threading.get_ident(), database._execute_cursor

    def counted(sql, *arguments, **options):
        if threading.get_ident() == thread:
            statements.append(sql)
        return execute(sql, *arguments, **options)

    database._execute_cursor = counted
    return statements


def refused(text, **wanted):
    with pytest.raises(InvalidKeyError) as caught:
        api_keys.verify(text, **wanted)
    return str(caught.value)


def row_of(key_id):
    return ApiKey.get_by_id(key_id)


def test_a_key_says_whose_it_is_and_what_it_may(agent):
    key = issued(agent, "chat", "config_read", name="web")
    found = api_keys.verify(key.text)
    assert (found.key_id, found.tenant_id, found.agent_id) == (key.key_id, agent.tenant_id, agent.id)
    assert found.permissions == key.permissions == {"chat", "config_read"}
    assert found.has("chat")
    assert not found.has("admin")


def test_the_text_is_shown_once_and_nowhere_else(database, agent, caplog):
    key = issued(agent, "chat")
    api_keys.verify(key.text)
    refused(key.text[:-1])
    api_keys.flush()
    with system_scope(reason="test"):
        stored = [
            database.execute_sql(f"SELECT * FROM {table}").fetchall() for table in database.get_tables()
        ]
    secret = key.text.rpartition("_")[2]
    assert secret not in repr((key, api_keys.verify(key.text), stored, caplog.records, audit.events()))


def test_keys_have_130_random_bits_and_a_typed_prefix(agent):
    texts = [key_text.make("key_k3j9x2ab") for _ in range(300)]
    assert all(text.startswith("maimdb_k3j9x2ab_") for text in texts)
    secrets = [text.rpartition("_")[2][:-6] for text in texts]
    assert {len(secret) for secret in secrets} == {22}
    assert set("".join(secrets)) == set(string.ascii_letters + string.digits)
    assert len(set(texts)) == 300


@pytest.fixture
def typed(sqlite_url):
    database = init_database(sqlite_url)
    database.create_tables(ALL_MODELS)
    key = issued(assistant(company()), "chat")
    api_keys.verify(key.text)
    statements = count_statements(database)
    yield key.text, statements
    close_database()


ONE_DATABASE = [HealthCheck.function_scoped_fixture]


@settings(max_examples=300, deadline=None, suppress_health_check=ONE_DATABASE)
@given(
    st.integers(0, 10**6), st.characters(exclude_categories=["Cs"]), st.sampled_from(["put", "cut", "add"])
)
@example(6, "x", "put")
@example(0, "M", "put")
def test_a_mistyped_key_costs_no_statement(typed, place, character, how):
    text, statements = typed
    place %= len(text)
    after = text[place + 1 :] if how != "add" else text[place:]
    mutated = text[:place] + ("" if how == "cut" else character) + after
    if mutated == text:
        return
    statements.clear()
    refused(mutated)
    assert statements == []


def test_a_key_that_was_cut_off_costs_no_statement(typed):
    text, statements = typed
    statements.clear()
    for length in range(len(text)):
        refused(text[:length])
    for cut in range(1, len("maimdb_") + 1):
        refused(text[cut:])
    assert statements == []


@settings(max_examples=200, deadline=None, suppress_health_check=ONE_DATABASE)
@given(st.text(max_size=600) | st.none() | st.integers())
def test_no_text_breaks_the_verification(typed, text):
    refused(text)


def test_every_refusal_says_the_same(agent):
    other = assistant(company("Other Company"))
    over = issued(agent, expires_at=utc_now() - dt.timedelta(seconds=1))
    disabled = issued(agent)
    ApiKey.update(status="disabled").where(ApiKey.id == disabled.key_id).execute()
    good = issued(agent)
    strange = issued(other)
    wrong = key_text.make(good.key_id)
    said = {
        refused(wrong),
        refused(key_text.make("key_00000000")),
        refused(good.text[:-3]),
        refused(over.text),
        refused(disabled.text),
        refused(strange.text, tenant_id=agent.tenant_id),
        refused(good.text, agent_id=other.id),
        refused("mmc_dW5rbm93bg=="),
        refused(""),
    }
    with tenant_scope(agent.tenant_id):
        assert api_keys.verify(good.text).key_id == good.key_id
        said.add(refused(strange.text))
    assert said == {"The API key opens nothing."}


def test_wrong_and_expired_keys_ask_the_database_the_same(database, agent):
    """Whether a key's id exists, or why it is refused, shows in no statement more or less."""
    over, good = issued(agent, expires_at=utc_now() - dt.timedelta(seconds=1)), issued(agent)
    asked = count_statements(database)
    seen = []
    for text in (over.text, key_text.make(good.key_id), key_text.make("key_00000000"), "mmc_dW5rbm93bg=="):
        asked.clear()
        refused(text)
        seen.append(list(asked))
    assert len(seen[0]) == 1
    assert seen.count(seen[0]) == len(seen)


def test_verifying_leaves_the_audit_log_alone(agent):
    key = issued(agent)
    before = audit.events()
    for _ in range(20):
        api_keys.verify(key.text)
    assert audit.events() == before


def test_a_callers_own_key_verifies_and_is_stored_hashed(database, agent):
    own = "mmc_dGVuYW50OmFnZW50OmtleQ=="
    key = ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, api_key=own, permissions='["chat"]')
    assert api_keys.verify(own).key_id == key.id
    assert api_keys.verify(own).permissions == {"chat"}
    refused(own[:-1])
    assert key.key_hash not in {own, hashlib.sha256(own.encode()).hexdigest()}


def test_a_key_made_by_create_verifies(agent):
    key = ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, permissions='["chat"]')
    assert api_keys.verify(key.api_key).key_id == key.id
    assert ApiKey.verify(key.api_key) == key
    preset = ApiKey.create(id="key-of-mine", tenant_id=agent.tenant_id, agent_id=agent.id)
    assert api_keys.verify(preset.api_key).key_id == "key-of-mine"


@pytest.mark.parametrize("text", ["maimdb_x", "maimdb_but_longer", "m" * 513, "short"])
def test_a_callers_key_may_not_pass_for_one_of_ours_or_be_guessed(agent, text):
    with pytest.raises(ValidationError, match="use another text"):
        ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, api_key=text)


def test_keys_of_versions_before_the_pepper_stay_valid(agent):
    text = "maim_" + "x" * 43
    key = ApiKey.create(tenant_id=agent.tenant_id, agent_id=agent.id, api_key=text)
    plain = hashlib.sha256(text.encode()).hexdigest()
    ApiKey.update(key_hash=plain, pepper=None).where(ApiKey.id == key.id).execute()
    assert ApiKey.verify(text) == key
    assert api_keys.verify(text).key_id == key.id
    api_keys.flush()
    assert row_of(key.id).pepper == key_text.peppers()[0].name
    assert row_of(key.id).key_hash == key.key_hash
    assert api_keys.verify(text).key_id == key.id


@pytest.mark.backend("sqlite")
def test_a_new_pepper_takes_over_and_the_old_one_can_go(agent, sql_url, monkeypatch):
    def configured(peppers):
        close_database()
        monkeypatch.setenv("MAIMDB_KEY_PEPPER", peppers)
        init_database(sql_url)

    configured(OLD)
    used, unused = issued(agent), issued(agent)
    configured(f"{NEW}, {OLD}")
    assert api_keys.verify(used.text).key_id == used.key_id
    configured(NEW)
    assert api_keys.verify(used.text).key_id == used.key_id
    refused(unused.text)
    monkeypatch.setenv("MAIMDB_KEY_PEPPER", "too short")
    api_keys.close()
    with pytest.raises(ConfigurationError, match="MAIMDB_KEY_PEPPER holds a secret shorter") as caught:
        api_keys.verify(used.text)
    assert "too short" not in str(caught.value)


@pytest.mark.backend("sqlite")
def test_the_development_pepper_warns_once(agent, caplog, monkeypatch):
    monkeypatch.setattr(key_text, "_warned", False)
    for _ in range(3):
        issued(agent)
    warnings = [record.getMessage() for record in caplog.records if "PEPPER" in record.getMessage()]
    assert len(warnings) == 1
    assert warnings[0].startswith(
        "MAIMDB_KEY_PEPPER is not set: API keys are hashed with a development value"
    )


def test_rotation_keeps_permissions_and_never_extends(agent):
    end = utc_now() + dt.timedelta(hours=1)
    old = issued(agent, "chat", name="web", expires_at=end, rate_limit=5)
    new = api_keys.rotate(old.key_id, overlap=dt.timedelta(days=7))
    assert (new.permissions, new.expires_at) == (old.permissions, end)
    row = row_of(new.key_id)
    assert (row.name, row.rate_limit, row.agent_id) == ("web", 5, agent.id)
    assert row_of(old.key_id).expires_at == end
    assert {api_keys.verify(key.text).key_id for key in (old, new)} == {old.key_id, new.key_id}

    newest = api_keys.rotate(new.key_id, overlap=dt.timedelta(minutes=1))
    assert row_of(new.key_id).expires_at < utc_now() + dt.timedelta(minutes=1, seconds=1)
    last = api_keys.rotate(newest.key_id)
    refused(newest.text)
    assert api_keys.verify(last.text).permissions == {"chat"}
    with pytest.raises(LifecycleError, match="disabled or over: issue a new one"):
        api_keys.rotate(newest.key_id)


def test_a_revoked_key_opens_nothing_and_strangers_cannot_revoke(agent):
    key, other = issued(agent), company("Other Company")
    api_keys.verify(key.text)
    with tenant_scope(other.id), pytest.raises(LifecycleError, match="there is no key"):
        api_keys.revoke(key.key_id)
    api_keys.revoke(key.key_id)
    refused(key.text)
    with pytest.raises(LifecycleError, match="there is no key 'key_nobodys0'"):
        api_keys.revoke("key_nobodys0")


def test_an_unknown_agent_gets_no_key(agent):
    with pytest.raises(LifecycleError, match="has no agent 'agent_unknown0'"):
        api_keys.issue(agent.tenant_id, "agent_unknown0")


def test_a_tenant_has_no_more_keys_than_it_may(agent):
    Tenant.update(tenant_config='{"max_keys": 1}').where(Tenant.id == agent.tenant_id).execute()
    key = issued(agent)
    with pytest.raises(LimitExceededError, match="has 1 of 1 rows in 'api_keys'"):
        issued(agent)
    rotated = api_keys.rotate(key.key_id, overlap=dt.timedelta(minutes=1))
    for each in (key, rotated):
        api_keys.revoke(each.key_id)
    assert issued(agent)


@pytest.mark.backend("sqlite")
@pytest.mark.parametrize(
    ("config", "rate_limit"),
    [({}, 3), ({"key_requests_per_minute": 3}, None), ({"requests_per_minute": 3}, 100)],
)
def test_too_many_requests_are_refused_with_the_time_to_wait(agent, config, rate_limit):
    Tenant.update(tenant_config=to_json(config, field="c")).where(Tenant.id == agent.tenant_id).execute()
    key, second = issued(agent, rate_limit=rate_limit), issued(agent, rate_limit=rate_limit)
    for _ in range(3):
        api_keys.verify(key.text)
    with pytest.raises(RateLimitedError, match="too many requests") as caught:
        api_keys.verify(key.text)
    assert 15 < caught.value.retry_after <= 20
    if "requests_per_minute" in config:
        with pytest.raises(RateLimitedError):
            api_keys.verify(second.text)
    else:
        assert api_keys.verify(second.text)
    api_keys.flush()
    assert row_of(key.key_id).usage_count == 3
