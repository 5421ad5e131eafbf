"""What a model thinks is no part of its answer and is not lost; tools are offered, and calls of them read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from ace.llm import (
    Endpoint,
    FinishReason,
    Meter,
    RecordingClient,
    ReplayClient,
    Reply,
    Request,
    Retry,
    ScriptedClient,
    ToolCall,
    ToolSpec,
)
from ace.llm.journal import identify_request
from ace.llm.transcript import join_reply, split_reply
from ace.store import Store
from tests.model_server import ModelServer, ask

Serve = Callable[[str | dict[str, Any]], Endpoint]

ROWS = ToolSpec(
    "count_rows",
    "Count the rows of a table.",
    {"type": "object", "properties": {"table": {"type": "string"}}},
)
CALL = {"id": "c7", "type": "function", "function": {"name": "count_rows", "arguments": '{"table": "ord"}'}}
MARKED = '<tool_call>\n{"name": "count_rows", "arguments": {"table": "ord"}}\n</tool_call>'


class Count(BaseModel):
    number: int


@pytest.fixture
def server() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def serve(server: ModelServer) -> Serve:
    """An endpoint whose model always says the same."""

    def connect(message: str | dict[str, Any]) -> Endpoint:
        server.say = lambda _: message
        return Endpoint("openai/m", api_base=server.api_base, api_key="k", retry=Retry(attempts=1))

    return connect


@pytest.mark.parametrize(
    "message",
    [
        {"content": "42", "reasoning_content": "Six by seven."},
        "<think>Six by seven.</think>42",
        "\n<think>\nSix by seven.\n</think>\n\n42",
        "<Thinking>Six by seven.</Thinking> 42",
        "Six by seven.\n</think>\n\n42",
    ],
    ids=["field", "marks", "lines", "another mark", "lone end"],
)
def test_thoughts_are_apart_from_the_answer(serve: Serve, message: str | dict[str, Any]) -> None:
    reply = serve(message).complete(ask())
    assert (reply.text, reply.reasoning, reply.faults) == ("42", "Six by seven.", ())


def test_thoughts_do_not_hide_a_value_that_was_asked_for(serve: Serve) -> None:
    reply = serve('<think>{"number": 1}? No.</think>{"number": 42}').complete(ask(schema=Count))
    assert (reply.parsed, reply.reasoning, reply.faults) == (Count(number=42), '{"number": 1}? No.', ())


def test_a_mark_within_json_is_data(serve: Serve) -> None:
    text = '{"tag": "</think>"}'
    reply = serve(text).complete(ask())
    assert (reply.text, reply.reasoning) == (text, "")


def test_a_model_that_only_thinks_has_not_answered(serve: Serve) -> None:
    reply = serve("<think>Let me see, six by").complete(ask())
    assert (reply.text, reply.reasoning) == ("", "Let me see, six by")
    assert [fault.kind for fault in reply.faults] == ["empty"] * 3


def test_thoughts_are_in_recordings_and_answers_of_old_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    recorder = RecordingClient(ScriptedClient(["<think>Hm.</think>42", "plain"]), path)
    replies = [recorder.complete(ask(seed=seed)) for seed in (1, 2)]
    replay = ReplayClient(path)
    assert [replay.complete(ask(seed=seed)) for seed in (1, 2)] == replies
    rows = [json.loads(line)["reply"] for line in path.read_text().splitlines()]
    assert rows[0]["reasoning"] == "Hm." and set(rows[1]) == {"text", "parsed", "usage", "finish_reason"}


def test_tools_are_offered_and_calls_are_read(serve: Serve, server: ModelServer) -> None:
    reply = serve({"content": None, "tool_calls": [CALL]}).complete(ask(tools=(ROWS,)))
    assert server.received[-1].tools == (ROWS,)
    assert reply.tool_calls == (ToolCall("c7", "count_rows", {"table": "ord"}),)
    assert (reply.text, reply.finish_reason, reply.faults) == ("", FinishReason.TOOLS, ())


def test_calls_that_a_model_writes_into_its_text_are_read(serve: Serve) -> None:
    reply = serve(f"<think>Count.</think>I will count.\n{MARKED}").complete(ask(tools=(ROWS,)))
    assert reply.tool_calls == (ToolCall("call_1", "count_rows", {"table": "ord"}),)
    assert (reply.text, reply.reasoning) == ("I will count.", "Count.")
    assert reply.finish_reason is FinishReason.TOOLS


def test_without_tools_a_call_is_text(serve: Serve) -> None:
    assert serve(MARKED).complete(ask()).text == MARKED


def test_a_call_takes_the_place_of_a_value(serve: Serve) -> None:
    reply = serve({"content": None, "tool_calls": [CALL]}).complete(ask(tools=(ROWS,), schema=Count))
    assert reply.parsed is None and len(reply.tool_calls) == 1 and not reply.faults


def test_a_call_that_cannot_be_read_is_asked_for_again_and_not_lost(serve: Serve) -> None:
    broken = {"id": "c8", "type": "function", "function": {"name": "count_rows", "arguments": '{"table": '}}
    reply = serve({"content": "Now.", "tool_calls": [broken]}).complete(ask(tools=(ROWS,)))
    assert reply.tool_calls == () and "count_rows" in reply.text and '{\\"table\\": ' in reply.text
    assert [(fault.kind, fault.action) for fault in reply.faults] == [
        ("wrong form", "asked again"),
        ("wrong form", "asked again"),
        ("wrong form", "kept as it is"),
    ]


def test_only_tools_change_the_identity_of_a_request() -> None:
    plain, subject = identify_request("m", ask()), identify_request("m", ask(subject=ask().subject))
    assert plain == subject and "tools" not in plain[0]
    asked, key = identify_request("m", ask(tools=(ROWS,)))
    assert asked["tools"][0]["name"] == "count_rows" and key != plain[1]


class Whole:
    """A client of somebody's own, not asked request by request."""

    model = "whole"

    def __init__(self, reply: Reply) -> None:
        self.reply, self.calls = reply, 0

    def complete(self, request: Request) -> Reply:
        self.calls += 1
        return self.reply


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "reply",
    [
        Reply("42", reasoning="Hm."),
        Reply("<think>Hm.</think>42"),
        Reply(
            "",
            finish_reason=FinishReason.TOOLS,
            tool_calls=(ToolCall("c", "count_rows", {"t": "</tool_call>"}),),
        ),
    ],
)
def test_a_call_that_was_paid_for_comes_back_with_all_that_was_said(
    tmp_path: Path, reply: Reply, whole: bool
) -> None:
    request, replies = ask(tools=(ROWS,)), []
    with Store.open(tmp_path / "p.db") as store:
        run = store.start_run("learn", "t", {})
        for _ in range(2):  # the second one is answered by the journal
            meter = Meter()
            meter.begin_run(store.call_journal(run))
            client = Whole(reply) if whole else ScriptedClient([reply])
            replies.append(meter.client(client).complete(request))
        assert len(store.calls(run)) == 1 and store.verify() == []
    assert replies[0] == replies[1] and "<" not in replies[0].text
    assert replies[0].reasoning or replies[0].tool_calls


