"""The e-process for "is one version better than another?": a paired test to look at after every answer.

Only pairs that differ count: a *win* where the newer version alone is right, a *loss* where the older one is.
If the newer one is no better, a win is at most as likely as a loss. Betting on wins at fair odds then cannot
be expected to gain. So the wealth (an e-process) exceeds 1/alpha at any time with a probability of at most
alpha (Ville's inequality): stopping, going on or giving up at any point needs no correction.

The bet is spread evenly over all shares from one half to one, and its wealth is an incomplete beta integral.
Method: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024);
Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid inference" (2023).

Pure. Knows no versions and no samples. The bound holds for one comparison, not for several together.
"""

from __future__ import annotations

from math import exp, log


def compute_wealth(wins: int, losses: int) -> float:
    """Return the wealth of a bettor who started with 1 and bets that wins are more likely than losses.

    Raises ValueError for a negative count.
    """
    from scipy.special import betaincc, betaln

    if wins < 0 or losses < 0:
        raise ValueError(f"{wins} wins and {losses} losses cannot be counted")
    above_half = float(betaincc(wins + 1, losses + 1, 0.5))
    if above_half <= 0:  # too small for a float: next to nothing is left
        return 0.0
    return exp((wins + losses + 1) * log(2) + float(betaln(wins + 1, losses + 1)) + log(above_half))
