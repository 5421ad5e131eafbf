"""Real Claude Code and Codex against a model on a loopback address: lessons arrive, sessions are recorded.

Claude Code also takes the playbook as an MCP server.

`just coding-agents` installs both into a folder of their own and runs these tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ace.hooks.recorded_sessions import list_sessions
from ace.hooks.session import list_notes, locate_notes, recording_alone
from ace.playbook import Add
from ace.playbook.model import Status
from ace.store import Store
from tests.agent_server import AgentServer
from tests.pace import patience, slowness
from tests.proxy_process import run_proxy

ROOT = Path(__file__).parent.parent
INSTALLED = ROOT / ".adapters" / "coding-agents"
LESSON = "In these files the word void means cancelled."
QUESTION = "Which orders were cancelled? Look in orders.txt."
ANSWER = "Two orders were cancelled: 3 and 8."
CODEX_CONFIG = """
model = "gpt-5.4"
model_provider = "loopback"
check_for_update_on_startup = false
[model_providers.loopback]
name = "loopback"
base_url = "{address}/v1"
wire_api = "responses"
env_key = "LOOPBACK_KEY"
[analytics]
enabled = false
[features]
apps = false
plugins = false
"""


def find_program(variable: str, pattern: str) -> str:
    """Return the path of an agent's program; skip the test where it is not installed."""
    places = [os.environ.get(variable, ""), *map(str, sorted(INSTALLED.glob(pattern)))]
    path = next((place for place in places if place and Path(place).is_file()), "")
    if not path:
        pytest.skip(f"the program is not installed: run `just coding-agents`, or set {variable} to its path")
    return path