words = st.text(st.sampled_from('ab <>/{}\n\\"\u00e9'), max_size=12)
calls = st.builds(ToolCall, words.filter(bool), words, st.dictionaries(words, words, max_size=2))
texts = st.lists(words | st.sampled_from(["<think>", "</think>", MARKED, "<tool_call>"]), max_size=5)


@given(text=texts.map("".join), thoughts=texts.map("".join), tool_calls=st.lists(calls, max_size=2))
def test_all_parts_of_a_reply_come_back_from_one_text(
    text: str, thoughts: str, tool_calls: list[ToolCall]
) -> None:
    """Apart from what the thoughts say of their own end."""
    reply = split_reply(Reply(text, reasoning=thoughts.strip(), tool_calls=tuple(tool_calls)), tools=True)
    assume("<think>" not in reply.text)  # thoughts that begin behind a tool call are text
    again = split_reply(Reply(join_reply(reply)), tools=True)
    assert (again.text, again.tool_calls) == (reply.text, reply.tool_calls)
    if "think>" not in reply.reasoning:
        assert again.reasoning == reply.reasoning


class Thinker:
    """A server's model that thinks for a number of tokens before its answer, whatever limit it is given."""

    def __init__(self, server: ModelServer, tokens: int, answer: str) -> None:
        self.limits: list[int] = []
        self.tokens, self.answer = tokens, answer
        server.say = self.say

    def say(self, request: Any) -> dict[str, Any]:
        self.limits.append(request.max_tokens)
        if request.max_tokens < self.tokens:
            return {"content": "", "reasoning_content": "Hmm. " * 20, "finish_reason": "length"}
        return {"content": self.answer, "reasoning_content": "Hmm."}


def endpoint_of(server: ModelServer, model: str = "openai/m") -> Endpoint:
    return Endpoint(model, api_base=server.api_base, api_key="k", retry=Retry(attempts=1))


@pytest.mark.parametrize("schema", [None, Count], ids=["text", "schema"])
def test_a_model_that_was_cut_off_while_thinking_is_asked_once_more_with_room(
    server: ModelServer, schema: type[BaseModel] | None
) -> None:
    thinker, endpoint = Thinker(server, 3_000, '{"number": 42}'), endpoint_of(server)
    reply = endpoint.complete(ask(schema=schema, max_tokens=256))
    assert (reply.text, reply.finish_reason) == ('{"number": 42}', FinishReason.STOP)
    assert len(thinker.limits) == 2 and thinker.limits[0] == 256 and thinker.limits[1] >= 8_192
    assert [(fault.kind, fault.action) for fault in reply.faults] == [("cut off", "asked again")]
    endpoint.complete(ask(schema=schema, max_tokens=256, seed=2))  # by now it is known to think
    assert len(thinker.limits) == 3 and thinker.limits[2] >= 8_192


def test_one_that_thinks_past_any_limit_is_not_asked_a_third_time(server: ModelServer) -> None:
    thinker = Thinker(server, 10**6, "never")
    reply = endpoint_of(server).complete(ask(max_tokens=64))
    assert len(thinker.limits) == 2 and reply.text == "" and reply.reasoning
    assert reply.finish_reason is FinishReason.LENGTH
    last = reply.faults[-1]
    assert (last.kind, last.action) == ("cut off", "given up") and "64 tokens" in last.detail


def test_models_that_are_known_to_think_have_room_from_the_start(server: ModelServer) -> None:
    thinker = Thinker(server, 3_000, "42")
    assert endpoint_of(server, "deepseek/deepseek-reasoner").complete(ask(max_tokens=256)).text == "42"
    assert len(thinker.limits) == 1


def test_the_journal_answers_a_thought_that_was_cut_off_as_it_was(
    server: ModelServer, tmp_path: Path
) -> None:
    thinker = Thinker(server, 3_000, "42")
    with Store.open(tmp_path / "p.db") as store:
        run = store.start_run("learn", "t", {})
        replies = []
        for _ in range(2):
            meter = Meter()
            meter.begin_run(store.call_journal(run))
            meter.begin_step(1, "epoch 1")
            replies.append(meter.client(endpoint_of(server)).complete(ask(max_tokens=256)))
    assert len(thinker.limits) == 2 and replies[0].text == replies[1].text == "42"
