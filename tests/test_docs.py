"""Check the pages against the code: generated ones are current, examples run, commands and links exist."""

from __future__ import annotations

import ast
import re
import runpy
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ace
from ace import agent, methods
from ace.agent import Draw
from ace.context import Assembled
from ace.memory import Conversation, Proposal, Turn
from ace.playbook import Add, Vote
from ace.playbook.formats import FORMATS, detect_format
from ace.store import AnswerFeedback, Store
from ace.task import Attempt, Episode, Feedback, FeedbackKind, Task, Verdict, load_task, score_attempt
from ace.task.traces import read_traces
from ace.task.types import Solving
from ace.testing import World
from tests.test_architecture import ROWS
from tests.world import client, world

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ACE_LINE = re.compile(r"^(?:.*&& )?(?:\.venv/bin/)?(ace [a-z].*)$", re.MULTILINE)
NAMED = re.compile(r"(?:`|^|&& |\.venv/bin/)(ace\s[a-z]+(?:\s[a-z]+)?)", re.MULTILINE)
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
JSON_BLOCK = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FORMAT_BLOCK = re.compile(r"^## (\w+)\n(?:(?!^## ).)*?^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON_BLOCK = re.compile(r"^## ([\w ]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# commands without commands of their own
SINGLE = {"init", "learn", "online", "eval", "report", "feedback", "mcp", "watch", "doctor", "ui"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FILE_BLOCK = re.compile(r"^`([\w./]+)`\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

OTHER_PAGES = [
    "CHANGELOG.md",
    "playbooks/README.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("benchmarks/**/*.md"))),
    *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("tasks/*/README.md"))),
]
INITS = sorted((ROOT / "ace").rglob("__init__.py"))
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))]


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "generate.py"))


