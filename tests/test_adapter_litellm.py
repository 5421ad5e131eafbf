"""The logger for litellm's proxy: its hooks around real calls of litellm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.agent.adapters.litellm import make_logger
from ace.llm.providers import load_litellm
from ace.store import Store
from tests.pace import patience
from tests.proxy_here import LINE, fill
from tests.wire_server import WireServer, serve_wire

ANSWER = "It is seven. 七"


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    with serve_wire(lambda body: 400 if "fail" in json.dumps(body) else ANSWER) as server:
        yield server


async def call(logger: Any, wire: WireServer, question: str, *, stream: bool = False) -> str:
    """Do what litellm's proxy does: the hook before the call, then the call with the logger as a callback."""
    litellm = load_litellm()
    data: dict[str, Any] = {"model": "openai/m", "litellm_call_id": f"call of {question}"}
    data |= {"messages": [{"role": "user", "content": question}], "stream": stream}
    data = await logger.async_pre_call_hook(None, None, data, "acompletion")
    reply = await litellm.acompletion(**data, api_base=f"{wire.url}/v1", api_key="x")
    if stream:
        chunks = [chunk async for chunk in reply]
        return str(chunks[0].id)
    return str(reply.id)


async def settle(logger: Any, reply: str) -> None:
    """Wait until a reply was logged, which litellm does behind."""
    for _ in range(int(patience(500))):
        if logger.find_episode(reply):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the reply was not logged")


def test_calls_get_the_playbook_and_become_episodes(
    tmp_path: Path, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    litellm = load_litellm()
    path = fill(tmp_path / "shop.db")
    with ace.learner(path, None) as learner:
        logger = make_logger(learner)
        assert isinstance(logger, litellm.integrations.custom_logger.CustomLogger)
        assert "async_pre_call_hook" in vars(type(logger)), "else litellm's proxy does not call it"
        monkeypatch.setattr(litellm, "callbacks", [logger])

        async def run() -> None:
            first = await call(logger, wire, "What is red?")
            await settle(logger, first)
            assert logger.feedback(first, right=True)
            second = await call(logger, wire, "What is blue?", stream=True)
            await settle(logger, second)
            with pytest.raises(litellm.BadRequestError):
                await call(logger, wire, "Please fail.")
            await asyncio.sleep(0.2)

        asyncio.run(run())
        logger.close()
        assert learner.problems == ()
        other = {"input": "text"}
        assert asyncio.run(logger.async_pre_call_hook(None, None, other, "embeddings")) is other
    assert all(json.dumps(body).count(LINE) == 1 for body in wire.bodies)
    with Store.open(path, read_only=True) as store:
        kept = {episode.question: episode.attempt for episode in store.episodes()}
        assert [row.right for row in store.feedback()] == [True]
    assert kept["What is red?"].answer == ANSWER == kept["What is blue?"].answer
    assert "BadRequestError" in kept["Please fail."].error


def test_a_fault_of_ours_is_a_plain_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("ours")

    with ace.learner(fill(tmp_path / "shop.db"), None) as learner:
        logger = make_logger(learner)
        monkeypatch.setattr(logger._conversations, "take_request", broken)
        data = {"messages": [{"role": "user", "content": "?"}]}
        assert asyncio.run(logger.async_pre_call_hook(None, None, data, "acompletion")) is data
        assert not logger.feedback("nobody's", right=True)
        assert "ours" in str(learner.problems[0])
