"""Typed configuration: defaults for what is missing, and nothing that was given is dropped."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maimdb import ALL_MODELS, Agent, ValidationError, close_database, init_database, tenant_scope
from maimdb.core.configuration import (
    AGENT_CONFIG_MODELS,
    AgentConfigManager,
    ConfigModel,
    parse_json_field,
    read_config,
    register_config,
    serialize_json_field,
    tenant_config,
)
from maimdb.core.errors import LifecycleError
from pydantic import BaseModel

from tests.maimdb.rows import assistant, company

TYPES = {
    "chat": {
        "max_context_size": 18,
        "interest_rate_mode": "fast",
        "planner_size": 1.5,
        "mentioned_bot_reply": True,
        "auto_chat_value": 1.0,
        "enable_auto_chat_value_rules": True,
        "at_bot_inevitable_reply": 1.0,
        "planner_smooth": 3.0,
        "talk_value": 1.0,
        "enable_talk_value_rules": True,
        "talk_value_rules": [],
        "auto_chat_value_rules": [],
    },
    "expression": {"mode": "classic", "learning_list": [], "expression_groups": []},
    "memory": {"max_memory_number": 100, "memory_build_frequency": 1},
    "mood": {"enable_mood": True, "mood_update_threshold": 1.0, "emotion_style": ""},
    "emoji": {
        "emoji_chance": 0.6,
        "max_reg_num": 200,
        "do_replace": True,
        "check_interval": 120,
        "steal_emoji": True,
        "content_filtration": False,
        "filtration_prompt": "",
    },
    "tool": {"enable_tool": False},
    "voice": {"enable_asr": False},
    "plugin": {
        "enable_plugins": True,
        "tenant_mode_disable_plugins": True,
        "allowed_plugins": [],
        "blocked_plugins": [],
    },
    "keyword_reaction": {"keyword_rules": [], "regex_rules": []},
    "relationship": {"enable_relationship": True},
}
PERSONA = {
    "personality": "",
    "reply_style": "",
    "interest": "",
    "plan_style": "",
    "private_plan_style": "",
    "visual_style": "",
    "states": [],
    "state_probability": 0.0,
}
BOT = {"platform": "", "qq_account": "", "nickname": "", "platforms": [], "alias_names": []}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_c", min_size=1), inner, max_size=3)
    ),
    max_leaves=5,
)
names = st.text("abcdefghijk_é", min_size=1, max_size=12)


@pytest.fixture
def agent(sql_url):
    init_database(sql_url).create_tables(ALL_MODELS)
    yield assistant(company(), config='{"theme": "dark"}')
    close_database()


def test_every_type_has_the_defaults_of_earlier_versions():
    expected = {"persona": PERSONA, "bot_overrides": BOT, **TYPES}
    assert {name: read_config(name, {}).model_dump() for name in AGENT_CONFIG_MODELS} == expected


def test_a_configuration_is_read_as_it_was_given(agent):
    manager = AgentConfigManager(agent.id)
    assert manager.get_all_configs() == {"persona": {}, "bot_overrides": {}, "config_overrides": {}}
    given = {
        "persona": {"personality": "kind", "states": ["calm"], "mine": {"a": [1, None]}},
        "bot_overrides": {"nickname": "Mai", "platforms": ["qq"]},
        "config_overrides": {"chat": {"talk_value": 0.5}, "telepathy": {"range": 7}},
    }
    assert manager.update_config_from_json(given)
    assert manager.get_all_configs() == {
        "persona": PERSONA | given["persona"],
        "bot_overrides": BOT | given["bot_overrides"],
        "config_overrides": {"chat": TYPES["chat"] | {"talk_value": 0.5}, "telepathy": {"range": 7}},
    }
    manager.update_config_from_json('{"config_overrides": {"chat": {"max_context_size": 9}}, "note": 1}')
    found = manager.get_all_configs()["config_overrides"]["chat"]
    assert (found["max_context_size"], found["talk_value"]) == (9, 0.5)
    config = Agent.get_by_id(agent.id).get_config()
    assert (config["theme"], config["note"]) == ("dark", 1)
    assert manager.delete_all_configs()
    assert not manager.delete_all_configs()
    assert Agent.get_by_id(agent.id).get_config() == {"theme": "dark", "note": 1}


def test_parts_are_created_and_read_one_by_one(agent):
    manager = AgentConfigManager(agent.id)
    assert manager.get_personality_config() is None
    assert manager.get_bot_config_overrides() is None
    assert manager.get_config_overrides("mood") is None
    assert manager.create_personality_config({"personality": "p"}) == PERSONA | {"personality": "p"}
    assert manager.create_bot_config_overrides({"nickname": "n"}) == BOT | {"nickname": "n"}
    assert manager.create_config_overrides("mood", {}) == TYPES["mood"]
    assert manager.get_personality_config()["personality"] == "p"
    assert manager.get_bot_config_overrides()["nickname"] == "n"
    assert manager.get_config_overrides("mood") == TYPES["mood"]
    for kind, defaults in TYPES.items():
        assert manager.create_config_overrides(kind, {"x": 1}) == defaults | {"x": 1}
    assert set(manager.get_all_configs()["config_overrides"]) == set(TYPES)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"config_overrides": {"chat": {"max_context_size": "many"}}}, "chat.max_context_size"),
        ({"persona": {"states": "calm"}}, "persona.states"),
        ({"persona": ["kind"]}, "persona"),
        ({"config_overrides": 7}, "config_overrides"),
        ({"config_overrides": {"telepathy": 7}}, "telepathy"),
        ([], "config"),
        ("{", "config"),
    ],
)
@pytest.mark.backend("sqlite")
def test_what_is_not_allowed_names_its_place_and_changes_nothing(agent, config, field):
    manager = AgentConfigManager(agent.id)
    with pytest.raises(ValidationError) as caught:
        manager.update_config_from_json(
            {"persona": {"personality": "p"}, **config} if isinstance(config, dict) else config
        )
    assert caught.value.field == field
    assert Agent.get_by_id(agent.id).get_config() == {"theme": "dark"}


def test_strangers_have_no_configuration(agent):
    other = company("Other Company")
    with tenant_scope(other.id), pytest.raises(LifecycleError, match=f"{other.id}' has no agent"):
        AgentConfigManager(agent.id).get_all_configs()
    with pytest.raises(LifecycleError, match="there is no agent 'agent_unknown0'"):
        AgentConfigManager("agent_unknown0").update_config_from_json({})


def test_of_two_changes_at_once_both_take_effect(agent):
    manager = AgentConfigManager(agent.id)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: manager.update_config_from_json({"persona": {f"k{n}": n}}), range(24)))
    found = manager.get_personality_config()
    assert {name: found[name] for name in found if name not in PERSONA} == {f"k{n}": n for n in range(24)}


@pytest.fixture
def manager(sqlite_url):
    init_database(sqlite_url).create_tables(ALL_MODELS)
    yield AgentConfigManager(assistant(company()).id)
    close_database()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(names, values, max_size=4),
    st.dictionaries(st.sampled_from([*TYPES, "unknown", "é"]), st.dictionaries(names, values), max_size=4),
)
def test_nothing_that_was_given_is_dropped(manager, persona, overrides):
    overrides = {
        kind: {name: value for name, value in part.items() if name not in TYPES.get(kind, ())}
        for kind, part in overrides.items()
    }
    manager.delete_all_configs()
    manager.update_config_from_json({"persona": persona, "config_overrides": overrides})
    found = manager.get_all_configs()
    assert persona.items() <= found["persona"].items() or json.dumps(persona) == json.dumps(
        {name: found["persona"][name] for name in persona}
    )
    for kind, part in overrides.items():
        assert {name: found["config_overrides"][kind][name] for name in part} == part


def test_a_model_of_ones_own_is_registered_if_it_drops_nothing(monkeypatch):
    class Shop(ConfigModel):
        price: int = 3

    class Dropping(BaseModel):
        price: int = 3

    monkeypatch.setattr("maimdb.core.configuration.AGENT_CONFIG_MODELS", {})
    register_config("shop", Shop)
    assert read_config("shop", {"colour": "red"}).model_dump() == {"price": 3, "colour": "red"}
    with pytest.raises(ValidationError, match="Dropping would drop"):
        register_config("shop", Dropping)


def test_a_tenants_limits_are_typed():
    config = tenant_config({"max_agents": 5, "plan": "x"})
    assert (config.max_agents, config.max_keys, config.given()) == (5, None, {"max_agents": 5, "plan": "x"})
    with pytest.raises(ValidationError, match=r"tenant_config\.requests_per_minute"):
        tenant_config({"requests_per_minute": "many"})


def test_json_fields_are_parsed_and_written():
    assert parse_json_field('["a"]', []) == ["a"]
    assert parse_json_field("{", []) == parse_json_field(None, []) == parse_json_field("", []) == []
    assert parse_json_field(["a"], []) == ["a"]
    assert serialize_json_field({"é": [1]}) == '{"é": [1]}'
    assert serialize_json_field(None) is None
    assert serialize_json_field("[1]") == "[1]"


@pytest.mark.parametrize(
    "path", ["maim_db.core", "maim_db.src.core", "maim_db.core.agent_config", "maimdb.core"]
)
def test_callers_import_it_where_they_did(path):
    module = __import__(path, fromlist=["AgentConfigManager"])
    assert module.AgentConfigManager is AgentConfigManager
    assert module.AGENT_CONFIG_MODELS is AGENT_CONFIG_MODELS
    assert module.parse_json_field is parse_json_field
    assert Path(module.__file__).exists()
