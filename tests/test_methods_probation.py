"""Probation: a fact that no second right answer says goes after an epoch; what cannot be told stays."""

from __future__ import annotations

from collections.abc import Sequence

from ace.methods.ace.evidence import Evidence
from ace.methods.ace.probation import end_probation
from ace.playbook import Add, Pin, Playbook, Remove, apply
from ace.runs.records import Reason
from ace.task import Sample
from ace.task.environments.sql.lessons.sql_wording import SqlWording
from tests.fake_lab import FakeLab

SAMPLES = [Sample(f"s{number}", f"Question number {number}?") for number in range(3)]


def learn(
    content: str, facts: Sequence[str], *, proofs: Sequence[str] = ("s0",)
) -> tuple[Evidence, Playbook]:
    """Return evidence of samples whose right answers are made of `facts`, and a playbook of one lesson."""
    evidence = Evidence(SAMPLES, SqlWording())
    for sample, fact in zip(SAMPLES, facts, strict=False):
        evidence.record_result(sample.id, ["ord.st"], True, [fact])
    playbook, _ = apply(Playbook(), (Add("a", "lessons", content),))
    evidence.record_proofs(playbook.bullets["a"], proofs)
    return evidence, playbook


def dropped(evidence: Evidence, playbook: Playbook) -> list[str]:
    update = end_probation(evidence, playbook, FakeLab())
    assert all(proposal.reason is Reason.RETIRED for proposal in update.proposals)
    assert all(isinstance(operation, Remove) for operation in update.delta)
    return [operation.id for operation in update.delta if isinstance(operation, Remove)]


def test_a_fact_of_one_right_answer_is_dropped() -> None:
    assert dropped(*learn("Cancelled orders: ord.st = 7.", ["ord.st = 7", "ord.st = 2"])) == ["a"]


def test_a_fact_of_two_right_answers_stays_whatever_its_words() -> None:
    assert dropped(*learn("Cancelled orders of May: ord.st = 7.", ["ord.st = 7", "ord.st = 7"])) == []


def test_what_two_samples_prove_or_no_constant_says_stays() -> None:
    assert dropped(*learn("Cancelled orders: ord.st = 7.", ["ord.st = 7"], proofs=("s0", "s1"))) == []
    assert dropped(*learn("Orders of a customer: ord JOIN cust ON ord.cid = cust.ref.", ["x"])) == []


def test_a_pinned_lesson_stays_and_so_do_all_where_nothing_reads_them() -> None:
    evidence, playbook = learn("Cancelled orders: ord.st = 7.", ["ord.st = 7"])
    assert dropped(evidence, apply(playbook, (Pin("a"),))[0]) == []
    evidence.wording = None
    assert dropped(evidence, playbook) == []
