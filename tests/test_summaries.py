"""A summary loses no name, number, date or commitment; what the bound leaves no room for is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.llm import ScriptedClient
from ace.memory import Conversation, Turn
from ace.memory.essentials import find_missing_essentials, list_essentials
from ace.memory.summarizer import Summarizer, Summary, append_missing
from ace.text import estimate_tokens

TALK = Conversation(
    "c1",
    "ana",
    "s1",
    "2026-03-01T00:00:00.000+00:00",
    (
        Turn("user", "Hi, Ana Silva here. My order AB-1204 over 49.90 euros is late, Dr. Meyer needs it."),
        Turn(
            "agent", "Sorry to hear that. We'll call you on 5 May, and I will refund the postage by Friday."
        ),
        Turn("user", "Fine. Do you open at weekends? My flat is number 12, Elm Street."),
    ),
)
GOOD = (
    "Ana Silva's order AB-1204 (49.90 euros) is late; Dr. Meyer needs it. The shop will call on 5 May and "
    "refund the postage by Friday. She lives at number 12, Elm Street."
)


def list_texts(what: str) -> list[str]:
    return [each.text for each in list_essentials(TALK) if each.what == what]


def test_essentials_are_names_numbers_dates_and_commitments() -> None:
    assert list_texts("number") == ["AB-1204", "49.90", "12"]
    assert list_texts("date") == ["5 May", "Friday"]
    assert {"Ana Silva", "Meyer", "Elm Street"} <= {text.removeprefix("Dr. ") for text in list_texts("name")}
    assert list_texts("commitment") == ["We'll call you on 5 May, and I will refund the postage by Friday."]


def test_a_good_summary_lacks_nothing_and_costs_one_call() -> None:
    client = ScriptedClient([GOOD])
    made = Summarizer(client)(TALK)
    assert made == Summary(GOOD, estimate_tokens(GOOD))
    assert len(client.calls) == 1


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ("5 May", ["We'll call you on 5 May, and I will refund the postage by Friday.", "5 May"]),
        ("AB-1204", ["AB-1204"]),
        ("Meyer", ["Meyer"]),
        ("call", []),  # most of the promise is there
    ],
)
def test_what_is_left_out_is_missed(said: str, gone: list[str]) -> None:
    missed = [each.text for each in find_missing_essentials(TALK, GOOD.replace(said, ""))]
    assert missed == gone


def test_what_is_missing_is_asked_for_once_and_then_appended() -> None:
    poor, better = (
        "Ana Silva waits for an order.",
        GOOD.replace("Friday", "the weekend").replace("number 12", "number twelve"),
    )
    client = ScriptedClient([poor, better])
    made = Summarizer(client)(TALK)
    assert len(client.calls) == 2
    assert (
        "word for word" in client.calls[1].messages[1].content
        and "- AB-1204" in client.calls[1].messages[1].content
    )
    assert made.text.startswith(better)
    assert made.appended == (
        "agent: We'll call you on 5 May, and I will refund the postage by Friday.",
        "user: My flat is number 12, Elm Street.",
    )
    assert made.lost == () and find_missing_essentials(TALK, made.text) == ()


def test_a_second_try_that_is_worse_is_not_taken() -> None:
    made = Summarizer(ScriptedClient([GOOD.replace("49.90", "some"), "Nothing."]))(TALK)
    assert made.text.startswith("Ana Silva's order") and made.lost == ()


def test_within_the_bound_what_was_said_goes_before_what_was_written() -> None:
    made = append_missing(TALK, "Chatter. " * 50, list_essentials(TALK), 60, estimate_tokens)
    assert made.tokens <= 60
    assert "agent: We'll call you on 5 May" in made.text and "Chatter. Chatter" not in made.text
    assert made.lost == find_missing_essentials(TALK, made.text) != ()


WORDS = st.sampled_from(
    [
        "I will",
        "call",
        "Bob Hall",
        "on 5 May",
        "order",
        "X-17",
        "by Friday.",
        "Then",
        "We'll",
        "pay 30.50",
        "soon.",
    ]
)
TURNS = st.lists(
    st.builds(
        Turn, st.sampled_from(["user", "agent"]), st.lists(WORDS, min_size=1, max_size=8).map(" ".join)
    ),
    min_size=1,
    max_size=4,
)


@given(turns=TURNS, written=st.lists(WORDS, max_size=10).map(" ".join), bound=st.integers(0, 400))
def test_nothing_is_lost_unknown_and_the_bound_holds(turns: list[Turn], written: str, bound: int) -> None:
    talk = Conversation("c", "u", "s", "2026-01-01", tuple(turns))
    made = append_missing(talk, written, find_missing_essentials(talk, written), bound, estimate_tokens)
    assert made.tokens == estimate_tokens(made.text) <= bound or made.text == ""
    assert made.lost == find_missing_essentials(talk, made.text)
    everything = append_missing(
        talk, written, find_missing_essentials(talk, written), 10_000, estimate_tokens
    )
    assert everything.lost == () and everything.text.startswith(written)
