"""Write a helpdesk with conventions that nobody can know, and tasks for the team that works at it.

    python tasks/helpdesk_team/generate.py SEED --out FOLDER
    python tasks/helpdesk_team/generate.py SEED --out FOLDER --one

A seed draws customers, ids, names of tools and arguments, codes, forms and wordings. FOLDER then holds
task.toml, helpdesk.py with world.json, three JSONL files, and reference.md: the playbook of somebody who
knows everything. With --one the same tasks are for one agent that has all tools. The same seed always writes
the same bytes. `words.toml` has what is drawn from, `recipes.md` the lines of the playbook.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
TOOLS = {
    "find_ticket": ("customer",),
    "tag_ticket": ("ticket", "urgency"),
    "find_account": ("customer",),
    "refund": ("account", "amount", "cause"),
    "change_plan": ("account", "plan"),
    "send_invoice": ("account", "bill"),
    "find_device": ("customer",),
    "restart": ("device", "level"),
    "replace_part": ("device", "part"),
    "book_visit": ("device", "day"),
}
# How many codes of each sort there are: each comes twice in training at least.
CODES = {"urgencies": 2, "causes": 3, "plans": 2, "levels": 2, "parts": 3}
TABLES = ("tickets", "accounts", "devices")
# How many tasks of a kind stand in train, val and test.
KINDS = {
    "tag": (4, 2, 4),
    "refund": (5, 2, 5),
    "plan": (4, 2, 4),
    "invoice": (3, 2, 3),
    "restart": (4, 2, 4),
    "part": (4, 2, 4),
    "visit": (3, 1, 3),
    "refund_part": (3, 2, 3),
}
SPLITS = ("train", "val", "test")
HEAD = """name = "{name}"
environment = "tools"
instructions = "You work at a helpdesk. Do what the task asks for, and nothing else, with the tools."

[tools]
world = "helpdesk:Helpdesk"

[data]
train = "train.jsonl"
val = "val.jsonl"
test = "test.jsonl"

"""
ONE = """[solver]
kind = "tools"
steps = 9
"""
TEAM = """[solver]
kind = "team"
start = "triage"
steps = 16
notes = false

[[solver.agents]]
name = "triage"
instructions = "You sort what comes in. What is somebody else's you hand over."
tools = {triage}
hands_to = ["billing", "technical"]
steps = 6

[[solver.agents]]
name = "billing"
tools = {billing}
hands_to = ["triage", "technical"]
steps = 7

