"""Learning from recorded attempts: proven where the task can judge, in quarantine where nobody can."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ace.errors import InputError
from ace.llm import Caps, Request, RoleModels, ScriptedClient
from ace.loop import learn, learn_from_traces
from ace.playbook import Add, Quarantine, Status
from ace.playbook.model import bullet_id
from ace.runs.cost import compute_cost
from ace.runs.steps import read_journal
from ace.settings import Settings
from ace.store import Store
from ace.task import FeedbackKind, Turn, TurnKind, load_task
from ace.task.traces import Trace, make_unjudged_task, read_traces
from tests.world import COLOURS, LESSON, SECRET, reflect, says, team, world

OPTIONS = Settings(batch_size=3, workers=1)
DATA = Path(__file__).parent.parent / ".." / "shared" / "data"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "colours.db")


def trace(colour: str, *, right: bool = False, question: str = "Which number has {}?") -> Trace:
    """What some other agent said about a colour, and that it was wrong, or right."""
    return Trace(
        sample=colour,
        question=question.format(colour),
        answer=SECRET[colour] if right else "12",
        correct=right,
        score=float(right),
        expected=SECRET[colour],
    )


ALL = [trace(colour) for colour in COLOURS]
FOREIGN = [trace(colour, question="Guess what {} is worth.") for colour in COLOURS]


def statuses(store: Store) -> list[str]:
    return [bullet.status.value for bullet in store.checkout()]


def test_lessons_from_a_log_of_the_tasks_own_samples_are_proven(store: Store) -> None:
    report = learn_from_traces(world(), ALL, store, team(), OPTIONS)
    assert report.before and report.before.correct == 0 and report.after and report.after.correct == 10
    assert report.recorded and (report.recorded.correct, report.recorded.total) == (0, 10)
    assert (report.bullets, report.quarantined, report.accepted) == (10, 0, 10)
    for bullet in report.learned:
        recorded, proof = store.episodes(ids=bullet.provenance)
        assert recorded.attempt.answer == "12" and not recorded.verdict.correct and proof.verdict.correct
    assert store.verify() == []


def test_the_recorded_attempts_are_not_made_again(store: Store) -> None:
    generator = ScriptedClient(says)
    together = RoleModels.of(generator, reflector=ScriptedClient(says))
    learn_from_traces(world(), ALL, store, together, replace(OPTIONS, measure=False))
    assert all(request.bullets or request.draw for request in generator.calls)  # proofs, and controls
    named = {call.key.sample for call in store.calls(store.runs()[-1].id)}
    assert named == {
        *COLOURS,
        "lessons",
    }  # a curator is asked about the section; the record's id, and nothing of what it holds


def test_a_bullet_costs_what_its_recorded_attempt_led_to(store: Store) -> None:
    """Calls are named after the attempt, bullets are proven by the task's sample."""
    report = learn_from_traces(world(), [*ALL, *ALL], store, team(), replace(OPTIONS, measure=False))
    cost = compute_cost(store.calls(report.run), read_journal(store.steps(report.run)))
    assert [len(row.fixed) for row in cost.bullets] == [1] * 10
    assert all(row.usage.calls > 2 for row in cost.bullets)
    asked_of_sections = len(store.calls(report.run)) - sum(row.usage.calls for row in cost.bullets)
    assert cost.unlearned.calls == asked_of_sections  # a curator's, which changed nothing


def test_without_a_task_everything_waits_in_quarantine(store: Store) -> None:
    generator = ScriptedClient([])
    together = RoleModels.of(generator, reflector=ScriptedClient(says))
    report = learn_from_traces(make_unjudged_task("logs"), ALL, store, together, OPTIONS)
    assert statuses(store) == ["quarantined"] * 10 and not report.learned and report.quarantined == 10
    assert not generator.calls and report.before is None and report.after is None
    assert report.recorded and report.recorded.total == 10


def test_right_attempts_become_episodes_and_teach_nothing(store: Store) -> None:
    traces = [trace(colour, right=True) for colour in COLOURS[:4]]
    report = learn_from_traces(make_unjudged_task("logs"), traces, store, team(), OPTIONS)
    assert report.recorded and report.recorded.correct == 4 and report.proposed == 0
    assert [episode.verdict.correct for episode in store.episodes(run=report.run)] == [True] * 4


def test_what_worked_is_shown_for_what_failed(store: Store) -> None:
    reflector = ScriptedClient(says)
    bare = {
        "sample": "red",
        "question": "Which number has red?",
        "turns": (Turn(kind=TurnKind.AGENT, text="looked it up"),),
    }
    told = [
        Trace(answer="12", correct=False, **bare),
        Trace(answer=SECRET["red"], correct=True, score=1.0, **bare),
    ]
    both = RoleModels.of(ScriptedClient([]), reflector=reflector)
    learn_from_traces(make_unjudged_task("logs"), told, store, both, OPTIONS)
    (asked,) = reflector.calls
    prompt = asked.messages[-1].content
    assert f"Right answer of another attempt: {SECRET['red']}" in prompt and "looked it up" in prompt


