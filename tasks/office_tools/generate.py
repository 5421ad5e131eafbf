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
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from drawing import MONTHS, World

HERE = Path(__file__).parent
LOW = 7  # an amount that no task has
# How many tasks of a kind stand in train, val and test.
KINDS = {
    "refund": (5, 2, 5),
    "refund_above": (5, 3, 5),
    "meet": (4, 2, 4),
    "cancel": (5, 2, 5),
    "file": (5, 3, 5),
    "share": (5, 2, 5),
    "rebook": (4, 2, 4),
    "meet_two": (3, 2, 3),
    "refund_file": (4, 2, 4),
}
# What stands in the playbook for what tasks of a kind do not share.
PLACES = {
    "client": "CUSTOMER",
    "colleague": "NAME",
    **{name: name.upper() for name in ("money", "item", "cause", "day", "hour", "topic", "reason")},
    **{name: name.upper() for name in ("kind", "year", "access", "other", "later")},
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
            name: cycle(world.rng.sample(sorted(table), len(table))) for name, table in world.codes.items()
        }
        self.pages = cycle((0, 1))

    def say(self, table: str, name: str) -> str:
        """Return how a task says what has a code."""
        return self.world.rng.choice(self.world.words[table][name])

    def refund(self, deck: str = "below") -> tuple[Fields, Calls]:
        world, customer, number = self.world, next(self.decks["customers"]), next(self.decks[deck])
        order = world.rng.choice(world.find("orders", customer=customer))
        cause, call = next(self.turns["causes"]), world.call
        amount = world.write_amount(number)
        approval = world.entries["approvals"][order] if deck == "above" else world.none
        fields = {
            "client": customer,
            "item": world.entries["orders"][order]["item"],
            "money": f"{number} {world.currency}",
            "cause": self.say("causes", cause),
        }
        return fields, [
            call("find_orders", customer=customer),
            *([call("ask_approval", order=order)] if deck == "above" else []),
            call("refund", order=order, amount=amount, approval=approval),
            call("close_case", order=order, code=world.codes["causes"][cause]),
        ]

    def refund_above(self) -> tuple[Fields, Calls]:
        return self.refund("above")

    def look_up(self) -> tuple[str, str, dict[str, Any]]:
        """Return the name and the id of somebody new, and the call that finds them."""
        name = next(self.decks["people"])
        (person,) = self.world.find("people", name=name)
        return name, person, self.world.call("find_person", name=name)

    def book(self, person: str, date: tuple[int, int], hour: int) -> dict[str, Any]:
        world = self.world
        day = world.write_date(*date)
        return world.call("book_meeting", person=person, date=day, time=world.write_time(hour))

    def choose_time(self) -> tuple[Fields, tuple[int, int], int]:
        (month, day), hour = next(self.decks["dates"]), self.world.rng.randrange(8, 16)
        form = self.world.rng.choice(("{0} {1}", "{1} {0}"))
        return {"day": form.format(day, MONTHS[month - 1]), "hour": hour}, (month, day), hour

    def meet(self) -> tuple[Fields, Calls]:
        name, person, found = self.look_up()
        fields, date, hour = self.choose_time()
        return {"colleague": name, **fields}, [found, self.book(person, date, hour)]

    def meet_two(self) -> tuple[Fields, Calls]:
        (name, person, found), (other, second, also) = self.look_up(), self.look_up()
        fields, date, hour = self.choose_time()
        later = hour + self.world.rng.randrange(1, 4)
        calls = [found, self.book(person, date, hour), also, self.book(second, date, later)]
        return {"colleague": name, "other": other, "later": later, **fields}, calls

    def cancel(self) -> tuple[Fields, Calls]:
        return self._cancel(*self.look_up())

    def rebook(self) -> tuple[Fields, Calls]:
        name, person, found = self.look_up()
        fields, calls = self._cancel(name, person, found)
        more, date, hour = self.choose_time()
        return fields | more, [*calls, self.book(person, date, hour)]

    def _cancel(self, name: str, person: str, found: dict[str, Any]) -> tuple[Fields, Calls]:
        world, reason = self.world, next(self.turns["reasons"])
        meeting = world.rng.choice(world.find("meetings", person=person))
        topic = world.entries["meetings"][meeting]["topic"]
        fields = {"colleague": name, "topic": topic, "reason": self.say("reasons", reason)}
        return fields, [
            found,
            world.call("list_meetings", person=person),
            world.call("cancel_meeting", meeting=meeting, reason=world.codes["reasons"][reason]),
        ]

    def find_file(self, customer: str, page: int) -> tuple[str, Fields, Calls]:
        """Return the id of a file on a page, what tasks say of it, and the calls that find it."""
        world, files = self.world, self.world.find("files", customer=customer)
        file = world.rng.choice(files[page * world.page_size : (page + 1) * world.page_size])
        entry = world.entries["files"][file]
        fields = {"client": customer, "kind": entry["kind"], "year": entry["year"]}
        calls = [world.call("find_files", customer=customer, page=each) for each in world.pages[: page + 1]]
        return file, fields, calls

    def file(self) -> tuple[Fields, Calls]:
        return self._file(next(self.decks["customers"]), next(self.pages))

    def refund_file(self) -> tuple[Fields, Calls]:
        fields, calls = self.refund()
        more, others = self._file(fields["client"], 0)
        return fields | more, [*calls, *others]

    def _file(self, customer: str, page: int) -> tuple[Fields, Calls]:
        world, (file, fields, calls) = self.world, self.find_file(customer, page)
        kind, year = fields["kind"], fields["year"]
        folder = world.write_folder(world.codes["kinds"][kind], year)
        title = world.write_title(customer, kind)
        return fields, [*calls, world.call("move_file", file=file, folder=folder, title=title)]

    def share(self) -> tuple[Fields, Calls]:
        world, access = self.world, next(self.turns["accesses"])
        file, fields, calls = self.find_file(next(self.decks["customers"]), next(self.pages))
        name, person, found = self.look_up()
        fields |= {"colleague": name, "access": self.say("accesses", access)}
        code = world.codes["accesses"][access]
        return fields, [*calls, found, world.call("share_file", file=file, person=person, access=code)]


