"""A language model that says what a test wrote down: an HTTP server that speaks chat completions."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 40
"Signs of an answer in one event of its stream."


@dataclass(frozen=True)
class Says:
    """An answer; streamed if that is asked for, unless `streams` is off."""

    text: str = ""
    finish: str | None = "stop"
    "Why it ends; None: the connection is cut instead."
    usage: dict[str, int] | None = field(
        default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 10}
    )
    refusal: str | None = None
    streams: bool = True
    then: bytes = b""
    "What follows the text's pieces."


@dataclass(frozen=True)
class Fails:
    """An answer that is none."""

    status: int
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sends:
    """These bytes, whatever they are."""

    body: bytes
    content_type: str = "text/event-stream"


@dataclass(frozen=True)
class Hangs:
    """Nothing, until the test ends."""


def failure(status: int, message: str, code: str | None = None, **headers: str) -> Fails:
    """Return an error in the form that the protocol gives it."""
    body = json.dumps({"error": {"message": message, "type": "error", "param": None, "code": code}})
    return Fails(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class ScriptedModel(ThreadingHTTPServer):
    """Answers by a script, one reply after the other; each may be a function of the request."""

    daemon_threads = True

    def __init__(self, *script: object) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.script = list(script)
        self.asked: list[dict] = []
        "The bodies of the requests."
        self.keys: list[str | None] = []
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def reply(self, body: dict, key: str | None) -> object:
        self.asked.append(body)
        self.keys.append(key)
        if len(self.asked) > len(self.script):
            return failure(418, f"the script ends after {len(self.script)} replies")
        reply = self.script[len(self.asked) - 1]
        return reply(body) if isinstance(reply, Callable) else reply

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = self.server.reply(body, self.headers["Authorization"])
        match reply:
            case Hangs():
                self.server.ended.wait(60)
            case Fails(status, text, headers):
                self._send(status, text.encode(), {"Content-Type": "application/json", **headers})
            case Sends(raw, content_type):
                self._send(200, raw, {"Content-Type": content_type})
            case Says() if reply.streams and body.get("stream"):
                self._stream(reply, usage=bool(body.get("stream_options")))
            case Says():
                message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
                whole = {"choices": [{"index": 0, "message": message, "finish_reason": reply.finish}]}
                raw = json.dumps({"id": "x", "object": "chat.completion", **whole, "usage": reply.usage})
                self._send(200, raw.encode(), {"Content-Type": "application/json"})

    def _stream(self, reply: Says, *, usage: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        starts = range(0, len(reply.text), PIECE)
        deltas = [{"content": reply.text[start : start + PIECE]} for start in starts]
        if reply.refusal:
            deltas.append({"refusal": reply.refusal})
        for delta in deltas:
            self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        self.wfile.write(reply.then)
        if reply.finish is None:
            return
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish}]})
        if usage and reply.usage:
            self._event({"choices": [], "usage": reply.usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, facts: dict) -> None:
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "scripted", **facts}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def _send(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted(*script: object) -> Iterator[ScriptedModel]:
    """Run a scripted model on a free port."""
    with ScriptedModel(*script) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
