"""What a task about an undocumented database promises, read from its folder alone.

Knows the form of the gold SQL (one SELECT, conditions joined by AND, at most one join) and of the lines of
the reference playbook ("Called-off crossings: crs.xt = 7."), and nothing of what generated them.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Rows = list[tuple[object, ...]]


@dataclass
class SqlTask:
    """One task folder, its database in memory, and the text of its reference playbook."""

    folder: Path
    reference: str
    database: sqlite3.Connection = field(init=False)
    schema: dict[str, list[str]] = field(init=False)
    units: dict[str, str] = field(init=False)  # "crs.ld": "/ 1000.0"

    def __post_init__(self) -> None:
        (script,) = self.folder.glob("*.sql")
        self.database = sqlite3.connect(":memory:")
        self.database.executescript(script.read_text(encoding="utf-8"))
        names = [name for (name,) in self.database.execute("SELECT name FROM sqlite_master")]
        self.schema = {
            name: [row[1] for row in self.database.execute(f"PRAGMA table_info({name})")] for name in names
        }
        self.units = dict(re.findall(r"SUM\((\w+\.\w+)\) ([*/] \d+(?:\.\d+)?)", self.reference))
        self.rules = set(re.findall(r"^- [^:]+: (.+)\.$", self.reference, re.MULTILINE))

    def rows(self, split: str) -> list[dict[str, str]]:
        lines = (self.folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def answer(self, sql: str) -> Rows:
        return sorted(self.database.execute(sql).fetchall(), key=repr)

    def plain(self) -> set[str]:
        """Return the columns that every table has: its id, and the name that anybody can read."""
        return set.intersection(*(set(columns) for columns in self.schema.values()))

    def conditions(self, sql: str) -> list[str]:
        """Return the parts of WHERE, each with the table of its column."""
        _, _, where = sql.partition(" WHERE ")
        source = re.findall(r" (?:FROM|JOIN) (\w+)", sql)
        return [self._qualify(part, source) for part in where.split(" AND ")] if where else []

    def _qualify(self, part: str, source: list[str]) -> str:
        for table in source:
            for column in self.schema[table]:
                if re.search(rf"(?<![\w.']){column}\b(?!')", part):
                    return re.sub(rf"(?<![\w.']){column}\b(?!')", f"{table}.{column}", part, count=1)
        return part

    def conventions(self, sql: str) -> set[str]:
        """Return what one has to know to write this query: codes, units, limits, days, joins."""
        known = {f"unit of {name}" for name in self._measured(sql)}
        known |= set(re.findall(r" ON (\w+\.\w+ = \w+\.\w+)", sql))
        for condition in self.conditions(sql):
            (name,) = re.findall(r"\b[a-z]\w*\.\w+", condition)
            if name.split(".")[1] in self.plain():
                continue
            if condition.startswith("date("):
                known.add(f"day of {name}")
            elif name in self.units and " > " in condition:
                known.add(f"unit of {name}")
            else:
                known.add(condition)
        return known

    def _measured(self, sql: str) -> list[str]:
        parts = re.findall(r"(?:SUM|AVG)\(([\w.]+)\)", sql)
        table = re.findall(r" FROM (\w+)", sql)[0]
        return [part if "." in part else f"{table}.{part}" for part in parts]

    def is_explained(self, sql: str) -> bool:
        """Return whether the reference playbook says all that this query needs."""
        for name in self.conventions(sql):
            kind, _, column = name.partition(" of ")
            if kind == "unit":
                explained = column in self.units
            elif kind == "day":
                explained = any(rule.startswith("date(") and column in rule for rule in self.rules)
            else:
                explained = any(rule == name or rule.endswith(f" ON {name}") for rule in self.rules)
            if not explained:
                return False
        return True

    def guesses(self, sql: str) -> Iterator[str]:
        """Yield the query without each condition, with other codes, and without a unit, key or reckoning."""
        head, _, where = sql.partition(" WHERE ")
        parts = where.split(" AND ") if where else []
        for place, part in enumerate(parts):
            for other in (None, *self._other_conditions(part)):
                rest = [*parts[:place], *([other] if other else []), *parts[place + 1 :]]
                yield f"{head} WHERE {' AND '.join(rest)}" if rest else head
        if unit := re.search(r"\) [*/] [\d.]+ FROM", sql):
            yield sql.replace(unit.group(), ") FROM")
        if join := re.search(r" ON (\S+) = (\w+)\.\w+", sql):
            yield sql.replace(join.group(), f" ON {join[1]} = {join[2]}.id")

    def _other_conditions(self, part: str) -> Iterator[str]:
        """Yield what else could stand in place of one condition."""
        if part.startswith("date("):
            (name,) = re.findall(r"(?<!')\b[a-z]\w*(?:\.\w+)?\b(?!')(?=[ ,)])", part.removeprefix("date("))[
                :1
            ]
            day = part.rpartition(" = ")[2]
            yield from (f"date({name}, 'unixepoch') = {day}", f"date({name}) = {day}")
            return
        if scaled := re.fullmatch(r"(\S+) \* \d+ > (\d+)", part):
            yield f"{scaled[1]} > {scaled[2]}"
        if over := re.fullmatch(r"(\S+) > (\d+)", part):
            table = next(name for name, columns in self.schema.items() if over[1].split(".")[-1] in columns)
            unit = self.units.get(f"{table}.{over[1].split('.')[-1]}", "/ 1")
            yield from [f"{over[1]} > {int(over[2]) // int(float(unit[2:]))}"] * (unit != "/ 1")
        if bit := re.fullmatch(r"(\S+) & (\d) > 0", part):
            yield from (f"{bit[1]} & {other} > 0" for other in (1, 2, 4, 8) if other != int(bit[2]))
        if code := re.fullmatch(r"(\S+) (=|LIKE) ('?)(.+?)%?\3", part):
            yield from self._other_codes(code[1], code[2], code[4])

    def _other_codes(self, name: str, operator: str, code: str) -> Iterator[str]:
        column = name.split(".")[-1]
        if column in self.plain():
            return
        table = next(name for name, columns in self.schema.items() if column in columns)
        selected = f"SUBSTR({column}, 1, 2)" if operator == "LIKE" else column
        for (other,) in self.answer(f"SELECT DISTINCT {selected} FROM {table}")[:20]:
            if str(other) != code:
                yield f"{name} LIKE '{other}%'" if operator == "LIKE" else f"{name} = {other!r}"


def find_unfair(task: SqlTask, row: dict[str, str]) -> list[str]:
    """Return what is wrong with a row: an answer that says nothing, or guesses that give the same answer."""
    rows = task.answer(row["gold_sql"])
    faults = []
    if not 1 <= len(rows) <= 25 or len(set(rows)) < len(rows):
        faults.append(f"{len(rows)} rows")
    if {None, 0, 1, ""} & {value for values in rows for value in values}:
        faults.append(f"not distinctive: {rows[:3]}")
    guesses = list(task.guesses(row["gold_sql"]))
    if not guesses:
        faults.append("nothing to guess")
    return faults + [guess for guess in guesses if task.answer(guess) == rows]


def count_taught(task: SqlTask) -> Counter[str]:
    return Counter(name for row in task.rows("train") for name in task.conventions(row["gold_sql"]))


def list_asked(task: SqlTask) -> set[str]:
    rows = [*task.rows("val"), *task.rows("test")]
    return {name for row in rows for name in task.conventions(row["gold_sql"])}


def normalize_question(question: str) -> str:
    return re.sub(r"\W+", " ", question).lower().strip()
