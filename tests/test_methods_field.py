"""Methods of others behind the same protocol: what each of them keeps, sees and asks, as its source says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.errors import InputError, ModelUnavailable
from ace.llm import Caps, RoleModels
from ace.llm.client import Request, Role
from ace.methods import Equipment
from ace.methods.published import build_published
from ace.playbook import Add, Playbook, Remove, apply
from ace.settings import Settings
from ace.store import Store
from ace.task import Outcome, Sample, Task
from ace.testing import World
from tests.test_formats_files import DATA, real
from tests.world import SECRET, colour_of, world

SHEETS = DATA / "dynamic-cheatsheet"
LEARNING = ("raw_episodes", "raw_episodes_nearest", "rewrite", "cheatsheet", "ace_published")
ASKING = ("chain_of_thought", "self_refine", "best_of_n")


def answers(request: Request) -> str:
    """What the generator says: what its prompt says of the colour, else a guess."""
    said = re.search(
        rf"{colour_of(request)} is (\d+)", request.messages[0].content + request.messages[1].content
    )
    return said[1] if said else "0"


def note(request: Request) -> str:
    """What a reflector or curator knows to say, from the label it is shown; nothing without one."""
    expected = request.feedback.expected if request.feedback else ""
    return f"{colour_of(request)} is {expected}" if expected else ""


def writes(request: Request) -> str:
    """A whole text: what it was before, with one more line."""
    text = "\n".join([*request.bullets, note(request) or "Numbers have five digits."])
    return f"<cheatsheet>{text}</cheatsheet>" if "<cheatsheet>" in request.messages[0].content else text


def student(**functions: Any) -> World:
    return World(
        answers, lambda request: note(request) or (), writer=functions.pop("writer", writes), **functions
    )


def hashes(store: Store) -> list[str]:
    return [version.hash for version in store.log()]


def asked(client: World, role: Role) -> list[Request]:
    return [request for request in client.requests if request.role is role]


def text_of(request: Request) -> str:
    return "\n".join(message.content for message in request.messages)


def test_raw_episodes_show_past_attempts_with_their_outcome(tmp_path: Path) -> None:
    client = student()
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, client, method="raw_episodes", batch_size=1, workers=1)
        contents = [bullet.content for bullet in store.checkout().active]
    assert len(contents) == 10 and set(client.calls) == {"generator"}
    for content in contents:
        assert re.fullmatch(r"Question: .*\nAttempt: .*0\nOutcome: wrong\n(.*\n)*Right answer: \d+", content)
    last = [request for request in client.requests if request.sample and request.sample.id == "test-red"][-1]
    assert set(last.bullets) == set(contents)


def test_raw_episodes_that_do_not_all_fit_are_the_newest(tmp_path: Path) -> None:
    client = student()
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, client, method="raw_episodes", batch_size=1, workers=1, budget=260)
        in_order = [bullet.content for bullet in sorted(store.checkout().active, key=lambda b: b.position)]
    shown = client.requests[-1].bullets
    assert 0 < len(shown) < 10 and list(shown) == in_order[-len(shown) :]


def test_nearest_episodes_are_about_the_question(tmp_path: Path) -> None:
    client = student()
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, client, method="raw_episodes_nearest", budget=400)
    last = client.requests[-10:]
    assert all(any(colour_of(request) in content for content in request.bullets) for request in last)


def test_episodes_without_labels_hold_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, student(), method="raw_episodes", feedback="none")
        contents = [bullet.content for bullet in store.checkout().active]
    assert contents and not any(number in content for content in contents for number in SECRET.values())
    assert not any("Outcome" in content for content in contents)


def test_rewriting_replaces_the_whole_playbook(tmp_path: Path) -> None:
    texts = iter([f"Rule {number}: colours have numbers." for number in range(8)] + ["Short."] * 9)
    client = student(writer=lambda request: next(texts))
    with Store.open(tmp_path / "p.db") as store:
        store.commit((Add("old", "lessons", "Learned before."),), author="me", reason="test")
        ace.learn(world(), store, client, method="rewrite", batch_size=1, workers=1)
        assert [bullet.content for bullet in store.checkout().active] == ["Short."]  # it has collapsed
        assert not store.checkout().bullets["old"].live and store.verify() == []
    rewrites = asked(client, Role.CURATOR)
    assert rewrites[0].bullets == ("Learned before.",) and rewrites[3].bullets == (
        "Rule 2: colours have numbers.",
    )
    assert "Outcome: wrong" in text_of(rewrites[0])


def test_rewriting_leaves_what_is_pinned(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        add = Add("rule", "lessons", "A person says so.")
        store.commit((add, ace.playbook.Pin("rule")), author="me", reason="test")
        ace.learn(world(), store, student(writer=lambda request: "New."), method="rewrite")
        assert {bullet.content for bullet in store.checkout().active} == {"A person says so.", "New."}


@pytest.mark.parametrize("method", ["cheatsheet", "cheatsheet_retrieval"])
@pytest.mark.parametrize("feedback", ["labels", "execution", "none"])
def test_no_cheatsheet_ever_sees_a_label(tmp_path: Path, method: str, feedback: str) -> None:
    client = student()
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, client, method=method, feedback=feedback)
        contents = " ".join(bullet.content for bullet in store.checkout().bullets.values())
    assert asked(client, Role.CURATOR)
    for request in client.requests:
        assert request.feedback is None and not any(number in text_of(request) for number in SECRET.values())
        assert not re.search(r"\bwrong\b|\bOutcome", text_of(request).partition("The latest task")[2])
    assert not any(number in contents for number in SECRET.values())


def test_a_cheatsheet_grows_from_answer_to_answer(tmp_path: Path) -> None:
    def adds(request: Request) -> str:
        return f"<cheatsheet>{''.join(request.bullets)}|{colour_of(request)}</cheatsheet>"

    client = student(writer=adds)
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client, method="cheatsheet", batch_size=4)
        (bullet,) = store.checkout().active
    assert sorted(bullet.content.strip("|").split("|")) == sorted(SECRET)
    assert client.calls["curator"] == 10 and report.versions == 3
    assert client.requests[-1].bullets == (bullet.content,)


def test_a_cheatsheet_without_its_marks_is_not_taken(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, student(writer=lambda request: "Sorry."), method="cheatsheet")
        assert store.checkout().active == ()


def test_retrieval_writes_a_sheet_for_each_question_from_the_nearest_answers(tmp_path: Path) -> None:
    def adds(request: Request) -> str:
        return f"<cheatsheet>For {colour_of(request)}.</cheatsheet>"

    client = student(writer=adds)
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, client, method="cheatsheet_retrieval", batch_size=2)
        sections = [bullet.section for bullet in store.checkout().active]
    assert sections.count("cheatsheet") == 1 and sections.count("answers") == 10
    assert client.calls["curator"] == client.calls["generator"] == 30  # before, training, after
    for request in asked(client, Role.GENERATOR)[-10:]:
        assert f"For {colour_of(request)}." in request.messages[-1].content
    for request in asked(client, Role.CURATOR)[-10:]:
        pairs = [content for content in request.bullets if content.startswith("Question: ")]
        assert len(pairs) == 3 and any(colour_of(request) in pair for pair in pairs)


def test_published_ace_shows_tags_and_counters_and_only_adds(tmp_path: Path) -> None:
    def cites(request: Request) -> str:
        tag = re.search(
            rf"\[(\w+-\d+)\] helpful=\d+ harmful=\d+ :: {colour_of(request)} is", request.messages[0].content
        )
        return f"{answers(request)}\nUsed: {tag[1] if tag else 'none'}"

    client = World(cites, lambda request: note(request) or ())
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client, method="ace_published", batch_size=1, workers=1)
        ace.learn(world(), store, client, method="ace_published", batch_size=1, workers=1)
        operations = [type(op) for v in range(1, store.head().number + 1) for op in store.operations(v)]
        bullets = store.checkout().active
    assert report.after and report.after.correct == 10
    assert Add in operations and Remove not in operations and all(bullet.live for bullet in bullets)
    assert any(bullet.helpful for bullet in bullets)
    last = client.requests[-1].messages[0].content
    assert re.search(r"^\[misc-00001\] helpful=\d harmful=0 :: \w+ is \d+$", last, re.MULTILINE)
    assert "tokens" in asked(client, Role.CURATOR)[0].messages[1].content  # its budget is mentioned


def test_published_ace_shows_the_oldest_bullets_that_there_is_room_for() -> None:
    method = build_published(RoleModels.of(World()), Settings(), Equipment())
    adds = [Add(f"b{n}", "others", f"Bullet {n:02d} says so.") for n in range(40)]
    playbook, _ = apply(Playbook(), adds)
    for room in (0, 3, 30, 150, 400, 10_000):
        shown = method.context(None, playbook, Sample("a", "?"), room)
        assert shown.tokens <= room and shown.bullets == tuple(f"b{n}" for n in range(len(shown.bullets)))
        assert len(shown.bullets) + len(shown.left_out) == 40
        if shown.left_out:
            more, _ = apply(Playbook(), adds[: len(shown.bullets) + 1])
            assert method.context(None, more, Sample("a", "?"), 10_000).tokens > room


def test_published_ace_reflects_three_times_and_attempts_again_with_the_reflection(tmp_path: Path) -> None:
    client = World(lambda request: "0", lambda request: note(request) or ())
    task = ace.define_task("one", [{"id": "a", "question": "What is red?", "answer": "1"}], "exact")
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(task, store, client, method="ace_published")
    assert dict(client.calls) == {"generator": 5, "reflector": 3, "curator": 1}
    again = asked(client, Role.GENERATOR)[1:4]
    assert all("## REFLECTION" in request.messages[0].content for request in again)
    assert "REFLECTION" not in asked(client, Role.GENERATOR)[4].messages[0].content  # the call after curation
    with Store.open(tmp_path / "p.db") as store:
        assert {bullet.section for bullet in store.checkout().active} == {"others"}


def test_thoughts_come_before_the_answer_and_are_no_part_of_it(tmp_path: Path) -> None:
    def thinks(request: Request) -> str:
        return (
            f"It is red, so {answers(request)}." if len(request.messages) == 2 else SECRET[colour_of(request)]
        )

    client = World(thinks)
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client, method="chain_of_thought")
        episode = store.episodes()[-1]
    assert report.after and report.after.correct == 10 and client.calls["generator"] == 40
    assert episode.attempt.reasoning.startswith("It is red") and episode.attempt.answer in SECRET.values()


def test_self_refine_goes_on_until_nothing_is_wrong(tmp_path: Path) -> None:
    def refines(request: Request) -> str:
        tries = sum(message.role == "assistant" for message in request.messages)
        return SECRET[colour_of(request)] if tries == 2 else f"guess {tries}"

    def criticises(request: Request) -> str:
        return "" if request.messages[2].content.isdecimal() else "That is no number."

    client = World(refines, criticism=criticises)
    with Store.open(tmp_path / "p.db") as store:
        report = ace.evaluate(world(), store, client, method="self_refine", answers=5)
        assert report.after and report.after.correct == 10 and client.calls["generator"] == 60
        report = ace.evaluate(world(), store, client, method="self_refine", answers=2)
        assert report.after and report.after.correct == 0
    assert any("That is no number." in text_of(request) for request in client.requests)


class Checked:
    """Says from the question alone whether an answer may be right."""

    def describe(self, sample: Sample) -> str:
        return ""

    def score(self, sample: Sample, attempt: Any) -> Outcome:
        return Outcome(score=float(attempt.answer == "7"), self_check=attempt.answer == "7", observed="seen")


def test_the_best_of_several_answers_has_most_votes(tmp_path: Path) -> None:
    said = {0: "first", 1: "Second", 2: "second "}
    client = World(lambda request: said.get((request.seed or 0) - seeds[request.sample.id], "other"))
    task = ace.define_task("votes", [{"id": "a", "question": "Which?", "answer": "Second"}], "exact")
    seeds: dict[str, int] = {}
    with Store.open(tmp_path / "p.db") as store:
        probe = World(lambda request: (seeds.setdefault(request.sample.id, request.seed or 0) and "x") or "x")
        ace.evaluate(task, store, probe, method="best_of_n", answers=1, split="train")
        report = ace.evaluate(task, store, client, method="best_of_n", answers=3, split="train")
    assert report.after and report.after.correct == 1 and client.calls["generator"] == 3
    assert [request.temperature for request in client.requests] == [0.0, 0.7, 0.7]


def test_a_check_of_the_environment_goes_before_votes_and_a_label_never_counts(tmp_path: Path) -> None:
    answers = iter(["1", "1", "7", "1"])
    with Store.open(tmp_path / "p.db") as store:
        task = Task("checked", "", Checked(), train=(Sample("a", "What?", {}),))
        report = ace.evaluate(
            task, store, World(lambda request: next(answers)), method="best_of_n", split="train"
        )
        assert report.after and report.after.correct == 1
        answers = iter(["1", "1", "7", "1"])  # the label says 7, and nothing else does
        task = ace.define_task("labels", [{"id": "a", "question": "What?", "answer": "7"}], "exact")
        report = ace.evaluate(
            task, store, World(lambda request: next(answers)), method="best_of_n", split="train"
        )
        assert report.after and report.after.correct == 0


def test_a_manner_of_asking_is_for_tasks_of_one_call(tmp_path: Path) -> None:
    task = ace.define_task(
        "own", [{"id": "a", "question": "?", "answer": "1"}], "exact", agent=lambda q, c: "1"
    )
    with Store.open(tmp_path / "p.db") as store:
        for method in ASKING:
            with pytest.raises(InputError, match="manner of its own"):
                ace.evaluate(task, store, World(), method=method, split="train")


@pytest.mark.parametrize("method", [*ASKING, "zero_shot"])
def test_methods_that_learn_nothing_take_no_calls_to_learn(tmp_path: Path, method: str) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, student(), method=method)
        assert report.learning_calls == 0 and report.versions == 0
        assert ace.online(world(), store, student(), method=method).after


@pytest.mark.parametrize("loop", ["learn", "online"])
@pytest.mark.parametrize("method", [*LEARNING, "cheatsheet_retrieval"])
def test_versions_do_not_depend_on_workers_nor_on_a_stop(tmp_path: Path, method: str, loop: str) -> None:
    run: Callable[..., Any] = getattr(ace, loop)
    settings = {"method": method, "batch_size": 3}
    with Store.open(tmp_path / "one.db") as store:
        expected = run(world(), store, student(), workers=1, **settings)
        versions = hashes(store)
        assert len(versions) > 1 and store.verify() == []
    with Store.open(tmp_path / "four.db") as store:
        run(world(), store, student(), workers=4, **settings)
        assert hashes(store) == versions
    with Store.open(tmp_path / "cut.db") as store:
        client, total = student(), sum(usage.calls for usage in expected.usage.values())
        assert run(world(), store, client, caps=Caps(calls=total * 2 // 3), workers=1, **settings).stopped
        report = run(world(), store, client, resume=True, workers=1, **settings)
        assert hashes(store) == versions and report.after == expected.after
        assert sum(client.calls.values()) == total


@pytest.mark.parametrize("method", ["rewrite", "cheatsheet", "cheatsheet_retrieval", "ace_published"])
def test_a_curator_that_fails_leaves_the_playbook_and_the_run_goes_on(tmp_path: Path, method: str) -> None:
    class Fails(World):
        def ask(self, request: Request) -> Any:
            if request.role is not Role.GENERATOR and request.sample and "red" in request.sample.question:
                raise ModelUnavailable("It is away.")
            return super().ask(request)

    with Store.open(tmp_path / "p.db") as store:
        client = Fails(answers, lambda request: note(request) or (), writer=writes)
        report = ace.learn(world(), store, client, method=method, batch_size=2)
        assert report.after and report.after.total == 10 and store.verify() == []


@real
@pytest.mark.parametrize("name", ["aime2020_2024_claude35_cumulative", "aime2024_gpt4o_cumulative"])
def test_recorded_sheets_are_kept_word_for_word_also_where_they_collapse(tmp_path: Path, name: str) -> None:
    lines = (SHEETS / f"{name}.jsonl").read_text("utf-8").splitlines()[:50]
    recorded = [json.loads(line)["cheatsheet"] for line in lines]
    rows = [{"id": str(n), "question": f"Question {n}?", "answer": "1"} for n in range(len(recorded))]
    sheets = iter(recorded)
    client = World(writer=lambda request: f"Here it is.\n<cheatsheet>\n{next(sheets)}\n</cheatsheet>")
    with Store.open(tmp_path / "p.db") as store:
        ace.online(ace.define_task("aime", rows, "exact"), store, client, method="cheatsheet", workers=1)
        versions = [store.checkout(version.number).active for version in reversed(store.log())][1:]
    kept = [bullet.content for (bullet,) in versions]
    assert kept == [sheet for sheet, _ in groupby(sheet.strip() for sheet in recorded)]
    sizes = [len(content) for content in kept]
    assert any(after < before * 0.9 for before, after in pairwise(sizes))
