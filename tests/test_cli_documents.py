"""`ace documents`: index, search, list; and a task whose folder of documents is asked for every question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import Ace


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\nA late bike costs 3.50 euros.\n", encoding="utf-8")
    (folder / "hours.txt").write_text("We open at 08:30.\n", encoding="utf-8")
    (folder / "photo.jpg").write_bytes(b"\xff")
    return folder


def test_index_search_and_list(ace: Ace, handbook: Path) -> None:
    done = ace("documents", "index", "handbook")
    assert (done.code, done.out) == (
        0,
        "2 documents with 2 passages in handbook.documents.db (2 new).\n"
        "Not indexed (1):\n  photo.jpg: not Markdown, text, HTML or PDF\n",
    )
    assert "indexing 2/2" in done.err and "embedding 2/2" in done.err
    found = ace("documents", "search", "What does a late bike cost?", "--most", "1")
    assert found.out == (
        "handbook/returns.md:1-3  (words 1, meaning 1)\n  # Returns\n  A late bike costs 3.50 euros.\n"
    )
    listed = ace("documents", "list").out
    assert "handbook/hours.txt   18 bytes  1 passage" in listed
    assert listed.endswith("2 documents with 2 passages; embedder: wordllama.\n")


def test_as_json(ace: Ace, handbook: Path) -> None:
    made = json.loads(ace("documents", "index", "handbook", "--into", "x.db", "--json").out)
    assert (made["index"], made["documents"], made["added"]) == ("x.db", 2, ["hours.txt", "returns.md"])
    assert made["skipped"] == [{"path": "photo.jpg", "reason": "not Markdown, text, HTML or PDF"}]
    found = json.loads(ace("documents", "search", "late", "--index", "x.db", "--json").out)
    assert found["embedder"] == "wordllama"
    assert found["found"][0]["citation"] == "handbook/returns.md:1-3"
    listed = json.loads(ace("documents", "list", "--index", "x.db", "--json").out)
    assert [each["path"] for each in listed["documents"]] == ["handbook/hours.txt", "handbook/returns.md"]


def test_by_words_alone(ace: Ace, handbook: Path) -> None:
    ace("documents", "index", "handbook", "--embedder", "none")
    assert ace("documents", "list").out.endswith("embedder: none; 2 passages without a vector.\n")
    assert "(words 1)" in ace("documents", "search", "late").out
    assert ace("documents", "search", "zebra").out == "Nothing in the index fits.\n"


def test_many_skipped_files_are_counted_by_reason(ace: Ace, handbook: Path) -> None:
    for number in range(40):
        (handbook / f"{number}.png").write_bytes(b"")
    lines = ace("documents", "index", "handbook").out.splitlines()
    assert lines[1] == "Not indexed (41):"
    assert (len(lines), lines[-1]) == (23, "  and 21 more: not Markdown, text, HTML or PDF")


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("index", "nowhere"), 2, "There is no folder nowhere."),
        (("index", "void"), 2, "The folder void is empty."),
        (("search", "x"), 2, "Which index? The .documents.db files here are: none."),
        (("search", "x", "--index", "none.db"), 1, "There is no index of documents at none.db."),
        (("list", "--index", "handbook/hours.txt"), 1, "is not an index of documents"),
        (("index", "handbook", "--into", "handbook/hours.txt"), 1, "is not an index of documents"),
        (("index", "handbook", "--into", "no/such/x.db"), 1, "cannot be opened"),
        (("index", "handbook", "--embedder", "nobody/nothing"), 2, "No provider serves a model called"),
    ],
)
def test_errors(ace: Ace, handbook: Path, command: tuple[str, ...], code: int, message: str) -> None:
    (handbook.parent / "void").mkdir()
    done = ace("documents", *command)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_an_interrupt_keeps_what_is_done(ace: Ace, handbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ace.llm.embedding import WordLlama

    def interrupted(self: object, texts: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(WordLlama, "__call__", interrupted)
        done = ace("documents", "index", "handbook")
    assert done.code == 130
    assert "what was indexed so far is in handbook.documents.db. Run the command again" in done.err
    assert ace("documents", "index", "handbook").out.startswith(
        "2 documents with 2 passages in handbook.documents.db (2 as before)."
    )


TASK = """
name = "desk"
environment = "answer"
instructions = "Answer."
[data]
train = "train.jsonl"
[context]
documents = "handbook"
"""


def test_a_task_is_shown_its_documents_and_the_index_is_not_taken_for_a_playbook(
    ace: Ace, handbook: Path
) -> None:
    row = {"id": "fee", "question": "What does a late bike cost?", "answer": "3.50"}
    (handbook.parent / "task.toml").write_text(TASK, encoding="utf-8")
    (handbook.parent / "train.jsonl").write_text(json.dumps(row), encoding="utf-8")
    made = json.loads(ace("context", "show", ".", "--sample", "fee", "--json").out)
    assert made["items"][0]["label"] == "handbook/returns.md:1-3"
    assert "A late bike costs 3.50 euros." in made["user"]

    from ace.retrieval.sources import build_sources
    from ace.store import Store
    from ace.task import load_task

    with Store.open("desk.db") as store:
        sources = build_sources(load_task(handbook.parent), store)
    assert [source.name for source in sources] == ["documents"]
    assert sorted(path.name for path in Path().glob("*.db")) == ["desk.db", "desk.documents.db"]
    assert ace("playbook", "log").code == 0


def test_a_task_whose_folder_holds_no_document_says_so(ace: Ace, handbook: Path) -> None:
    row = {"id": "fee", "question": "What does a late bike cost?", "answer": "3.50"}
    (handbook.parent / "task.toml").write_text(TASK, encoding="utf-8")
    (handbook.parent / "train.jsonl").write_text(json.dumps(row), encoding="utf-8")
    for name in ("returns.md", "hours.txt"):
        (handbook / name).unlink()
    done = ace("context", "show", ".", "--sample", "fee")
    assert done.code == 2
    assert "can be indexed (photo.jpg: not Markdown, text, HTML or PDF)" in done.err


def test_a_run_is_resumed_only_with_the_same_documents(handbook: Path, tmp_path: Path) -> None:
    from ace.retrieval.documents import DocumentSource
    from ace.retrieval.sources import fingerprint_sources

    def state() -> list[str] | None:
        return fingerprint_sources([DocumentSource.open(handbook, tmp_path / "t.documents.db", None)])

    before = state()
    assert before == state() and before and before[0].startswith("documents ")
    (handbook / "hours.txt").write_text("We open at noon.\n", encoding="utf-8")
    assert state() != before
