"""Record replies of a learning role that could not be used."""

from __future__ import annotations

from ace.errors import MalformedReply, ModelError, ModelUnavailable, describe_error
from ace.methods.protocol import Trial
from ace.runs.records import Proposal, Reason


def record_failure(source: Trial | str, author: str, error: ModelError) -> Proposal:
    """Return the record of a role's reply that could not be used, with what it said.

    `source` is the trial that it was about; where there is none, the id of a sample or the name of a section.
    `author` is the role. The reason tells a model that is not there from one that
    refuses, and from one whose reply has not the form that was asked for.
    """
    reason = Reason.REFUSED
    if isinstance(error, ModelUnavailable):
        reason = Reason.UNREACHABLE
    elif isinstance(error, MalformedReply):
        reason = Reason.UNUSABLE_REPLY
    return Proposal(
        sample_id=source if isinstance(source, str) else source.sample.id,
        author=author,
        delta=(),
        outcome="rejected",
        why=describe_error(error),
        episodes=() if isinstance(source, str) else (source.episode,),
        attempts=(str(error.details.get("text", "")),),
        reason=reason,
    )
