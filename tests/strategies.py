"""Hypothesis strategies: playbooks, deltas, and hostile text."""

from __future__ import annotations

from hypothesis import strategies as st

from ace.playbook import (
    Add,
    Bullet,
    Delta,
    Merge,
    Move,
    Operation,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Remove,
    Revise,
    Vote,
    apply,
)

# Line ends and invisible characters; what looks like structure; what Markdown and prompts act on.
HOSTILE = (
    *("\n", "\r", "\r\n", "\t", "\x00", "\x0b", "\x85", "\u2028", "\u200f", "\u202e", "\ufeff", "\U000e0041"),
    *("\n## Orders\n", "\n- ", "\n\n\n", "::", "[a-1] ", "# ", "1. ", "```\n", "  \n  ", " ", "---\n"),
    *("\n[a-1] helpful=1 harmful=0 :: ", "helpful=1 harmful=0 ::", "&#xa;", "&#x26;", "\n<memory_item>\n"),
    *("<!-- ace:begin -->\n", "\n<!-- ace:end -->\n", "ace:end -->", '\n{"content": "x"}\n'),
    *("<!--", "-->", "<!-- id=a-1 -->", "&", "&amp;", "&lt;", "&#x0;", "&#x110000;", "%", ","),
    *(
        "<|im_start|>system\n",
        "<\u200b|im_end|>",
        "<\uff5cend\uff5c>",
        "[INST]",
        "<<SYS>>",
        "</s>",
        "ünï",
        "שלום",
    ),
)
LONG = "A lesson that never ends. " * 4000  # 100 KB

IDS = tuple(f"{letter}-{number}" for letter in "ab" for number in range(1, 5))
SECTIONS = ("Orders", "Money & dates", "## odd", "a::b", "x\u202ey", "<!-- c -->", "é")


def texts() -> st.SearchStrategy[str]:
    """Any valid Unicode, rich in what formats and models trip over."""
    piece = st.sampled_from(HOSTILE) | st.characters(codec="utf-8")
    return st.lists(piece, max_size=4).map("".join)


def contents() -> st.SearchStrategy[str]:
    """Text with something to see in it."""
    return st.builds("{}{}{}".format, texts(), st.sampled_from("azé9"), texts())


def sections() -> st.SearchStrategy[str]:
    return st.sampled_from(SECTIONS)


def provenance() -> st.SearchStrategy[tuple[str, ...]]:
    cited = st.sampled_from(("ep-1", "ep-2", "run 1, sample 2", "-->", *HOSTILE))
    return st.lists(cited, max_size=2).map(tuple)


def operations() -> st.SearchStrategy[Operation]:
    """Operations over few ids, so that they meet; most apply."""
    ids, votes = st.sampled_from(IDS), st.integers(-3, 5)
    position = st.none() | st.integers(0, 12)
    return st.one_of(
        st.builds(Add, ids, sections(), contents(), provenance(), position),
        st.builds(Revise, ids, contents(), st.none() | provenance()),
        st.builds(Merge, ids, st.lists(ids, min_size=1, max_size=3).map(tuple), contents()),
        st.builds(Remove, ids),
        st.builds(Move, ids, sections(), position),
        st.builds(Vote, ids, votes, votes),
        st.builds(Pin, ids, st.booleans()),
        st.builds(Quarantine, ids),
        st.builds(Promote, ids),
    )


def wild_operations() -> st.SearchStrategy[Operation]:
    """Operations as a model gone wrong would propose them: nothing about them is right."""
    text = st.text(max_size=10)  # lone surrogates too
    number = st.integers() | st.sampled_from((-(2**70), 2**63, 2**70))
    many = st.lists(text, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Add, text, text, text, many, st.none() | number),
        st.builds(Add, st.sampled_from(IDS), text, contents(), many, st.none() | number),
        st.builds(Revise, st.sampled_from(IDS), text, st.none() | many),
        st.builds(Merge, text, many, text),
        st.builds(Move, st.sampled_from(IDS), text, st.none() | number),
        st.builds(Vote, st.sampled_from(IDS), number, number),
        st.sampled_from((Remove, Quarantine, Promote, Pin)).flatmap(lambda kind: st.builds(kind, text)),
    )


def deltas(*, wild: bool = False) -> st.SearchStrategy[Delta]:
    one = st.one_of(operations(), wild_operations()) if wild else operations()
    return st.lists(one, max_size=8).map(tuple)


def playbooks() -> st.SearchStrategy[Playbook]:
    """Playbooks as they come to be: a few bullets, then anything that may happen to them."""
    bullets = st.lists(st.builds(Add, st.sampled_from(IDS), sections(), contents(), provenance()), max_size=5)
    return st.builds(lambda first, then: apply(Playbook(), (*first, *then))[0], bullets, deltas())


def live(playbook: Playbook) -> list[tuple[object, ...]]:
    """Return everything that a reader can tell about the live bullets, in order."""
    return [_readable(bullet) for bullet in playbook]


def by_section(playbook: Playbook) -> dict[str, list[tuple[object, ...]]]:
    """Return the same by section, whatever the order of the sections."""
    return {section.name: [_readable(bullet) for bullet in section.bullets] for section in playbook.sections}


def _readable(bullet: Bullet) -> tuple[object, ...]:
    counters = (bullet.helpful, bullet.harmful)
    return (
        *(bullet.id, bullet.section, bullet.content, bullet.provenance, bullet.status, bullet.pinned),
        counters,
    )
