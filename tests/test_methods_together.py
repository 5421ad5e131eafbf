"""Lessons of one batch meet: what fails beside the others goes."""

from __future__ import annotations

from ace.methods.ace.chance import Chance, Level
from ace.methods.ace.credit import cast_votes
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.pool import Pool
from ace.methods.ace.prover import Prover
from ace.methods.ace.reflection import Reflect, Tag
from ace.methods.ace.search import Search
from ace.methods.ace.state import Lesson
from ace.methods.ace.together import keep_compatible
from ace.playbook import Add, Operation, Playbook, Quarantine, Vote, apply
from ace.playbook.model import bullet_id
from ace.runs.records import Proposal, Reason
from ace.settings import Profile
from ace.task import Sample
from ace.testing import World
from tests.fake_lab import FakeLab


def lesson(lab: FakeLab, name: str, content: str) -> Lesson:
    """What a failed sample taught: an accepted addition."""
    sample = Sample(name, f"Question {name}?")
    trial = lab.bench(name).solve(sample, Playbook())
    prover = Prover(trial, Playbook(), lab.bench(name), Pool(), Chance(), Level.share(10, 1))
    search = Search(Reflect(World(), Profile.FULL), prover)
    add = Add(bullet_id("facts", content), "facts", content, (trial.episode,))
    proposal = Proposal(name, "reflector", (add,), "accepted", "right with it", reason=Reason.PROVEN)
    return Lesson(trial, (proposal,), search=search)


def test_reflectors_vote_on_bullets_in_use_and_each_bullet_gets_one_vote() -> None:
    lab = FakeLab(lambda sample, text: False)
    lessons = [lesson(lab, name, f"About {name}.") for name in ("one", "two")]
    adds: list[Operation] = [Add(name, "facts", f"Fact {name}.") for name in ("a", "b", "c")]
    book, _ = apply(Playbook(), [*adds, Quarantine("c")])
    first, second = (each.search for each in lessons)
    assert first is not None and second is not None
    first.tags = (Tag(id="a", helped=True), Tag(id="c", helped=True))
    second.tags = (Tag(id="b", helped=False), Tag(id="a", helped=False), Tag(id="gone", helped=True))
    assert cast_votes(lessons, book, Evidence()) == (Vote("a", helpful=1, harmful=1), Vote("b", harmful=1))


def outcomes(lessons: list[Lesson]) -> list[str]:
    return [lesson.proposals[-1].outcome for lesson in lessons]


def test_lessons_that_hold_beside_each_other_stay_for_one_attempt_each() -> None:
    lab = FakeLab(lambda sample, text: sample in text)
    lessons = [lesson(lab, name, f"About {name}.") for name in ("one", "two", "three")]
    before = len(lab.asked)
    assert outcomes(keep_compatible(lessons, Playbook(), lab)) == ["accepted"] * 3
    assert len(lab.asked) - before == 3


def test_one_lesson_meets_nobody_and_costs_nothing() -> None:
    lab = FakeLab(lambda sample, text: sample in text)
    lessons = [lesson(lab, "one", "About one.")]
    before = len(lab.asked)
    assert keep_compatible(lessons, Playbook(), lab) == lessons and len(lab.asked) == before


def test_the_one_that_breaks_the_others_goes_whichever_is_first() -> None:
    """More samples speak for the rule than for the exception that breaks it."""

    def right(sample: str, text: str) -> bool:
        return "Forbid." in text if sample == "odd" else "Allow." in text and "Forbid." not in text

    for place in range(3):
        lab = FakeLab(right)
        lessons = [lesson(lab, name, "Allow.") for name in ("one", "two")]
        lessons.insert(place, lesson(lab, "odd", "Forbid."))
        met = keep_compatible(lessons, Playbook(), lab)
        refused = [each for each in met if each.proposals[-1].reason is Reason.BESIDE_OTHERS]
        assert [each.trial.sample.id for each in refused] == ["odd"]


def test_what_failed_beside_the_others_is_rejected_with_its_reason() -> None:
    def right(sample: str, text: str) -> bool:
        return sample in text and not (sample == "two" and "one" in text)

    lab = FakeLab(right)
    lessons = [lesson(lab, name, f"About {name}.") for name in ("one", "two")]
    met = keep_compatible(lessons, Playbook(), lab)
    assert outcomes(met) == ["accepted", "rejected"]
    assert met[1].proposals[-1].reason is Reason.BESIDE_OTHERS
