"""Write the shop's database and the questions about it, the same every time for a seed.

    python tasks/shop_sql/generate.py SEED --out FOLDER [--reference FILE]

The seed decides all that has to be learned: codes, words for them, units, limits, the day's offset, the start
of the fiscal year, which flags are inverted, which joins go by another column; and every row. `words.toml`
has the words it draws from, `questions.toml` the questions. Tables, columns and the mix of questions stay.
`--reference` writes the playbook of somebody who knows everything, from `reference.md`.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from shop import MEASURES, OTHER_KEYS, PARENTS, SCHEMA, Convention, Shop

HERE = Path(__file__).parent
SWEEPS = 18  # what is not fair by then seldom becomes so


@dataclass(frozen=True)
class Query:
    """One question, and what is written by somebody who does not know one thing of it."""

    shop: Shop
    selected: str
    table: str
    names: tuple[str, ...]
    text: str

    @property
    def conventions(self) -> list[Convention]:
        return [self.shop.known[name] for name in self.names]

    def question(self) -> str:
        def fill(match: re.Match[str]) -> str:
            convention = self.shop.known[match[1]]
            return convention.after if match[2] else convention.word

        return re.sub(r"\{([\w.]+)(\+?)\}", fill, self.text)

    def render(self, conditions: Sequence[str], *, scaled: bool = True, keyed: bool = True) -> str:
        """Return the SQL with these conditions; perhaps without the unit, or joined by the wrong column."""
        prefix, source = "", self.table
        others = [each.table for each in self.conventions if each.table != self.table]
        if others:
            prefix, (parent, column) = f"{self.table}.", PARENTS[self.table]
            key = self.shop.keys[parent]
            if not keyed:
                key = "id" if key != "id" else OTHER_KEYS[parent]
            source += f" JOIN {parent} ON {prefix}{column} = {parent}.{key}"
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {self._select(prefix, scaled)} FROM {source}{where}"  # noqa: S608

    def _select(self, prefix: str, scaled: bool) -> str:
        if self.selected == "count":
            return "COUNT(*)"
        if self.selected in ("id", "name"):
            return prefix + self.selected
        unit = f" {self.shop.unit(self.table)}" if scaled else ""
        return f"{self.selected.upper()}({prefix}{MEASURES[self.table]}){unit}"

    def tests(self) -> list[str]:
        return [self._place(each, each.sql) for each in self.conventions]

    def _place(self, convention: Convention, sql: str) -> str:
        joined = any(each.table != self.table for each in self.conventions)
        return sql.replace("{}", f"{convention.table}." if joined else "")

    def gold(self) -> str:
        return self.render(self.tests())

    def wrong(self) -> Iterator[str]:
        tests = self.tests()
        for place, convention in enumerate(self.conventions):
            for guess in (None, *convention.guesses):
                other = [self._place(convention, guess)] if guess else []
                yield self.render([*tests[:place], *other, *tests[place + 1 :]])
        if self.selected in ("sum", "avg"):
            yield self.render(tests, scaled=False)
        if any(each.table in OTHER_KEYS and each.table != self.table for each in self.conventions):
            yield self.render(tests, keyed=False)


class UnfairError(Exception):
    """A draw of rows that cannot be made fair."""


def make_fair(queries: Sequence[Query], rng: Random) -> None:
    """Change rows until every answer is distinctive, and nobody gets it who does not know all of it."""
    for _ in range(SWEEPS):
        ask = cache(queries[0].shop.answer)  # until rows change
        faults = [(query, other) for query in queries for other in find_faults(query, ask)]
        if not faults:
            return
        for query, other in faults:
            change_row(query, rng.choice((query.gold(), other)), rng)
    raise UnfairError(f"{len(faults)} questions stay unfair: {faults[0][0].question()}")


def change_row(query: Query, sql: str, rng: Random) -> None:
    """Give one row that the SQL finds another code."""
    codes, database = query.shop.codes, query.shop.database
    rows = database.execute(re.sub("^SELECT .+? FROM", f"SELECT {query.table}.rowid FROM", sql)).fetchall()
    names = [name.split(".")[0] for name in query.names]
    columns = [column for column in SCHEMA[query.table] if column in codes and column in names]
    columns = columns or [column for column in SCHEMA[query.table] if column in codes]
    if rows:
        column = rng.choice(columns)
        update = f"UPDATE {query.table} SET {column} = ? WHERE rowid = ?"  # noqa: S608
        database.execute(update, [rng.choice(codes[column]), *rng.choice(rows)])


def find_faults(query: Query, ask: Callable[[str], list[tuple[object, ...]]]) -> Iterator[str]:
    """Yield the SQL of guesses that give the right answer; the right SQL where its answer says nothing."""
    answer = ask(query.gold())
    values = {value for row in answer for value in row}
    if not 1 <= len(answer) <= 25 or {None, 0, 1} & values:
        yield query.gold()
    yield from (other for other in query.wrong() if ask(other) == answer)


def draw(seed: int) -> tuple[Shop, dict[str, list[Query]]]:
    """Draw a shop and the questions about it; draw again where the rows cannot be made fair."""
    words = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
    questions = tomllib.loads((HERE / "questions.toml").read_text(encoding="utf-8"))
    for attempt in range(100):
        rng = Random(f"shop_sql {seed} {attempt}")
        shop = Shop(rng, words)
        shop.draw()
        splits = {
            split: [
                Query(shop, selected, table, tuple(names), text) for (selected, table, *names), text in rows
            ]
            for split, lines in questions.items()
            if (rows := [(asked.split(), text) for asked, text in lines])
        }
        try:
            make_fair([query for queries in splits.values() for query in queries], rng)
        except UnfairError:
            continue
        return shop, splits
    raise UnfairError(f"no fair draw for seed {seed}")


def write_reference(shop: Shop) -> str:
    """Fill in the playbook that a person wrote for any draw."""
    terms = shop.terms()

    def fill(match: re.Match[str]) -> str:
        name, form, prefix = match.groups()
        if name in terms:
            return terms[name]
        convention = shop.known[name]
        words = {"": convention.word, "+": convention.after, "=": convention.condition(prefix)}
        return words[form]

    text = re.sub(r"\{([\w.]+)([+=]?)([\w.]*)\}", fill, (HERE / "reference.md").read_text(encoding="utf-8"))
    return re.sub(r"^- [a-z](?![a-z]*\.)", lambda match: match[0].upper(), text, flags=re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", type=int)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--reference", type=Path, help="the playbook to write")
    given = parser.parse_args()
    shop, splits = draw(given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.out.resolve() != HERE.resolve():
        shutil.copy(HERE / "task.toml", given.out / "task.toml")
    (given.out / "shop.sql").write_text(shop.script(), encoding="utf-8")
    for split, queries in splits.items():
        rows = [
            {"id": f"{split}-{place:02}", "question": query.question(), "gold_sql": query.gold()}
            for place, query in enumerate(queries, 1)
        ]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (given.out / f"{split}.jsonl").write_text(text, encoding="utf-8")
    if given.reference:
        given.reference.write_text(write_reference(shop), encoding="utf-8")


if __name__ == "__main__":
    main()
