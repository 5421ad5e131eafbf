"""How an attempt is made. Today: one call. A solver returns a record whatever happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ace.context.assemble import Assembled
from ace.errors import CapReached, InputError, StoreError
from ace.task.types import Attempt, Sample


class Said(Protocol):
    """What an ask returns."""

    @property
    def answer(self) -> str: ...

    @property
    def text(self) -> str: ...


class Ask(Protocol):
    """One question to one model."""

    def __call__(
        self, sample: Sample, context: Assembled, *, temperature: float, seed: int, draw: int
    ) -> Said: ...


class Solver(Protocol):
    """Makes an attempt at a sample with what was assembled for it. Never raises for a failed attempt."""

    def __call__(
        self, sample: Sample, context: Assembled, *, temperature: float = 0.0, seed: int = 0, draw: int = 0
    ) -> Attempt: ...


@dataclass(frozen=True, slots=True)
class SingleCall:
    """Ask once; the reply is the answer. An error is an attempt without an answer."""

    ask: Ask

    def __call__(
        self, sample: Sample, context: Assembled, *, temperature: float = 0.0, seed: int = 0, draw: int = 0
    ) -> Attempt:
        try:
            said = self.ask(sample, context, temperature=temperature, seed=seed, draw=draw)
        except (CapReached, InputError, StoreError):  # ends the run: it is no property of the sample
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            return Attempt(sample.id, "", error=f"{type(error).__name__}: {error}")
        return Attempt(sample.id, said.answer, text=said.text)
