"""What users get wrong and what machines do, at the command line: one message, the right code, nothing lost.

Every way a task folder can be wrong has its test in test_task_folder; here is one of each kind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ace.llm import Request
from ace.llm.local import weights
from ace.store import Store, connection
from tests.cli import Ace
from tests.model_server import ModelServer
from tests.test_cli_end_to_end import Run, Whole, hashes, statuses
from tests.test_cli_end_to_end import run as run
from tests.test_cli_end_to_end import whole as whole
from tests.test_llm_weights import FileServer, tiny
from tests.test_task_folder import GOOD, TOML, row, write

pytestmark = pytest.mark.usefixtures("colours")

TASKS: dict[str, tuple[dict[str, str | None], str]] = {
    # what changes in a good task folder (None: deleted), what the message says
    "no task.toml": (
        {"task.toml": None},
        "demo/task.toml: No such file. A task is a folder with a task.toml.",
    ),
    "malformed task.toml": ({"task.toml": "name = demo"}, "demo/task.toml:1: Not valid TOML"),
    "missing key": (
        {"task.toml": TOML.replace("name", "# ")},
        "demo/task.toml [name]: Missing; expected text",
    ),
    "missing data": ({"train.jsonl": None}, "demo/task.toml [data.train]: No such file: 'train.jsonl'"),
    "malformed data": ({"train.jsonl": row() + "\n{'id'"}, "demo/train.jsonl:2: Not valid JSON"),
    "gold SQL that fails": (
        {"train.jsonl": row(gold_sql="SELECT z FROM t")},
        "demo/train.jsonl:1 [gold_sql]",
    ),
    "duplicate ids": (
        {"test.jsonl": row("one", "Which?")},
        "demo/test.jsonl:1 [id]: Sample one: Id 'one' is used twice",
    ),
    "same question": (
        {"test.jsonl": row("two")},
        "The same question is in train (train.jsonl:1) and in test.",
    ),
    "empty training set": (
        {"train.jsonl": ""},
        "train.jsonl: The file has no rows. Learning needs at least one row.",
    ),
}


@pytest.mark.parametrize("command", ["learn", "online", "eval"])
@pytest.mark.parametrize("name", TASKS)
def test_a_bad_task_is_2_and_nothing_is_started(ace: Ace, command: str, name: str) -> None:
    change, said = TASKS[name]
    write(Path("demo"), {file: text for file, text in {**GOOD, **change}.items() if text is not None})
    done = ace(command, "demo")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not list(Path().glob("*.db"))


def test_weights_that_fail_their_digest_are_1_and_deleted(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FileServer()
    wrong = tiny(files.url)
    object.__setattr__(wrong, "sha256", hashlib.sha256(b"other bytes").hexdigest())
    monkeypatch.setitem(weights.KNOWN, "tiny", wrong)
    monkeypatch.setattr(weights, "cache_folder", Path)
    monkeypatch.delenv(weights.ENVIRONMENT, raising=False)
    done = ace("models", "pull", "local/tiny")
    files.close()
    assert (done.code, done.out) == (1, "")
    assert "has been deleted" in done.err
    assert [file.name for file in Path().rglob("*tiny*") if file.suffix != ".lock"] == []


# Playbook files


def no_playbook(file: Path) -> None:
    file.write_text("dear diary " * 100, encoding="utf-8")


def newer(file: Path) -> None:
    Store.open(file).close()
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


COMMANDS = ("learn", "playbook import", "playbook revert", "playbook show", "runs list")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("spoil", "said"), [(no_playbook, "is not a playbook"), (newer, "Upgrade the package")]
)
def test_a_file_that_cannot_be_used_is_1_and_stays_as_it_is(
    ace: Ace, server: ModelServer, command: str, spoil: Any, said: str
) -> None:
    file = Path("mine.db")
    spoil(file)
    before = file.read_bytes()
    done = ace(*typed(command), "--playbook", "mine.db")
    assert (done.code, done.out) == (1, "")
    assert "mine.db" in done.err and said in done.err
    assert len(done.err.splitlines()) == 1
    assert file.read_bytes() == before


def typed(command: str) -> Sequence[str]:
    Path("new.md").write_text("- cents are cents\n", encoding="utf-8")
    more = {"learn": ["colours"], "playbook import": ["new.md"], "playbook revert": ["0"]}
    return [*command.split(), *more.get(command, [])]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a lock."""

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return connection.connect(path, **{**options, "timeout": 0.01})

    monkeypatch.setattr("ace.store.store.connect", connect)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_locked_file_is_1_and_can_still_be_read(ace: Ace, command: str) -> None:
    Store.open("mine.db").close()
    with contextlib.closing(sqlite3.connect("mine.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = ace(*typed(command), "--playbook", "mine.db")
    reads = command in ("playbook show", "runs list")
    assert done.code == (0 if reads else 1)
    assert reads or "mine.db is locked by another process" in done.err


@pytest.mark.usefixtures("impatient")
def test_a_file_locked_in_the_middle_of_a_run_is_1_and_nothing_is_lost(
    run: Run, server: ModelServer, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ace.store.call_journal._WAIT", 1.0)  # not a minute
    say, other = server.say, sqlite3.connect("colours.db", isolation_level=None, check_same_thread=False)

    def lock(request: Request) -> str:
        if server.calls == whole.in_the_second_batch:
            other.execute("BEGIN IMMEDIATE")
        return say(request)

    server.say = lock
    done = run("learn", "--workers", "1")
    assert (done.code, done.out) == (1, "")
    assert "colours.db is locked by another process" in done.err
    other.close()
    assert hashes("colours.db") == whole.versions[-2:]
    assert run("learn", "--resume").code == 0
    assert hashes("colours.db") == whole.versions


def test_a_full_disk_is_1_and_nothing_is_lost(
    run: Run, server: ModelServer, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        db = connection.connect(path, **options)
        db.execute("VACUUM")  # a new file has pages to spare
        room = db.execute("PRAGMA page_count").fetchone()[0] + 1
        db.execute(f"PRAGMA max_page_count = {room}")
        return db

    with monkeypatch.context() as patch:
        patch.setattr("ace.store.store.connect", connect)
        done = run("learn")
    assert (done.code, done.out) == (1, "")
    assert "colours.db could not grow: the disk is full" in done.err
    assert "Free some space and run the command again: everything acknowledged so far is kept." in done.err
    kept = hashes("colours.db")
    assert kept == whole.versions[-len(kept) :]
    assert statuses() != ["done"]
    assert run("learn", "--resume").code == 0
    assert hashes("colours.db") == whole.versions
    assert statuses() == ["done"]


# Playbooks as text


@pytest.mark.parametrize("name", ["export.md", "export.json"])
def test_an_unedited_export_changes_nothing(run: Run, ace: Ace, name: str) -> None:
    run("learn")
    ace("playbook", "revert", "1")
    ace("playbook", "revert", "3")
    ace("playbook", "export", name)
    for more in ([], ["--replace"]):
        found = json.loads(ace("playbook", "import", name, "--json", *more).out)
        assert (found["version"]["number"], found["rejected"]) == (6, [])


def test_an_edited_export_changes_what_was_edited(run: Run, ace: Ace) -> None:
    run("learn")
    ace("playbook", "export", "export.md")
    text = Path("export.md").read_text(encoding="utf-8")
    first = next(line for line in text.splitlines() if line.startswith("- "))
    Path("export.md").write_text(text.replace(first, f"- New first.\n{first}", 1), encoding="utf-8")
    ace("playbook", "import", "export.md")
    operations = json.loads(ace("playbook", "diff", "4", "--json").out)["operations"]
    assert "New first." in [operation.get("content") for operation in operations]
    assert not [operation for operation in operations if operation["op"] not in ("add", "move")]


def test_a_text_that_does_not_read_makes_no_playbook(ace: Ace) -> None:
    Path("broken.txt").write_text("Dear diary,\ntoday\n", encoding="utf-8")
    done = ace("playbook", "import", "broken.txt", "--playbook", "new.db")
    assert (done.code, done.out) == (2, "")
    assert "broken.txt: It holds no bullets that any format knows." in done.err
    assert not Path("new.db").exists()
