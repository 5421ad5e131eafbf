"""The loops, with a scripted model: what is kept, what is recorded, and that runs are reproducible."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ace.agent import Generator, SingleCall
from ace.context import assemble, render_playbook
from ace.errors import InputError, ModelNameError, ModelUnavailable
from ace.llm import Caps, Request, Role, RoleModels, ScriptedClient
from ace.loop import evaluate, learn, online
from ace.loop.lab import SampleBench, Workplace
from ace.playbook import Add, Playbook, Status
from ace.runs.records import Reason
from ace.runs.steps import Phase, PhaseKind
from ace.settings import REMOVED, Profile, Settings
from ace.store import Store
from ace.task import FeedbackKind
from tests.world import COLOURS, SECRET, client, colour_of, reflect, says, team, world

OPTIONS = Settings(batch_size=3, workers=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "colours.db")


def hashes(store: Store) -> list[str]:
    return [version.hash for version in store.log()]


def test_learns_and_reports(store: Store) -> None:
    report = learn(world(), store, team(), OPTIONS)
    assert report.before and report.before.correct == 0 and report.before.total == 10
    assert report.after and report.after.correct == 10
    assert report.p_value == pytest.approx(2 / 2**10)
    assert (report.proposed, report.accepted, report.rejected, report.bullets) == (10, 10, 0, 10)
    assert report.versions == store.head().number == 4
    assert store.run(report.run).status == "done"
    assert store.verify() == []


def test_bullets_cite_the_episodes_that_prove_them(store: Store) -> None:
    report = learn(world(), store, team(), OPTIONS)
    for bullet in report.learned:
        failed, proved = store.episodes(ids=bullet.provenance)
        assert not failed.verdict.correct and proved.verdict.correct
        assert failed.sample_id == proved.sample_id


def test_a_false_lesson_is_refuted_and_recorded_with_its_attempt(store: Store) -> None:
    report = learn(world(), store, team(wrong=("red", "teal")), replace(OPTIONS, tries=2, replays=0))
    assert report.after and report.after.correct == 8
    rejected = [p for p in store.proposals(report.run) if p.outcome == "rejected"]
    assert {p.sample_id for p in rejected} == {"train-red", "train-teal"}
    refuted = [
        p for p in rejected if p.delta[0].section != "examples"
    ]  # the sample itself helps no other one
    reasons = sorted(p.reason for p in refuted)
    assert reasons == [Reason.REFUTED_BEFORE, Reason.REFUTED_BEFORE, Reason.STILL_FAILS, Reason.STILL_FAILS]
    assert all(p.attempts == ("999",) for p in refuted if p.reason is Reason.STILL_FAILS)


def test_unverified_keeps_what_proof_would_refute(store: Store) -> None:
    report = learn(world(), store, team(wrong=("red", "teal")), replace(OPTIONS, without="proof"))
    assert (report.accepted, report.bullets) == (10, 10)
    assert report.after and report.after.correct == 8 and not report.verified


def test_one_or_many_workers_give_the_same_versions(tmp_path: Path) -> None:
    def run(name: str, workers: int) -> list[str]:
        with Store.open(tmp_path / name) as store:
            learn(world(), store, team(wrong=("pink",)), replace(OPTIONS, workers=workers))
            return hashes(store)

    assert run("one.db", 1) == run("four.db", 4)


class Stops(Exception):
    """Stands for a killed process: nothing that follows runs."""


@pytest.mark.parametrize(
    ("calls", "profile"),
    [(place, list(Profile)[number % 2]) for number, place in enumerate((1, 9, 14, 25, 40, 60, 80, 100))],
)
def test_a_run_that_died_resumes_to_the_same_versions_and_report(
    tmp_path: Path, calls: int, profile: Profile
) -> None:
    options = replace(OPTIONS, profile=profile)
    with Store.open(tmp_path / "whole.db") as whole:
        expected = learn(world(), whole, team(), options)
        versions = hashes(whole)
    left = iter(range(calls))

    def dies(request: Request) -> str:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return says(request)

    path = tmp_path / "cut.db"
    with Store.open(path) as store, pytest.raises(KeyboardInterrupt):
        learn(world(), store, RoleModels.of(ScriptedClient(dies)), options)
    with Store.open(path) as store:
        report = learn(world(), store, team(), options, resume=True)
        assert hashes(store) == versions
        assert _figures(report) == _figures(expected)
        assert len(store.runs()) == 1


def _figures(report: Any) -> dict[str, Any]:
    told = report.to_json()
    usage = {role: {**used, "seconds": 0} for role, used in told["usage"].items()}
    return {**told, "usage": usage, "seconds": 0, "playbook": ""}


def test_resume_wants_the_same_options(store: Store) -> None:
    with pytest.raises(InputError, match="No unfinished learn run"):
        learn(world(), store, team(), OPTIONS, resume=True)
    learn(world(), store, team(caps=Caps(calls=5)), OPTIONS)
    with pytest.raises(InputError, match="other seed"):
        learn(world(), store, team(), replace(OPTIONS, seed=7), resume=True)


@pytest.mark.parametrize(("setting", "value"), [(None, None), ("merge", True), ("evict", 2)])
def test_a_run_with_settings_that_are_gone_resumes_if_they_had_the_value_of_now(
    store: Store, monkeypatch: pytest.MonkeyPatch, setting: str | None, value: int | None
) -> None:
    earlier = {**REMOVED, setting: value} if setting else REMOVED
    record = Settings.record
    with monkeypatch.context() as patch:
        patch.setattr(Settings, "record", lambda settings: {**record(settings), **earlier})
        learn(world(), store, team(caps=Caps(calls=20)), OPTIONS)
    if setting:
        with pytest.raises(InputError, match=f"other {setting}"):
            learn(world(), store, team(), OPTIONS, resume=True)
    else:
        assert learn(world(), store, team(), OPTIONS, resume=True).run == 1


def test_a_run_that_knows_no_composed_questions_resumes_without_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Settings.record

    def older(settings: Settings) -> dict[str, Any]:
        return {name: value for name, value in record(settings).items() if name != "compose"}

    with monkeypatch.context() as patch:
        patch.setattr(Settings, "record", older)
        learn(world(), store, team(caps=Caps(calls=20)), OPTIONS)
    with pytest.raises(InputError, match="other compose"):
        learn(world(), store, team(), replace(OPTIONS, compose=True), resume=True)
    assert learn(world(), store, team(), OPTIONS, resume=True).run == 1


def test_resume_wants_the_same_samples(store: Store) -> None:
    learn(world(), store, team(caps=Caps(calls=5)), OPTIONS)
    with pytest.raises(InputError, match="other samples"):
        learn(replace(world(), train=world().train[:4]), store, team(), OPTIONS, resume=True)


def test_a_cap_stops_between_steps_and_keeps_what_is_done(store: Store) -> None:
    report = learn(world(), store, team(caps=Caps(calls=60)), OPTIONS)
    assert "cap of 60 calls" in report.stopped and report.after is None
    assert 0 < report.bullets < 10 and store.run(report.run).status == "capped"
    assert report.before and report.before.total == 10
    assert sum(usage.calls for usage in report.usage.values()) == 60
    rest = learn(world(), store, team(), OPTIONS, resume=True)
    assert rest.after and rest.after.correct == 10 and not rest.stopped


def test_validation_selects_and_the_head_is_what_was_selected(store: Store) -> None:
    report = learn(world(), store, team(), replace(OPTIONS, epochs=2))
    assert report.validated and report.selected == store.head().number
    assert report.after and report.after.correct == 10


def test_an_earlier_version_that_validates_better_becomes_the_head(store: Store) -> None:
    """Every lesson passes its own proof, and more than five of them confuse the model on other questions."""
    seeds = tuple(Add(f"seed-{c}", "lessons", f"{c} means {SECRET[c]}") for c in COLOURS[:5])
    store.commit(seeds, author="user", reason="what is known")

    def confused(request: Request) -> str:
        held_out = request.messages[-1].content.startswith("Tell me")
        return "no idea" if held_out and request.messages[0].content.count(" means ") > 5 else says(request)

    report = learn(world(), store, RoleModels.of(ScriptedClient(confused)), replace(OPTIONS, epochs=2))
    assert report.validated and report.accepted == 5 and report.learned == ()
    assert report.selected == store.head().number > 1
    assert store.diff(1, report.selected) == ()
    assert report.after and report.after.correct == 5


def test_without_labels_nothing_shown_can_prove_a_lesson(store: Store) -> None:
    options = replace(OPTIONS, feedback=FeedbackKind.NONE)
    report = learn(world(), store, team(), options)
    assert report.bullets == 10 and report.after and report.after.correct == 0
    assert all(bullet.status is Status.QUARANTINED for bullet in store.checkout())


@pytest.mark.parametrize("kind", [FeedbackKind.EXECUTION, FeedbackKind.NONE])
def test_no_label_reaches_a_prompt_without_labels(store: Store, kind: FeedbackKind) -> None:
    seen: list[str] = []

    def listens(request: Request) -> str:
        seen.extend(message.content for message in request.messages)
        return says(request)

    learn(world(), store, RoleModels.of(ScriptedClient(listens)), replace(OPTIONS, feedback=kind))
    assert seen and not [text for text in seen for secret in SECRET.values() if secret in text]


def test_what_is_worked_out_does_not_depend_on_labels_without_labels(tmp_path: Path) -> None:
    """Taint: other labels, same versions."""

    def run(name: str, shift: str) -> list[str]:
        task = world()
        train = tuple(replace(s, data={"answer": s.data["answer"] + shift}) for s in task.train)
        with Store.open(tmp_path / name) as store:
            learn(
                replace(task, train=train), store, team(), replace(OPTIONS, feedback=FeedbackKind.EXECUTION)
            )
            return hashes(store)

    assert run("a.db", "") == run("b.db", "1")


def test_online_scores_before_it_learns(store: Store) -> None:
    task = world()
    twice = replace(task, train=(*task.train, *(replace(s, id=f"again-{s.id}") for s in task.train)))
    report = online(twice, store, team(), replace(OPTIONS, batch_size=5))
    assert report.after and (report.after.correct, report.after.total) == (10, 20)
    assert report.bullets == 10


def test_evaluate_scores_a_version_and_learns_nothing(store: Store) -> None:
    learn(world(), store, team(), OPTIONS)
    head = store.head()
    now = evaluate(world(), store, team(), OPTIONS)
    then = evaluate(world(), store, team(), OPTIONS, version=0)
    assert now.after and then.after and (now.after.correct, then.after.correct) == (10, 0)
    assert store.head() == head and (now.selected, then.selected) == (head.number, 0)


def test_errors_are_wrong_answers_in_the_denominator(store: Store) -> None:
    def moody(request: Request) -> str:
        return "" if "green" in request.messages[-1].content else says(request)

    report = evaluate(world(), store, RoleModels.of(ScriptedClient(moody)), OPTIONS)
    assert report.after and (report.after.total, report.after.errors) == (10, 1)


def test_a_model_out_of_reach_ends_the_run(store: Store) -> None:
    with pytest.raises(ModelUnavailable, match="No attempt got an answer"):
        learn(world(), store, RoleModels.of(ScriptedClient([])), OPTIONS)
    assert store.runs()[-1].status == "failed"


def test_a_model_name_nobody_serves_ends_the_run(store: Store) -> None:
    def unknown(request: Request) -> str:
        raise ModelNameError("no such model")

    with pytest.raises(ModelNameError):
        evaluate(world(), store, RoleModels.of(ScriptedClient(unknown)), OPTIONS)


def test_a_reflector_out_of_reach_ends_the_run(store: Store) -> None:
    def half(request: Request) -> str:
        if request.role is Role.REFLECTOR:
            raise ModelUnavailable("connection refused")
        return says(request)

    with pytest.raises(ModelUnavailable, match="No lesson could be asked for"):
        learn(world(), store, RoleModels.of(ScriptedClient(half)), OPTIONS)


def test_a_megabyte_of_answer_is_clipped_before_it_reaches_another_role(store: Store) -> None:
    longest = 0

    def talks(request: Request) -> str:
        nonlocal longest
        longest = max(longest, *(len(message.content) for message in request.messages))
        return says(request) if request.role is not Role.GENERATOR else "x" * 1_000_000

    learn(world(), store, RoleModels.of(ScriptedClient(talks)), replace(OPTIONS, limit=2))
    assert longest < 10_000


def test_garbage_from_the_reflector_is_a_recorded_rejection(store: Store) -> None:
    def garbage(request: Request) -> str:
        return "{half" if request.role is Role.REFLECTOR else says(request)

    report = learn(world(), store, RoleModels.of(ScriptedClient(garbage)), replace(OPTIONS, tries=1))
    assert (report.proposed, report.accepted, report.bullets) == (20, 0, 0)  # each comes back once
    assert all("MalformedReply" in p.why and p.attempts == ("{half",) for p in store.proposals())


def test_what_is_still_wrong_comes_back_and_what_taught_something_does_not(store: Store) -> None:
    asked: list[str] = []

    def learns_late(request: Request) -> str:
        said = says(request)
        if request.role is Role.REFLECTOR:
            asked.append(colour_of(request))
            late = asked[-1] == "pink" and asked.count("pink") == 1
            return reflect(request, "pink means 999") if late else said
        return said

    options = replace(OPTIONS, tries=1, replays=2)
    report = learn(world(), store, RoleModels.of(ScriptedClient(learns_late)), options)
    assert sorted(asked) == sorted([*COLOURS, "pink"]) and report.bullets == 10
    assert [step.phase for step in store.steps(report.run)].count("replay 1.1") == 1


def test_usage_is_counted_by_role(store: Store) -> None:
    model = client()
    report = learn(world(), store, RoleModels.of(model), OPTIONS)
    assert sum(usage.calls for usage in report.usage.values()) == model.calls.total()
    assert report.usage["reflector"].calls == len(COLOURS)


@pytest.mark.parametrize("kind", [FeedbackKind.EXECUTION, FeedbackKind.NONE])
def test_validation_labels_choose_nothing_without_labels(tmp_path: Path, kind: FeedbackKind) -> None:
    def run(name: str, answer: str) -> list[str]:
        task = world()
        val = tuple(replace(s, data={"answer": answer or s.data["answer"]}) for s in task.val)
        with Store.open(tmp_path / name) as store:
            learn(replace(task, val=val), store, team(), replace(OPTIONS, feedback=kind, epochs=2))
            return hashes(store)

    assert run("a.db", "") == run("b.db", "no idea")


def test_one_empty_reply_does_not_end_a_run(store: Store) -> None:
    def mute(request: Request) -> str:
        return says(request) if request.role is not Role.GENERATOR else ""

    report = online(
        world(), store, RoleModels.of(ScriptedClient(mute)), replace(OPTIONS, batch_size=1, limit=2)
    )
    assert report.after and (report.after.total, report.after.errors) == (2, 2)


def test_a_second_run_knows_the_first_ones_bullets(store: Store) -> None:
    learn(world(), store, team(), replace(OPTIONS, limit=5))
    report = learn(world(), store, team(), OPTIONS)
    assert report.bullets == 10 and len({b.content for b in store.checkout()}) == 10


def test_a_run_does_not_undo_what_others_commit_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"

    def meddles(request: Request) -> str:
        if "What about teal" in request.messages[-1].content:
            with Store.open(path) as other:
                other.commit((Add("mine", "notes", "Mind the gap."),), author="person", reason="a note")
        return says(request)

    with Store.open(path) as store:
        learn(world(), store, RoleModels.of(ScriptedClient(meddles)), replace(OPTIONS, epochs=2))
        assert store.checkout().bullets["mine"].live
        assert store.verify() == []


@pytest.mark.parametrize("name", ["epochs", "batch_size", "workers", "budget", "tries", "limit"])
def test_options_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is 0"):
        Settings(**{name: 0})


def test_two_samples_may_try_the_same_on_the_same_neighbour() -> None:
    """Their attempts are two episodes, with two ids."""
    task = world()
    generator = Generator(client(), task)

    def made_for(purpose: str) -> str:
        place = Workplace(
            task=task,
            solver=SingleCall(generator),
            context=lambda sample, book: assemble(generator.frame(sample), partial(render_playbook, book)),
            settings=Settings(),
            stop=Event(),
        )
        bench = SampleBench(place, version=0, phase=Phase(PhaseKind.EPOCH, 1), purpose=purpose)
        return bench.solve(task.train[0], Playbook()).episode

    assert made_for("train-blue") != made_for("train-green")
    assert made_for("train-blue") == made_for("train-blue")
