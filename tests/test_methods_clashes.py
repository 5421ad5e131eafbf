"""A lesson that makes its own sample right and breaks a neighbour is put in other words, and tried again."""

from __future__ import annotations

import pytest

from ace.methods.ace import Curator, Reflector
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.fact_search import FactSearch
from ace.methods.ace.refusals import list_refuted
from ace.playbook import Add, Playbook, apply
from ace.runs.records import Reason
from ace.task import Fact, Feedback, Sample, Topic
from ace.task.environments.sql.lessons.contrast import Contrast
from ace.task.environments.sql.lessons.sql_wording import SqlWording
from ace.testing import World
from tests.fake_lab import FakeBench, shown

WEIGH = "What do all the articles weigh together, in kilograms?"
HEAVY = "How many articles are heavier than 2 kilograms?"
TOPICS = frozenset({Topic("art.weight")})


@pytest.mark.parametrize(
    ("lesson", "expected"),
    [
        ("Articles (kilograms): SUM(w) / 1000.0.", "Articles (weigh kilograms): SUM(w) / 1000.0."),
        ("Articles: SUM(w) / 1000.0.", "Articles (weigh): SUM(w) / 1000.0."),
        ("All the articles weigh together: SUM(w).", "All the articles weigh together: SUM(w)."),
    ],
)
def test_it_gets_a_word_that_the_neighbour_has_not(lesson: str, expected: str) -> None:
    more = [Sample(str(n), text) for n, text in enumerate([WEIGH, HEAVY, "What do the teas weigh?"])]
    assert Contrast(more).separate(lesson, WEIGH, HEAVY) == expected


def right(sample: str, contents: str) -> bool:
    """Answers are right, but for the neighbour's while a bullet says "Articles" and nothing more."""
    return sample != "heavy" or "Articles: " not in contents


def labelled(sample: Sample, passed: bool) -> Feedback:
    facts = (Fact({"weigh": "SUM(art.weight)", "heavy": "art.weight > 2000"}[sample.id], TOPICS),)
    missing = () if passed else facts
    return shown(
        passed, expected="x", expected_kind="SQL", topics=TOPICS, ran=passed, missing=missing, facts=facts
    )


def test_the_search_says_it_in_other_words_and_the_reflector_is_told_why() -> None:
    own, near = Sample("weigh", WEIGH), Sample("heavy", HEAVY)
    playbook, _ = apply(Playbook(), [Add("b-1", "lessons", "Articles heavier: art.weight > 2000.")])
    wording = SqlWording()
    evidence = Evidence([own, near], wording)
    evidence.record_result(
        "heavy", {"art.weight"}, True
    )  # no uses: nothing speaks against "Articles" beforehand
    evidence.record_proofs(playbook.bullets["b-1"], ["heavy"])
    client, bench = World(lessons=lambda request: "Articles: ..."), FakeBench(right, labelled)
    trial = bench.record(own, labelled(own, False))
    search = FactSearch(
        reflector=Reflector(client),
        curator=Curator(client),
        neighbours=1,
        trial=trial,
        playbook=playbook,
        bench=bench,
        evidence=evidence,
        wording=wording,
    )
    first, second = search.propose(3)
    assert first.outcome == "rejected" and first.why.startswith("heavy was right and now fails")
    assert first.reason is Reason.BROKE_NEIGHBOUR
    told = f"Cannot be used: Articles: SUM(art.weight). would also speak for: {HEAVY}"
    assert told in client.requests[1].messages[-1].content
    (added,) = second.delta
    assert isinstance(added, Add) and added.content == "Articles (weigh): SUM(art.weight)."
    assert second.outcome == "accepted"
    assert list_refuted([first, second]) == []  # nothing says that it does not help
