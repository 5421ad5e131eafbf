"""Draw a task of business rules that nobody can know: which queue, what sum, written how.

A seed draws twenty rules: eight queues by topic and condition, seven sums, five ways to write an answer.
Codes, values and forms are made up. Every rule stands in each split with other wordings and data, at least
three times in training. `reference.md` has the rules as a playbook to import. The words of all questions and
rules are in fresh_rules_words.toml; this module knows no language.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from ace.errors import InputError
from ace.task.makers.draft import MakeOptions, TaskDraft
from ace.task.makers.source_data import SourceData

WORDS = Path(__file__).with_name("fresh_rules_words.toml")
LANGUAGES = ("en", "de")
SIZES = {"train": 60, "val": 20, "test": 40}
# With two topics of two conditions each, and the words for yes and no, these are twenty rules.
PLAIN_TOPICS, COMPUTED, CONSTANT, FORMS = 4, 5, 2, 3
RULES = PLAIN_TOPICS + 4 + COMPUTED + CONSTANT + FORMS + 2
TAUGHT = 3  # times that a rule stands in training, at least
CODES = ("{a}{b}-{n}", "{a}{n}{b}", "{n}/{a}{b}", "{a}.{n}{m}")
WORTH = (10, 600)  # what a request is worth at least, below the limit and above it
PATIENCE = 5000  # draws for a rule's forms; a rule has fewer cases when there are no more
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"

_TASK = """name = "{name}"
environment = "answer"
max_tokens = 40
instructions = "{instructions}"

[answer]
scorer = "exact"   # a row of numbers names its own
"""


class Operation(StrEnum):
    """What a rule does with the number of a question."""

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    ADD_BELOW = "add_below"
    ROUND_UP = "round_up"
    VALUE_BELOW = "value_below"
    CONSTANT = "constant"


CALCULATIONS = {Operation.ADD, Operation.SUBTRACT, Operation.MULTIPLY, Operation.ADD_BELOW}


@dataclass(frozen=True, slots=True)
class Amount:
    """Hold what a rule reckons with. Only ADD_BELOW and VALUE_BELOW have a limit."""

    operation: Operation
    value: int
    limit: int

    def compute(self, number: int) -> int:
        """Return what the rule makes of a number."""
        match self.operation:
            case Operation.ADD:
                return number + self.value
            case Operation.SUBTRACT:
                return number - self.value
            case Operation.MULTIPLY:
                return number * self.value
            case Operation.ADD_BELOW:
                return number + self.value if number < self.limit else number
            case Operation.ROUND_UP:
                return -(-number // self.value) * self.value
            case Operation.VALUE_BELOW:
                return self.value if number < self.limit else 0
            case Operation.CONSTANT:
                return self.value


@dataclass(frozen=True, slots=True)
class Rule:
    """Hold a rule: the bullet that states it, its values, and questions with answers in the order of use."""

    name: str
    section: str
    bullet: str
    scorer: str
    values: Mapping[str, Any]
    cases: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Hold what all rules of a seed share. `count` is how many cases each rule needs."""

    random: Random
    words: Mapping[str, Any]
    currency: str
    count: int

    def draw_codes(self, count: int) -> list[str]:
        """Return different codes of one style."""
        style, codes = self.random.choice(CODES), dict[str, None]()
        while len(codes) < count:
            a, b = self.random.sample(LETTERS, 2)
            n, m = self.random.sample(range(2, 10), 2)
            codes[style.format(a=a, b=b, n=n, m=m)] = None
        return list(codes)

    def draw_fields(self) -> dict[str, Any]:
        """Return everything that a question about forms or a reply may name."""
        random, words = self.random, self.words
        month, year = random.randrange(1, 13), random.choice((2023, 2024, 2025, 2026))
        first, surname = random.choice(words["first_names"]), random.choice(words["surnames"])
        return {
            "day": random.randrange(13, 29),  # no month is above 12: an example says which is which
            "month": month,
            "month_name": words["months"][month - 1],
            "year": year,
            "short_year": year % 100,
            "number": random.randrange(10, 60),
            "week": random.randrange(10, 53),
            "hour": random.randrange(10, 22),
            "minute": random.randrange(10, 60, 5),
            "room": random.choice(words["rooms"]),
            "code": f"{random.choice(LETTERS)}{random.randrange(2, 10)}",
            "first": first,
            "initial": first[0],
            "surname": surname,
            "person": f"{first} {surname}",
            "town": random.choice(words["towns"]),
            "price": random.randrange(12, 90),
            "order": random.randrange(100, 1000),
            "currency": self.currency,
        }


