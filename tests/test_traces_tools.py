"""Logs as tools write them (tests/fixtures/traces/README.md says which): each is read, and learned from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import TaskError
from ace.llm import Request, Role, RoleModels
from ace.loop import learn_from_traces
from ace.settings import Settings
from ace.store import Store
from ace.task import TurnKind
from ace.task.traces import Trace, make_unjudged_task, read_log
from ace.testing import World
from tests.test_traces_odd import read

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


SCALARS = st.sampled_from([None, "", "x", "[1", '{"a": 1}', "2026", 0, -1, 1.5, True])
ODD = SCALARS | st.sampled_from(
    [[], {}, [None], [[]], [{}], {"role": "user"}, {"0": {}}, {"type": "text"}, [1, "a"]]
)


def attempt(folder: Path, *records: Any) -> Trace:
    (trace,) = read(folder, *records).traces
    return trace


def span(name: str, number: int, **attributes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "trace_id": "t",
        "span_id": f"s{number}",
        "start_time": number,
        "attributes": attributes,
    }


def test_what_a_server_ran_comes_before_what_is_said_of_it(tmp_path: Path) -> None:
    """Tools that the endpoint runs itself stand with their results in one message of the assistant."""
    content = [
        {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "depots"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv", "content": [{"type": "web_search_result"}]},
        {"type": "text", "text": "Two depots."},
    ]
    messages = [{"role": "user", "content": "How many depots?"}, {"role": "assistant", "content": content}]
    trace = attempt(tmp_path, {"messages": messages})
    assert [turn.kind for turn in trace.turns] == [TurnKind.USER, TurnKind.TOOL, TurnKind.AGENT]
    assert trace.answer == "Two depots." and "web_search_result" in trace.turns[1].observation


@pytest.mark.parametrize(
    ("item", "tool", "failed"),
    [({"type": "web_search_call", "id": "w", "action": {"query": "depots"}, "status": "completed"},
      "web_search", None),
     ({"type": "mcp_call", "id": "m", "name": "depots", "arguments": "{}", "output": None, "error": "down"},
      "depots", True),
     ({"type": "code_interpreter_call", "id": "c", "code": "1 + 1", "outputs": [{"logs": "2"}]},
      "code_interpreter", None),
     ({"type": "local_shell_call", "call_id": "l", "action": {"command": ["ls"]}}, "local_shell", None)],
)  # fmt: skip
def test_other_calls_of_responses(
    item: dict[str, Any], tool: str, failed: bool | None, tmp_path: Path
) -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Two."}]}
    trace = attempt(tmp_path, {"input": "How many?", "output": [item, said]})
    (call,) = [turn for turn in trace.turns if turn.kind is TurnKind.TOOL]
    assert (call.tool, trace.answer) == (tool, "Two.")
    assert call.failed is failed or failed is None


def test_a_result_of_an_unknown_call_is_nobodys(tmp_path: Path) -> None:
    rows = [
        {"role": "user", "content": "How many?"},
        {"type": "function_call", "call_id": "a", "name": "count", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "b", "output": "7"},
        {"type": "function_call_output", "call_id": "a", "output": "12"},
    ]
    trace = attempt(tmp_path, *rows)
    assert [(turn.tool, turn.observation) for turn in trace.turns[1:]] == [("count", "12"), ("", "7")]


def test_messages_one_by_one_are_of_their_conversations(tmp_path: Path) -> None:
    rows = [{"session_id": session, "role": role, "content": f"{role} {session}"}
            for role in ("user", "assistant") for session in ("a", "b")]  # fmt: skip
    traces = read(tmp_path, *rows).traces
    assert [(trace.sample, trace.answer) for trace in traces] == [("a", "assistant a"), ("b", "assistant b")]


def test_steps_of_a_request_log_are_one_attempt_and_labels_their_own(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (FOLDER / "anthropic_pairs.jsonl").read_text().splitlines()]
    assert len(read(tmp_path, *rows).traces) == 1
    rows[0]["reward"] = 0
    assert [trace.correct for trace in read(tmp_path, *rows).traces] == [False, None]


def test_an_odd_line_of_a_session_is_left_out_by_name(tmp_path: Path) -> None:
    lines = (FOLDER / "claude_code_session.jsonl").read_text().splitlines()
    odd = {"type": "assistant", "message": {"content": "?"}, "uuid": "odd", "sessionId": "s"}
    log = read(tmp_path, *lines, odd, {"type": "user", "sessionId": "s"})
    assert len(log.traces) == 2 and log.traces[0].answer == "`total` rounds to whole euros."
    assert [error.details["line"] for error in log.left_out] == [len(lines) + 1, len(lines) + 2]


def test_a_session_that_ends_in_an_error_of_the_endpoint_has_it(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": [{"type": "text", "text": "API Error: 529 Overloaded"}]}
    lines = [
        {"type": "user", "sessionId": "s", "uuid": "1", "message": {"role": "user", "content": "Fix it."}},
        {"type": "assistant", "sessionId": "s", "uuid": "2", "isApiErrorMessage": True, "message": said},
    ]
    trace = attempt(tmp_path, *lines)
    assert (trace.answer, trace.error, trace.ran) == ("", "API Error: 529 Overloaded", False)


def test_what_a_program_says_in_the_users_name_is_no_question(tmp_path: Path) -> None:
    rows = [
        {"type": "user", "sessionId": "s", "isMeta": True, "message": {"role": "user", "content": "Caveat."}},
        {"type": "user", "sessionId": "s", "message": {"role": "user", "content": [
            {"type": "text", "text": "<system-reminder>Be kind.</system-reminder>"},
            {"type": "text", "text": "Fix it."}]}},
        {"type": "assistant", "sessionId": "s", "message": {"role": "assistant", "content": "Done."}},
    ]  # fmt: skip
    trace = attempt(tmp_path, *rows)
    assert (trace.question, trace.answer, trace.turns) == ("Fix it.", "Done.", ())


@pytest.mark.parametrize(
    ("scores", "correct", "score"),
    [({"match": "C"}, True, 1.0), ({"match": "P"}, False, 0.5), ({"match": "N"}, False, 0.0),
     ({"f1": 0.25}, False, 0.25), ({"a": "C", "b": "C"}, True, 1.0), ({"a": "C", "b": "I"}, None, 0.0),
     ({"tone": 0.2, "correctness": 1}, True, 1.0), ({"both": {"x": 1, "y": 1}}, True, 1.0),
     ({"style": "formal"}, None, 0.0), ({}, None, 0.0)],
)  # fmt: skip
def test_which_score_is_the_verdict(
    scores: dict[str, Any], correct: bool | None, score: float, tmp_path: Path
) -> None:
    """One evaluator, one that is called so, or all of them where they agree."""
    sample = {"id": "1", "epoch": 1, "input": "q?", "target": "x",
              "messages": [{"role": "user", "content": "q?"}, {"role": "assistant", "content": "a"}],
              "scores": {name: {"value": value} for name, value in scores.items()}}  # fmt: skip
    trace = attempt(tmp_path, sample)
    assert (trace.correct, trace.score, trace.expected) == (correct, score, "x")
    if len(scores) > 1:
        assert len(trace.remark.splitlines()) == len(scores)


def test_a_sample_that_crashed_has_its_error(tmp_path: Path) -> None:
    row = {"id": 1, "epoch": 1, "input": "q?", "target": "x", "messages": [{"role": "user", "content": "q?"}],
           "scores": {}, "error": {"message": "TimeoutError()"}}  # fmt: skip
    trace = attempt(tmp_path, row)
    assert (trace.error, trace.ran, trace.correct) == ("TimeoutError()", False, None)


def test_a_trajectory_without_a_submission_says_how_it_ended(tmp_path: Path) -> None:
    row = json.loads((FOLDER / "swe_agent.traj").read_text())
    row["info"] = {"exit_status": "exit_cost", "resolved": False}
    trace = attempt(tmp_path, row)
    assert (trace.answer, trace.error) == ("", "nothing was submitted: exit_cost")
    assert (trace.ran, trace.correct, trace.sample) == (False, False, "shop__bill-7")


@pytest.mark.parametrize(
    ("asked", "answered"),
    [({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "q?"},
      {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "a"}),
     ({"gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "q?"}]}]},
      {"gen_ai.output.messages": [{"role": "assistant", "parts": [
          {"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "a"}]}]}),
     ({"llm": {"input_messages": [{"message.role": "user", "message.content": "q?"}]}},
      {"llm.output_messages.0.message.contents.0.message_content.text": "a",
       "llm.output_messages.0.message.role": "assistant"}),
     ({"ai.prompt.messages": '[{"role": "user", "content": "q?"}]'}, {"ai.response.text": "a"}),
     ({"input.value": '{"messages": [{"role": "user", "content": "q?"}]}'}, {"output.value": "a"})],
)  # fmt: skip
def test_names_of_conventions(asked: dict[str, Any], answered: dict[str, Any], tmp_path: Path) -> None:
    row = span("chat", 1, **{"gen_ai.operation.name": "chat"}, **asked, **answered)
    trace = attempt(tmp_path, row)
    assert (trace.question, trace.answer, trace.sample) == ("q?", "a", "t")
    assert thoughts(trace) == ("Hm." if "reasoning" in str(answered) else "")


def test_an_event_holds_the_messages_of_its_span(tmp_path: Path) -> None:
    sides = {"input": ("user", "q?"), "output": ("assistant", "a")}
    attributes = {
        f"gen_ai.{side}.messages": [{"role": role, "parts": [{"type": "text", "content": text}]}]
        for side, (role, text) in sides.items()
    }
    event = {"name": "gen_ai.client.inference.operation.details", "attributes": attributes}
    row = {**span("chat", 1, **{"gen_ai.operation.name": "chat"}), "events": [event]}
    assert attempt(tmp_path, row).answer == "a"


def test_conversations_of_one_trace_and_one_conversation_of_several_traces(tmp_path: Path) -> None:
    def chat(number: int, trace: str, conversation: str, text: str) -> dict[str, Any]:
        said = {"input.value": text, "output.value": text.upper(), "openinference.span.kind": "LLM"}
        return {**span("chat", number, **said, **{"session.id": conversation}), "trace_id": trace}

    log = read(
        tmp_path, chat(1, "x", "a", "one"), chat(2, "x", "b", "two"), chat(3, "y", "a", "yes"),
        chat(4, "z", "a", "yes"), span("GET /health", 5, **{"http.method": "GET"}),
    )  # fmt: skip
    said = {trace.sample: [turn.text for turn in trace.turns] for trace in log.traces}
    assert said == {"a": ["one", "ONE", "yes", "YES", "yes", "YES"], "b": []} and not log.left_out


def test_an_evaluators_own_words_are_no_part_of_the_attempt(tmp_path: Path) -> None:
    """Its model is shown the right answer, and what it says is no answer; its verdict is a label."""
    kind, above = "openinference.span.kind", {"parent_id": "s2"}
    verdict = {"gen_ai.evaluation.name": "correctness", "gen_ai.evaluation.score.value": 0}
    rows = [
        span("chat", 1, **{kind: "LLM", "input.value": "q?", "output.value": "a"}),
        span("judge", 2, **{kind: "EVALUATOR", "input.value": "a"}, **verdict),
        {
            **span("chat", 3, **{kind: "LLM", "input.value": "Is a right? It is b.", "output.value": "No"}),
            **above,
        },
    ]
    trace = attempt(tmp_path, *rows)
    assert (trace.question, trace.answer, trace.turns, trace.correct) == ("q?", "a", (), False)


@pytest.mark.parametrize("failed", [True, False])
def test_a_tool_whose_span_has_no_result_is_told_by_the_next_request(failed: bool, tmp_path: Path) -> None:
    use = {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "count", "arguments": {}}]}
    asked = [{"role": "user", "parts": [{"type": "text", "content": "q?"}]}]
    result = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "12"}]}
    answer = {"role": "assistant", "parts": [{"type": "text", "content": "a"}]}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "count", "gen_ai.tool.call.id": "c"}

    def chat(number: int, inputs: list[Any], output: Any) -> dict[str, Any]:
        messages = {"gen_ai.input.messages": inputs, "gen_ai.output.messages": [output]}
        return span("chat", number, **{"gen_ai.operation.name": "chat"}, **messages)

    status = {"status": {"status_code": "ERROR" if failed else "OK"}}
    rows = [
        chat(1, asked, use),
        {**span("count", 2, **tool), **status},
        chat(3, [*asked, use, result], answer),
    ]
    trace = attempt(tmp_path, *rows)
    (call,) = [turn for turn in trace.turns if turn.kind is TurnKind.TOOL]
    assert (call.observation, call.failed, trace.answer) == ("12", failed or None, "a")


def test_an_older_session_of_codex_is_its_items(tmp_path: Path) -> None:
    rows = [
        {"id": "s", "timestamp": "2025-06-01T10:00:00Z", "instructions": None},
        {"record_type": "state"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it."}]},
        {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c"},
        {"type": "function_call_output", "call_id": "c",
         "output": json.dumps({"output": "no such file", "metadata": {"exit_code": 2}})},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
    ]  # fmt: skip
    log = read(tmp_path, *rows)
    (trace,) = log.traces
    assert not log.left_out and trace.answer == "Done."
    assert [(turn.observation, turn.failed) for turn in trace.turns[1:2]] == [("no such file", True)]


def test_spans_without_contents_are_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"Trace t: What was asked .* is not recorded.*Let the tracer record"):
        read(tmp_path, span("chat", 1, **{"gen_ai.operation.name": "chat"}))


@pytest.mark.parametrize("name", [log.file for log in LOGS])
@given(data=st.data())
def test_an_odd_value_anywhere_is_read_or_named(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = (FOLDER / name).read_text()
    try:
        rows = [json.loads(text)]
    except ValueError:
        rows = [json.loads(line) for line in text.splitlines()]
    holder: Any = rows
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(ODD)
    file = tmp_path_factory.mktemp("odd") / "log.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    try:
        log = read_log(file)
    except TaskError as error:
        assert error.details.get("file") == str(file)
        return
    assert all(trace.question.strip() and (trace.answer.strip() or trace.error) for trace in log.traces)
