"""Draw an undocumented shop from a seed: what its codes, units and limits mean, and its rows.

Knows what each column means, and nothing of what is asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

SCHEMA = {
    "cust": ("id", "ref", "name", "kind", "region", "news", "flag"),
    "ord": ("id", "cid", "status", "channel", "pay", "total", "ts", "quarter"),
    "line": ("id", "oid", "ano", "qty", "deal"),
    "art": ("id", "no", "name", "grp", "weight", "listed"),
    "parcel": ("id", "oid", "carrier", "weight", "days"),
    "rtn": ("id", "oid", "reason", "ok", "amt"),
}
# Column: its table, how many values it has, for how many there is a word, and what the codes are drawn from.
CODED: dict[str, tuple[str, int, int, Sequence[int | str]]] = {
    "status": ("ord", 7, 4, range(1, 10)),
    "channel": ("ord", 4, 3, "ABCDEFGHJKLMNPQRSTUVWXYZ"),
    "pay": ("ord", 4, 2, range(1, 8)),
    "kind": ("cust", 3, 2, "ABCDEFGHJKLMNPQRSTUVWXYZ"),
    "region": ("cust", 4, 2, range(1, 8)),
    "flag": ("cust", 3, 1, range(4)),
    "deal": ("line", 5, 2, range(25, 300, 25)),
    "grp": ("art", 4, 3, range(11, 99)),
    "carrier": ("parcel", 3, 2, "ABCDEFGHJKLMNPQRSTUVWXYZ"),
    "reason": ("rtn", 4, 2, range(1, 8)),
    "ok": ("rtn", 3, 1, range(3)),
}
FLAGS = {"news": "cust", "listed": "art"}
MEASURES = {"ord": "total", "art": "weight", "parcel": "weight", "line": "qty", "rtn": "amt"}
PARENTS = {"ord": ("cust", "cid"), "line": ("art", "ano"), "rtn": ("ord", "oid")}
OTHER_KEYS = {"cust": "ref", "art": "no"}  # by which a table may be joined instead of its id
MONEY, WEIGHT, PIECES = (10, 100, 1000), (10, 100, 1000), (6, 10, 12, 20)


@dataclass
class Convention:
    """What a name of questions.toml stands for."""

    table: str
    sql: str  # the condition, with {} for what stands before the column
    word: str
    after: str = ""  # the form behind a verb
    guesses: tuple[str, ...] = ()

    def condition(self, prefix: str) -> str:
        return self.sql.replace("{}", prefix)


@dataclass
class Shop:
    """One draw: what has to be known, and the database."""

    rng: Random
    words: dict[str, list[str | list[str]]]
    known: dict[str, Convention] = field(default_factory=dict)
    codes: dict[str, list[int | str]] = field(default_factory=dict)
    factors: dict[str, tuple[str, int]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # the column that a table is joined by
    database: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))

    def draw(self) -> None:
        self._draw_units()
        self._draw_codes()
        self._draw_calendar()
        self._draw_rows()
        self._draw_limits()
        self._draw_examples()

    def _draw_units(self) -> None:
        money, weight = self.rng.choice(MONEY), self.rng.choice(WEIGHT)
        self.factors = {
            "ord": ("/", money),
            "rtn": ("/", money),
            "art": ("/", weight),
            "parcel": ("/", weight),
        }
        self.factors["line"] = ("*", self.rng.choice(PIECES))
        by_number = self.rng.choice([("cust",), ("art",), ("cust", "art")])
        self.keys = {table: key if table in by_number else "id" for table, key in OTHER_KEYS.items()}
        self.keys["ord"] = "id"
        self.known["money"] = Convention("", "", str(self.rng.choice(self.words["money"])))

    def _draw_codes(self) -> None:
        for column, (table, count, asked, choices) in CODED.items():
            words = self.rng.sample(self.words[column], asked)
            initials = {(word if isinstance(word, str) else word[0])[0].upper() for word in words}
            codes = self.rng.sample([code for code in choices if code not in initials], count)
            self.codes[column] = codes
            tests = [f"{{}}{column} = {code!r}" for code in codes]
            for place, word in enumerate(words):
                before, after = (word, word) if isinstance(word, str) else word
                guesses = tuple(tests[:place] + tests[place + 1 :])
                self.known[f"{column}.{'abcd'[place]}"] = Convention(
                    table, tests[place], before, after, guesses
                )
        inverted = self.rng.choice([("news",), ("listed",), ("news", "listed")])
        for column, table in FLAGS.items():
            yes = 0 if column in inverted else 1
            self.codes[column] = [yes, 1 - yes]
            word = str(self.rng.choice(self.words[column]))
            guess = (f"{{}}{column} = {1 - yes}",)
            self.known[column] = Convention(table, f"{{}}{column} = {yes}", word, guesses=guess)

    def _draw_calendar(self) -> None:
        self.offset = self.rng.choice([hours for hours in range(-11, 12) if abs(hours) >= 5])
        self.start = date(2023, self.rng.randint(2, 12), 1)
        self.days = [self.start + timedelta(days=day) for day in sorted(self.rng.sample(range(364), 5))]
        self.rng.shuffle(self.days)
        for letter, day in zip("abcde", self.days, strict=True):
            test = f"date({{}}ts, 'unixepoch', '{self.offset:+} hours') = '{day}'"
            guess = f"date({{}}ts, 'unixepoch') = '{day}'"
            self.known[f"day.{letter}"] = Convention("ord", test, str(day), guesses=(guess,))
        for letter, number in zip("ab", self.rng.sample(range(1, 5), 2), strict=True):
            first, last = (self._name_month(3 * number + shift) for shift in (-3, -1))
            guesses = tuple(f"{{}}quarter = {other}" for other in range(1, 5) if other != number)
            test = f"{{}}quarter = {number}"
            self.known[f"quarter.{letter}"] = Convention("ord", test, f"{first} to {last}", guesses=guesses)

    def _name_month(self, months: int) -> str:
        """Return the name of the month that many months after the fiscal year's start."""
        return date(2023, (self.start.month - 1 + months) % 12 + 1, 1).strftime("%B")

    def _quarter(self, day: date) -> int:
        return (day.month - self.start.month) % 12 // 3 + 1

    def _pick(self, column: str, rows: int) -> list[int | str]:
        """Draw codes for the rows of a table: no code is rare, none half of them."""
        codes = self.codes[column]
        return self.rng.choices(codes, [self.rng.uniform(1, 2.2) for _ in codes], k=rows)

    def _draw_rows(self) -> None:
        customers, articles, orders = 168, 58, 1074
        self._insert("cust", self._draw_customers(customers))
        self._insert("art", self._draw_articles(articles))
        ids = sorted(self.rng.sample(range(4000, 6200), orders))
        keys = [key for (key,) in self.database.execute(f"SELECT {self.keys['cust']} FROM cust")]  # noqa: S608
        money, weight = self.factors["ord"][1], self.factors["parcel"][1]
        totals = [round((12 + 690 * self.rng.random() ** 2.2) * money) for _ in ids]
        moments = self._draw_moments(orders)
        places = self.rng.choices(keys, [self.rng.uniform(1, 3) for _ in keys], k=orders)
        picked = [self._pick(column, orders) for column in ("status", "channel", "pay")]
        quarters = [self._quarter(day) for _, day in moments]
        seconds = [moment for moment, _ in moments]
        self._insert("ord", zip(ids, places, *picked, totals, seconds, quarters, strict=True))
        self._draw_lines(ids)
        sent = [one for one in ids if self.rng.random() < 0.62]
        weights = [round(self.rng.uniform(0.2, 9.8) * weight) for _ in sent]
        self.never = self.rng.choice((-1, -7, -9, 0))
        days = [self.never if self.rng.random() < 0.17 else self._draw_days() for _ in sent]
        self._insert(
            "parcel", zip(_count(sent), sent, self._pick("carrier", len(sent)), weights, days, strict=True)
        )
        back = [place for place in range(orders) if self.rng.random() < 0.27]
        amounts = [round(totals[place] * self.rng.uniform(0.3, 0.95)) for place in back]
        why, ok = self._pick("reason", len(back)), self._pick("ok", len(back))
        self._insert("rtn", zip(_count(back), (ids[place] for place in back), why, ok, amounts, strict=True))

    def _draw_days(self) -> int:
        return 1 + int(14 * self.rng.random() ** 1.3)

    def _draw_customers(self, rows: int) -> Iterator[tuple[object, ...]]:
        picked = [self._pick(column, rows) for column in ("kind", "region", "news", "flag")]
        refs = self.rng.sample(range(300, 1000), rows)
        return zip(range(1, rows + 1), refs, self._name(self.words["people"], rows), *picked, strict=True)

    def _draw_articles(self, rows: int) -> Iterator[tuple[object, ...]]:
        scale = self.factors["art"][1]
        numbers = self.rng.sample(range(2000, 10000), rows)
        weights = [round(self.rng.uniform(0.1, 4.5) * scale) for _ in range(rows)]
        names, groups, listed = (
            self._name(self.words["articles"], rows),
            self._pick("grp", rows),
            self._pick("listed", rows),
        )
        return zip(range(1, rows + 1), numbers, names, groups, weights, listed, strict=True)

    def _name(self, halves: list[str | list[str]], rows: int) -> list[str]:
        first, second = halves
        return self.rng.sample([f"{one} {other}" for one in first for other in second], rows)

    def _draw_moments(self, orders: int) -> list[tuple[int, date]]:
        """Draw times of the shop's year; the days that are asked about are busy ones."""
        drawn = [self.rng.choice(self.days) if self.rng.random() < 0.2 else None for _ in range(orders)]
        dates = sorted(day or self.start + timedelta(days=self.rng.randrange(365)) for day in drawn)
        moments = []
        for day in dates:
            local = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + self.rng.randrange(86400)
            moments.append((int(local) - 3600 * self.offset, day))
        return moments

    def _draw_lines(self, orders: list[int]) -> None:
        keys = [key for (key,) in self.database.execute(f"SELECT {self.keys['art']} FROM art")]  # noqa: S608
        owners = sorted(orders + self.rng.sample(orders, len(orders) // 2))
        rows = len(owners)
        articles = self.rng.choices(keys, [self.rng.uniform(1, 3) for _ in keys], k=rows)
        amounts = self.rng.choices((1, 2, 3, 4, 5, 8), (4, 4, 2, 2, 2, 2), k=rows)
        self._insert(
            "line", zip(_count(owners), owners, articles, amounts, self._pick("deal", rows), strict=True)
        )

    def _insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        values = list(rows)
        kinds = ["TEXT" if isinstance(value, str) else "INTEGER" for value in values[0]]
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(SCHEMA[table], kinds, strict=True))
        self.database.execute(f"CREATE TABLE {table} ({columns})")
        self.database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(kinds))})", values)  # noqa: S608

    def _draw_limits(self) -> None:
        """Draw limits that have a name, and those that a question names."""
        ask = self.database.execute
        totals = [total for (total,) in ask("SELECT total FROM ord ORDER BY total")]
        limit = round_limit(totals[int(self.rng.uniform(0.62, 0.78) * len(totals))])
        guess = (f"{{}}total < {limit}", f"{{}}total > {limit // self.factors['ord'][1]}")
        self.known["bulk"] = Convention("ord", f"{{}}total >= {limit}", self._word("bulk"), guesses=guess)
        late = self.rng.randint(5, 8)
        self.known["late"] = Convention(
            "parcel", f"{{}}days > {late}", self._word("late"), guesses=(f"{{}}days <= {late}",)
        )
        wrong = "{}days IS NULL", f"{{}}days = {0 if self.never else -1}"
        self.known["lost"] = Convention(
            "parcel", f"{{}}days = {self.never}", self._word("lost"), guesses=wrong
        )
        high = totals[int(0.92 * len(totals))] // self.factors["ord"][1]
        self._draw_over("ord", [high // 10 * 10])
        self._draw_over("art", sorted(self.rng.sample(range(1, 5), 3)))
        self._draw_over("parcel", sorted(self.rng.sample(range(3, 9), 3)))

    def _word(self, name: str) -> str:
        return str(self.rng.choice(self.words[name]))

    def _draw_over(self, table: str, limits: list[int]) -> None:
        column, scale = MEASURES[table], self.factors[table][1]
        for letter, limit in zip("abc", limits, strict=False):
            test, guess = f"{{}}{column} > {limit * scale}", f"{{}}{column} > {limit}"
            self.known[f"over.{table}.{letter}"] = Convention(table, test, str(limit), guesses=(guess,))

    def _draw_examples(self) -> None:
        """Draw the customer and the articles that are asked for by name."""
        ask = self.database.execute
        join = f"cid = cust.{self.keys['cust']}"
        people = ask(f"SELECT name FROM cust JOIN ord ON {join} GROUP BY 1 HAVING COUNT(*) > 4 ORDER BY 1")  # noqa: S608
        articles = ask("SELECT name FROM art ORDER BY id")
        person = self.rng.choice([name for (name,) in people])
        self.known["person.a"] = Convention("cust", f"{{}}name = '{person}'", person)
        names = self.rng.sample([name for (name,) in articles], 2)
        for letter, name in zip("ab", names, strict=True):
            self.known[f"article.{letter}"] = Convention("art", f"{{}}name = '{name}'", name)

    def unit(self, table: str) -> str:
        sign, factor = self.factors[table]
        return f"{sign} {factor}{'.0' if sign == '/' else ''}"

    def answer(self, sql: str) -> list[tuple[object, ...]]:
        return sorted(self.database.execute(sql).fetchall(), key=repr)

    def terms(self) -> dict[str, str]:
        """Return what stands in the playbook beside words and conditions."""
        terms = {f"unit.{table}": self.unit(table) for table in self.factors}
        terms |= {f"scale.{table}": str(factor) for table, (_, factor) in self.factors.items()}
        terms |= {f"key.{table}": column for table, column in self.keys.items()}
        return terms | {"offset": f"{self.offset:+} hours"}

    def script(self) -> str:
        """Return schema and rows as SQL, some hundred characters a line."""
        return "".join(f"{line}\n" for table in SCHEMA for line in self._iterate_script(table))

    def _iterate_script(self, table: str) -> Iterator[str]:
        (schema,) = self.database.execute("SELECT sql FROM sqlite_master WHERE name = ?", [table]).fetchone()
        yield f"{schema};"
        rows = self.database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()  # noqa: S608
        yield f"INSERT INTO {table} VALUES"
        line = ""
        for row in rows:
            line += f"({','.join(map(repr, row))})" + (";" if row is rows[-1] else ",")
            if len(line) > 100 or row is rows[-1]:
                yield line
                line = ""


def round_limit(number: int) -> int:
    """Round down to two figures, as people set limits."""
    step = 10 ** (len(str(number)) - 2)
    return int(number // step * step)


def _count(rows: Sequence[object]) -> range:
    return range(1, len(rows) + 1)
