"""Draw an office from a seed: names, conventions, codes, and all that is in it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
LETTERS = "BCDFGHJKLMNPRSTVWZ"
CODES = {"causes": 3, "reasons": 2, "accesses": 2, "kinds": 3}
PAGE_SIZE = 2
WORDINGS = 2  # of each kind of task
CAST = 72  # colleagues, and as many customers: more than there are tasks with one
TOOLS = {
    "find_person": ("name",),
    "book_meeting": ("person", "date", "time"),
    "cancel_meeting": ("person", "date", "reason"),
    "find_order": ("customer",),
    "ask_approval": ("order",),
    "refund": ("order", "amount", "approval"),
    "close_case": ("order", "code"),
    "find_files": ("project", "kind", "page"),
    "move_file": ("file", "folder"),
    "share_file": ("file", "reader", "access"),
}


class World:
    """Hold what a seed draws: the names, the conventions, and all that is in the office."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"office_tools {seed}")
        self.words: Mapping[str, Any] = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
        self.nouns = {role: self.rng.choice(names) for role, names in self.words["nouns"].items()}
        self.used = set[str]()
        self.arguments = self._name("arguments")
        self.tools = self._name("tools")
        self.entries: dict[str, dict[str, Any]] = {
            name: {} for name in ("people", "orders", "approvals", "files")
        }
        self._draw_forms()
        self._draw_codes()
        self._fill()
        texts = self.words["wordings"]
        self.wordings = {kind: self.rng.sample(texts[kind], WORDINGS) for kind in texts}

    def draw(self, name: str) -> Any:
        """Return one of the words of a list."""
        return self.rng.choice(self.words[name])

    def _name(self, table: str) -> dict[str, str]:
        """Return a name for each role. No two of one table are the same."""
        names = dict[str, str]()
        for role, choices in self.words[table].items():
            free = [text for choice in choices if (text := choice.format(**self.nouns)) not in names.values()]
            names[role] = self.rng.choice(free)
        return names

    def _draw_forms(self) -> None:
        (self.currency, code), self.limit = self.draw("currencies"), self.draw("limits")
        self.none, self.pages = self.draw("without_approval"), self.draw("pages")
        before, self.scale, after, rule = self.draw("amounts")
        self.before, self.after, self.amount_rule = (text.format(code=code) for text in (before, after, rule))
        self.date, self.spoken_date, self.date_rule = self.draw("dates")
        self.time, self.time_rule = self.draw("times")

    def _draw_codes(self) -> None:
        numbers, form = self.rng.sample(range(103, 160), len(self.arguments)), self.draw("errors")
        self.errors = {
            role: form.format(number=number, argument=name)
            for (role, name), number in zip(self.arguments.items(), numbers, strict=True)
        }
        forms = self.rng.sample(self.words["codes"], len(CODES))
        self.codes = {
            table: {
                name: self.make_id(form, first=name[0].upper())
                for name in self.rng.sample(self.words[table]["words"], count)
            }
            for (table, count), form in zip(CODES.items(), forms, strict=True)
        }

    def make_id(self, form: str, first: str = "") -> str:
        """Return what no other thing of this world is called.

        A form has letters, a number and digits, or begins with the `first` letter of a word.
        """
        while True:
            letters = dict(zip(("a", "b"), self.rng.sample(LETTERS, 2), strict=True))
            text = form.format(
                **letters,
                first=first,
                number=self.rng.randrange(100, 1000),
                digit=self.rng.randrange(2, 10),
            )
            if text not in self.used:
                self.used.add(text)
                return text

    def _fill(self) -> None:
        """Fill the office: a colleague, a customer with an order, or a project with files for every task."""
        rng, words = self.rng, self.words
        names = [f"{first} {last}" for first in words["first_names"] for last in words["last_names"]]
        rng.shuffle(names)
        people = names[:CAST]
        companies = [f"{last} {form}" for last in words["last_names"] for form in words["companies"]]
        customers = rng.sample(companies, CAST)
        self.people, self.customers = iter(people), iter(customers)
        make = self._draw_ids()
        for name in people:
            self.entries["people"][make["people"]()] = {"name": name}
        for name in customers:
            order = make["orders"]()
            self.entries["orders"][order] = {"customer": name}
            self.entries["approvals"][order] = make["approvals"]()
        self.projects = iter(rng.sample(words["projects"], len(words["projects"])))
        self._make_file = make["files"]

    def add_files(self, project: str, kind: str, page: int) -> str:
        """Give a project a file of every kind, that of one kind on a page of its own; return its id."""
        kinds = self.rng.sample([other for other in self.codes["kinds"] if other != kind], PAGE_SIZE)
        place = PAGE_SIZE if page else self.rng.randrange(PAGE_SIZE)
        kinds.insert(place, kind)
        files = [self._make_file() for _ in kinds]
        for file, each in zip(files, kinds, strict=True):
            self.entries["files"][file] = {"project": project, "kind": each}
        return files[place]

    def _draw_ids(self) -> dict[str, Callable[[], str]]:
        """Return, for all that has ids, what makes the next one. Only the number changes."""
        forms = self.rng.sample(self.words["ids"], len(self.entries))
        letters = self.rng.sample(LETTERS, 2 * len(forms))
        fixed = [form.format(a=letters.pop(), b=letters.pop(), number="{number}") for form in forms]
        return {name: partial(self.make_id, form) for name, form in zip(self.entries, fixed, strict=True)}

    def write_date(self, month: int, day: int) -> str:
        return self.date.format(month=month, day=day, name=MONTHS[month - 1][:3].upper())

    def write_amount(self, number: int) -> str:
        return f"{self.before}{number * self.scale}{self.after}"

    def say_date(self, month: int, day: int) -> str:
        return self.spoken_date.format(month=MONTHS[month - 1], day=day)

    def write_time(self, hour: int) -> str:
        return self.time.format(hour=hour)

    def find(self, table: str, **wanted: str) -> list[str]:
        """Return the ids of the entries with these values."""
        return [key for key, entry in self.entries[table].items() if wanted.items() <= entry.items()]

    def call(self, tool: str, **values: str) -> dict[str, Any]:
        """Return a call under the names of this world."""
        arguments = {self.arguments[role]: values[role] for role in TOOLS[tool]}
        return {"name": self.tools[tool], "arguments": arguments}

    def write(self) -> dict[str, Any]:
        """Return what `office.py` reads."""
        fill = self.nouns
        tools = {
            role: {
                "name": self.tools[role],
                "description": self.rng.choice(self.words["descriptions"][role]).format(**fill),
                "arguments": arguments,
            }
            for role, arguments in TOOLS.items()
        }
        about = {role: self.rng.choice(texts).format(**fill) for role, texts in self.words["about"].items()}
        return {
            "tools": tools,
            "arguments": self.arguments,
            "about": about,
            "errors": self.errors,
            "date": self.date,
            "time": self.time,
            "amount": {"before": self.before, "scale": self.scale, "after": self.after},
            "limit": self.limit,
            "none": self.none,
            "pages": self.pages,
            "page_size": PAGE_SIZE,
            **self.codes,
            **self.entries,
        }
