"""A language model's answers as they are written: the one module that knows the vendor's SDK."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from mimiod.errors import ConfigurationError, LanguageModelError
from mimiod.workflow.budget import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from openai import APIStatusError

    from mimiod.language_model import Endpoint

Message = dict[str, str]
"`role` (system, user or assistant) and `content`."

NEEDS_EXTRA: Final = "`mimiod generate` needs the OpenAI SDK: pip install 'mimiod[generate]'"
_PASSING: Final = frozenset({408, 409, 425, 429})
"Statuses, beside 5xx, after which the same request may be answered."
_OVERFLOWS: Final = ("context_length_exceeded", "context length", "context window", "maximum context")
_MOST_SIGNS: Final = 2_000_000
"Signs of one answer; an endpoint that never ends is cut there."


@dataclass(frozen=True)
class Answer:
    """What a model answered."""

    text: str
    finish: str
    "Why it ended: stop, length (of an answer), content_filter, …"
    refusal: str | None
    tokens_in: int
    tokens_out: int
    estimated: bool
    "Whether the tokens were counted by their signs, since the endpoint said nothing of them."

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a transcript holds it."""
        return asdict(self)


class PassingTroubleError(LanguageModelError):
    """A request that may be answered when it is made again."""

    def __init__(
        self, text: str, *, after: float | None = None, tokens_in: int = 0, tokens_out: int = 0
    ) -> None:
        super().__init__(text)
        self.after = after
        "The seconds that the endpoint asks to wait."
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out
        "What the request used, as far as it went."


class ContextOverflowError(LanguageModelError):
    """A prompt that is longer than the model can read."""


class LanguageModel:
    """A model behind an endpoint. It learns what the endpoint cannot do, and asks no more for that."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float = 300.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        try:
            import openai  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise ConfigurationError(NEEDS_EXTRA) from None
        self.endpoint = endpoint
        self._now = now
        self._sdk = openai
        self._extras: list[dict[str, Any]] = [
            {"stream": True, "stream_options": {"include_usage": True}},
            {"stream": True},
            {},
        ]
        # The key, and the brief, go to the address that was named and to no other that it points to.
        self._client = openai.OpenAI(
            api_key=endpoint.key or "none",
            base_url=endpoint.address,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(follow_redirects=False, timeout=timeout),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def answer(self, messages: list[Message], heard: Callable[[str], None]) -> Answer:
        """Return the model's answer; `heard` is called with each piece of it.

        Raises:
            PassingTroubleError: the request may be made again.
            ContextOverflowError: the messages are too long.
            LanguageModelError: asking again will not help.
        """
        while True:
            try:
                return self._answer(messages, heard)
            except self._sdk.APIStatusError as exc:
                if not self._does_less(exc):
                    raise self._trouble(exc) from None

    def _answer(self, messages: list[Message], heard: Callable[[str], None]) -> Answer:
        sdk, named = self._sdk, self.endpoint.named
        hearing = _Hearing(messages, heard)
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self.endpoint.model,
                messages=messages,  # type: ignore[arg-type]
                **self._extras[0],
            ) as response:
                if "event-stream" in response.headers.get("content-type", ""):
                    chunks: Any = response.parse()
                    for chunk in chunks:
                        hearing.chunk(chunk.to_dict(warnings=False))
                else:
                    hearing.chunk(json.loads(response.read()))
        except sdk.APIStatusError:
            raise
        except sdk.APITimeoutError:
            raise hearing.broken(f"{named} did not answer in time") from None
        except sdk.APIConnectionError as exc:
            reason = f"{exc.__cause__ or exc}"
            what = "broke off" if hearing.text else "did not answer"
            raise hearing.broken(f"{named} {what} ({self.endpoint.short(reason)})") from None
        except sdk.APIError as exc:
            if _overflows(exc):
                raise ContextOverflowError(f"{named}: {self.endpoint.short(exc.message)}") from None
            raise hearing.broken(
                f"{named} broke off with an error: {self.endpoint.short(exc.message)}"
            ) from None
        except (ValueError, TypeError, AttributeError, LookupError) as exc:
            # Broken JSON or bytes, or JSON that is no chat completion: the SDK lets these through.
            raise hearing.broken(f"{named} answered with no chat completion ({type(exc).__name__})") from None
        if not hearing.finish:
            raise hearing.broken(f"{named} broke off after {len(hearing.text):,} signs")
        return hearing.answer(self.endpoint)

    def _does_less(self, exc: APIStatusError) -> bool:
        """Return whether the endpoint refuses what is asked for beside the answer, and leave that out."""
        said = json.dumps(exc.body, default=str) + exc.message
        if exc.status_code not in {400, 404, 405, 415, 422, 501} or len(self._extras) == 1:
            return False
        if "stream" not in said:
            return False
        self._extras.pop(0)
        return True

    def _trouble(self, exc: APIStatusError) -> LanguageModelError:
        """Return what an answer's status means for whoever asked."""
        code, named = exc.status_code, self.endpoint.named
        said = self.endpoint.short(_said(exc))
        if _overflows(exc):
            return ContextOverflowError(f"{named}: {said}")
        if code in {401, 403}:
            which = "the key is refused" if self.endpoint.key else "it wants a key"
            return LanguageModelError(f"{named} answered {code}: {which}; set OPENAI_API_KEY to a valid one")
        if code == 404:  # noqa: PLR2004
            return LanguageModelError(
                f"{named} answered 404: no model {self.endpoint.model!r} there, or nothing at that address; "
                "mend OPENAI_MODEL or OPENAI_ENDPOINT"
            )
        if exc.code == "insufficient_quota":
            return LanguageModelError(f"{named} answered {code}: the account has no quota left: {said}")
        if code in _PASSING or code >= 500:  # noqa: PLR2004
            after = _seconds_of(exc.response.headers.get("retry-after"), self._now())
            return PassingTroubleError(f"{named} answered {code}: {said}", after=after)
        return LanguageModelError(f"{named} answered {code}: {said}")


