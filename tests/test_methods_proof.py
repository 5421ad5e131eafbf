"""What an attempt proves: of a lesson, of a bullet in doubt, and when it is the curator's turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ace.methods.ace import Ace, Curator, Reflector
from ace.methods.ace.chance import Chance
from ace.methods.ace.combine import combine_accepted
from ace.methods.ace.curation import Curation
from ace.methods.ace.proof import prove
from ace.methods.ace.reflection import Reflect
from ace.methods.ace.state import AceState
from ace.methods.ace.study import Study
from ace.methods.protocol import Trial
from ace.playbook import Add, Delta, Operation, Playbook, Quarantine, Remove, Revise, Vote, apply
from ace.runs.records import Reason
from ace.runs.steps import PhaseKind
from ace.settings import Profile, Settings
from ace.store import Proposal
from ace.task import Attempt, Fact, Feedback, Sample, Topic
from ace.task.environments.sql.lessons.sql_wording import SqlWording
from ace.testing import World
from tests.fake_lab import FakeBench, FakeLab, Right, shown

SAMPLES = {name: Sample(name, f"Question {name}?") for name in ("own", "near", "far")}
BOOK, _ = apply(
    Playbook(), (Add("a", "lessons", "Cancelled: ord.st = 7."), Add("b", "lessons", "Packed: ord.st = 4."))
)
TOPICS = frozenset({Topic("ord.st")})


def with_topics(sample: Sample, right: bool) -> Feedback:
    """What labels show of an attempt at any question here: all are about one column."""
    return shown(right, expected="...", expected_kind="SQL", topics=TOPICS)


@pytest.mark.parametrize(
    ("right", "holds", "why", "asked"),
    [
        (lambda sample, book: "new" in book, True, "right with it: own, near", ["own", "near"]),
        (lambda sample, book: False, False, "own still fails", ["own"]),
        (
            lambda sample, book: sample == "own" or "new" not in book,
            False,
            "near was right and now fails",
            ["own", "near", "near"],
        ),
        (lambda sample, book: sample == "own", True, "right with it: own", ["own", "near", "near"]),
    ],
)
def test_a_lesson_must_help_its_own_sample_and_break_no_neighbour(
    right: Right, holds: bool, why: str, asked: list[str]
) -> None:
    bench = FakeBench(right, with_topics)
    proof = prove((Add("c", "lessons", "new"),), BOOK, [SAMPLES["own"]], [SAMPLES["near"]], bench)
    assert (proof.holds, proof.why, bench.asked) == (holds, why, asked)
    assert [trial.sample.id for trial in proof.trials] == asked[:2]  # not the one without the lesson


@pytest.mark.parametrize("delta", [(), (Remove("gone"), Add("a", "lessons", "its id is taken"))])
def test_what_cannot_apply_costs_no_attempt(delta: Delta) -> None:
    bench = FakeBench(lambda sample, book: True)
    proof = prove(delta, BOOK, [SAMPLES["own"]], [], bench)
    assert not proof.holds and proof.why.startswith("nothing of it applies") and bench.asked == []


def method(world: World, **settings: bool | int) -> Ace:
    return Ace(
        reflector=Reflector(world),
        reflect=Reflect(world, Profile.SMALL),
        curator=Curator(world),
        settings=Settings(**settings),  # type: ignore[arg-type]
    )


def study(made: Ace, state: AceState, place: FakeLab) -> Study:
    """Return what the method studies the trials of a batch with."""
    return Study(
        reflector=made.reflector,
        reflect=made.reflect,
        curator=made.curator,
        settings=made.settings,
        state=state,
        playbook=BOOK,
        lab=place,
        chance=Chance(),
    )


def lab(right: Right, made: Ace) -> FakeLab:
    return FakeLab(right, settings=made.settings, feedback=with_topics)


def unlearned(playbook: Playbook = BOOK) -> AceState:
    """Nothing proves anything yet."""
    return AceState.at(tuple(SAMPLES.values()), playbook, FakeLab(), make_wording=SqlWording)


def known() -> AceState:
    """Both bullets are proven by "near", which was right."""
    state = unlearned()
    state.evidence.record_result("near", TOPICS, True)
    for bullet in BOOK:
        state.evidence.record_proofs(bullet, ["near"])
    return state


def tidied(
    made: Ace, state: AceState, playbook: Playbook, place: FakeLab
) -> tuple[str, tuple[Proposal, ...]]:
    """The one chore that there is after an epoch: its name, and what it proposes."""
    chores = Curation(made.reflector, made.curator, state, made.settings).chores(playbook, 1)
    chore = next(chores)
    assert chore.phase.kind is PhaseKind.CURATION
    update = chore.work(playbook, place)
    with pytest.raises(StopIteration):
        chores.send(apply(playbook, update.delta)[0])
    return chore.name, update.proposals


def test_from_the_fourth_try_on_the_curator_edits_what_is_there() -> None:
    world = World(
        lessons=lambda request: "Own question: ord.ch = 1.",
        operations=lambda request: [{"op": "revise", "id": "a", "content": "better"}],
    )
    made = method(world, tries=6)
    place = lab(lambda sample, contents: "better" in contents, made)
    trial = place.bench("own").solve(SAMPLES["own"], BOOK)
    found = study(made, known(), place).search_words(trial, BOOK)
    assert [proposal.author for proposal in found] == ["reflector"] * 3 + ["curator"]
    assert [proposal.outcome for proposal in found] == ["rejected"] * 3 + ["accepted"]
    assert [proposal.reason for proposal in found] == [
        Reason.STILL_FAILS,
        *[Reason.REFUTED_BEFORE] * 2,
        Reason.PROVEN,
    ]
    assert found[-1].delta == (Revise("a", "better"),)
    assert place.asked == ["own", "own", "own", "near"]  # a lesson refuted before is not tried again


def doubted(right: Right) -> tuple[Proposal, ...]:
    """A bullet that speaks for "far", which has no use for it, is looked at again."""
    wide = Sample("own", "How many own things are blue?")
    samples = [wide, Sample("far", "How many things are own?")]
    state = AceState.at(samples, Playbook(), FakeLab(), make_wording=SqlWording)
    book, _ = apply(BOOK, (Add("w", "lessons", "Own things: ord.ch = 1."),))
    state.evidence.record_proofs(book.bullets["w"], ["own"])
    state.evidence.record_result("far", TOPICS, True, ["ord.st = 4"])
    made = method(World(lessons=lambda request: "Blue things: ord.ch = 1."), tries=1)
    name, proposals = tidied(made, state, book, lab(right, made))
    assert name == "w"
    return proposals


def test_a_bullet_that_is_too_wide_goes_when_its_sample_is_right_without_it() -> None:
    (made,) = doubted(lambda sample, contents: True)
    assert (made.outcome, made.delta) == ("accepted", (Remove("w"),))


@pytest.mark.parametrize("helps", [True, False])
def test_a_bullet_that_is_too_wide_is_put_better_if_that_is_proven(helps: bool) -> None:
    (made,) = doubted(lambda _, said: helps and "Blue things" in said and "Own things" not in said)
    gone, better = made.delta
    assert made.outcome == ("accepted" if helps else "rejected") and gone == Remove("w")
    assert isinstance(better, Add) and better.content == "Blue things: ord.ch = 1."


def test_what_was_right_by_luck_is_learned_from() -> None:
    facts = (Fact("ord.st = 5", TOPICS),)
    lucky = replace(with_topics(SAMPLES["own"], True), ran=True, facts=facts)
    trial = Trial(SAMPLES["own"], Attempt("own", "right"), lucky, "ep-0")
    made = method(World(lessons=lambda request: "Own things: anything."))
    place = lab(lambda *_: True, made)
    update = made.learn(unlearned(), [trial], BOOK, place)
    (proposal,) = update.proposals
    assert proposal.outcome == "accepted"
    assert [op.content for op in update.delta if isinstance(op, Add)] == ["Own things: ord.st = 5."]
    assert list(update.proofs.values()) == [["own"]]
    book, _ = apply(BOOK, update.delta)
    assert study(made, unlearned(book), place).search_words(trial, book) == ()


def accepted(sample: str, *delta: Operation) -> Proposal:
    return Proposal(sample, "reflector", delta, "accepted", "right with it")


def test_what_two_samples_of_a_batch_add_is_one_bullet_with_both_proofs() -> None:
    one, two = (
        Add("x", "lessons", "Late: ord.d > 6.", ("e1",)),
        Add("y", "lessons", "Late: ord.d > 6", ("e2",)),
    )
    delta, ids = combine_accepted([accepted("own", one), accepted("far", two)])
    assert delta == (replace(one, provenance=("e1", "e2")), Vote("x", helpful=1))
    assert ids == {"y": "x"}
    book, rejected = apply(Playbook(), delta)
    assert not rejected and len(book) == 1


def test_what_one_sample_proved_does_not_wait_because_another_only_said_it() -> None:
    one, two = Add("x", "lessons", "Late: ord.d > 6."), Add("y", "lessons", "Late: ord.d > 6")
    waits = (two, Quarantine("y"))
    for made in (
        (accepted("own", one), accepted("far", *waits)),
        (accepted("far", *waits), accepted("own", one)),
    ):
        assert combine_accepted(made)[0] == (one,)
    assert combine_accepted([accepted("far", *waits)])[0] == waits


def test_two_names_that_a_batch_gives_one_meaning_join_one_line() -> None:
    first = Revise("a", "Cancelled, revoked: ord.st = 7.", ("e1",))
    second = Revise("a", "Cancelled, called off: ord.st = 7.", ("e2",))
    delta, _ = combine_accepted([accepted("own", first), accepted("far", second)], SqlWording())
    assert delta == (Revise("a", "Cancelled, revoked, called off: ord.st = 7.", ("e1", "e2")),)
    other = Revise(
        "a", "Cancelled: ord.st = 9.", ("e3",)
    )  # a correction: the later one counts, both are told
    assert combine_accepted([accepted("own", first), accepted("far", other)], SqlWording())[0] == (
        first,
        other,
    )


def test_the_reflector_is_told_why_a_lesson_could_not_be_tried() -> None:
    world = World(lessons=lambda request: "Cancelled: ord.st = 5 AND ord.ch = 'F'.")
    made = method(world, tries=2)
    place = lab(lambda *_: False, made)
    trial = place.bench("own").solve(SAMPLES["own"], BOOK)
    first, _ = study(made, unlearned(), place).search_words(trial, BOOK)
    assert "says several things in one line" in first.why and first.reason is Reason.NOTHING_NEW
    one, two = (request.messages[-1].content for request in world.requests)
    flaw = "Cannot be used: Cancelled: ord.st = 5 AND"
    assert "Cannot be used" not in one and flaw in two
