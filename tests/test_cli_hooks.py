"""`ace hook` as a person and a coding agent call it: settings, lessons, records of sessions, faults."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ace.cli import hook_calls
from ace.hooks import recorded_sessions
from ace.hooks.coding_agent import AGENTS
from ace.hooks.recorded_sessions import list_sessions, read_sessions
from ace.hooks.session import MOST_TRIES, list_notes, locate_notes
from ace.playbook import Add
from ace.store import Store
from tests.cli import Ace, Done
from tests.model_server import ModelServer
from tests.pace import patience
from tests.world import COLOURS

LESSON = "Status 7 means cancelled."
PLAYBOOK = Path("shop.db")
KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3


@pytest.fixture
def home(ace: Ace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a playbook, and an empty home. Sessions are recorded before a call returns."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hook_calls, "run_apart", lambda first, then: (first(), then()))
    for agent in AGENTS.values():
        monkeypatch.delenv(agent.folder_variable, raising=False)
    command = tmp_path / "bin" / "ace"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    with Store.open(PLAYBOOK) as store:
        store.commit((Add("s-1", "strategies", LESSON),), author="person", reason="test")
    return tmp_path / "home"


def call(ace: Ace, monkeypatch: pytest.MonkeyPatch, moment: str, payload: object, *options: str) -> Done:
    """Call a hook as a coding agent does."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    agent = () if options and options[0] in AGENTS else ("claude-code",)
    return ace("hook", moment, *agent, *options, "--playbook", str(PLAYBOOK))


