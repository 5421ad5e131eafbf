"""Which bullets go because they were measured to harm, or because nothing ever needed them. Pure.

Votes are few, so what counts is the exact (Clopper-Pearson) 95% interval of the share of harmful ones: it
must lie above one half. Six harmful votes against none are enough, five are not. Removed bullets stay in
history.
"""

from __future__ import annotations

from collections.abc import Mapping

from ace.playbook.model import Bullet, Playbook, Remove, Status
from ace.refine.refinement import Refined

NEUTRAL = 0.5  # the share of harmful votes that says nothing
_TAIL = 0.025  # below the lower end of a 95% interval


def least_harm(helpful: int, harmful: int) -> float:
    """The lower end of the interval of the share of harmful votes; 0 without any."""
    from scipy.stats import beta

    return float(beta.ppf(_TAIL, harmful, helpful + 1)) if harmful else 0.0


def harms(bullet: Bullet) -> bool:
    """Whether a bullet is clearly more harmful than helpful."""
    if bullet.harmful <= bullet.helpful:  # and scipy is not imported for the usual bullet
        return False
    return least_harm(bullet.helpful, bullet.harmful) > NEUTRAL


def retired(
    playbook: Playbook, *, unused: int | None = None, exposures: Mapping[str, int] | None = None
) -> Refined:
    """Bullets in use to remove: those that harm; with `unused`, those without a vote in so many attempts.

    `exposures`: in how many attempts each bullet was shown. Pinned bullets are never retired.
    """
    found = []
    for bullet in sorted(playbook.bullets.values(), key=lambda b: (b.position, b.id)):
        if bullet.status is not Status.ACTIVE or bullet.pinned:
            continue
        shown = (exposures or {}).get(bullet.id, 0)
        if harms(bullet):
            low = least_harm(bullet.helpful, bullet.harmful)
            share = f"at least {low:.0%} of its votes are harmful"
            found.append((bullet, f"{bullet.harmful} harmful, {bullet.helpful} helpful: {share}"))
        elif unused is not None and shown >= unused and not bullet.helpful and not bullet.harmful:
            found.append((bullet, f"no vote in {shown} attempts that it was there for"))
    return Refined(tuple(Remove(bullet.id) for bullet, _ in found), tuple(why for _, why in found))
