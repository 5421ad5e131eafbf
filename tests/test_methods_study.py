"""A batch is studied with few attempts: what the environment words alike for several is proven once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from ace.methods.ace import Ace, Curator, Reflector
from ace.methods.ace.chance import Chance
from ace.methods.ace.reflection import Reflect
from ace.methods.ace.state import AceState, Lesson
from ace.methods.ace.study import Study
from ace.playbook import Playbook
from ace.runs.records import Reason
from ace.settings import Profile, Settings
from ace.task import Feedback, Sample
from ace.task.wording import Audience, Suggestion
from ace.testing import World
from tests.fake_lab import FakeLab, Right, shown

T = TypeVar("T")
R = TypeVar("R")
SAMPLES = [Sample(name, f"Question {name}?") for name in ("a1", "b1", "a2", "a3", "b2", "c1")]


class Workers(FakeLab):
    """A lab that works on several items at once."""

    def map(self, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str] = str) -> Iterator[R]:
        with ThreadPoolExecutor(4) as pool:
            return iter(list(pool.map(work, items)))


def with_label(sample: Sample, right: bool) -> Feedback:
    return shown(right, expected=f"answer {sample.id}")


def suggest(
    sample: Sample, similar: Sequence[Sample], known: Sequence[str], audience: Audience | None = None
) -> Sequence[Sequence[Suggestion]]:
    """Word the same lesson for all samples of a kind; the third kind has none."""
    text = f"Kind {sample.id[0]}: do it."
    return () if sample.id[0] == "c" or text in known else ((Suggestion("strategies", text),),)


def study(lab: FakeLab) -> list[Lesson]:
    """Study a batch of failures."""
    made = Ace(
        reflector=Reflector(World()),
        reflect=Reflect(World(), Profile.SMALL),
        curator=Curator(World()),
        settings=lab.settings,
    )
    batch = [lab.bench(s.id).record(s, with_label(s, False)) for s in SAMPLES]
    work = Study(
        reflector=made.reflector,
        reflect=made.reflect,
        curator=made.curator,
        settings=made.settings,
        state=AceState.at(tuple(SAMPLES), Playbook(), lab, suggest=suggest),
        playbook=Playbook(),
        lab=lab,
        chance=Chance(100, 0),
    )
    return work.study_batch(batch)


def describe(lessons: Sequence[Lesson]) -> list[tuple[str, list[tuple[str, Reason | None]]]]:
    return [(lesson.trial.sample.id, [(p.outcome, p.reason) for p in lesson.proposals]) for lesson in lessons]


def right(sample: str, contents: str) -> bool:
    return f"Kind {sample[0]}" in contents


def without_first(sample: str, contents: str) -> bool:
    return right(sample, contents) and sample != "a1"


def without_last(sample: str, contents: str) -> bool:
    return right(sample, contents) and sample != "a3"


def make_lab(rule: Right, kind: type[FakeLab] = FakeLab) -> FakeLab:
    return kind(rule, settings=Settings(tries=1), feedback=with_label)


def test_one_task_proves_a_recipe_and_the_others_need_one_attempt() -> None:
    lab = make_lab(right)
    lessons = study(lab)
    assert [lesson.trial.sample for lesson in lessons] == SAMPLES
    accepted = [lesson.proposals[0].outcome == "accepted" for lesson in lessons[:5]]
    asked = Counter(lab.asked)
    assert all(accepted) and all(asked[name] == 1 for name in ("a2", "a3", "b2"))
    assert asked["a1"] > 1 and asked["b1"] > 1


def test_where_the_first_fails_another_task_proves_the_recipe() -> None:
    lab = make_lab(without_first)
    outcomes = dict(describe(study(lab)))
    asked = Counter(lab.asked)
    assert outcomes["a1"][0] == ("rejected", Reason.STILL_FAILS)
    assert outcomes["a2"][0][0] == outcomes["a3"][0][0] == "accepted"
    assert asked["a2"] > 1 and asked["a3"] == 1


def test_a_proven_recipe_that_does_not_help_a_task_is_no_lesson_of_it() -> None:
    lab = make_lab(without_last)
    outcomes = dict(describe(study(lab)))
    assert outcomes["a2"][0][0] == "accepted" and outcomes["a3"] == [("rejected", Reason.STILL_FAILS)]
    assert Counter(lab.asked)["a3"] == 1


@pytest.mark.parametrize("rule", [right, without_first, without_last])
def test_workers_do_not_change_what_is_learned(rule: Right) -> None:
    one, many = make_lab(rule), make_lab(rule, Workers)
    first, second = study(one), study(many)
    assert describe(first) == describe(second) and Counter(one.asked) == Counter(many.asked)
    assert [[p.delta for p in lesson.proposals] for lesson in first] == [
        [p.delta for p in lesson.proposals] for lesson in second
    ]
