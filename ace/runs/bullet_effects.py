"""What each bullet contributes, measured: attempts with some bullets left out against attempts with all.

The unit is a batch, not a sample: its samples share one set of left-out bullets, so they are one draw. For
each batch the mean loss (right with all bullets, minus right without some) is regressed on which were left
out; comparing a sample with itself takes its difficulty out. The regression has a penalty, as if every
effect were drawn from a normal distribution around zero with a spread of 0.5, so it has an answer, and an
honest, wide interval, with fewer batches than bullets. Sandwich and bootstrap intervals do not: they need
more batches than bullets, and look narrow where they know nothing. Knows journal payloads, and no store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import ndarray

_SPREAD = 0.5  # of the effects, before anything was measured
_VARIANCE = 0.25  # of one comparison, before anything was measured: the most that a coin toss has
_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Left:
    """One batch: the bullets left out, and for each sample whether it was right with all and without them."""

    without: frozenset[str]
    pairs: tuple[tuple[bool, bool], ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """How much more often attempts are right because of a bullet, and the 95% interval of that.

    `batches` it was left out of, with `samples` in them.
    """

    bullet: str
    effect: float
    low: float
    high: float
    batches: int
    samples: int

    @property
    def sure(self) -> bool:
        """The interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Credit:
    """`effects` are sorted, the largest first; `causes` counts why attempts failed."""

    effects: tuple[Effect, ...] = ()
    causes: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"effects": [asdict(each) for each in self.effects], "causes": dict(self.causes or {})}


def credit_of(payloads: Iterable[Mapping[str, Any]]) -> Credit:
    """From the journal of a run, in order."""
    told = list(payloads)
    causes = Counter(r["cause"] for payload in told for r in payload["results"] if r.get("cause"))
    return Credit(effects(batches(told)), dict(causes.most_common()))


def batches(payloads: Iterable[Mapping[str, Any]]) -> tuple[Left, ...]:
    """The batches that bullets were left out of."""
    found = []
    for payload in payloads:
        results = [result for result in payload["results"] if result.get("credit")]
        if results:
            pairs = tuple((bool(r["correct"]), bool(r["credit"]["correct"])) for r in results)
            found.append(Left(frozenset(results[0]["credit"]["without"]), pairs))
    return tuple(found)


def effects(measured: Sequence[Left]) -> tuple[Effect, ...]:
    """The effect of every bullet that was left out at least once."""
    names = sorted({name for batch in measured for name in batch.without})
    if not names:
        return ()
    import numpy as np

    left_out = np.array([[name in batch.without for name in names] for batch in measured], dtype=float)
    sizes = np.array([len(batch.pairs) for batch in measured], dtype=float)
    losses = np.array([_loss(batch) for batch in measured])
    estimates, errors = _ridge(left_out, losses, sizes)
    samples = left_out.T @ sizes
    found = (
        Effect(name, estimate, estimate - error, estimate + error, int(count), int(size))
        for name, estimate, error, count, size in zip(
            names, estimates.tolist(), errors.tolist(), left_out.sum(axis=0), samples, strict=True
        )
    )
    return tuple(sorted(found, key=lambda each: (-each.effect, each.bullet)))


def _loss(batch: Left) -> float:
    return sum(whole - rest for whole, rest in batch.pairs) / len(batch.pairs)


def _ridge(x: ndarray, y: ndarray, weights: ndarray) -> tuple[ndarray, ndarray]:
    """Estimates and half the width of their 95% intervals.

    The residual variance is estimated along with them, one observation's worth of `_VARIANCE` mixed in, so
    that a few batches that happen to agree do not make it zero.
    """
    import numpy as np
    from scipy.stats import t

    gram, right = (x.T * weights) @ x, (x.T * weights) @ y
    prior = np.eye(x.shape[1]) / _SPREAD**2
    variance = _VARIANCE
    for _ in range(_ROUNDS):
        covariance = np.linalg.inv(gram / variance + prior)
        estimates = covariance @ right / variance
        spent = float(np.trace(covariance @ gram)) / variance
        free = max(len(y) - spent, 0.0) + 1.0
        residual = float(weights @ (y - x @ estimates) ** 2)
        variance = (residual + _VARIANCE) / free
    width = t.ppf(0.975, max(free, 2.0))
    return estimates, width * np.sqrt(np.diag(covariance))
