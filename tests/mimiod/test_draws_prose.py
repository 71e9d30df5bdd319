"""The language-model column: off without a key, asked once, kept, and silent about its key."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mimiod import ConfigurationError, DeclarationError
from mimiod.seeding import Prose
from mimiod.settings import load_settings

from tests.mimiod.planning import values

KEY = "sk-very-secret-0815"


class Service(ThreadingHTTPServer):
    """A service on localhost that answers with what a test gives it, and remembers what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked = []
        self.status = 200
        self.content = None
        self.raw = None
        self.location = None


class Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        texts = [f"text {len(self.server.asked)}.{number}" for number in range(10)]
        content = self.server.content or f"Here they are:\n```json\n{json.dumps(texts)}\n```"
        answer = self.server.raw or json.dumps({"choices": [{"message": {"content": content}}]})
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def service(tmp_path, monkeypatch):
    with Service() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_ENDPOINT", f"http://127.0.0.1:{server.server_port}/v1/")
        monkeypatch.setenv("OPENAI_MODEL", "tiny")
        yield server
        server.shutdown()


def test_without_a_key_something_else_is_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = values(Prose("A review.", otherwise="nothing"), 5)

    assert found == ["nothing"] * 5
    assert all(text.endswith(".") for text in values(Prose("A review."), 5))
    assert list(tmp_path.iterdir()) == []


def test_texts_are_asked_for_once_and_kept(service, tmp_path):
    found = values(Prose("A review of a hotel.", pool=25), 500)

    assert len(set(found)) == 25
    assert [body["model"] for _, _, body in service.asked] == ["tiny"] * 3
    assert {(path, key) for path, key, _ in service.asked} == {("/v1/chat/completions", f"Bearer {KEY}")}
    assert "A review of a hotel." in service.asked[0][2]["messages"][0]["content"]
    service.shutdown()
    assert values(Prose("A review of a hotel.", pool=25), 500) == found
    assert len(service.asked) == 3
    assert not [file for file in tmp_path.rglob("*.json") if KEY in file.read_text()]


def test_another_prompt_model_or_pool_is_asked_for_anew(service, monkeypatch):
    values(Prose("One.", pool=5), 1)
    values(Prose("Two.", pool=5), 1)
    values(Prose("One.", pool=6), 1)
    monkeypatch.setenv("OPENAI_MODEL", "large")
    values(Prose("One.", pool=5), 1)

    assert len(service.asked) == 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": 401, "raw": f"Incorrect API key provided: {KEY}"}, r"answered 401: Incorrect .*: \*\*\*"),
        ({"status": 500, "raw": "oh\nno"}, "answered 500: oh no;"),
        ({"content": "I cannot do that."}, "no array of texts: .*I cannot"),
        ({"content": "[1, 2]"}, "no array of texts"),
        ({"raw": "<html>"}, "no text: <html>"),
        ({"raw": '{"error": "x"}'}, "no text"),
    ],
)
def test_a_service_in_trouble_is_named_and_what_it_said(service, answer, message, tmp_path):
    for name, value in answer.items():
        setattr(service, name, value)

    with pytest.raises(DeclarationError, match=message) as error:
        values(Prose("A review."), 1)

    assert f"things.value: the language model at 127.0.0.1:{service.server_port} " in str(error.value)
    assert KEY not in str(error.value)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_redirection_does_not_take_the_key_along(service):
    with Service() as other:
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        service.status, service.location = 302, f"http://127.0.0.1:{other.server_port}/elsewhere"
        with pytest.raises(DeclarationError, match="the language model at"):
            values(Prose("A review."), 1)
        other.shutdown()

    assert not [key for _, key, _ in other.asked if key]


def test_a_service_that_is_not_there_is_said_to_be(service):
    service.shutdown()
    service.server_close()

    with pytest.raises(DeclarationError, match=r"at 127\.0\.0\.1:\d+ did not answer \(.*refused"):
        values(Prose("A review."), 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_ENDPOINT", "https://user:pass@example.org/v1"),
        ("OPENAI_ENDPOINT", "file:///etc/passwd"),
        ("OPENAI_ENDPOINT", "nonsense"),
        ("OPENAI_API_KEY", "sk-two words"),
        ("OPENAI_API_KEY", "sk-ü"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_without_repeating_it(service, monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=name) as error:
        values(Prose("A review."), 1)

    assert value not in str(error.value)


def test_a_file_of_texts_that_is_broken_says_what_to_do(service, tmp_path):
    values(Prose("A review.", pool=3), 1)
    (file,) = tmp_path.rglob("*.json")
    file.write_text("{}")

    with pytest.raises(DeclarationError, match="delete it"):
        values(Prose("A review.", pool=3), 1)


def test_the_settings_do_not_show_the_key(service):
    assert load_settings().openai_api_key == KEY
    assert KEY not in repr(load_settings())


def test_a_pool_of_nothing_is_refused():
    with pytest.raises(DeclarationError, match="at least one"):
        Prose("A review.", pool=0)
