"""A small SQL world: statuses of orders are secret numbers, and a scripted model that can only look them up.

Without a bullet about a status the generator asks for a table of that name, which fails.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from ace.llm import Request, Role, ScriptedClient
from ace.methods.ace.reflector import Critique, Lesson
from ace.task import Database, Sample, SqlEnvironment, Task

STATUS = {"cancelled": 7, "packed": 4, "returned": 9, "lost": 2}
GUESS = 3  # what the reflector makes up where no answer is shown


def orders(folder: Path, status: Mapping[str, int] = STATUS) -> Task:
    file = folder / "orders.sqlite"
    if not file.exists():
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE ord (id INTEGER, st INTEGER)")
            db.executemany("INSERT INTO ord VALUES (?, ?)", [(n, n % 10) for n in range(47)])
        db.close()
    environment = SqlEnvironment({"orders": Database.open(file)})

    def asked(split: str, words: str) -> tuple[Sample, ...]:
        return tuple(
            Sample(
                f"{split}-{name}",
                words.format(name),
                {"gold_sql": f"SELECT COUNT(*) FROM ord WHERE st = {number}"},
            )
            for name, number in status.items()
        )

    train, val = asked("train", "How many orders are {}?"), asked("val", "Count those that were {}.")
    return Task("orders", "Answer with SQL.", environment, train, val, asked("test", "And {}?"))


def says(request: Request) -> str:
    system, user = request.messages[0].content, request.messages[-1].content
    if request.role is Role.CURATOR:
        return json.dumps({"operations": []})
    name = next(n for n in STATUS if n in user.lower())
    words = f"{name.capitalize()} orders"
    if request.schema is Critique:
        return json.dumps({"wrong": True, "why": "a guess", "lesson": f"{words}: ord.st = {GUESS}."})
    if request.schema is Lesson:
        return json.dumps({"lesson": f"{words}: ord.st = {GUESS}."})
    if request.role is Role.REFLECTOR:
        return json.dumps({"1": words})
    known = re.findall(rf"{words}: ord\.st = (\d+)", system)
    return f"SELECT COUNT(*) FROM ord WHERE st = {known[-1]}" if known else f"SELECT COUNT(*) FROM {name}"


def client() -> ScriptedClient:
    return ScriptedClient(says)
