"""Votes and causes: read off attempts at real SQL, and committed with the step that saw them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ace.agent.generator import find_citations, remove_citations
from ace.context import render_playbook
from ace.llm import Request, RoleModels, ScriptedClient
from ace.loop import learn, learn_from_traces
from ace.methods import Trial
from ace.methods.ace.credit import HOPELESS, find_cause, vote
from ace.methods.ace.state import Lesson, LessonNotes
from ace.playbook import Add, Bullet, Vote
from ace.settings import Profile, Settings
from ace.store import Store
from ace.task import Attempt, Fact, Feedback, FeedbackKind, Sample
from ace.task.environments.sql.lessons.sql_wording import SqlWording
from ace.task.traces import Trace
from tests.orders import STATUS, client, orders, says

OPTIONS = Settings(profile=Profile.SMALL, batch_size=2, workers=1, replays=0, measure=False)
RIGHT, WRONG = Bullet("r", "lessons", "Own: ord.st = 7."), Bullet("w", "lessons", "Own: ord.st = 3.")
OTHER = Bullet("o", "lessons", "Web orders: ord.ch = 'W'.")
KNOWN = (RIGHT, WRONG, OTHER)
WORDING = SqlWording()


def trial(passed: bool | None, parts: Sequence[str], uses: Sequence[str] = ("ord.st = 7",)) -> Trial:
    feedback = Feedback(
        FeedbackKind.LABELS, "rows", passed, expected="Right SQL", facts=tuple(map(Fact, uses))
    )
    return Trial(
        Sample("own", "How many own ones?"),
        Attempt("own", "..."),
        feedback,
        "ep",
        parts=tuple(map(Fact, parts)),
    )


@pytest.mark.parametrize(
    ("passed", "parts", "expected"),
    [
        (True, ["ord.st = 7"], (Vote("r", helpful=1),)),
        (True, ["ord.st = 7", "ord.ch = 'W'"], (Vote("r", helpful=1),)),
        (False, ["ord.st = 3"], (Vote("w", harmful=1),)),
        (False, ["ord.st = 7", "ord.ch = 'W'"], (Vote("o", harmful=1),)),
        (False, ["ord.st = 7"], ()),  # it is in the right answer too
        (False, ["7 = ord.st"], ()),
        (None, ["ord.st = 3"], ()),
    ],
)
def test_votes_go_to_what_stands_in_the_attempt(
    passed: bool | None, parts: list[str], expected: tuple[Vote, ...]
) -> None:
    assert vote(trial(passed, parts), KNOWN, WORDING) == expected


def test_what_the_question_says_is_nobodys_credit() -> None:
    asked = replace(trial(True, ["ord.st = 7"]), sample=Sample("own", "How many have status 7?"))
    assert vote(asked, KNOWN, WORDING) == ()


def test_without_a_wording_only_what_is_cited_gets_a_vote() -> None:
    told = replace(trial(True, ["ord.st = 7"]), cited=("o", "invented"))
    assert vote(told, KNOWN) == (Vote("o", helpful=1),)
    assert vote(replace(told, cited=()), KNOWN) == ()


def test_causes() -> None:
    wrong, absent = trial(False, ["ord.st = 3"]), trial(False, ["ord.st = 5"])

    def cause(trial: Trial, known: Sequence[Bullet] = KNOWN, reflections: int = 0) -> str:
        return find_cause(Lesson(trial), known, WORDING, reflections=reflections)

    assert cause(wrong) == "wrong bullet"
    assert cause(absent, (OTHER,)) == "missing knowledge"
    assert cause(absent) == "unexplained"
    assert find_cause(Lesson(absent, suspect=True), KNOWN) == "bad label"
    assert cause(absent, (OTHER,), HOPELESS) == "impossible"
    assert cause(trial(None, [], ())) == "impossible"  # the gold answer fails
    assert cause(trial(True, ["ord.st = 7"])) == ""
    blind = Feedback(FeedbackKind.EXECUTION, "rows", ran=False)
    assert cause(replace(absent, feedback=blind)) == ""
    assert find_cause(Lesson(absent), KNOWN) == "unexplained"  # no reflector was asked


def causes(store: Store, run: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in store.steps(run):
        for result in step.payload["results"]:
            found.setdefault(result["sample"], []).append(result["cause"])
    return found


def test_a_run_votes_in_its_deltas_and_the_prompt_stays_the_same(tmp_path: Path) -> None:
    task = orders(tmp_path)
    with Store.open(tmp_path / "a.db") as store:
        first = learn(task, store, RoleModels.of(client()), OPTIONS)
        learned = render_playbook(store.checkout(), 10_000).text
        assert {tuple(c) for c in causes(store, first.run).values()} == {("missing knowledge",)}
        assert all(not b.helpful for b in store.checkout())
        second = learn(task, store, RoleModels.of(client()), OPTIONS)
        assert set(causes(store, second.run)) == {f"train-{name}" for name in STATUS}
        assert {b.content: (b.helpful, b.harmful) for b in store.checkout()} == {
            f"{name.capitalize()} orders: ord.st = {number}.": (1, 0) for name, number in STATUS.items()
        }
        assert store.log()[0].author == "credit" and second.accepted == 0
        assert render_playbook(store.checkout(), 10_000).text == learned
        assert store.verify() == []


def test_a_wrong_bullet_gets_a_harmful_vote(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db") as store:
        wrong = "Cancelled orders: ord.st = 4."
        store.commit([Add("w", "lessons", wrong)], author="user", reason="by hand")
        report = learn(orders(tmp_path), store, RoleModels.of(client()), OPTIONS)
        assert causes(store, report.run)["train-cancelled"] == ["wrong bullet"]
        assert store.checkout().bullets["w"].harmful == 1


def test_a_recorded_attempt_never_saw_the_bullets(tmp_path: Path) -> None:
    task = orders(tmp_path)
    with Store.open(tmp_path / "a.db") as store:
        learn(task, store, RoleModels.of(client()), OPTIONS)
        told = [
            Trace(sample=s.id, question=s.question, answer=s.data["gold_sql"], correct=True)
            for s in task.train
        ]
        learn_from_traces(task, told, store, RoleModels.of(client()), OPTIONS)
        assert [(b.helpful, b.harmful) for b in store.checkout()] == [(0, 0)] * len(STATUS)


def test_a_generator_that_is_asked_to_cites_what_it_used(tmp_path: Path) -> None:
    task, shown = orders(tmp_path), []

    def cites(request: Request) -> str:
        said, system = says(request), request.messages[0].content
        if not said.startswith("SELECT") or "Used:" not in system:
            return said
        shown.append(system)
        ids = re.findall(r"- \[(\S+)\]", system)
        return f"{said}\nUsed: [{ids[-1]}], [invented]"

    with Store.open(tmp_path / "a.db") as store:
        learn(task, store, RoleModels.of(client()), OPTIONS)
        last = list(store.checkout())[-1]
        learn(task, store, RoleModels.of(ScriptedClient(cites)), replace(OPTIONS, cite=True))
        assert all(f"[{last.id}]" in system for system in shown) and len(shown) == len(STATUS)
        votes_cast = {b.id: b.helpful for b in store.checkout()}
        assert votes_cast.pop(last.id) == len(STATUS) and set(votes_cast.values()) == {1}
        (one, *_) = store.episodes(run=2)
        assert "Used" in one.attempt.text and "Used" not in one.attempt.answer
        assert store.verify() == []


@pytest.mark.parametrize(
    ("text", "ids", "answer"),
    [
        ("SELECT 1\nUsed: [a-1], [b.2]", ("a-1", "b.2"), "SELECT 1"),
        ("**Used**: a-1 a-1\n42", ("a-1",), "42"),
        ("It is used: so they say, Used: x", (), "It is used: so they say, Used: x"),
        ("42", (), "42"),
    ],
)
def test_citations_are_no_part_of_the_answer(text: str, ids: tuple[str, ...], answer: str) -> None:
    assert (find_citations(text), remove_citations(text)) == (ids, answer)


def test_a_gold_answer_that_fails_is_impossible_and_teaches_nothing(tmp_path: Path) -> None:
    task = orders(tmp_path)
    broken = replace(task.train[0], data={"gold_sql": "SELECT COUNT(*) FROM nowhere"})
    with Store.open(tmp_path / "a.db") as store:
        report = learn(replace(task, train=(broken,)), store, RoleModels.of(client()), OPTIONS)
        assert causes(store, report.run) == {"train-cancelled": ["impossible"]}
        assert (report.proposed, report.bullets) == (0, 0)


def test_notes_of_earlier_releases_are_read() -> None:
    contested = {"said": ["x"], "episodes": ["ep-1"], "attempts": ["y"]}
    credit = {"without": ["b-1"], "correct": True}
    notes = LessonNotes.from_json({"cause": "bad luck", "contested": contested, "credit": credit})
    assert notes.to_json() == LessonNotes(cause="bad luck").to_json()