[[solver.agents]]
name = "technical"
tools = {technical}
hands_to = ["triage", "billing"]
steps = 7
"""

Fields = dict[str, Any]
Calls = list[dict[str, Any]]


class World:
    """Draw a helpdesk: names, ids, codes and forms."""

    def __init__(self, seed: int) -> None:
        self.words = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
        self.rng = random.Random(seed)
        rng, words = self.rng, self.words
        self.used = set[str]()
        self.arguments = {role: rng.choice(names) for role, names in words["arguments"].items()}
        while len(set(self.arguments.values())) < len(self.arguments):
            self.arguments = {role: rng.choice(names) for role, names in words["arguments"].items()}
        self.owners = {agent: tuple(table) for agent, table in words["tools"].items()}
        self.tools = {
            role: rng.choice(names) for table in words["tools"].values() for role, names in table.items()
        }
        self.currency = rng.choice(words["currencies"])
        self.before, self.scale, self.after, self.amount_rule = rng.choice(words["amounts"])
        self.date, self.date_rule = rng.choice(words["dates"])
        self.bill, self.bill_rule = rng.choice(words["bills"])
        numbers, form = rng.sample(range(3, 60), len(self.arguments)), rng.choice(words["errors"])
        self.errors = {
            role: form.format(number=number, argument=name)
            for (role, name), number in zip(self.arguments.items(), numbers, strict=True)
        }
        forms = rng.sample(words["codes"], len(CODES))
        self.codes = {
            table: {name: self.make_id(form) for name in rng.sample(sorted(words[table]), CODES[table])}
            for table, form in zip(CODES, forms, strict=True)
        }
        names = [f"{first} {last}" for first in words["first_names"] for last in words["last_names"]]
        self.customers = rng.sample(names, sum(map(sum, KINDS.values())))
        letters = rng.sample(LETTERS, 2 * len(TABLES))
        self.entries: dict[str, dict[str, str]] = {}
        for table, form in zip(TABLES, rng.sample(words["ids"], len(TABLES)), strict=True):
            fixed = form.format(a=letters.pop(), b=letters.pop(), number="{number}")
            self.entries[table] = {self.make_id(fixed): name for name in self.customers}

    def make_id(self, form: str) -> str:
        """Return what no other thing of this world is called. A form has letters, a number and digits."""
        while True:
            a, b = self.rng.sample(LETTERS, 2)
            text = form.format(
                a=a, b=b, number=self.rng.randrange(100, 1000), digit=self.rng.randrange(2, 10)
            )
            if text not in self.used:
                self.used.add(text)
                return text

    def write_amount(self, number: int) -> str:
        return f"{self.before}{number * self.scale}{self.after}"

    def call(self, tool: str, **values: str) -> dict[str, Any]:
        """Return a call under the names of this world."""
        arguments = {self.arguments[role]: values[role] for role in TOOLS[tool]}
        return {"name": self.tools[tool], "arguments": arguments}

    def find_id(self, table: str, customer: str) -> str:
        return next(key for key, name in self.entries[table].items() if name == customer)

    def write(self) -> dict[str, Any]:
        """Return what `helpdesk.py` reads."""
        tools = {
            role: {
                "name": self.tools[role],
                "description": self.rng.choice(self.words["descriptions"][role]),
                "arguments": arguments,
            }
            for role, arguments in TOOLS.items()
        }
        return {
            "tools": tools,
            "arguments": self.arguments,
            "errors": self.errors,
            "date": self.date,
            "bill": self.bill,
            "amount": {"before": self.before, "scale": self.scale, "after": self.after},
            **self.codes,
            **self.entries,
        }


class Clerk:
    """Write the tasks of one split, and the calls of somebody who knows everything."""

    def __init__(self, world: World, customers: Iterator[str], amounts: Iterator[int], dates: Iterator[Any]):
        self.world, self.customers, self.amounts, self.dates = world, customers, amounts, dates
        self.turns = {
            name: cycle(world.rng.sample(sorted(table), len(table))) for name, table in world.codes.items()
        }

    def choose(self, table: str) -> tuple[str, str]:
        """Return how a task says the next one of a table, and its code."""
        name = next(self.turns[table])
        return self.world.rng.choice(self.world.words[table][name]), self.world.codes[table][name]

    def tag(self, customer: str) -> tuple[Fields, Calls]:
        call, ticket = self.world.call, self.world.find_id("tickets", customer)
        said, code = self.choose("urgencies")
        calls = [call("find_ticket", customer=customer), call("tag_ticket", ticket=ticket, urgency=code)]
        return {"urgency": said}, calls

    def refund(self, customer: str) -> tuple[Fields, Calls]:
        world, number, (said, code) = self.world, next(self.amounts), self.choose("causes")
        account, amount = world.find_id("accounts", customer), world.write_amount(number)
        return {"money": f"{number} {world.currency}", "cause": said}, [
            world.call("find_account", customer=customer),
            world.call("refund", account=account, amount=amount, cause=code),
        ]

    def plan(self, customer: str) -> tuple[Fields, Calls]:
        call, account = self.world.call, self.world.find_id("accounts", customer)
        said, code = self.choose("plans")
        calls = [call("find_account", customer=customer), call("change_plan", account=account, plan=code)]
        return {"plan": said}, calls

    def invoice(self, customer: str) -> tuple[Fields, Calls]:
        world, number = self.world, next(self.amounts)
        account, text = world.find_id("accounts", customer), world.bill.format(number=number)
        calls = [
            world.call("find_account", customer=customer),
            world.call("send_invoice", account=account, bill=text),
        ]
        return {"bill": number}, calls

    def restart(self, customer: str) -> tuple[Fields, Calls]:
        call, device = self.world.call, self.world.find_id("devices", customer)
        said, code = self.choose("levels")
        calls = [call("find_device", customer=customer), call("restart", device=device, level=code)]
        return {"level": said}, calls

    def part(self, customer: str) -> tuple[Fields, Calls]:
        call, device = self.world.call, self.world.find_id("devices", customer)
        said, code = self.choose("parts")
        calls = [call("find_device", customer=customer), call("replace_part", device=device, part=code)]
        return {"part": said}, calls

    def visit(self, customer: str) -> tuple[Fields, Calls]:
        world, (month, day) = self.world, next(self.dates)
        device, text = world.find_id("devices", customer), world.date.format(month=month, day=day)
        calls = [
            world.call("find_device", customer=customer),
            world.call("book_visit", device=device, day=text),
        ]
        return {"date": f"{MONTHS[month - 1]} {day}"}, calls

    def refund_part(self, customer: str) -> tuple[Fields, Calls]:
        (fields, calls), (more, others) = self.refund(customer), self.part(customer)
        return fields | more, [*calls, *others]


def write_rows(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each split, kinds mixed. No customer, amount or day comes twice."""
    rng = world.rng
    dates = rng.sample([(month, day) for month in range(1, 13) for day in range(2, 29)], 30)
    amounts = rng.sample(range(11, 99), 60)
    decks: tuple[Iterator[str], Iterator[int], Iterator[Any]] = (
        iter(world.customers),
        iter(amounts),
        iter(dates),
    )
    wordings = {kind: cycle(rng.sample(world.words["wordings"][kind], 4)) for kind in KINDS}
    splits = {}
    for place, split in enumerate(SPLITS):
        clerk, rows = Clerk(world, *decks), []
        for kind, counts in KINDS.items():
            write: Callable[[str], tuple[Fields, Calls]] = getattr(clerk, kind)
            for _ in range(counts[place]):
                customer = next(decks[0])
                fields, calls = write(customer)
                rows.append((next(wordings[kind]).format(customer=customer, **fields), calls))
        rng.shuffle(rows)
        splits[split] = [
            {"id": f"{split}-{number:02}", "question": question, "actions": calls}
            for number, (question, calls) in enumerate(rows, 1)
        ]
    return splits