def write_rows(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each split, kinds mixed."""
    rng = world.rng
    dates = [(month, day) for month in range(1, 13) for day in range(2, 29)]
    below, above = list(range(LOW + 1, world.limit - 4)), list(range(world.limit + 10, world.limit * 3))
    for deck in (dates, below, above):
        rng.shuffle(deck)
    decks = {
        "people": world.people,
        "customers": world.customers,
        "dates": iter(dates),
        "below": iter(below),
        "above": iter(above),
    }
    wordings = {kind: cycle(world.wordings[kind.removesuffix("_above")]) for kind in KINDS}
    splits = {}
    for place, split in enumerate(SPLITS):
        clerk, rows = Clerk(world, decks), []
        for kind, counts in KINDS.items():
            for _ in range(counts[place]):
                fields, calls = getattr(clerk, kind)()
                rows.append((next(wordings[kind]).format(**fields), calls))
        rng.shuffle(rows)
        splits[split] = [
            {"id": f"{split}-{number:02}", "question": question, "actions": calls}
            for number, (question, calls) in enumerate(rows, 1)
        ]
    return splits


def write_reference(world: World) -> str:
    """Fill in the playbook that a person wrote for any draw. Its examples have values that no task has."""
    tables = {
        table: ", ".join(f'"{code}" for {name}' for name, code in codes.items())
        for table, codes in world.codes.items()
    }
    names = {**world.nouns, **world.arguments, **world.tools}
    (kind, code), (other_kind, other_code), *_ = world.codes["kinds"].items()
    examples = {
        "low": LOW,
        "low_amount": world.write_amount(LOW),
        "limit_amount": world.write_amount(world.limit),
        "early_date": world.write_date(1, 1),
        "late_date": world.write_date(10, 30),
        "early_time": world.write_time(7),
        "late_time": world.write_time(19),
        "first_kind": kind,
        "other_kind": other_kind,
        "first_folder": world.write_folder(code, "2001"),
        "other_folder": world.write_folder(other_code, "2012"),
        "first_title": world.write_title("Bo Mora", kind),
        "other_title": world.write_title("Lea Sand", other_kind),
    }
    heads = {
        f"say_{kind}": " or ".join(f'"{text.format_map(PLACES)}"' for text in texts[:2])
        for kind, texts in world.wordings.items()
    }
    rules = {
        "amount_rule": world.amount_rule,
        "date_rule": world.date_rule,
        "time_rule": world.time_rule.format(minute=world.minute),
        "folder_rule": world.folder_rule,
        "title_rule": world.title_rule.format(**names),
    }
    terms = {
        "limit": world.limit,
        "currency": world.currency,
        "key": world.key,
        "KEY": world.key.upper(),
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
