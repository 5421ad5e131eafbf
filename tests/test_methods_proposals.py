"""Records of proposals: what they cite, why a role failed, and which of them change what is in use."""

from __future__ import annotations

import pytest

from ace.errors import MalformedReply, ModelError, ModelUnavailable
from ace.methods.ace.proof import Proof
from ace.methods.ace.proposals import add_lesson, changes_use, record_proposal
from ace.methods.failed_replies import record_failure
from ace.methods.protocol import Trial
from ace.playbook import Add, Delta, Playbook, Promote, Quarantine, Remove
from ace.runs.records import Proposal, Reason
from ace.task import Sample
from tests.fake_lab import FakeBench

ADD = Add("x", "lessons", "Ask first.")


def make_trials(count: int) -> list[Trial]:
    bench = FakeBench()
    return [bench.solve(Sample("own", "Own question?"), Playbook()) for _ in range(count)]


@pytest.mark.parametrize(
    ("delta", "changes"),
    [
        ((), False),
        ((ADD, Quarantine("x")), False),
        ((Quarantine("y"),), False),
        ((ADD,), True),
        ((ADD, Quarantine("y")), True),
        ((Promote("y"),), True),
        ((Remove("y"),), True),
    ],
)
def test_only_what_is_accepted_and_does_not_wait_changes_what_is_in_use(delta: Delta, changes: bool) -> None:
    assert changes_use(Proposal("own", "reflector", delta, "accepted", "")) is changes
    assert not changes_use(Proposal("own", "reflector", delta, "rejected", ""))


def test_a_lesson_that_holds_cites_the_failed_attempt_and_the_first_that_proved_it() -> None:
    failed, *proving = make_trials(3)
    names = [trial.episode for trial in (failed, *proving)]
    kept = record_proposal(failed, "reflector", (ADD,), Proof(True, "right with it", tuple(proving)))
    assert kept.sample_id == "own" and kept.outcome == "accepted" and list(kept.episodes) == names
    (add,) = kept.delta
    assert isinstance(add, Add) and list(add.provenance) == names[:2]
    refuted = record_proposal(failed, "reflector", (ADD,), Proof(False, "still fails", tuple(proving)))
    assert refuted.delta == (ADD,) and refuted.outcome == "rejected" and len(refuted.attempts) == 2


def test_what_was_learned_from_no_trial_stands_under_a_name() -> None:
    proposal = record_proposal("formats", "curator", (ADD,), Proof(True, "right with it"))
    assert (proposal.sample_id, proposal.episodes) == ("formats", ())
    failure = record_failure("formats", "curator", ModelError("no"))
    assert (failure.sample_id, failure.episodes) == ("formats", ())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelUnavailable("gone"), Reason.UNREACHABLE),
        (MalformedReply("no JSON", text="Well, ..."), Reason.UNUSABLE_REPLY),
        (ModelError("refused"), Reason.REFUSED),
    ],
)
def test_a_role_that_failed_is_recorded_with_the_reason_and_its_words(
    error: ModelError, reason: Reason
) -> None:
    (trial,) = make_trials(1)
    failure = record_failure(trial, "reflector", error)
    assert failure.reason is reason and failure.delta == () and failure.outcome == "rejected"
    assert failure.episodes == (trial.episode,)
    assert failure.attempts == (str(error.details.get("text", "")),)


def test_the_id_of_a_lesson_depends_on_what_it_says_and_where() -> None:
    assert add_lesson("Ask.") == add_lesson("Ask.") and add_lesson("Ask.").section == "lessons"
    assert len({add_lesson("Ask.").id, add_lesson("Wait.").id, add_lesson("Ask.", "tools").id}) == 3
