"""When a run gives up: a model or judge that is out of reach ends it, a request that is refused does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ace.errors import JudgeFailed, ModelError, ModelUnavailable
from ace.llm import Request, Role, RoleModels, ScriptedClient
from ace.loop import learn, online
from ace.settings import Settings
from ace.store import Store
from ace.task import Sample, Task
from ace.task.environments.judge import JudgeEnvironment
from tests.world import colour_of, judge, says, world

NO_KEY = RuntimeError("The grader has no key.")


def judged(*colours: str, error: Exception = NO_KEY) -> Task:
    """Return the task with a judge that fails for some colours."""
    task = world()

    def fail(sample: Sample, answer: str) -> bool:
        if any(colour in sample.question for colour in colours):
            raise error
        return judge(sample, answer)

    return replace(task, environment=JudgeEnvironment(fail))


OPTIONS = Settings(workers=1, batch_size=1, validate=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "colours.db")


def failing(error: Exception, *colours: str, reflector: bool = False) -> RoleModels:
    """Fails for some colours: the generator, or the reflector only."""

    def reply(request: Request) -> str:
        asked = Role.REFLECTOR if reflector else Role.GENERATOR
        if request.role is asked and any(colour in colour_of(request) for colour in colours):
            raise error
        return says(request)

    return RoleModels.of(ScriptedClient(reply))


TOO_LONG = ModelError("The request is longer than the model's context.")
AWAY = ModelUnavailable("No answer.")


@pytest.mark.parametrize("reflector", [False, True])
def test_a_question_that_is_refused_is_a_wrong_answer_though_it_is_alone_in_its_step(
    store: Store, reflector: bool
) -> None:
    report = learn(world(), store, failing(TOO_LONG, "teal", reflector=reflector), OPTIONS)
    assert report.after and (report.after.correct, report.after.total) == (9, 10)
    assert report.bullets == 9 and not report.stopped


@pytest.mark.parametrize("reflector", [False, True])
def test_a_call_in_between_that_nobody_answers_is_passed_over(store: Store, reflector: bool) -> None:
    report = online(world(), store, failing(AWAY, "pink", "grey", reflector=reflector), OPTIONS)
    assert report.after and (report.after.total, report.after.errors) == (10, 0 if reflector else 2)
    assert report.bullets == 8


def test_questions_that_are_refused_never_end_a_run(store: Store) -> None:
    report = online(world(), store, failing(TOO_LONG, "pink", "brown", "grey", "gold", "teal"), OPTIONS)
    assert report.after and (report.after.total, report.after.errors) == (10, 5)


@pytest.mark.parametrize("reflector", [False, True])
def test_a_model_that_goes_away_ends_it(store: Store, reflector: bool) -> None:
    gone = failing(AWAY, "white", "pink", "brown", "grey", "gold", "teal", reflector=reflector)
    with pytest.raises(ModelUnavailable, match="No lesson could" if reflector else "No attempt got"):
        online(world(), store, gone, OPTIONS)
    assert len(store.steps(1)) in {6, 7}  # two are passed over, the third in a row is not


@pytest.mark.parametrize(("error", "passed_over"), [(TOO_LONG, 2), (AWAY, 0)])
def test_one_that_was_never_there_ends_it(store: Store, error: Exception, passed_over: int) -> None:
    with pytest.raises(ModelUnavailable, match="No attempt got an answer"):
        online(world(), store, failing(error, ""), OPTIONS)
    assert len(store.steps(1)) == passed_over


GONE = ("white", "pink", "brown", "grey", "gold", "teal")


def wrapped() -> Exception:
    """Return an error as a client of an API raises it: with the system's own behind it."""
    error = RuntimeError("Connection error.")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return error


@pytest.mark.parametrize("size", [1, 20])
def test_a_judge_that_always_fails_ends_it(store: Store, size: int) -> None:
    with pytest.raises(JudgeFailed, match=r"No answer could be scored. The first: .*has no key"):
        online(judged(""), store, RoleModels.of(ScriptedClient(says)), replace(OPTIONS, batch_size=size))
    assert len(store.steps(1)) == (2 if size == 1 else 0)
    assert store.runs()[-1].status == "failed"


def test_answers_that_a_judge_fails_at_never_end_a_run(store: Store) -> None:
    report = online(judged(*GONE), store, RoleModels.of(ScriptedClient(says)), OPTIONS)
    assert report.after and report.after.total == 10 and any("has no key" in note for note in report.notes)


def test_a_judge_that_goes_away_ends_it(store: Store) -> None:
    with pytest.raises(JudgeFailed, match="Connection error"):
        online(judged(*GONE, error=wrapped()), store, RoleModels.of(ScriptedClient(says)), OPTIONS)
    assert len(store.steps(1)) == 6
    with pytest.raises(JudgeFailed):
        online(
            judged(*GONE, error=wrapped()), store, RoleModels.of(ScriptedClient(says)), OPTIONS, resume=True
        )


def test_a_single_score_that_is_out_of_reach_is_passed_over(store: Store) -> None:
    task = judged("red", "grey", error=wrapped())
    report = online(task, store, RoleModels.of(ScriptedClient(says)), OPTIONS)
    assert report.after and report.after.total == 10
