"""Remember a run: evidence, lessons in dispute, bullets that must prove themselves again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ace.methods.ace.admission import collect_texts
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.reopened import Reopened
from ace.methods.protocol import Lab, Trial
from ace.playbook.model import Bullet, Playbook, Status
from ace.runs.records import Proposal
from ace.runs.steps import Notes
from ace.task.types import Sample

if TYPE_CHECKING:
    from ace.methods.ace.refining import Refining


@dataclass(frozen=True, slots=True)
class Lesson:
    """Hold a trial and every proposal that it led to; at most one is accepted.

    `unlucky`: it was wrong, and another attempt with the same playbook was right.
    """

    trial: Trial
    proposals: tuple[Proposal, ...] = ()
    unlucky: bool = False


@dataclass(frozen=True, slots=True)
class Contested:
    """Hold a lesson that mended its own sample and broke another: its contents, the attempts behind it."""

    contents: tuple[str, ...]
    episodes: tuple[str, ...]
    attempts: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that the journal keeps."""
        return {
            "episodes": list(self.episodes),
            "attempts": list(self.attempts),
            "said": list(self.contents),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Contested | None:
        """Read what `to_json` wrote; an empty object is None."""
        if not row:
            return None
        return cls(tuple(row["said"]), tuple(row["episodes"]), tuple(row["attempts"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonNotes:
    """Hold what the journal keeps of a sample beside its result.

    `cause` is why it failed; `reflections` how many proposals did not help; `situation` identifies what the
    playbook said of it; `refuted` are the contents that attempts refuted; `without` and `right_without` say
    which bullets were left out of another attempt to measure them, and whether that was right.
    """

    cause: str = ""
    reflections: int = 0
    situation: str = ""
    refuted: Sequence[Sequence[str]] = ()
    contested: Contested | None = None
    without: tuple[str, ...] = ()
    right_without: bool = False

    def to_json(self) -> Notes:
        """Return the notes of a `SampleResult`."""
        notes: dict[str, Any] = {
            "cause": self.cause,
            "reflections": self.reflections,
            "situation": self.situation,
            "refuted": [list(contents) for contents in self.refuted],
            "contested": self.contested.to_json() if self.contested else {},
        }
        if self.without:
            notes["credit"] = {"without": list(self.without), "correct": self.right_without}
        return notes

    @classmethod
    def from_json(cls, notes: Notes) -> LessonNotes:
        """Read what `to_json` wrote, in this release or an earlier one."""
        return cls(
            cause=notes.get("cause", ""),
            reflections=notes.get("reflections", 0),
            situation=notes.get("situation", ""),
            refuted=notes.get("refuted", ()),
            contested=Contested.from_json(notes.get("contested", {})),
        )


@dataclass(slots=True)
class AceState:
    """Fold the steps of a run. `newest_wins`: a rule may change, so the latest label counts."""

    samples: Sequence[Sample]
    first_playbook: Playbook
    evidence: Evidence
    newest_wins: bool = False
    taught: set[str] = field(default_factory=set)  # samples that proved a bullet
    contested: dict[str, Contested | None] = field(default_factory=dict)  # by sample
    reopened: Reopened = field(default_factory=dict)
    refining: Refining | None = None
    settled: set[tuple[str, ...]] = field(default_factory=set)  # contents that validation decided on

    @classmethod
    def at(cls, samples: Sequence[Sample], playbook: Playbook, lab: Lab, *, newest_wins: bool) -> AceState:
        """Return a state that knows the questions and the topics of bullets; nothing proves anything yet."""
        state = cls(samples, playbook, Evidence(samples, newest_wins=newest_wins), newest_wins)
        state.forget_evidence(playbook, lab)
        return state

    def forget_evidence(self, playbook: Playbook, lab: Lab) -> None:
        """Start the evidence anew: what earlier samples showed is no longer to be counted on."""
        self.evidence = Evidence(self.samples, newest_wins=self.newest_wins)
        for bullet in playbook:
            self.evidence.record_proofs(bullet, ())
        self.taint_waiting(playbook, lab)

    def taint_waiting(self, bullets: Iterable[Bullet], lab: Lab) -> None:
        """Mark the samples that cannot prove a bullet in quarantine, because it repeats a text of theirs."""
        waiting = [bullet for bullet in bullets if bullet.status is Status.QUARANTINED]
        cited = {name for bullet in waiting for name in bullet.provenance}
        if not cited:
            return
        episodes = {episode.id: episode for episode in lab.episodes(cited)}
        for bullet in waiting:
            for name in bullet.provenance:
                episode = episodes.get(name)
                if episode is None:
                    continue
                texts = collect_texts(episode.question, episode.attempt, episode.feedback)
                if texts.has_copied(bullet.content):
                    self.evidence.tainted.setdefault(bullet.id, set()).add(episode.sample_id)