def write_reference(world: World, one: bool) -> str:
    """Fill in the playbook that a person wrote for any draw. Its examples have values that no task has.

    A line may be for the team only, or for one agent, whose sections are for nobody else.
    """
    coded = {
        "urgencies": "urgency",
        "causes": "cause",
        "plans": "plan",
        "levels": "level",
        "parts": "part",
    }
    tables = {}
    for table, codes in world.codes.items():
        argument = world.arguments[coded[table]]
        says = {name: " or ".join(world.words[table][name]) for name in codes}
        tables[table] = ", ".join(f'{argument}="{code}" for {says[name]}' for name, code in codes.items())
    places = defaultdict(lambda: "…", money=f"… {world.currency}")
    heads = {
        f"say_{kind}": " / ".join(text.format_map(places).strip(".").replace(":", ",") for text in texts[:3])
        for kind, texts in world.words["wordings"].items()
    }
    text = (HERE / "recipes.md").read_text(encoding="utf-8")
    others, own = ("[team]", "[one] ") if one else ("[one]", "[team] ")
    lines = [line.replace(own, "") for line in text.splitlines() if others not in line]
    text = "\n".join(line.partition(": ")[0] if one and line[:2] == "##" else line for line in lines) + "\n"
    return text.format(
        **world.arguments,
        **world.tools,
        **tables,
        **heads,
        currency=world.currency,
        amount_rule=world.amount_rule,
        low_amount=world.write_amount(7),
        bill_rule=world.bill_rule,
        low_bill=world.bill.format(number=7),
        date_rule=world.date_rule,
        early_date=world.date.format(month=1, day=1),
        late_date=world.date.format(month=10, day=30),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", type=int)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--one", action="store_true", help="for one agent with all tools")
    given = parser.parse_args()
    world = World(given.seed)
    rows = write_rows(world)
    given.out.mkdir(parents=True, exist_ok=True)
    owned = {
        agent: json.dumps([world.tools[role] for role in roles]) for agent, roles in world.owners.items()
    }
    texts = {
        "task.toml": HEAD.format(name=given.out.resolve().name)
        + (ONE if given.one else TEAM.format(**owned)),
        "world.json": json.dumps(world.write(), indent=1) + "\n",
        "reference.md": write_reference(world, given.one),
        **{
            f"{split}.jsonl": "".join(f"{json.dumps(row)}\n" for row in several)
            for split, several in rows.items()
        },
    }
    for file, text in texts.items():
        (given.out / file).write_text(text, encoding="utf-8")
    if given.out.resolve() != HERE:
        shutil.copy(HERE / "helpdesk.py", given.out / "helpdesk.py")


if __name__ == "__main__":
    main()
