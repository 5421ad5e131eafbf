"""What an attempt proves: of a lesson, of a merge, and when it is the curator's turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import pytest

from ace.llm import Request, ScriptedClient
from ace.methods import Trial
from ace.methods.ace import Ace, Curator, Evidence, Reflector
from ace.methods.ace.proof import prove
from ace.methods.ace.reflector import Lesson
from ace.playbook import Add, Delta, Merge, Operation, Playbook, Quarantine, Remove, Revise, Vote, apply
from ace.store import Proposal
from ace.task import Attempt, Fact, Feedback, FeedbackKind, Sample, Topic

SAMPLES = {name: Sample(name, f"Question {name}?") for name in ("own", "near", "far")}
BOOK, _ = apply(
    Playbook(), (Add("a", "lessons", "Cancelled: ord.st = 7."), Add("b", "lessons", "Packed: ord.st = 4."))
)
SUBJECTS = frozenset({Topic("ord.st")})

Right = Callable[[str, str], bool]  # (sample, all contents of the playbook)


@dataclass
class FakeBench:
    """Answers are right where `right` says so; `asked` keeps the samples in order."""

    right: Right
    asked: list[str] = field(default_factory=list)

    def solve(self, sample: Sample, playbook: Playbook) -> Trial:
        self.asked.append(sample.id)
        passed = self.right(sample.id, " ".join(bullet.content for bullet in playbook.active))
        feedback = Feedback(
            FeedbackKind.LABELS, "rows", passed, expected="...", expected_kind="SQL", topics=SUBJECTS
        )
        answer = "right" if passed else "wrong"
        return Trial(sample, Attempt(sample.id, answer), feedback, f"ep-{len(self.asked)}")

    def seed(self, *parts: Hashable) -> int:
        return 0


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
    bench = FakeBench(right)
    proof = prove((Add("c", "lessons", "new"),), BOOK, [SAMPLES["own"]], [SAMPLES["near"]], bench)
    assert (proof.holds, proof.why, bench.asked) == (holds, why, asked)
    assert [trial.sample.id for trial in proof.trials] == asked[:2]  # not the one without the lesson


@pytest.mark.parametrize("delta", [(), (Remove("gone"), Add("a", "lessons", "its id is taken"))])
def test_what_cannot_apply_costs_no_attempt(delta: Delta) -> None:
    bench = FakeBench(lambda sample, book: True)
    proof = prove(delta, BOOK, [SAMPLES["own"]], [], bench)
    assert not proof.holds and proof.why.startswith("nothing of it applies") and bench.asked == []


def ace(replies: Callable[[Request], str], *, tries: int = 3, merge: bool = False) -> Ace:
    client = ScriptedClient(replies)
    return Ace(reflector=Reflector(client), curator=Curator(client), tries=tries, merge=merge)


def known() -> Evidence:
    """Both bullets are proven by "near", which was right."""
    evidence = Evidence(SAMPLES.values())
    evidence.saw("near", SUBJECTS, True)
    for bullet in BOOK:
        evidence.kept(bullet, ["near"])
    return evidence


MERGED = "ord.st: 4 is packed, 7 is cancelled."
MERGE = {"op": "merge", "into": "a", "sources": ["b"], "content": MERGED}


@pytest.mark.parametrize(("right", "outcome"), [(True, "accepted"), (False, "rejected")])
def test_a_merge_is_kept_when_what_proved_its_bullets_is_still_right(right: bool, outcome: str) -> None:
    method, bench = (
        ace(lambda _: json.dumps({"operations": [MERGE]}), merge=True),
        FakeBench(lambda *_: right),
    )
    assert method.chores(BOOK, known()) == ("ord.st",)
    (made,) = method.curate("ord.st", BOOK, bench, known())
    assert (made.outcome, made.delta, made.author) == (outcome, (Merge("a", ("b",), MERGED),), "curator")
    assert bench.asked == ["near"]


def test_from_the_fourth_try_on_the_curator_edits_what_is_there() -> None:
    def says(request: Request) -> str:
        if request.schema is Lesson:
            return '{"lesson": "Own question: ord.ch = 1."}'
        return json.dumps({"operations": [{"op": "revise", "id": "a", "content": "better"}]})

    bench = FakeBench(lambda sample, book: "better" in book)
    trial = bench.solve(SAMPLES["own"], BOOK)
    made = ace(says, tries=6).learn(trial, BOOK, bench, known())
    assert [proposal.author for proposal in made] == ["reflector"] * 3 + ["curator"]
    assert [proposal.outcome for proposal in made] == ["rejected"] * 3 + ["accepted"]
    assert made[-1].delta == (Revise("a", "better"),)
    assert bench.asked == ["own", "own", "own", "near"]  # a lesson refuted before is not tried again


def doubted(right: Right) -> tuple[Proposal, ...]:
    """A bullet that speaks for "far", which has no use for it, is looked at again."""
    wide = Sample("own", "How many own things are blue?")
    evidence = Evidence([wide, Sample("far", "How many things are own?")])
    book, _ = apply(BOOK, (Add("w", "lessons", "Own things: ord.ch = 1."),))
    evidence.kept(book.bullets["w"], ["own"])
    evidence.saw("far", SUBJECTS, True, ["ord.st = 4"])
    method = ace(lambda _: json.dumps({"lesson": "Blue things: ord.ch = 1."}), tries=1)
    assert method.chores(book, evidence) == ("w",)
    return method.curate("w", book, FakeBench(right), evidence)


def test_a_bullet_that_is_too_wide_goes_when_its_sample_is_right_without_it() -> None:
    (made,) = doubted(lambda sample, book: True)
    assert (made.outcome, made.delta) == ("accepted", (Remove("w"),))


@pytest.mark.parametrize("helps", [True, False])
def test_a_bullet_that_is_too_wide_is_put_better_if_that_is_proven(helps: bool) -> None:
    (made,) = doubted(lambda sample, book: helps and "Blue things" in book and "Own things" not in book)
    gone, better = made.delta
    assert made.outcome == ("accepted" if helps else "rejected") and gone == Remove("w")
    assert isinstance(better, Add) and better.content == "Blue things: ord.ch = 1."


def test_what_was_right_by_luck_is_learned_from() -> None:
    uses = (Fact("ord.st = 5"),)
    lucky = Feedback(
        FeedbackKind.LABELS,
        "rows",
        True,
        expected="...",
        expected_kind="SQL",
        topics=SUBJECTS,
        ran=True,
        facts=uses,
    )
    trial = Trial(SAMPLES["own"], Attempt("own", "right"), lucky, "ep-0")
    method = ace(lambda _: json.dumps({"1": "Own things"}))
    (made,) = method.learn(trial, BOOK, FakeBench(lambda *_: True), Evidence(SAMPLES.values()))
    assert made.outcome == "accepted"
    assert [op.content for op in made.delta if isinstance(op, Add)] == ["Own things: ord.st = 5."]
    known = Evidence(SAMPLES.values())
    book, _ = apply(BOOK, made.delta)
    for bullet in book:
        known.kept(bullet, ["own"])
    assert method.learn(trial, book, FakeBench(lambda *_: True), known) == ()


def accepted(sample: str, *delta: Operation) -> Proposal:
    return Proposal(sample, "reflector", delta, "accepted", "right with it")


def test_what_two_samples_of_a_batch_add_is_one_bullet_with_both_proofs() -> None:
    one, two = (
        Add("x", "lessons", "Late: ord.d > 6.", ("e1",)),
        Add("y", "lessons", "Late: ord.d > 6", ("e2",)),
    )
    delta, ids = ace(lambda _: "").combine([accepted("own", one), accepted("far", two)])
    assert delta == (replace(one, provenance=("e1", "e2")), Vote("x", helpful=1))
    assert ids == {"y": "x"}
    book, rejected = apply(Playbook(), delta)
    assert not rejected and len(book) == 1


def test_what_one_sample_proved_does_not_wait_because_another_only_said_it() -> None:
    one, two = Add("x", "lessons", "Late: ord.d > 6."), Add("y", "lessons", "Late: ord.d > 6")
    waits, method = (two, Quarantine("y")), ace(lambda _: "")
    for made in (
        (accepted("own", one), accepted("far", *waits)),
        (accepted("far", *waits), accepted("own", one)),
    ):
        assert method.combine(made)[0] == (one,)
    assert method.combine([accepted("far", *waits)])[0] == waits


def test_two_names_that_a_batch_gives_one_meaning_join_one_line() -> None:
    first = Revise("a", "Cancelled, revoked: ord.st = 7.", ("e1",))
    second = Revise("a", "Cancelled, called off: ord.st = 7.", ("e2",))
    delta, _ = ace(lambda _: "").combine([accepted("own", first), accepted("far", second)])
    assert delta == (Revise("a", "Cancelled, revoked, called off: ord.st = 7.", ("e1", "e2")),)
    other = Revise(
        "a", "Cancelled: ord.st = 9.", ("e3",)
    )  # a correction: the later one counts, both are told
    assert ace(lambda _: "").combine([accepted("own", first), accepted("far", other)])[0] == (first, other)


def test_the_reflector_is_told_why_a_lesson_could_not_be_tried() -> None:
    asked: list[str] = []

    def says(request: Request) -> str:
        asked.append(request.messages[-1].content)
        return json.dumps({"lesson": "Cancelled: ord.st = 5 AND ord.ch = 'F'."})

    trial = FakeBench(lambda *_: False).solve(SAMPLES["own"], BOOK)
    made = ace(says, tries=2).learn(trial, BOOK, FakeBench(lambda *_: False), Evidence(SAMPLES.values()))
    assert "says several things in one line" in made[0].why
    assert "Cannot be used" not in asked[0] and "Cannot be used: Cancelled: ord.st = 5 AND" in asked[1]
