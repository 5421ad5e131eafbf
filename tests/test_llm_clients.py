"""The clients that need no model (scripted, recorded), the meter around any client, and parsing."""

from __future__ import annotations

import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from ace.errors import CapReached, InputError, MalformedReply, ModelError, ModelUnavailable
from ace.llm import Caps, Meter, RecordingClient, ReplayClient, Reply, Role, ScriptedClient, Usage
from ace.llm.structured import parse, strict_schema
from tests.model_server import ask
from tests.pace import patience


class Count(BaseModel):
    number: int


def reply(prompt: int = 100, completion: int = 20, cost: float | None = 0.25) -> Reply:
    return Reply("ok", usage=Usage(1, prompt, 0, completion, 0.0, cost))


# --- scripted


def test_a_script_is_read_in_order_and_keeps_what_was_asked() -> None:
    client = ScriptedClient(["one", ModelUnavailable("gone"), reply()])
    assert client.complete(ask()).text == "one"
    with pytest.raises(ModelUnavailable, match="gone"):
        client.complete(ask())
    assert client.complete(ask()).usage.prompt_tokens == 100
    with pytest.raises(ModelError, match="ended before call 4"):
        client.complete(ask())
    assert client.calls == [ask()] * 4


def test_a_script_can_be_a_function_of_the_messages() -> None:
    client = ScriptedClient(lambda request: request.messages[-1].content.upper())
    assert client.complete(ask()).text == "HOW MANY?"


def test_a_scripted_reply_that_is_not_valid_uses_up_a_try() -> None:
    client = ScriptedClient(["many", '{"number": 3}'])
    said = client.complete(ask(schema=Count))
    assert said.parsed == Count(number=3) and said.usage.calls == 2
    assert "holds no JSON" in client.calls[1].messages[-1].content


# --- record and replay


