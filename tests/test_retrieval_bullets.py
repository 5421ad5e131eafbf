"""Choosing bullets when not all of them fit: the core is the same for all questions, the rest is not."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ace
from ace.context import Limit, assemble
from ace.llm import Embedder, Request, ScriptedClient, connect_embedder
from ace.playbook import Add, Pin, Playbook, Quarantine, Remove, Vote, apply
from ace.retrieval.bullet_index import BulletIndex
from ace.retrieval.bullets import CORE_SHARE, HybridSelector
from ace.retrieval.ranking import rate_worth
from ace.retrieval.vector_cache import VectorCache
from ace.store import Store, vector_rows
from ace.text import estimate_tokens
from tests.strategies import playbooks, texts
from tests.test_context_assemble import frame

WORDS = ("cancelled", "packed", "returned", "lost", "shipped", "refunded", "delayed", "new")
CODES = dict(zip(WORDS, (7, 4, 9, 2, 5, 8, 6, 1), strict=True))
LINES = [f"{word.capitalize()} orders: ord.st = {code}." for word, code in CODES.items()]
OTHERS = [
    "Amounts are in cents: divide by 100.",
    "Customers are joined by cust.ref.",
    "Dates are days since 1970.",
]


def make_playbook(*extra: Any) -> Playbook:
    adds = [Add(f"c-{n}", "Codes", line) for n, line in enumerate(LINES)]
    adds += [Add(f"o-{n}", "Other", line) for n, line in enumerate(OTHERS)]
    playbook, rejected = apply(Playbook(), [*adds, *extra])
    assert not rejected
    return playbook


@pytest.fixture(scope="module")
def hybrid() -> HybridSelector:
    return HybridSelector(connect_embedder())


ROOM = 90  # tokens: half of it holds three bullets


def select_ids(
    hybrid: HybridSelector, playbook: Playbook, question: str, room: int = ROOM
) -> tuple[set[str], set[str]]:
    rendered = hybrid(playbook, question, room, estimate_tokens)
    return set(rendered.bullets), {item.source for item in rendered.specific}


def test_the_core_is_for_all_and_the_rest_for_the_question(hybrid: HybridSelector) -> None:
    playbook = make_playbook(Pin("o-2"))
    cores = set()
    for word, name in {"new": "c-7", "delayed": "c-6", "refunded": "c-5", "shipped": "c-4"}.items():
        rendered = hybrid(playbook, f"How many {word} orders were there?", ROOM, estimate_tokens)
        cores.add(rendered.text)
        assert name in {item.source for item in rendered.specific}
        assert "o-2" in rendered.bullets
    assert len(cores) == 1


def test_words_are_found_and_so_is_meaning(hybrid: HybridSelector) -> None:
    playbook = make_playbook()
    assert hybrid.search(playbook, "orders that were cancelled", 1) == ["c-0"]
    assert hybrid.search(playbook, "how do I convert to dollars?", 1) == ["o-0"]  # no word in common
    assert BulletIndex(playbook.active).search("how do I convert to dollars?") == []
    assert hybrid.search(Playbook(), "anything", 9) == []


def test_what_helped_for_sure_is_in_the_core_and_what_did_harm_is_not(hybrid: HybridSelector) -> None:
    voted = make_playbook(*[Vote("c-7", helpful=1)] * 9)
    assert "c-7" not in select_ids(hybrid, make_playbook(), "cents")[0]
    assert "c-7" in select_ids(hybrid, voted, "cents")[0]
    assert "c-0" not in select_ids(hybrid, make_playbook(*[Vote("c-0", harmful=1)] * 9), "cents")[0]


def test_one_vote_does_not_change_the_core(hybrid: HybridSelector) -> None:
    before = hybrid(make_playbook(), "cents", ROOM, estimate_tokens)
    for vote in (Vote("c-7", helpful=1), Vote("c-0", harmful=1)):
        assert hybrid(make_playbook(vote), "cents", ROOM, estimate_tokens).text == before.text


def test_lines_that_differ_in_a_code_are_not_taken_for_the_same(hybrid: HybridSelector) -> None:
    twins = [Add("x-1", "Queues", "Go to queue R7 with it."), Add("x-2", "Queues", "Go to queue R9 with it.")]
    same = [
        Add("y-1", "Queues", "Go to the queue with it."),
        Add("y-2", "Queues", "Go to that queue with it."),
    ]
    playbook, _ = apply(Playbook(), twins + same)
    order = hybrid.search(playbook, "Which queue R7 or R9 do I go to with it?", 2)
    assert set(order) == {"x-1", "x-2"}


def test_what_is_quarantined_or_removed_is_not_found(hybrid: HybridSelector) -> None:
    playbook = make_playbook(Quarantine("c-7", "unproven"), Remove("c-6"))
    rendered = hybrid(playbook, "new or delayed orders", ROOM, estimate_tokens)
    ids = {
        *rendered.bullets,
        *(i.source for i in rendered.specific),
        *(item.source for item in rendered.left_out),
    }
    assert ids == {b.id for b in playbook.active}


@given(playbooks(), texts(), st.integers(0, 300), st.booleans())
def test_all_is_within_the_room_and_nothing_is_lost(
    playbook: Playbook, question: str, room: int, ids: bool
) -> None:
    hybrid = HybridSelector(connect_embedder())
    rendered = hybrid(playbook, question, room, estimate_tokens, ids=ids)
    assert rendered.tokens <= room * CORE_SHARE
    assert rendered.tokens + sum(item.tokens for item in rendered.specific) <= room
    names = [
        *rendered.bullets,
        *(i.source for i in rendered.specific),
        *(item.source for item in rendered.left_out),
    ]
    assert sorted(names) == sorted(bullet.id for bullet in playbook.active)
    assert rendered == hybrid(playbook, question, room, estimate_tokens, ids=ids)
    places = [(playbook.bullets[i.source].position, i.source) for i in rendered.specific]
    assert places == sorted(places)


def test_a_bullet_for_one_question_can_be_cited(hybrid: HybridSelector) -> None:
    names = [f"codes-{n:08x}" for n in range(len(LINES))]
    playbook, _ = apply(Playbook(), [Add(n, "Codes", line) for n, line in zip(names, LINES, strict=True)])
    fill = partial(hybrid, playbook, "How many new orders?", count=estimate_tokens, ids=True)
    assembled = assemble(frame(), fill, (), Limit(240))
    assert assembled.items and len(assembled.bullets) + len(assembled.items) < len(names)
    assert all(f"[{item.label}]" in assembled.shown for item in assembled.items)


def test_worth_comes_in_quarters() -> None:
    bullet = make_playbook().bullets["c-0"]
    assert {rate_worth(replace(bullet, helpful=n)) for n in range(200)} == {0, 0.25, 0.5, 0.75}
    assert [rate_worth(replace(bullet, harmful=n)) for n in (0, 1, 2, 9)] == [0, 0, 0, -0.25]


class Counting:
    """The packaged embedder, under any name, that counts what it is asked for."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, 0
        self._inner: Embedder = connect_embedder()

    def __call__(self, texts: Sequence[str]) -> Any:
        self.asked += len(texts)
        return self._inner(texts)


