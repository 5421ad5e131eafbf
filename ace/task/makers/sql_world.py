"""Draws an undocumented SQLite database from word lists and a seed: names, codes, units, limits, rows.

Knows what each column means and how people ask for it; `fresh_sql.py` makes questions of that. A convention
is one thing that nobody can guess from the schema: what a code means, a unit, a limit with a name, a join.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

CONSONANTS = "bcdfghjklmnpqrstvwxz"
LABELS = ("lbl", "ttl", "tag", "nam")
FIRST_DAY = date(2023, 2, 1)
RESERVED = {"br", "ch", "nm", "pm", "pr", "st", "ts", "wk"}  # short names that other tasks and prompts have


@dataclass(frozen=True)
class Condition:
    """One condition on a column: its SQL around the column, what a guess would write, how people say it."""

    column: str
    sql: str
    forms: tuple[str, ...]
    key: str = ""  # the convention; empty for what anybody can write
    guesses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measure:
    """A number that is stored in another unit than people ask for."""

    column: str
    factor: str
    words: dict[str, Any]

    @property
    def key(self) -> str:
        """Return the name of the convention."""
        return f"{self.column} {self.factor}"


@dataclass(frozen=True)
class Link:
    """A join by a key that is not the id."""

    column: str
    parent: str
    forms: tuple[str, ...]
    key: str = ""


@dataclass
class Table:
    """One table: its words, its columns, and what can be asked about it."""

    noun: str
    plural: str
    name: str
    label: str
    unique: bool
    people: bool = False
    label_form: str = ""
    day: str = ""  # the column of moments
    key_column: str = ""
    columns: dict[str, list[Any]] = field(default_factory=dict)
    conditions: list[Condition] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def parts(self) -> list[Condition | Measure | Link]:
        """What can be asked about and cannot be guessed."""
        parts: list[Condition | Measure | Link] = [*self.conditions, *self.measures, *self.links]
        return [part for part in parts if part.key]

    def keep(self, keys: set[str]) -> None:
        """Forget the conventions that are not among `keys`; their columns stay."""
        self.conditions = [part for part in self.conditions if not part.key or part.key in keys]
        self.measures = [part for part in self.measures if part.key in keys]


class World:
    """The tables of one domain, drawn from a generator of random numbers."""

    def __init__(self, words: dict[str, Any], people: Sequence[Sequence[str]], rng: Random) -> None:
        """Draw all tables. `shorts` among the words has names to choose from for tables and columns."""
        self.rng = rng
        self._people = people
        self._shorts: dict[str, list[str]] = words.get("shorts", {})
        words = {noun: table for noun, table in words.items() if noun != "shorts"}
        self._taken = set(RESERVED)
        self._label = self._choose_short("label") or rng.choice(LABELS)
        self.tables = {noun: self._name_table(noun, table) for noun, table in words.items()}
        for noun, table in words.items():
            self._fill(self.tables[noun], table)

    def abbreviate(self, word: str, size: int) -> str:
        """Return consonants of a word, or others where those are taken: never a word of SQL."""
        letters = [letter for letter in word if letter in CONSONANTS]
        for attempt in range(1000):
            if attempt < 5 and len(letters) >= size:
                rest = sorted(self.rng.sample(range(1, len(letters)), size - 1))
                name = letters[0] + "".join(letters[place] for place in rest)
            else:
                name = "".join(self.rng.sample(CONSONANTS, size))
            if name not in self._taken:
                self._taken.add(name)
                return name
        raise AssertionError(f"no name of {size} letters is left")

    def _name_column(self, word: str) -> str:
        """Return a name of two letters that says nothing, or of three that says little."""
        if short := self._choose_short(word):
            return short
        if self.rng.random() < 0.5:
            return self.abbreviate("", 2)
        return self.abbreviate(word, 3)

    def _choose_short(self, word: str) -> str:
        """Return one of the names for a word that no column has yet; empty where there are none."""
        free = [name for name in self._shorts.get(word, ()) if name not in self._taken]
        short = self.rng.choice(free) if free else ""
        self._taken.add(short)
        return short

    def _name_table(self, noun: str, words: dict[str, Any]) -> Table:
        """Return a table with its rows' ids and labels; one whose labels are names has a key of its own."""
        rng = self.rng
        name = self._choose_short(noun) or self.abbreviate(noun, 3)
        table = Table(noun, words["plural"], name, self._label, "labels" not in words)
        table.people = table.unique and "names" not in words
        first, second = words.get("names", self._people)
        names = [f"{one} {other}" for one in first for other in second]
        rows = min(rng.randint(64, 75), len(names)) if table.unique else rng.randint(380, 440)
        table.columns["id"] = list(range(1, rows + 1))
        if table.unique:
            table.columns[table.label] = rng.sample(names, rows)
            table.key_column = self._name_column("number")
            table.columns[table.key_column] = rng.sample(range(200, 1000), rows)
        else:
            table.label_form = words["label"]
            table.columns[table.label] = rng.choices(words["labels"], k=rows)
            for label in words["labels"]:
                forms = (table.label_form.replace("{}", label),)
                table.conditions.append(Condition(table.label, f"{{}} = '{label}'", forms))
        return table

    def _fill(self, table: Table, words: dict[str, Any]) -> None:
        """Add the columns of a table in an order that says nothing."""
        steps: list[tuple[Any, ...]] = [(self._add_codes, *item) for item in words.get("codes", {}).items()]
        steps += [(self._add_flag, *item) for item in words.get("flags", {}).items()]
        steps += [(self._add_measure, *item) for item in words.get("measures", {}).items()]
        steps += [(self._add_wait, *item) for item in words.get("waits", {}).items()]
        steps += [(self._add_link, *item) for item in words.get("links", {}).items()]
        if "calendar" in words:
            steps.append((self._add_calendar, "day", words["calendar"]))
        self.rng.shuffle(steps)
        for add, word, value in steps:
            add(table, word, value)

    def _add_codes(self, table: Table, word: str, values: list[list[str]]) -> None:
        """Add a column of codes: two or three are asked for, the others keep it from being guessable."""
        rng, column = self.rng, self._name_column(word)
        count = len(values) + 1
        style = rng.choice(("number", "number", "digit", "letter", "pair", "prefix"))
        pairs = [first + second for first in CONSONANTS.upper() for second in CONSONANTS.upper()]
        ranges = {"number": range(11, 99), "digit": range(1, 10), "letter": CONSONANTS.upper()}
        codes: list[Any] = rng.sample(ranges.get(style, pairs), count)
        drawn = rng.choices(codes, [rng.uniform(1, 2.2) for _ in codes], k=len(table.columns["id"]))
        if style == "prefix":
            tests = [f"{{}} LIKE '{code}%'" for code in codes]
            drawn = [f"{code}{rng.randint(100, 999)}" for code in drawn]
        else:
            tests = [f"{{}} = {code!r}" for code in codes]
        table.columns[column] = drawn
        for place in sorted(rng.sample(range(len(values)), min(len(values), rng.choice((2, 3, 3))))):
            guesses = tuple(tests[:place] + tests[place + 1 :])
            self._add_condition(table, column, tests[place], values[place], guesses)

    def _add_flag(self, table: Table, word: str, forms: list[str]) -> None:
        """Add a flag: inverted, one of two numbers, or a bit among others."""
        rng, column, rows = self.rng, self._name_column(word), len(table.columns["id"])
        share = rng.uniform(0.3, 0.45)
        style = rng.choice(("inverted", "inverted", "two", "bit"))
        if style == "bit":
            bits = [1, 2, 4, 8]
            yes = rng.choice(bits)
            table.columns[column] = [
                sum(bit for bit in bits if rng.random() < (share if bit == yes else 0.5)) for _ in range(rows)
            ]
            guesses = tuple(f"{{}} & {bit} > 0" for bit in bits if bit != yes)
            self._add_condition(table, column, f"{{}} & {yes} > 0", forms, guesses)
            return
        yes, no = (0, 1) if style == "inverted" else (2, 1)
        table.columns[column] = [yes if rng.random() < share else no for _ in range(rows)]
        self._add_condition(table, column, f"{{}} = {yes}", forms, (f"{{}} = {no}",))

    def _add_measure(self, table: Table, word: str, words: dict[str, Any]) -> None:
        """Add an amount in a stored unit, conditions in the asked unit, and perhaps a limit with a name."""
        rng, column = self.rng, self._name_column(word)
        factor = rng.choice(words["stored"])
        sign, number = factor.split()
        scale = round(float(number))
        low, high = words["range"]
        low, high = (low * scale, high * scale) if sign == "/" else (low, high)
        values = [round(low + (high - low) * rng.random() ** 1.4) for _ in table.columns["id"]]
        table.columns[column] = values
        measure = Measure(column, factor, words)
        table.measures.append(measure)
        for share in (0.55, 0.65, 0.75, 0.85):
            limit = sorted(values)[int(share * len(values))]
            asked = limit // scale if sign == "/" else limit * scale
            test = f"{{}} > {asked * scale}" if sign == "/" else f"{{}} * {scale} > {asked}"
            forms = [form.replace("#", str(asked)) for form in words["over"]]
            self._add_condition(table, column, test, forms, (f"{{}} > {asked}",), key=measure.key)
        if "high" in words:
            limit = round_limit(sorted(values)[int(rng.uniform(0.65, 0.78) * len(values))])
            self._add_condition(table, column, f"{{}} >= {limit}", words["high"], (f"{{}} < {limit}",))
        if "low" in words:
            limit = round_limit(sorted(values)[int(rng.uniform(0.25, 0.35) * len(values))])
            self._add_condition(table, column, f"{{}} < {limit}", words["low"], (f"{{}} >= {limit}",))

    def _add_wait(self, table: Table, word: str, words: dict[str, Any]) -> None:
        """Add a count with a limit that has a name, and one value that means "never"."""
        rng, column = self.rng, self._name_column(word)
        never = rng.choice((-1, -9, 0))
        values = [never if rng.random() < 0.15 else rng.randint(*words["range"]) for _ in table.columns["id"]]
        table.columns[column] = values
        limit = sorted(values)[int(rng.uniform(0.65, 0.75) * len(values))]
        wrong = ("{} IS NULL", f"{{}} = {0 if never else -1}")
        self._add_condition(table, column, f"{{}} = {never}", words["never"], wrong)
        self._add_condition(table, column, f"{{}} > {limit}", words["high"], (f"{{}} <= {limit}",))

    def _add_link(self, table: Table, word: str, words: dict[str, Any]) -> None:
        """Add a column that refers to another table, by a key that is not its id."""
        parent, column = self.tables[word], self._name_column(word)
        keys = parent.columns[parent.key_column]
        weights = [self.rng.uniform(1, 3) for _ in keys]
        table.columns[column] = self.rng.choices(keys, weights, k=len(table.columns["id"]))
        key = f"{table.name}.{column} = {parent.name}.{parent.key_column}"
        table.links.append(Link(column, word, tuple(words["forms"]), key))

    def _add_calendar(self, table: Table, word: str, verb: str) -> None:
        """Add a moment in some reckoning, and a period that is counted from an odd start."""
        rng = self.rng
        days = [FIRST_DAY + timedelta(days=day) for day in sorted(rng.sample(range(480), 36))]
        drawn = rng.choices(days, k=len(table.columns["id"]))
        column = table.day = self._name_column(word)
        table.columns[column], test, guess = reckon_days(drawn, rng)
        for day in days:
            forms = [f"N that {verb} on {day}", f"{verb} on {day}"]
            key = f"{column} day"
            self._add_condition(table, column, f"{test} = '{day}'", forms, (f"{guess} = '{day}'",), key=key)
        period = self._name_column("period")
        names, numbers = count_periods(drawn, rng)
        table.columns[period] = numbers
        asked = rng.sample(sorted(set(names)), 3)
        for noun, when in asked[: rng.choice((2, 3))]:
            number = numbers[names.index((noun, when))]
            guesses = tuple(f"{{}} = {other}" for other in sorted(set(numbers)) if other != number)
            self._add_condition(table, period, f"{{}} = {number}", [noun, f"{verb} {when}"], guesses)

    def _add_condition(
        self,
        table: Table,
        column: str,
        sql: str,
        forms: Sequence[str],
        guesses: tuple[str, ...],
        key: str = "",
    ) -> None:
        """Add what can be asked of a column; without a key, the condition is a convention of its own."""
        key = key or sql.replace("{}", column)
        table.conditions.append(Condition(column, sql, tuple(forms), key, guesses))

    def script(self) -> str:
        """Return the schema and the rows as SQL, about a hundred characters a line."""
        tables = sorted(self.tables.values(), key=lambda table: table.name)
        return "".join(f"{line}\n" for table in tables for line in iterate_script(table))


