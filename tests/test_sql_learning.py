"""Learning on SQL with a small model: words that samples share, and samples as examples where words fail."""

from __future__ import annotations

from pathlib import Path

import ace
from ace.llm import Request
from ace.playbook import Status
from ace.runs.records import Reason
from ace.store import Store
from ace.task import Database, Sample, SqlEnvironment, Task
from ace.testing import World
from tests import orders

ASKED = ("How many orders were {}?", "Count the {} orders.", "Give the number of orders that are {}.")
OPTIONS = {"profile": "small", "measure": False, "workers": 1, "tries": 1}


def twice(folder: Path) -> Task:
    """Ask for each status in several wordings."""
    orders.orders(folder)  # makes the file
    rows = [
        Sample(
            f"{name}-{place}", words.format(name), {"gold_sql": f"SELECT COUNT(*) FROM ord WHERE st = {code}"}
        )
        for place, words in enumerate(ASKED)
        for name, code in orders.STATUS.items()
    ]
    environment = SqlEnvironment({"orders": Database.open(folder / "orders.sqlite")})
    return Task("orders", "Answer with SQL.", environment, tuple(rows))


def count_by_example(request: Request) -> str:
    """Understand whole questions with their answers, and no lines about single words."""
    status = orders.status_of(request)
    for bullet in request.bullets:
        if status in bullet and " -> " in bullet:
            return bullet.partition(" -> ")[2]
    return "SELECT 0"


def test_a_sample_that_comes_back_may_be_an_example(tmp_path: Path) -> None:
    client = World(count_by_example, lambda request: "Something or other")
    with Store.open(tmp_path / "run.db") as store:
        ace.learn(twice(tmp_path), store, client, **OPTIONS)
        shown = [bullet.content for bullet in store.checkout() if bullet.status is Status.ACTIVE]
    assert len(shown) == len(orders.STATUS)  # one each: the others are right with it
    assert all(" -> SELECT COUNT(*) FROM ord WHERE st = " in content for content in shown)


def count_by_line(request: Request) -> str:
    """Understand lines about single words, whatever else stands before the colon."""
    for bullet in request.bullets:
        words, _, meaning = bullet.partition(":")
        if orders.status_of(request) in words.lower():
            return f"SELECT COUNT(*) FROM ord WHERE {meaning.strip(' .')}"
    return "SELECT 0"


def test_words_that_samples_share_need_no_model(tmp_path: Path) -> None:
    client = World(count_by_line, lambda request: "Something or other")  # the model never finds the words
    with Store.open(tmp_path / "run.db") as store:
        ace.learn(twice(tmp_path), store, client, **OPTIONS)
        shown = [bullet.content for bullet in store.checkout() if bullet.status is Status.ACTIVE]
    codes = {f"{name.capitalize()}: ord.st = {code}." for name, code in orders.STATUS.items()}
    assert codes <= set(shown)


def count_by_any_line(request: Request) -> str:
    """Understand lines about a status, and the last one about everything where there is none."""
    lines = [bullet.partition(":") for bullet in request.bullets]
    fitting = [meaning for words, _, meaning in lines if orders.status_of(request) in words.lower()]
    fitting = fitting or [meaning for words, _, meaning in lines if "everything" in words.lower()]
    return f"SELECT COUNT(*) FROM ord WHERE {fitting[-1].strip(' .')}" if fitting else "SELECT 0"


def test_words_that_no_sample_has_go_after_an_epoch(tmp_path: Path) -> None:
    client = World(count_by_any_line, lambda request: "Everything: ord.st = 0.")
    options = {**OPTIONS, "batch_size": len(orders.STATUS)}
    with Store.open(tmp_path / "run.db") as store:
        ace.learn(twice(tmp_path), store, client, **options)
        said = {bullet.content for version in store.log() for bullet in store.checkout(version.number)}
        shown = {bullet.content for bullet in store.checkout() if bullet.status is Status.ACTIVE}
        reasons = {reason for version in store.log() if (reason := version.reason)}
    assert any(content.startswith("Everything") for content in said)
    assert shown == {f"{name.capitalize()}: ord.st = {code}." for name, code in orders.STATUS.items()}
    assert any("curation" in reason for reason in reasons)


def test_words_stay_where_a_proof_needs_them(tmp_path: Path) -> None:
    def count(request: Request) -> str:
        status = orders.status_of(request)
        lines = [bullet for bullet in request.bullets if bullet.startswith("Everything")]
        if status != "cancelled":
            return count_by_any_line(request)
        fitting = [line for line in lines if status in line] or lines or [":0"]
        return f"SELECT COUNT(*) FROM ord WHERE {fitting[-1].partition(':')[2].strip(' .')}"

    client = World(count, lambda request: "Everything: ord.st = 0.")
    with Store.open(tmp_path / "run.db") as store:
        ace.learn(twice(tmp_path), store, client, **{**OPTIONS, "batch_size": len(orders.STATUS)})
        shown = {bullet.content for bullet in store.checkout() if bullet.status is Status.ACTIVE}
        proposals = store.proposals()
    assert any(line.startswith("Everything") and line.endswith(": ord.st = 7.") for line in shown)
    assert {"Packed: ord.st = 4.", "Returned: ord.st = 9.", "Lost: ord.st = 2."} < shown
    refused = [proposal for proposal in proposals if proposal.reason is Reason.STILL_FAILS]
    assert any(proposal.author == "curator" for proposal in refused)


def test_a_sample_whose_facts_all_have_lines_is_no_example(tmp_path: Path) -> None:
    def count(request: Request) -> str:
        """Answer one question wrongly, whatever the lines say; an example of it would help."""
        if request.sample and request.sample.id == "cancelled-2":
            return count_by_example(request)
        return count_by_line(request)

    client = World(count, lambda request: "Something or other")
    with Store.open(tmp_path / "run.db") as store:
        ace.learn(twice(tmp_path), store, client, **OPTIONS)
        contents = {bullet.content for bullet in store.checkout() if bullet.status is Status.ACTIVE}
        proposed = [operation for proposal in store.proposals() for operation in proposal.delta]
    assert "Cancelled: ord.st = 7." in contents
    assert not any(" -> " in getattr(operation, "content", "") for operation in proposed)


def test_a_lesson_that_repeats_its_own_flaw_is_none(tmp_path: Path) -> None:
    quoted: list[str] = []

    def count(request: Request) -> str:
        """Say more than a line in one question, so that nothing is missing from a wrong answer."""
        more = " AND id > 40" if request.sample and request.sample.id == "cancelled-2" else ""
        return count_by_line(request) + more

    def lessons(request: Request) -> str:
        flaws = [line for line in request.messages[-1].content.splitlines() if "is known" in line]
        quoted.extend(flaws)
        return flaws[-1] if flaws else "Cancelled: ord.st = 7."

    with Store.open(tmp_path / "run.db") as store:
        ace.learn(twice(tmp_path), store, World(count, lessons), **{**OPTIONS, "tries": 3})
        proposals = store.proposals()
    assert quoted  # the reflector was told what was wrong with its lesson
    contents = [getattr(op, "content", "") for proposal in proposals for op in proposal.delta]
    assert not any("is known" in content for content in contents)
