"""What the method decides: what is kept, corrected, merged and refused."""

from __future__ import annotations

import pytest
from hypothesis import given

from ace.llm import RoleModels
from ace.llm.window import Window
from ace.methods.ace.curator import confine_delta
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.fact_search import is_closer
from ace.methods.ace.method import build_ace
from ace.methods.protocol import Equipment
from ace.playbook import Add, Bullet, Merge, Playbook, Remove, Revise, apply
from ace.settings import Profile, Settings
from ace.task import Fact, Feedback, FeedbackKind, Sample
from ace.testing import World
from ace.text import find_terms, word_key
from tests.strategies import contents


def test_same_words_in_another_order_are_the_same() -> None:
    assert word_key("Cancelled orders: ord.st = 7.") == word_key("orders cancelled: ord.st = 7")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Go to queue R7.", "Go to queue R9."),
        ("Use UTC.", "Do not use UTC."),
        ("Phone: ord.ch = 'f'.", "Phone: ord.ch = 'F'."),
        ("Late: dd > 6.", "Late: dd < 6."),
    ],
)
def test_contradictions_are_not_the_same(one: str, other: str) -> None:
    assert word_key(one) != word_key(other)


@given(contents(), contents())
def test_the_order_of_words_never_matters(one: str, other: str) -> None:
    one, other = one.replace("'", ""), other.replace("'", "")  # what stands in quotes is one word
    assert word_key(f"{one} ; {other}") == word_key(f"{other} ; {one}")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("How many deliveries were late?", {"deliveri", "late"}),
        ("Wie viele Lieferungen?", {"wie", "viel", "lieferungen"}),
        ("\u6771\u4eac\u90fd 7", {"\u6771\u4eac", "\u4eac\u90fd", "7"}),
        ("", set()),
    ],
)
def test_terms_say_what_a_text_is_about_in_any_language(text: str, terms: set[str]) -> None:
    assert find_terms(text) == terms


class Sized(World):
    """A scripted model whose window may be known."""

    tokens: int | None = None

    def window(self) -> Window:
        return Window(self.tokens)


@pytest.mark.parametrize(
    ("tokens", "asked", "profile"),
    [
        (None, None, Profile.FULL),
        (15_999, None, Profile.SMALL),
        (16_000, None, Profile.FULL),
        (4_000, Profile.FULL, Profile.FULL),
        (None, Profile.SMALL, Profile.SMALL),
    ],
)
def test_the_profile_is_what_is_asked_for_or_what_the_window_of_the_reflector_allows(
    tokens: int | None, asked: Profile | None, profile: Profile
) -> None:
    reflector = Sized()
    reflector.tokens = tokens
    models = RoleModels.of(World(), reflector=reflector)
    made = build_ace(models, Settings(profile=asked), Equipment())
    assert made.reflect.profile is made.curator.profile is profile


def sample(name: str) -> Sample:
    return Sample(name, f"Question {name}?")


def test_neighbours_share_subjects_and_were_made_right_by_a_bullet() -> None:
    evidence = Evidence(sample(name) for name in "abcd")
    evidence.record_result("a", {"ord", "ord.st"}, False)
    evidence.record_result("b", {"ord", "ord.st", "ord.ch"}, False)
    evidence.record_result("c", {"ord", "ord.st"}, True)  # by luck: no bullet
    evidence.record_result("d", {"cust", "cust.seg"}, False)
    evidence.record_proofs(Bullet("x", "s", "Cancelled: ord.st = 7."), ["a", "b"])
    evidence.record_proofs(Bullet("y", "s", "Trade: cust.seg = 'K'."), ["d"])
    near = evidence.neighbours(sample("x"), {"ord.st", "ord.ch"}, 5)
    assert [found.id for found in near] == ["b", "a"]
    evidence.record_result("b", {"ord.st", "ord.ch"}, False)
    assert [found.id for found in evidence.neighbours(sample("x"), {"ord.ch"}, 5)] == []


def test_closer_is_less_missing_in_an_attempt_that_ran() -> None:
    before = Feedback(FeedbackKind.LABELS, "", False, missing=(Fact("a"), Fact("b")))
    assert is_closer(Feedback(FeedbackKind.LABELS, "", False, ran=True, missing=(Fact("b"),)), before)
    assert not is_closer(Feedback(FeedbackKind.LABELS, "", False, ran=False, missing=(Fact("b"),)), before)
    assert not is_closer(
        Feedback(FeedbackKind.LABELS, "", True, ran=True), before
    )  # right: nothing is missing
    assert not is_closer(Feedback(FeedbackKind.EXECUTION, "", ran=True), Feedback(FeedbackKind.EXECUTION, ""))


def test_related_bullets_mention_the_subject_and_live() -> None:
    evidence = Evidence([sample("a")])
    book, _ = apply(
        Playbook(), (Add("b-1", "s", "Cancelled: ord.st = 7."), Add("b-2", "s", "Cents: ord.tot."))
    )
    for bullet in book:
        evidence.record_proofs(bullet, ["a"])
    assert [b.id for b in evidence.bullets_on(book, {"ord", "ord.st"})] == ["b-1"]
    without, _ = apply(book, (Remove("b-1"),))
    assert evidence.bullets_on(without, {"ord.st"}) == ()
    assert [found.id for found in evidence.proofs(["b-2"])] == ["a"]


def test_a_curator_is_held_to_what_it_was_shown() -> None:
    shown = [Bullet("a", "s", "apples"), Bullet("b", "s", "pears")]
    said = (
        Remove("secret"),
        Revise("a", "three\n four"),
        Merge("a", ("a", "b"), "both"),
        Merge("a", ("z",), "no"),
    )
    confined, note = confine_delta(said, shown)
    assert note.startswith("; ignored: ")
    assert confined == (Revise("a", "three\n four"), Merge("a", ("b",), "both"))
    (added,), _ = confine_delta((Add("b", "elsewhere", "five  words"),), shown)
    assert isinstance(added, Add) and added.content == "five  words" and added.id != "b"