def iterate_script(table: Table) -> Iterator[str]:
    """Yield the lines that make one table."""
    names = list(table.columns)
    types = ["TEXT" if isinstance(table.columns[name][0], str) else "INTEGER" for name in names]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
    yield f"CREATE TABLE {table.name} ({columns});"
    yield f"INSERT INTO {table.name} VALUES"
    line = ""
    rows = list(zip(*table.columns.values(), strict=True))
    for place, row in enumerate(rows):
        values = ",".join(repr(value) for value in row)
        line += f"({values})" + (";" if place == len(rows) - 1 else ",")
        if len(line) > 100:
            yield line
            line = ""
    if line:
        yield line


def round_limit(number: int) -> int:
    """Round to two figures, as people set limits."""
    step = int(10 ** max(0, len(str(number)) - 2))
    return max(1, number // step * step)


def reckon_days(days: Sequence[date], rng: Random) -> tuple[list[int], str, str]:
    """Return moments of these days in some reckoning, the SQL that makes a day of one, and a guess."""
    moments = [
        int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + rng.randrange(86_400)
        for day in days
    ]
    guess = "date({}, 'unixepoch')"
    match rng.choice(("shift", "shift", "minutes", "since 2000", "modified julian", "count")):
        case "shift":
            hours = rng.choice((-9, -7, -6, -5, 4, 5, 7, 8, 9))
            stored = [moment - hours * 3600 for moment in moments]
            return stored, f"date({{}}, 'unixepoch', '{hours:+} hours')", guess
        case "minutes":
            return [moment // 60 for moment in moments], "date({} * 60, 'unixepoch')", guess
        case "since 2000":
            return [moment - 946_684_800 for moment in moments], "date({} + 946684800, 'unixepoch')", guess
        case "modified julian":
            return [(day - date(1858, 11, 17)).days for day in days], "date({} + 2400000.5)", "date({})"
        case _:
            first = date(rng.randint(1950, 1999), rng.randint(2, 12), rng.randint(2, 28))
            return [(day - first).days for day in days], f"date('{first}', {{}} || ' days')", "date({})"


def count_periods(days: Sequence[date], rng: Random) -> tuple[list[tuple[str, str]], list[int]]:
    """Return how people say the period of each day, with a noun and with a verb, and its number."""
    start = rng.randint(2, 12)
    months = [(day.month - start) % 12 for day in days]
    match rng.choice(("quarter", "quarter", "month", "weekday")):
        case "quarter":
            names = []
            for month in months:
                opening = calendar.month_name[(start - 1 + month // 3 * 3) % 12 + 1]
                closing = calendar.month_name[(start + 1 + month // 3 * 3) % 12 + 1]
                quarter = f"the {opening} to {closing} quarter"
                names.append((f"N of {quarter}", f"in {quarter}"))
            return names, [month // 3 + 1 for month in months]
        case "month":
            month_names = [calendar.month_name[day.month] for day in days]
            return [(f"{name} N", f"in {name}") for name in month_names], [month + 1 for month in months]
        case _:
            shift = rng.randint(2, 5)
            weekdays = [calendar.day_name[day.weekday()] for day in days]
            numbers = [(day.weekday() + shift) % 7 + 1 for day in days]
            return [(f"{name} N", f"on a {name}") for name in weekdays], numbers
