"""Where an answer stands: its sentences with their labels, for the reflector and for nobody else."""

from __future__ import annotations

from pathlib import Path

import ace
from ace.context.answer_location import find_answer_lines, list_unmatched_words, locate_answer
from ace.llm import Request, Role, ScriptedClient
from ace.store import Store
from tests.world import reflect

FOUND = """- [shop/north.md:1-4] # North
  A bike may stand here for 8 days. The desk is P8.
  It opens at noon, and 8 people work there.
- [shop/south.md:1-2] A bike may stand here for 20 days."""


def test_sentences_nearest_the_question_come_first_and_bring_their_label() -> None:
    assert find_answer_lines(FOUND, "For how many days may a bike stand at the Loft?", "8") == (
        "[north.md] A bike may stand here for 8 days.",
        "[north.md] It opens at noon, and 8 people work there.",
    )
    assert find_answer_lines(FOUND, "Which desk?", "p8") == ("[north.md] The desk is P8.",)


def test_what_does_not_stand_there_is_not_found() -> None:
    for retrieved, question, answer in ((FOUND, "How long?", "480"), (FOUND, "?", ""), ("", "?", "8")):
        assert find_answer_lines(retrieved, question, answer) == ()


def test_names_that_nothing_has_are_told_apart() -> None:
    assert list_unmatched_words(FOUND, "For how many days may a bike stand at the Loft?") == ("loft",)
    assert list_unmatched_words(FOUND, "How many bikes with the brown token?") == (
        "bikes",
        "with",
        "brown",
        "token",
    )
    assert locate_answer(FOUND, "At the Loft?", "8 days").unsaid == ("loft",)


def test_the_reflector_is_told_and_learns_a_name_that_no_page_has(tmp_path: Path) -> None:
    """With labels it is; without them nothing that depends on the answer reaches it."""
    pages = {"north": "At North a bike may stand for 8 days.", "south": "At South it may stand for 20 days."}
    rows = [
        {"id": "one", "question": "For how many days may a bike stand at the Loft?", "answer": "8"},
        {"id": "two", "question": "For how many days may a bike stand at the Barn?", "answer": "20"},
    ]
    houses = {"Loft": "North", "Barn": "South"}

    def model(request: Request) -> str:
        system, user = request.messages[0].content, request.messages[-1].content
        if request.role is Role.CURATOR:
            return '{"operations": []}'
        name = min(houses, key=lambda each: user.find(f"the {each}?") % len(user))  # of the first question
        if "It stands in what was found" in user:
            assert f"[shelf 1] At {houses[name]}" in user or f"[shelf 2] At {houses[name]}" in user
            return reflect(request, f"The {name}: {houses[name]}.")
        if request.role is Role.REFLECTOR:
            return reflect(request, "Days: many.")
        told = f"The {name}: {houses[name]}." in system
        return "8" if told and name == "Loft" else "20" if told else "no idea"

    def shelf(question: str) -> list[str]:
        return list(pages.values())

    task = ace.define_task(
        "shop", rows, lambda sample, answer: answer == sample.data["answer"], sources=[shelf]
    )
    for feedback, right in (("labels", 2), ("execution", 0)):
        with Store.open(tmp_path / f"{feedback}.db") as store:
            client = ScriptedClient(model)
            ace.learn(task, store, client, feedback=feedback, replays=0)
            told = [
                call for call in client.calls if "It stands in what was found" in call.messages[-1].content
            ]
            assert (len(store.checkout().active), bool(told)) == (right, feedback == "labels")
