"""Write an office with conventions that nobody can know, and tasks for an agent that works in it.

    python tasks/office_tools/generate.py SEED --out FOLDER

A seed draws people, ids, names of tools and arguments, codes, units, limits, forms and wordings. FOLDER then
holds task.toml, office.py with world.json, three JSONL files, and reference.md: the playbook of somebody who
knows everything. The same seed always writes the same bytes. `words.toml` has what is drawn from,
`recipes.md` the lines of the playbook.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from drawing import World

HERE = Path(__file__).parent
LOW = 7  # an amount that no task has
DATES = ((9, 3), (5, 14), (11, 26), (3, 9))  # days that no task has
# How many tasks of a kind stand in train, val and test.
KINDS = {
    "refund": (6, 3, 6),
    "refund_above": (6, 3, 6),
    "meet": (5, 3, 5),
    "cancel": (5, 2, 5),
    "file": (5, 3, 5),
    "share": (5, 2, 5),
    "rebook": (4, 2, 4),
    "file_refund": (4, 2, 4),
}
SPLITS = ("train", "val", "test")
TASK = """name = "{name}"
environment = "tools"
instructions = "You work in an office. Do what the task asks for, and nothing else, with the tools."

[tools]
world = "office:Office"

[solver]
kind = "tools"
steps = 9

