"""A small SQL world: statuses of orders are secret numbers, and a model that can only look them up.

Without a bullet about a status the generator asks for a table of that name, which fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from ace.llm import Request
from ace.task import Database, Sample, SqlEnvironment, Task
from ace.testing import World

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


def queries(request: Request) -> str:
    """What the generator answers: it knows how to count, and the statuses of its bullets."""
    name = status_of(request)
    rule = f"{name.capitalize()} orders: ord.st = "
    told = [said.removeprefix(rule).rstrip(".") for said in request.bullets if said.startswith(rule)]
    return f"SELECT COUNT(*) FROM ord WHERE st = {told[-1]}" if told else f"SELECT COUNT(*) FROM {name}"


def guesses(request: Request) -> str:
    """What the reflector says. The meaning is made up: where labels show it, only the words count."""
    return f"{status_of(request).capitalize()} orders: ord.st = {GUESS}."


def status_of(request: Request) -> str:
    assert request.sample is not None
    return next(name for name in STATUS if name in request.sample.question.lower())


def client() -> World:
    return World(queries, guesses, model="scripted")


def says(request: Request) -> str:
    """What that model says, a function of the request only: for scripts that say something else at times."""
    return client().ask(request).text
