"""Words for the facts of SQL: which lessons are new, correct a line, or speak for the wrong questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from ace.methods.ace.evidence import Evidence
from ace.playbook import Bullet
from ace.task import Sample, SqlEnvironment
from ace.task.environments.sql.lessons.contrast import Contrast
from ace.task.environments.sql.lessons.lines import (
    find_repeated_numbers,
    generalize_lesson,
    means_the_same,
    topic_key,
)
from ace.task.environments.sql.lessons.sql_wording import SqlWording
from ace.task.wording import Advice, Flaw, Line, Worded
from tests.strategies import contents


def test_the_environment_has_a_new_wording_for_every_run() -> None:
    environment = SqlEnvironment({})
    assert isinstance(environment, Worded) and environment.wording() is not environment.wording()


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


@pytest.mark.parametrize(
    ("question", "lesson", "general"),
    [
        (
            "Billed at more than 219 shillings?",
            "Billed at 219: v.hm > 21900.",
            "Billed at NUMBER: v.hm > NUMBER * 100.",
        ),
        ("Loans of 30 days or more?", "loan.hrs >= 720", "loan.hrs >= NUMBER * 24"),
        (
            "Lighter than 500 g?",
            "Lighter than 500 g: a.kg < 0.5",
            "Lighter than NUMBER g: a.kg < NUMBER / 1000.0",
        ),
        ("Of 2023-02-19, more than 3?", "ord.n > 19", "ord.n > 19"),  # a day is no amount
        ("More than 7 boxes?", "ord.st = 700", "ord.st = 700"),  # a code is no bound
        ("More than 7 boxes?", "ord.n > 7", "ord.n > 7"),  # the question says it
        ("More than 7 boxes?", "ord.n > 45", "ord.n > 45"),  # no unit
    ],
)
def test_a_bound_in_another_unit_becomes_a_calculation(question: str, lesson: str, general: str) -> None:
    assert generalize_lesson(question, lesson) == general


def test_a_join_is_said_with_the_one_condition_that_it_is_for() -> None:
    join = "vst JOIN ptt ON vst.ptn = ptt.kr"
    combine = SqlWording().combine
    assert combine((join,), (join, "ptt.qg = 24", "scn.st = 1")) == (f"{join} WHERE ptt.qg = 24",)
    assert combine((join,), (join, "ptt.qg = 24", "vst.st = 1")) == ()  # which of them is not known
    assert combine((join,), (join, "SUM(vst.hm) / 100.0")) == ()
    assert combine(("ptt.qg = 24",), (join, "ptt.qg = 24")) == ()


KNOWN = (Line("a", "Cancelled orders: ord.st = 7."), Line("b", "Bulk orders: ord.tot >= 25000."))


def considered(lesson: str, question: str = "How many orders are cancelled?") -> Advice:
    return SqlWording().consider(lesson, Sample("own", question), KNOWN)


def test_a_lesson_with_free_words_is_new() -> None:
    assert considered("Phone orders: ord.ch = 'F'.") == Advice("Phone orders: ord.ch = 'F'.")


def test_a_lesson_about_the_same_words_and_columns_corrects_the_line() -> None:
    assert considered("Orders cancelled: ord.st = 5.") == Advice("Orders cancelled: ord.st = 5.", "a")


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
    advice = considered(lesson)
    assert not advice.text and advice.flaw and flaw in advice.flaw.text and lesson in advice.flaw.text


def test_another_name_for_what_is_known_joins_its_line() -> None:
    advice = considered("Revoked orders: ord.st = 7.", "How many orders were revoked?")
    assert advice == Advice("Cancelled orders, revoked orders: ord.st = 7.", "a")
    question = "How many cancelled orders did we revoke?"  # the line speaks for it as it is
    flaw = considered("Revoked orders: ord.st = 7.", question).flaw
    assert flaw == Flaw("Revoked orders: ord.st = 7. is known")


def asked(questions: Mapping[str, str]) -> SqlWording:
    wording = SqlWording()
    for name, text in questions.items():
        wording.add_sample(Sample(name, text))
    return wording


def test_a_condition_that_has_the_words_of_another_gets_its_own() -> None:
    questions = {
        "refused": "How many returns were refused?",
        "orders": "How many orders were cancelled?",
        "website": "How many website orders are there?",
        "own": "How many returns of website orders were refused?",
    }
    wording = asked(questions)
    wording.record_result("refused", {"rtn.ok"}, ["rtn.ok = 1"])
    wording.record_result("orders", {"ord.st"}, ["ord.st = 7"])
    apart = wording.narrow
    assert apart("Refused returns: ord.ch = 'N'.", questions["own"]) == "Website: ord.ch = 'N'."
    assert apart("Came in: ord.ch = 'N'.", questions["own"]) == "Came in (website): ord.ch = 'N'."


def test_a_unit_may_use_the_words_of_a_condition() -> None:
    assert considered("Bulk orders in dollars: SUM(ord.tot) / 100.0.").text


def returns() -> SqlWording:
    """What was seen before a question about what the returns add up to."""
    questions = {
        "refused": "How many returns were refused?",
        "worth": "What are the orders worth, in dollars?",
        "sum": "What do all the returns add up to, in dollars?",
    }
    wording = asked(questions)
    wording.record_result("refused", {"rtn", "rtn.ok"}, ())
    wording.record_result("worth", {"ord", "ord.total"}, ())
    return wording


def test_a_lesson_that_speaks_for_a_bystander_names_it() -> None:
    own = Sample("sum", "What do all the returns add up to, in dollars?")
    wording = returns()
    lesson = "Returns: SUM(rtn.amt) / 100.0."
    assert wording.find_bystander(lesson, ("sum",)) == "How many returns were refused?"
    assert wording.consider(lesson, own, ()) == Advice("Returns (dollars): SUM(rtn.amt) / 100.0.")
    other, lesson = Sample("x", "How many returns?"), "Returns: rtn.ok = 2."
    assert wording.consider(lesson, other, ()).flaw is None  # by its columns it is no stranger
    wording.record_result("refused", {"rtn.ok"}, ["rtn.ok = 1"])
    flaw = wording.consider(lesson, other, ()).flaw
    assert flaw == Flaw.speaks_for(lesson, "How many returns were refused?")


def test_a_sample_that_was_met_later_is_a_bystander_too() -> None:
    refused = Sample("refused", "How many returns were refused?")
    contrast = Contrast()
    contrast.add_sample(refused)
    contrast.record_result(refused.id, {"rtn.ok"}, ["rtn.ok = 1"])
    assert contrast.find_bystander("Returns: rtn.ok = 2.", ()) == refused.question


def test_a_bullet_is_doubted_when_a_sample_has_its_words_and_no_use_for_it() -> None:
    evidence = Evidence([Sample("sum", "What do all the returns add up to?")], returns())
    wide = Bullet("a", "lessons", "Returns: rtn.ok = 2.")
    evidence.record_proofs(wide, ["sum"])
    evidence.record_result("refused", {"rtn.ok"}, True, ["rtn.ok = 1"])
    assert evidence.find_doubt(wide) == Flaw.speaks_for(wide.content, "How many returns were refused?")
    assert evidence.find_doubt(replace(wide, pinned=True)) is None
    unproven = Bullet("b", "lessons", "Returns: rtn.ok = 2.")
    assert evidence.find_doubt(unproven) is None  # no sample of this run stands for it
    assert evidence.find_doubt(replace(wide, content="Returns waiting: rtn.ok = 2.")) is None


def test_a_unit_is_told_apart_by_the_word_that_most_questions_share() -> None:
    wording, question = returns(), "What do all the returns add up to, in dollars?"
    told = wording.adapt("Returns: SUM(rtn.amt) / 100.0.", question)
    assert told == "Returns (dollars): SUM(rtn.amt) / 100.0."
    assert wording.adapt(told, question) == told
    condition = "Returns: rtn.ok = 1."
    assert wording.adapt(condition, question) == condition


@given(contents(), contents())
def test_wording_only_adds_to_the_words(lesson: str, question: str) -> None:
    told = Contrast([Sample("a", question), Sample("b", question)]).narrow(lesson, question)
    assert told.partition(":")[2] == lesson.partition(":")[2] and told.startswith(lesson.partition(":")[0])


def test_luck_is_what_no_bullet_says() -> None:
    question = "How many orders of Kira Keane are on hold?"
    join = "cust JOIN ord ON cust.ref = ord.cid"
    uses = ("ord.st = 5", "ord.ch = 'H'", "cust.name = 'Kira Keane'", join, "tot / 1.0")
    known = ("Orders: ord JOIN cust ON ord.cid = cust.ref.",)
    list_unspoken = SqlWording().list_unspoken
    assert list_unspoken(question, uses, known) == ("ord.st = 5", "ord.ch = 'H'", "tot / 1.0")
    more = (*known, "On hold: ord.st = 5.")
    assert list_unspoken(question, uses, more) == ("ord.ch = 'H'", "tot / 1.0")


def test_two_names_for_one_meaning_join_and_other_meanings_do_not() -> None:
    wording, line = SqlWording(), "Cancelled orders: ord.st = 7."
    assert wording.join(line, "Revoked: ord.st = 7.") == "Cancelled orders, Revoked: ord.st = 7."
    assert wording.join(line, "Revoked: ord.st = 8.") is None
    assert wording.are_rivals(line, "Orders cancelled: ord.st = 5.")
    assert not wording.are_rivals(line, "Orders cancelled: ord.st = 7.")


@pytest.mark.parametrize(
    ("text", "question", "rest"),
    [
        ("Phone, letter: t.ch = 1", "Which letters?", "Phone: t.ch = 1"),
        ("Phone, letter: t.ch = 1", "Which letter or phone?", ""),
        ("Phone, letter: t.ch = 1", "Which visit?", None),
        ("phone means 1", "Which phone?", ""),
        ("phone means 1", "Which visit?", None),
    ],
)
def test_words_that_no_longer_hold_go(text: str, question: str, rest: str | None) -> None:
    assert SqlWording().drop_words(text, question) == rest


def test_a_newer_label_outdates_what_said_the_old_value() -> None:
    for newest_wins, outdated in ((True, ("a",)), (False, ())):
        wording = SqlWording(newest_wins=newest_wins)
        wording.add_sample(Sample("a", "How many cancelled orders?"))
        wording.record_result("a", {"ord.st"}, ["ord.st = 7"])
        assert (
            wording.list_outdated("Cancelled orders: ord.st = 7.", "Cancelled orders: ord.st = 5.")
            == outdated
        )
        assert wording.list_outdated("Cancelled orders: ord.st = 7.", "Cancelled: ord.st = 7.") == ()


def test_words_of_a_fact_are_those_that_samples_with_it_share() -> None:
    wording = SqlWording()
    rows = {
        "How many untyped patients are there?": ("ptt.qg = 24",),
        "List the names of the untyped patients on the heart programme.": ("ptt.qg = 24", "ptt.qt = 'RX'"),
        "Which patients are on the heart programme?": ("ptt.qt = 'RX'",),
        "How many patients gave consent?": ("ptt.cnt = 2",),
        "How many visits were billed at more than 50 shillings?": ("vst.hm > 5000",),
        "Count the visits billed at more than 7 shillings.": ("vst.hm > 700",),
    }
    for number, (question, facts) in enumerate(rows.items()):
        wording.add_sample(Sample(str(number), question))
        wording.record_result(str(number), (), facts)
    both = "Which untyped patients are on the heart programme?"
    assert wording.suggest("ptt.qg = 24", both) == "Untyped"
    assert wording.suggest("ptt.qt = 'RX'", both) == "Heart programme"
    assert wording.suggest("ptt.cnt = 2", "Who gave consent?") == ""  # one sample says little
    bound = "How many were billed at more than 30 shillings?"
    assert wording.suggest("vst.hm > 3000", bound) == "Billed at more than 30 shillings"
    assert wording.suggest("ptt.qt = 'RX'", "Who came twice?") == ""  # none of its words
    for number in range(2):
        wording.forget(str(number))
    assert wording.suggest("ptt.qg = 24", both) == ""


def test_two_words_together_may_stand_for_a_fact() -> None:
    wording = SqlWording()
    join = "hrv JOIN tnt ON hrv.vj = tnt.wd"
    rows = {
        "Count the harvests of tenants who sharecrop.": (join, "tnt.pw = 7"),
        "How many rye harvests did the tenants with a lease bring in?": (join, "hrv.tf = 1"),
        "Which tenants have machines?": ("tnt.mcn = 2",),
        "How many rye harvests were there?": ("hrv.tf = 1",),
        "List the tenants who sharecrop.": ("tnt.pw = 7",),
        "How many harvests were there?": (),
    }
    for number, (question, facts) in enumerate(rows.items()):
        wording.add_sample(Sample(str(number), question))
        wording.record_result(str(number), (), facts)
    assert wording.suggest(join, "Count the harvests of tenants in the valley.") == "Harvests of tenants"
    assert wording.suggest(join, "Which tenants had good harvests?") == "Tenants harvests"
    assert wording.suggest(join, "How many harvests?") == ""


def test_only_days_of_the_years_of_a_question_are_its_own() -> None:
    lesson = "Reaped on 2023-05-14: DATE('1961-09-10', hrv.nc || ' days') = '2023-05-14'."
    general = "Reaped on DAY: DATE('1961-09-10', hrv.nc || ' days') = 'DAY'."
    assert generalize_lesson("How many harvests were reaped on 2023-05-14?", lesson) == general
    assert generalize_lesson("How many harvests were reaped last May?", lesson) == lesson


def harvests(**data: str) -> SqlWording:
    wording = SqlWording()
    rows = {
        "How many barley harvests were bumper ones?": ("hrv.tf = 2", "hrv.rdc >= 45000"),
        "Count the barley harvests on Dove field.": ("hrv.tf = 2", "hrv.ttl = 'Dove'"),
        "How many barley harvests did Ann bring in?": ("hrv.tf = 2",),
        "Count the bumper harvests on Badger field.": ("hrv.rdc >= 45000", "hrv.ttl = 'Badger'"),
        "Which rye harvests were bumper harvests?": ("hrv.tf = 1", "hrv.rdc >= 45000"),
        "How many harvests were there on Dove field?": ("hrv.ttl = 'Dove'",),
        "How many harvests did Bob bring in?": (),
    }
    for number, (question, facts) in enumerate(rows.items()):
        wording.add_sample(Sample(str(number), question, data))
        wording.record_result(str(number), (), facts)
    return wording


@pytest.mark.parametrize(
    ("line", "better"),
    [
        ("Barley: hrv.rdc >= 45000.", "Bumper: hrv.rdc >= 45000."),
        ("Bumper harvests, barley: hrv.tf = 2.", "Barley: hrv.tf = 2."),
        ("Barley harvests on Dove field: hrv.tf = 2.", "Barley: hrv.tf = 2."),
        ("Barley harvests: hrv.tf = 2.", "Barley harvests: hrv.tf = 2."),  # says no less than "Barley"
        ("Rye: hrv.tf = 1.", "Rye: hrv.tf = 1."),  # one sample says little
        ("Barley: hrv.rdc >= NUMBER.", "Barley: hrv.rdc >= NUMBER."),
        ("Barley is sown in March.", "Barley is sown in March."),
    ],
)
def test_a_line_gets_the_words_of_the_samples_that_need_it(line: str, better: str) -> None:
    assert harvests().reword(line) == better
    assert harvests(user="ann").reword(line) == line  # words of one user are for nobody else
