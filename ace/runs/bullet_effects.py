"""Effects of bullets, measured: attempts with some bullets left out against attempts with all of them.

The unit is a batch, not a sample: its samples share one set of left-out bullets, so they are one draw. For
each batch the mean loss (right with all bullets, minus right without some) is regressed on which bullets were
left out. Comparing a sample with itself takes its difficulty out.

The regression is a ridge: every effect is drawn from a normal distribution around zero with a spread of 0.5.
So it has an answer, and an honest wide interval, with fewer batches than bullets. Sandwich and bootstrap
intervals need more batches than bullets, and look narrow where they know nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ace.runs.steps import StepRecord

if TYPE_CHECKING:
    from numpy import ndarray

_SPREAD = 0.5  # of the effects, before anything was measured
_VARIANCE = 0.25  # of one comparison, before anything was measured: the most that a coin toss has
_ROUNDS = 30  # of estimating the residual variance and the effects in turn; they settle well before


@dataclass(frozen=True, slots=True)
class Ablation:
    """Hold one batch: bullets left out, and whether each sample was right with all and without them."""

    without: frozenset[str]
    pairs: tuple[tuple[bool, bool], ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """Tell how much more often attempts are right because of a bullet, with the 95% interval of that share.

    The bullet was left out of `batches` batches, with `samples` samples in them.
    """

    bullet: str
    effect: float
    low: float
    high: float
    batches: int
    samples: int

    @property
    def significant(self) -> bool:
        """Return True if the interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Credit:
    """Hold effects, the largest first, and how often each cause made attempts fail."""

    effects: tuple[Effect, ...] = ()
    causes: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        effects = [asdict(effect) for effect in self.effects]
        return {"effects": effects, "causes": dict(self.causes or {})}


def compute_credit(steps: Iterable[StepRecord]) -> Credit:
    """Compute effects and causes from the journal of a run, in its order.

    A method notes the "cause" of a failure, and as "credit" what became of an attempt without some bullets.
    """
    journal = list(steps)
    causes: Counter[str] = Counter()
    for step in journal:
        for result in step.results:
            cause = result.notes.get("cause")
            if cause:
                causes[cause] += 1
    return Credit(estimate_effects(read_ablations(journal)), dict(causes.most_common()))


def read_ablations(steps: Iterable[StepRecord]) -> tuple[Ablation, ...]:
    """Return the batches that bullets were left out of."""
    ablations = []
    for step in steps:
        pairs = []
        without: frozenset[str] = frozenset()
        for result in step.results:
            credit = result.notes.get("credit")
            if credit:
                pairs.append((result.correct, bool(credit["correct"])))
                without = frozenset(credit["without"])  # the same for the whole batch
        if pairs:
            ablations.append(Ablation(without, tuple(pairs)))
    return tuple(ablations)


def estimate_effects(ablations: Sequence[Ablation]) -> tuple[Effect, ...]:
    """Estimate the effect of every bullet that was left out at least once, the largest first."""
    bullets = sorted(frozenset().union(*(ablation.without for ablation in ablations)))
    if not bullets:
        return ()
    import numpy as np

    left_out = np.zeros((len(ablations), len(bullets)))
    sizes, losses = np.zeros(len(ablations)), np.zeros(len(ablations))
    for row, ablation in enumerate(ablations):
        left_out[row] = [bullet in ablation.without for bullet in bullets]
        sizes[row] = len(ablation.pairs)
        lost = sum(with_all - without for with_all, without in ablation.pairs)
        losses[row] = lost / len(ablation.pairs)
    estimates, margins = _fit_ridge(left_out, losses, sizes)
    batches = left_out.sum(axis=0)
    samples = left_out.T @ sizes
    effects = []
    for place, bullet in enumerate(bullets):
        estimate, margin = float(estimates[place]), float(margins[place])
        effects.append(
            Effect(
                bullet,
                effect=estimate,
                low=estimate - margin,
                high=estimate + margin,
                batches=int(batches[place]),
                samples=int(samples[place]),
            )
        )
    return tuple(sorted(effects, key=lambda effect: (-effect.effect, effect.bullet)))


def _fit_ridge(x: ndarray, y: ndarray, weights: ndarray) -> tuple[ndarray, ndarray]:
    """Return estimates and half the width of their 95% intervals, both of shape (bullets,).

    `x` has shape (batches, bullets), `y` and `weights` have shape (batches,). The residual variance is
    estimated too, with one observation's worth of `_VARIANCE` mixed in: a few batches that happen to agree
    must not make it zero.
    """
    import numpy as np
    from scipy.stats import t

    gram, moment = (x.T * weights) @ x, (x.T * weights) @ y
    prior = np.eye(x.shape[1]) / _SPREAD**2
    variance = _VARIANCE
    for _ in range(_ROUNDS):
        covariance = np.linalg.inv(gram / variance + prior)
        estimates = covariance @ moment / variance
        spent = float(np.trace(covariance @ gram)) / variance
        free = max(len(y) - spent, 0.0) + 1.0
        residual = float(weights @ (y - x @ estimates) ** 2)
        variance = (residual + _VARIANCE) / free
    width = t.ppf(0.975, max(free, 2.0))
    return estimates, width * np.sqrt(np.diag(covariance))
