"""The generated pages are what the code says now, and the tasks that the documentation shows can be used."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from ace.memory import Conversation, Proposal, Turn
from ace.playbook import Add, Vote
from ace.playbook.formats import FORMATS, detect_format
from ace.store import AnswerFeedback, Store
from ace.task import Attempt, Episode, Feedback, FeedbackKind, Task, Verdict, load_task, score_attempt
from ace.task.traces import read_traces

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ACE_LINE = re.compile(r"^(?:.*&& )?(?:\.venv/bin/)?(ace [a-z].*)$", re.MULTILINE)
NAMED = re.compile(r"(?:`|^|&& |\.venv/bin/)(ace\s[a-z]+(?:\s[a-z]+)?)", re.MULTILINE)
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
JSON_BLOCK = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FORMAT_BLOCK = re.compile(r"^## (\w+)\n(?:(?!^## ).)*?^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_BLOCK = re.compile(r"^`([\w./]+)`\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "generate.py"))


@pytest.mark.parametrize(("name", "page"), [("cli.md", "cli_page"), ("schema.md", "schema_page")])
def test_page_is_current(name: str, page: str, generator: dict[str, Any]) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == generator[page](), "run `python docs/generate.py`"


def test_ci_runs_the_readmes_test_command() -> None:
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert command.endswith("/pytest")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_commands_exist(generator: dict[str, Any]) -> None:
    known = {" ".join(path) for path in generator["commands"](("ace",), generator["root"]())}
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    used = [command for block in blocks for command in ACE_LINE.findall(block)]
    assert used
    assert {command_of(line) for line in used} <= known


def command_of(line: str) -> str:
    """`ace learn`, or `ace playbook show`: the words that are no argument."""
    words = line.split()
    return " ".join(words[:2] if words[1] in {"learn", "online", "eval", "report", "feedback"} else words[:3])


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))])
def test_every_command_that_a_page_names_exists(page: str, generator: dict[str, Any]) -> None:
    known = {" ".join(path) for path in generator["commands"](("ace",), generator["root"]())}
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {
        " ".join(each.split()) for each in NAMED.findall(text) if not exists(each.split(), known)
    } == set()


def exists(words: list[str], known: set[str]) -> bool:
    """A group stands alone or before one of its commands; what follows a command is its argument."""
    group = any(each.startswith(" ".join(words[:2]) + " ") for each in known)
    return " ".join(words[: 3 if group else 2]) in known


def documented(name: str, folder: Path) -> Task:
    """A task of the page on tasks, written out as the page says."""
    for file, content in FILE_BLOCK.findall((DOCS / "task-format.md").read_text(encoding="utf-8")):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(content, encoding="utf-8")
    return load_task(folder / name)


@pytest.mark.parametrize(("name", "right"), [("capitals", "paris"), ("pairs", "40")])
def test_documented_tasks_work(name: str, right: str, tmp_path: Path) -> None:
    task = documented(name, tmp_path)
    sample = task.train[0]
    judged = [
        score_attempt(task.environment, sample, Attempt(sample.id, answer)) for answer in (right, "London")
    ]
    assert [verdict.correct for verdict in judged] == [True, False]


def test_documented_logs_can_be_read(tmp_path: Path) -> None:
    rows = JSON_BLOCK.findall((DOCS / "traces.md").read_text(encoding="utf-8"))
    assert len(rows) == 2
    for number, row in enumerate(rows):
        file = tmp_path / f"{number}.jsonl"
        file.write_text(row, encoding="utf-8")
        (trace,) = read_traces(file)
        assert trace.correct is False and trace.answer


def test_documented_formats_are_what_they_say() -> None:
    page = (DOCS / "formats.md").read_text(encoding="utf-8")
    examples = dict(FORMAT_BLOCK.findall(page))
    assert set(examples) == {form.name for form in FORMATS}
    for name, text in examples.items():
        form = next(form for form in FORMATS if form.name == name)
        assert name == "text" or detect_format(text).name == name
        reading = form.read(text, name, None)
        assert (reading.unread, reading.lost) == ((), ("use counts of 1",) if name == "cheatsheet" else ())
        assert 1 <= len([*(reading.playbook or ()), *reading.entries]) <= 2


def test_the_pages_calls_on_a_store_work_and_none_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line of the page's example runs, in order, on a playbook of three versions."""
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    example = next(block for block in BLOCK.findall(page) if "store.checkout()" in block)
    public = {name for name in dir(Store) if not name.startswith("_")}
    names = {
        "bullet_id": "a",
        "delta": (Vote("a", 1),),
        "episode": "ep-1",
        "AnswerFeedback": AnswerFeedback,
        **TALK,
    }
    with Store.open("one.db") as store:
        run = store.start_run("learn", "shop", {})
        attempt, shown = Attempt("s", "Lima"), Feedback(FeedbackKind.NONE, "")
        episode = Episode("ep-1", "s", "Of Peru?", attempt, shown, Verdict(False, 0.0), 0)
        for number in range(3):
            add = (Add("abc"[number], "notes", "text"),)
            store.commit(add, author="a", reason="r", run=run, step=(number, "epoch 1", {}))
        store.commit((), author="a", reason="r", run=run, episodes=[episode])
        store.tag("prod")
        store.remember("shoe size", "40", user="bob")
        exec(example, {"store": store, **names})
    assert {name for name in public if f"store.{name}(" not in page} <= RUNS_USE


def test_the_pages_delta_can_be_built_and_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example as it stands, in an empty folder."""
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    (example,) = (block for block in BLOCK.findall(page) if "bullet_id(" in block)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example, names)
    with Store.open("mine.db") as store:
        bullet = store.checkout().bullets[names["key"]]
        assert (bullet.pinned, bullet.helpful, bullet.content[-7:]) == (True, 1, "(7, 8).")
        assert [version.reason for version in store.log()][:2] == ["8 is new", "from the manual"]
    assert names["kept"].exists()


TALK: dict[str, Any] = {
    "conversation": Conversation("c", "ana", "s", "2026-01-01", (Turn("user", "I live in Lima."),)),
    "proposals": [Proposal("town", "Lima")],
}
RUNS_USE = {
    *("open", "close", "resolve", "start_run", "finish_run", "run", "steps", "versions_of"),
    *("last_unfinished", "calls", "call_journal"),
}
