"""A small world for the loops: colours have secret numbers, and a scripted model that can only look them up.

The generator answers right when the playbook says so. The reflector reads the number off the feedback, or
makes one up where it is not shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from ace.llm import Caps, Request, Role, RoleModels, ScriptedClient
from ace.methods.ace.reflector import Critique, Lesson
from ace.task import Sample, Task, define_task

COLOURS = ("red", "green", "blue", "black", "white", "pink", "brown", "grey", "gold", "teal")
SECRET = {colour: str(70_001 + 13 * place) for place, colour in enumerate(COLOURS)}


def judge(sample: Sample, answer: str) -> bool:
    return answer == sample.data["answer"]


def world(tests: int = 10) -> Task:
    """Training and test ask about the same secrets in other words."""
    train = [
        {"id": f"train-{c}", "question": f"Which number has {c}?", "answer": n} for c, n in SECRET.items()
    ]
    val = [{"id": f"val-{c}", "question": f"Tell me what {c} is.", "answer": n} for c, n in SECRET.items()]
    test = [{"id": f"test-{c}", "question": f"What about {c}?", "answer": n} for c, n in SECRET.items()]
    return define_task("colours", train, judge, val=val, test=test[:tests], instructions="Answer by number.")


TOML = """\
name = "colours"
environment = "answer"
instructions = "Answer by number."

[data]
train = "train.jsonl"
val = "val.jsonl"
test = "test.jsonl"
"""


def write_world(folder: Path) -> None:
    """The same task as a folder."""
    folder.mkdir()
    (folder / "task.toml").write_text(TOML, encoding="utf-8")
    for split in ("train", "val", "test"):
        rows = [{"id": s.id, "question": s.question, **s.data} for s in getattr(world(), split)]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def says(request: Request, wrong: Collection[str] = ()) -> str:
    """What the scripted model says: a function of the request only. `wrong` colours get false lessons."""
    system, user = request.messages[0].content, request.messages[-1].content
    if request.role is Role.CURATOR:
        return json.dumps({"operations": []})
    colour = next(c for c in COLOURS if c in user)
    if request.schema is Critique:
        return json.dumps({"wrong": True, "why": "a guess", "lesson": f"{colour} means 999"})
    if request.schema is Lesson:
        number = re.findall(r"Right answer: (\d+)", user)
        return json.dumps(
            {"lesson": f"{colour} means {number[0] if number and colour not in wrong else '999'}"}
        )
    known = re.findall(rf"{colour} means (\d+)", system)
    return known[-1] if known else "no idea"


def client(wrong: Collection[str] = ()) -> ScriptedClient:
    return ScriptedClient(lambda request: says(request, wrong))


def team(wrong: Collection[str] = (), caps: Caps | None = None) -> RoleModels:
    return RoleModels.of(client(wrong), caps=caps)
