"""Cutting documents: nothing is lost or said twice, sizes hold, lines are those of the file."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.retrieval.documents.chunks import LONGEST_TITLE, MOST, Chunk, Line, split_into_chunks
from ace.text.tokens import estimate_tokens

PARAGRAPH = "Bring the bike back before the shutters go down, and tell us what broke on the way. " * 3


def cut(text: str, *, most: int = MOST) -> tuple[Chunk, ...]:
    return split_into_chunks(list(enumerate(text.split("\n"), start=1)), markdown=True, most=most)


def test_a_small_document_is_one_chunk_with_its_lines() -> None:
    assert cut("# Returns\n\nBring it back.\n") == (Chunk("# Returns\nBring it back.", "", 1, 3),)


def test_a_heading_begins_a_chunk_and_knows_what_it_stands_under() -> None:
    long = "\n\n".join([PARAGRAPH] * 3)
    chunks = cut(f"# Returns\n\n{long}\n\n## Late bikes\n\n{long}\n\n### Fees\n\n{long}\n")
    assert [chunk.text.partition("\n")[0] for chunk in chunks] == ["# Returns", "## Late bikes", "### Fees"]
    assert [chunk.heading for chunk in chunks] == ["", "Returns", "Returns > Late bikes"]
    assert chunks[1].full_text.startswith("Returns\n## Late bikes")


def test_a_long_heading_is_whole_once_and_cut_where_it_stands_above() -> None:
    title = " ".join(f"word{n}" for n in range(2000))
    chunks = cut(f"# {title}\n\n{PARAGRAPH}\n\n## Fees\n\n{PARAGRAPH}")
    assert " ".join(chunk.text for chunk in chunks).split()[1:2001] == title.split()
    assert 100 < max(len(chunk.heading) for chunk in chunks) <= LONGEST_TITLE
    assert title.startswith(chunks[-1].heading)
    assert all(estimate_tokens(chunk.full_text) < 2 * MOST for chunk in chunks)


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# Fees", "Fees"),
        ("#\tFees ## ", "Fees"),
        ("## a # b #", "a # b"),
        ("# Fees for C#", "Fees for C"),
        ("#  ##", ""),
        ("#Fees", None),
        ("####### Fees", None),
    ],
)
def test_what_a_heading_is_and_its_title(line: str, title: str | None) -> None:
    (*_, last) = cut(f"{line}\n\n{PARAGRAPH}\n\n{PARAGRAPH}", most=estimate_tokens(PARAGRAPH) + 1)
    assert last.heading == (title or "")
    assert cut(line)[0].text == line


@pytest.mark.parametrize("start", ["# a", "| a | b |\n", "| a | b |\n|", "| a | b |\n" + "-" * 200_000])
def test_a_line_of_blanks_takes_no_time(start: str) -> None:
    chunks = cut(
        f"{start}{' ' * 2_000_000}b\nmore\nand more"
    )  # a second search for each blank would take hours
    assert chunks[0].text.startswith(start.split("\n")[0]) and chunks[-1].text.endswith("b\nmore\nand more")


def test_a_heading_is_not_left_at_the_end_of_what_comes_before() -> None:
    chunks = cut(f"{PARAGRAPH}\n\n## Fees\n\n{PARAGRAPH}", most=estimate_tokens(PARAGRAPH) + 12)
    assert [chunk.text.startswith("## Fees") for chunk in chunks] == [False, True]


def test_what_stands_in_a_fence_is_no_heading() -> None:
    (chunk,) = cut("```\n# a comment\n\nls\n```\n\ntext")
    assert (chunk.heading, chunk.first, chunk.last) == ("", 1, 7)
    assert "# a comment" in chunk.text


def test_a_long_table_is_cut_between_rows_and_keeps_its_head() -> None:
    rows = "\n".join(f"| part {n} | {n} euros |" for n in range(60))
    chunks = cut(f"| part | price |\n| --- | --- |\n{rows}", most=150)
    assert len(chunks) > 2
    assert all(chunk.text.startswith("| part | price |\n| --- | --- |\n") for chunk in chunks)
    assert all(first.last + 1 == second.first for first, second in pairwise(chunks))


def test_one_endless_line_is_cut_between_words() -> None:
    chunks = cut(" ".join(f"word{n}" for n in range(900)))
    assert {(chunk.first, chunk.last) for chunk in chunks} == {(1, 1)}
    assert " ".join(chunk.text for chunk in chunks).split() == [f"word{n}" for n in range(900)]


WORDS = st.sampled_from(
    ["bike", "fee 3.50", "## Fees", "# Top", "", "", "- item", "x" * 300, "```", "日本語のテキスト"]
)


@given(st.lists(st.lists(WORDS, max_size=30).map(" ".join) | WORDS, max_size=40), st.integers(40, 400))
def test_every_line_is_in_one_chunk_in_order_and_none_is_too_long(lines: list[str], most: int) -> None:
    chunks = cut("\n".join(lines), most=most)
    joined = "".join("".join(chunk.text.split()) for chunk in chunks)
    assert joined == "".join("".join(line.split()) for line in lines)
    assert all(estimate_tokens(chunk.text) <= most + 40 for chunk in chunks)  # line ends between blocks
    for first, second in pairwise(chunks):
        assert first.first <= first.last <= second.first


@given(st.lists(st.text(max_size=200), max_size=20))
def test_any_text_can_be_cut(lines: list[str]) -> None:
    numbered: list[Line] = list(enumerate(lines, start=1))
    for markdown in (True, False):
        for chunk in split_into_chunks(numbered, markdown=markdown):
            assert 1 <= chunk.first <= chunk.last <= len(lines)
