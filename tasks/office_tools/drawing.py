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
YEARS = range(2015, 2026)
CODES = {"causes": 3, "reasons": 3, "accesses": 2, "kinds": 3}
TOOLS = {
    "find_person": ("name",),
    "list_meetings": ("person",),
    "book_meeting": ("person", "date", "time"),
    "cancel_meeting": ("meeting", "reason"),
    "find_orders": ("customer",),
    "ask_approval": ("order",),
    "refund": ("order", "amount", "approval"),
    "close_case": ("order", "code"),
    "find_files": ("customer", "page"),
    "move_file": ("file", "folder", "title"),
    "share_file": ("file", "person", "access"),
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
            name: {} for name in ("people", "meetings", "orders", "approvals", "files")
        }
        self._draw_forms()
        self._draw_codes()
        self._fill()
        self.wordings = {kind: self.rng.sample(texts, 4) for kind, texts in self.words["wordings"].items()}

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
        self.currency, self.limit, self.key = self.draw("currencies"), self.draw("limits"), self.draw("keys")
        self.none, self.page_size = self.draw("without_approval"), self.draw("pages_of")
        self.before, self.scale, self.after, self.amount_rule = self.draw("amounts")
        self.date, self.date_rule = self.draw("dates")
        self.time, self.time_rule = self.draw("times")
        self.minute, self.pages = self.draw("minutes"), self.draw("pages")
        self.folder, self.folder_rule = self.draw("folders")
        self.title, self.title_rule = self.draw("titles")

    def _draw_codes(self) -> None:
        numbers, form = self.rng.sample(range(3, 60), len(self.arguments)), self.draw("errors")
        self.errors = {
            role: form.format(number=number, argument=name)
            for (role, name), number in zip(self.arguments.items(), numbers, strict=True)
        }
        forms = self.rng.sample(self.words["codes"], len(CODES))
        self.codes = {
            table: {name: self.make_id(form) for name in self.rng.sample(sorted(self.words[table]), count)}
            for (table, count), form in zip(CODES.items(), forms, strict=True)
        }

    def make_id(self, form: str) -> str:
        """Return what no other thing of this world is called. A form has letters, a number and digits."""
        while True:
            letters = dict(zip(("a", "b"), self.rng.sample(LETTERS, 2), strict=True))
            text = form.format(
                **letters, number=self.rng.randrange(100, 1000), digit=self.rng.randrange(2, 10)
            )
            if text not in self.used:
                self.used.add(text)
                return text

    def _fill(self) -> None:
        """Fill the office: a colleague and a customer for every task that needs one."""
        rng, words = self.rng, self.words
        names = [f"{first} {last}" for first in words["first_names"] for last in words["last_names"]]
        rng.shuffle(names)
        people, customers = names[:72], names[72:144]
        self.people, self.customers = iter(people), iter(customers)
        make = self._draw_ids()
        for name in people:
            person = make["people"]()
            self.entries["people"][person] = {"name": name}
            for topic in rng.sample(words["topics"], 3):
                self.entries["meetings"][make["meetings"]()] = {"person": person, "topic": topic}
        for name in customers:
            for item in rng.sample(words["items"], 2):
                order = make["orders"]()
                self.entries["orders"][order] = {"customer": name, "item": item}
                self.entries["approvals"][order] = make["approvals"]()
            pairs = [(kind, year) for kind in self.codes["kinds"] for year in YEARS]
            for kind, year in rng.sample(pairs, self.page_size * 2):
                self.entries["files"][make["files"]()] = {"customer": name, "kind": kind, "year": str(year)}

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

    def write_time(self, hour: int) -> str:
        return self.time.format(hour=hour, minute=self.minute)

    def write_folder(self, code: str, year: str) -> str:
        return self.folder.format(code=code, year=year, short=year[2:])

    def write_title(self, customer: str, kind: str) -> str:
        first, last = customer.lower().split()
        return self.title.format(first=first, last=last, kind=kind)

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
            "key": self.key,
            "date": self.date,
            "time": self.time,
            "minute": self.minute,
            "amount": {"before": self.before, "scale": self.scale, "after": self.after},
            "limit": self.limit,
            "none": self.none,
            "pages": self.pages,
            "page_size": self.page_size,
            "folder": self.folder,
            **self.codes,
            **self.entries,
        }