def transcript(name: str, question: str = "Which orders were cancelled?", answer: str = "3 and 8") -> str:
    """Write what a session said, in a form that any log may have."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    path = Path(name).absolute()
    path.write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    return str(path)


def sessions() -> list[tuple[str, str, int]]:
    with Store.open(PLAYBOOK, read_only=True) as store:
        assert store.verify() == []
        return [(e.sample_id, e.attempt.answer, e.context_version) for e in list_sessions(store)]


def log() -> str:
    file = locate_notes(PLAYBOOK) / "hooks.log"
    return file.read_text(encoding="utf-8") if file.exists() else ""


@pytest.mark.parametrize("agent", AGENTS)
def test_installing_twice_changes_nothing_and_removing_takes_out_only_ours(
    ace: Ace, home: Path, agent: str
) -> None:
    file = AGENTS[agent].settings
    file.parent.mkdir(parents=True)
    before = '{\n    "hooks": {"Stop": [ ]},\n    "model":  "x"\n}'
    file.write_text(before)
    done = ace("hook", "install", agent)
    assert done.code == 0 and str(Path("shop.db").absolute()) in done.out
    installed = file.read_text()
    assert "nothing changed" in ace("hook", "install", agent).out and file.read_text() == installed
    assert f"{agent}: installed" in ace("hook", "status", agent).out
    assert ace("hook", "remove", agent).code == 0 and file.read_text() == before
    assert "nothing changed" in ace("hook", "remove", agent).out
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_settings_file_that_is_missing_is_made(ace: Ace, home: Path) -> None:
    assert ace("hook", "install", "claude-code", "--budget", "500").code == 0
    settings = json.loads((home / ".claude" / "settings.json").read_text())
    command = settings["hooks"]["SessionStart"][0]["hooks"][0]["command"]
    assert command.endswith("--budget 500") and Path(command.split()[0]).is_absolute()


def make_link(file: Path) -> None:
    file.with_name("real.json").write_text("{}")
    file.symlink_to("real.json")


def make_read_only(file: Path) -> None:
    file.write_text("{}")
    file.chmod(0o444)


ODD_FILES = {
    "symbolic link": make_link,
    "read-only": make_read_only,
    "not valid JSON": lambda file: file.write_text('{"hooks": '),
    "no object": lambda file: file.write_text("[]"),
    "larger than the 1 MB": lambda file: file.write_text("{" + " " * 1_000_000 + "}"),
    "it is a folder": lambda file: file.mkdir(),
    "it is a pipe": os.mkfifo,
    "not UTF-8": lambda file: file.write_bytes(b'{"a": "\xff"}'),
}


@pytest.mark.parametrize("problem", ODD_FILES)
def test_settings_that_could_not_be_put_back_are_refused(ace: Ace, home: Path, problem: str) -> None:
    file = Path("settings.json")
    ODD_FILES[problem](file)
    before = file.lstat()
    for action in (["install", "claude-code"], ["remove", "claude-code"]):
        done = ace("hook", *action, "--settings", str(file))
        assert done.code == 2 and problem in done.err and "settings.json" in done.err
    after = file.lstat()
    assert (after.st_mtime_ns, after.st_ino, after.st_mode) == (
        before.st_mtime_ns,
        before.st_ino,
        before.st_mode,
    )


@pytest.mark.parametrize("agent", AGENTS)
def test_a_session_gets_the_lessons_and_is_recorded(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    payload = {"session_id": "a/../1", "transcript_path": transcript("t.jsonl"), "source": "startup"}
    done = call(ace, monkeypatch, "start", payload, agent)
    output = json.loads(done.out)["hookSpecificOutput"]
    assert output["hookEventName"] == "SessionStart" and f"- {LESSON}" in output["additionalContext"]
    assert call(ace, monkeypatch, "end", {**payload, "reason": "other"}, agent).code == 0
    assert sessions() == [(f"{agent}-a/../1", "3 and 8", 1)] and log() == ""
    assert "1 sessions recorded, 0 not yet" not in ace("hook", "status", agent).out  # nothing is installed
    call(ace, monkeypatch, "end", payload, agent)
    assert len(sessions()) == 1
    payload["transcript_path"] = transcript("t.jsonl", answer="3, 8 and 9")
    call(ace, monkeypatch, "end", payload, agent)
    assert [answer for _, answer, _ in sessions()] == ["3, 8 and 9"]
    assert sorted(path.name for path in locate_notes(PLAYBOOK).iterdir()) in ([], [".lock"])


def test_lessons_fit_into_the_budget_and_into_what_the_agent_shows(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(PLAYBOOK) as store:
        more = tuple(Add(f"b-{n}", "больше", f"Правило {n}: " + "длинное слово " * 20) for n in range(60))
        store.commit(more, author="person", reason="test")
    for budget, most in ((300, 2_000), (100_000, 10_000)):
        out = call(ace, monkeypatch, "start", {}, "--budget", str(budget)).out
        text = json.loads(out)["hookSpecificOutput"]["additionalContext"]
        assert LESSON in text and len(text.encode()) <= most
    assert "no session" in log()


FAULTS: dict[str, object] = {
    "not JSON": "{",
    "nothing": "",
    "no session": {"transcript_path": "x"},
    "a list": [1],
    "another type": {"session_id": 7},
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("payload", FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_read_from_stdin_costs_no_lesson_and_no_session(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch, payload: object
) -> None:
    done = call(ace, monkeypatch, "start", payload)
    assert done.code == 0 and LESSON in done.out
    assert call(ace, monkeypatch, "end", payload).code == 0
    assert len(log().splitlines()) == 2 and sessions() == []


@pytest.mark.parametrize("fault", ["locked", "broken", "another form", "a pipe", "a folder"])
def test_a_transcript_that_cannot_be_recorded_waits_and_is_tried_again(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = Path("t.jsonl").absolute()
    lock = FileLock(locate_notes(PLAYBOOK) / ".lock")
    match fault:
        case "broken":
            path.write_text(f'{{"token": "{KEY}"')
        case "another form":
            path.write_text('{"type": "of a later release"}\n')
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "locked":
            transcript("t.jsonl")
            monkeypatch.setattr("ace.hooks.session._LOCK_WAIT", 0.01)
            locate_notes(PLAYBOOK).mkdir()
            lock.acquire()
    payload = {"session_id": "1", "transcript_path": str(path)}
    done = call(ace, monkeypatch, "end", payload)
    lock.release()
    assert (done.code, sessions()) == (0, []) and len(log().splitlines()) == 1 and KEY not in log()
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    transcript("t.jsonl")
    other = {"session_id": "2", "transcript_path": transcript("other.jsonl", answer="none")}
    call(ace, monkeypatch, "end", other)
    assert {name for name, _, _ in sessions()} == {"claude-code-1", "claude-code-2"}


@pytest.mark.parametrize("kind", ["missing", "empty", "none", "nobody asks"])
def test_a_session_in_which_nothing_was_said_leaves_nothing(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = Path("t.jsonl").absolute()
    if kind == "empty":
        path.touch()
    if kind == "nobody asks":
        path.write_text('{"messages": [{"role": "system", "content": "You are an agent."}]}\n')
    payload = {"session_id": "1", "transcript_path": None if kind == "none" else str(path)}
    for moment in ("start", "end"):
        assert call(ace, monkeypatch, moment, payload).code == 0
    assert sessions() == [] and log() == ""
    assert [file.name for file in locate_notes(PLAYBOOK).glob("*.json")] == []


def test_one_that_fails_again_and_again_is_left_to_a_person(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ace("hook", "install", "claude-code")
    Path("broken.jsonl").write_text("{")
    call(ace, monkeypatch, "end", {"session_id": "lost", "transcript_path": "broken.jsonl"})
    for number in range(MOST_TRIES + 2):
        path = transcript(f"{number}.jsonl", answer=str(number))
        call(ace, monkeypatch, "end", {"session_id": str(number), "transcript_path": path})
    assert len(sessions()) == MOST_TRIES + 2 and log().count("lost") == MOST_TRIES
    done = ace("hook", "status", "claude-code")
    assert "5 sessions recorded, 1 not yet" in done.out and "not recorded: lost" in done.out


def test_a_session_that_never_ended_is_recorded_a_day_later(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forsaken = transcript("forsaken.jsonl")
    for name, path in (("old", forsaken), ("open", transcript("open.jsonl")), ("silent", "none.jsonl")):
        call(ace, monkeypatch, "start", {"session_id": name, "transcript_path": path})
    day_ago = time.time() - 25 * 3600
    notes = locate_notes(PLAYBOOK)
    for file in (Path(forsaken), *notes.glob("*.json")):
        os.utime(file, (day_ago, day_ago))
    call(ace, monkeypatch, "end", {"session_id": "new", "transcript_path": transcript("new.jsonl")})
    assert {name for name, _, _ in sessions()} == {"claude-code-old", "claude-code-new"}
    (note,) = notes.glob("*.json")
    assert json.loads(note.read_text())["session"] == "open"


def test_a_playbook_that_is_gone_or_damaged_is_a_line_in_the_log(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PLAYBOOK.write_bytes(b"no playbook")
    payload = {"session_id": "1", "transcript_path": transcript("t.jsonl")}
    assert call(ace, monkeypatch, "start", payload) == Done(0, "", "")
    assert call(ace, monkeypatch, "end", payload) == Done(0, "", "")
    assert log().count("NotAPlaybook") == 2
    PLAYBOOK.unlink()
    assert call(ace, monkeypatch, "end", payload).code == 0
    assert len(sessions()) == 1  # it is made again, and what waited is recorded


def run(*words: str, payload: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    program = "import sys; from ace.cli.main import main; main()"
    command = [sys.executable, "-c", program, "hook", *words]
    return subprocess.run(command, input=payload, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("start", "claude-code", "--playbook", "missing/x.db"),
        ("end", "nobody", "--playbook", "shop.db"),
        ("start", "claude-code", "--playbook", "shop.db", "--budget", "many"),
        ("end", "claude-code", "--of-a-later-release"),
        ("start",),
    ],
)
def test_no_call_of_an_agent_ever_fails(home: Path, words: tuple[str, ...]) -> None:
    assert run(*words, payload='{"session_id": "1"}').returncode == 0


def wait_for_records() -> None:
    """Return when no session waits to be recorded any more, or when that takes too long."""
    until = time.monotonic() + patience(20)
    while list_notes(locate_notes(PLAYBOOK)) and time.monotonic() < until:
        time.sleep(0.05)


def test_a_session_is_recorded_after_its_end_has_returned(home: Path) -> None:
    payload = {"session_id": "1", "transcript_path": transcript("t.jsonl")}
    done = run("end", "claude-code", "--playbook", str(PLAYBOOK), payload=json.dumps(payload))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wait_for_records()
    assert sessions() == [("claude-code-1", "3 and 8", 0)] and log() == ""


def test_a_hook_that_its_agent_kills_goes_on_as_a_process_of_its_own(home: Path) -> None:
    payload = {"session_id": "1", "transcript_path": transcript("t.jsonl")}
    program = "import sys; from ace.cli.main import main; main()"
    words = ["hook", "end", "codex", "--playbook", str(PLAYBOOK)]
    with subprocess.Popen([sys.executable, "-c", program, *words], stdin=subprocess.PIPE, text=True) as hook:
        children = Path(f"/proc/{hook.pid}/task/{hook.pid}/children")
        if not children.exists():
            hook.kill()
            pytest.skip("this system does not say which processes a process has started")
        until = time.monotonic() + patience(20)
        while not children.read_text() and time.monotonic() < until:
            time.sleep(0.01)
        hook.kill()
        hook.wait()
        assert hook.stdin is not None
        hook.stdin.write(json.dumps(payload))
    while not sessions() and time.monotonic() < until:
        time.sleep(0.05)
    wait_for_records()
    assert sessions() == [("codex-1", "3 and 8", 0)] and log() == ""


@pytest.mark.parametrize("next_event", ["start", "end"])
def test_a_session_whose_recorder_was_killed_is_recorded_with_what_comes_next(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch, next_event: str
) -> None:
    """Its transcript may have gone with a container: the copy beside the playbook is for the user alone."""
    with monkeypatch.context() as killed:
        killed.setattr(hook_calls, "run_apart", lambda first, then: first())
        path = transcript("t.jsonl")
        call(ace, monkeypatch, "end", {"session_id": "1", "transcript_path": path})
    assert sessions() == []
    Path(path).unlink()
    (copy,) = locate_notes(PLAYBOOK).glob("*.transcript")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    call(ace, monkeypatch, next_event, {"session_id": "2"})
    assert sessions() == [("claude-code-1", "3 and 8", 0)] and log() == ""
    assert list(locate_notes(PLAYBOOK).glob("*.transcript")) == []


def test_a_session_that_is_continued_while_it_is_recorded_keeps_its_note(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = {"session_id": "1", "transcript_path": transcript("t.jsonl")}
    read = recorded_sessions.read_log

    def continue_meanwhile(path: Path) -> Any:
        call(ace, monkeypatch, "start", payload)
        return read(path)

    with monkeypatch.context() as slow:
        slow.setattr(recorded_sessions, "read_log", continue_meanwhile)
        call(ace, monkeypatch, "end", payload)
    (note,) = list_notes(locate_notes(PLAYBOOK))
    assert (note.ended, note.version) == (False, 1)
    payload["transcript_path"] = transcript("t.jsonl", answer="3, 8 and 9")
    call(ace, monkeypatch, "end", payload)
    assert sessions() == [("claude-code-1", "3, 8 and 9", 1)]


def test_the_end_of_a_session_loads_no_command_and_no_database(home: Path) -> None:
    """An agent kills a hook after 3 seconds, which on a busy machine are few."""
    program = """
