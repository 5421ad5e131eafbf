"""What bullets contributed and why attempts failed, as text."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from ace.playbook.model import Bullet
from ace.runs.bullet_effects import Credit
from ace.runs.run_text import align_columns, format_count


def render_credit_tables(credit: Credit, bullets: Mapping[str, Bullet]) -> str:
    """Render votes, measured effects and causes; `bullets` are those of the playbook as it is now."""
    blocks = [_render_votes(bullets), _render_effects(credit, bullets)]
    if credit.causes:
        rows = [(f"  {cause}", str(count)) for cause, count in credit.causes.items()]
        blocks.append(f"Why attempts at training samples failed\n{align_columns(rows, right=(1,))}")
    return "\n\n".join(blocks)


def _render_votes(bullets: Mapping[str, Bullet]) -> str:
    voted = [bullet for bullet in bullets.values() if bullet.live and (bullet.helpful or bullet.harmful)]
    if not voted:
        return "No bullet has votes: they need labels, and an environment that can take an answer apart."
    rows = [("helpful", "harmful", "votes of all runs")]
    for bullet in sorted(voted, key=lambda bullet: (bullet.harmful - bullet.helpful, bullet.id)):
        rows.append((str(bullet.helpful), str(bullet.harmful), _quote_bullet(bullet.id, bullets)))
    return align_columns(rows, right=(0, 1))


def _render_effects(credit: Credit, bullets: Mapping[str, Bullet]) -> str:
    if not credit.effects:
        return "No bullet was left out of an attempt; `--measure-credit 0.5` does so in half of the batches."
    rows = [("effect", "95% interval", "batches", "", "measured by leaving it out")]
    for effect in credit.effects:
        interval = f"{effect.low:+.0%} to {effect.high:+.0%}"
        mark = "*" if effect.significant else ""
        text = _quote_bullet(effect.bullet, bullets)
        rows.append((f"{effect.effect:+.0%}", interval, str(effect.batches), mark, text))
    significant = sum(effect.significant for effect in credit.effects)
    table = align_columns(rows, right=(0, 2))
    return f"{table}\n(*) zero is outside the interval: {format_count(significant, 'bullet')}."


def _quote_bullet(name: str, bullets: Mapping[str, Bullet]) -> str:
    content = "(not in this playbook)"
    if name in bullets:
        content = bullets[name].content
    return f"{name}: {shorten(content, 80, placeholder=' [...]')}"
