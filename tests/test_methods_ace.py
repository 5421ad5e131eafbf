"""What the method decides: what is kept, corrected, merged and refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from ace.methods.ace.consider import Considered, consider
from ace.methods.ace.contrast import Contrast
from ace.methods.ace.coverage import list_unspoken
from ace.methods.ace.curator import confine_delta
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.fact_search import is_closer
from ace.methods.ace.lesson_scope import Rarity, find_repeated_numbers, generalize_lesson
from ace.playbook import Add, Bullet, Merge, Playbook, Remove, Revise, apply
from ace.refine import means_the_same, topic_key, word_key
from ace.task import Fact, Feedback, FeedbackKind, Sample
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
    assert topic_key(f"{one.replace(':', '')}: {other}") == word_key(one.replace(":", ""))


def test_one_meaning_has_many_words() -> None:
    assert means_the_same("Cancelled orders: ord.st = 7.", "Revoked: ord.st = 7")
    assert means_the_same("Orders: a JOIN b ON a.x = b.y.", "Bs of an a: b JOIN a ON b.y = a.x")
    assert not means_the_same("Older: a > b.", "Older: b > a.")
    assert not means_the_same("No colon", "none here")


def test_topic_is_what_stands_before_the_colon() -> None:
    assert topic_key("Cancelled orders: ord.st = 7.") == topic_key("Orders cancelled: ord.st = 5.")
    assert topic_key("No colon here") == ()


@pytest.mark.parametrize(
    ("question", "lesson", "found"),
    [
        ("Order number 4711?", "Orders: id = 4711.", ("4711",)),
        ("Orders over 500 dollars?", "Dollars: tot / 100.0.", ()),
        ("Orders by phone?", "Phone orders: ch = 'F'.", ()),
    ],
)
def test_lessons_that_repeat_their_question(question: str, lesson: str, found: Sequence[str]) -> None:
    assert find_repeated_numbers(question, lesson) == tuple(found)


def test_days_and_names_become_placeholders() -> None:
    lesson = "Orders of Kira Keane: cust.name = 'Kira Keane'."
    assert (
        generalize_lesson("How many orders has Kira Keane?", lesson) == "Orders of NAME: cust.name = 'NAME'."
    )
    lesson = "Orders on a day: date(ts) = '2023-12-02'."
    assert generalize_lesson("Orders on 2 December 2023?", lesson) == "Orders on a day: date(ts) = 'DAY'."


def test_a_lesson_names_what_sets_its_question_apart() -> None:
    rarity = Rarity(["How many soaps are articles?", *(f"How many articles are {n}?" for n in "abcdef")])
    assert rarity.sets_apart("How many soaps are articles?", "Soap: art.grp = 30.")
    assert not rarity.sets_apart("How many soaps are articles?", "Articles: art.grp = 30.")
    assert rarity.sets_apart("How many soaps are articles?", "Articles of a line: line JOIN art ON ano = no.")


KNOWN = (
    Bullet("a", "s", "Cancelled orders: ord.st = 7.", ("ep-1",)),
    Bullet("b", "s", "Bulk orders: ord.tot >= 25000."),
)


def considered(lesson: str, question: str = "How many orders are cancelled?") -> Considered:
    return consider(lesson, Sample("own", question), KNOWN, Evidence())


def test_a_lesson_with_free_words_is_new() -> None:
    made = considered("Phone orders: ord.ch = 'F'.").operation
    assert isinstance(made, Add) and made.content == "Phone orders: ord.ch = 'F'."


def test_a_lesson_about_the_same_words_and_columns_corrects_the_bullet() -> None:
    assert considered("Orders cancelled: ord.st = 5.").operation == Revise(
        "a", "Orders cancelled: ord.st = 5.", ("ep-1",)
    )


@pytest.mark.parametrize(
    ("lesson", "flaw"),
    [
        ("Orders cancelled: ord.st = 7", "is known"),
        ("Cancelled orders: SUM(ord.tot) / 100.0.", "uses words that are known to mean: Cancelled orders"),
        ("Bulk orders of the market stall: ord.ch = 'K'.", "uses words that are known to mean: Bulk orders"),
        ("Bulk orders: ord.tot >= 25000", "is known"),
        ("DAY: date(ord.ts) = 'DAY'.", "has no words of its own"),
        (": ord.st = 8.", "has no words of its own"),
        ("Phone orders cancelled: ord.ch = 'F' AND ord.st = 7.", "says several things in one line"),
    ],
)
def test_a_lesson_whose_words_are_taken_is_left_out(lesson: str, flaw: str) -> None:
    made = considered(lesson)
    assert made.operation is None and flaw in made.flaw and lesson in made.flaw


def test_another_name_for_what_is_known_joins_its_line() -> None:
    made = considered("Revoked orders: ord.st = 7.", "How many orders were revoked?")
    assert made.operation == Revise("a", "Cancelled orders, revoked orders: ord.st = 7.", ("ep-1",))
    asked = "How many cancelled orders did we revoke?"  # the line speaks for it as it is
    assert considered("Revoked orders: ord.st = 7.", asked).flaw == "Revoked orders: ord.st = 7. is known"


def test_a_condition_that_has_the_words_of_another_gets_its_own() -> None:
    questions = {
        "refused": "How many returns were refused?",
        "orders": "How many orders were cancelled?",
        "website": "How many website orders are there?",
        "own": "How many returns of website orders were refused?",
    }
    evidence = Evidence(Sample(name, text) for name, text in questions.items())
    evidence.record_result("refused", {"rtn.ok"}, True, ["rtn.ok = 1"])
    evidence.record_result("orders", {"ord.st"}, True, ["ord.st = 7"])
    apart = evidence.contrast.narrow
    assert apart("Refused returns: ord.ch = 'N'.", questions["own"]) == "Website: ord.ch = 'N'."
    assert apart("Came in: ord.ch = 'N'.", questions["own"]) == "Came in (website): ord.ch = 'N'."


def test_a_unit_may_use_the_words_of_a_condition() -> None:
    assert considered("Bulk orders in dollars: SUM(ord.tot) / 100.0.").operation


def returns() -> Evidence:
    """What was seen before a question about what the returns add up to."""
    questions = {
        "refused": "How many returns were refused?",
        "worth": "What are the orders worth, in dollars?",
        "sum": "What do all the returns add up to, in dollars?",
    }
    evidence = Evidence(Sample(name, text) for name, text in questions.items())
    evidence.record_result("refused", {"rtn", "rtn.ok"}, True)
    evidence.record_result("worth", {"ord", "ord.total"}, True)
    return evidence


def test_a_lesson_that_speaks_for_a_bystander_names_it() -> None:
    asked = Sample("sum", "What do all the returns add up to, in dollars?")
    evidence = returns()
    assert (
        evidence.contrast.find_bystander("Returns: SUM(rtn.amt) / 100.0.", ("sum",))
        == "How many returns were refused?"
    )
    made = consider("Returns: SUM(rtn.amt) / 100.0.", asked, (), evidence).operation
    assert made and made.content == "Returns (dollars): SUM(rtn.amt) / 100.0."
    flaw = consider("Returns: rtn.ok = 2.", Sample("x", "How many returns?"), (), evidence).flaw
    assert flaw == ""  # by its columns it is no stranger
    evidence.record_result("refused", {"rtn.ok"}, True, ["rtn.ok = 1"])
    flaw = consider("Returns: rtn.ok = 2.", Sample("x", "How many returns?"), (), evidence).flaw
    assert flaw.endswith("would also speak for: How many returns were refused?")


def test_a_sample_that_was_met_later_is_a_bystander_too() -> None:
    asked = Sample("refused", "How many returns were refused?")
    contrast = Contrast()
    contrast.add_question(asked)
    contrast.record_result(asked.id, {"rtn.ok"}, ["rtn.ok = 1"])
    assert contrast.find_bystander("Returns: rtn.ok = 2.", ()) == asked.question


def test_a_bullet_is_doubted_when_a_sample_has_its_words_and_no_use_for_it() -> None:
    evidence = returns()
    wide = Bullet("a", "lessons", "Returns: rtn.ok = 2.")
    evidence.record_proofs(wide, ["sum"])
    evidence.record_result("refused", {"rtn.ok"}, True, ["rtn.ok = 1"])
    assert evidence.doubt(wide) == "would also speak for: How many returns were refused?"
    assert evidence.doubt(replace(wide, pinned=True)) == ""
    unproven = Bullet("b", "lessons", "Returns: rtn.ok = 2.")
    assert evidence.doubt(unproven) == ""  # no sample of this run stands for it
    assert evidence.doubt(replace(wide, content="Returns waiting: rtn.ok = 2.")) == ""


def test_a_unit_is_told_apart_by_the_word_that_most_questions_share() -> None:
    evidence = returns()
    asked = "What do all the returns add up to, in dollars?"
    told = evidence.contrast.narrow_calculation("Returns: SUM(rtn.amt) / 100.0.", asked)
    assert told == "Returns (dollars): SUM(rtn.amt) / 100.0."
    assert evidence.contrast.narrow_calculation(told, asked) == told
    condition = "Returns: rtn.ok = 1."
    assert evidence.contrast.narrow_calculation(condition, asked) == condition


@given(contents(), contents())
def test_wording_only_adds_to_the_words(lesson: str, question: str) -> None:
    told = Contrast([Sample("a", question), Sample("b", question)]).narrow_calculation(lesson, question)
    assert told.partition(":")[2] == lesson.partition(":")[2] and told.startswith(lesson.partition(":")[0])


def test_luck_is_what_no_bullet_says() -> None:
    question = "How many orders of Kira Keane are on hold?"
    join = "cust JOIN ord ON cust.ref = ord.cid"
    uses = ("ord.st = 5", "ord.ch = 'H'", "cust.name = 'Kira Keane'", join, "tot / 1.0")
    known = (Bullet("a", "s", "Orders: ord JOIN cust ON ord.cid = cust.ref."),)
    assert list_unspoken(question, uses, known) == ("ord.st = 5", "ord.ch = 'H'", "tot / 1.0")
    more = (*known, Bullet("b", "s", "On hold: ord.st = 5."))
    assert list_unspoken(question, uses, more) == ("ord.ch = 'H'", "tot / 1.0")


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
    assert confined == (Revise("a", "three four"), Merge("a", ("b",), "both"))
    (added,), _ = confine_delta((Add("b", "elsewhere", "five  words"),), shown)
    assert isinstance(added, Add) and added.content == "five words" and added.id != "b"
