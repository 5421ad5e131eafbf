"""Learning without labels: what is shown, what a lesson rests on, and that no label reaches either.

Taint: every environment is run twice, with labels that turn every verdict round. Prompts and versions must
be the same, and a marker that is in every label must be in no prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ace.llm import Request, RoleModels
from ace.loop import learn
from ace.methods.ace.reflector import Critique
from ace.playbook import Status
from ace.runs.records import Reason
from ace.settings import Profile, Settings
from ace.store import Store
from ace.task import AnswerEnvironment, FeedbackKind, Sample, Task, define_task
from ace.task.environments.arithmetic import ArithmeticEnvironment, read_puzzle
from ace.testing import World
from tests import orders, world

MARK = "70707"  # in every label, and nowhere else
OPTIONS = Settings(batch_size=2, workers=1, epochs=2)
PUZZLES = ("3 ? 4 = 7", "5 ? 2 = 10", "9 ? 3 = 3", "8 ? 6 = 2")


def numbers_of(request: Request) -> tuple[str, str, str]:
    assert request.sample is not None
    one, _, other, _, wanted = request.sample.question.split()
    return one, other, wanted


def adds(request: Request) -> str:
    """What the generator answers: it adds, unless the playbook says what to do with a number."""
    one, other, wanted = numbers_of(request)
    rule = rf"begin with {one} nine: (.) is used"
    known = [sign for said in request.bullets for sign in re.findall(rule, said)]
    return f"{one} {known[-1] if known else '+'} {other} = {wanted}"


def tells_the_sign(request: Request) -> list[str]:
    """What the reflector says. Without any feedback it doubts one answer."""
    one, _, wanted = numbers_of(request)
    if request.feedback is None:
        return [f"Begin {one}: * is used."] if wanted == "2" else []
    sign = {"7": "+", "2": "-", "10": "*", "3": "/"}[wanted]
    return [f"Puzzles that begin with {one} nine: {sign} is used."]


def balanced() -> World:
    return World(adds, tells_the_sign)


def puzzles(labels: Callable[[int], str]) -> Task:
    samples = []
    for n, asked in enumerate(PUZZLES):
        numbers, value = read_puzzle(asked)
        data = {"numbers": numbers, "value": value, "ordered": True, "answer": labels(n)}
        samples.append(Sample(f"p{n}", asked, data))
    return Task("balancer", "Balance.", ArithmeticEnvironment(), tuple(samples), tuple(samples[:2]))


def answers(scorer: str, label: str) -> Task:
    task = world.world()
    rows = [replace(sample, data={"answer": label}) for sample in task.train]
    return replace(
        task, environment=AnswerEnvironment(scorer), train=tuple(rows), val=tuple(rows[:3]), test=()
    )


def judged(right: bool) -> Task:
    rows = [{"id": s.id, "question": s.question, "answer": MARK} for s in world.world().train]
    return define_task("judged", rows, lambda sample, answer: right)


def sql(folder: Path, right: bool) -> Task:
    """Gold that gives what the guessed lesson gives, or something else."""
    gold = f"SELECT COUNT(*) FROM ord WHERE st = {orders.GUESS}" if right else "SELECT 1"
    task = orders.orders(folder)
    labelled = [replace(sample, data={"gold_sql": f"{gold} -- {MARK}"}) for sample in task.train]
    return replace(task, train=tuple(labelled), val=tuple(labelled[:2]), test=())


MAKERS: dict[str, tuple[Callable[[Path, bool], Task], Callable[[], World]]] = {
    "sql": (sql, orders.client),
    "puzzle": (lambda _, right: puzzles(lambda n: f"{MARK} {right}"), balanced),
    "judge": (lambda _, right: judged(right), world.client),
    "exact": (lambda _, right: answers("exact", "no idea" if right else MARK), world.client),
    "numeric": (lambda _, right: answers("numeric", "999" if right else MARK), world.client),
    "labels": (lambda _, right: answers("labels", "no idea" if right else MARK), world.client),
}


@pytest.mark.parametrize(
    ("kind", "profile"),
    [
        (FeedbackKind.EXECUTION, Profile.FULL),
        (FeedbackKind.EXECUTION, Profile.SMALL),
        (FeedbackKind.NONE, Profile.FULL),
    ],
)
@pytest.mark.parametrize("name", MAKERS)
def test_no_label_reaches_a_prompt_or_an_acceptance_rule(
    name: str, kind: FeedbackKind, profile: Profile, tmp_path: Path
) -> None:
    make, client = MAKERS[name]
    options = replace(OPTIONS, feedback=kind, profile=profile)

    def run(right: bool) -> tuple[list[list[str]], list[str]]:
        model = client()
        with Store.open(tmp_path / f"{right}.db") as store:
            learn(make(tmp_path, right), store, RoleModels.of(model), options)
            versions = [version.hash for version in store.log()]
        return [[message.content for message in asked.messages] for asked in model.requests], versions

    one, other = run(True), run(False)
    assert one == other
    assert one[0] and not [text for call in one[0] for text in call if MARK in text]


def test_a_puzzle_is_learned_without_labels_because_answers_check_themselves(tmp_path: Path) -> None:
    task, options = puzzles(lambda _: MARK), replace(OPTIONS, feedback=FeedbackKind.EXECUTION, epochs=1)
    with Store.open(tmp_path / "a.db") as store:
        report = learn(task, store, RoleModels.of(balanced()), options)
        assert report.accepted == 3 and report.rejected == 0  # 3 + 4 = 7 was right
        assert {p.reason for p in store.proposals(report.run)} == {Reason.PROVEN}
        last = [s for s in store.steps(report.run) if s.phase.startswith("epoch")]
        assert store.checkout().active and last


@pytest.mark.parametrize(("wavers", "accepted"), [(False, 4), (True, 0)])
def test_without_labels_attempts_with_a_lesson_must_agree(
    tmp_path: Path, wavers: bool, accepted: int
) -> None:
    """All of them run; only where they also return the same does the lesson count as what made them run."""
    turn = iter(range(1_000))

    def guesses(request: Request) -> str:
        said = orders.queries(request)
        return f"SELECT {next(turn)}" if wavers and "WHERE st" in said else said

    options = replace(OPTIONS, feedback=FeedbackKind.EXECUTION, epochs=1, tries=1, replays=0)
    with Store.open(tmp_path / "a.db") as store:
        report = learn(orders.orders(tmp_path), store, RoleModels.of(World(guesses, orders.guesses)), options)
        assert (report.accepted, report.bullets) == (accepted, accepted)
        whys = {p.why.partition(" ")[2] for p in store.proposals(report.run)}
        if wavers:
            assert whys == {"runs, but only 1 of 3 attempts agree"}
        assert all(len(p.attempts) >= 3 for p in store.proposals(report.run))


def test_with_nothing_shown_the_models_own_critique_decides_what_waits(tmp_path: Path) -> None:
    model = balanced()
    options = replace(OPTIONS, feedback=FeedbackKind.NONE, epochs=1, replays=0)
    with Store.open(tmp_path / "a.db") as store:
        report = learn(puzzles(lambda _: MARK), store, RoleModels.of(model), options)
        (waiting,) = store.checkout()
        assert waiting.status is Status.QUARANTINED and waiting.content == "Begin 8: * is used."
        made = store.proposals(report.run)
        assert [p.outcome for p in made].count("accepted") == 1 and len(made) == len(PUZZLES)
        assert all("its critique: " in p.why for p in made)
        assert {p.reason for p in made} == {Reason.QUARANTINED, Reason.NO_LESSON}
    asked = [request for request in model.requests if request.schema is Critique]
    assert len(asked) == len(PUZZLES)
