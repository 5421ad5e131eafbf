"""`ace learn` on a terminal, and `ace watch` from another process: lessons, the time left, and a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ace.cli import watch_commands
from ace.llm import Request, Role
from ace.store import Store
from ace.store.process_mark import ProcessState, check_process, mark_process
from tests.cli import Ace
from tests.model_server import ModelServer
from tests.on_terminal import Terminal, start
from tests.world import says, write_world

_REFLECTIONS = 5  # from which on the model waits: two batches of two have been learned by then


class Gate:
    """A model that stops in the middle of an epoch until it is let on."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self._reflections = 0
        self._lock = threading.Lock()

    def say(self, request: Request) -> str:
        if request.role is not Role.GENERATOR:
            with self._lock:
                self._reflections += 1
                waits = self._reflections >= _REFLECTIONS
            if waits:
                self.opened.wait()
        return says(request)


@pytest.fixture
def gate() -> Iterator[tuple[Gate, ModelServer]]:
    gate = Gate()
    server = ModelServer(gate.say)
    yield gate, server
    gate.opened.set()
    server.close()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def learning(server: ModelServer) -> list[str]:
    pace = ["--batch-size", "2", "--workers", "1", "--playbook", "colours.db", "--replays", "0"]
    return ["learn", "colours", "--model", "openai/m", "--api-base", server.api_base, *pace]


