"""Draws of prose that a language model wrote: optional, asked for once, and kept."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from hashlib import blake2b
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mimiod.errors import ConfigurationError, DeclarationError
from mimiod.seeding.frames import Draw
from mimiod.seeding.texts import Fake
from mimiod.seeding.values import Column, Picked
from mimiod.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from mimiod.seeding.frames import Place

_AT_ONCE: Final = 10
"Texts asked for in one request."
_TIMEOUT: Final = 120.0
"Seconds until an answer has to come."
_SHOWN: Final = 200
"Characters of an answer that an error repeats."


@dataclass(frozen=True, eq=False)
class Prose(Draw):
    """Texts that a language model writes by a prompt; without `OPENAI_API_KEY`, what `otherwise` draws.

    `pool` texts are asked for once, of `OPENAI_MODEL` at `OPENAI_ENDPOINT` (any service that speaks OpenAI's
    chat completions), and kept in `prose/` in the data folder: the same prompt again needs no network. Each
    row draws one of them.

    >>> Prose("A review of a budget hotel by a guest, one to three sentences, mixed moods.", pool=80)

    Raises:
        DeclarationError: the service does not answer, or not with texts.
    """

    prompt: str
    pool: int = 50
    otherwise: Any = Fake("paragraph")  # noqa: RUF009 - it is immutable

    def __post_init__(self) -> None:
        if self.pool < 1:
            raise DeclarationError(f"Prose({self.prompt!r}, pool={self.pool}): at least one text is needed")

    def column(self, at: Place) -> Column:
        """Return a text for each row."""
        # Empty where there is no key: workers follow the first process, whatever their environment.
        pool = at.plan.pool(("prose", self.prompt, self.pool), lambda: self._texts(at))
        return Picked(at.below(len(pool)), pool) if len(pool) else at.draw(self.otherwise, "otherwise")

    def _texts(self, at: Place) -> list[str]:
        settings = load_settings()
        if settings.openai_api_key is None:
            return []
        named = "\0".join([settings.openai_endpoint, settings.openai_model, self.prompt, str(self.pool)])
        digest = blake2b(named.encode(), digest_size=16).hexdigest()
        file = settings.data_dir / "prose" / f"{digest}.json"
        if file.is_file():
            return _kept(file)
        service = _Service(settings, settings.openai_api_key, at.where)
        texts: list[str] = []
        while len(texts) < self.pool:
            texts += service.write(self.prompt, min(_AT_ONCE, self.pool - len(texts)))
        content = {"model": settings.openai_model, "prompt": self.prompt, "texts": texts}
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".part")
        fresh.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        fresh.replace(file)
        return texts


def _kept(file: Path) -> list[str]:
    try:
        return _strings(json.loads(file.read_text(encoding="utf-8"))["texts"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise DeclarationError(
            f"{file} holds no texts ({exc}): delete it, and they are asked for anew"
        ) from None


class _Service:
    """A chat completions service. Its key is sent to it, and shown nowhere."""

    def __init__(self, settings: Settings, key: str, where: str) -> None:
        parts = urlsplit(settings.openai_endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ConfigurationError(
                "OPENAI_ENDPOINT has to be an http(s) address without a user name, such as "
                "https://api.openai.com/v1"
            )
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigurationError("OPENAI_API_KEY holds a blank or a sign that no key has")
        self._address = f"{settings.openai_endpoint.rstrip('/')}/chat/completions"
        self._host = parts.netloc
        self._model = settings.openai_model
        self._key = key
        self._where = where

    def write(self, prompt: str, number: int) -> list[str]:
        """Return at most `number` texts, at least one."""
        order = (
            f"{prompt}\n\nWrite {number} such texts, each different from the others. Answer with a JSON "
            f"array of {number} strings and nothing else."
        )
        body = {"model": self._model, "messages": [{"role": "user", "content": order}]}
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            self._address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        # Not a common header: those follow a redirection to another host.
        request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - as above
                answer = self._without_key(response.read())
        except urllib.error.HTTPError as exc:
            with exc:
                shown = self._without_key(exc.read())
            raise self._trouble(f"answered {exc.code}: {_short(shown)}") from None
        except (OSError, HTTPException) as exc:
            reason = exc.reason if isinstance(exc, urllib.error.URLError) else exc
            raise self._trouble(f"did not answer ({reason or type(exc).__name__})") from None
        try:
            texts = _strings(_array_in(json.loads(answer)["choices"][0]["message"]["content"]))
        except (ValueError, LookupError, TypeError):
            raise self._trouble(f"answered with no array of texts: {_short(answer)}") from None
        return texts[:number]

    def _without_key(self, raw: bytes) -> str:
        return raw.decode(errors="replace").replace(self._key, "***")

    def _trouble(self, what: str) -> DeclarationError:
        return DeclarationError(
            f"{self._where}: the language model at {self._host} {what}; mend OPENAI_ENDPOINT, OPENAI_MODEL "
            "or OPENAI_API_KEY, or unset the key to do without"
        )


def _array_in(text: str) -> Any:
    """Return the JSON array in an answer, which may stand between other words."""
    return json.loads(text[text.index("[") : text.rindex("]") + 1])


def _strings(values: Any) -> list[str]:
    if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
        raise TypeError("not texts")
    return values


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
