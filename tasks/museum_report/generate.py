"""Writes the briefs: made-up museums, the same every time.

python tasks/museum_report/generate.py
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
SEED = 11
PLACES = (
    "Norden",
    "Altmark",
    "Kesslin",
    "Birkholm",
    "Ravenau",
    "Seeby",
    "Tannfeld",
    "Wolgaberg",
    "Ostermoor",
)
KINDS = ("Harbour", "Railway", "Glass", "Textile", "Salt", "Clock", "Paper", "Lighthouse", "Ceramics")
PEOPLE = ("Ida Brandt", "Jonas Keel", "Mira Solano", "Otto Lindqvist", "Petra Vance", "Ruben Achter")
EXHIBITIONS = ("Salt and Light", "The Long Winter", "Hands at Work", "Under Sail")
TITLES = ("Visitors", "Collection", "Staff", "Money", "Plans")


def facts(random: Random) -> list[str]:
    """Return three for each part. All figures of a brief differ, so that each can be looked for."""
    used: set[int] = set()

    def figure(low: int, high: int) -> str:
        while (number := random.randint(low, high)) in used:
            pass
        used.add(number)
        return f"{number:,}"

    person, other = random.sample(PEOPLE, 2)
    return [
        f"Visitors in the year: {figure(21_000, 96_000)}",
        f"School classes that came: {figure(210, 690)}",
        f"Busiest month: {random.choice(('May', 'July', 'August', 'October'))}",
        f"Objects in the collection: {figure(4_100, 9_900)}",
        f"Objects restored: {figure(31, 99)}",
        f"Objects lent to other museums: {figure(101, 199)}",
        f"Director since the spring: {person}",
        f"Employees: {figure(12, 29)}",
        f"Hours given by volunteers: {figure(1_100, 3_900)}",
        f"Income in euros: {figure(510_000, 890_000)}",
        f"Grant of the town in euros: {figure(100_000, 240_000)}",
        f"Cost of the new roof in euros: {figure(41_000, 88_000)}",
        f"Next exhibition: {random.choice(EXHIBITIONS)}",
        f"Its curator: {other}",
        f"Rooms that will be closed for repairs: {figure(2, 9)}",
    ]


def brief(random: Random, number: int, split: str) -> dict[str, str]:
    name = f"{random.choice(KINDS)} Museum of {random.choice(PLACES)}"
    lines = facts(random)
    random.shuffle(lines)
    given = "\n".join(f"- {line}" for line in lines)
    question = (
        f"Write the annual report of the {name}, 250 to 700 words. It has these parts, in this order: "
        f"{', '.join(TITLES)}. Each part begins with its title on a line of its own. Say every one of these "
        f"facts once, in the part where it belongs:\n{given}"
    )
    return {"id": f"{split}-{number:02}", "question": question}


def main() -> None:
    random = Random(SEED)
    for split, count in (("train", 6), ("test", 20)):
        rows = [brief(random, number, split) for number in range(1, count + 1)]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (HERE / f"{split}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
