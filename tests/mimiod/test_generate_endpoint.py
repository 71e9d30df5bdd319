"""What an endpoint may do wrong, each against a real server: what is tried again, given up, and said."""

import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from mimiod.errors import BudgetSpentError, LanguageModelError
from mimiod.language_model import Endpoint
from mimiod.workflow.budget import Budget
from mimiod.workflow.endpoint import ContextOverflowError, LanguageModel
from mimiod.workflow.patience import TRIES, ask

from tests.mimiod.scripted_model import Fails, Hangs, Says, Sends, failure, scripted

KEY = "sk-very-secret-0815"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
QUESTION = [{"role": "user", "content": "Design a shop. " * 8}]


class Heard:
    """Who is told, and whoever waits without waiting."""

    def __init__(self):
        self.pieces, self.waited, self.wasted = [], [], []

    def heard(self, text):
        self.pieces.append(text)

    def waits(self, seconds, why):
        self.waited.append((seconds, why))

    def spent(self, tokens_in, tokens_out, why):
        assert why
        self.wasted.append((tokens_in, tokens_out))


def asked(server, *, key=KEY, heard=None, budget=None, timeout=5.0, model="tiny"):
    with LanguageModel(
        Endpoint(server.address, model, key), timeout=timeout, now=lambda: NOW
    ) as language_model:
        return ask(
            language_model,
            QUESTION,
            budget=budget or Budget(),
            listener=heard or Heard(),
            sleep=lambda _: None,
        )


def test_an_answer_is_heard_in_pieces_and_its_tokens_are_counted():
    heard, budget = Heard(), Budget(price_in=1.0, price_out=4.0)
    with scripted(Says("word " * 50, usage={"prompt_tokens": 1000, "completion_tokens": 500})) as server:
        answer = asked(server, heard=heard, budget=budget)

    assert answer.text == "".join(heard.pieces) == "word " * 50
    assert len(heard.pieces) > 3
    assert (answer.finish, answer.refusal, answer.estimated) == ("stop", None, False)
    assert (budget.used_in, budget.used_out) == (1000, 500)
    assert budget.spent == pytest.approx(0.003)
    assert server.keys == [f"Bearer {KEY}"]
    assert server.asked[0]["messages"] == QUESTION
    assert server.asked[0]["model"] == "tiny"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (failure(401, f"Incorrect API key provided: {KEY}"), "401: the key is refused; set OPENAI_API_KEY"),
        (failure(403, "no access"), "403: the key is refused; set OPENAI_API_KEY"),
        (
            failure(404, "The model `tiny` does not exist", "model_not_found"),
            "no model 'tiny' there, .*MODEL",
        ),
        (failure(429, "You exceeded your quota", "insufficient_quota"), "429: the account has no quota left"),
        (failure(400, f"bad\nrequest {KEY}"), r"400: .*bad request \*\*\*"),
        (Fails(302, "", {"Location": "http://127.0.0.1:9/elsewhere"}), "answered 302"),
        (Fails(418, "<html>tea \x1b[31mpot</html>"), r"answered 418: <html>tea \?\[31mpot"),
    ],
)
def test_what_no_second_try_mends_is_one_line_without_the_key(reply, said):
    with scripted(reply) as server, pytest.raises(LanguageModelError, match=said) as error:
        asked(server)

    assert len(server.asked) == 1
    assert f"the language model at 127.0.0.1:{server.server_port}" in str(error.value)
    assert KEY not in str(error.value)
    assert str(error.value).isprintable()


def test_an_endpoint_that_wants_a_key_says_so_where_none_is_set():
    with scripted(failure(401, "no")) as server, pytest.raises(LanguageModelError, match="it wants a key"):
        asked(server, key=None)


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("soon", 1.0),
        ("inf", 1.0),
    ],
)
def test_a_busy_endpoint_is_waited_for_as_long_as_it_says(header, waited):
    heard = Heard()
    with scripted(failure(429, "slow down", Retry_After=header), Says("done")) as server:
        assert asked(server, heard=heard).text == "done"

    assert heard.waited == [(waited, heard.waited[0][1])]
    assert "answered 429: " in heard.waited[0][1]


def test_a_wait_beyond_the_time_left_is_not_begun():
    heard = Heard()
    with (
        scripted(failure(429, "slow down", Retry_After="3600")) as server,
        pytest.raises(BudgetSpentError, match=r"next try would be in 3,600 s, and --max-time leaves (60|59)"),
    ):
        asked(server, heard=heard, budget=Budget(seconds=60))

    assert heard.waited == []


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again_a_few_times_with_growing_waits(status):
    heard = Heard()
    with scripted(*[failure(status, "oh no")] * 20) as server:
        with pytest.raises(LanguageModelError, match=rf"answered {status}: .*oh no.*; tried {TRIES} times"):
            asked(server, heard=heard)

        assert len(server.asked) == TRIES
    assert [seconds for seconds, _ in heard.waited] == [1, 2, 4, 8, 16]


