"""Questions about a drawn database: what is asked, its gold SQL, what a guess would write, its words.

Knows the forms of `fresh_sql_words.toml`, and nothing of which questions make a fair task.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from ace.task.makers.sql_world import Condition, Link, Measure, Table

COUNTS = (
    "How many {} are there?",
    "How many {} are there?",
    "Count the {}.",
    "What is the number of {}?",
    "Give the number of {}.",
    "How many {} are on record?",
)
COUNTS_DOING = (
    "How many {} {}?",
    "How many {} {}?",
    "How many of the {} {}?",
    "Tell me how many {} {}.",
    "Can you say how many {} {}?",
)
NAMES = (
    "List the names of the {}.",
    "What are the names of the {}?",
    "Show the names of all the {}.",
    "Give me the names of the {}.",
)
NAMES_DOING = ("Which {0} {1}? List their names.", "List the names of the {0} {2} {1}.")
FIRST = (
    "Which name comes first in the alphabet among the {}?",
    "In order of the alphabet, what is the first name among the {}?",
)


@dataclass(frozen=True)
class Query:
    """One question before it is worded: what is asked of which rows."""

    table: Table
    answer: str  # COUNT, NAMES, FIRST, SUM or AVG
    conditions: tuple[Condition, ...] = ()
    measure: Measure | None = None
    link: Link | None = None
    parent: Table | None = None
    others: tuple[Condition, ...] = ()  # conditions on the parent

    @property
    def keys(self) -> set[str]:
        """Return the conventions that must be known."""
        parts = [*self.conditions, *self.others, self.measure, self.link]
        return {part.key for part in parts if part and part.key}

    @property
    def shape(self) -> tuple[str, ...]:
        """Return what must be known: equal for two questions that differ in a number or a form only."""
        return ("sum" if self.measure else "rows", *sorted(self.keys))

    @property
    def parts(self) -> tuple[Condition | Link, ...]:
        """Return what is said of the noun that is asked for."""
        return (*self.conditions, self.link) if self.link else self.conditions

    def render(self, conditions: Sequence[str], factor: str, join: str) -> str:
        """Return the SQL with these conditions, this unit and this column to join with."""
        prefix = f"{self.table.name}." if self.link else ""
        column = prefix + (self.measure.column if self.measure else self.table.label)
        selected = {"COUNT": "COUNT(*)", "NAMES": column, "FIRST": f"MIN({column})"}.get(self.answer)
        source = self.table.name
        if self.link and self.parent:
            source += f" JOIN {self.parent.name} ON {prefix}{self.link.column} = {self.parent.name}.{join}"
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {selected or f'{self.answer}({column}){factor}'} FROM {source}{where}"  # noqa: S608

    def gold(self) -> str:
        """Return the right statement."""
        factor = f" {self.measure.factor}" if self.measure else ""
        return self.render(self._tests(), factor, self.parent.key_column if self.parent else "")

    def _tests(self) -> list[str]:
        """Return the SQL of each condition, those on the parent last."""
        return [self._place(part, part.sql) for part in (*self.conditions, *self.others)]

    def _place(self, part: Condition, sql: str) -> str:
        """Return the SQL of a condition with the name of its column."""
        table = self.parent if part in self.others and self.parent else self.table
        return sql.replace("{}", f"{table.name}.{part.column}" if self.link else part.column)

    def wrong(self) -> Iterator[str]:
        """Yield what somebody writes who leaves out a condition, guesses a code, or forgets a unit or key."""
        tests = self._tests()
        factor = f" {self.measure.factor}" if self.measure else ""
        join = self.parent.key_column if self.parent else ""
        for place, part in enumerate((*self.conditions, *self.others)):
            yield self.render(tests[:place] + tests[place + 1 :], factor, join)
            for guess in part.guesses:
                yield self.render(
                    [*tests[:place], self._place(part, guess), *tests[place + 1 :]], factor, join
                )
        if factor:
            yield self.render(tests, "", join)
        if join:
            yield self.render(tests, factor, "id")


class Writer:
    """Words queries, in another form each time."""

    def __init__(self, rng: Random) -> None:
        """Take a generator of random numbers."""
        self.rng = rng
        self.chosen: list[str] = []  # the forms of the last question

    def word(self, query: Query) -> str:
        """Return the question, with a form of every part that is drawn."""
        self.chosen = []
        heavy = [part for part in query.parts if not any(form.endswith(" N") for form in part.forms)]
        doing = query.answer in ("COUNT", "NAMES") and (len(heavy) > 1 or self.rng.random() < 0.6)
        noun, verb = self._describe(query, doing)
        if query.answer in ("SUM", "AVG") and query.measure:
            texts = query.measure.words["total" if query.answer == "SUM" else "mean"]
            text = self.rng.choice(texts)
            if not (query.conditions or query.link):
                text = text.replace("the N", "all the N")
            self.chosen.append(text)
            return re.sub(r"\bN\b", noun, text)
        if verb and query.answer == "NAMES":
            which = "who" if query.table.people else "that"
            which = "and" if re.search(r" (who|that) ", noun) else which
            return self.rng.choice(NAMES_DOING).format(noun, verb, which)
        if verb:
            return self.rng.choice(COUNTS_DOING).format(noun, verb)
        return self.rng.choice({"COUNT": COUNTS, "NAMES": NAMES, "FIRST": FIRST}[query.answer]).format(noun)

    def _describe(self, query: Query, doing: bool) -> tuple[str, str]:
        """Return the noun with what belongs to it, and what it does, which may be nothing."""
        parts = [part.forms for part in query.conditions]
        linked: tuple[str, ...] = ()
        if query.link and query.parent:
            other = self._describe_parent(query)
            linked = tuple(re.sub(r"\bP\b", other, form) for form in query.link.forms)
        verb = ""
        if doing and linked:
            verb = self.rng.choice(list_verbs(linked))
            linked = ()
        elif doing and parts:
            places = [place for place, forms in enumerate(parts) if list_verbs(forms)]
            long = [place for place in places if not any(form.endswith(" N") for form in parts[place])]
            verb = self.rng.choice(list_verbs(parts.pop(self.rng.choice(long or places))))
        self.chosen += [verb] if verb else []
        noun = self._join(query.table.plural, parts, crowded=bool(linked))
        return (re.sub(r"\bN\b", noun, linked[0]) if linked else noun), verb

    def _describe_parent(self, query: Query) -> str:
        """Return the words for the parents that are joined: a name, or a noun with what belongs to it.

        Raises ValueError for a question without a join.
        """
        if query.parent is None:
            raise ValueError("The question has no join.")
        for part in query.others:
            if part.column == query.parent.label:
                return part.sql.split("'")[1]
        return self._join(query.parent.plural, [part.forms for part in query.others])

    def _join(self, noun: str, parts: list[tuple[str, ...]], crowded: bool = False) -> str:
        """Put every part before or behind the noun: at most one behind it, where that can be chosen."""
        before: list[str] = []
        behind: list[str] = []
        for forms in sorted(parts, key=lambda forms: any(form.endswith(" N") for form in forms)):
            nouns = [form for form in forms if re.search(r"\bN\b", form)]
            short = [form for form in nouns if form.endswith(" N")]
            form = self.rng.choice(
                short if short and (crowded or behind or self.rng.random() < 0.4) else nouns
            )
            self.chosen.append(form)
            (before if form.endswith(" N") else behind).append(form)
        behind.sort(key=lambda form: (bool(re.match(r"N (that|who)\b", form)), "more than" not in form))
        for form in (*before, *behind):
            noun = re.sub(r"\bN\b", noun, form, count=1)
        return noun


def list_verbs(forms: Iterable[str]) -> list[str]:
    """Return the forms that say what the noun does."""
    return [form for form in forms if not re.search(r"\bN\b", form)]
