"""Conversations in OpenAI's chat format: what tools do says nothing, and one odd line costs itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError
from ace.memory import Conversation, parse_conversation
from tests.cli import Ace
from tests.model_server import ModelServer

CALL = {"id": "x", "type": "function", "function": {"name": "track", "arguments": "{}"}}
ROW = {"id": "c1", "user": "u1", "time": "2026-03-01T10:00:00Z"}


def read(*messages: Any) -> Conversation:
    return parse_conversation({**ROW, "messages": list(messages)})


def test_turns_of_tools_say_nothing() -> None:
    conversation = read(
        {"role": "user", "content": "Where is my parcel?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "x", "content": "in Oslo"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "function_call": {"name": "x", "arguments": "{}"}},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Please"}, {"type": "image"}, {"text": "ring."}],
        },
    )
    assert [turn.text for turn in conversation.turns] == [
        "Where is my parcel?", "", "in Oslo", "", "", "Please\nring."
    ]  # fmt: skip
    assert [turn.speaker for turn in conversation.spoken] == ["user", "tool", "user"]


@pytest.mark.parametrize(
    "message",
    [None, "x", {}, {"role": "user"}, {"type": "message"}, {"role": "", "content": "x"}],
)
def test_messages_that_are_none_are_named(message: Any) -> None:
    with pytest.raises(InputError, match=r"messages\.0: expected"):
        read(message)


def test_other_writers_name_roles_and_contents_differently() -> None:
    conversation = read(
        {"type": "human", "data": {"content": "I moved."}},
        {"from": "gpt", "value": "Where?"},
        {"role": "User", "parts": [{"text": "To Oslo."}]},
        {"type": "function_call", "name": "note", "arguments": "{}"},
        {"role": "assistant", "content": None, "refusal": "I cannot."},
        {
            "role": "user",
            "content": [{"type": "tool_result", "content": "It rains."}, {"text": {"value": "Hm."}}],
        },
    )
    assert [(turn.speaker, turn.text) for turn in conversation.turns] == [
        ("user", "I moved."), ("assistant", "Where?"), ("user", "To Oslo."), ("assistant", ""),
        ("assistant", "I cannot."), ("user", "Hm."),
    ]  # fmt: skip


@pytest.mark.parametrize("time", [1772359200, 1772359200000, "2026-03-01t10:00:00z", ROW["time"]])
def test_times_of_other_writers(time: Any) -> None:
    row = {**ROW, "time": time, "messages": [{"role": "user", "content": "x"}]}
    assert parse_conversation(row).time == "2026-03-01T10:00:00.000+00:00"


def test_one_odd_line_costs_itself(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    server = ModelServer()
    good = {**ROW, "messages": [{"role": "user", "content": "I moved to Oslo \ud83d."}]}
    silent = {**ROW, "messages": [{"role": "user", "content": None}]}
    lines = [json.dumps({**good, "id": None}), "{", json.dumps(silent), json.dumps(3)]
    Path("talk.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = ace(
        "memory", "extract", "talk.jsonl", "--model", "openai/tiny", "--api-base", server.api_base,
        "--playbook", "m.db",
    )  # fmt: skip
    server.close()
    assert server.calls > 0  # the good one is read
    for place in ("talk.jsonl:2", "talk.jsonl:3", "talk.jsonl:4"):
        assert f"left out: {place}" in done.err
