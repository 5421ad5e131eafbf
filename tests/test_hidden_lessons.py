"""A lesson in which something looks like a secret is proven as it will be stored."""

from __future__ import annotations

import pytest

import ace
from ace.llm import Request
from ace.methods.guard import hide_in_delta
from ace.playbook import Add, Revise
from ace.safety.secrets import hide_secrets
from ace.testing import World

ROWS = [
    {"id": str(number), "question": f"Case {number}: I forgot my password", "answer": "access"}
    for number in range(3)
]


def answer(question: str, context: str) -> str:
    """Give the label where the context holds it, whatever else it says."""
    return "access" if "access" in context else "unknown"


def test_what_is_proven_is_what_is_stored(store: ace.Store) -> None:
    def lessons(request: Request) -> list[str]:
        return (
            ["Anything about a password: access"]
            if request.draw == 0
            else ["Forgotten passwords go to access."]
        )

    world = World(lessons=lessons)
    task = ace.define_task("desk", ROWS, "exact", agent=answer)
    ace.learn(task, store, world)
    contents = [bullet.content for bullet in store.checkout().active]
    assert "Forgotten passwords go to access." in contents
    assert not [content for content in contents if "[hidden]" in content]
    told = [request for request in world.requests if "looks like a secret" in request.messages[-1].content]
    assert told, "the next reflection is told what was wrong"


def test_secrets_are_hidden_in_every_operation_that_holds_a_text() -> None:
    delta = (Add("a-1", "a", "password: hunter2!"), Revise("a-2", "API_KEY=q8Zr71Lk0PdWxTt5"))
    assert all("[hidden]" in operation.content for operation in hide_in_delta(delta))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "export OPENAI_API_KEY=...",
        "password: ****",
        "api_key=$KEY",
        "export TOKEN=${API_TOKEN}",
        "password: \u2026",
    ],
)
def test_what_stands_for_a_secret_is_none(text: str) -> None:
    assert hide_secrets(text) == text
