"""Typed configuration: a pydantic model for each key, and what no model knows is kept.

    register_config("shop", ShopConfig)                       # a ConfigModel
    read_config("chat", {"talk_value": 2.0, "x": 1})          # ChatConfig(talk_value=2.0, …, x=1)

An agent's configuration stands in its row's `config`, as JSON:
`{"persona": {…}, "bot_overrides": {…}, "config_overrides": {type: {…}}}`, beside whatever else is there.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from maimdb.core.database import get_database
from maimdb.core.errors import LifecycleError, ValidationError
from maimdb.core.models.fields import parse_json
from maimdb.core.models.system_v2 import Agent
from maimdb.core.scope import current_tenant

__all__ = [
    "AGENT_CONFIG_MODELS",
    "AgentConfigManager",
    "ConfigModel",
    "TenantConfig",
    "parse_json_field",
    "read_config",
    "register_config",
    "serialize_json_field",
    "tenant_config",
]

M = TypeVar("M", bound=BaseModel)


class ConfigModel(BaseModel):
    """A part of a configuration; keys that it does not name are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    def given(self) -> dict[str, Any]:
        """Return what was given, without defaults."""
        return self.model_dump(exclude_unset=True)


class PersonaConfig(ConfigModel):
    """Who the agent is."""

    personality: str = ""
    reply_style: str = ""
    interest: str = ""
    plan_style: str = ""
    private_plan_style: str = ""
    visual_style: str = ""
    states: list[Any] = Field(default_factory=list)
    state_probability: float = 0.0


class BotConfig(ConfigModel):
    """The agent's account."""

    platform: str = ""
    qq_account: str = ""
    nickname: str = ""
    platforms: list[Any] = Field(default_factory=list)
    alias_names: list[Any] = Field(default_factory=list)


class ChatConfig(ConfigModel):
    """When the agent speaks."""

    max_context_size: int = 18
    interest_rate_mode: str = "fast"
    planner_size: float = 1.5
    mentioned_bot_reply: bool = True
    auto_chat_value: float = 1.0
    enable_auto_chat_value_rules: bool = True
    at_bot_inevitable_reply: float = 1.0
    planner_smooth: float = 3.0
    talk_value: float = 1.0
    enable_talk_value_rules: bool = True
    talk_value_rules: list[Any] = Field(default_factory=list)
    auto_chat_value_rules: list[Any] = Field(default_factory=list)


class ExpressionConfig(ConfigModel):
    """How the agent learns to speak."""

    mode: str = "classic"
    learning_list: list[Any] = Field(default_factory=list)
    expression_groups: list[Any] = Field(default_factory=list)


class MemoryConfig(ConfigModel):
    """What the agent remembers."""

    max_memory_number: int = 100
    memory_build_frequency: int = 1


class MoodConfig(ConfigModel):
    """How the agent feels."""

    enable_mood: bool = True
    mood_update_threshold: float = 1.0
    emotion_style: str = ""


class EmojiConfig(ConfigModel):
    """Which pictures the agent sends and keeps."""

    emoji_chance: float = 0.6
    max_reg_num: int = 200
    do_replace: bool = True
    check_interval: int = 120
    steal_emoji: bool = True
    content_filtration: bool = False
    filtration_prompt: str = ""


class ToolConfig(ConfigModel):
    """Whether the agent uses tools."""

    enable_tool: bool = False


class VoiceConfig(ConfigModel):
    """Whether the agent hears."""

    enable_asr: bool = False


class PluginConfig(ConfigModel):
    """Which plugins the agent runs."""

    enable_plugins: bool = True
    tenant_mode_disable_plugins: bool = True
    allowed_plugins: list[Any] = Field(default_factory=list)
    blocked_plugins: list[Any] = Field(default_factory=list)


class KeywordReactionConfig(ConfigModel):
    """What the agent reacts to."""

    keyword_rules: list[Any] = Field(default_factory=list)
    regex_rules: list[Any] = Field(default_factory=list)


class RelationshipConfig(ConfigModel):
    """Whether the agent knows its friends."""

    enable_relationship: bool = True


