"""The pool of a candidate: which samples are near, which of them failed, and that nothing else decides."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ace.methods.ace.pool import SampleMap
from ace.methods.grades import MARGIN, grade, is_better, is_worse
from ace.methods.protocol import Trial
from ace.task import Attempt, Fact, Feedback, FeedbackKind, Sample, Topic
from tests.fake_lab import shown

QUESTIONS = {
    "own": "bill the red tiles",
    "a": "bill the blue tiles",
    "b": "bill the green tiles",
    "c": "ship two lamps",
    "d": "ship four lamps",
}


def build_map(questions: dict[str, str] = QUESTIONS) -> SampleMap:
    known = SampleMap()
    known.add(Sample(name, text) for name, text in questions.items())
    return known


def names(samples: Sequence[Sample]) -> list[str]:
    return [sample.id for sample in samples]


def test_helpers_failed_and_guards_have_something_to_lose() -> None:
    known = build_map()
    known.record("own", 0.0, ())
    known.record("a", 0.0, ())
    known.record("b", 1.0, ())
    known.record("c", 0.5, ())
    known.record("d", None, ())  # nothing was shown of it
    pool = known.choose_pool(known.samples["own"])
    assert names(pool.helpers) == ["a", "c"] and names(pool.guards) == ["b", "c"]
    assert pool.grades == {"b": 1.0, "c": 0.5}


def test_near_is_what_shares_a_topic_else_what_asks_alike() -> None:
    known = build_map()
    for name in QUESTIONS:
        known.record(name, 0.0, ())
    assert names(known.choose_pool(known.samples["own"]).helpers)[:2] in (["a", "b"], ["b", "a"])
    for name in ("own", "c"):
        known.record(name, 0.0, {Topic("ship")})
    assert names(known.choose_pool(known.samples["own"]).helpers) == ["c"]


def test_the_topic_that_stands_for_none_brings_nothing_together() -> None:
    known = build_map()
    for name in QUESTIONS:
        known.record(name, 0.0, {Topic("*")})
    assert len(known.choose_pool(known.samples["own"]).helpers) == 4


def test_the_pool_depends_on_outcomes_and_not_on_their_order() -> None:
    twins = {f"s{n:02}": "the same question" for n in range(12)}
    chosen = set()
    for seed in range(5):
        order = list(twins)
        random.Random(seed).shuffle(order)
        known = build_map({name: twins[name] for name in order})
        for name in order:
            known.record(name, 0.0, ())
        pool = known.choose_pool(Sample("new", "the same question"))
        chosen.add(tuple(names(pool.helpers)))
    assert chosen == {("s00", "s01", "s02", "s03")}


def test_other_scripts_are_near_as_well() -> None:
    questions = {
        "own": "请问红色瓷砖的账单金额",
        "a": "请问蓝色瓷砖的账单金额",
        "b": "Сколько стоит доставка",
        "c": "كم سعر التوصيل",
    }
    known = build_map(questions)
    assert known.rank(known.samples["own"], questions)[0] == "a"


def test_right_answers_of_one_form_bring_samples_together_in_other_words() -> None:
    questions = {"own": "When do we meet?", "a": "When do we eat?", "b": "The shop opens at which hour"}
    known = build_map(questions)
    for name, expected in (("own", "10h45"), ("a", "in the hall"), ("b", "09h30")):
        known.record(name, 0.0, ())
        known.record_label(name, shown(False, expected=expected))
    assert known.rank(known.samples["own"], ["a", "b"]) == ["b", "a"]
    assert [other.sentence for other in known.find_similar(known.samples["own"], most=1)] == [
        "Right answer: 09h30"
    ]


def test_only_answers_that_were_shown_are_similar_cases() -> None:
    known = build_map()
    known.record_label("a", shown(False))
    known.record_label("gone", shown(False, expected="42"))
    assert known.find_similar(known.samples["own"]) == ()


def test_what_is_forgotten_is_in_no_pool() -> None:
    known = build_map()
    known.record("a", 1.0, ())
    known.record_label("a", shown(False, expected="42"))
    known.forget()
    assert known.find_similar(known.samples["own"]) == ()
    pool = known.choose_pool(known.samples["own"])
    assert pool.helpers == pool.guards == ()


def scored(score: float) -> Trial:
    feedback = Feedback(FeedbackKind.LABELS, "", score >= 1.0, score=score)
    return Trial(Sample("s", "?"), Attempt("s", "x"), feedback, "e")


def test_a_score_counts_by_a_margin_and_a_pass_always() -> None:
    assert is_better(scored(0.5), 0.5 - MARGIN) and not is_better(scored(0.5), 0.45)
    assert is_worse(scored(0.5), 0.5 + MARGIN) and not is_worse(scored(0.5), 0.55)
    assert is_better(scored(1.0), 0.95) and not is_better(scored(1.0), 1.0)


def test_without_anything_shown_nothing_is_better() -> None:
    silent = Trial(Sample("s", "?"), Attempt("s", "x"), Feedback(FeedbackKind.NONE, ""), "e")
    assert grade(silent.feedback) is None and not is_better(silent, 0.0) and is_worse(silent, 1.0)
    assert grade(shown(True)) == 1.0 and grade(shown(False)) == 0.0


def number(name: str, *steps: tuple[str, str]) -> Feedback:
    facts = tuple(Fact(text, frozenset({Topic(topic)})) for text, topic in steps)
    return shown(False, expected=name, facts=facts)


def test_what_the_answers_of_like_samples_share_is_told_from_chance() -> None:
    known = build_map({"own": "storage for 11 days", "a": "storage for 3 days", "b": "the width of a door"})
    known.record_label("own", number("44", ("11 + 33 = 44", "+ 33"), ("11 * 4 = 44", "* 4")))
    assert known.find_shared_fact(known.samples["own"]) is None  # it stands alone
    known.record_label("b", number("34", ("1 + 33 = 34", "+ 33")))
    known.record_label("a", number("12", ("3 * 4 = 12", "* 4")))
    fact = known.find_shared_fact(known.samples["own"])
    assert fact is not None and fact.text == "11 * 4 = 44"
    assert known.find_shared_fact(Sample("new", "storage for 5 days")) is None


def test_like_samples_with_the_very_same_answer_need_no_step() -> None:
    known = build_map({"own": "guarantee on 2 lids", "a": "guarantee on 2 jars", "b": "guarantee on 5 lids"})
    known.record_label("own", number("26", ("2 + 24 = 26", "+ 24")))
    known.record_label("a", number("26", ("2 + 24 = 26", "+ 24")))
    known.record_label("b", number("26"))
    assert known.find_shared_fact(known.samples["own"]) is None


def test_right_answers_may_come_from_all_of_training_and_from_what_was_met() -> None:
    """The nearest come first, itself never, and those of another user neither."""
    known = build_map()
    own, training = known.samples["own"], [known.samples[name] for name in ("own", "c", "a")]
    assert names(known.find_labelled(own, training, 5)) == ["a", "c"]
    known.record_label("b", shown(False, expected="42"))
    assert set(names(known.find_labelled(own, training, 5))) == {"a", "b", "c"}
    assert names(known.find_labelled(own, training, 2)) == names(known.find_labelled(own, training, 5))[:2]
    assert names(known.find_labelled(own, [], 5)) == ["b"]


def test_right_answers_of_other_users_are_not_shown() -> None:
    known = SampleMap()
    owners = {"own": "ann", "shared": "", "mine": "ann", "theirs": "bob"}
    samples = [Sample(name, f"bill {name}", {"user": user} if user else {}) for name, user in owners.items()]
    known.add(samples)
    assert set(names(known.find_labelled(samples[0], samples, 5))) == {"shared", "mine"}