[data]
train = "train.jsonl"
val = "val.jsonl"
test = "test.jsonl"
"""

Fields = dict[str, Any]
Calls = list[dict[str, Any]]


class Clerk:
    """Write the tasks of one split, and the calls of somebody who knows everything.

    The decks are shared by the splits: nobody, no day and no amount comes twice.
    """

    def __init__(self, world: World, decks: Mapping[str, Iterator[Any]]) -> None:
        self.world, self.decks = world, decks
        self.turns = {
            name: cycle(world.rng.sample(list(table), len(table))) for name, table in world.codes.items()
        }
        self.pages = {"file": cycle((0, 1, 1, 0, 0)), "share": cycle((0, 1, 1, 0, 0))}

    def refund(self, deck: str = "below") -> tuple[Fields, Calls]:
        world, customer, number = self.world, next(self.decks["customers"]), next(self.decks[deck])
        (order,) = world.find("orders", customer=customer)
        cause, call = next(self.turns["causes"]), world.call
        approval = world.entries["approvals"][order] if deck == "above" else world.none
        fields = {"client": customer, "money": f"{number} {world.currency}", "cause": cause}
        return fields, [
            call("find_order", customer=customer),
            *([call("ask_approval", order=order)] if deck == "above" else []),
            call("refund", order=order, amount=world.write_amount(number), approval=approval),
            call("close_case", order=order, code=world.codes["causes"][cause]),
        ]

    def refund_above(self) -> tuple[Fields, Calls]:
        return self.refund("above")

    def look_up(self) -> tuple[str, str, dict[str, Any]]:
        """Return the name and the id of somebody new, and the call that finds them."""
        name = next(self.decks["people"])
        (person,) = self.world.find("people", name=name)
        return name, person, self.world.call("find_person", name=name)

    def choose_day(self) -> tuple[str, str]:
        """Return a day as tasks say it, and as calls write it."""
        month, day = next(self.decks["dates"])
        return self.world.say_date(month, day), self.world.write_date(month, day)

    def meet(self) -> tuple[Fields, Calls]:
        (name, person, found), (day, date) = self.look_up(), self.choose_day()
        hour = next(self.decks["hours"])
        time = self.world.write_time(hour)
        fields = {"colleague": name, "day": day, "hour": hour}
        return fields, [found, self.world.call("book_meeting", person=person, date=date, time=time)]

    def cancel(self) -> tuple[Fields, Calls]:
        (name, person, found), (day, date) = self.look_up(), self.choose_day()
        reason = next(self.turns["reasons"])
        code = self.world.codes["reasons"][reason]
        self.world.entries["people"][person]["date"] = date
        call = self.world.call("cancel_meeting", person=person, date=date, reason=code)
        return {"colleague": name, "day": day, "reason": reason}, [found, call]

    def rebook(self) -> tuple[Fields, Calls]:
        fields, calls = self.cancel()
        (later, date), hour = self.choose_day(), next(self.decks["hours"])
        person = calls[1]["arguments"][self.world.arguments["person"]]
        time = self.world.write_time(hour)
        call = self.world.call("book_meeting", person=person, date=date, time=time)
        return {**fields, "later": later, "hour": hour}, [*calls, call]

    def find_file(self, page: int) -> tuple[str, Fields, Calls]:
        """Return the id of a file on a page, what tasks say of it, and the calls that find it."""
        world, project, kind = self.world, next(self.world.projects), next(self.turns["kinds"])
        file = world.add_files(project, kind, page)
        calls = [
            world.call("find_files", project=project, kind=kind, page=each)
            for each in world.pages[: page + 1]
        ]
        return file, {"project": project, "kind": kind}, calls

    def file(self, page: int | None = None) -> tuple[Fields, Calls]:
        file, fields, calls = self.find_file(next(self.pages["file"]) if page is None else page)
        folder = self.world.codes["kinds"][fields["kind"]]
        return fields, [*calls, self.world.call("move_file", file=file, folder=folder)]

    def file_refund(self) -> tuple[Fields, Calls]:
        (fields, calls), (more, others) = self.file(page=0), self.refund()
        return fields | more, [*calls, *others]

    def share(self) -> tuple[Fields, Calls]:
        file, fields, calls = self.find_file(next(self.pages["share"]))
        reader, access = next(self.decks["people"]), next(self.turns["accesses"])
        code = self.world.codes["accesses"][access]
        call = self.world.call("share_file", file=file, reader=reader, access=code)
        return {**fields, "colleague": reader, "access": access}, [*calls, call]


def write_rows(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each split, kinds mixed."""
    rng = world.rng
    days = [(month, day) for month in range(1, 13) for day in range(1, 29) if (month, day) not in DATES]
    rng.shuffle(days)
    short = [(month, day) for month, day in days if day < 10]
    long = [(month, day) for month, day in days if day >= 10]
    dates = list[tuple[int, int]]()  # every kind of task has days of one figure and of two, first and last
    for number, pair in enumerate(zip(short, long, strict=False)):
        dates += pair if number % 2 else pair[::-1]
    below = list(range(LOW + 1, world.limit * 3 // 4))
    above = list(range(world.limit * 2, world.limit * 4))
    for deck in (below, above):
        rng.shuffle(deck)
    decks = {
        "people": world.people,
        "customers": world.customers,
        "dates": iter(dates),
        "hours": cycle(rng.sample(range(8, 18), 10)),
        "below": iter(below),
        "above": iter(above),
    }
    # Each wording twice in a row, so that none of them goes with one of two codes only.
    wordings = {
        kind: cycle([text for text in world.wordings[kind.removesuffix("_above")] for _ in range(2)])
        for kind in KINDS
    }
    splits = {}
    for place, split in enumerate(SPLITS):
        clerk, rows = Clerk(world, decks), []
        for kind, counts in KINDS.items():
            for _ in range(counts[place]):
                fields, calls = getattr(clerk, kind)()
                rows.append((next(wordings[kind]).format(**fields, **world.nouns), calls))
        rng.shuffle(rows)
        splits[split] = [
            {"id": f"{split}-{number:02}", "question": question, "actions": calls}
            for number, (question, calls) in enumerate(rows, 1)
        ]
    return splits


def write_reference(world: World) -> str:
    """Fill in the playbook that a person wrote for any draw. Its examples have values that no task has."""
    coded = {"causes": "code", "reasons": "reason", "kinds": "folder", "accesses": "access"}
    tables = {}
    for table, codes in world.codes.items():
        argument = world.arguments[coded[table]]
        tables[table] = ", ".join(f'{argument}="{code}" for {name}' for name, code in codes.items())
    names = {**world.nouns, **world.arguments, **world.tools}
    examples = {
        "low": LOW,
        "low_amount": world.write_amount(LOW),
        "limit_amount": world.write_amount(world.limit),
        "dates": ", ".join(
            f'{world.arguments["date"]}="{world.write_date(*date)}" for {world.say_date(*date)}'
            for date in DATES
        ),
        "early_time": world.write_time(7),
        "late_time": world.write_time(19),
    }
    places = defaultdict(lambda: "…", world.nouns, money=f"… {world.currency}")
    heads = {
        f"say_{kind}": " / ".join(text.format_map(places).strip(".").replace(":", ",") for text in texts)
        for kind, texts in world.wordings.items()
    }
    rules = {
        "amount_rule": world.amount_rule,
        "date_rule": world.date_rule,
        "time_rule": world.time_rule,
    }
    terms = {
        "limit": world.limit,
        "currency": world.currency,
        "none": world.none,
        "first_page": world.pages[0],
        "second_page": world.pages[1],
    }
    text = (HERE / "recipes.md").read_text(encoding="utf-8")
    return text.format(**names, **tables, **examples, **heads, **rules, **terms)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", type=int)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    given = parser.parse_args()
    world = World(given.seed)
    rows = write_rows(world)
    given.out.mkdir(parents=True, exist_ok=True)
    name = given.out.resolve().name
    texts = {
        "task.toml": TASK.format(name=name),
        "world.json": json.dumps(world.write(), indent=1) + "\n",
        "reference.md": write_reference(world),
        **{
            f"{split}.jsonl": "".join(f"{json.dumps(row)}\n" for row in several)
            for split, several in rows.items()
        },
    }
    for file, text in texts.items():
        (given.out / file).write_text(text, encoding="utf-8")
    if given.out.resolve() != HERE:
        shutil.copy(HERE / "office.py", given.out / "office.py")


if __name__ == "__main__":
    main()
