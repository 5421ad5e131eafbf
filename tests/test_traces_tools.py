"""Logs as tools write them (tests/fixtures/traces/README.md says which): each is read, and learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ace.llm import Request, Role, RoleModels
from ace.loop import learn_from_traces
from ace.settings import Settings
from ace.store import Store
from ace.task import TurnKind
from ace.task.traces import Trace, make_unjudged_task, read_log
from ace.testing import World

FOLDER = Path(__file__).parent / "fixtures" / "traces"
BIKES = "How many bikes are at the North depot, and is the South one open?"
PATCH = "diff --git a/bill.py b/bill.py\n-    return round(x)\n+    return round(x, 2)"
TOTAL = "Why does test_total fail?"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the first attempt of a log has to be read as."""

    file: str
    question: str
    answer: str
    tools: list[str]
    failed: list[bool | None]
    thought: str = ""
    correct: bool | None = None
    score: float = 0.0
    expected: str = ""
    remark: str = ""
    attempts: int = 1


NORTH = "12 bikes; the South depot could not be looked up."
ASKED = {"question": BIKES, "answer": NORTH, "tools": ["count_bikes", "is_open"],
         "failed": [None, True], "thought": "Two look-ups at once."}  # fmt: skip
SPANS = {**ASKED, "thought": ""}
ORDERS = "Which orders were cancelled? Look in orders.txt."
CANCELLED = "Two orders were cancelled: 3 and 8."
LOGS = [
    Expected(file="anthropic_messages.json", **ASKED, correct=False, expected="12; closed",
             remark="The South depot is called Harbour."),
    Expected(file="anthropic_pairs.jsonl", **ASKED),
    Expected(file="responses_pairs.jsonl", **ASKED),
    Expected(file="responses_items.json", **ASKED),
    Expected(file="claude_code_session.jsonl", question=TOTAL, answer="`total` rounds to whole euros.",
             tools=["Bash", "Task"], failed=[True, None], thought="Run it, and read it.", attempts=2),
    Expected(file="codex_session.jsonl", question=TOTAL, answer="`total` rounds to whole euros.",
             tools=["shell", "shell", "apply_patch"], failed=[True, None, None],
             thought="**Run it, and read it**"),
    Expected(file="claude_code_recorded.jsonl", question=ORDERS, answer=CANCELLED, tools=["Bash", "Bash"],
             failed=[None, True]),
    Expected(file="codex_recorded.jsonl", question=ORDERS, answer=CANCELLED,
             tools=["exec_command", "exec_command"], failed=[None, True]),
    Expected(file="otel_openinference.json", **SPANS),
    Expected(file="otel_openllmetry.jsonl", **SPANS, correct=False,
             remark="correctness: 0.0 (fail) The South depot is called Harbour."),
    Expected(file="otel_older_events.jsonl", **SPANS, correct=False,
             remark="correctness: 0.0 (fail) The South depot is called Harbour."),
    Expected(file="otel_langfuse.jsonl", **SPANS),
    Expected(file="langfuse_trace.json", **SPANS, correct=False, expected="12; closed",
             remark="correctness: 0.0 The South depot is called Harbour.\ntone: friendly"),
    Expected(file="langfuse_observations.jsonl", **SPANS),
    Expected(file="inspect_log.json", question="How many bikes are at North and at South?",
             answer="12 and none", tools=["count_bikes", "count_bikes"], failed=[None, True],
             thought="Look it up.", correct=False,
             expected="12 and 3", attempts=2),
    Expected(file="swe_agent.traj", question=TOTAL, answer=PATCH, tools=["", "", ""],
             failed=[None, True, None], thought="I read the code.\nRun it."),
    Expected(file="mini_swe_agent_tools.traj", question=f"{TOTAL} Bill.", answer="return round(x, 2)",
             tools=["bash"] * 3, failed=[None, True, None]),
    Expected(file="mini_swe_agent_text.traj", question=f"{TOTAL} Bill.", answer="return round(x, 2)",
             tools=["bash"] * 3, failed=[None, True, None]),
]  # fmt: skip


def thoughts(trace: Trace) -> str:
    turns = [turn.text for turn in trace.turns if turn.kind is TurnKind.THOUGHT]
    return "\n".join([*turns, *filter(None, [trace.reasoning])])


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.file)
def test_a_log_of_a_tool(log: Expected) -> None:
    traces = read_log(FOLDER / log.file).traces
    assert not read_log(FOLDER / log.file).left_out and len(traces) == log.attempts
    trace = traces[0]
    calls = [turn for turn in trace.turns if turn.kind is TurnKind.TOOL]
    assert (trace.question, trace.answer, trace.error) == (log.question, log.answer, "")
    assert ([turn.tool for turn in calls], [turn.failed for turn in calls]) == (log.tools, log.failed)
    assert all(turn.observation for turn in calls if turn.failed or turn.tool != "bash")
    assert thoughts(trace) == log.thought
    labels = (trace.correct, trace.score, trace.expected, trace.remark)
    assert labels == (log.correct, log.score, log.expected, log.remark)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.file)
def test_a_log_of_a_tool_is_learned_from(log: Expected, tmp_path: Path) -> None:
    """The reflector sees what tools returned, the right answer and what was said of the attempt."""
    client = World(lessons=lambda request: "Depots are called by their streets.")
    with Store.open(tmp_path / "log.db") as store:
        task = make_unjudged_task("log")
        traces = read_log(FOLDER / log.file).traces
        report = learn_from_traces(task, traces, store, RoleModels.of(client), Settings(workers=1))
        kept = {episode.question: episode for episode in store.episodes()}
    assert report.recorded and report.recorded.total == log.attempts
    assert kept[log.question].attempt.answer == log.answer
    shown = "\n".join(_texts(request) for request in client.requests if request.role is Role.REFLECTOR)
    failures = [turn.observation for turn in traces[0].turns if turn.failed]
    for text in (log.expected, log.remark, *failures):
        if log.correct is not True:
            assert all(line.strip() in shown for line in text.splitlines())


def _texts(request: Request) -> str:
    return "\n".join(message.content for message in request.messages)
