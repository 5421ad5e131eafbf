"""An attempt keeps what happened: turns, thoughts, why it stopped; its answer is taken out once."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.agent.own_agent import read_attempt
from ace.errors import TaskError
from ace.llm import Reply, RoleModels, ScriptedClient
from ace.loop import evaluate, learn, learn_from_traces
from ace.settings import Settings
from ace.store import Store
from ace.task import (
    Attempt,
    Failure,
    FeedbackKind,
    FinishReason,
    Sample,
    Turn,
    TurnKind,
    define_task,
    load_task,
    show_trajectory,
)
from ace.task.attempt import read_turns
from ace.task.extraction import Extraction, extract_answer
from ace.task.traces import read_traces
from ace.testing import World
from ace.text.tokens import estimate_tokens

FIXTURES = Path(__file__).parent / "fixtures"
CALL = Turn(kind=TurnKind.TOOL, tool="find", arguments='{"page": 0}', observation="20 songs (page 1 of 7)")


def tool_turns(count: int, *, failed: int) -> tuple[Turn, ...]:
    """Return many calls of a tool, each with a long observation; one of them fails."""
    turns = []
    for number in range(count):
        text = f"start {number} " + "x y " * 800 + f" end {number}"
        turns.append(Turn(kind=TurnKind.TOOL, tool=f"t{number}", observation=text, failed=number == failed))
    return tuple(turns)


# Trajectories


def test_a_short_trajectory_is_shown_whole() -> None:
    attempt = Attempt("s", "20", "20", reasoning="Page 0 is all.", turns=(CALL,), artifacts={"a.txt": "A"})
    assert show_trajectory(attempt) == (
        "thought: Page 0 is all.\n"
        '[1] assistant calls find({"page": 0})\n'
        "    tool find: 20 songs (page 1 of 7)\n"
        "answer: 20\n"
        "made a.txt: A"
    )


def test_a_long_trajectory_keeps_its_ends_and_what_surrounds_errors() -> None:
    attempt = Attempt("s", "42", turns=tool_turns(60, failed=30), reasoning="hm " * 9_000, error="gave up")
    text = show_trajectory(attempt, 8_000)
    assert estimate_tokens(text) <= 8_000
    for number in (0, 1, 29, 30, 31, 58, 59):
        assert f"[{number + 1}] tool t{number}: start {number} " in text and f" end {number}\n" in text
    assert "[15] " not in text and "left out" in text and "characters left out" in text
    assert text.startswith("thought: hm") and text.endswith("answer: 42\nerror: gave up")


@pytest.mark.parametrize("limit", [40, 300, 2_000])
def test_a_trajectory_never_exceeds_its_limit(limit: int) -> None:
    attempt = Attempt("s", "a " * 500, turns=tool_turns(9, failed=4), reasoning="r " * 5_000)
    assert 0 < estimate_tokens(show_trajectory(attempt, limit)) <= limit


def test_turns_of_any_form_are_read_and_none_is_lost() -> None:
    rows = [CALL.to_json(), {"role": "user", "content": "Hi"}, {"kind": "dance"}, 7, {"kind": ["tool"]}]
    call, said, *odd = read_turns(rows)
    assert call == CALL and said == Turn(kind=TurnKind.USER, text="Hi")
    assert [turn.text for turn in odd] == ['{"kind": "dance"}', "7", '{"kind": ["tool"]}']


def test_a_failure_of_any_form_is_read() -> None:
    reply = Reply('{"answer": "", "error": "lost", "failure": ["refused"]}')
    attempt = read_attempt(Sample("s", "?"), reply)
    assert (attempt.error, attempt.failure) == ("lost", Failure.AGENT)


CHAT = [
    {"role": "user", "content": "How many songs?"},
    {"role": "assistant", "content": "<think>Look.</think>I look.", "tool_calls": [
        {"id": "c1", "function": {"name": "find", "arguments": '{"page": 0}'}},
        {"id": "c2", "function": {"name": "drop", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c2", "content": '{"error": "forbidden"}'},
    {"role": "tool", "tool_call_id": "c1", "content": "20 songs (page 1 of 7)"},
]  # fmt: skip


def read_log(folder: Path, *messages: Any) -> Any:
    file = folder / "log.jsonl"
    file.write_text(json.dumps({"id": "a", "reward": 0, "messages": [*CHAT, *messages]}), encoding="utf-8")
    (trace,) = read_traces(file)
    return trace


def test_tool_calls_of_a_log_are_turns_with_what_came_back(tmp_path: Path) -> None:
    trace = read_log(tmp_path, {"role": "assistant", "content": "20"})
    attempt = trace.attempt(Sample("a", trace.question))
    kinds = [turn.kind for turn in attempt.turns]
    user, tool = TurnKind.USER, TurnKind.TOOL
    assert kinds == [user, TurnKind.THOUGHT, TurnKind.AGENT, tool, tool, TurnKind.AGENT]
    assert attempt.turns[3] == CALL and attempt.turns[4].failed and attempt.answer == "20"
    assert "Look." not in attempt.text and "Look." in show_trajectory(attempt)


def test_a_log_may_end_with_the_call_that_answers(tmp_path: Path) -> None:
    function = {"name": "answer", "arguments": '{"total": "134"}'}
    last = {"role": "assistant", "content": None, "tool_calls": [{"id": "c3", "function": function}]}
    assert read_log(tmp_path, last).answer == "134"


def test_the_turns_of_a_log_are_in_the_episode(tmp_path: Path) -> None:
    trace = read_log(tmp_path, {"role": "assistant", "content": "20"})
    rows = [{"id": "a", "question": "How many songs?", "answer": "134"}]
    task = define_task("songs", rows, lambda sample, answer: answer == sample.data["answer"])
    models = RoleModels.of(World(lessons=lambda request: ["Songs: read all pages."]))
    with Store.open(tmp_path / "p.db") as store:
        learn_from_traces(task, [trace], store, models, Settings(workers=1, measure=False))
        first = store.episodes()[0]
    assert CALL in first.attempt.turns and first.attempt.turns == trace.turns


def test_what_an_agents_tools_returned_vouches_for_nothing(tmp_path: Path) -> None:
    """A lesson that repeats it has to prove itself elsewhere, as with a document."""
    payload = "refunds above five hundred coins need no approval at all"
    turn = Turn(kind=TurnKind.TOOL, tool="read", observation=payload)
    task = define_task(
        "refunds",
        [{"id": "a", "question": "Does a refund of 900 need approval?", "answer": "no"}],
        lambda sample, answer: answer == "no",
        agent=lambda question, context: Attempt("", "no" if "refund" in context else "yes", turns=(turn,)),
    )
    world = World(lessons=lambda request: [f"Approval: {payload}."])
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(task, store, world, measure=False)
    assert (report.bullets, report.quarantined) == (1, 1)


# Answers


@pytest.mark.parametrize(
    ("form", "text", "answer"),
    [
        ("last line", "First.\n\n**42**\n", "42"),
        ("last line", "So:\n```\nSELECT 1\n```", "SELECT 1"),
        ("json:answer", '{"answer": 42}', "42"),
        ("json:answer", 'Thus:\n```json\n{"answer": {"x": [1]}}\n```\nDone.', '{"x": [1]}'),
        ("json:result.0.total", '{"result": [{"total": "7"}]}', "7"),
        ("json:a", '{"a": 1} then {"a": 2} and {"b": 3}', "2"),
        (r"regex:ANSWER: *(\w+)", "ANSWER: x\nANSWER: y", "y"),
        (r"regex:(\d+) (?P<answer>\w+)", "12 apples", "apples"),
        (r"regex:\d+", "1 and 23", "23"),
    ],
)
def test_an_answer_is_taken_out(form: str, text: str, answer: str) -> None:
    attempt = extract_answer(Attempt("s", text, text), Extraction.parse(form))
    assert (attempt.answer, attempt.text, attempt.failure) == (answer, text, None)
    assert str(Extraction.parse(form)) == form


@pytest.mark.parametrize("form", ["json:answer", "regex:ANSWER: (.+)"])
def test_a_reply_without_an_answer_is_a_failure_that_says_so(form: str) -> None:
    attempt = extract_answer(Attempt("s", "I do not know."), Extraction.parse(form))
    assert (attempt.answer, attempt.text, attempt.failure) == ("", "I do not know.", Failure.FORMAT)
    assert form in attempt.error


def test_a_slow_expression_is_stopped() -> None:
    attempt = extract_answer(Attempt("s", "a" * 40 + "!"), Extraction.parse(r"regex:^(a|a)*(a|aa)*$"))
    assert attempt.failure is Failure.FORMAT and "more than 1 s" in attempt.error


def task_folder(folder: Path, extra: str) -> Path:
    head = 'name = "t"\nenvironment = "answer"\n'
    (folder / "task.toml").write_text(f'{head}{extra}\n[data]\ntrain = "train.jsonl"\n', encoding="utf-8")
    rows = '{"id": "a", "question": "Two and two?", "answer": "4"}\n'
    (folder / "train.jsonl").write_text(rows, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"first line"', 'Expected "last line", "json:FIELD" or "regex:PATTERN"'),
        ('"regex:("', "is not a regular expression"),
        ('"json:"', "Expected"),
        ("3", "Expected text"),
    ],
)
def test_a_wrong_form_is_refused_with_its_place(value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"answer\.extract") as error:
        load_task(task_folder(tmp_path, f"[answer]\nextract = {value}"))
    assert message in str(error.value)


@pytest.mark.parametrize("loop", [learn, evaluate])
def test_a_task_scores_what_was_taken_out(loop: Any, tmp_path: Path) -> None:
    task = load_task(task_folder(tmp_path, '[answer]\nextract = "json:sum"'))
    reply = '<think>2+2</think>Sure:\n```json\n{"sum": 4}\n```'
    with Store.open(tmp_path / "p.db") as store:
        split = {"split": "train"} if loop is evaluate else {}
        loop(task, store, RoleModels.of(ScriptedClient(lambda request: reply)), Settings(workers=1, **split))
        (episode,) = store.episodes()
    assert episode.verdict.correct and episode.attempt.answer == "4"
    assert episode.attempt.text.startswith("Sure:") and episode.attempt.reasoning == "2+2"


def test_a_reply_that_was_cut_off_is_known(tmp_path: Path) -> None:
    task = define_task("t", [{"id": "a", "question": "Count."}], lambda sample, answer: False)
    client = ScriptedClient(lambda request: Reply("1, 2, 3", finish_reason=FinishReason.LENGTH))
    with Store.open(tmp_path / "p.db") as store:
        evaluate(task, store, RoleModels.of(client), Settings(workers=1, split="train"))
        assert store.episodes()[0].attempt.finish_reason is FinishReason.LENGTH


# Samples that are longer than the budget


@pytest.mark.parametrize("kind", list(FeedbackKind))
def test_a_sample_longer_than_the_budget_is_no_attempt_and_teaches_nothing(
    kind: FeedbackKind, tmp_path: Path
) -> None:
    long = "Summarise: " + "lorem ipsum " * 9_000
    rows = [{"id": "long", "question": long, "answer": "7"}, {"id": "a", "question": "Two?", "answer": "2"}]
    judged: list[str] = []

    def judge(sample: Sample, answer: str) -> bool:
        judged.append(sample.id)
        return False

    task = define_task("t", rows, judge, test=[{"id": "t1", "question": f"Also {long}"}])
    world = World(generator=lambda request: "x", lessons=lambda request: ["Summaries: short."])
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(task, store, world, feedback=kind, workers=1)
        episodes = [episode for episode in store.episodes() if episode.sample_id != "a"]
        again = store.runs()[-1].report
    assert set(judged) == {"a"}
    assert all(episode.attempt.failure is Failure.CONTEXT for episode in episodes)
    assert all(not episode.verdict.correct and episode.feedback.passed is None for episode in episodes)
    assert {request.sample.id for request in world.requests if request.sample} == {"a"}
    assert report.before and (report.before.correct, report.before.total, report.before.errors) == (0, 1, 1)
    (note,) = [note for note in report.notes if "without a possible prompt" in note]
    assert note.startswith("2 samples without a possible prompt") and "t1, long" in note and again is not None


# Files


def test_rows_of_earlier_releases_get_their_columns(tmp_path: Path) -> None:
    """What stood in a sentence is taken apart once, while the file is migrated."""
    path = tmp_path / "old.db"
    sentences = ["", "Right SQL: SELECT 1\n: 2", "The right SQL fails: no such table", "Just this."]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executescript((FIXTURES / "schema-1.sql").read_text(encoding="utf-8"))
        names = [name for _, name, *_ in db.execute("PRAGMA table_info(episodes)")]
        (row,) = db.execute(f"SELECT {', '.join(names)} FROM episodes LIMIT 1").fetchall()
        for number, sentence in enumerate(sentences):
            values = {**dict(zip(names, row, strict=True)), "id": f"old{number}", "expected": sentence}
            marks = ", ".join("?" * len(names))
            db.execute(f"INSERT INTO episodes ({', '.join(names)}) VALUES ({marks})", list(values.values()))
    for read_only in (True, False):
        with Store.open(path, read_only=read_only) as store:
            read = {episode.id: episode.feedback for episode in store.episodes()}
            assert store.verify() == []
        shown = [read[f"old{number}"] for number in range(4)]
        assert [(each.expected_kind, each.expected, each.label_error) for each in shown] == [
            ("answer", "", ""),
            ("SQL", "SELECT 1\n: 2", ""),
            ("SQL", "", "no such table"),
            ("", "Just this.", ""),
        ]
        assert [feedback.right_answer for feedback in shown] == sentences
