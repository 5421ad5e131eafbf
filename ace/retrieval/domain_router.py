"""Choose the domain of a question, by its likeness to questions of each domain. No model is asked.

What is learned is the questions, and how alike those of one domain are. A new question belongs to a domain
that it is as like as a question of its own, or at least half as like and far more than any other domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from ace.text.likeness import Likeness

_NEAREST = 3  # questions of a domain that speak for it
_LEAST = 0.5  # of the likeness of the question of a domain that is least like its others
_CLEAR = 0.5  # of a lead, where a question is less like a domain than its own questions
_ASKED = ""  # the name of the question that is compared


@dataclass(frozen=True, slots=True)
class Route:
    """Say where a question goes."""

    domain: str
    """"" where no domain is known that it belongs to: it gets what is shared by all."""

    likeness: float
    """To the likeliest domain: from 1 on as like as one of its own questions, 0 for nothing in common."""

    lead: float
    """Before the second domain, as a share of the likeness: 0 for none, 1 where it has nothing in common."""


class DomainRouter:
    """Know the questions of each domain. Safe to use from several threads.

    With fewer than two questions of a domain nothing tells how alike they are, so all are taken for it that
    are likest to it.
    """

    def __init__(self, questions: Mapping[str, Sequence[str]]) -> None:
        """Take in the questions of each domain by its name; a question that comes twice counts once."""
        self.questions = {domain: tuple(dict.fromkeys(texts)) for domain, texts in questions.items() if texts}
        self._lock = Lock()
        self._likeness = Likeness()
        self._names: dict[str, list[str]] = {}
        for domain, texts in self.questions.items():
            self._names[domain] = [f"{domain}/{number}" for number in range(len(texts))]
            for name, text in zip(self._names[domain], texts, strict=True):
                self._likeness.add(name, text)
        # How like each question is to the others of its domain.
        self._own_scores = {
            domain: [self._score(name)[domain] for name in names] if len(names) > 1 else []
            for domain, names in self._names.items()
        }

    def choose(self, question: str) -> Route:
        """Return the domain whose nearest questions are most like this one, if it is like them enough."""
        with self._lock:
            self._likeness.add(_ASKED, question)
            scores = self._score(_ASKED)
        if not scores:
            return Route("", 0.0, 0.0)
        domain, *others = sorted(scores, key=lambda name: -scores[name])
        if not scores[domain]:
            return Route("", 0.0, 0.0)
        least = min(self._own_scores[domain], default=0.0)
        likeness = scores[domain] / least if least else 1.0
        lead = 1 - max((scores[name] for name in others), default=0.0) / scores[domain]
        is_clear = bool(others) and likeness >= _LEAST and lead >= _CLEAR
        return Route(domain if likeness >= 1 or is_clear else "", likeness, lead)

    def _score(self, name: str) -> dict[str, float]:
        """Return how like a question is to those of each domain that are nearest to it, itself left out."""
        others = [other for names in self._names.values() for other in names if other != name]
        alike = self._likeness.compare(name, others)
        scores = {}
        for domain, names in self._names.items():
            nearest = sorted((alike[other] for other in names if other != name), reverse=True)[:_NEAREST]
            scores[domain] = sum(nearest) / max(1, len(nearest))
        return scores
