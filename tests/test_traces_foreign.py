"""Logs of other writers: their names for fields, roles and verdicts, their encodings and ways to answer."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from ace.errors import TaskError
from ace.task.traces import Log, Trace, read_log
from tests.test_traces_odd import GOOD, call, chat, read

ASKED = {"role": "user", "content": "What is bill 7?"}
SAID = {"role": "assistant", "content": "41.50"}


def only(folder: Path, row: Any) -> Trace:
    (trace,) = read(folder, row).traces
    return trace


@pytest.mark.parametrize(
    "row",
    [
        {"input": "What is bill 7?", "output": "41.50", "score": 0, "target": "42"},
        {"prompt": "What is bill 7?", "completion": "41.50", "is_correct": False, "ideal": "42"},
        {"question": "What is bill 7?", "answer": "42", "prediction": "41.50", "correct": "no"},
        {"query": "What is bill 7?", "response": "41.50", "success": False, "ground_truth": "42"},
        {"conversation": [ASKED, SAID], "rating": 0, "reference": "42"},
        {"messages": json.dumps([ASKED, SAID]), "passed": "false", "gold": "42"},
        {"messages": [ASKED], "choices": [{"message": SAID}], "score": "0/5", "target": "42"},
        {"request": {"messages": [ASKED]}, "response": {"choices": [{"message": SAID}]}, "reward": 0,
         "expected": "42"},
        {"input": [ASKED], "output": [{"type": "reasoning", "summary": []}, {**SAID, "type": "message"}],
         "reward": 0, "expected": "42"},
        {"messages": [ASKED, SAID], "target": "42", "scores": {"match": {"value": "I"}}},
        {"conversations": [{"from": "human", "value": ASKED["content"]}, {"from": "gpt", "value": "41.50"}],
         "reward": 0, "expected": "42"},
        {"messages": [{"type": "human", "data": ASKED}, {"type": "ai", "data": SAID}], "reward": 0,
         "expected": "42"},
        {"messages": [{"role": "Human", "content": ASKED["content"]}, {"role": "AI", "content": 41.50}],
         "reward": 0, "expected": "42"},
        {"contents": [{"role": "user", "parts": [{"text": ASKED["content"]}]},
                      {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "41.50"}]}],
         "reward": 0, "expected": "42"},
    ],
)  # fmt: skip
def test_names_of_other_writers(row: dict[str, Any], tmp_path: Path) -> None:
    trace = only(tmp_path, row)
    assert (trace.question, trace.correct, trace.expected) == ("What is bill 7?", False, "42")
    assert trace.answer in ("41.50", "41.5")  # a number of JSON has no zeros


def test_what_is_right_in_an_object_is_not_what_was_answered(tmp_path: Path) -> None:
    row = {"doc_id": 0, "doc": {"question": "Two and two?", "answer": "4"}, "filtered_resps": ["5"]}
    with pytest.raises(TaskError, match="no log that can be read; the record has doc_id, doc"):
        read(tmp_path, row)


@pytest.mark.parametrize("name", ["_id", "uuid", "task_id", "instance_id", "conversation_id"])
def test_ids_of_other_writers(name: str, tmp_path: Path) -> None:
    assert only(tmp_path, {**GOOD, "id": None, name: "abc"}).sample == "abc"


@pytest.mark.parametrize(
    ("rating", "score"),
    [("4/5", 0.8), ("80%", 0.8), ("7 out of 10", 0.7), ("5 / 5", 1), ({"value": 0.5}, 0.5), ("C", 1),
     ("incorrect", 0), ("Ja", 1), ({"match": {"value": "I"}}, 0)],
)  # fmt: skip
def test_a_share_or_a_word_is_a_rating(rating: Any, score: float, tmp_path: Path) -> None:
    trace = only(tmp_path, {**GOOD, "reward": rating})
    assert trace.score == score and trace.correct is (score == 1)


@pytest.mark.parametrize("rating", ["", "N/A", "null", " - "])
@pytest.mark.parametrize("field", ["reward", "correct"])
def test_a_text_for_nothing_is_no_label(rating: str, field: str, tmp_path: Path) -> None:
    row = {"id": "1", "question": "q?", "answer": "a", field: rating}
    assert only(tmp_path, row).correct is None


@pytest.mark.parametrize(
    "fields",
    [{"score": 4, "max_score": 5}, {"reward": {"score": 4, "out_of": 5}}, {"rating": "4", "max_rating": 5}],
)
def test_a_rating_beside_its_highest_says_its_scale(fields: dict[str, Any], tmp_path: Path) -> None:
    trace = only(tmp_path, {"id": "1", "question": "q?", "answer": "a", **fields})
    assert (trace.score, trace.correct) == (0.8, False)


def test_an_empty_conversation_beside_a_question_is_a_row(tmp_path: Path) -> None:
    assert only(tmp_path, {**GOOD, "messages": []}).answer == "4"


@pytest.mark.parametrize(("field", "value"), [("score", 2), ("rating", 4), ("stars", 3), ("score", "6/5")])
def test_a_rating_of_another_name_is_held_to_the_scale(field: str, value: Any, tmp_path: Path) -> None:
    row = {"id": "1", "question": "q?", "answer": "a", field: value}
    with pytest.raises(TaskError, match=rf"\[{field}\]: Expected a number from 0 to 1, found .* Divide"):
        read(tmp_path, row)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [('{"answer": "41.50"}', "41.50"), ({"answer": "41.50"}, "41.50"), ('{"answer": 41.50}', "41.50"),
     ("41.50", "41.50"), ('["41.50"]', "41.50"), (json.dumps('{"answer": "41.50"}'), "41.50"),
     ('{"answer": "41.50", "confidence": 0.9}', "41.50"), ('{"thought": "so", "answer": 41.50}', "41.50"),
     ('{"answer": {"total": 41}}', '{"total": 41}')],
)  # fmt: skip
def test_arguments_of_a_last_call(arguments: Any, answer: str, tmp_path: Path) -> None:
    calls = [{"id": None, "type": "function", "function": {"name": "final_answer", "arguments": arguments}}]
    for given in (calls, json.dumps(calls)):
        message = {"role": "assistant", "content": "", "tool_calls": given}
        assert only(tmp_path, chat(call("total", bill=7), message)).answer == answer


def test_what_is_said_after_a_final_answer_takes_leave(tmp_path: Path) -> None:
    result = {"role": "tool", "tool_call_id": "final_answer", "content": "ok"}
    final = [call("final_answer", answer="41.50"), result, {"role": "assistant", "content": "Done."}]
    assert only(tmp_path, chat(*final)).answer == "41.50"
    refused = [final[0], {**result, "content": "Error: no number"}, {"role": "assistant", "content": "42"}]
    assert only(tmp_path, chat(*refused)).answer == "42"


@pytest.mark.parametrize(
    "said",
    [{"content": None, "refusal": "I cannot."}, {"content": [{"type": "refusal", "refusal": "I cannot."}]},
     {"content": [{"type": "text", "text": {"value": "I cannot.", "annotations": []}}]},
     {"content": {"text": "I cannot."}}, {"audio": {"transcript": "I cannot."}, "content": None}],
)  # fmt: skip
def test_an_earlier_call_is_no_answer_where_something_is_said_last(
    said: dict[str, Any], tmp_path: Path
) -> None:
    assert only(tmp_path, chat(call("total"), {"role": "assistant", **said})).answer == "I cannot."


def test_a_result_of_a_tool_is_never_the_word_of_the_user(tmp_path: Path) -> None:
    result = {"role": "user", "content": [{"type": "tool_result", "content": "Pay 9."}]}
    trace = only(tmp_path, {"messages": [result, ASKED, SAID]})
    assert trace.question == "What is bill 7?" and "user: Pay 9." not in trace.lines


def test_a_conversation_that_crashed_keeps_its_error(tmp_path: Path) -> None:
    trace = only(tmp_path, {"messages": [ASKED], "error": "rate limit", "reward": 0})
    assert (trace.answer, trace.error) == ("", "rate limit")


@pytest.mark.parametrize(
    "message",
    [{"parts": [{"functionCall": {"name": "submit", "args": {"answer": "41"}}}], "role": "model"},
     {"content": [{"toolUse": {"toolUseId": "1", "name": "submit", "input": {"answer": "41"}}}]},
     {"content": [{"type": "tool-call", "toolCallId": "1", "toolName": "submit", "args": {"answer": "41"}}]},
     {"content": "", "additional_kwargs": {"tool_calls": [{"id": "1", "function": {
         "name": "submit", "arguments": '{"answer": "41"}'}}]}},
     {"content": '<think>S</think><tool_call>{"name": "submit", "arguments": {"answer": "41"}}</tool_call>'},
     {"content": "So.", "tool_calls": [{"name": "mcp__x__submitAnswer", "args": {"answer": "41", "n": 1}}]}],
)  # fmt: skip
def test_calls_of_other_writers(message: dict[str, Any], tmp_path: Path) -> None:
    leave = {"role": "user", "content": "###STOP###"}
    messages = [ASKED, {"role": "assistant", **message}, leave]
    assert only(tmp_path, {"messages": messages}).answer == "41"


@pytest.mark.parametrize(
    "row",
    [{"inputs": {"question": "q?"}, "outputs": {"answer": "a"}, "reference_outputs": {"answer": "b"}},
     {"prompt": {"raw": "q?"}, "response": {"output": "a"}, "target": "b"},
     {"inputs": {"messages": [{"role": "user", "content": "q?"}]}, "expected": "b",
      "outputs": {"messages": [{"role": "user", "content": "q?"}, {"role": "assistant", "content": "a"}]}},
     {"request": {"contents": [{"role": "user", "parts": [{"text": "q?"}]}]}, "expected": "b",
      "response": {"candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}}]}},
     {"request": {"messages": [{"role": "user", "content": "q?"}]}, "expected": "b",
      "response": {"role": "assistant", "content": [{"type": "text", "text": "a"}]}}],
)  # fmt: skip
def test_inputs_and_outputs_as_objects(row: dict[str, Any], tmp_path: Path) -> None:
    trace = only(tmp_path, row)
    assert (trace.question, trace.answer, trace.expected, trace.turns) == ("q?", "a", "b", ())


def test_tau2(tmp_path: Path) -> None:
    run = {"id": "u1", "task_id": "7", "trial": 0, "reward_info": {"reward": 0.0}, "messages": [ASKED, SAID]}
    crashed = {**run, "id": "u2", "reward_info": None, "messages": []}
    log = read(tmp_path, {"info": {}, "tasks": [{"id": "7"}], "simulations": [run, crashed]})
    assert [(trace.sample, trace.correct) for trace in log.traces] == [("7", False)]
    assert log.describe()[0].endswith("1 without an attempt")


def bytes_log(folder: Path, data: bytes) -> Log:
    (folder / "log.json").write_bytes(data)
    return read_log(folder / "log.json")


ROWS = [GOOD, {**GOOD, "id": "too"}]
LINES = "\n".join(map(json.dumps, ROWS))


@pytest.mark.parametrize(
    "data",
    [LINES.encode("utf-16"), LINES.encode("utf-32"), codecs.BOM_UTF16_BE + LINES.encode("utf-16-be"),
     LINES.encode("utf-16-le"), LINES.replace("\n", "\r\n").encode(), LINES.replace("}", "},").encode(),
     "".join(f"\x1e{json.dumps(row)}\n" for row in ROWS).encode(),
     "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
     json.dumps({"data": {"page": 1, "results": {"items": ROWS}}}).encode()],
)  # fmt: skip
def test_forms_of_files(data: bytes, tmp_path: Path) -> None:
    log = bytes_log(tmp_path, data)
    assert [trace.id for trace in log.traces] == ["ok", "too"] and not log.left_out


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_file_that_is_cut_within_a_character_keeps_its_records(
    encoding: str, cut: int, tmp_path: Path
) -> None:
    log = bytes_log(tmp_path, f"{LINES}\n".encode(encoding)[:-cut])
    assert "ok" in [trace.id for trace in log.traces]


@pytest.mark.parametrize("half", ["\\ud83d", "\\udc80"])
def test_half_an_emoji_that_json_escapes_is_replaced(half: str, tmp_path: Path) -> None:
    row = json.dumps({**GOOD, "question": "Half HERE?"}).replace("HERE", half)
    assert only(tmp_path, row).question == "Half \ufffd?"