def draw_rules(seed: int, language: str = "en", sizes: Mapping[str, int] = SIZES) -> list[Rule]:
    """Return the rules of a seed, with as many cases as rows of these sizes can ask of one rule."""
    random = Random(f"fresh rules {language} {seed}")
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))[language]
    count = sum(-(-size // RULES) for size in sizes.values())
    drawing = Drawing(random, words, random.choice(words["currencies"]), count)
    constant = [table for table in words["amounts"] if table["operation"] == Operation.CONSTANT]
    computed = [table for table in words["amounts"] if table not in constant]
    amounts = random.sample(computed, COMPUTED) + random.sample(constant, CONSTANT)
    forms = random.sample(words["forms"], FORMS)
    return [
        *draw_queues(drawing),
        *(draw_amount(drawing, table) for table in amounts),
        *(draw_form(drawing, table) for table in forms),
        *draw_replies(drawing),
    ]


def draw_queues(drawing: Drawing) -> list[Rule]:
    """Return a rule for each topic that has one queue, and two for a topic that a condition divides."""
    random, table = drawing.random, drawing.words["queues"]
    limit = random.choice((100, 150, 200))
    *plain, by_kind, by_worth = random.sample(list(table["topics"]), PLAIN_TOPICS + 2)
    conditions: list[tuple[str, str, int | None]] = [(topic, "", None) for topic in plain]
    conditions += [(by_kind, kind, None) for kind in random.choice(table["kinds"])]
    conditions += [(by_worth, text, lowest) for text, lowest in zip(table["limits"], WORTH, strict=True)]
    codes = drawing.draw_codes(len(conditions))
    rules: list[Rule] = []
    for code, (topic, text, lowest) in zip(codes, conditions, strict=True):
        condition = text.format(limit=limit, currency=drawing.currency, example=(lowest or 0) + 25)
        tag = condition if lowest is None else table["worth"]
        questions = ask_queue(drawing, topic, tag, lowest or 0)
        bullet = table["bullet"].format(topic=topic, condition=condition, code=code)
        values = {"topic": topic, "condition": condition, "code": code, "limit": limit, "lowest": lowest}
        cases = tuple((question, code) for question in questions)
        rules.append(Rule(f"queue-{len(rules) + 1}", "queues", bullet, "exact", values=values, cases=cases))
    return rules


def ask_queue(drawing: Drawing, topic: str, tag: str, lowest: int) -> list[str]:
    """Return requests of a topic. What they are worth, where a tag says it, begins at `lowest`."""
    random, table = drawing.random, drawing.words["queues"]
    phrases = random.sample(table["topics"][topic], len(table["topics"][topic]))
    questions: dict[str, None] = {}
    while len(questions) < drawing.count:
        fields = drawing.draw_fields()
        fields["tag"] = tag.format(value=lowest + random.randrange(0, 90, 10), currency=drawing.currency)
        fields["phrase"] = phrases[len(questions) % len(phrases)]
        wording = table["wordings"][len(questions) % len(table["wordings"])]
        questions[wording.format(**fields)] = None
    return list(questions)


def draw_amount(drawing: Drawing, table: Mapping[str, Any]) -> Rule:
    """Return a rule that makes one number of another, or gives one number for all things of a kind."""
    random = drawing.random
    limit = random.choice(table.get("limits", [0]))
    amount = Amount(Operation(table["operation"]), random.choice(table["values"]), limit)
    things = drawing.words["things"] if amount.operation is Operation.CONSTANT else {}
    subject = random.choice(
        table.get("subjects") or list(things) or ["".join(random.sample(drawing.words["syllables"], 2))]
    )
    texts = {"subject": subject, "currency": drawing.currency, "value": amount.value, "limit": limit}
    if things:
        inputs = [{"thing": thing, "n": 0} for thing in random.sample(things[subject], len(things[subject]))]
    else:
        inputs = [{"n": number} for number in draw_numbers(random, table["numbers"], amount)]
    example = inputs.pop(0)["n"]  # stands in the bullet, and in no question
    bullet = table["bullet"].format(**texts, example=example, result=amount.compute(example))
    cases = []
    for at, fields in enumerate(inputs):
        question = table["wordings"][at % len(table["wordings"])].format(**texts, **fields)
        if amount.operation in CALCULATIONS:
            question += drawing.words["working"]
        cases.append((question, str(amount.compute(fields["n"]))))
    values = {"amount": amount, "subject": subject}
    return Rule(f"amount-{table['kind']}", "amounts", bullet, "numeric", values=values, cases=tuple(cases))


def draw_numbers(random: Random, bounds: Mapping[str, int], amount: Amount) -> list[int]:
    """Return different numbers for a rule's questions. Where it has a limit, one of three is above it."""
    pool = list(range(bounds["first"], bounds["last"] + 1, bounds["step"]))
    if amount.operation is Operation.ROUND_UP:
        pool = [number * amount.value // 10 for number in pool if number % 10]
    random.shuffle(pool)
    if not amount.limit:
        return pool
    below = [number for number in pool if number < amount.limit]
    above = [number for number in pool if number > amount.limit]
    numbers = []
    for place, number in enumerate(above):
        numbers += [*below[2 * place : 2 * place + 2], number]
    return numbers


def draw_form(drawing: Drawing, table: Mapping[str, Any]) -> Rule:
    """Return a rule of how something is written, which its bullet states by two examples."""
    random = drawing.random
    house = "".join(random.sample(LETTERS, 2))
    pattern = random.choice(table["patterns"])
    written: dict[str, str] = {}
    for _ in range(PATIENCE):
        if len(written) == drawing.count + 2:
            break
        fields = drawing.draw_fields()
        written[table["plain"].format(**fields)] = pattern.format(**fields, house=house)
    pairs = list(written.items())
    examples = ", ".join(f"{plain} -> {coded}" for plain, coded in pairs[:2])
    bullet = table["bullet"].format(examples=examples)
    cases = []
    for at, (plain, coded) in enumerate(pairs[2:]):
        cases.append((table["wordings"][at % len(table["wordings"])].format(plain=plain), coded))
    values = {"plain": table["plain"], "pattern": pattern, "house": house}
    return Rule(f"form-{table['kind']}", "forms", bullet, "exact", values=values, cases=tuple(cases))


def draw_replies(drawing: Drawing) -> list[Rule]:
    """Return the rules that one word of the house stands for yes and another for no."""
    rules = []
    for kind, word in zip(("yes", "no"), drawing.random.choice(drawing.words["replies"]), strict=True):
        table, questions = drawing.words[kind], dict[str, None]()
        while len(questions) < drawing.count:
            wording = table["wordings"][len(questions) % len(table["wordings"])]
            questions[wording.format(**drawing.draw_fields())] = None
        cases = tuple((question, word) for question in questions)
        bullet = table["bullet"].format(word=word)
        rules.append(Rule(f"reply-{kind}", "forms", bullet, "exact", values={"word": word}, cases=cases))
    return rules


def make_rows(
    rules: Sequence[Rule], seed: int, sizes: Mapping[str, int] = SIZES
) -> dict[str, list[dict[str, str]]]:
    """Return rows by split. Every rule has its share of each; the first of a shuffled list have one more."""
    if sizes["train"] < TAUGHT * len(rules):
        message = (
            f"{len(rules)} rules need {TAUGHT * len(rules)} training rows, and --train is {sizes['train']}."
        )
        raise InputError(message, hint="Ask for more with --train.")
    random, used = Random(f"rows {seed}"), dict.fromkeys((rule.name for rule in rules), 0)
    rows: dict[str, list[dict[str, str]]] = {}
    for split, size in sizes.items():
        order = random.sample(rules, len(rules))
        chosen = [order[at % len(order)] for at in range(size)]
        random.shuffle(chosen)
        rows[split] = []
        for rule in chosen:
            at = used[rule.name]
            if at == len(rule.cases):
                message = f"The rule {rule.name} has only {at} different questions."
                raise InputError(message, hint="Ask for fewer rows.")
            used[rule.name] += 1
            question, answer = rule.cases[at]
            row = {"id": f"{split}-{len(rows[split]) + 1:02}", "question": question, "answer": answer}
            rows[split].append({**row, "scorer": rule.scorer, "rule": rule.name})
    return rows


def write_reference(rules: Sequence[Rule], words: Mapping[str, Any]) -> str:
    """Return the playbook that states every rule, with advice on how to use the rules of a section."""
    sections = {}
    for key, heading in words["sections"].items():
        bullets = [rule.bullet for rule in rules if rule.section == key]
        bullets[:0] = words["advice"].get(key, [])
        sections[heading] = "".join(f"- {bullet}\n" for bullet in bullets)
    return "\n".join(f"## {heading}\n{bullets}" for heading, bullets in sections.items())


def make_fresh_rules(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the task of a seed. Raises InputError for a language that has no words, and for wrong sizes."""
    language, seed = options.language, options.seed
    if language not in LANGUAGES:
        raise InputError(
            f"There are no words in {language!r}.", hint=f"--language is {' or '.join(LANGUAGES)}."
        )
    rules = draw_rules(seed, language, options.sizes)
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))[language]
    name = f"fresh_rules_{language}_{seed}"
    return TaskDraft(
        toml=_TASK.format(name=name, instructions=words["instructions"]),
        splits=make_rows(rules, seed, options.sizes),
        files={"reference.md": write_reference(rules, words)},
    )
