"""Reading logs: each format by its content, each fault with its place, and whose sample a record is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import TaskError
from ace.task import FeedbackKind, Sample, Turn, TurnKind, define_task
from ace.task.traces import Trace, fingerprint, match_traces, read_traces

DATA = Path(__file__).parent.parent / ".." / "shared" / "data"
INTERCODE = DATA / "intercode-sql" / "recorded"
TAU = DATA / "tau1-recorded-trajectories"
LABELS, EXECUTION, NONE = FeedbackKind.LABELS, FeedbackKind.EXECUTION, FeedbackKind.NONE

ROW = {"id": 7, "question": "Two and two?", "answer": "5", "correct": False, "feedback": "off by one"}
RATED = {"id": 8, "question": "Write a line about rain.", "answer": "Rain."}
CHAT = {
    "id": "c1",
    "reward": 0.5,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Book a table."}, {"type": "image_url"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "book", "arguments": '{"at": 8}'}}]},
        {"role": "tool", "name": "book", "content": "full"},
        {"role": "assistant", "content": "There is none."},
    ],
}  # fmt: skip
TAU_ROW = {
    "task_id": 3, "trial": 1, "reward": 1.0, "traj": CHAT["messages"],
    "info": {"task": {"actions": [{"name": "book", "kwargs": {"at": 9}}]}},
}  # fmt: skip
INTERCODE_ROW = {
    "task_id": 4, "query": "How many?", "actions": ["SHOW TABLES", "SELECT 1"],
    "observations": ["[]", "[(1,)]"], "rewards": [1.0, 0.0], "valid": [True, False], "max_reward": 1.0,
}  # fmt: skip


def written(folder: Path, *rows: Any) -> Path:
    file = folder / "log.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return file


def test_rows(tmp_path: Path) -> None:
    (trace,) = read_traces(written(tmp_path, ROW))
    assert (trace.id, trace.sample, trace.answer, trace.correct) == ("7", "7", "5", False)
    assert (
        trace.outcome().shown(LABELS).passed is False and "off by one" in trace.outcome().shown(LABELS).text
    )


def test_chat(tmp_path: Path) -> None:
    (trace,) = read_traces(written(tmp_path, CHAT))
    assert (trace.question, trace.answer, trace.correct, trace.score) == (
        "Book a table.", "There is none.", False, 0.5
    )  # fmt: skip
    assert trace.lines == (
        "user: Book a table.",
        'assistant calls book({"at": 8})',
        "tool book: full",
        "assistant: There is none.",
    )


def test_a_chat_of_two_turns_is_only_its_answer(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Two and two?"}, {"role": "assistant", "content": "4"}]
    (trace,) = read_traces(written(tmp_path, {"messages": messages}))
    assert trace.turns == () and trace.correct is None and trace.id == "record-1"


def test_tau(tmp_path: Path) -> None:
    file = tmp_path / "runs.json"
    file.write_text(json.dumps([TAU_ROW, {**TAU_ROW, "trial": 2, "reward": 0.0}], indent=1), encoding="utf-8")
    first, second = read_traces(file)
    assert (first.id, second.id, first.sample) == ("3#1", "3#2", "3")
    assert (first.correct, second.correct) == (True, False)
    assert "Right answer: book(at=9)" in second.outcome().shown(LABELS).text


def test_intercode_answers_with_the_last_action(tmp_path: Path) -> None:
    (trace,) = read_traces(written(tmp_path, INTERCODE_ROW))
    assert (trace.answer, trace.correct, trace.ran) == ("SELECT 1", False, False)
    assert trace.lines == ("> SHOW TABLES", "[]", "> SELECT 1", "[(1,)]")


rewards = st.none() | st.floats(0, 1)
texts = st.text(min_size=1).filter(str.strip)


@given(texts, texts, st.none() | st.booleans(), rewards, st.text(), st.lists(texts, max_size=3))
def test_what_a_label_says_is_shown_with_labels_only(
    question: str, answer: str, correct: bool | None, score: float | None, remark: str, turns: list[str]
) -> None:
    """Whatever the outcome, without labels the feedback is that of a trace without one."""
    plain = {
        "sample": "s",
        "question": question,
        "answer": answer,
        "turns": tuple(Turn(kind=TurnKind.TOOL, observation=turn) for turn in turns),
        "ran": True,
    }
    bare = Trace(**plain)
    told = Trace(**plain, correct=correct, score=score or 0.0, remark=remark, expected="the gold")
    for kind in (EXECUTION, NONE):
        assert told.outcome().shown(kind) == bare.outcome().shown(kind)
    assert told.outcome().shown(NONE).text == ""
    assert told.attempt(Sample("s", question)) == bare.attempt(Sample("s", question))


INNER = "content tool_calls function function_call name arguments id text type tool_call_id reasoning custom"
KEYS = "turn_history trajectory query_idx thoughts valid info expected error observed "
KEYS += "id question answer correct reward feedback messages query actions observations rewards traj task_id"
scalars = st.none() | st.booleans() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(INNER.split()), inner),
    max_leaves=6,
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"]) | scalars},
    optional=dict.fromkeys(INNER.split(), anything),
)
values = anything | st.lists(anything | messages, max_size=3)


@given(row=st.dictionaries(st.sampled_from(KEYS.split()), values))
def test_a_record_is_read_or_refused_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]
) -> None:
    file = written(tmp_path_factory.mktemp("logs"), row)
    try:
        (trace,) = read_traces(file)
    except TaskError as error:
        assert f"{file}:1" in str(error) or "Record 1" in str(error)
    else:
        assert trace.question.strip() and (trace.answer.strip() or trace.error) and trace.line == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "log.jsonl: No recorded attempts"),
        ("\n \n", "No recorded attempts"),
        ("{oops", "log.jsonl:1: Not valid JSON"),
        ("[\n oops]", "log.jsonl:2: Not valid JSON"),
        ("3", "log.jsonl:1: Expected an object, found 3"),
        ('{"weather": "fine"}', "the record has weather. Known: tau-bench"),
        (json.dumps({**ROW, "question": None}), "log.jsonl:1 [question]: Expected text"),
        (json.dumps({**ROW, "correct": "perhaps"}), "[correct]: Expected true or false, found 'perhaps'"),
        (json.dumps({**RATED, "reward": "high"}), "[reward]: Expected a number"),
        (json.dumps({**RATED, "reward": float("nan")}), "[reward]: Expected a number"),
        (json.dumps({**RATED, "reward": [1]}), "[reward]: Expected a number"),
        (json.dumps({**RATED, "reward": 5}), "[reward]: Expected a number from 0 to 1, found 5. Divide by"),
        (json.dumps({"messages": []}), "[messages]: Expected a list that is not empty"),
        (json.dumps({"messages": ["hello"]}), "Expected a message with a role"),
        (json.dumps({"messages": [{"role": "assistant", "content": "hi"}]}), "Nobody asks anything"),
        (json.dumps({**INTERCODE_ROW, "rewards": [1.0]}), "differ in number"),
        (json.dumps([{**TAU_ROW, "traj": []}]), "Record 1: Expected a list that is not empty"),
    ],
)  # fmt: skip
def test_faults_are_told_with_their_place(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TaskError) as error:
        read_traces(file)
    assert said in str(error.value)


def test_the_fingerprint_is_of_what_was_recorded(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    one, same = read_traces(written(tmp_path, ROW)), read_traces(written(tmp_path / "elsewhere", ROW))
    assert fingerprint(one) == fingerprint(same) != ""
    assert fingerprint(one) != fingerprint(read_traces(written(tmp_path, {**ROW, "correct": True})))


def test_held_out_samples_stay_held_out() -> None:
    row = {"answer": "x"}
    task = define_task(
        "t",
        [{"id": "a", "question": "Who?", **row}, {"id": "b", "question": "Twice?", **row, "db": "1"},
         {"id": "c", "question": "Twice?", **row, "db": "2"}],
        lambda sample, answer: True,
        test=[{"id": "d", "question": "When, then?", **row}],
    )  # fmt: skip

    def trace(name: str, question: str) -> Trace:
        return Trace(id=name, sample=name, question=question, answer="x")

    told = [trace("1", "who"), trace("2", "WHEN then"), trace("3", "Twice?"), trace("c", "Twice?"),
            trace("a", "Something else?")]  # fmt: skip
    recorded, left_out = match_traces(task, told)
    assert [trace.id for trace in left_out] == ["2"]
    assert [(each.trace.id, each.sample.id, each.provable) for each in recorded] == [
        ("1", "a", True), ("3", "3", False), ("c", "c", True), ("a", "log-a", False)
    ]  # fmt: skip


@pytest.mark.skipif(not INTERCODE.is_dir(), reason="no shared data: intercode-sql")
@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("gpt4_10turns", 399),
        ("gpt35_10turns", 263),
        ("gpt35_1turn_schema", 382),
        ("gpt35_1turn_noschema", 56),
    ],
)
def test_recorded_intercode(name: str, right: int) -> None:
    traces = read_traces(INTERCODE / f"{name}.jsonl")
    assert len(traces) == len({trace.id for trace in traces}) == 553
    assert sum(bool(trace.correct) for trace in traces) == right


@pytest.mark.skipif(not TAU.is_dir(), reason="no shared data: tau1-recorded-trajectories")
def test_recorded_tau() -> None:
    traces = read_traces(TAU / "gpt-4o-airline.json")
    assert len(traces) == len({trace.id for trace in traces}) == 200
    assert len({trace.sample for trace in traces}) == 50 and sum(bool(t.correct) for t in traces) == 84
    assert all(len(trace.outcome().shown(LABELS).text) < 8_000 for trace in traces)
