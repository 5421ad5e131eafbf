"""Write the handbook, and the questions about it, the same every time for a seed.

    python tasks/handbook_qa/generate.py [SEED] [--out FOLDER]

The seed decides what is asked, and the conventions that stand on no page: which names people use for houses
and contracts, how durations and places are answered, and which year's prices hold. `conventions.toml` has
what it draws from. Without a seed it is the one of the task as it is.

`facts.toml` has what differs between pages, `source/` the prose of each family of pages: sections divided by
===, and two wordings of most sections by ---. A page takes one wording of each section, so that no two pages
of a family are worded alike, and all of them say almost the same with other numbers.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import textwrap
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
FACTS: dict[str, dict[str, dict[str, Any]]] = tomllib.loads((HERE / "facts.toml").read_text(encoding="utf-8"))
SIZES = {"train": 50, "val": 20, "test": 80}
SEED = 58
WIDTH = 100


class Duration(StrEnum):
    """How long something takes, as an answer says it."""

    MINUTES = "minutes"
    SECONDS = "seconds"
    CLOCK = "clock"

    def write(self, minutes: int) -> str:
        """Return a number of minutes, of seconds, or hours and minutes with a colon."""
        match self:
            case Duration.MINUTES:
                return str(minutes)
            case Duration.SECONDS:
                return str(minutes * 60)
            case Duration.CLOCK:
                return f"{minutes // 60}:{minutes % 60:02}"


@dataclass(frozen=True)
class Conventions:
    """What people say and the handbook does not. It can only be learned."""

    nicknames: dict[str, str]
    duration: Duration
    place: str
    year: str  # whose prices and allowances hold when a question names none

    @classmethod
    def draw(cls, seed: int) -> Conventions:
        """Return the conventions of a seed."""
        random = Random(f"conventions {seed}")
        pools = tomllib.loads((HERE / "conventions.toml").read_text(encoding="utf-8"))
        houses = [page["site"] for page in FACTS["returns"].values()]
        contracts = [page["contract"] for page in FACTS["contracts"].values()]
        paper = random.choice(pools["papers"])
        colours = random.sample(pools["colours"], len(contracts))
        nicknames = dict(zip(houses, random.sample(pools["houses"], len(houses)), strict=True))
        nicknames |= {name: f"{colour} {paper}" for name, colour in zip(contracts, colours, strict=True)}
        duration = Duration(random.choice(pools["durations"]))
        return cls(nicknames, duration, random.choice(pools["places"]), random.choice(pools["years"]))

    def answer(self, fact: str | dict[str, str]) -> str:
        """Return what is right: a duration or a place in the form of the house, or just what stands there."""
        if isinstance(fact, str):
            return fact
        if "answer" in fact:
            return self.duration.write(int(fact["answer"]))
        letter, digit = fact["code"]
        return self.place.format(**fact, letter=letter, digit=digit)


# Family -> (the fact that names a page, how a question names it, how it does by nickname)
NAMED = {
    "returns": ("site", "at {}", "at {}"),
    "hours": ("site", "at {}", "at {}"),
    "workshop": ("site", "at {}", "at {}"),
    "deposits": ("site", "at {}", "at {}"),
    "models": ("model", "the {}", ""),
    "checks": ("kind", "{}", ""),
    "contracts": ("contract", "under the {} contract", "under the {}"),
    "excess": ("contract", "under the {} contract", "under the {}"),
    "prices": ("year", "in {}", ""),
    "allowances": ("year", "in {}", ""),
    "events": ("event", "the {}", ""),
    "suppliers": ("supplier", "{}", ""),
}
QUESTIONS = {
    "returns": {
        "grace": "How long after the agreed time may a bike come back {} before the till adds a late fee?",
        "late_fee": "How many euros does a late bike cost {} for every half-hour that has begun?",
        "inspection": "How long may the workshop hold a deposit for an inspection {}?",
        "lost_key": "How many euros does a customer pay {} for a key that does not come back?",
        "keybox": "Which code opens the key box by the door {}?",
        "night_bay": "Where are bikes taken overnight {} that cannot be hired out the next day?",
    },
    "hours": {
        "open": "At what time does the door open on weekdays {}?",
        "close": "At what time does the door close on weekdays {}?",
        "closed_day": "On which day of the week is the house closed in winter {}?",
        "min_staff": "What is the smallest number of people with which we may open in the season {}?",
        "lunch": "How long does a lunch break last {}?",
        "extension": "Which telephone extension does the counter have {}?",
        "alarm": "How many seconds are there to switch off the alarm in the morning {}?",
    },
    "workshop": {
        "service_days": "How many working days does a standard service take {}?",
        "express": "How many euros is the express surcharge in the workshop {}?",
        "puncture": "How long are customers told that mending a puncture takes {}?",
        "hold_days": "For how many days may a finished bike stand without a storage charge {}?",
        "storage": "How many euros a day is storage for a bike that nobody fetches {}?",
        "shelf": "Where are parts put {} that were ordered for a named customer?",
    },
    "deposits": {
        "city": "How many euros is the deposit for a city bike {}?",
        "ebike": "How many euros is the deposit for an electric bike {}?",
        "group": "Up to how many bikes may the counter hire out on one contract by itself {}?",
        "refund": "After how many working days does a customer see a card deposit again {}?",
        "scan": "After how many days are scans of documents deleted {}?",
        "safe": "Where is cash kept that was left as a deposit {}?",
    },
    "models": {
        "pressure": "To how many bar are the tyres of {} pumped?",
        "load": "How many kilograms may rider and luggage weigh together on {}?",
        "charge": "How long does a full charge of {} take?",
        "stored": "At how many percent is the battery of {} stored over the winter?",
        "torque": "With how many newton metres is the rear axle of {} tightened?",
        "fault": "Which code on the display of {} means that it must not be ridden on?",
        "drawer": "Where are new displays for {} kept?",
    },
    "checks": {
        "interval": "Every how many days are {} due for a check?",
        "duration": "How long does the plan reckon with for checking one of the {}?",
        "pads": "Below how many millimetres are the brake pads of {} replaced?",
        "true": "By how many millimetres may a wheel of {} be out of true at the rim?",
        "form": "Which form is filled in after checking {}?",
        "tag": "What colour is the tag for {} that passed their check?",
    },
    "contracts": {
        "price": "How many euros a month is a bike {}?",
        "term": "How many months is the shortest term {}?",
        "swap": "How long may it take us to bring another bike after a breakdown {}?",
        "services": "How many services a year are included {}?",
        "desk": "Who deals with bills and changes of address {}?",
        "notice": "How many days is the notice {}?",
    },
    "excess": {
        "theft": "How many euros of a stolen bike does the customer bear {}?",
        "report": "How long after noticing a theft may it still be reported to us {}?",
        "damage": "What is the most, in euros, that a customer pays for damage {}?",
        "form": "Which form is used for damage and theft {}?",
        "decide": "How many working days does the office have to decide on damage or theft {}?",
        "rebate": "How many euros does a customer get back after a year without a claim {}?",
    },
    "prices": {
        "city": "How many euros is a city bike for a day {}?",
        "ebike": "How many euros is an electric bike for a day {}?",
        "cargo": "How many euros is a cargo bike for a day {}?",
        "half": "How long is half a day of hire {}?",
        "helmet": "How many euros is a helmet for a grown-up for a day {}?",
        "seat": "How many euros is a child seat for a day {}?",
        "delivery": "How many euros does a delivery to a hotel cost {}?",
        "radius": "Up to how many kilometres do we deliver bikes {}?",
    },
    "allowances": {
        "meal": "How many euros of meal money does staff get for a day in another house {}?",
        "mileage": "How many cents are paid for a kilometre in one's own car {}?",
        "shoes": "How many euros may be claimed for safety shoes {}?",
        "swap": "Up to how long before a shift may it be swapped without asking the lead {}?",
        "overtime": "What supplement in percent does overtime bring {}?",
        "training": "How many days of training does each of us have {}?",
    },
    "events": {
        "bikes": "How many bikes do we set aside for {}?",
        "marshals": "How many of our marshals are on the course of {}?",
        "meeting": "Where do we meet for {}?",
        "channel": "On which radio channel do we talk during {}?",
        "stop": "At what time do the counters stop hiring on the day of {}?",
        "sweep": "How long after the last rider does the sweep start at {}?",
    },
    "suppliers": {
        "account": "What is our account at {}?",
        "cutoff": "By what time must an order to {} be entered to be packed the same day?",
        "minimum": "How many euros is the smallest order without a surcharge at {}?",
        "days": "How many working days does a delivery from {} take?",
        "claim": "How long after a delivery from {} can missing parts be reported?",
        "window": "For how many days can unused parts be returned to {}?",
    },
}
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n+")
_MARK = re.compile("\x01\\w+\x02")


def pages() -> dict[str, str]:
    """Return wrapped Markdown by its path below the task folder."""
    return {path: _wrapped(_MARK.sub("", text)) for path, text in _marked().items()}


def rows(seed: int = SEED) -> dict[str, list[dict[str, Any]]]:
    """Return rows by split. Each convention is spread over the splits; the rest fills them to their sizes."""
    random = Random(seed)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in _chosen(random, Conventions.draw(seed)):
        groups.setdefault(row.pop("group"), []).append(row)
    split: dict[str, list[dict[str, Any]]] = {name: [] for name in SIZES}
    for name, group in sorted(groups.items(), key=lambda pair: (pair[0] == "plain", pair[0])):
        random.shuffle(group)
        if name != "plain":
            taught, tried = max(2, round(len(group) / 3)), len(group) // 6
            split["train"] += group[:taught]
            split["val"] += group[taught : taught + tried]
            split["test"] += group[taught + tried :]
    rest = groups["plain"]
    for name, size in SIZES.items():
        need = size - len(split[name])
        split[name] += rest[:need]
        rest = rest[need:]
        random.shuffle(split[name])
    return {
        name: [{"id": f"{name}-{n:02}", **row} for n, row in enumerate(found, 1)]
        for name, found in split.items()
    }


def _chosen(random: Random, conventions: Conventions) -> list[dict[str, Any]]:
    """Return 150 facts: three of every page, and a fourth of every third."""
    found = []
    for number, (family, page) in enumerate((f, p) for f, pages in FACTS.items() for p in pages):
        keys = random.sample(list(QUESTIONS[family]), 4 if number % 3 == 0 else 3)
        found += [
            _row(conventions, family, page, key, named=place % 2 == 1) for place, key in enumerate(keys)
        ]
    return found


def _row(conventions: Conventions, family: str, page: str, key: str, *, named: bool) -> dict[str, Any]:
    """Return a question about a fact and the group by which it is spread. `named`: by the page's own name."""
    facts = FACTS[family][page]
    fact, name = facts[key], facts[NAMED[family][0]]
    needs = []
    if isinstance(fact, dict):
        needs = ["duration"] if "text" in fact else ["place"]
    wording, group = NAMED[family][1].format(name), needs[0] if needs else "plain"
    if not named and name in conventions.nicknames:
        nickname = conventions.nicknames[name]
        wording, group = NAMED[family][2].format(nickname), nickname
        needs = [*needs, "nickname"]
    elif name == conventions.year:
        wording, group = "", "edition"
        needs = [*needs, "edition"]
    question = QUESTIONS[family][key].format(wording).replace(" ?", "?")
    path = f"handbook/{family}/{page}.md"
    evidence, right = _evidence(path, key), conventions.answer(fact)
    row = {"question": question, "answer": right, "source": path, "evidence": evidence, "needs": needs}
    return {**row, "group": group}


