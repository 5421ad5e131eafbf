"""Recipes from right calls: which kind is for which numbers, how values are written, when to call again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.task.environments.tools.recipes import choose_round, write_limit, write_recipes
from ace.task.environments.tools.value_lines import find_value_words, write_value_line
from ace.task.environments.tools.value_spans import Use, describe_form, find_spans
from ace.task.environments.tools.ways import Step, Way
from ace.task.workspace import ToolCall


def make_way(question: str, *calls: tuple[str, dict[str, Any], Any]) -> Way:
    steps = [
        Step(ToolCall(str(number), name, arguments), json.dumps(result))
        for number, (name, arguments, result) in enumerate(calls)
    ]
    return Way(question, tuple(steps))


def order(number: int, limit: int = 60, word: str = "crates") -> Way:
    """A task whose call takes a permit above a limit."""
    look_up = ("look_up", {"shop": f"Shop{number}"}, {"shop": f"K{number}"})
    permit = ("ask", {"shop": f"K{number}"}, {"permit": f"P{number}"})
    buy = ("buy", {"shop": f"K{number}", "size": f"{number}x"}, "ok")
    calls = (look_up, permit, buy) if number > limit else (look_up, buy)
    return make_way(f"Buy {number} {word} for Shop{number}.", *calls)


def uses(argument: str, *ways: Way) -> list[Use]:
    found = []
    for way in ways:
        calls = [step.call for step in way.steps if argument in step.call.arguments]
        found += [Use(way, call.arguments[argument]) for call in calls]
    return found


def test_a_limit_is_said_of_both_kinds_with_the_same_round_number() -> None:
    small, large = [order(12), order(48)], [order(75), order(90)]
    assert write_limit(small[0], [small[1], *large]) == "size is 50 or less"
    assert write_limit(large[0], [large[1], *small]) == "size is more than 50"


@pytest.mark.parametrize(
    "others",
    [
        [],
        [order(75)],  # one task on either side says nothing
        [order(12), order(75), order(13, limit=1)],  # a small one that takes a permit
        [order(12), make_way("Go.", ("go", {}, "")), make_way("Come.", ("come", {}, ""))],
    ],
)
def test_no_limit_is_said_where_numbers_do_not_part_two_kinds(others: list[Way]) -> None:
    assert write_limit(order(48), others) == ""


@pytest.mark.parametrize(
    ("low", "high", "number"),
    [(336, 631, 500), (140, 333, 200), (84, 130, 100), (12, 19, 15), (7, 8, 7), (500, 501, 500), (0, 1, 0)],
)
def test_the_roundest_number_between_two_is_taken(low: int, high: int, number: int) -> None:
    assert choose_round(low, high) == number


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_round_number_parts_what_it_is_for(low: int, more: int) -> None:
    assert low <= choose_round(low, low + more) < low + more


def test_two_kinds_that_a_number_parts_are_taught_together_the_shorter_first() -> None:
    ways = [order(12), order(48), order(75), order(90)]
    (lessons,) = write_recipes(ways[2], [*ways[:2], ways[3]])
    texts = [lesson.text for lesson in lessons]
    assert texts[0].startswith("Buy … crates for …, where size is 50 or less: look_up(shop), then buy(")
    assert texts[1].startswith("Buy … crates for …, where size is more than 50: look_up(shop), then ask(")
    (same,) = write_recipes(ways[0], ways[1:])
    assert same == lessons
    assert write_recipes(ways[0], ways[1:], texts) == ()


def test_a_known_recipe_without_its_limit_gets_one() -> None:
    ways = [order(12), order(48), order(75), order(90)]
    ((known, *_),) = write_recipes(ways[0], [ways[1]])
    assert "where" not in known.text
    (lessons,) = write_recipes(ways[2], [*ways[:2], ways[3]], [known.text])
    assert [lesson.replaces == known.text for lesson in lessons[:2]] == [True, False]


def test_a_value_line_shows_the_ends_and_the_word_after_a_number() -> None:
    ways = [order(number, limit=100) for number in (33, 8, 47, 95, 21)]
    line = write_value_line("size", uses("size", *ways), ways)
    assert line.startswith('the number, then "x"; size="8x" for 8 crates, size="95x" for 95 crates, ')
    assert line.count(" for ") == 3


def visit(month: str, day: int, hour: int, form: str) -> Way:
    value = form.format(day=day, name=month[:3].upper())
    calls = ("plan", {"on": value, "hour": f"{hour}u20"}, "ok")
    return make_way(f"Plan a visit on {month} {day} at {hour}.", calls)


VISITS = [("March", 6, 9), ("June", 27, 12), ("October", 3, 20), ("May", 11, 8), ("January", 30, 17)]


@pytest.mark.parametrize("form", ["{day:02}/{name}", "{name}{day}"])
def test_dates_are_shown_from_several_months_with_their_form(form: str) -> None:
    ways = [visit(*each, form) for each in VISITS]
    line = write_value_line("on", uses("on", *ways), ways)
    assert "first 3 capital letters of the word" in line and "for January 30" in line
    assert all(month in line for month in ("March", "June", "October", "May"))
    assert find_value_words("on", uses("on", *ways), ways) == {month.casefold() for month, _, _ in VISITS}


def test_what_all_values_have_and_a_number_that_comes_twice_say_nothing() -> None:
    ways = [visit("March", 20, 9, "{day}"), visit("June", 14, 14, "{day}"), visit("May", 5, 17, "{day}")]
    spans = find_spans(uses("hour", *ways), ways)
    assert spans == ["9", "", "17"]
    assert describe_form(uses("hour", *ways)) == 'the number, then "u20"'


@pytest.mark.parametrize(
    ("question", "value", "span"),
    [
        ("Move it from 9 October to 2 October at 8.", "02OCT", "2 October"),  # the word nearest to the number
        ("Move it from October 2 to October 9 at 8.", "09OCT", "October 9"),
        ("Plan it at 8 on 8 May.", "08MAY", "8 May"),
    ],
)
def test_a_word_that_comes_twice_is_the_one_beside_the_rest(question: str, value: str, span: str) -> None:
    ways = [make_way(question, ("plan", {"on": value}, "")), visit("June", 27, 12, "{day:02}{name}")]
    assert find_spans(uses("on", *ways), ways) == [span, "June 27"]


def test_a_code_may_belong_to_a_word_that_is_a_value_of_another_call() -> None:
    shelves = {"cup": "K4", "jug": "R2"}
    ways = []
    for number, thing in enumerate(("cup", "jug", "cup", "jug", "jug")):
        box = f"Box{number}"
        scan = ("scan", {"box": box, "thing": thing}, {"id": f"T{number}"})
        put = ("put", {"id": f"T{number}", "shelf": shelves[thing]}, "ok")
        ways.append(make_way(f"Put the {thing} of {box} away.", scan, put))
    line = write_value_line("shelf", uses("shelf", *ways), ways)
    assert line == 'shelf="K4" for cup; shelf="R2" for jug'


def test_values_without_a_form_in_common_have_no_rule() -> None:
    ways = [
        make_way("Pay 3 now.", ("pay", {"sum": "x9"}, "")),
        make_way("Pay 4 now.", ("pay", {"sum": "y"}, "")),
    ]
    assert describe_form(uses("sum", *ways)) == describe_form([]) == ""


def test_when_to_call_again_names_what_is_looked_for() -> None:
    def put(thing: str, box: str, pages: int) -> Way:
        rows = [{"id": f"{box}-{page}", "thing": thing if page == pages else "other"} for page in (1, 2)]
        listed = [
            ("scan", {"box": box, "page": f"p{page}"}, [rows[page - 1]]) for page in range(1, pages + 1)
        ]
        return make_way(f"Put the {thing} of {box} away.", *listed, ("put", {"id": f"{box}-{pages}"}, "ok"))

    ways = [put("cup", "north", 2), put("jug", "south", 1)]
    ((recipe, *_),) = write_recipes(ways[1], ways[:1])
    assert recipe.text == (
        'Put the … of … away: scan(box, page="p1"), then put(id=the id that scan shows for the thing), '
        'then done. While the thing is not shown, call scan again with page="p2".'
    )