def test_a_recording_is_replayed_with_its_usage(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    recorder = RecordingClient(ScriptedClient(['{"number": 3}', "three"], model="m"), path)
    recorded = [recorder.complete(ask(schema=Count, seed=1)), recorder.complete(ask(temperature=0.7))]
    client = ReplayClient(path)
    assert client.model == "m"
    assert [client.complete(ask(schema=Count, seed=1)), client.complete(ask(temperature=0.7))] == recorded


class Named(BaseModel):
    """As the reflector's answers: the names in the reply are no names in Python."""

    part_1: str = Field(alias="1")


def test_a_recording_of_a_form_with_other_names_is_replayed(tmp_path: Path) -> None:
    recorder = RecordingClient(ScriptedClient(['{"1": "Late parcels"}']), tmp_path / "calls.jsonl")
    recorded = recorder.complete(ask(schema=Named))
    assert ReplayClient(tmp_path / "calls.jsonl").complete(ask(schema=Named)).parsed == recorded.parsed


def test_the_same_request_replays_its_replies_in_turn_then_the_last(tmp_path: Path) -> None:
    recorder = RecordingClient(ScriptedClient(["a", "b"]), tmp_path / "calls.jsonl")
    for _ in range(2):
        recorder.complete(ask())
    client = ReplayClient(tmp_path / "calls.jsonl")
    assert [client.complete(ask()).text for _ in range(3)] == ["a", "b", "b"]


def test_a_malformed_reply_is_replayed_as_one(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    for client in (RecordingClient(ScriptedClient(["no"] * 3), path), None):
        with pytest.raises(MalformedReply, match="No valid Count") as caught:
            (client or ReplayClient(path)).complete(ask(schema=Count))
        assert caught.value.details["text"] == "no" and caught.value.details["usage"].calls == 3


def test_a_request_that_was_not_recorded_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    RecordingClient(ScriptedClient(["a"]), path).complete(ask())
    with pytest.raises(InputError, match=r"calls\.jsonl.*How many\?.*RecordingClient"):
        ReplayClient(path).complete(ask(seed=1))


@pytest.mark.parametrize("text", ["not json\n", "[]\n", '{"key": "k"}\n'])
def test_a_file_that_is_no_recording_names_the_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=r"calls\.jsonl:1"):
        ReplayClient(path)


def test_a_recording_that_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read the recording"):
        ReplayClient(tmp_path / "none.jsonl")


# --- meter


def test_usage_is_counted_by_role() -> None:
    meter = Meter()
    model = ScriptedClient(lambda _: reply())
    for role in (Role.GENERATOR, Role.GENERATOR, Role.REFLECTOR):
        meter.client(model).complete(ask(role=role))
    assert meter.usage == {
        "generator": Usage(2, 200, 0, 40, 0.0, 0.5),
        "reflector": Usage(1, 100, 0, 20, 0.0, 0.25),
    }
    assert meter.total.calls == 3


def test_an_unknown_cost_stays_unknown_in_the_sum() -> None:
    meter = Meter()
    replies = ScriptedClient([reply(cost=None), reply(cost=1.0)])
    for _ in range(2):
        meter.client(replies).complete(ask())
    assert meter.total.cost is None and meter.total.calls == 2


@pytest.mark.parametrize(
    ("caps", "cap", "allowed"),
    [
        (Caps(calls=2), "calls", 2),
        (Caps(tokens=240), "tokens", 2),
        (Caps(tokens=250), "tokens", 3),
        (Caps(cost=0.5), "cost", 2),
        (Caps(calls=0), "calls", 0),
    ],
)
def test_a_cap_refuses_the_next_call_before_it_is_made(caps: Caps, cap: str, allowed: int) -> None:
    model = ScriptedClient(lambda _: reply())
    client = Meter(caps).client(model)
    for _ in range(allowed):
        client.complete(ask())
    with pytest.raises(CapReached) as caught:
        client.complete(ask())
    assert caught.value.details["cap"] == cap and len(model.calls) == allowed
    assert pickle.loads(pickle.dumps(caught.value)).details == caught.value.details


def test_seconds_are_those_of_the_clock() -> None:
    now = [100.0]
    client = Meter(Caps(seconds=5), clock=lambda: now[0]).client(ScriptedClient(lambda _: "ok"))
    now[0] = 104.9
    client.complete(ask())
    now[0] = 105.0
    with pytest.raises(CapReached, match="cap of 5 seconds"):
        client.complete(ask())


def test_a_cap_on_cost_is_refused_where_prices_are_unknown() -> None:
    client = Meter(Caps(cost=1.0)).client(ScriptedClient(lambda _: reply(cost=None)))
    client.complete(ask())
    with pytest.raises(CapReached, match="price of this model is unknown"):
        client.complete(ask())


def test_failed_calls_count() -> None:
    meter = Meter()
    client = meter.client(ScriptedClient([ModelUnavailable("gone"), *["no"] * 3]))
    with pytest.raises(ModelUnavailable):
        client.complete(ask(role=Role.CURATOR))
    with pytest.raises(MalformedReply):
        client.complete(ask(role=Role.CURATOR, schema=Count))
    assert meter.usage["curator"].calls == 4


def test_threads_never_pass_a_cap_on_calls_together() -> None:
    inside, model = threading.Barrier(4), ScriptedClient(lambda _: str(inside.wait(patience(5))))
    client = Meter(Caps(calls=4)).client(model)
    with ThreadPoolExecutor(16) as pool:
        outcomes = [pool.submit(client.complete, ask()) for _ in range(16)]
    refused = [one for one in outcomes if isinstance(one.exception(), CapReached)]
    assert len(refused) == 12 and len(model.calls) == 4


# --- parsing


@given(st.text(max_size=200))
def test_any_text_either_parses_or_is_a_value_error(text: str) -> None:
    try:
        assert isinstance(parse(text, Count)[0], Count)
    except ValueError as error:
        assert str(error)


@given(st.integers(), st.text("abc {}[]:,`\n", max_size=20))
def test_an_answer_is_found_after_any_prose_without_quotes(number: int, prose: str) -> None:
    assert parse(f"{prose}\n{json.dumps({'number': number})}", Count)[0].number == number


def test_the_last_answer_is_taken() -> None:
    assert parse('First {"number": 1}. No, rather {"number": 2}!', Count)[0].number == 2


def test_a_reply_that_was_cut_off_is_not_completed_by_guessing() -> None:
    with pytest.raises(ValueError, match="no JSON"):
        parse('{"number": 12', Count, repair=False)
    assert parse('{"number": 12', Count)[0].number == 12


def test_strict_schemas_close_every_object_and_keep_the_order_of_fields() -> None:
    class Add(BaseModel):
        op: Literal["add"] = "add"
        content: str = ""

    class Vote(BaseModel):
        op: Literal["vote"] = "vote"
        helpful: int = 0

    class Edits(BaseModel):
        why: str
        operations: list[Add | Vote] = []
        tagged: Add | Vote = Field(default=Add(), discriminator="op")

    schema = strict_schema(Edits)
    add = schema["$defs"]["Add"]
    assert list(schema["properties"]) == schema["required"] == ["why", "operations", "tagged"]
    assert add["additionalProperties"] is False and add["required"] == ["op", "content"]
    text = json.dumps(schema)
    assert "oneOf" not in text and "discriminator" not in text and '"default"' not in text