def test_vectors_are_kept_and_made_again_for_another_embedder(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    with Store.open(path) as store:
        store.commit((Add("a", "notes", "a cat"),), author="user", reason="r")
    first = Counting("one")
    cache = VectorCache(path, first)
    vectors = cache(["a cat", "a dog", "a cat"])
    assert vectors.shape == (3, 256) and first.asked == 2
    assert cache.keep(["a cat", "never computed"]) == 1 and cache.keep(["a cat"]) == 0
    again = Counting("one")
    assert (VectorCache(path, again)(["a cat"]) == vectors[:1]).all() and again.asked == 0
    second = Counting("two")
    other_cache = VectorCache(path, second)
    other_cache(["a cat"])
    assert second.asked == 1 and other_cache.keep(["a cat"]) == 1
    with Store.open(path) as store:
        assert store.verify() == []


PLANTED = {
    "another vector": "UPDATE vectors SET vector = zeroblob(length(vector))",
    "that of another text": "UPDATE vectors SET text = 'HASH'",
    "another checksum": "UPDATE vectors SET checksum = substr('x' || checksum, 1, 16)",
    "a new row": "DELETE FROM vectors; INSERT INTO vectors VALUES ('HASH', 'one', zeroblob(1024), 'abc')",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_vector_that_somebody_planted_is_named_and_not_used(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.db"
    with Store.open(path) as store:
        store.commit((Add("a", "notes", "a cat"), Add("b", "notes", "a dog")), author="user", reason="r")
    cache = VectorCache(path, Counting("one"))
    right = cache(["a cat", "a dog"])
    cache.keep(["a cat"])
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(PLANTED[kind].replace("HASH", vector_rows.hash_text("a dog")))
    again = Counting("one")
    with Store.open(path) as store:
        (problem,) = store.verify()
        assert str(problem).endswith("of one is not what was written.")
        renewed = VectorCache(path, again)
        assert (renewed(["a cat", "a dog"]) == right).all() and again.asked == 2
        assert renewed.keep(["a cat", "a dog"]) == 2
    with Store.open(path) as store:
        assert [str(problem) for problem in store.verify()] == []


def test_a_vector_of_a_text_that_no_bullet_ever_had_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    Store.open(path).close()
    cache = VectorCache(path, Counting("one"))
    cache(["a cat"])
    cache.keep(["a cat"])
    with Store.open(path) as store:
        (problem,) = store.verify()
        assert str(problem).endswith("of one is of a text that no bullet ever had.")


def test_a_run_keeps_the_vectors_of_its_playbook(tmp_path: Path) -> None:
    rows = [{"id": str(n), "question": f"How many {w} orders?", "answer": str(c)} for n, (w, c) in
            enumerate(CODES.items())]  # fmt: skip
    prompts: list[str] = []

    def reply(request: Request) -> str:
        prompts.append(request.messages[0].content)
        word = request.messages[-1].content.split()[-2]
        lines = [line for message in request.messages for line in message.content.splitlines()]
        line = next((line for line in lines if line.lower().startswith(f"- {word}")), "")
        return line.split()[-1].rstrip(".") if line else "?"

    task = ace.define_task("orders", rows, lambda sample, answer: answer == sample.data["answer"])
    with Store.open(tmp_path / "p.db") as store:
        store.commit([Add(f"o-{n}", "Other", f"{line} " * 3) for n, line in enumerate(OTHERS)],
                     author="human", reason="test")  # fmt: skip
        store.commit(
            [Add(f"c-{n}", "Codes", line) for n, line in enumerate(LINES)], author="human", reason="t"
        )
        report = ace.evaluate(task, store, ScriptedClient(reply), split="train", budget=160)
        oldest = ace.evaluate(task, store, ScriptedClient(reply), split="train", budget=160, select="oldest")
    assert report.after is not None and oldest.after is not None
    assert report.after.correct == len(rows) > oldest.after.correct
    assert len(set(prompts[: len(rows)])) == 1  # one prefix for all questions
    path = tmp_path / "p.db"
    idle = Counting("wordllama")
    VectorCache(path, idle)(LINES)
    assert idle.asked == 0


def test_a_server_forgets_the_vectors_of_its_questions(tmp_path: Path) -> None:
    task = ace.define_task("t", [{"id": "1", "question": "q"}], lambda *_: True)
    adds = [Add(f"o-{n}", "Other", f"{line} " * 3) for n, line in enumerate([*OTHERS, *LINES])]
    with Store.open(tmp_path / "p.db") as store:
        store.commit(adds, author="human", reason="more than fits")
        with ace.serve(task, store, ScriptedClient(lambda _: "x"), budget=160, drift=False) as agent:
            for number in range(5):
                agent.answer(f"How many new orders on day {number}?")
                assert agent._contexts.vectors and not agent._contexts.vectors.pending


def test_an_unknown_selection_is_refused(tmp_path: Path) -> None:
    task = ace.define_task("t", [{"id": "1", "question": "q"}], lambda *_: True)
    refused = pytest.raises(ace.AceError, match=r"select is 'best'\. Use hybrid or oldest\.")
    with Store.open(tmp_path / "p.db") as store, refused:
        ace.evaluate(task, store, ScriptedClient(["x"]), split="train", select="best")