def test_generated_pages_are_current(generator: dict[str, Any]) -> None:
    pages = generator["pages"]()
    stale = [name for name, text in pages.items() if (DOCS / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run `python docs/generate.py`"


def test_ci_runs_the_readmes_test_command() -> None:
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert command.endswith("/pytest")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_exist(page: str, generator: dict[str, Any]) -> None:
    known = {" ".join(path) for path in generator["commands"](("ace",), generator["root"]())}
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    used = [command for block in blocks for command in ACE_LINE.findall(block)]
    assert used or page != "README.md"
    assert {command_of(line) for line in used} <= known


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES])
def test_links_lead_somewhere(page: str) -> None:
    """Links to files of the repository, and to headings in them."""
    file = ROOT / page
    for link in LINK.findall(BLOCK.sub("", file.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = HEADING.findall(BLOCK.sub("", file.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_names_every_room() -> None:
    """Each folder of the package and of the repository has a line in the tree, and no line has no folder."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = next(block for block in BLOCK.findall(page) if block.startswith("ace/"))
    rooms = set(re.findall(r"^  (\w+)/", tree, re.MULTILINE))
    assert rooms == {path.parent.name for path in (ROOT / "ace").glob("*/__init__.py")}
    folders = set(re.findall(r"^(\w+)/", tree, re.MULTILINE))
    assert folders <= {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert folders >= {"ace", "tasks", "tests", "benchmarks", "docs", "notebooks", "playbooks"}


@pytest.mark.parametrize("init", INITS, ids=lambda path: path.parent.name)
def test_the_map_of_a_package_names_every_module(init: Path) -> None:
    """A package whose docstring has a line for a module has one for each."""
    docstring = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")), clean=False) or ""
    named = set(re.findall(r"^    (\w+)  ", docstring, re.MULTILINE))
    modules = {path.stem for path in init.parent.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in init.parent.glob("*/__init__.py")}
    assert named in (set(), modules | packages)


def test_the_readme_shows_the_rows_of_rooms() -> None:
    """From the top down, a bracket around the rooms of one row, as `test_architecture` has them."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    rows: list[set[str]] = []
    for room, bracket in re.findall(r"^  (\w+)(?:/|\.py) +([┐│┘]?)", page, re.MULTILINE):
        rows = [*rows[:-1], rows[-1] | {room}] if bracket in ("│", "┘") else [*rows, {room}]
    assert rows == list(ROWS)


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    named = re.findall(r"`(ace/[\w/]+(?:/|\.py))`", (ROOT / page).read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def command_of(line: str) -> str:
    """`ace learn`, or `ace playbook show`: the words that are no argument."""
    words = line.split()
    if words[1] == "compare":  # what is no command of the group is a task
        return "ace compare show" if words[2] == "show" else "ace compare run"
    if words[1] == "proxy":  # so are its options those of `serve`
        return "ace proxy add-project" if words[2] == "add-project" else "ace proxy serve"
    return " ".join(words[:2] if words[1] in SINGLE else words[:3])


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists(page: str, generator: dict[str, Any]) -> None:
    known = {" ".join(path) for path in generator["commands"](("ace",), generator["root"]())}
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {
        " ".join(each.split()) for each in NAMED.findall(text) if not exists(each.split(), known)
    } == set()


def exists(words: list[str], known: set[str]) -> bool:
    """A group stands alone or before one of its commands; what follows a command is its argument."""
    if words[:2] in (["ace", "compare"], ["ace", "proxy"]):  # a task may follow, or an option
        return True
    group = any(each.startswith(" ".join(words[:2]) + " ") for each in known)
    return " ".join(words[: 3 if group else 2]) in known


def documented(name: str, folder: Path) -> Task:
    """A task of the page on tasks, written out as the page says."""
    for file, content in FILE_BLOCK.findall((DOCS / "task-format.md").read_text(encoding="utf-8")):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(content, encoding="utf-8")
    return load_task(folder / name, trust=True)


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


def test_the_pages_queries_run_and_every_table_is_named(tmp_path: Path) -> None:
    page = (DOCS / "playbook.md").read_text(encoding="utf-8")
    with Store.open(tmp_path / "colours.db") as store:
        ace.learn(world(), store, client(), measure=False)
    with sqlite3.connect(tmp_path / "colours.db") as db:
        queries = re.findall(r"^sqlite3 shop_sql\.db '(.+)'$", page, re.MULTILINE)
        assert queries and all(db.execute(query).fetchall() for query in queries)
        objects = db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall()
    db.close()
    rows = re.findall(r"^\| (`.+?) \|", page[page.index("| view |") :], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for (name,) in objects if "sqlite" not in name}


@pytest.fixture(scope="module")
def examples() -> Mapping[str, dict[str, Any]]:
    """The names that each example of the page on extending defines, by its heading."""
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    results = {}
    for heading, code in PYTHON_BLOCK.findall(page):
        results[heading] = names = {"__name__": f"example {heading}"}
        exec(compile(code, heading, "exec", dont_inherit=True), names)
    return results


def test_every_kind_of_extension_has_an_example(examples: Mapping[str, dict[str, Any]]) -> None:
    kinds = ["A method", "An environment", "A solver", "A client", "A source", "A model for tests"]
    assert list(examples) == kinds


def test_the_method_learns_and_resumes(
    examples: Mapping[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = examples["A method"]["build_answer_book"]
    monkeypatch.setattr(methods, "METHODS", {**methods.METHODS, "answer_book": methods.KnownMethod(build)})
    with Store.open(tmp_path / "p.db") as store:
        caps = ace.Caps(calls=12)
        assert ace.learn(world(), store, World(), method="answer_book", workers=1, caps=caps).stopped
        report = ace.learn(world(), store, World(), method="answer_book", workers=1, resume=True)
        assert (report.bullets, report.accepted, store.verify()) == (10, 10, [])


def test_the_environment_proves_without_labels(
    examples: Mapping[str, dict[str, Any]], tmp_path: Path
) -> None:
    model = World(
        generator=lambda request: "7" if any("seven" in text for text in request.bullets) else "91",
        lessons=lambda request: ["Try seven first."],
    )
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(examples["An environment"]["task"], store, model, feedback="execution")
    assert (report.bullets, report.quarantined) == (1, 0)
    environment = examples["An environment"]["task"].environment
    with pytest.raises(ace.AceError, match="whole number"):
        environment.check(ace.Sample("c", "A divisor of it?"))


def test_the_solver_takes_the_most_common_answer(examples: Mapping[str, dict[str, Any]]) -> None:
    class Moody:
        def solve(self, sample: ace.Sample, context: Assembled, workspace: None, draw: Draw) -> Attempt:
            return Attempt(sample.id, "ABB"[draw.seed])

    solver = examples["A solver"]["MostCommon"](Moody())
    assert solver.solve(ace.Sample("a", "?"), Assembled("", "", 0, 0), None, Draw()).answer == "B"


def test_a_task_chooses_the_solver(
    examples: Mapping[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = examples["A solver"]["build_most_common"]
    monkeypatch.setattr(agent, "SOLVERS", {**agent.SOLVERS, "most_common": build})
    model, task = client(), world()
    with Store.open(tmp_path / "p.db") as store:
        ace.evaluate(replace(task, solver=Solving(kind="most_common")), store, model, split="train")
    assert model.calls["generator"] == 3 * len(task.train)


def test_an_agent_behind_a_client_learns_from_a_model(
    examples: Mapping[str, dict[str, Any]], tmp_path: Path
) -> None:
    reflector = World(lessons=lambda request: ["Cancelled orders: st = 7"])
    roles = ace.RoleModels.of(examples["A client"]["MyAgent"](), reflector=reflector)
    task = examples["A source"]["task"]
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(task, store, roles)
        assert [bullet.content for bullet in store.checkout().active] == ["Cancelled orders: st = 7"]
    assert report.models["generator"] == "my-agent"


def test_the_source_is_shown_and_the_model_for_tests_learns(
    examples: Mapping[str, dict[str, Any]], tmp_path: Path
) -> None:
    model = examples["A model for tests"]["client"]
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(examples["A source"]["task"], store, model)
    assert report.bullets == 1 and model.calls["reflector"] >= 1
    assert "Cancelled orders have st = 7." in model.requests[0].messages[-1].content


TALK: dict[str, Any] = {
    "conversation": Conversation("c", "ana", "s", "2026-01-01", (Turn("user", "I live in Lima."),)),
    "proposals": [Proposal("town", "Lima")],
}
RUNS_USE = {
    *("open", "close", "find_version", "start_run", "finish_run", "run", "steps", "versions_of"),
    *("last_unfinished", "calls", "call_journal", "open_episodes", "end_episode", "episode_beginning"),
    *("continue_run", "call_totals", "usage_since", "questions", "count_episodes", "learned_since_set_aside"),
}


def test_documents_are_searched_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(
        r"^```python\n(.*?)^```$",
        (DOCS / "documents.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    (tmp_path / "handbook").mkdir()
    page = "# Returns\n\nA bike may come back 20 minutes late.\n"
    (tmp_path / "handbook" / "returns.md").write_text(page, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "documents.md", "exec", dont_inherit=True), {})
    assert "handbook/returns.md:1-3" in capsys.readouterr().out


def test_every_decision_has_a_date_and_a_status_and_is_in_the_index() -> None:
    page = (DOCS / "decisions.md").read_text(encoding="utf-8")
    entries = re.findall(r"^## (.+)\n\n\*(\d{4}-\d\d-\d\d), (.+)\.\*$", page, re.MULTILINE)
    rows = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| \[(.+)\]\(#\S+\) \| (.+) \|$", page, re.MULTILINE)
    assert [(date, name, status) for name, date, status in entries] == rows
    names = {name for name, _, _ in entries}
    assert len(names) == page.count("\n## ")
    kinds = ("standing", "replaced by ", "to be measured")
    assert all(status.startswith(kinds) for _, _, status in entries)
    for _, _, status in entries:
        assert set(re.findall(r'"(.+?)"', status)) <= names
