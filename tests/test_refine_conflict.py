"""When two lessons say the same, contradict each other, or neither: pairs, holes, properties."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ace.refine import compare, find_lost_facts
from tests.strategies import contents

DATA = Path(__file__).parent / "data"


def pairs(name: str, kind: str) -> list[tuple[str, str]]:
    rows = map(json.loads, (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
    return [(row["one"], row["other"]) for row in rows if row["kind"] == kind]


@pytest.mark.parametrize("name", ["refine_pairs", "refine_held_out", "refine_held_out_2"])
def test_no_contradiction_is_called_the_same(name: str) -> None:
    found = pairs(name, "contradiction")
    assert len(found) in (20, 50)
    assert [pair for pair in found if compare(*pair).kind == "same"] == []


@pytest.mark.parametrize("name", ["refine_pairs", "refine_held_out", "refine_held_out_2"])
def test_at_least_70_percent_of_the_paraphrases_are_the_same(name: str) -> None:
    found = pairs(name, "paraphrase")
    assert sum(compare(*pair).kind == "same" for pair in found) >= 0.7 * len(found)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Go to queue R7.", "Go to queue R9.", "name"),
        ("Use UTC.", "Do not use UTC.", "negation"),
        ("Overtime: hr.days = 3", "Overtime: hr.days = 4", "number"),
        ("The limit is in hours.", "The limit is in days.", "unit"),
        ("Sort ascending.", "Sort descending.", "opposites"),
        ("It holds when a.x > b.y", "It holds when b.y > a.x", "order"),
        ("Validate the form, then save it.", "Save the form, then validate it.", "order"),
        ("Prefer email over phone.", "Prefer phone over email.", "order"),
        ("1 means open and 2 means closed.", "1 means closed and 2 means open.", "order"),
        ("Copy it from the queue.", "Copy it to the queue.", "order"),
        ("Lock it if the key is old.", "Lock it unless the key is old.", "negation"),
    ],
)
def test_contradictions(one: str, other: str, why: str) -> None:
    assert (found := compare(one, other)).kind == "conflict" and found.why.startswith(why)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Overdue loans: loan.sta = 3", "Returned loans: loan.sta = 4"),
        ("Overdue loans: loan.sta = 3", "Late loans: loan.sta = 3"),  # proven apart, for other words
        ("Level 2 tickets go to queue R7.", "Level 3 tickets go to queue R9."),
        ("ord.price is in cents.", "ord.tax is in cents."),
        ("If the level is 2, call a manager.", "If the level is 3, call a manager."),
        ("Only managers see salaries.", "Managers see salaries."),
        ("Managers must approve it.", "Managers can approve it."),
        ("Use A or B.", "Use A and B."),
        ("Times are in UTC+2.", "Times are in UTC-2."),
        ("Use UNION.", "Use UNION ALL."),
        ("Ask the user once.", "Ask the user every time."),
        ("The fee is 1,000 EUR.", "The fee is 1.000 EUR."),
        ("Opt in to the mails.", "Opt out of the mails."),
        ("The fee is paid by the seller to the buyer.", "The buyer pays the fee to the seller."),
        ("Report amounts in EUR, not USD.", "Report amounts in USD, not EUR."),
        ("Take 2 of 3.", "Take 3 of 2."),
        ("Never delete logs, archive invoices.", "Never archive invoices, delete logs."),
        ("A table without an index is slow.", "An index without a table is slow."),
        (
            "Gold members get free shipping and silver members get express delivery.",
            "Silver members get free shipping and gold members get express delivery.",
        ),
    ],
)
def test_other_subjects_and_doubtful_ones_are_not_the_same(one: str, other: str) -> None:
    assert compare(one, other).kind != "same"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Overdue loans: loan.sta = 3", "Returned loans: loan.sta = 4"),
        ("ord.price is in cents.", "ord.tax is in cents."),
        ("Level 2 tickets go to queue R7.", "Level 3 tickets go to queue R9."),
        ("Stop once you find the answer.", "When you find the answer, stop."),
        ("red means 70001", "green means 70014"),
    ],
)
def test_what_is_no_contradiction(one: str, other: str) -> None:
    assert compare(one, other).kind != "conflict"


@given(contents(), contents())
def test_comparing_is_total_and_symmetric(one: str, other: str) -> None:
    assert compare(one, one).kind == "same"
    assert compare(one, other).kind == compare(other, one).kind


TALK = [one for one, _ in pairs("refine_pairs", "paraphrase")]


@given(st.sampled_from(TALK), st.integers(0, 10_000), st.integers(0, 10_000))
def test_other_numbers_are_never_the_same(text: str, one: int, other: int) -> None:
    assume(one != other)
    assert compare(f"{text} The limit is {one}.", f"{text} The limit is {other}.").kind != "same"


@given(st.sampled_from(TALK), st.sampled_from(("not", "never")))
def test_a_denial_is_never_the_same(text: str, negator: str) -> None:
    assert compare(f"{text} Answer by mail.", f"{text} Do {negator} answer by mail.").kind != "same"


@given(st.sampled_from(TALK), st.sampled_from(TALK))
def test_lessons_on_different_things_are_neither(one: str, other: str) -> None:
    assert (one == other) == (compare(one, other).kind == "same")


def test_a_summary_keeps_numbers_names_and_units() -> None:
    old = ("Cancelled: ord.st = 7", "Amounts are in cents; ask `list_orders` first.")
    assert not find_lost_facts(old, "ord.st is 7 for cancelled orders. list_orders gives amounts in cents.")
    assert find_lost_facts(old, "ord.st is 7. Amounts are in dollars.") == ("cent", "list_orders")
    assert find_lost_facts(("Never use UTC.",), "Use UTC.") == ("a denial",)
