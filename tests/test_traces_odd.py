"""Logs as other programs leave them: one odd record costs itself, is named, and is counted by its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import TaskError
from ace.llm import ScriptedClient
from ace.methods.ace.reflection import Case, Profile, Reflect
from ace.methods.ace.reflector import Reflector
from ace.methods.protocol import Trial
from ace.task import Attempt, Feedback, FeedbackKind, Sample
from ace.task.traces import Log, Trace, read_log, read_traces
from tests.cli import Ace
from tests.model_server import ModelServer

GOOD = {"id": "ok", "question": "Two and two?", "answer": "4", "reward": 1}
LONG = "Fix the bug in this repository.\n" + "line of a listing\n" * 40_000


def read(folder: Path, *lines: Any) -> Log:
    file = folder / "log.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts), encoding="utf-8")
    return read_log(file)


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "What is bill 7?"}, *messages], **fields}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": name, "function": function}]}


def answer_of(folder: Path, *messages: dict[str, Any]) -> str:
    (trace,) = read(folder, chat(*messages)).traces
    return trace.answer


@pytest.mark.parametrize(
    ("odd", "fault"),
    [
        ("{broken", "not JSON"),
        ("[1, 2]", "not an object"),
        ("null", "not an object"),
        ({"weather": "fine"}, "without an attempt"),
        ({"id": 1, "question": "", "answer": "x"}, "without an attempt"),
        ({"id": 1, "question": None, "answer": "x"}, "without an attempt"),
        ({**GOOD, "reward": "high"}, "with a value that cannot be used"),
        ({**GOOD, "reward": {}}, "with a value that cannot be used"),
        ({**GOOD, "correct": "maybe"}, "with a value that cannot be used"),
        ({"messages": ["hello"]}, "with a value that cannot be used"),
        ({"messages": [None]}, "with a value that cannot be used"),
        ({"messages": []}, "without an attempt"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "without an attempt"),
        ({"task_id": 0, "trial": 0, "reward": 0.0, "info": {"error": "rate limit"}, "traj": []},
         "without an attempt"),
        ({"task_id": 0, "reward": 0.0, "info": None, "traj": None}, "without an attempt"),
        ({"query": "q", "actions": [], "observations": [], "rewards": []}, "without an attempt"),
        ({"query": "q", "turn_history": None}, "without an attempt"),
    ],
)  # fmt: skip
def test_one_odd_record_costs_itself_alone(odd: Any, fault: str, tmp_path: Path) -> None:
    log = read(tmp_path, GOOD, odd, {**GOOD, "id": "too"})
    assert [trace.id for trace in log.traces] == ["ok", "too"]
    (error,) = log.left_out
    assert error.details["line"] == 2 and f"{tmp_path / 'log.jsonl'}:2" in str(error)
    assert log.describe() == (f"1 of 3 records of the log left out: 1 {fault}",)


def test_a_first_record_that_is_odd_decides_nothing(tmp_path: Path) -> None:
    log = read(tmp_path, {"version": 3}, GOOD)
    assert [trace.id for trace in log.traces] == ["ok"]
    assert "[question]: Expected text" in str(log.left_out[0])


def test_logs_of_several_formats_in_one_file(tmp_path: Path) -> None:
    log = read(tmp_path, GOOD, chat({"role": "assistant", "content": "41"}, id="c"))
    assert [(trace.id, trace.answer) for trace in log.traces] == [("ok", "4"), ("c", "41")]


def test_bytes_that_are_no_text_cost_their_line(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    good = json.dumps(GOOD).encode()
    file.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n" + good.replace(b"Two", b"T\xffo") + b"\r\n")
    log = read_log(file)
    assert len(log.traces) == 1 and log.describe()[0].endswith("1 not UTF-8")


def test_a_list_that_was_cut_off_keeps_what_is_whole(tmp_path: Path) -> None:
    text = json.dumps([GOOD, {**GOOD, "id": "too"}, GOOD], indent=1)
    file = tmp_path / "log.json"
    file.write_text(text[: text.rindex("answer")], encoding="utf-8")
    log = read_log(file)
    assert [trace.id for trace in log.traces] == ["ok", "too"]
    assert log.describe()[0].endswith("1 not JSON") and log.left_out[0].details["line"] > 10
    file.write_text(text + "\n[]", encoding="utf-8")
    assert len(read_log(file).traces) == 3 and "more behind the list" in str(read_log(file).left_out[0])


@pytest.mark.parametrize("wrapped", [
    {"7": {**GOOD, "id": None}},
    {"meta": {"seed": 1}, "logs": {"7": {**GOOD, "id": None}}},
])  # fmt: skip
def test_records_are_found_in_an_object_by_their_keys(wrapped: Any, tmp_path: Path) -> None:
    (trace,) = read(tmp_path, json.dumps(wrapped, indent=1)).traces
    assert trace.sample == "7"


def test_a_single_object_is_a_record_and_may_hold_a_list_of_them(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(GOOD, indent=2)).traces[0].line == 1
    log = read(tmp_path, {"model": "m", "results": [GOOD, {**GOOD, "id": "too"}]})
    assert [trace.id for trace in log.traces] == ["ok", "too"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "record-1"), ("", "record-1"), (" ", "record-1"), (True, "record-1"), ([1], "record-1"),
        ({"$oid": "x"}, "record-1"), (0, "0"), (7.0, "7"), (7.5, "7.5"), ("a\n b", "a b"), ("7", "7"),
    ],
)  # fmt: skip
def test_an_odd_id_is_none(value: Any, name: str, tmp_path: Path) -> None:
    assert [trace.sample for trace in read(tmp_path, {**GOOD, "id": value}).traces] == [name]


def test_an_id_for_everything_does_not_make_one_sample_of_all(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": "session", "question": f"Number {n}?"} for n in (1, 2, 1)]
    traces = read(tmp_path, *rows).traces
    assert [(trace.sample, trace.id) for trace in traces] == [
        ("session", "session#1"), ("session (2)", "session (2)"), ("session", "session#2")
    ]  # fmt: skip
    tau = {"task_id": 1, "reward": 0, "info": {}}
    asked = [
        {**tau, "traj": [{"role": "user", "content": text}]} for text in ("Cancel it.", "Please cancel.")
    ]
    assert {trace.sample for trace in read(tmp_path, *asked).traces} == {"1"}


@pytest.mark.parametrize(
    "messages",
    [
        [call("final_answer", answer="41.50")],
        [{"role": "assistant", "content": "Let me add it up."}, call("submit", result="41.50")],
        [call("look"), {"role": "tool", "tool_call_id": "look", "content": "41.50"},
         {"role": "assistant", "content": "Done soon."}, call("finish", answer="41.50"),
         {"role": "tool", "tool_call_id": "finish", "content": "Submitted."}],
        [call("final_answer", answer="41.50"), {"role": "user", "content": "###STOP###"}],
        [{"role": "assistant", "function_call": {"name": "submit", "arguments": '{"a": "41.50"}'}}],
        [{"role": "assistant", "content": [{"type": "text", "text": "So:"}, {
            "type": "tool_use", "id": "1", "name": "submit", "input": {"answer": "41.50"}}]}],
        [{"role": "assistant", "tool_calls": [{"id": "1", "name": "submit", "args": {"answer": "41.50"}}]}],
    ],
)  # fmt: skip
def test_a_call_that_ends_the_attempt_is_its_answer(messages: list[dict[str, Any]], tmp_path: Path) -> None:
    assert answer_of(tmp_path, *messages) == "41.50"


def test_a_last_call_of_several_arguments_is_the_answer_as_it_stands(tmp_path: Path) -> None:
    assert answer_of(tmp_path, call("book", at=9, seats=2)) == 'book({"at": 9, "seats": 2})'
    assert answer_of(tmp_path, call("done")) == "done({})"


def test_what_is_said_after_the_last_call_is_the_answer(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "41.50 in all."}
    assert (
        answer_of(tmp_path, call("look", bill=7), {"role": "tool", "content": "41.50"}, said)
        == said["content"]
    )


def test_results_of_tools_in_messages_of_the_user_are_no_questions(tmp_path: Path) -> None:
    use = {"type": "tool_use", "id": "1", "name": "total", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "41.50"}]}
    (trace,) = read(
        tmp_path,
        chat({"role": "assistant", "content": [use]}, {"role": "user", "content": [result]},
             {"role": "assistant", "content": "It is 41.50."}),
    ).traces  # fmt: skip
    assert trace.lines[1:3] == ("assistant calls total({})", "tool total: 41.50")


@pytest.mark.parametrize("calls", [True, 3, "x", {}, [None], [3], [{"function": None}], [{"function": "x"}]])
def test_odd_tool_calls_are_none(calls: Any, tmp_path: Path) -> None:
    assert answer_of(tmp_path, {"role": "assistant", "content": "4", "tool_calls": calls}) == "4"


@pytest.mark.parametrize(
    ("reward", "score"),
    [(0.25, 0.25), ("0.5", 0.5), (1, 1.0), (1.0000000002, 1.0), (-3, 0.0), (True, 1.0), (None, 0.0)],
)
def test_rewards_that_can_be_read(reward: Any, score: float, tmp_path: Path) -> None:
    (trace,) = read(tmp_path, {**GOOD, "reward": reward}).traces
    assert trace.score == score and trace.correct is (None if reward is None else score == 1)


@pytest.mark.parametrize("rewards", [[2, 5], [1, 1, 1, 5], [100, 0], [0, 1, 2]])
def test_another_scale_is_refused_and_not_guessed(rewards: list[int], tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"\[reward\]: Expected a number from 0 to 1, found .* Divide by"):
        read(tmp_path, *({**GOOD, "id": n, "reward": reward} for n, reward in enumerate(rewards)))


def test_a_single_slip_above_one_is_left_out(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": n, "reward": n % 2} for n in range(20)]
    log = read(tmp_path, *rows, {**GOOD, "reward": 2})
    assert len(log.traces) == 20 and log.describe()[0].endswith("1 with a reward above 1")


def test_a_verdict_beside_a_rating_counts(tmp_path: Path) -> None:
    rows = [{**GOOD, "correct": False, "reward": 2}, {**GOOD, "id": 2, "correct": True, "reward": 5}]
    assert [(trace.correct, trace.score) for trace in read(tmp_path, *rows).traces] == [(False, 0), (True, 1)]


@pytest.mark.parametrize(("given", "correct"), [("true", True), ("False", False), (1, True), (0.0, False)])
def test_verdicts_of_other_writers(given: Any, correct: bool, tmp_path: Path) -> None:
    (trace,) = read(tmp_path, {**GOOD, "reward": None, "correct": given}).traces
    assert trace.correct is correct


HISTORY = {
    "actions": ["SHOW TABLES", "SELECT 2", "blocked"], "thoughts": ["Look first.", "", None],
    "observations": ["[('loans',)]", "[(2,)]"], "rewards": [0.0, 0.5, 0], "valid_action": [True, False],
}  # fmt: skip


def test_intercode_as_it_is_published(tmp_path: Path) -> None:
    row = {"environment": "ic_sql", "task_id": 3, "query": "How many?", "turn_history": HISTORY}
    (trace,) = read(tmp_path, json.dumps({"0": row}, indent=1)).traces
    assert (trace.sample, trace.answer, trace.correct, trace.ran) == ("3", "blocked", False, None)
    assert trace.lines == ("> SHOW TABLES", "[('loans',)]", "> SELECT 2", "[(2,)]", "> blocked")
    assert [turn.failed for turn in trace.turns if turn.arguments] == [False, True, None]


def test_intercode_as_people_played_it(tmp_path: Path) -> None:
    steps = [{"action": "desc t;", "observation": "a"}, {"action": "select 1;", "observation": "(1,)"}]
    row = {"query_idx": 8, "query": "One?", "gold": "SELECT 1", "reward": 1.0, "trajectory": steps}
    (trace,) = read(tmp_path, {"8": row}).traces
    assert (trace.sample, trace.answer, trace.correct, trace.expected) == ("8", "select 1;", True, "SELECT 1")


@given(st.lists(st.sampled_from([GOOD, 3, None, {}, "x", {"question": "q", "answer": []}]), min_size=1))
def test_every_record_is_read_or_named(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    try:
        log = read(tmp_path_factory.mktemp("logs"), *map(json.dumps, rows))
    except TaskError as error:
        assert (GOOD not in rows and error.details["line"] == 1) or "No recorded" in str(error)
    else:
        assert len(log.traces) + len(log.left_out) == len(rows)


@pytest.mark.parametrize("profile", [Profile.SMALL, Profile.FULL])
def test_a_question_of_a_whole_repository_is_shortened_for_a_reflector(profile: Profile) -> None:
    lesson = '{"lesson": "a: b."}'
    client = ScriptedClient([lesson, lesson if profile is Profile.SMALL else '{"analysis": "x"}'])
    sample = Sample("q", LONG)
    trial = Trial(sample, Attempt("q", "done"), Feedback(FeedbackKind.LABELS, "wrong", False), "e")
    Reflector(client)(sample, trial.attempt, trial.feedback, prompts="ace.task.environments.sql.lessons")
    Reflect(client, profile)(Case(trial=trial, others=[trial] * 3))
    assert len(client.calls) == 2
    for request in client.calls:
        prompt = "".join(message.content for message in request.messages)
        assert len(prompt) < 60_000 and "characters left out" in prompt


def test_the_command_names_what_it_leaves_out(ace: Ace) -> None:
    server = ModelServer()
    rows = [json.dumps({**GOOD, "reward": 1}), "{", json.dumps({"task_id": 1, "reward": 0, "traj": []})]
    Path("log.jsonl").write_text("\n".join(rows), encoding="utf-8")
    done = ace("learn", "--from-traces", "log.jsonl", "--model", "openai/tiny", "--api-base", server.api_base)
    server.close()
    assert done.code == 0, done.err
    assert "left out: log.jsonl:2: Not valid JSON" in done.err and "left out: log.jsonl:3" in done.err
    assert "2 of 3 records of the log left out: 1 not JSON, 1 without an attempt" in done.out


def test_reading_traces_alone_is_reading_the_log(tmp_path: Path) -> None:
    log = read(tmp_path, GOOD, "{")
    assert read_traces(tmp_path / "log.jsonl") == log.traces and isinstance(log.traces[0], Trace)
