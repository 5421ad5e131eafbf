"""How a run is made. What a user may set, with defaults that fit a small model on a small machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ace.errors import InputError
from ace.loop.version_rules import RULES, RuleName
from ace.task.types import FeedbackKind


class Progress(Protocol):
    """Told how far a phase is. Called from one thread only."""

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None: ...


def silent(phase: str, done: int, total: int, note: str = "") -> None:
    """Shows nothing."""


SELECTS = ("hybrid", "oldest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`batch_size` samples share a version; `tries` lessons are tried for each failed sample, each must keep
    `neighbours` earlier samples right; `verify` False keeps every lesson (for comparison); `limit` takes the
    first samples of each split; `validate` chooses the version on the validation set (by default when there
    is more than one epoch) by the rule `accept`, at the end of each epoch and every `validate_every` steps;
    `merge` lets the curator merge bullets after each epoch; `refine` then joins bullets that say the same and
    settles those in conflict; samples that are wrong at the end of an epoch
    come back `replays` times, until they passed `graduate` times or failed `evict` times; before a version is
    selected, `recheck` samples that were right are asked again, to see what was forgotten; `measure` scores
    the test set before and after.

    `budget` is the most tokens of a generator's whole prompt, fewer where the model's window is smaller.
    `select`: when the playbook does not fit, "hybrid" shows a core and what bears on the question, "oldest"
    the oldest bullets, whatever the question.

    Without labels, and where the environment cannot check an answer itself, most of `agreement` attempts must
    come out alike with a lesson. `rerun`: a failed sample for which the playbook says all that it needs is
    attempted once more, and not learned from if that is right. `measure_credit`: in this share of batches
    every sample is also attempted with some bullets left out, the same ones for the whole batch, which
    measures what each bullet contributes.
    `cite`: the generator is shown the bullets' ids, and asked which it used.

    Online: accuracy is told of the last `window` answers; `drift` watches for answers that get worse; with
    `behind` answers do not wait for learning, until `waiting` of them have not been learned from.
    """

    seed: int = 0
    epochs: int = 1
    batch_size: int = 8
    workers: int = 4
    feedback: FeedbackKind = FeedbackKind.LABELS
    limit: int | None = None
    budget: int = 10_000
    select: str = "hybrid"
    tries: int = 2
    neighbours: int = 1
    verify: bool = True
    merge: bool = False
    refine: bool = True
    replays: int = 1
    graduate: int = 1
    evict: int = 3
    recheck: int = 8
    validate: bool | None = None
    validate_every: int | None = None
    accept: RuleName = "best"
    measure: bool = True
    agreement: int = 3
    rerun: bool = False
    measure_credit: float = 0.0
    cite: bool = False
    split: str = "test"
    window: int = 20
    drift: bool = True
    behind: bool = False
    waiting: int = 16

    def __post_init__(self) -> None:
        least = {
            "epochs": 1,
            "batch_size": 1,
            "workers": 1,
            "budget": 1,
            "tries": 1,
            "neighbours": 0,
            "agreement": 1,
            "replays": 0,
            "graduate": 1,
            "evict": 1,
            "recheck": 0,
            "window": 1,
            "waiting": 1,
        }
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise InputError(f"{name} is {getattr(self, name)}.", hint=f"Give at least {bound}.")
        if self.validate_every is not None and self.validate_every < 1:
            raise InputError(
                f"validate_every is {self.validate_every}.", hint="Give at least 1 step, or None."
            )
        if self.accept not in RULES:
            raise InputError(f"There is no rule {self.accept!r}.", hint=f"Choose from: {', '.join(RULES)}.")
        if self.select not in SELECTS:
            raise InputError(f"There is no selection {self.select!r}.", hint=f"Use {' or '.join(SELECTS)}.")
        if not 0 <= self.measure_credit <= 1:
            raise InputError(f"measure_credit is {self.measure_credit}.", hint="Give a share from 0 to 1.")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit is {self.limit}.", hint="Give at least 1, or None for all samples.")

    def record(self) -> dict[str, Any]:
        """What decides the outcome, as JSON: the number of workers does not."""
        return {key: value for key, value in asdict(self).items() if key != "workers"}


def seed_of(seed: int, *parts: Hashable) -> int:
    """A non-negative 31-bit seed that depends on the run's seed and on `parts` only."""
    text = json.dumps([seed, *parts], default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) & 0x7FFFFFFF
