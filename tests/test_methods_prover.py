"""Proof of a candidate on a pool: what each stage asks, and what ends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from ace.methods.ace.chance import Chance, Level
from ace.methods.ace.pool import Pool
from ace.methods.ace.proof import Proof
from ace.methods.ace.prover import Prover
from ace.methods.protocol import Trial
from ace.playbook import Add, Delta, Playbook, Remove, apply
from ace.runs.records import Reason
from ace.task import Feedback, FeedbackKind, Sample
from tests.fake_lab import FakeBench, shown

OWN = Sample("own", "Question own?")
HELPERS = tuple(Sample(f"help{n}", f"Question help{n}?") for n in range(4))
GUARDS = tuple(Sample(f"guard{n}", f"Question guard{n}?") for n in range(4))
NEW = (Add("n", "lessons", "new"),)
BOOK, _ = apply(Playbook(), (Add("a", "lessons", "old"),))
SELDOM = Chance(100, 0)  # hardly anything comes out right by chance
Rule = Callable[[str, str, int], bool]


@dataclass
class Moody(FakeBench):
    """A bench whose attempts depend on the draw as well: `rule(sample, contents, draw)`."""

    rule: Rule = lambda sample, contents, draw: True
    repeats: int = 0
    draws: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def solve(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> Trial:
        contents = " ".join(bullet.content for bullet in playbook.active)
        self.asked.append(sample.id)
        self.draws[sample.id, contents, draw] += 1
        return self.record(sample, self.feedback(sample, self.rule(sample.id, contents, draw)))

    def again(self, sample: Sample, playbook: Playbook) -> tuple[Trial, ...]:
        return tuple(self.solve(sample, playbook, draw=draw) for draw in range(1, 1 + self.repeats))


def prover(bench: FakeBench, *, pool: Pool | None = None, chance: Chance = SELDOM) -> Prover:
    trial = bench.record(OWN, bench.feedback(OWN, False))
    default = Pool(HELPERS, GUARDS, {guard.id: 1.0 for guard in GUARDS})
    return Prover(
        trial=trial,
        playbook=BOOK,
        bench=bench,
        pool=default if pool is None else pool,
        chance=chance,
        level=Level.share(10, 1),
    )


def prove(rule: Rule, delta: Delta = NEW, **more: object) -> tuple[Proof, Moody]:
    bench = Moody(rule=rule)
    return prover(bench, **more).prove(delta), bench  # type: ignore[arg-type]


def test_screen_a_lesson_that_does_not_help_costs_one_attempt() -> None:
    proof, bench = prove(lambda sample, contents, draw: False)
    assert not proof.holds and proof.reason is Reason.STILL_FAILS and bench.asked == ["own"]


@pytest.mark.parametrize("delta", [(), (Remove("gone"), Add("a", "lessons", "its id is taken"))])
def test_what_cannot_apply_costs_no_attempt(delta: Delta) -> None:
    proof, bench = prove(lambda *_: True, delta)
    assert proof.reason is Reason.NOTHING_APPLIES and bench.asked == []


def test_confirm_one_lucky_attempt_proves_nothing() -> None:
    proof, bench = prove(lambda sample, contents, draw: draw == 0, chance=Chance(20, 6))
    assert proof.reason is Reason.CHANCE and set(bench.asked) == {"own"}


def test_confirm_what_is_right_without_the_lesson_too_is_chance() -> None:
    """Every attempt is right but the first, as the controls show."""
    proof, bench = prove(lambda sample, contents, draw: True, chance=Chance())
    assert proof.reason is Reason.CHANCE
    assert [draw for _, contents, draw in bench.draws if contents == "old"] == [1, 2]
    many = replace(prover(Moody(), chance=Chance()), level=Level.share(60, 2))
    assert many.prove(NEW).reason is Reason.CHANCE and many.own_chance == Chance(1, 1)  # out of reach at once
    assert any(contents == "old" for _, contents, _ in bench.draws)  # the control was made without it


def test_a_lesson_that_helps_alone_holds_and_has_one_witness() -> None:
    proof, _ = prove(
        lambda sample, contents, draw: ("new" in contents) == (sample == "own") or "guard" in sample
    )
    assert proof.holds and proof.witnesses == ("own",) and proof.reason is Reason.PROVEN
    assert proof.trials[0].sample == OWN


def test_transfer_a_helper_that_is_right_with_it_twice_is_a_witness() -> None:
    proof, bench = prove(lambda sample, contents, draw: "new" in contents or "guard" in sample)
    assert proof.holds and proof.witnesses == ("own", "help0")
    assert bench.asked.count("help1") == 0  # one is enough


def test_transfer_a_helper_that_is_right_without_it_is_none() -> None:
    proof, _ = prove(lambda sample, contents, draw: "new" in contents or sample != "own")
    assert proof.witnesses == ("own",)


@pytest.mark.parametrize("helps", [True, False])
def test_what_needs_a_witness_waits_for_one(helps: bool) -> None:
    def rule(sample: str, contents: str, draw: int) -> bool:
        return "guard" in sample or ("new" in contents and (sample == "own" or helps))

    proof = prover(Moody(rule=rule)).prove(NEW, needs_witness=True)
    assert proof.holds is helps
    assert helps or (proof.reason is Reason.WAITS_FOR_WITNESS and proof.witnesses == ("own",))


def test_a_witness_by_chance_is_none() -> None:
    """What its own sample says for it counts for nothing, and one lucky helper does neither."""
    bench = Moody(rule=lambda sample, contents, draw: "new" in contents and (sample == "own" or draw == 0))
    proof = prover(bench, chance=Chance(20, 6)).prove(NEW, needs_witness=True)
    assert not proof.holds and proof.reason is Reason.WAITS_FOR_WITNESS
    assert bench.asked.count("own") == 1  # no attempt is wasted on it


def test_samples_that_the_candidate_knows_are_no_witnesses() -> None:
    bench = Moody(rule=lambda sample, contents, draw: "new" in contents or "guard" in sample)
    proof = prover(bench).prove(NEW, needs_witness=True, known={"help0", "help1"})
    assert proof.holds and proof.witnesses == ("own", "help2")
    assert not {"help0", "help1"} & set(bench.asked)


def test_controls_of_helpers_count_for_the_rate_of_chance() -> None:
    bench = Moody(rule=lambda sample, contents, draw: "new" in contents or "guard" in sample or draw == 1)
    made = prover(bench)
    made.prove(NEW, needs_witness=True)
    assert made.own_chance == Chance() and made.tally == Chance(1, 1)


def test_guard_a_lost_sample_refuses_it_and_is_named() -> None:
    def rule(sample: str, contents: str, draw: int) -> bool:
        return sample == "own" if "new" in contents else "guard" in sample

    proof, _ = prove(rule)
    assert not proof.holds and proof.reason is Reason.BROKE_NEIGHBOUR
    assert proof.broke == GUARDS[0].question and proof.losses == len(GUARDS)


def test_guard_a_loss_is_asked_again_before_it_counts() -> None:
    """With it, guard0 failed once by chance, and guard1 fails without it as well."""

    def rule(sample: str, contents: str, draw: int) -> bool:
        if sample == "guard0":
            return "new" not in contents or draw > 0
        return sample != "guard1" and ("new" in contents or "guard" in sample)

    proof, bench = prove(rule)
    assert proof.holds and proof.losses == 0
    assert bench.draws["guard0", "old new", 0] == bench.draws["guard0", "old new", 1] == 1


def test_guard_many_wins_outweigh_one_loss() -> None:
    def rule(sample: str, contents: str, draw: int) -> bool:
        return sample != "guard0" if "new" in contents else "guard" in sample

    proof, _ = prove(rule)
    assert proof.holds and set(proof.witnesses) == {"own", *(helper.id for helper in HELPERS)}


def test_guards_can_be_named_besides_the_pool() -> None:
    other = Sample("other", "Question other?")

    def rule(sample: str, contents: str, draw: int) -> bool:
        return sample == "own" if "new" in contents else sample == "other"

    pool = Pool((), (), {"other": 1.0})
    proof = prover(Moody(rule=rule), pool=pool).prove(NEW, guards=(other,))
    assert proof.reason is Reason.BROKE_NEIGHBOUR


@pytest.mark.parametrize(("score", "holds"), [(0.9, True), (0.25, False)])
def test_a_graded_score_must_rise_by_a_margin(score: float, holds: bool) -> None:
    def feedback(sample: Sample, right: bool) -> Feedback:
        return replace(shown(False), score=score if right else 0.2)

    bench = Moody(rule=lambda sample, contents, draw: "new" in contents, feedback=feedback)
    proof = prover(bench, pool=Pool()).prove(NEW)
    assert proof.holds is holds


def test_a_guard_with_half_a_score_can_lose_it() -> None:
    def feedback(sample: Sample, right: bool) -> Feedback:
        return replace(shown(False), score=0.6 if right else 0.1)

    def rule(sample: str, contents: str, draw: int) -> bool:
        return ("new" in contents) == (sample == "own")

    bench = Moody(rule=rule, feedback=feedback)
    proof = prover(bench, pool=Pool((), GUARDS[:1], {"guard0": 0.6})).prove(NEW)
    assert proof.reason is Reason.BROKE_NEIGHBOUR


@pytest.mark.parametrize(("wavers", "holds"), [(False, True), (True, False)])
def test_without_labels_attempts_must_agree(wavers: bool, holds: bool) -> None:
    bench = Moody(repeats=2)

    def feedback(sample: Sample, right: bool) -> Feedback:
        text = f"rows {len(bench.episodes)}" if wavers else "rows"
        return Feedback(FeedbackKind.EXECUTION, text, ran=right)

    bench.feedback, bench.rule = feedback, lambda sample, contents, draw: "new" in contents
    proof = prover(bench, pool=Pool()).prove(NEW)
    assert proof.holds is holds and (holds or proof.reason is Reason.NO_AGREEMENT)


def test_controls_are_made_once_for_all_candidates() -> None:
    bench = Moody(rule=lambda sample, contents, draw: "new" in contents)
    one = prover(bench, pool=Pool())
    one.prove(NEW)
    one.prove((Add("m", "lessons", "new as well"),))
    assert [key for key, count in bench.draws.items() if count > 1] == []
    assert one.own_chance == Chance(1, 0)


@pytest.mark.parametrize("helps", [True, False])
def test_what_another_sample_has_proven_is_screened_with_one_attempt(helps: bool) -> None:
    bench = Moody(rule=lambda sample, contents, draw: helps and "new" in contents)
    proof = prover(bench).screen(NEW)
    assert bench.asked == ["own"] and len(proof.trials) == 1
    assert proof.holds is helps and proof.witnesses == (("own",) if helps else ())
    assert proof.reason is (Reason.PROVEN if helps else Reason.STILL_FAILS)
