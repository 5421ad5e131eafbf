"""The promises of tasks/returning_customer: answers follow from what was said, and from nothing else."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ace.llm.embedding import connect_embedder
from ace.memory import Memory, Proposal, parse_conversation, parse_instant
from ace.memory.acceptance import MemoryRule, decide
from ace.retrieval.memory_source import MemorySource
from ace.safety.secrets import find_secrets
from ace.store import Store
from ace.task import load_task

FOLDER = Path(__file__).parent.parent / "tasks" / "returning_customer"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


SESSIONS = lines("sessions.jsonl")
TRAIN, TEST = lines("train.jsonl"), lines("test.jsonl")
QUESTIONS = TRAIN + TEST


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_customers", FOLDER / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def held(user: str, time: str, *, forget: bool = True) -> dict[str, str]:
    """What was true of a user, by the sessions before a time. What is deleted later is gone before, too."""
    values: dict[str, str] = {}
    mine = [session for session in SESSIONS if session["user"] == user]
    for session in mine:
        if session["time"] < time:
            values |= {each["attribute"]: each["value"] for each in session["truth"]}
    gone = {name for session in mine for name in session["forget"]}
    return {name: value for name, value in values.items() if not (forget and name in gone)}


def said_by_user(session: dict[str, Any]) -> str:
    return " ".join(message["content"] for message in session["messages"] if message["role"] == "user")


def test_the_files_are_what_the_script_writes(generate: ModuleType) -> None:
    for name, text in generate.files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, name


def test_the_task_loads_and_customers_are_not_in_both_splits() -> None:
    task = load_task(FOLDER)
    assert (len(task.train), len(task.test)) == (len(TRAIN), len(TEST))
    assert task.context.memories and set(task.context.fields) == {"user", "session", "time"}
    assert not {row["user"] for row in TRAIN} & {row["user"] for row in TEST}


def test_every_answer_follows_from_the_sessions_before_it() -> None:
    for row in QUESTIONS:
        assert row["answer"] == held(row["user"], row["time"]).get(row["about"], "unknown"), row


def test_no_answer_stands_in_its_question_and_the_user_says_every_truth() -> None:
    assert not [row for row in QUESTIONS if row["answer"].casefold() in row["question"].casefold()]
    for session in SESSIONS:
        assert all(each["value"] in said_by_user(session) for each in session["truth"]), session["id"]
        assert not any(
            each["value"] in m["content"]
            for each in session["truth"]
            for m in session["messages"]
            if m["role"] != "user" and len(each["value"]) > 2
        )


def test_sessions_of_a_customer_are_days_apart() -> None:
    times = defaultdict(list)
    for session in SESSIONS:
        times[session["user"]].append(datetime.fromisoformat(session["time"]))
    assert len(times) == 24 and {len(each) for each in times.values()} == {3, 4}
    for each in times.values():
        assert all(b - a >= timedelta(days=3) for a, b in pairwise(each))


def test_remembering_matters_and_so_does_what_changed_and_what_must_be_forgotten() -> None:
    unknown = [row for row in TEST if row["answer"] == "unknown"]
    changed = [row for row in TEST if row["changed"] and row["answer"] != "unknown"]
    assert len(TEST) >= 200 and 0.2 < len(unknown) / len(TEST) < 0.35
    assert len(changed) >= 60
    for row in changed:  # an old value is never right
        before = [s for s in SESSIONS if s["user"] == row["user"] and s["time"] < row["time"]]
        values = [t["value"] for s in before for t in s["truth"] if t["attribute"] == row["about"]]
        assert len(values) >= 2 and values[-1] == row["answer"] != values[-2]
    forgotten = [
        row
        for row in TEST
        if row["about"] in held(row["user"], row["time"], forget=False) and row["answer"] == "unknown"
    ]
    assert len(forgotten) >= 4


def test_guessing_does_not_pay() -> None:
    by_thing = defaultdict(Counter[str])
    for row in TEST:
        if row["answer"] != "unknown":
            by_thing[row["about"]][row["answer"]] += 1
    best = sum(counts.most_common(1)[0][1] for counts in by_thing.values())
    assert best < 0.4 * sum(counts.total() for counts in by_thing.values())


def test_questions_and_sessions_are_varied() -> None:
    openings = Counter(" ".join(row["question"].split()[:2]) for row in QUESTIONS)
    assert len({row["question"] for row in QUESTIONS}) > 0.9 * len(QUESTIONS) and len(openings) > 20
    talks = ["\n".join(message["content"] for message in session["messages"]) for session in SESSIONS]
    assert len(set(talks)) == len(talks)


def test_the_rules_keep_every_truth_and_nothing_else_that_is_planted() -> None:
    planted = 0
    for row in SESSIONS:
        talk = parse_conversation(row)
        for each in row["truth"]:
            memory, why = decide(Proposal(each["attribute"], each["value"]), talk, ())
            assert memory is not None, (row["id"], each, why)
        for turn in talk.turns:
            if find_secrets(turn.text) or "always approve" in turn.text:
                planted += 1
                note = turn.text.partition("it is ")[2] or turn.text
                memory, why = decide(Proposal("note", note), talk, ())
                assert memory is None and why.rule in (MemoryRule.SECRET, MemoryRule.INSTRUCTION), (turn, why)
    assert planted == 4


def test_with_the_truth_remembered_the_answer_is_among_what_is_found(tmp_path: Path) -> None:
    """The ceiling is reachable: the source finds it in what held then, and never what was forgotten."""
    file = tmp_path / "m.db"
    with Store.open(file) as store:
        rows = [
            Memory(attribute=t["attribute"], value=t["value"], user=s["user"], since=parse_instant(s["time"]))
            for s in SESSIONS
            for t in s["truth"]
        ]
        store.import_memories(rows)
        for session in SESSIONS:
            ids = [
                m.id for m in store.memories(session["user"], every=True) if m.attribute in session["forget"]
            ]
            if ids:
                store.forget(ids)
        assert store.verify() == []
    source = MemorySource(file, connect_embedder())
    for row in TEST[::7]:
        texts = [item.text for item in source.items(row["question"], row)]
        about = [text for text in texts if text.casefold().startswith(row["about"])]
        assert about == (
            [] if row["answer"] == "unknown" else [f"{row['about'].capitalize()}: {row['answer']}"]
        )