import sys
from ace.cli.main import main
try:
    main()
finally:
    heavy = {"typer", "click", "sqlite3", "filelock", "logging"}
    heavy |= {"ace.store.store", "ace.playbook", "ace.task"}
    sys.stderr.write(repr(sorted(heavy & set(sys.modules))))
"""
    words = ["hook", "end", "codex", "--playbook", "shop.db"]
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, input='{"session_id": "1"}', capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


def test_the_start_of_a_session_imports_nothing_heavy(home: Path) -> None:
    program = """
import sys
from ace.cli.main import main
try:
    main()
finally:
    heavy = {"litellm", "numpy", "openai", "httpx", "sqlglot", "jinja2", "sqlite_utils", "rich"}
    heavy |= {"regex", "typer"}
    sys.stderr.write(repr(sorted(heavy & set(sys.modules))))
"""
    words = ["hook", "start", "claude-code", "--playbook", "shop.db", "--budget", "2000"]
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, input='{"session_id": "1"}', capture_output=True, text=True, check=True)
    assert (done.stderr, LESSON in done.stdout) == ("[]", True)


def test_recorded_sessions_are_learned_from_once(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, colour in (("good", COLOURS[0]), ("bad", COLOURS[1])):
        path = transcript(f"{name}.jsonl", question=f"Which number has {colour}?", answer="12")
        call(ace, monkeypatch, "end", {"session_id": name, "transcript_path": path})
    with Store.open(PLAYBOOK) as store:
        bad = next(episode for episode in list_sessions(store) if episode.sample_id == "claude-code-bad")
    said = ace("feedback", bad.id, "--wrong", "--expected", "9", "--text", "Look it up.")
    assert said.code == 0, said.err
    with Store.open(PLAYBOOK) as store:
        traces: dict[str, Any] = {trace.sample: trace for trace in read_sessions(store)}
    assert traces["claude-code-good"].correct is None
    trace = traces["claude-code-bad"]
    assert (trace.correct, trace.expected, trace.remark) == (False, "9", "Look it up.")
    with monkeypatch.context() as killed:
        killed.setattr(hook_calls, "run_apart", lambda first, then: first())
        path = transcript("late.jsonl", question=f"Which number has {COLOURS[2]}?", answer="12")
        call(ace, monkeypatch, "end", {"session_id": "late", "transcript_path": path})
    server = ModelServer()
    learn = ("learn", "--from-traces", "shop.db", "--model", "openai/tiny", "--api-base", server.api_base)
    done = ace(*learn)
    server.close()
    assert done.code == 0, done.err
    assert server.calls > 0 and "recorded" in done.out
    assert ("claude-code-late", "12", 0) in sessions()
    again = ace(*learn)
    assert again.code == 2 and "no session" in again.err


def test_a_reader_that_fails_or_is_killed_does_not_stop_the_others(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = recorded_sessions.read_log

    def fail(path: Path) -> Any:
        if path.name == "odd.jsonl":
            raise KeyError("a fault of a reader")
        if path.name == "endless.jsonl":
            raise SystemExit(143)  # as where the agent ends the process
        return read(path)

    monkeypatch.setattr(recorded_sessions, "read_log", fail)
    for name in ("odd", "endless", "good", "better", "best"):
        call(ace, monkeypatch, "end", {"session_id": name, "transcript_path": transcript(f"{name}.jsonl")})
    assert {name for name, _, _ in sessions()} == {
        f"claude-code-{name}" for name in ("good", "better", "best")
    }
    assert "KeyError" in log()


@pytest.mark.parametrize("text", ["", "[]", '{"agent": 1}', '{"agent": "a", "session": "b", "tries": "x"}'])
def test_a_damaged_note_holds_up_no_other_session(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    folder = locate_notes(PLAYBOOK)
    folder.mkdir()
    (folder / "0.json").write_text(text, encoding="utf-8")
    payload = {"session_id": "one", "transcript_path": transcript("one.jsonl")}
    assert call(ace, monkeypatch, "end", payload).code == 0
    assert sessions() == [("claude-code-one", "3 and 8", 0)] and log() == ""


@pytest.mark.parametrize("place", ["user", "project", "local", "given"])
def test_status_shows_that_all_hooks_are_off(ace: Ace, home: Path, place: str) -> None:
    user = home / ".claude" / "settings.json"
    files = {"user": user, "project": Path(".claude/settings.json")}
    files |= {"local": Path(".claude/settings.local.json"), "given": Path("mine.json")}
    file, more = files[place], ("--settings", "mine.json") if place == "given" else ()
    file.parent.mkdir(parents=True, exist_ok=True)
    for value in (False, "true", None):
        file.write_text(json.dumps({"disableAllHooks": value}))
        assert "no hook runs" not in ace("hook", "install", "claude-code", *more).out
        assert "no hook runs" not in ace("hook", "status", "claude-code", *more).out
    file.write_text(json.dumps({"disableAllHooks": True}))
    installed = ace("hook", "install", "claude-code", *more).out
    assert ("no hook runs" in installed) is (place in ("user", "given"))  # the file that it writes
    done = ace("hook", "status", "claude-code", *more)
    assert "claude-code: installed in" in done.out
    assert f"  no hook runs: {file} sets disableAllHooks" in done.out
    (row,) = json.loads(ace("hook", "status", "claude-code", *more, "--json").out)["agents"]
    assert row["disabled_by"] == [str(file)]
    file.write_text("{")  # and one that cannot be read turns nothing off
    assert "no hook runs" not in ace("hook", "status", "claude-code", *more).out


def test_status_says_what_cannot_be_read(ace: Ace, home: Path) -> None:
    ace("hook", "install", "claude-code")
    PLAYBOOK.write_bytes(b"no playbook")
    AGENTS["codex"].settings.parent.mkdir()
    AGENTS["codex"].settings.write_text("{")
    done = ace("hook", "status")
    assert done.code == 0 and "not a playbook file" in done.out and "not valid JSON" in done.out


def test_what_is_forgotten_goes_from_recorded_sessions(
    ace: Ace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = transcript("t.jsonl", question="Call Anastasia Kowalczyk, with " + KEY)
    call(ace, monkeypatch, "end", {"session_id": "1", "transcript_path": path})
    assert KEY.encode() not in PLAYBOOK.read_bytes() and b"Kowalczyk" in PLAYBOOK.read_bytes()
    with monkeypatch.context() as killed:
        killed.setattr(hook_calls, "run_apart", lambda first, then: first())
        call(ace, monkeypatch, "end", {"session_id": "2", "transcript_path": path})
        broken = Path("broken.jsonl").absolute()
        broken.write_text('{"question": "Call Anastasia Kowalczyk')
        call(ace, monkeypatch, "end", {"session_id": "3", "transcript_path": str(broken)})
    ace("memory", "add", "reviewer", "Anastasia Kowalczyk", "--user", "ana", "--playbook", str(PLAYBOOK))
    done = ace("memory", "forget", "--user", "ana", "--playbook", str(PLAYBOOK))
    assert done.code == 0, done.err
    assert {name for name, _, _ in sessions()} == {"claude-code-1", "claude-code-2"}
    files = [file.read_bytes() for file in Path().glob("shop.db*/**/*") if file.is_file()]
    files += [file.read_bytes() for file in Path().glob("shop.db*") if file.is_file()]
    assert not any(b"Kowalczyk" in data or KEY.encode() in data for data in files)
