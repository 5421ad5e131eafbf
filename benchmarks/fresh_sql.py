"""Makes a task about an undocumented SQLite database: other words, names and codes for each seed.

    python benchmarks/fresh_sql.py 7 --out fresh-7
    ace learn fresh-7
    ace playbook import fresh-7/reference.md --playbook reference.db
    ace eval fresh-7 --playbook reference.db

The folder has the task, the database as a script, and `reference.md`: the playbook that somebody would write
who knows everything. Most training questions show one convention, validation and test questions combine two
or three. Seeds below 1000 draw from the domains for tuning, others from domains that no tuning has met.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.sql_questions import Query, Writer
from benchmarks.sql_world import Condition, Link, Measure, Table, World

WORDS = Path(__file__).with_name("fresh_sql_words.toml")
SIZES = {"train": 60, "val": 20, "test": 40}
FIRST_HELD_OUT = 1000
TASK = """name = "{name}"
environment = "sql"
max_tokens = 160
instructions = "You write SQLite. Answer with one SELECT statement and nothing else. \
How many means COUNT(*). Every condition in the question becomes one condition in WHERE; add no others."

[data]
train = "train.jsonl"
val = "val.jsonl"
test = "test.jsonl"

[sql]
database = "{database}"
"""


class Unlucky(Exception):
    """These draws do not make a fair task; others may."""


class Drawer:
    """Draws questions about one world, and keeps what is fair: no guess gives the same answer."""

    def __init__(self, world: World, keys: set[str], rng: Random) -> None:
        self.world, self.keys, self.rng = world, keys, rng
        self.database = world.connect()
        self.writer = Writer(rng)
        self.parts = [(table, part) for table in world.tables.values() for part in table.parts]
        self.answers: dict[str, list[tuple[Any, ...]]] = {}
        self.seen: set[str] = set()
        self.shapes: set[tuple[str, ...]] = set()
        self.forms: dict[str, set[str]] = {}

    def draw(self, key: str, size: int) -> tuple[Query, dict[str, str]] | None:
        """Return a fair question with so many conventions, `key` among them; None if luck has run out."""
        parts = [(table, part) for table, part in self.parts if part.key == key]
        for attempt in range(120):
            query = self._grow(*self.rng.choice(parts), size)
            if query is None or len(query.keys) != size or not self._is_fair(query):
                continue
            question = self.writer.word(query)
            forms = self.forms.setdefault(key, set())
            if (
                question in self.seen
                or (size > 1 and query.shape in self.shapes)
                or (attempt < 60 and forms & set(self.writer.chosen))
            ):
                continue
            self.seen |= {question, query.gold()}
            self.shapes.add(query.shape)
            forms |= set(self.writer.chosen)
            return query, {"question": question[0].upper() + question[1:], "gold_sql": query.gold()}
        return None

    def _grow(self, table: Table, part: Condition | Measure | Link, size: int) -> Query | None:
        """Begin with one part and add what fits; None where nothing does."""
        rng = self.rng
        match part:
            case Measure():
                query = Query(table, self._sum(part), measure=part)
            case Link():
                query = self._follow(Query(table, "COUNT"), part, size > 1)
            case Condition():
                query = Query(table, "COUNT", (part,))
                children = [
                    (child, link)
                    for child in self.world.tables.values()
                    for link in child.links
                    if link.parent == table.noun
                ]
                if children and size > 1 and rng.random() < 0.4:
                    child, link = rng.choice(children)
                    query = Query(child, "COUNT", link=link, parent=table, others=(part,))
        while len(query.keys) < size:
            bigger = self._extend(query)
            if bigger is None:
                return None
            query = bigger
        return self._finish(query, size)

    def _sum(self, measure: Measure) -> str:
        return "AVG" if measure.words["mean"] and self.rng.random() < 0.3 else "SUM"

    def _follow(self, query: Query, link: Link, described: bool) -> Query:
        """Join the parent: one that has a name, or all that meet a condition."""
        parent = self.world.tables[link.parent]
        if described and self._asked(link):
            condition = self.rng.choice(self._asked(link))
        else:
            name = self.rng.choice(parent.columns[parent.label])
            condition = Condition(parent.label, f"{{}} = '{name}'", ())
        return replace(query, link=link, parent=parent, others=(condition,))

    def _asked(self, link: Link) -> list[Condition]:
        """Return what can be asked of the parents."""
        return [part for part in self.world.tables[link.parent].conditions if part.key]

    def _extend(self, query: Query) -> Query | None:
        rng, used = self.rng, {part.column for part in query.conditions}
        if query.measure:
            used.add(query.measure.column)
        free = [part for part in query.table.conditions if part.key and part.column not in used]
        measures = [part for part in query.table.measures if part.column not in used and not query.measure]
        ways = ["condition"] * 3 * bool(free) + ["measure"] * 2 * bool(measures)
        links = [] if query.link else [link for link in query.table.links if self._asked(link)]
        ways += ["link"] * bool(links)
        if not ways:
            return None
        match rng.choice(ways):
            case "condition":
                columns = sorted({part.column for part in free})
                column = rng.choice(columns)
                part = rng.choice([part for part in free if part.column == column])
                return replace(query, conditions=(*query.conditions, part))
            case "measure":
                measure = rng.choice(measures)
                return replace(query, measure=measure, answer=self._sum(measure))
            case _:
                return self._follow(query, rng.choice(links), True)

    def _finish(self, query: Query, size: int) -> Query:
        """Ask for names where rows have one; narrow a single convention by what anybody can read."""
        table, rng = query.table, self.rng
        order = list(table.columns)
        query = replace(
            query, conditions=tuple(sorted(query.conditions, key=lambda c: order.index(c.column)))
        )
        plain = [part for part in table.conditions if not part.key]
        if plain and size == 1 and not query.link and rng.random() < 0.45:
            return replace(query, conditions=(rng.choice(plain), *query.conditions))
        if table.unique and query.answer == "COUNT" and not query.link and rng.random() < 0.5:
            return replace(query, answer="FIRST" if size == 1 and rng.random() < 0.3 else "NAMES")
        return query

    def _is_fair(self, query: Query) -> bool:
        gold = query.gold()
        rows = self._run(gold)
        values = {value for row in rows for value in row}
        if gold in self.seen or not 1 <= len(rows) <= 25 or len(set(rows)) < len(rows):
            return False
        if values & {None, 0, 1, ""}:
            return False
        return all(self._run(wrong) != rows for wrong in query.wrong())

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        if sql not in self.answers:
            self.answers[sql] = sorted(self.database.execute(sql).fetchall(), key=repr)
        return self.answers[sql]


def draw_splits(drawer: Drawer, sizes: dict[str, int]) -> dict[str, list[dict[str, str]]]:
    """Draw the questions of every split. Raises Unlucky where a convention cannot be shown twice."""
    rng, keys = drawer.rng, sorted(drawer.keys)
    taught: Counter[str] = Counter()
    train: list[tuple[Query, dict[str, str]]] = []
    singles = round(0.6 * sizes["train"])
    for place in range(singles):
        found = drawer.draw(keys[place % len(keys)], 1)
        train += [found] if found else []
        if not found and place < len(keys):
            raise Unlucky(f"{keys[place]} alone gives no fair question")
        taught.update(found[0].keys if found else ())
    while len(train) < sizes["train"]:
        found = draw_rarest(drawer, taught, keys, 2)
        train.append(found)
        taught.update(found[0].keys)
    if min(taught[key] for key in keys) < 2:
        raise Unlucky("a convention is shown only once")
    splits = {"train": train}
    for split in ("val", "test"):
        asked: Counter[str] = Counter()
        splits[split] = []
        while len(splits[split]) < sizes[split]:
            found = draw_rarest(drawer, asked, keys, rng.choice((2, 2, 2, 3)))
            splits[split].append(found)
            asked.update(found[0].keys)
    return {split: number_rows(split, [row for _, row in found], rng) for split, found in splits.items()}


def draw_rarest(
    drawer: Drawer, counts: Counter[str], keys: Sequence[str], size: int
) -> tuple[Query, dict[str, str]]:
    """Draw about the convention that was met least often and still gives a question."""
    order = drawer.rng.sample(keys, len(keys))
    for key in sorted(order, key=lambda key: counts[key]):
        if found := drawer.draw(key, size):
            return found
    raise Unlucky(f"no fair question with {size} conventions is left")


def number_rows(split: str, rows: list[dict[str, str]], rng: Random) -> list[dict[str, str]]:
    rng.shuffle(rows)
    return [{"id": f"{split}-{place:02}", **row} for place, row in enumerate(rows, 1)]


def draw_task(
    words: dict[str, Any],
    people: Sequence[Sequence[str]],
    sizes: dict[str, int],
    seed: str,
    share: float = 0.45,
) -> tuple[World, dict[str, list[dict[str, str]]]]:
    """Draw a database and its questions until every promise holds: the first that does is the task.

    `share` is the number of conventions for each training question.
    """
    limit = max(16, round(share * sizes["train"]))
    for attempt in range(60):
        rng = Random(f"{seed} {attempt}")
        world = World(words, people, rng)
        always = {link.key for table in world.tables.values() for link in table.links}
        always |= {f"{table.day} day" for table in world.tables.values() if table.day}
        others = sorted({part.key for table in world.tables.values() for part in table.parts} - always)
        keys = always | set(rng.sample(others, min(len(others), limit - len(always))))
        for table in world.tables.values():
            table.keep(keys)
        try:
            return world, draw_splits(Drawer(world, keys, rng), sizes)
        except Unlucky as error:
            reason = error
    raise SystemExit(f"seed {seed}: {reason}. Take another seed, or more training questions (--train).")


def write_reference(world: World) -> str:
    """Return the playbook that somebody would write who knows all conventions."""
    lines = []
    for table in world.tables.values():
        lines += [f"## {table.plural}", *describe_table(table, world), ""]
    return "\n".join(lines)


def describe_table(table: Table, world: World) -> Iterator[str]:
    """Yield one line for each convention of a table, as "- Called-off crossings: crs.xt = 7."."""
    plural, name = table.plural, table.name
    noun = plural[0].upper() + plural[1:]
    if table.unique:
        yield f"- {noun}: FROM {name}; their names: {name}.{table.label}."
    else:
        plain = next(part for part in table.conditions if not part.key)
        example = plain.forms[0].replace("N", noun, 1)
        yield f"- {noun}: FROM {name}. {example}: {name}.{plain.sql.replace('{}', table.label)}."
    for measure in table.measures:
        words = re.sub(r"\bN\b", plural, measure.words["name"])
        yield f"- {words}: SUM({name}.{measure.column}) {measure.factor}."
    for link in table.links:
        parent = world.tables[link.parent]
        form = re.sub(r"\bN\b", noun, link.forms[0])
        join = f"FROM {name} JOIN {parent.name} ON {link.key}"
        for words, sql in [(parent.plural, ""), *describe_conditions(parent)]:
            phrase = re.sub(r"\bP\b", words, form)
            yield f"- {phrase}: {join}{f' WHERE {sql}' if sql else ''}."
    for words, sql in describe_conditions(table):
        yield f"- {words[0].upper()}{words[1:]}: {sql}."


def describe_conditions(table: Table) -> list[tuple[str, str]]:
    """Return what people say and its SQL, once for each convention; a limit shows how its unit is stored."""
    factors = {measure.key: measure.factor for measure in table.measures}
    described: dict[str, tuple[str, str]] = {}
    for part in table.conditions:
        sql = part.sql.replace("{}", f"{table.name}.{part.column}")
        sign, _, scale = factors.get(part.key, "").partition(" ")
        if sign == "/":
            start, stored = sql.split(" > ")
            sql = f"{start} > {int(stored) // round(float(scale))} * {round(float(scale))}"
        if part.key:
            described.setdefault(part.key, (re.sub(r"\bN\b", table.plural, part.forms[0]), sql))
    return list(described.values())


def write_folder(
    folder: Path, name: str, world: World, splits: dict[str, list[dict[str, str]]], database: str
) -> None:
    """Write task.toml, the questions and the database."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(TASK.format(name=name, database=database), encoding="utf-8")
    (folder / database).write_text(world.script(), encoding="utf-8")
    for split, rows in splits.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")


def choose_domain(seed: int, words: dict[str, Any]) -> str:
    domains = words["held_out" if seed >= FIRST_HELD_OUT else "tuning"]
    return str(domains[seed % len(domains)])


def make_task(seed: int, folder: Path, sizes: dict[str, int]) -> str:
    """Write the task of a seed to a folder; return its domain."""
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    domain = choose_domain(seed, words)
    world, splits = draw_task(words[domain], words["people"], sizes, f"{domain} {seed}")
    write_folder(folder, f"{domain}_{seed}", world, splits, f"{domain}.sql")
    (folder / "reference.md").write_text(write_reference(world), encoding="utf-8")
    return domain


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", type=int)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    for split, size in SIZES.items():
        parser.add_argument(f"--{split}", type=int, default=size, help=f"questions (default {size})")
    given = parser.parse_args()
    sizes = {split: getattr(given, split) for split in SIZES}
    if min(sizes.values()) < 1 or sizes["train"] < 30:
        parser.error("--train must be at least 30, --val and --test at least 1")
    domain = make_task(given.seed, given.out, sizes)
    print(f"{given.out}: {domain}, {' + '.join(str(size) for size in sizes.values())} questions")


if __name__ == "__main__":
    main()
