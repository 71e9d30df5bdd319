"""Draws of prose that a language model wrote: optional, asked for once, and kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from mimiod.errors import DeclarationError, LanguageModelError
from mimiod.language_model import Endpoint, endpoint_of
from mimiod.seeding.frames import Draw
from mimiod.seeding.texts import Fake
from mimiod.seeding.values import Column, Picked
from mimiod.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from mimiod.seeding.frames import Place

_AT_ONCE: Final = 10
"Texts asked for in one request."


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
        endpoint = endpoint_of(settings)
        texts: list[str] = []
        while len(texts) < self.pool:
            try:
                texts += _written(endpoint, self.prompt, min(_AT_ONCE, self.pool - len(texts)))
            except LanguageModelError as exc:
                raise DeclarationError(
                    f"{at.where}: {exc}; mend OPENAI_ENDPOINT, OPENAI_MODEL or OPENAI_API_KEY, or unset "
                    "the key to do without"
                ) from None
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


def _written(endpoint: Endpoint, prompt: str, number: int) -> list[str]:
    """Return at most `number` texts, at least one."""
    answer = endpoint.ask(
        f"{prompt}\n\nWrite {number} such texts, each different from the others. Answer with a JSON "
        f"array of {number} strings and nothing else."
    )
    try:
        return _strings(_array_in(answer))[:number]
    except (ValueError, TypeError):
        raise LanguageModelError(
            f"{endpoint.named} answered with no array of texts: {endpoint.short(answer)}"
        ) from None


def _array_in(text: str) -> Any:
    """Return the JSON array in an answer, which may stand between other words."""
    return json.loads(text[text.index("[") : text.rindex("]") + 1])


def _strings(values: Any) -> list[str]:
    if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
        raise TypeError("not texts")
    return values