@pytest.mark.parametrize("kind", [FeedbackKind.EXECUTION, FeedbackKind.NONE])
@pytest.mark.parametrize("task", [world, lambda: make_unjudged_task("logs")], ids=["task", "no task"])
def test_without_labels_the_outcome_is_not_shown(
    kind: FeedbackKind, task: Callable[[], object], tmp_path: Path
) -> None:
    """The same prompts, whether the log says right or wrong."""

    def asked(right: bool) -> list[Request]:
        reflector = ScriptedClient(says)
        both = RoleModels.of(ScriptedClient(says), reflector=reflector)
        told = [replace(t, correct=right, score=float(right), remark="so it was") for t in ALL]
        with Store.open(tmp_path / f"{right}.db") as store:
            options = replace(OPTIONS, feedback=kind, measure=False)
            learn_from_traces(task(), told, store, both, options)  # type: ignore[arg-type]
            assert set(statuses(store)) == {"quarantined"}
        return reflector.calls

    assert asked(True) == asked(False) != []


def test_attempts_at_held_out_samples_are_left_out(store: Store) -> None:
    held = [trace("red", question="What about {}?"), trace("blue", question="Tell me what {} is.")]
    report = learn_from_traces(world(), [*held, trace("teal")], store, team(), OPTIONS)
    assert report.skipped == 2 and [b.content for b in store.checkout()] == [LESSON["teal"]]
    with pytest.raises(InputError, match="None of the 2 recorded attempts"):
        learn_from_traces(world(), held, store, team(), OPTIONS)


def test_a_limit_does_not_make_held_out_samples_anybodys(store: Store) -> None:
    held = trace("teal", question="What about {}?")  # the last test sample
    report = learn_from_traces(world(), [held, trace("red")], store, team(), replace(OPTIONS, limit=2))
    assert report.skipped == 1 and report.bullets == 1


def test_a_sample_that_is_proven_is_not_learned_again(store: Store) -> None:
    reflector = ScriptedClient(says)
    both = RoleModels.of(ScriptedClient(says), reflector=reflector)
    report = learn_from_traces(world(), [*ALL, *ALL], store, both, replace(OPTIONS, batch_size=10))
    assert report.recorded and report.recorded.total == 20 and len(reflector.calls) == 10


def test_an_attempt_takes_a_bullet_out_of_quarantine(store: Store) -> None:
    """Learned from logs of elsewhere; then the task's own samples prove it, without asking the reflector."""
    learn_from_traces(make_unjudged_task("colours"), FOREIGN, store, team(wrong=("red",)), OPTIONS)
    assert statuses(store) == ["quarantined"] * 10
    reflector = ScriptedClient(says)
    report = learn(world(), store, RoleModels.of(ScriptedClient(says), reflector=reflector), OPTIONS)
    assert report.after and report.after.correct == 10 and len(reflector.calls) == 1  # about red
    waiting = [b.content for b in store.checkout() if b.status is Status.QUARANTINED]
    assert waiting == ["red means 999"]
    for bullet in store.checkout().active:
        assert [e.verdict.correct for e in store.episodes(ids=bullet.provenance)][-1]
    refuted = [p for p in store.proposals(report.run) if p.outcome == "rejected"]
    # An attempt for each part of it that says more than the question: "red means", then all of it.
    assert refuted[0].author == "proof" and refuted[0].attempts == ("", "999")


def test_a_log_does_not_put_a_proven_bullet_into_quarantine(store: Store) -> None:
    learn(world(), store, team(), OPTIONS)
    learn_from_traces(make_unjudged_task("colours"), FOREIGN, store, team(), OPTIONS)
    assert statuses(store) == ["active"] * 10


def test_a_waiting_bullet_that_is_said_again_is_proven(store: Store) -> None:
    """Its words do not lead to it, so it is the reflector that comes back to it."""
    lesson = LESSON["red"]
    name = bullet_id("lessons", lesson)
    others = [Add(f"b{n}", "lessons", f"number red which: {n}") for n in range(3)]  # shares more, tried first
    waiting = (*others, Add(name, "lessons", lesson))
    delta = (*waiting, *(Quarantine(operation.id) for operation in waiting))
    store.commit(delta, author="user", reason="test")
    report = learn(world(), store, team(), replace(OPTIONS, limit=1))
    outcomes = [(p.author, p.outcome) for p in store.proposals(report.run)]
    assert outcomes == [("proof", "rejected")] * 2 + [("reflector", "accepted")]
    (bullet,) = store.checkout().active
    assert bullet.id == name and len(bullet.provenance) == 2


