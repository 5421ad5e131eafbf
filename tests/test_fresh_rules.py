"""The promises of `ace tasks add fresh_rules`: drawn by a seed, taught often enough, right, never shared."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError
from ace.playbook.markdown import from_markdown
from ace.task import Attempt, Task, load_task
from ace.task.makers import fresh_rules
from ace.task.makers.add_task import add_task
from ace.task.makers.fresh_rules import LANGUAGES, SIZES, WORDS, Operation, Rule

SEEDS = (1, 2, 3, 4)
CASES = [(seed, language) for language in LANGUAGES for seed in SEEDS]
every_case = pytest.mark.parametrize(("seed", "language"), CASES)


def make(folder: Path, seed: int, language: str) -> tuple[Task, list[Rule]]:
    add_task("fresh_rules", out=folder, seed=seed, language=language)
    return load_task(folder), fresh_rules.draw_rules(seed, language)


def read_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_a_seed_always_writes_the_same_bytes(tmp_path: Path) -> None:
    program = "from ace.cli.main import main; main()"
    words = ["tasks", "add", "fresh_rules", "--seed", "1", "--language", "de", "--out"]
    made = []
    for name in ("one", "two"):
        command = [sys.executable, "-c", program, *words, str(tmp_path / name / "task")]
        subprocess.run(command, check=True, capture_output=True)
        made.append(read_files(tmp_path / name / "task"))
    assert made[0] == made[1]
    splits = {"train.jsonl", "val.jsonl", "test.jsonl"}
    assert set(made[0]) == {"task.toml", "reference.md", "README.md", *splits}


@pytest.mark.parametrize("language", LANGUAGES)
def test_seeds_differ_in_codes_and_numbers(language: str) -> None:
    drawn = [fresh_rules.draw_rules(seed, language) for seed in SEEDS]
    for one, other in pairwise(drawn):
        codes = [{rule.values["code"] for rule in rules if "code" in rule.values} for rules in (one, other)]
        assert not codes[0] & codes[1]
        amounts = [{rule.bullet for rule in rules if "amount" in rule.values} for rules in (one, other)]
        assert len(amounts[0] & amounts[1]) <= 2


@every_case
def test_the_task_loads_and_every_answer_is_right_for_itself(
    tmp_path: Path, seed: int, language: str
) -> None:
    task, rules = make(tmp_path / "task", seed, language)
    assert len({rule.name for rule in rules}) == fresh_rules.RULES
    for split, size in SIZES.items():
        samples = getattr(task, split)
        assert len(samples) == size
        for sample in samples:
            answer = str(sample.data["answer"])
            assert task.environment.score(sample, Attempt(sample.id, answer)).correct
            assert not task.environment.score(sample, Attempt(sample.id, f"{answer}1")).correct


@every_case
def test_rules_are_taught_and_questions_are_not_shared(tmp_path: Path, seed: int, language: str) -> None:
    task, rules = make(tmp_path / "task", seed, language)
    taught = Counter(sample.data["rule"] for sample in task.train)
    assert min(taught[rule.name] for rule in rules) >= 3
    assert {sample.data["rule"] for sample in (*task.val, *task.test)} <= set(taught)
    questions = [sample.question for sample in (*task.train, *task.val, *task.test)]
    assert len(set(questions)) == len(questions)


@every_case
def test_a_rule_is_taught_in_different_wordings(tmp_path: Path, seed: int, language: str) -> None:
    """Without names and numbers, a rule's training questions still differ."""
    task, rules = make(tmp_path / "task", seed, language)
    for rule in rules:
        asked = [sample.question for sample in task.train if sample.data["rule"] == rule.name]
        wordings = {re.sub(r"\d+|\b[A-ZÄÖÜ]\w+", "", question) for question in asked}
        assert len(wordings) >= 3, rule.name


@every_case
def test_answers_follow_from_the_rules(tmp_path: Path, seed: int, language: str) -> None:
    task, rules = make(tmp_path / "task", seed, language)
    named = {rule.name: rule for rule in rules}
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))[language]
    for sample in (*task.train, *task.val, *task.test):
        rule = named[str(sample.data["rule"])]
        assert sample.data["answer"] == solve(rule, sample.question, words), (rule.bullet, sample.question)


def solve(rule: Rule, question: str, words: dict[str, Any]) -> str:
    """Return the answer by the rule's values and the text of the question alone."""
    values = rule.values
    if "amount" in values:
        return str(reckon(values["amount"], question))
    if "word" in values:
        return str(values["word"])
    if "pattern" in values:
        return write(values, question, words)
    assert any(phrase in question for phrase in words["queues"]["topics"][values["topic"]])
    if values["lowest"] is None:
        assert values["condition"] in question
    else:
        (worth,) = map(int, re.findall(rf": (\d+) (?:{'|'.join(words['currencies'])})\)", question))
        assert (worth > values["limit"]) == (values["lowest"] > values["limit"])
    return str(values["code"])