def _evidence(path: str, key: str) -> str:
    """Return the one sentence, or row of a table, in which the fact stands."""
    found = [part for part in _SENTENCE.split(_marked()[path]) if f"\x01{key}\x02" in part]
    if len(found) != 1:
        raise ValueError(f"{path} has {key} {len(found)} times")
    return _MARK.sub("", found[0]).strip()


def _marked() -> dict[str, str]:
    """Return the pages with the name of each fact, between control characters, before it."""
    made = {}
    for family, named in FACTS.items():
        sections = (HERE / "source" / f"{family}.md").read_text(encoding="utf-8").split("\n===\n")
        for number, (page, facts) in enumerate(named.items()):
            texts = {
                key: f"\x01{key}\x02{_written(fact)}"
                for key, fact in facts.items()
                if key in QUESTIONS[family]
            }
            plain = {key: fact for key, fact in facts.items() if key not in texts}
            made[f"handbook/{family}/{page}.md"] = "\n\n".join(
                _wording(section, number, place).strip().format(**texts, **plain)
                for place, section in enumerate(sections)
            )
    return made


def _written(fact: str | dict[str, str]) -> str:
    if isinstance(fact, str):
        return fact
    return fact["text"] if "text" in fact else f"{fact['name']} ({fact['code']})"


def _wording(section: str, page: int, place: int) -> str:
    """Return one of the wordings: any two pages of four differ in at least half of their sections."""
    wordings = section.split("\n---\n")
    bit = (page >> (place % 2)) ^ (place // 2)
    return wordings[bit % len(wordings)]


def _wrapped(text: str) -> str:
    lines = [
        line if line.startswith(("#", "|")) else textwrap.fill(line, WIDTH, break_on_hyphens=False)
        for line in text.split("\n")
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", type=int, nargs="?", default=SEED, help=f"default {SEED}")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder to write to (default: this one)")
    options = parser.parse_args()
    shutil.rmtree(options.out / "handbook", ignore_errors=True)
    for path, text in pages().items():
        (options.out / path).parent.mkdir(parents=True, exist_ok=True)
        (options.out / path).write_text(text, encoding="utf-8")
    for split, found in rows(options.seed).items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
        (options.out / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    if options.out != HERE:
        shutil.copy(HERE / "task.toml", options.out)


if __name__ == "__main__":
    main()
