"""Draw a task about an undocumented SQLite database: other words, names and codes for each seed.

The folder has the database as a script, and `reference.md`: the playbook that somebody would write who knows
everything. Most training questions show one convention, validation and test questions combine two or three.
Seeds below 1000 draw from the domains for tuning, others from domains that no tuning has met.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from ace.errors import InputError
from ace.task.makers.draft import MakeOptions, TaskDraft
from ace.task.makers.source_data import SourceData
from ace.task.makers.sql_questions import Query, Writer
from ace.task.makers.sql_world import Condition, Link, Measure, Table, World

WORDS = Path(__file__).with_name("fresh_sql_words.toml")
FIRST_HELD_OUT = 1000
LEAST_TRAINING = 30
_TASK = """name = "{name}"
environment = "sql"
max_tokens = 160
instructions = "You write SQLite. Answer with one SELECT statement and nothing else. \
How many means COUNT(*). Every condition in the question becomes one condition in WHERE; add no others."

[sql]
database = "{database}"
"""


class Unlucky(Exception):
    """These draws do not make a fair task; others may."""


class Drawer:
    """Draws questions about one world, and keeps what is fair: no guess gives the same answer."""

    def __init__(self, world: World, keys: set[str], rng: Random) -> None:
        """Take a database, the conventions that questions may be about, and a generator of random numbers."""
        self.world, self.keys, self.rng = world, keys, rng
        self.database = sqlite3.connect(":memory:")
        self.database.executescript(world.script())
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
        """Return what is asked of a measure: its total, or sometimes its mean where people say that."""
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
        """Add a condition, a measure or a join that is free; None where nothing is."""
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
        """Return whether the answer says something, and no wrong statement gives it."""
        gold = query.gold()
        rows = self._run(gold)
        values = {value for row in rows for value in row}
        if gold in self.seen or not 1 <= len(rows) <= 25 or len(set(rows)) < len(rows):
            return False
        if values & {None, 0, 1, ""}:
            return False
        return all(self._run(wrong) != rows for wrong in query.wrong())

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement in an order that does not count; it is run once."""
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
    numbered: dict[str, list[dict[str, str]]] = {}
    for split, drawn in splits.items():
        rng.shuffle(drawn)
        numbered[split] = [{"id": f"{split}-{place:02}", **row} for place, (_, row) in enumerate(drawn, 1)]
    return numbered


def draw_rarest(
    drawer: Drawer, counts: Counter[str], keys: Sequence[str], size: int
) -> tuple[Query, dict[str, str]]:
    """Draw about the convention that was met least often and still gives a question."""
    order = drawer.rng.sample(keys, len(keys))
    for key in sorted(order, key=lambda key: counts[key]):
        if found := drawer.draw(key, size):
            return found
    raise Unlucky(f"no fair question with {size} conventions is left")


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
    hint = "Take another --seed, or more training questions (--train)."
    raise InputError(f"Seed {seed} gives no fair task: {reason}.", hint=hint)


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


def choose_domain(seed: int, words: dict[str, Any]) -> str:
    """Return the domain of a seed: one for tuning below FIRST_HELD_OUT, else one that is held out."""
    domains = words["held_out" if seed >= FIRST_HELD_OUT else "tuning"]
    return str(domains[seed % len(domains)])


def make_fresh_sql(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the task of a seed. Raises InputError for a seed and sizes that give no fair task."""
    sizes = dict(options.sizes)
    if sizes["train"] < LEAST_TRAINING or sizes["val"] < 1:
        raise InputError(f"--train must be at least {LEAST_TRAINING}, and --val at least 1.")
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    domain = choose_domain(options.seed, words)
    world, splits = draw_task(words[domain], words["people"], sizes, f"{domain} {options.seed}")
    database = f"{domain}.sql"
    return TaskDraft(
        toml=_TASK.format(name=f"{domain}_{options.seed}", database=database),
        splits=splits,
        files={database: world.script(), "reference.md": write_reference(world)},
    )
