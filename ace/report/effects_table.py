"""What bullets contributed and why attempts failed, as text."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from ace.playbook.model import Bullet
from ace.runs.bullet_effects import Credit, Effect
from ace.runs.run_text import aligned, counted


def credit_tables(credit: Credit, bullets: Mapping[str, Bullet]) -> str:
    """Votes, measured effects, causes. `bullets` are those of the playbook as it is now."""
    blocks = (_votes(bullets), _effects(credit, bullets), _causes(credit.causes or {}))
    return "\n\n".join(filter(None, blocks))


def _votes(bullets: Mapping[str, Bullet]) -> str:
    voted = [b for b in bullets.values() if b.live and (b.helpful or b.harmful)]
    if not voted:
        return "No bullet has votes: they need labels, and an environment that can take an answer apart."
    voted.sort(key=lambda b: (b.harmful - b.helpful, b.id))
    rows = [("helpful", "harmful", "votes of all runs")]
    rows += [(str(b.helpful), str(b.harmful), _said(b.id, bullets)) for b in voted]
    return aligned(rows, right=(0, 1))


def _effects(credit: Credit, bullets: Mapping[str, Bullet]) -> str:
    if not credit.effects:
        return "No bullet was left out of an attempt; `--measure-credit 0.5` does so in half of the batches."
    rows: list[tuple[str, ...]] = [("effect", "95% interval", "batches", "", "measured by leaving it out")]
    rows += [_row(each, bullets) for each in credit.effects]
    sure = sum(each.sure for each in credit.effects)
    return f"{aligned(rows, right=(0, 2))}\n(*) zero is outside the interval: {counted(sure, 'bullet')}."


def _row(each: Effect, bullets: Mapping[str, Bullet]) -> tuple[str, ...]:
    interval = f"{each.low:+.0%} to {each.high:+.0%}"
    mark = "*" if each.sure else ""
    return f"{each.effect:+.0%}", interval, str(each.batches), mark, _said(each.bullet, bullets)


def _causes(causes: Mapping[str, int]) -> str:
    if not causes:
        return ""
    rows = [(f"  {cause}", str(count)) for cause, count in causes.items()]
    return f"Why attempts at training samples failed\n{aligned(rows, right=(1,))}"


def _said(name: str, bullets: Mapping[str, Bullet]) -> str:
    content = bullets[name].content if name in bullets else "(not in this playbook)"
    return f"{name}: {shorten(content, 80, placeholder=' [...]')}"