class TenantConfig(ConfigModel):
    """What a tenant may have and do; null: without limit."""

    max_agents: int | None = Field(None, ge=0)
    """Agents that are not archived."""
    max_keys: int | None = Field(None, ge=0)
    """Active API keys."""
    requests_per_minute: float | None = Field(None, ge=0)
    """With all keys together, in each process."""
    key_requests_per_minute: float | None = Field(None, ge=0)
    """With a key that has no limit of its own, in each process."""
    suspended_reads: bool = False
    """Whether it may read while it is suspended."""


AGENT_CONFIG_MODELS: Final[dict[str, type[BaseModel]]] = {}
"""The models of an agent's configuration, by the names of its parts."""

PERSONA: Final = "persona"
BOT: Final = "bot_overrides"
OVERRIDES: Final = "config_overrides"


def register_config(name: str, model: type[BaseModel]) -> None:
    """Have a part of agents' configuration checked by a model, which keeps what it does not know.

    Raises:
        ValidationError: the model would drop what it does not know.
    """
    if model.model_config.get("extra") != "allow":
        raise ValidationError(
            f"{model.__name__} would drop the keys that it does not know: derive it from ConfigModel",
            field=name,
        )
    AGENT_CONFIG_MODELS[name] = model


_KNOWN: Final[dict[str, type[ConfigModel]]] = {
    PERSONA: PersonaConfig,
    BOT: BotConfig,
    "chat": ChatConfig,
    "expression": ExpressionConfig,
    "memory": MemoryConfig,
    "mood": MoodConfig,
    "emoji": EmojiConfig,
    "tool": ToolConfig,
    "voice": VoiceConfig,
    "plugin": PluginConfig,
    "keyword_reaction": KeywordReactionConfig,
    "relationship": RelationshipConfig,
}
for _name, _model in _KNOWN.items():
    register_config(_name, _model)


def read_config(name: str, values: dict[str, Any]) -> BaseModel:
    """Return the values as the model of their part, with its defaults for what is missing.

    A part that no model was registered for is taken as it is.

    Raises:
        ValidationError: with the first key whose value is not allowed.
    """
    return _checked(AGENT_CONFIG_MODELS.get(name, ConfigModel), name, values)


def tenant_config(values: dict[str, Any]) -> TenantConfig:
    """Return a tenant's configuration as its model.

    Raises:
        ValidationError: with the first key whose value is not allowed.
    """
    return _checked(TenantConfig, "tenant_config", values)


def _checked(model: type[M], name: str, values: dict[str, Any]) -> M:
    if not isinstance(values, dict):
        raise ValidationError(f"{name} is {type(values).__name__}: use an object", field=name, value=values)
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join([name, *map(str, first["loc"])])
        raise ValidationError(f"{place}: {first['msg']}", field=place, value=first.get("input")) from None


def parse_json_field(text: Any, default: Any = None) -> Any:
    """Return what a JSON text holds; the default where there is none or it is broken."""
    if not isinstance(text, str):
        return default if text is None else text
    try:
        return parse_json(text, default, field="a JSON field")
    except ValidationError:
        return default


def serialize_json_field(obj: Any) -> str | None:
    """Return an object as JSON text; None stays None, and a text is taken for JSON already."""
    return obj if obj is None or isinstance(obj, str) else json.dumps(obj, ensure_ascii=False)


