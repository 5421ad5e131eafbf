"""Retiring bullets that were measured to harm, or that nothing ever needed. Pure.

Votes are few, so what counts is the exact (Clopper-Pearson) 95% interval of the share of harmful ones: it
must lie above one half. Six harmful votes against none are enough, five are not. Removed bullets stay in
history.
"""

from __future__ import annotations

from collections.abc import Mapping

from ace.playbook.model import Bullet, Playbook, Remove, Status
from ace.refine.refinement import Refinement

NEUTRAL = 0.5  # the share of harmful votes that says nothing
_TAIL = 0.025  # below the lower end of a 95% interval


def bound_harm(helpful: int, harmful: int) -> float:
    """Return the lower end of the 95% interval of the share of harmful votes; 0 without any.

    Clopper and Pearson, Biometrika 26 (1934), by the beta distribution. The counts are not negative.
    """
    from scipy.stats import beta

    if not harmful:
        return 0.0
    return float(beta.ppf(_TAIL, harmful, helpful + 1))


def is_harmful(bullet: Bullet) -> bool:
    """Return whether a bullet is clearly more harmful than helpful, by the interval of its votes."""
    if bullet.harmful <= bullet.helpful:  # and scipy is not imported for the usual bullet
        return False
    return bound_harm(bullet.helpful, bullet.harmful) > NEUTRAL


def retire_bullets(
    playbook: Playbook, *, unused: int | None = None, exposures: Mapping[str, int] | None = None
) -> Refinement:
    """Remove active bullets that harm; with `unused`, also those without a vote in so many attempts.

    `exposures` says in how many attempts each bullet was shown, by its id; one that is not named was shown in
    none. Pinned bullets are never retired, and those in quarantine wait for their proof.
    """
    exposures = exposures or {}
    removals, reasons = [], []
    for bullet in sorted(playbook.bullets.values(), key=lambda bullet: (bullet.position, bullet.id)):
        if bullet.status is not Status.ACTIVE or bullet.pinned:
            continue
        attempts = exposures.get(bullet.id, 0)
        voted = bullet.helpful or bullet.harmful
        if is_harmful(bullet):
            share = f"at least {bound_harm(bullet.helpful, bullet.harmful):.0%} of its votes are harmful"
            removals.append(Remove(bullet.id))
            reasons.append(f"{bullet.harmful} harmful, {bullet.helpful} helpful: {share}")
        elif unused is not None and attempts >= unused and not voted:
            removals.append(Remove(bullet.id))
            reasons.append(f"no vote in {attempts} attempts that it was there for")
    return Refinement(tuple(removals), tuple(reasons))
