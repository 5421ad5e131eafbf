"""A small world for the loops: colours have secret numbers, and a model that can only look them up.

The generator answers right when the playbook says so. The reflector works a rule out of the number in the
feedback, or makes one up where it is not shown. A rule says half of the number, so that no lesson is the
answer to its own question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import partial
from pathlib import Path
from threading import Event

from ace.llm import Caps, Request, Role, RoleModels, ScriptedClient
from ace.task import Sample, Task, define_task
from ace.testing import World
from tests.pace import patience

COLOURS = ("red", "green", "blue", "black", "white", "pink", "brown", "grey", "gold", "teal")
SECRET = {colour: str(70_002 + 14 * place) for place, colour in enumerate(COLOURS)}
LESSON = {colour: f"{colour} means twice {int(number) // 2}" for colour, number in SECRET.items()}


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


def knows(request: Request) -> str:
    """What the generator answers: the number that the newest bullet on the colour says."""
    told = [said.partition(" means ")[2] for said in request.bullets if said.startswith(colour_of(request))]
    if not told:
        return "no idea"
    twice, half = re.fullmatch(r"(twice )?(.*)", told[-1]).groups()
    return str(2 * int(half)) if twice else half


def teaches(request: Request, wrong: Collection[str] = ()) -> str:
    """What the reflector says: half of the number that the label shows, or a number that is made up."""
    colour = colour_of(request)
    number = request.feedback.expected if request.feedback and colour not in wrong else ""
    return f"{colour} means twice {int(number) // 2}" if number.isdecimal() else f"{colour} means 999"


def colour_of(request: Request) -> str:
    assert request.sample is not None
    return next(colour for colour in COLOURS if colour in request.sample.question)


def client(wrong: Collection[str] = ()) -> World:
    """A model that can only look numbers up. `wrong` colours get false lessons.

    A script that calls `says` goes by the same name, so that one may resume the run of the other.
    """
    return World(knows, partial(teaches, wrong=wrong), model="scripted")


def says(request: Request, wrong: Collection[str] = ()) -> str:
    """What that model says, a function of the request only: for scripts that say something else at times."""
    return client(wrong).ask(request).text


def reflect(request: Request, *lessons: str) -> str:
    """What a reflector replies that proposes these lessons, in the form that it is asked for."""
    return World(lessons=lambda _: lessons).ask(request).text


def gated(gate: Event, asked: Event | None = None) -> RoleModels:
    """Return a team whose reflector thinks until the gate is opened; `asked` is set when it begins to."""

    def slow(request: Request) -> str:
        if request.role is Role.REFLECTOR and not gate.is_set():
            if asked:
                asked.set()
            assert gate.wait(patience(60))
        return says(request)

    return RoleModels.of(ScriptedClient(slow))


def team(wrong: Collection[str] = (), caps: Caps | None = None) -> RoleModels:
    return RoleModels.of(client(wrong), caps=caps)