def reckon(amount: fresh_rules.Amount, question: str) -> int:
    value, limit = amount.value, amount.limit
    if amount.operation is Operation.CONSTANT:
        return value
    (number,) = map(int, re.findall(r"\d+", question))
    below = number < limit
    rounded = next(n for n in range(number, number + value) if n % value == 0)
    results = {
        Operation.ADD: number + value,
        Operation.SUBTRACT: number - value,
        Operation.MULTIPLY: sum([value] * number),
        Operation.ADD_BELOW: number + (value if below else 0),
        Operation.VALUE_BELOW: value if below else 0,
        Operation.ROUND_UP: rounded,
    }
    return results[amount.operation]


def write(values: Any, question: str, words: dict[str, Any]) -> str:
    """Read the fields of a form out of a question by its plain form, and fill them into the pattern."""
    lists = {"room": "rooms", "month_name": "months", "first": "first_names", "surname": "surnames"}
    texts = {"code": r"\w+", **{name: "|".join(words[key]) for name, key in lists.items()}}

    def group(field: re.Match[str]) -> str:
        name = field[1]
        return ".*" if name == "currency" else f"(?P<{name}>{texts.get(name, r'[0-9]+')})"

    plain = re.sub(r"\{(\w+)(?::02)?\}", group, values["plain"].replace(".", r"\."))
    match = re.search(rf"(?<!\w){plain}", question)
    assert match, question
    fields = {name: text if name in texts else int(text) for name, text in match.groupdict().items()}
    month = words["months"].index(fields["month_name"]) + 1 if "month_name" in fields else 0
    initial, short_year = str(fields.get("first", "-"))[0], fields.get("year", 0) % 100
    more = {"month": month, "initial": initial, "short_year": short_year, "house": values["house"]}
    return str(values["pattern"].format(**fields, **more))


@every_case
def test_the_reference_states_every_rule(tmp_path: Path, seed: int, language: str) -> None:
    _, rules = make(tmp_path / "task", seed, language)
    text = (tmp_path / "task" / "reference.md").read_text(encoding="utf-8")
    bullets = {bullet.content for bullet in from_markdown(text).active}
    questions = [question for rule in rules for question, _ in rule.cases]
    for rule in rules:
        assert rule.bullet in bullets
        known = {rule.values[key] for key in ("code", "word") if key in rule.values}
        known |= {str(rule.values["amount"].value)} if "amount" in rule.values else set()
        assert all(part in rule.bullet for part in known)
        assert "{" not in rule.bullet
    assert not [question for question in questions if "{" in question]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_answer_stands_in_its_question(language: str) -> None:
    for seed in SEEDS:
        for rule in fresh_rules.draw_rules(seed, language):
            for question, answer in rule.cases:
                given = rule.scorer == "numeric" and rule.values["amount"].compute(int(answer)) == int(answer)
                assert given or not re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", question), question


def test_both_languages_have_the_same_rules_and_a_neutral_instruction(tmp_path: Path) -> None:
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    kinds = [
        [table["kind"] for group in ("amounts", "forms") for table in words[name][group]]
        for name in LANGUAGES
    ]
    assert kinds[0] == kinds[1]
    for language in LANGUAGES:
        task, rules = make(tmp_path / language, 1, language)
        assert task.instructions == words[language]["instructions"]
        assert not [rule for rule in rules if rule.values.get("code", "-") in task.instructions]


def test_other_sizes_and_what_cannot_be_made(tmp_path: Path) -> None:
    rules = fresh_rules.draw_rules(1, "en", {"train": 80, "val": 20, "test": 60})
    rows = fresh_rules.make_rows(rules, 1, {"train": 80, "val": 20, "test": 60})
    assert [len(found) for found in rows.values()] == [80, 20, 60]
    with pytest.raises(InputError, match="--train is 40"):
        fresh_rules.make_rows(rules, 1, {"train": 40, "val": 20, "test": 40})
    with pytest.raises(InputError, match="different questions"):
        fresh_rules.make_rows(rules, 1, {"train": 600, "val": 20, "test": 40})


def test_rows_say_by_which_rule_they_go(tmp_path: Path) -> None:
    add_task("fresh_rules", out=tmp_path / "task", seed=1)
    lines = (tmp_path / "task" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        assert set(row) == {"id", "question", "answer", "scorer", "rule"}
        assert row["scorer"] == ("numeric" if row["rule"].startswith("amount-") else "exact")