class AgentConfigManager:
    """The configuration of an agent: read whole, changed in parts, nothing that was given is dropped.

    A part is read with its model's defaults; one that was never given is not there.
    """

    def __init__(self, agent_id: str) -> None:
        self.agent_id = agent_id

    def get_all_configs(self) -> dict[str, Any]:
        """Return `{"persona": {…}, "bot_overrides": {…}, "config_overrides": {type: {…}}}`.

        Raises:
            LifecycleError: there is no such agent.
        """
        config = self._read().get_config()
        overrides = _part(config, OVERRIDES)
        return {
            PERSONA: _filled(PERSONA, _part(config, PERSONA)) if PERSONA in config else {},
            BOT: _filled(BOT, _part(config, BOT)) if BOT in config else {},
            OVERRIDES: {name: _filled(name, _part(overrides, name)) for name in overrides},
        }

    def update_config_from_json(self, config: dict[str, Any] | str) -> bool:
        """Change the keys that are given, in the shape of `get_all_configs()`; the others stay.

        Raises:
            ValidationError: a value is not allowed; nothing was changed.
            LifecycleError: there is no such agent.
        """
        given = parse_json(config, {}, field="config") if isinstance(config, str) else config
        if not isinstance(given, dict):
            raise ValidationError("config is no object", field="config", value=given)

        def merge(present: dict[str, Any]) -> None:
            for name, values in given.items():
                if name in (PERSONA, BOT):
                    _merge(present, name, name, values)
                elif name == OVERRIDES:
                    if not isinstance(values, dict):
                        raise ValidationError(f"{OVERRIDES} is no object", field=OVERRIDES, value=values)
                    overrides = present.setdefault(OVERRIDES, {})
                    for kind, part in values.items():
                        _merge(overrides, kind, kind, part)
                else:
                    present[name] = values

        self._change(merge)
        return True

    def delete_all_configs(self) -> bool:
        """Delete the persona, the bot's overrides and all others; return whether there were any."""
        found = False

        def delete(present: dict[str, Any]) -> None:
            nonlocal found
            for name in (PERSONA, BOT, OVERRIDES):
                found = present.pop(name, None) is not None or found

        self._change(delete)
        return found

    def create_personality_config(self, data: dict[str, Any]) -> dict[str, Any]:
        """Put a persona in the place of the present one; return it with its defaults."""
        return self._create(PERSONA, data)

    def get_personality_config(self) -> dict[str, Any] | None:
        """Return the persona with its defaults; None: there is none."""
        config = self._read().get_config()
        return _filled(PERSONA, _part(config, PERSONA)) if PERSONA in config else None

    def create_bot_config_overrides(self, data: dict[str, Any]) -> dict[str, Any]:
        """Put the bot's overrides in the place of the present ones; return them with their defaults."""
        return self._create(BOT, data)

    def get_bot_config_overrides(self) -> dict[str, Any] | None:
        """Return the bot's overrides with their defaults; None: there are none."""
        config = self._read().get_config()
        return _filled(BOT, _part(config, BOT)) if BOT in config else None

    def create_config_overrides(self, config_type: str, data: dict[str, Any]) -> dict[str, Any]:
        """Put overrides in the place of the present ones of their type; return them with their defaults."""
        return self._create(config_type, data, overrides=True)

    def get_config_overrides(self, config_type: str) -> dict[str, Any] | None:
        """Return the overrides of a type with their defaults; None: there are none."""
        overrides = _part(self._read().get_config(), OVERRIDES)
        return _filled(config_type, _part(overrides, config_type)) if config_type in overrides else None

    def _create(self, name: str, data: dict[str, Any], *, overrides: bool = False) -> dict[str, Any]:
        filled = _filled(name, data)

        def put(present: dict[str, Any]) -> None:
            (present.setdefault(OVERRIDES, {}) if overrides else present)[name] = filled

        self._change(put)
        return filled

    def _read(self, *, lock: bool = False) -> Agent:
        query = Agent.select().where(Agent.id == self.agent_id)
        if lock and get_database().config.engine != "sqlite":
            query = query.for_update()
        agent: Agent | None = query.get_or_none()
        if agent is None:
            where = f"tenant {current_tenant()!r} has" if current_tenant() else "there is"
            raise LifecycleError(f"{where} no agent {self.agent_id!r}", missing=True)
        return agent

    def _change(self, change: Any) -> None:
        """Change the configuration under the lock of the agent's row: of two at once, both take effect."""

        def write() -> None:
            agent = self._read(lock=True)
            config = agent.get_config()
            change(config)
            agent.set_config(config)
            agent.save(only=[Agent.config])

        get_database().run_unit(write)


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    values = _described(name, config.get(name, {}))
    if not isinstance(values, dict):
        raise ValidationError(f"agents.config: {name} holds no object", field=name, value=values)
    return values


def _described(name: str, values: Any) -> Any:
    """Return the values of a part; a persona that is a text is taken for its personality."""
    return {"personality": values} if name == PERSONA and isinstance(values, str) else values


def _merge(present: dict[str, Any], name: str, model: str, values: Any) -> None:
    values = _described(name, values)
    if not isinstance(values, dict):
        raise ValidationError(f"{name} is {type(values).__name__}: use an object", field=name, value=values)
    present[name] = _filled(model, {**_part(present, name), **values})


def _filled(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with their model's defaults."""
    return read_config(name, values).model_dump()
