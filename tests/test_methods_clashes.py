"""A lesson that makes its own sample right and breaks a neighbour is put in other words, and tried again."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable

import pytest

from ace.llm import Request, ScriptedClient
from ace.methods.ace import Curator, Reflector
from ace.methods.ace.contrast import Contrast
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_search import Search
from ace.methods.ace.refusals import refuted
from ace.methods.protocol import Trial
from ace.playbook import Add, Playbook, apply
from ace.task import Attempt, Fact, Feedback, FeedbackKind, Sample, Topic

WEIGH = "What do all the articles weigh together, in kilograms?"
HEAVY = "How many articles are heavier than 2 kilograms?"


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
    assert Contrast(more).against(lesson, WEIGH, HEAVY) == expected


class Desk:
    """Answers are right, but for the neighbour's while a bullet says "Articles" and nothing more."""

    def solve(self, sample: Sample, playbook: Playbook) -> Trial:
        said = [bullet.content for bullet in playbook]
        broken = sample.id == "heavy" and any(text.startswith("Articles: ") for text in said)
        return trial(sample, right=not broken)

    def again(self, sample: Sample, playbook: Playbook) -> tuple[Trial, ...]:
        return ()

    def seed(self, *parts: Hashable) -> int:
        return 0


def trial(sample: Sample, *, right: bool) -> Trial:
    uses = {"weigh": ("SUM(art.weight)",), "heavy": ("art.weight > 2000",)}[sample.id]
    facts = tuple(map(Fact, uses))
    feedback = Feedback(
        FeedbackKind.LABELS,
        "",
        right,
        expected="x",
        expected_kind="SQL",
        topics=frozenset({Topic("art.weight")}),
        ran=right,
        missing=() if right else facts,
        facts=facts,
    )
    return Trial(sample, Attempt(sample.id, "1", "1"), feedback, f"ep-{sample.id}")


def test_the_search_says_it_in_other_words_and_the_reflector_is_told_why() -> None:
    own, near = Sample("weigh", WEIGH), Sample("heavy", HEAVY)
    playbook, _ = apply(Playbook(), [Add("b-1", "lessons", "Articles heavier: art.weight > 2000.")])
    evidence = Evidence([own, near])
    evidence.saw("heavy", {"art.weight"}, True)  # no uses: nothing speaks against "Articles" beforehand
    evidence.kept(playbook.bullets["b-1"], ["heavy"])
    asked: list[str] = []

    def reply(request: Request) -> str:
        asked.append(request.messages[-1].content)
        return json.dumps({"1": "Articles"})

    client = ScriptedClient(reply)
    search = Search(
        Reflector(client), Curator(client), 1, trial(own, right=False), playbook, Desk(), evidence
    )
    first, second = search.tried(3)
    assert first.outcome == "rejected" and first.why.startswith("heavy was right and now fails")
    assert re.search(
        rf"Cannot be used: Articles: SUM\(art.weight\)\. would also speak for: {re.escape(HEAVY)}", asked[1]
    )
    (added,) = second.delta
    assert isinstance(added, Add) and added.content == "Articles (weigh): SUM(art.weight)."
    assert second.outcome == "accepted"
    assert refuted([first, second]) == []  # nothing says that it does not help
