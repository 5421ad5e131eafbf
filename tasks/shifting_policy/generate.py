"""Writes desk.sql and train.jsonl beside this file, the same every time.

python tasks/shifting_policy/generate.py
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

HERE = Path(__file__).parent

# What a word means: its column, and its code in each of the three phases.
RULES: dict[str, tuple[str, tuple[object, object, object]]] = {
    "solved": ("status", (4, 9, 4)),
    "escalated": ("status", (7, 7, 2)),
    "pending": ("status", (1, 1, 6)),
    "phone": ("channel", ("Q", "B", "B")),
    "letter": ("channel", ("B", "Q", "Q")),
    "chat": ("channel", ("M", "M", "T")),
    "billing": ("team", (30, 50, 50)),
    "delivery": ("team", (50, 30, 30)),
    "premium": ("plan", (3, 3, 8)),
    "trial": ("plan", (5, 5, 5)),
}
CODES: dict[str, tuple[object, ...]] = {
    "status": (4, 9, 7, 2, 1, 6),
    "channel": ("Q", "B", "M", "T"),
    "team": (30, 50, 70),
    "plan": (3, 5, 8),
}
FORMS = (
    ("How many {word} tickets are there?", "SELECT COUNT(*) FROM ticket WHERE {rule}"),
    (
        "How many {word} tickets did Ada take?",
        "SELECT COUNT(*) FROM ticket WHERE {rule} AND ticket.agent = 'Ada'",
    ),
    (
        "How many {word} tickets did Boris take?",
        "SELECT COUNT(*) FROM ticket WHERE {rule} AND ticket.agent = 'Boris'",
    ),
    (
        "List the ids of {word} tickets opened on 2024-03-14.",
        "SELECT ticket.id FROM ticket WHERE {rule} AND ticket.opened = '2024-03-14'",
    ),
    (
        "How many minutes did the {word} tickets take in total?",
        "SELECT SUM(ticket.minutes) FROM ticket WHERE {rule}",
    ),
    (
        "How many {word} tickets took more than 60 minutes?",
        "SELECT COUNT(*) FROM ticket WHERE {rule} AND ticket.minutes > 60",
    ),
    (
        "How many {word} tickets were opened after 2024-06-30?",
        "SELECT COUNT(*) FROM ticket WHERE {rule} AND ticket.opened > '2024-06-30'",
    ),
    (
        "How many minutes did Ada spend on {word} tickets?",
        "SELECT SUM(ticket.minutes) FROM ticket WHERE {rule} AND ticket.agent = 'Ada'",
    ),
)
SCHEMA = (
    "CREATE TABLE ticket (id INTEGER, opened TEXT, agent TEXT, minutes INTEGER, status INTEGER, "
    "channel TEXT, team INTEGER, plan INTEGER);"
)
SIZE = 420
SEED = 20  # with this one no wrong code gives a right answer


def database() -> str:
    """Fill the table; codes come in different shares, so that a wrong one gives another answer."""
    random = Random(SEED)
    rows = []
    for number in range(1, SIZE + 1):
        busy = random.random() < 0.2
        opened = "2024-03-14" if busy else f"2024-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
        agent = random.choice(("Ada", "Boris", "Chloe"))
        codes = (random.choices(values, weights=range(3, 3 + len(values)))[0] for values in CODES.values())
        cells = (number, opened, agent, random.randint(5, 120), *codes)
        rows.append("(" + ",".join(map(_literal, cells)) + ")")
    return f"{SCHEMA}\nINSERT INTO ticket VALUES\n" + ",\n".join(rows) + ";\n"


def stream() -> list[dict[str, str]]:
    """Return three phases of eight rounds. A round asks about every word once, in new order and form."""
    random, rows = Random(SEED), list[dict[str, str]]()
    for phase in range(3):
        for turn in range(len(FORMS)):
            words = random.sample(list(RULES), len(RULES))
            for word in words:
                question, sql = FORMS[(turn + list(RULES).index(word)) % len(FORMS)]
                column, codes = RULES[word]
                rule = f"ticket.{column} = {_literal(codes[phase])}"
                name = f"phase{phase + 1}-{len(rows) % 80 + 1:02}"
                rows.append(
                    {"id": name, "question": question.format(word=word), "gold_sql": sql.format(rule=rule)}
                )
    return rows


def _literal(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def main() -> None:
    (HERE / "desk.sql").write_text(database(), encoding="utf-8")
    (HERE / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in stream()), encoding="utf-8")


if __name__ == "__main__":
    main()
