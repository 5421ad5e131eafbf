"""Labels that go against what is proven: reported, and not learned from."""

from __future__ import annotations

import pytest

from ace.methods.ace.chance import Chance, Level
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.pool import Pool
from ace.methods.ace.prover import Prover
from ace.methods.ace.suspects import is_label_suspect, record_suspect
from ace.methods.protocol import Trial
from ace.playbook import Add, Playbook, Quarantine, apply
from ace.runs.records import Reason
from ace.task import Attempt, Feedback, FeedbackKind, Sample
from tests.fake_lab import FakeBench, shown

OWN = Sample("own", "What is billed for tiles?")
NEAR = tuple(Sample(name, f"What is billed for {name}?") for name in ("rugs", "lamps"))
BOOK, _ = apply(Playbook(), (Add("rule", "lessons", "Double the price."),))


class Answering(FakeBench):
    """Every attempt is wrong by the label; what it answers depends on the playbook, and may waver."""

    wavers = False
    fixed = ""

    def solve(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> Trial:
        made = super().solve(sample, playbook, draw=draw)
        answer = self.fixed or ("24" if playbook.active else "12")
        return Trial(sample, Attempt(sample.id, f"{answer}{draw if self.wavers else ''}"), made.feedback, "e")


def prover(bench: Answering, *, kind: FeedbackKind = FeedbackKind.LABELS, guards: int = 2) -> Prover:
    feedback = shown(False) if kind is FeedbackKind.LABELS else Feedback(kind, "", ran=False)
    bench.right = lambda sample, text: False
    trial = Trial(OWN, Attempt("own", bench.fixed or "24"), feedback, "e0")
    pool = Pool((), NEAR[:guards], {})
    return Prover(trial, BOOK, bench, pool, Chance(), Level.share(10, 1))


def evidence(*names: str) -> Evidence:
    known = Evidence(NEAR)
    known.record_proofs(BOOK.bullets["rule"], names)
    return known


def test_a_label_against_two_witnesses_and_most_attempts_is_suspect() -> None:
    asked = prover(Answering())
    assert is_label_suspect(asked, BOOK, evidence("rugs", "lamps"))
    record = record_suspect(asked)
    assert (record.outcome, record.reason, record.delta) == ("rejected", Reason.SUSPECT_LABEL, ())
    assert "'24'" in record.why and len(record.episodes) == 3


@pytest.mark.parametrize(
    "why", ["one witness", "far away", "no labels", "wavers", "says nothing of it", "quarantined"]
)
def test_a_label_is_not_suspect_without_all_that(why: str) -> None:
    bench, book = Answering(), BOOK
    bench.wavers = why == "wavers"
    bench.fixed = "no idea" if why == "says nothing of it" else ""
    if why == "quarantined":
        book, _ = apply(BOOK, (Quarantine("rule"),))
    asked = prover(
        bench,
        kind=FeedbackKind.EXECUTION if why == "no labels" else FeedbackKind.LABELS,
        guards=1 if why == "far away" else 2,
    )
    witnesses = ("rugs",) if why == "one witness" else ("rugs", "lamps")
    assert not is_label_suspect(asked, book, evidence(*witnesses))
