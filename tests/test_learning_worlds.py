"""What the learning core keeps and refuses, on the scripted worlds of benchmarks/learning_worlds.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ace.settings import Profile
from benchmarks import learning_worlds as worlds
from benchmarks.learning_worlds import Row

WORDS = ("blanket-yes", "blanket-no")
WORLDS: dict[str, Callable[[Profile], Row]] = {
    "answer keys": lambda profile: worlds.keep_answer_keys(profile=profile),
    "wrong labels": lambda profile: worlds.learn_with_wrong_labels(profile=profile),
    "a blanket lesson": lambda profile: worlds.resist_blanket_lesson(0, WORDS, profile=profile, batch_size=8),
    "a blanket lesson, one by one": lambda profile: worlds.resist_blanket_lesson(
        1, WORDS, profile=profile, batch_size=1
    ),
    "a strategy": lambda profile: worlds.learn_pagination("with numbers", profile=profile),
    "a strategy in code": lambda profile: worlds.learn_pagination("code", profile=profile),
    "graded scores": lambda profile: worlds.learn_from_scores(profile=profile),
}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", WORLDS)
def test_the_core_keeps_what_helps_and_refuses_the_rest(name: str, profile: Profile) -> None:
    row = WORLDS[name](profile)
    assert row.ok, row


@pytest.mark.parametrize("profile", Profile)
def test_a_strategy_is_learned_by_four_workers_as_well(profile: Profile) -> None:
    one, four = (worlds.learn_pagination("plain", profile=profile, workers=workers) for workers in (1, 4))
    assert one.ok and one == four
