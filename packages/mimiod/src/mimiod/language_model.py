"""The endpoint of a language model: whom the settings name, and one question to it.

Whatever speaks OpenAI's chat completions will do, a server on this machine too. This needs no more than
the standard library; `mimiod generate`, which reads answers as they are written, has `workflow.endpoint`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mimiod.errors import ConfigurationError, LanguageModelError

if TYPE_CHECKING:
    from mimiod.settings import Settings

_TIMEOUT: Final = 120.0
"Seconds until an answer has to come."
_SHOWN: Final = 200
"Characters of an answer that an error repeats."


@dataclass(frozen=True)
class Endpoint:
    """Where a language model answers, its name there, and the key, which no text ever shows."""

    address: str
    "The base address, without the slash at its end."
    model: str
    key: str | None = field(repr=False)

    @property
    def host(self) -> str:
        """The host, and the port if one is named."""
        return urlsplit(self.address).netloc

    def without_key(self, text: str) -> str:
        """Return the text with the key taken out."""
        return text.replace(self.key, "***") if self.key else text

    def short(self, text: str) -> str:
        """Return as much of what the endpoint said as an error repeats, on one line, without the key."""
        line = " ".join(self.without_key(text).split())
        line = "".join(sign if sign.isprintable() else "?" for sign in line)
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"

    def ask(self, question: str) -> str:
        """Return the answer to one question.

        Raises:
            LanguageModelError: there is none, or it is no chat completion.
        """
        body = {"model": self.model, "messages": [{"role": "user", "content": question}]}
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked in `endpoint_of`
            f"{self.address}/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        # Not a common header: those follow a redirection to another host.
        request.add_unredirected_header("Authorization", f"Bearer {self.key}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - as above
                answer = response.read().decode(errors="replace")
        except urllib.error.HTTPError as exc:
            with exc:
                said = self.short(exc.read().decode(errors="replace"))
            raise LanguageModelError(f"{self.named} answered {exc.code}: {said}") from None
        except (OSError, HTTPException) as exc:
            reason = exc.reason if isinstance(exc, urllib.error.URLError) else exc
            raise LanguageModelError(
                f"{self.named} did not answer ({reason or type(exc).__name__})"
            ) from None
        try:
            content = json.loads(answer)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            content = None
        if not isinstance(content, str):
            raise LanguageModelError(f"{self.named} answered with no text: {self.short(answer)}")
        return self.without_key(content)

    @property
    def named(self) -> str:
        """How an error speaks of it."""
        return f"the language model at {self.host}"


def endpoint_of(settings: Settings) -> Endpoint:
    """Return the endpoint that the settings name.

    Raises:
        ConfigurationError: the address or the key cannot be used; the text repeats neither.
    """
    key, address = settings.openai_api_key, settings.openai_endpoint
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        usable = None
    if not usable:
        raise ConfigurationError(
            "OPENAI_ENDPOINT has to be an http(s) address without a user name, such as "
            "https://api.openai.com/v1"
        )
    if key is not None and (not (key.isascii() and key.isprintable()) or " " in key):
        raise ConfigurationError("OPENAI_API_KEY holds a blank or a sign that no key has")
    return Endpoint(address.rstrip("/"), settings.openai_model, key)