def test_an_endpoint_that_is_not_there_is_said_to_be():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        LanguageModel(Endpoint(f"http://127.0.0.1:{port}/v1", "tiny", KEY)) as model,
        pytest.raises(LanguageModelError, match=rf"127.0.0.1:{port} did not answer \(.*refused"),
    ):
        ask(model, QUESTION, budget=Budget(), listener=Heard(), sleep=lambda _: None)


def test_an_endpoint_that_is_silent_is_not_waited_for_for_ever():
    with scripted(Hangs(), Says("late")) as server:
        heard = Heard()
        assert asked(server, timeout=0.2, heard=heard).text == "late"

    assert "did not answer in time" in heard.waited[0][1]


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (Says("half an ans", finish=None), "broke off after 11 signs"),
        (Says("half", then=b"data: {broken\n\n"), "no chat completion"),
        (Says("half", then=b"data: \xff\xfe{}\n\n"), "no chat completion"),
        (Says("half", then=b'data: {"choices": 3}\n\n'), "no chat completion"),
        (Says("half", then=b'data: {"error": {"message": "overloaded"}}\n\n'), "error: overloaded"),
        (Sends(b""), "broke off after 0 signs"),
        (Sends(b"<html>", "text/html"), "no chat completion"),
        (Sends(b"[]", "application/json"), "no chat completion"),
        (Sends(b"{}", "application/json"), "broke off after 0 signs"),
    ],
)
def test_an_answer_that_breaks_off_is_asked_for_again(cut, said):
    heard = Heard()
    with scripted(cut, Says("whole")) as server:
        assert asked(server, heard=heard).text == "whole"

    assert said in heard.waited[0][1]
    assert server.asked[0] == server.asked[1]


def test_what_a_broken_answer_used_is_charged():
    heard, budget = Heard(), Budget()
    with scripted(Says("x" * 400, finish=None), Says("whole")) as server:
        asked(server, heard=heard, budget=budget)

    assert heard.wasted == [(30, 100)]
    assert (budget.used_in, budget.used_out) == (130, 110)


@pytest.mark.parametrize(
    ("refused", "left"),
    [("stream_options is not permitted", [{"stream"}]), ("stream is not supported", [{"stream"}, set()])],
)
def test_an_endpoint_without_streaming_or_usage_is_asked_without(refused, left):
    script = [failure(400, refused)] * len(left)
    with scripted(*script, Says("plain", usage=None)) as server:
        answer = asked(server)

    assert [set(body) - {"model", "messages"} for body in server.asked[1:]] == left
    assert (answer.text, answer.estimated) == ("plain", True)
    assert (answer.tokens_in, answer.tokens_out) == (30, 2)


def test_an_endpoint_that_answers_whole_though_asked_to_stream_is_understood():
    with scripted(Says("whole", streams=False)) as server:
        assert asked(server).text == "whole"


@pytest.mark.parametrize(
    "said",
    [
        failure(400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"),
        failure(400, "the request exceeds the available context window"),
        Says("", then=b'data: {"error": {"message": "x", "code": "context_length_exceeded"}}\n\n'),
    ],
)
def test_a_prompt_that_is_too_long_is_told_from_other_errors(said):
    with scripted(said) as server, pytest.raises(ContextOverflowError):
        asked(server)

    assert len(server.asked) == 1


def test_reasons_to_end_and_refusals_are_passed_on():
    with scripted(Says("a", finish="length"), Says("", refusal="I cannot help with that.")) as server:
        assert asked(server).finish == "length"
        assert asked(server).refusal == "I cannot help with that."


def test_a_text_in_any_encoding_can_be_written():
    odd = "\ufeffZoë 😀\r\nb\rc"
    event = {"choices": [{"index": 0, "delta": {"content": "\ud800!"}, "finish_reason": "stop"}]}
    surrogate = f"data: {json.dumps(event)}\n\n".encode()
    with scripted(Says(odd), Sends(surrogate)) as server:
        assert asked(server).text == "Zoë 😀\nb\nc"
        assert asked(server).text == "\ufffd!"


def test_a_key_that_is_repeated_in_an_answer_is_taken_out():
    with scripted(Says(f"your key is {KEY}")) as server:
        assert asked(server).text == "your key is ***"


def test_an_answer_that_does_not_end_is_ended_by_the_budget():
    heard = Heard()
    with scripted(Says("x" * 4000)) as server, pytest.raises(BudgetSpentError, match="--max-tokens"):
        asked(server, budget=Budget(tokens=200), heard=heard)

    assert len("".join(heard.pieces)) < 1000
    assert heard.wasted[0][0] == 30


@pytest.mark.parametrize(
    ("budget", "option"),
    [
        (Budget(tokens=20), "--max-tokens"),
        (Budget(cost=0.00001, price_in=1.0), "--max-cost"),
        (Budget(seconds=0.0), "--max-time"),
    ],
)
def test_a_request_beyond_the_budget_is_not_made(budget, option):
    with scripted() as server, pytest.raises(BudgetSpentError, match=option):
        asked(server, budget=budget)

    assert server.asked == []
