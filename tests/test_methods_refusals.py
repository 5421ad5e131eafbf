"""An edit that an attempt refuted is shown as such when its sample comes back, and is not tried again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ace.llm import Request, Role, RoleModels, ScriptedClient
from ace.loop import learn
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.refusals import identify_situation, list_earlier, list_refuted
from ace.methods.protocol import Trial
from ace.playbook import Add, Playbook, Remove, apply
from ace.runs.records import Outcome, Proposal, Reason
from ace.settings import Settings
from ace.store import Store
from ace.task import Attempt, Fact, Feedback, FeedbackKind, Sample, Topic
from tests.world import says, world

OPTIONS = Settings(batch_size=3, workers=1, epochs=2, replays=0, tries=1, validate=False, measure=False)
FALSE = "red means 999"
HELP = "did not help"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "colours.db")


def stubborn(asked: list[str]) -> RoleModels:
    """A reflector that says the same false thing about red whatever it is told."""

    def reply(request: Request) -> str:
        if request.role is Role.REFLECTOR:
            asked.append(request.messages[-1].content)
        return says(request, wrong=("red",))

    return RoleModels.of(ScriptedClient(reply))


def test_it_is_shown_and_not_tried_again(store: Store) -> None:
    asked: list[str] = []
    report = learn(world(), store, stubborn(asked), OPTIONS)
    red = [text for text in asked if "red?" in text]
    assert len(red) == 2 and HELP not in red[0]
    assert f"{HELP}: {FALSE}" in red[1]
    proposals = [p for p in store.proposals(run=report.run) if p.sample_id == "train-red"]
    first, again = [p for p in proposals if p.delta[0].section != "examples"]
    assert (len(first.attempts), again.attempts) == (1, ())
    assert "still fails" in first.why and again.why.startswith("refuted before")
    assert (first.reason, again.reason) == (Reason.STILL_FAILS, Reason.REFUTED_BEFORE)


def test_a_resumed_run_remembers_as_well(tmp_path: Path) -> None:
    def hashes(store: Store) -> list[str]:
        return [version.hash for version in store.log()]

    with Store.open(tmp_path / "whole.db") as whole:
        learn(world(), whole, stubborn([]), OPTIONS)
        expected = hashes(whole)
    with Store.open(tmp_path / "cut.db") as cut:
        kept: list[str] = []

        def stop(phase: str, done: int, total: int, note: str = "") -> None:
            if phase == "epoch 2" and done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            learn(world(), cut, stubborn([]), OPTIONS, progress=stop)
        learn(world(), cut, stubborn(kept), OPTIONS, resume=True)
        assert hashes(cut) == expected
    assert not [text for text in kept if "red?" in text and HELP not in text]


def trial(*facts: Fact) -> Trial:
    topics = frozenset({Topic("ord")})
    feedback = Feedback(FeedbackKind.LABELS, "", False, topics=topics, facts=facts)
    return Trial(Sample("a", "How many?"), Attempt("a", "1"), feedback, "ep-1")


def known(*contents: str) -> tuple[Playbook, Evidence]:
    playbook, _ = apply(Playbook(), [Add(f"b-{n}", "lessons", text) for n, text in enumerate(contents)])
    evidence = Evidence()
    for bullet in playbook:
        evidence.record_proofs(bullet, ())
    return playbook, evidence


def test_with_more_known_about_it_an_edit_may_be_tried_again() -> None:
    playbook, evidence = known()
    now = trial(Fact("ord.st = 7", frozenset({Topic("ord.st")})))
    evidence.refuted["a", identify_situation(now, playbook, evidence)] += [["Open: ord.st = 7"]]
    assert list_earlier(now, playbook, evidence) == (["Open: ord.st = 7"],)
    assert list_earlier(replace(now, sample=Sample("b", "")), playbook, evidence) == ()
    other, _ = apply(playbook, [Add("b-x", "lessons", "Closed: ord.fin = 1")])
    evidence.record_proofs(other.bullets["b-x"], ())
    assert list_earlier(now, other, evidence)  # of another column
    more, _ = apply(playbook, [Add("b-y", "lessons", "Lost: ord.st = 2")])
    evidence.record_proofs(more.bullets["b-y"], ())
    assert list_earlier(now, more, evidence) == ()


def test_only_what_an_attempt_was_made_with_is_refuted() -> None:
    def made(outcome: Outcome, attempts: tuple[str, ...], *content: str) -> Proposal:
        delta = tuple(Add(f"b-{text}", "lessons", text) for text in content)
        return Proposal("a", "reflector", delta, outcome, "", (), attempts)

    said = [
        made("rejected", ("x",), "one", "two"),
        made("rejected", (), "known"),
        made("accepted", ("y",), "z"),
    ]
    said.append(replace(said[0], delta=(Remove("b-1"),)))
    said.append(replace(said[0], reason=Reason.BROKE_NEIGHBOUR))  # in other words it may hold
    assert list_refuted(said) == [["one", "two"]]