def test_quarantine_holds_for_what_somebody_put_there(store: Store) -> None:
    """Nothing about the sample, nothing tried."""
    delta = (Add("b1", "lessons", "unrelated matters: 12"), Quarantine("b1"))
    store.commit(delta, author="user", reason="test")
    report = learn(world(), store, team(), replace(OPTIONS, limit=1))
    assert [p.author for p in store.proposals(report.run)] == ["reflector"]


@pytest.mark.parametrize("calls", [3, 12, 21, 28, 35])
def test_a_run_that_was_cut_off_resumes_to_the_same_versions(tmp_path: Path, calls: int) -> None:
    told = [*ALL, *FOREIGN, *ALL]

    def versions(name: str, *caps: Caps | None) -> list[str]:
        with Store.open(tmp_path / name) as store:
            for number, cap in enumerate(caps):
                report = learn_from_traces(
                    world(), told, store, team(wrong=("pink",), caps=cap), OPTIONS, resume=number > 0
                )
            assert not report.stopped and len(store.runs()) == 1
            return [version.hash for version in store.log()]

    assert versions("whole.db", None) == versions("cut.db", Caps(calls=calls), None)


def test_one_or_many_workers_give_the_same_versions(tmp_path: Path) -> None:
    def versions(workers: int) -> list[str]:
        with Store.open(tmp_path / f"{workers}.db") as store:
            learn_from_traces(world(), [*ALL, *FOREIGN], store, team(), replace(OPTIONS, workers=workers))
            return [version.hash for version in store.log()]

    assert versions(1) == versions(4)


def test_resume_wants_the_same_log(store: Store) -> None:
    learn_from_traces(world(), ALL, store, team(caps=Caps(calls=15)), OPTIONS)
    with pytest.raises(InputError, match="other traces"):
        learn_from_traces(world(), ALL[:5], store, team(), OPTIONS, resume=True)
    with pytest.raises(InputError, match="other traces"):
        learn(world(), store, team(), OPTIONS, resume=True)


def test_a_log_is_gone_over_once(store: Store) -> None:
    with pytest.raises(InputError, match="gone over once"):
        learn_from_traces(world(), ALL, store, team(), replace(OPTIONS, epochs=2))


@pytest.mark.skipif(not (DATA / "tau1-recorded-trajectories").is_dir(), reason="no shared data: tau1")
def test_recorded_tau_conversations(store: Store) -> None:
    traces = read_traces(DATA / "tau1-recorded-trajectories" / "gpt-4o-airline.json")
    reflector = ScriptedClient(lambda request: reflect(request, f"Rule {len(request.messages[-1].content)}."))
    both = RoleModels.of(ScriptedClient([]), reflector=reflector)
    report = learn_from_traces(make_unjudged_task("airline"), traces, store, both, OPTIONS)
    assert report.recorded and (report.recorded.correct, report.recorded.total) == (84, 200)
    assert len(reflector.calls) == report.proposed == 116 and report.quarantined == len(store.checkout())
    assert not store.checkout().active and len(store.episodes(run=report.run)) == 200


@pytest.mark.skipif(not (DATA / "intercode-sql").is_dir(), reason="no shared data: intercode-sql")
def test_recorded_sql_is_judged_by_the_database(store: Store, tmp_path: Path) -> None:
    """The log's word and SQLite agree nearly always; where SQLite can judge, it decides."""
    task = load_task(_intercode(tmp_path, "concert_singer"))
    asked = {sample.question for sample in task.train}
    traces = read_traces(DATA / "intercode-sql" / "recorded" / "gpt35_1turn_schema.jsonl")
    traces = tuple(t for t in traces if t.question in asked)

    team = RoleModels.of(
        ScriptedClient(lambda request: "SELECT 0")
    )  # it learns nothing, and nothing is needed
    report = learn_from_traces(task, traces, store, team, replace(OPTIONS, tries=1, measure=False))
    said = {t.sample: t.correct for t in traces}
    found = {e.sample_id: e.verdict.correct for e in store.episodes(run=report.run)[: len(traces)]}
    assert len(traces) > 20 and len(found) > 20
    assert report.recorded and abs(report.recorded.correct - sum(map(bool, said.values()))) <= 2
    assert not report.quarantined and report.rejected


def _intercode(folder: Path, database: str) -> Path:
    """A task of one database, all of whose questions are for training."""
    source = DATA / "intercode-sql"
    rows = map(json.loads, (source / "tasks.jsonl").read_text(encoding="utf-8").splitlines())
    keep = [
        {"id": str(row["task_id"]), "question": row["question"], "gold_sql": row["gold_sql"]}
        for row in rows
        if row["db"] == database
    ]
    shutil.copy(source / "db" / f"{database}.sqlite", folder / "data.sqlite")
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, keep)), encoding="utf-8")
    text = (
        'name = "ic"\nenvironment = "sql"\n[data]\ntrain = "train.jsonl"\n[sql]\ndatabase = "data.sqlite"\n'
    )
    (folder / "task.toml").write_text(text, encoding="utf-8")
    return folder