@dataclass
class Desk:
    """A folder to work in, a home, a playbook, and a model."""

    folder: Path
    server: AgentServer
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def playbook(self) -> Path:
        return self.folder / "lessons of mine.db"

    def ace(self, *words: str) -> str:
        return self.run([str(self.folder / "bin" / "ace"), *words])

    def wait_for_records(self) -> None:
        """Return when every session that ended is recorded, or the log says why it is not."""
        notes = locate_notes(self.playbook)
        log = notes / "hooks.log"
        until = time.monotonic() + patience(20)
        while any(note.ended for note in list_notes(notes)) and time.monotonic() < until:
            if log.exists() and " end " in log.read_text():
                break
            time.sleep(0.05)
        with recording_alone(notes):  # the last one is written
            pass

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder / "work",
            env={"PATH": os.environ["PATH"], **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60 * slowness(),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    for name in ("bin", "home", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "work" / "orders.txt").write_text("1 open\n3 void\n8 void\n")
    ace = tmp_path / "bin" / "ace"
    program = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom ace.cli.main import main\nmain()\n"
    ace.write_text(f"#!{sys.executable}\n{program}")
    ace.chmod(0o755)
    with AgentServer(["cat orders.txt", "cat missing.txt"], ANSWER) as server:
        desk = Desk(tmp_path, server, {"HOME": str(tmp_path / "home")})
        with Store.open(desk.playbook) as store:
            store.commit((Add("s-1", "strategies", LESSON),), author="person", reason="test")
        yield desk


def set_up_claude_code(desk: Desk) -> list[str]:
    """Return the command that asks Claude Code the question, in a session without a person."""
    program = find_program("ACE_CLAUDE", "lib/python*/site-packages/claude_agent_sdk/_bundled/claude")
    desk.environment |= {
        "CLAUDE_CONFIG_DIR": str(desk.folder / "home" / "claude"),
        "ANTHROPIC_BASE_URL": desk.server.address,
        "ANTHROPIC_API_KEY": "dummy",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    desk.ace("hook", "install", "claude-code", "--playbook", str(desk.playbook))
    return [program, "--allowedTools", "Bash(cat:*)", "-p", QUESTION]


def serve_to_claude_code(desk: Desk) -> list[str]:
    """Return the options that give Claude Code the playbook as an MCP server."""
    command = {"command": str(desk.folder / "bin" / "ace"), "args": ["mcp", str(desk.playbook)]}
    file = desk.folder / "servers.json"
    file.write_text(json.dumps({"mcpServers": {"lessons": command}}))
    return ["--mcp-config", str(file), "--strict-mcp-config", "--allowedTools", "mcp__lessons"]


def set_up_codex(desk: Desk) -> list[str]:
    """Return the command that asks Codex the question, in a session without a person, who trusts hooks."""
    program = find_program("ACE_CODEX", "codex/node_modules/@openai/codex-*/vendor/*/bin/codex")
    home = desk.folder / "home" / "codex"
    home.mkdir()
    (home / "config.toml").write_text(CODEX_CONFIG.format(address=desk.server.address))
    desk.environment |= {"CODEX_HOME": str(home), "LOOPBACK_KEY": "dummy"}
    desk.ace("hook", "install", "codex", "--playbook", str(desk.playbook))
    # The commands are this test's own, and a container need not have what a sandbox needs.
    options = ["--skip-git-repo-check", "--dangerously-bypass-hook-trust", "--sandbox", "danger-full-access"]
    return [program, "exec", *options, QUESTION]


CONTINUE = {"claude-code": ["--continue"], "codex": ["resume", "--last"]}
SKILLS = {"claude-code": ".claude/skills", "codex": ".agents/skills"}
SetUp = Callable[[Desk], list[str]]
AGENTS = pytest.mark.parametrize(
    ("name", "set_up"),
    [("claude-code", set_up_claude_code), ("codex", set_up_codex)],
    ids=["claude-code", "codex"],
)


@AGENTS
def test_the_lessons_arrive_and_the_session_is_recorded(desk: Desk, name: str, set_up: SetUp) -> None:
    assert ANSWER in desk.run(set_up(desk))
    first, *_, last = desk.server.requests
    assert LESSON in json.dumps(first) and "3 void" in json.dumps(last)
    notes = locate_notes(desk.playbook)
    log = notes / "hooks.log"
    desk.wait_for_records()
    assert not log.exists(), log.read_text()
    with Store.open(desk.playbook) as store:
        assert store.verify() == []
        (episode,) = list_sessions(store)
        version = store.head().number
    assert (episode.question, episode.attempt.answer) == (QUESTION, ANSWER)
    assert episode.sample_id.startswith(f"{name}-") and episode.context_version == version
    calls = [turn for turn in episode.attempt.turns if turn.tool]
    assert ["orders.txt" in calls[0].arguments, "missing.txt" in calls[1].arguments] == [True, True]
    assert "3 void" in calls[0].observation and "No such file" in calls[1].observation
    assert LESSON not in episode.attempt.text  # what we said ourselves is nothing to learn from
    assert f"{name}: installed" in desk.ace("hook", "status", name)


@AGENTS
def test_a_fault_of_ours_does_not_stop_the_session(desk: Desk, name: str, set_up: SetUp) -> None:
    command = set_up(desk)
    desk.playbook.write_bytes(b"no playbook at all")
    assert ANSWER in desk.run(command)
    assert LESSON not in json.dumps(desk.server.requests)
    desk.wait_for_records()
    log = (locate_notes(desk.playbook) / "hooks.log").read_text()
    assert log.count("NotAPlaybook") == 2


@AGENTS
def test_a_session_that_is_continued_is_recorded_as_one(desk: Desk, name: str, set_up: SetUp) -> None:
    command = set_up(desk)
    desk.run(command)
    desk.wait_for_records()
    desk.run([*command[:-1], *CONTINUE[name], "Sure?"])
    desk.wait_for_records()
    with Store.open(desk.playbook) as store:
        (session,) = list_sessions(store)
        assert len(store.episodes()) == 2
    assert session.question == QUESTION and "user: Sure?" in session.attempt.text


@AGENTS
def test_an_exported_skill_is_offered_to_the_model(desk: Desk, name: str, set_up: SetUp) -> None:
    command = set_up(desk)
    folder = desk.folder / "work" / SKILLS[name] / "order-files"
    desk.ace("playbook", "export", "--skill", str(folder), "--playbook", str(desk.playbook))
    desk.run(command)
    assert "Lessons learned about order files." in json.dumps(desk.server.requests[0])


def test_claude_code_lists_and_calls_the_tools_of_the_playbook(desk: Desk) -> None:
    pytest.importorskip("mcp", reason="the server needs the package mcp (extra `mcp`)")
    program = set_up_claude_code(desk)[0]
    desk.ace("hook", "remove", "claude-code")  # the lesson comes from the server alone
    desk.environment["ENABLE_TOOL_SEARCH"] = "false"  # else the model has to look for the tools first
    proposal = {"section": "formats", "content": "Numbers in orders.txt come first."}
    desk.server.commands = [
        ("mcp__lessons__get_context", {"question": QUESTION}),
        ("mcp__lessons__propose_lesson", proposal),
    ]
    assert ANSWER in desk.run([program, *serve_to_claude_code(desk), "-p", QUESTION])
    first, *_, last = desk.server.requests
    tools = {tool["name"] for tool in first["tools"]}
    assert {f"mcp__lessons__{name}" for name in ("get_context", "report_outcome", "search_bullets")} <= tools
    assert LESSON in json.dumps(last["messages"]) and LESSON not in json.dumps(first)
    with Store.open(desk.playbook) as store:
        assert store.verify() == []
        (events,) = store.open_episodes().values()
        assert events[0].event["question"] == QUESTION
        assert store.head().author == "mcp:claude-code"
        (waiting,) = [bullet for bullet in store.checkout() if bullet.status is Status.QUARANTINED]
    assert waiting.content == proposal["content"]


@AGENTS
def test_the_lessons_arrive_by_the_proxy(desk: Desk, name: str, set_up: SetUp) -> None:
    """Its conversations, a continued one too, are one episode; nothing else is set up."""
    pytest.importorskip("starlette", reason="the proxy needs the extra `serve`")
    upstream = desk.server.address
    with run_proxy("--upstream", upstream, "--playbook", str(desk.playbook)) as proxy:
        desk.server.address = proxy.url  # where the agent is told the model is
        command = set_up(desk)
        desk.ace("hook", "remove", name)  # the lesson comes from the proxy alone
        assert ANSWER in desk.run(command)
        assert ANSWER in desk.run([*command[:-1], *CONTINUE[name], "Sure?"])
        log = proxy.stop()
    assert [json.dumps(request).count(LESSON) for request in desk.server.requests] == [1, 1, 1, 1]
    assert "could not" not in log
    with Store.open(desk.playbook) as store:
        assert store.verify() == []
        (episode,) = store.episodes()
    assert (episode.question, episode.attempt.answer) == (QUESTION, ANSWER)
    assert "3 void" in episode.attempt.text and "Sure?" in episode.attempt.text
    assert LESSON not in episode.attempt.text
