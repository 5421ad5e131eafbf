"""Tokens that an endpoint does not count, or not right, are estimated and marked, so that caps hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ace.errors import CapReached
from ace.llm import Caps, Endpoint, Meter, Retry, RoleModels
from ace.loop import evaluate
from ace.settings import Settings
from ace.store import Store
from ace.task import define_task
from tests.model_server import ask
from tests.raw_server import Answer, RawServer, reply

Serve = Callable[[Answer], Endpoint]
PROMPT = "word " * 100


@pytest.fixture
def serve() -> Iterator[Serve]:
    opened: list[RawServer] = []

    def start(answer: Answer) -> Endpoint:
        opened.append(RawServer(lambda _: answer))
        return Endpoint("openai/m", api_base=opened[-1].api_base, api_key="k", retry=Retry(attempts=1))

    yield start
    for server in opened:
        server.close()


def counts(prompt: Any, written: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": 1, **more}


ODD: dict[str, Any] = {
    "left out": None,
    "zeros": counts(0, 0),
    "empty": {},
    "negative": counts(-50, -7),
    "huge": counts(10**12, 10**12),
    "beyond 64 bits": counts(10**30, 5),
    "as many as no prompt has": counts(5_000_000, 5),
    "a float beyond all": counts(1e300, 5),
    "not a number": counts(float("nan"), 5),
    "endless": counts(float("inf"), 5),
    "words": counts("many", "few"),
    "truths": counts(True, False),
    "a list": [1, 2],
    "a text": "none",
    "nulls": counts(None, None),
    "lists": counts([50], {"a": 5}),
    "one is missing": {"completion_tokens": 5},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_counts_are_estimated_and_marked(serve: Serve, name: str) -> None:
    answer = serve(reply("Lima", usage=ODD[name])).complete(ask(PROMPT))
    assert answer.text == "Lima"
    assert 100 <= answer.usage.prompt_tokens <= 300 and 1 <= answer.usage.completion_tokens <= 5
    assert answer.usage.cost is None and answer.usage.calls == 1
    assert [(fault.kind, fault.action) for fault in answer.faults] == [("usage", "tokens estimated")]


@pytest.mark.parametrize("name", ["null", "negative", "huge"])
def test_a_cap_on_tokens_holds_whatever_is_counted(serve: Serve, name: str) -> None:
    meter = Meter(Caps(tokens=450))
    usage = None if name == "null" else ODD[name]
    client = meter.client(serve({**reply("Lima", usage=None), "usage": usage}))
    with pytest.raises(CapReached):
        for _ in range(20):
            client.complete(ask(PROMPT))
    assert 2 <= meter.total.calls <= 5


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (counts("50", "5"), (50, 5, 0)),
        (counts(50.0, 5.25), (50, 5, 0)),
        (counts(50, 5, prompt_tokens_details={"cached_tokens": 40}), (50, 5, 40)),
        (counts(50, 5, prompt_tokens_details=None), (50, 5, 0)),
        (counts(50, 5, prompt_tokens_details={"cached_tokens": "x"}), (50, 5, 0)),
        (counts(50, 5, prompt_tokens_details={"cached_tokens": -9}), (50, 5, 0)),
        (counts(50, 5, prompt_tokens_details=[1]), (50, 5, 0)),
        (counts(50, 5, prompt_cache_hit_tokens=30), (50, 5, 30)),
        (counts(50, 5, completion_tokens_details={"reasoning_tokens": "x"}), (50, 5, 0)),
    ],
)
def test_counts_in_another_form_are_read(
    serve: Serve, usage: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    answer = serve(reply("Lima", usage=usage)).complete(ask(PROMPT))
    assert (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        answer.usage.cached_tokens,
    ) == expected
    assert answer.faults == ()


def test_more_cached_than_read_is_refused(serve: Serve) -> None:
    usage = counts(50, 5, prompt_tokens_details={"cached_tokens": 10**6})
    answer = serve(reply("Lima", usage=usage)).complete(ask(PROMPT))
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens) == (50, 0)
    assert [fault.detail for fault in answer.faults] == ["cached_tokens is 1000000"]


def test_an_estimate_has_a_price_where_the_model_has_one() -> None:
    server = RawServer(lambda _: reply("Lima", usage=None))
    endpoint = Endpoint("openai/gpt-4o", api_base=server.api_base, api_key="k")
    cost = endpoint.complete(ask(PROMPT)).usage.cost
    server.close()
    assert cost is not None and 0 < cost < 0.01


def test_thoughts_and_calls_of_tools_count_too(serve: Serve) -> None:
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "look", "arguments": json.dumps({"a": PROMPT})},
    }
    answer = serve(reply(None, "tool_calls", usage=None, tool_calls=[call])).complete(ask(PROMPT))
    assert answer.usage.completion_tokens >= 100
    thought = serve(reply("Lima", usage=None, reasoning_content=PROMPT)).complete(ask(PROMPT))
    assert thought.usage.completion_tokens >= 100


def test_one_absurd_count_costs_no_other_reply(tmp_path: Path) -> None:
    """It neither ends the run nor hides what the other calls took, and the record says which it was."""

    def answer(asked: dict[str, Any]) -> Answer:
        absurd = "item 2?" in asked["messages"][-1]["content"]
        return reply("K1", usage=counts(10**30 if absurd else 30, 5))

    server = RawServer(answer)
    endpoint = Endpoint("openai/m", api_base=server.api_base, api_key="k", retry=Retry(attempts=1))
    rows = [{"id": f"i{n}", "question": f"item {n}?", "answer": "K1"} for n in range(12)]
    train = [{"id": "t", "question": "train?", "answer": "K1"}]
    task = define_task("b", train, lambda sample, said: said == "K1", test=rows)
    with Store.open(tmp_path / "b.db") as store:
        report = evaluate(task, store, RoleModels.of(endpoint), Settings(workers=1))
        calls = store.calls(1)
    server.close()
    assert report.after and (report.after.correct, report.after.total) == (12, 12)
    marked = [call.key.sample for call in calls if call.faults]
    assert len(calls) == 12 and marked == ["i2"]
    assert all(0 < call.usage.prompt_tokens < 1_000 for call in calls)