class _Hearing:
    """An answer as far as it was heard."""

    def __init__(self, messages: list[Message], heard: Callable[[str], None]) -> None:
        self.asked = sum(len(message["content"]) for message in messages)
        self.heard = heard
        self.pieces: list[str] = []
        self.refusals: list[str] = []
        self.finish = ""
        self.usage: Mapping[str, Any] = {}
        self.signs = 0

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def chunk(self, chunk: Mapping[str, Any]) -> None:
        """Take a piece of the answer, or all of it."""
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk["usage"]
        for choice in _choices(chunk):
            piece = choice.get("delta") or choice.get("message") or {}
            for name, pieces in (("content", self.pieces), ("refusal", self.refusals)):
                if isinstance(text := piece.get(name), str) and text:
                    pieces.append(text)
                    self.signs += len(text)
                    self.heard(text)
            self.finish = choice.get("finish_reason") or self.finish
        if self.signs > _MOST_SIGNS:
            raise LanguageModelError(f"an answer did not end within {_MOST_SIGNS:,} signs")

    def broken(self, text: str) -> PassingTroubleError:
        """Return the error for an answer that ended too soon."""
        used = estimated_tokens(self.asked) if self.signs else 0
        return PassingTroubleError(text, tokens_in=used, tokens_out=estimated_tokens(self.signs))

    def answer(self, endpoint: Endpoint) -> Answer:
        counted = [self.usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        known = all(isinstance(count, int) and count >= 0 for count in counted)
        tokens = counted if known else [estimated_tokens(self.asked), estimated_tokens(self.signs)]
        return Answer(
            text=_readable(endpoint.without_key(self.text)),
            finish=str(self.finish),
            refusal=_readable(endpoint.without_key("".join(self.refusals))) or None,
            tokens_in=tokens[0] or 0,
            tokens_out=tokens[1] or 0,
            estimated=not known,
        )


def _choices(chunk: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the first choice of a chunk, if there is one."""
    yield from (chunk.get("choices") or [])[:1]


def _said(exc: APIStatusError) -> str:
    """Return what the endpoint says of an error: its message, or all of it if it has none."""
    message = exc.body.get("message") if isinstance(exc.body, dict) else None
    return str(message or exc.response.text)


def _overflows(exc: Any) -> bool:
    return any(sign in f"{exc.code} {exc.message}".lower() for sign in _OVERFLOWS)


def _seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, which holds a number of them or a date."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if seconds < float("inf") else None


def _readable(text: str) -> str:
    """Return the text with line ends as ours, and without what UTF-8 cannot hold."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
