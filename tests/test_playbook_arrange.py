"""Positions of bullets that were read from a file: they move no further than the order asks."""

from __future__ import annotations

from ace.playbook import Add, Bullet, Move, Playbook, apply, bullet_id, diff
from ace.playbook.arrange import arrange_bullets, derive_fresh_id

BASE, _ = apply(Playbook(), [Add(key, "S", key) for key in "abcd"])


def lines(ids: str) -> list[Bullet]:
    return [Bullet(key, "S", key) for key in ids]


def places(ids: str) -> dict[str, int]:
    return {bullet.id: bullet.position for bullet in arrange_bullets(lines(ids), BASE)}


def test_without_a_base_the_order_of_the_lines_counts() -> None:
    playbook = arrange_bullets([*lines("ba"), Bullet("t", "T", "t")])
    assert [(b.id, b.position) for b in playbook] == [("b", 0), ("a", 1), ("t", 2)]
    assert (playbook.section_names, playbook.next_position) == (("S", "T"), 3)


def test_a_line_at_the_end_goes_behind_everything_that_ever_was() -> None:
    assert places("abcdx") == {"a": 0, "b": 1, "c": 2, "d": 3, "x": 4}
    assert places("abx") == {"a": 0, "b": 1, "x": 4}  # c and d may come back
    assert arrange_bullets(lines("abx"), BASE).next_position == 5


def test_a_line_between_two_pushes_only_those_it_has_to() -> None:
    assert places("abxcd") == {"a": 0, "b": 1, "x": 2, "c": 3, "d": 3}  # of two in one place the id decides
    assert places("acxd") == {"a": 0, "c": 2, "x": 3, "d": 4}
    assert places("aBcd") == {"a": 0, "B": 1, "c": 2, "d": 3}
    assert arrange_bullets(lines("abxcd"), BASE).next_position == 4
    assert arrange_bullets(lines("abcxyd"), BASE).next_position == 6


def test_lines_that_are_not_at_the_end_leave_the_next_position_as_it_is() -> None:
    assert arrange_bullets(lines("aBcd"), BASE).next_position == 4
    assert arrange_bullets([], BASE).next_position == 4
    assert arrange_bullets([], BASE).section_names == ("S",)


def test_what_comes_after_reading_is_appended() -> None:
    more, _ = apply(arrange_bullets(lines("abxcd"), BASE), [Add("last", "S", "last")])
    assert [bullet.id for bullet in more] == [*"abxcd", "last"]


def test_a_line_moved_to_the_end_is_one_move() -> None:
    assert diff(BASE, arrange_bullets(lines("bcda"), BASE)) == (Move("a", "S"),)


def test_equal_lines_get_ids_of_their_own_that_never_change() -> None:
    taken: set[str] = set()
    for salt in ("", "2", "3"):
        key = derive_fresh_id("S", "twice", taken)
        assert key == bullet_id("S", "twice", salt)
        taken.add(key)
