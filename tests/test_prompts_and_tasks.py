"""No prompt of the package knows a task: no name, code or phrase of one.

Otherwise what a run scores on the task would say how well its prompts were written beside it. New tasks and
prompts are looked at without being named here.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from ace.text.stems import stem_word
from ace.text.word_lists import stop_words

ROOT = Path(__file__).parents[1]
TASKS = sorted(path.parent for path in ROOT.glob("tasks/*/task.toml"))
PROMPTS = sorted(ROOT.glob("ace/**/prompts/*.j2"))
TABLES = re.compile(r"^CREATE TABLE (\w+) \((.+)\);$", re.MULTILINE)
COMPARISON = re.compile(r"\b(\w+) (=|<>|[<>]=?|LIKE) ('[^']*'|-?\d+)")
# Words of both that name no convention: words about words and numbers, and SQL.
GENERAL = set(
    """about add after against before code date first full id ids item items join line list mean more next
    nothing number one other out people same sum text thing two used value words without""".split()  # noqa: SIM905
)
both = pytest.mark.parametrize(
    ("prompt", "task"),
    [pytest.param(each, task, id=f"{each.name}-{task.name}") for each, task in product(PROMPTS, TASKS)],
)


def read(prompt: Path) -> str:
    """Return what the prompt itself says, without what is filled in."""
    return re.sub(r"\{[%{#].*?[%}#]\}", " ", prompt.read_text(encoding="utf-8"), flags=re.DOTALL)


@cache
def rows(task: Path) -> list[dict[str, object]]:
    files = sorted(task.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@cache
def names(task: Path) -> frozenset[str]:
    """Return the tables and columns of the task's databases, but for the id that every table has."""
    found = set()
    for script in task.glob("*.sql"):
        for table, columns in TABLES.findall(script.read_text(encoding="utf-8")):
            found |= {table, *(column.split()[0] for column in columns.split(", "))}
    return frozenset(found) - {"id"}


@cache
def comparisons(task: Path) -> frozenset[tuple[str, str, str]]:
    return frozenset(
        found for row in rows(task) for found in COMPARISON.findall(str(row.get("gold_sql", "")))
    )


def content_words(text: str) -> list[str]:
    """Return the stems of the words that say something."""
    words = re.findall(r"[a-z]+", re.sub(r"'s\b", "", text.lower()))
    kept = [word for word in words if word not in stop_words() and word not in GENERAL and len(word) > 2]
    return [stem for word in kept if (stem := stem_word(word)) not in GENERAL]


def phrases(text: str) -> set[tuple[str, ...]]:
    """Return every three content words in a row of one sentence."""
    found = set()
    for sentence in re.split(r"[.?!:;\n\"{}|]", text):
        words = content_words(sentence)
        found |= {tuple(words[place : place + 3]) for place in range(len(words) - 2)}
    return found


@cache
def task_phrases(task: Path) -> frozenset[tuple[str, ...]]:
    """Return the phrases that a task uses more than once, so that small talk of one line does not count."""
    seen: set[tuple[str, ...]] = set()
    repeated: set[tuple[str, ...]] = set()
    for row in rows(task):
        found = phrases(" . ".join(texts(row)))
        repeated |= seen & found
        seen |= found
    return frozenset(repeated)


def texts(row: dict[str, object]) -> list[str]:
    messages = row.get("messages", [])
    assert isinstance(messages, list)
    return [str(row.get("question", "")), str(row.get("answer", "")), *(turn["content"] for turn in messages)]


@both
def test_no_prompt_has_a_name_or_a_code_of_a_task(prompt: Path, task: Path) -> None:
    text = read(prompt)
    used = {name for pair in re.findall(r"\b([a-z]\w*)\.([a-z]\w*)\b", text) for name in pair}
    used |= set(re.findall(r"\b(?:FROM|JOIN|WHERE|AND) (?:\w+\()?([a-z]\w*)", text))
    used |= {name for name, _, _ in COMPARISON.findall(text)}
    assert used & names(task) == set()
    assert set(COMPARISON.findall(text)) & comparisons(task) == set()


@both
def test_no_prompt_has_a_phrase_of_a_task(prompt: Path, task: Path) -> None:
    instructions = tomllib.loads((task / "task.toml").read_text(encoding="utf-8")).get("instructions", "")
    assert phrases(read(prompt)) & (task_phrases(task) | phrases(instructions)) == set()


def test_the_looking_finds_what_is_there() -> None:
    """A prompt that did know the shop would be found by both."""
    shop = ROOT / "tasks" / "shop_sql"
    row = next(row for row in rows(shop) if len(COMPARISON.findall(str(row["gold_sql"]))) == 2)
    assert set(COMPARISON.findall(str(row["gold_sql"]))) <= comparisons(shop)
    assert len(names(shop)) > 30
    assert len(task_phrases(shop)) > 30 and len(PROMPTS) >= 10 and len(TASKS) >= 5