def read_events(file: Path) -> list[dict[str, Any]]:
    """Return the whole lines that are in a file by now."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def test_a_terminal_shows_lessons_and_the_time_left_and_another_process_follows(
    tmp_path: Path, gate: tuple[Gate, ModelServer], terminal: Terminal, ace: Ace
) -> None:
    model, server = gate
    write_world(tmp_path / "colours")
    learner = terminal.start(learning(server), tmp_path)
    lesson = terminal.read_until(
        r"lesson \S+, version \d+: (\w+) means twice \d+\s+fixed: Which number has \w+"
    )
    colour = lesson.split(": ")[1].split()[0]
    assert lesson.endswith(f"fixed: Which number has {colour}")
    terminal.read_until(r"(about \d+ (s|min)|a few seconds) left(?! of)")

    lines = tmp_path / "lines.jsonl"
    watcher = start(["watch", "colours.db", "--json"], tmp_path, str(lines))
    while not any(event["event"] == "progress" for event in read_events(lines)):
        assert watcher.is_alive() or lines.exists()
        time.sleep(0.05)
    assert learner.is_alive(), terminal.text
    model.opened.set()
    terminal.read_until(r"ace eval colours --playbook|Next")
    watcher.join(120)
    learner.join(120)
    assert (learner.exitcode, watcher.exitcode) == (0, 0), lines.read_text()

    events = read_events(lines)
    assert events[0]["event"] == "run" and events[0]["state"] == "running"
    lessons = [event for event in events if event["event"] == "lesson"]
    with Store.open(tmp_path / "colours.db", create=False, read_only=True) as store:
        assert {lesson["bullet"] for lesson in lessons} == {bullet.id for bullet in store.checkout().active}
        assert store.verify() == []
    by_colour = {lesson["content"].split()[0]: lesson["witnesses"][0] for lesson in lessons}
    assert all(witness["question"] == f"Which number has {name}?" for name, witness in by_colour.items())
    assert all(witness["is_fixed"] for witness in by_colour.values())
    phases = [event["phases"] for event in events if event["event"] == "progress"][-1]
    positions = {phase["phase"]: (phase["done"], phase["total"]) for phase in phases}
    assert [positions[name] for name in ("before", "epoch 1", "after")] == [(10, 10)] * 3
    assert events[-1]["event"] == "end" and events[-1]["state"] == "done"
    assert events[-1]["report"]["after"]["correct"] == 10

    again = ace("watch")  # a run that is over
    assert again.code == 0 and "run 1 is done: 10 of 10 right" in again.out
    assert again.err.count("lesson ") == len(lessons)


def test_a_run_that_was_killed_is_said_to_be_and_goes_on(
    tmp_path: Path, gate: tuple[Gate, ModelServer], terminal: Terminal, ace: Ace
) -> None:
    model, server = gate
    write_world(tmp_path / "colours")
    learner = terminal.start(learning(server), tmp_path)
    terminal.read_until(r"lesson \S+")
    os.kill(learner.pid or 0, signal.SIGKILL)
    watched = ace("watch", "1", "--json")  # the dead process has not been waited for: it is a zombie
    events = [json.loads(line) for line in watched.out.splitlines()]
    assert watched.code == 1 and events[-1]["state"] == "killed"
    assert any(event["event"] == "lesson" for event in events)
    learner.join(60)
    told = ace("watch", "colours.db")
    assert told.code == 1 and "run 1 was killed" in told.out and "--resume" in told.out
    assert "was killed" in ace("doctor", "colours.db").out

    model.opened.set()
    resumed = start([*learning(server), "--resume"], tmp_path, str(tmp_path / "resumed.txt"))
    resumed.join(120)
    assert resumed.exitcode == 0
    done = ace("watch", "1")
    assert done.code == 0 and "run 1 is done: 10 of 10 right" in done.out


def test_a_copy_of_a_file_says_that_its_run_goes_on_elsewhere(ace: Ace, tmp_path: Path) -> None:
    """The process is there, and works on the other file; nobody waits for it here."""
    with Store.open(tmp_path / "p.db") as store:
        config = {"process": mark_process(store.path)}
        store.start_run("learn", "t", config)
    shutil.copy(tmp_path / "p.db", tmp_path / "copy.db")
    watched = ace("watch", "copy.db")
    assert watched.code == 1 and "run 1 was under way in another file" in watched.out
    lines = [json.loads(line) for line in ace("watch", "copy.db", "--json").out.splitlines()]
    assert lines[-1]["state"] == "copied"
    assert "is a copy of" in ace("doctor", "copy.db").out and "is under way" in ace("doctor", "p.db").out
    (tmp_path / "p.db").rename(tmp_path / "moved.db")
    assert check_process(config["process"], tmp_path / "moved.db") is ProcessState.ALIVE


@pytest.mark.parametrize(("kind", "is_lost"), [("learn", True), ("agent", False)])
def test_a_run_of_a_process_that_nobody_sees_is_not_followed_for_ever(
    kind: str, is_lost: bool, ace: Ace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_commands, "_LOST", 0.0)
    with Store.open(tmp_path / "p.db") as store:
        number = store.start_run(kind, "t", {"process": {"pid": 1, "host": "another", "began": "1"}})
        looks = watch_commands._look_until_the_end(store, number)
        assert [next(looks, None) is not None for _ in range(3)] == [True, not is_lost, not is_lost]
    if is_lost:
        watched = ace("watch", "p.db")
        assert watched.code == 1 and "its process cannot be seen from here" in watched.out


def test_what_cannot_be_watched_is_named(ace: Ace, tmp_path: Path) -> None:
    assert ace("watch").code == 2
    missing = ace("watch", "nowhere.db")
    assert missing.code == 1 and "There is no playbook at nowhere.db" in missing.err
    with Store.open(tmp_path / "empty.db"):
        pass
    assert "no runs in empty.db yet" in ace("watch", "empty.db").err
    assert "There is no run 7" in ace("watch", "7").err
    both = ace("watch", "empty.db", "--playbook", "empty.db")
    assert both.code == 2 and "Two playbooks" in both.err
    elsewhere = ace("watch", "mysql://ann@db.example/lessons")
    assert elsewhere.code == 2 and "mysql" in elsewhere.err and "postgresql://" in elsewhere.err


@pytest.mark.parametrize(("status", "code"), [("failed", 1), ("capped", 3), ("interrupted", 1)])
def test_how_a_run_ended_decides_the_exit_code(status: Any, code: int, ace: Ace, tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        store.finish_run(store.start_run("eval", "t", {}), status, None)
    assert ace("watch").code == code
