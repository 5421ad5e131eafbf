"""What bullets are credited with and why attempts failed, as text."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from ace.playbook.model import Bullet
from ace.runs.run_text import align_columns


def render_credit_table(causes: Mapping[str, int], bullets: Mapping[str, Bullet]) -> str:
    """Render votes and causes; `bullets` are those of the playbook of the run."""
    blocks = ["No bullet has votes: they need labels, or a model that says which bullets it used."]
    voted = [bullet for bullet in bullets.values() if bullet.live and (bullet.helpful or bullet.harmful)]
    if voted:
        rows = [("helpful", "harmful", "votes of all runs")]
        for bullet in sorted(voted, key=lambda bullet: (bullet.harmful - bullet.helpful, bullet.id)):
            text = f"{bullet.id}: {shorten(bullet.content, 80, placeholder=' [...]')}"
            rows.append((str(bullet.helpful), str(bullet.harmful), text))
        blocks = [align_columns(rows, right=(0, 1))]
    if causes:
        counts = [(f"  {cause}", str(count)) for cause, count in causes.items()]
        blocks.append(f"Why attempts at training samples failed\n{align_columns(counts, right=(1,))}")
    return "\n\n".join(blocks)
