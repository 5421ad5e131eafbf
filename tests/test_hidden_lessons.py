"""A lesson in which something looks like a secret is proven as it will be stored."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ace
from ace.llm import Request
from ace.methods.ace.curator import confine_delta
from ace.methods.ace.proposals import add_lesson, merge_lessons, revise_lesson
from ace.playbook import Bullet, Merge
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


def test_secrets_are_hidden_in_every_operation_that_words_a_lesson() -> None:
    operations = (
        add_lesson("password: hunter2!", "a"),
        revise_lesson("a-2", "API_KEY=q8Zr71Lk0PdWxTt5"),
        merge_lessons("a-2", ["a-3"], "password: hunter2!"),
    )
    assert all("[hidden]" in operation.content for operation in operations)
    assert operations[0].id == add_lesson("password: [hidden]", "a").id, "an id tells nothing of a secret"


def test_a_merge_that_would_hide_what_a_bullet_says_is_refused() -> None:
    bullets = [Bullet("a-1", "a", "Code 4711 is for returns."), Bullet("a-2", "a", "Returns need a code.")]
    merge = Merge("a-2", ("a-1",), "Returns need a code. PIN: 4711")
    delta, note = confine_delta((merge,), bullets)
    assert delta == () and "4711" in note


@pytest.mark.parametrize(
    "module", sorted((Path(ace.__file__).parent / "methods" / "ace").glob("*.py")), ids=lambda file: file.stem
)
def test_only_one_module_words_operations(module: Path) -> None:
    """What another one worded would be tried with its secrets, and stored without."""
    calls = [
        node.func for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Call)
    ]
    names = {name.id for name in calls if isinstance(name, ast.Name)}
    assert module.stem == "proposals" or not names & {"Add", "Revise", "Merge"}
