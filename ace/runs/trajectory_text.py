"""One attempt as text for people: the question, every step with its result, and how it was judged."""

from __future__ import annotations

from textwrap import indent

from ace.runs.run_text import format_count
from ace.task.attempt import Turn, TurnKind
from ace.task.trajectory import shorten_middle
from ace.task.types import Episode

_LONGEST = 2_000  # characters of one text


def render_episode(episode: Episode) -> str:
    """Return question, turns, answer, judgement and tokens, each turn with its number."""
    attempt, feedback = episode.attempt, episode.feedback
    verdict = "right" if episode.verdict.correct else f"wrong, score {episode.verdict.score:.2f}"
    lines = [
        f"episode {episode.id}, sample {episode.sample_id}, version {episode.context_version}: {verdict}",
        "",
        shorten_middle(episode.question, _LONGEST),
        "",
    ]
    for number, turn in enumerate(attempt.turns, start=1):
        lines += _render_turn(number, turn)
    if attempt.reasoning:
        lines += ["thought", indent(shorten_middle(attempt.reasoning, _LONGEST), "    ")]
    if attempt.answer:
        lines += ["answer", indent(shorten_middle(attempt.answer, _LONGEST), "    ")]
    if attempt.error:
        lines += [f"error: {attempt.error}"]
    lines.append("")
    if feedback.right_answer:
        lines.append(feedback.right_answer)
    lines += [f"missing: {fact.text}" for fact in feedback.missing]
    counted = [turn.tokens for turn in attempt.turns if turn.tokens]
    if counted:
        read, written = map(sum, zip(*counted, strict=True))
        lines.append(f"{format_count(len(counted), 'model call')}: {read:,} tokens read, {written:,} written")
    return "\n".join(lines).strip()


def _render_turn(number: int, turn: Turn) -> list[str]:
    """Return the lines of a turn: what was said or called, and below it what came back."""
    who = f"{turn.agent}: " if turn.agent else ""
    if turn.kind is not TurnKind.TOOL:
        return [f"{number:>3}  {who}{turn.kind.value}", indent(shorten_middle(turn.text, _LONGEST), "     ")]
    mark = "✗ " if turn.failed else ""
    call = f"{turn.tool}({turn.arguments})" if turn.tool else turn.arguments
    tokens = f"   [{turn.tokens[0]:,} tokens read, {turn.tokens[1]:,} written]" if turn.tokens else ""
    lines = [f"{number:>3}  {who}{shorten_middle(call, _LONGEST)}{tokens}"]
    if turn.text:
        lines.append(indent(shorten_middle(turn.text, _LONGEST), "     "))
    return [*lines, indent(f"{mark}{shorten_middle(turn.observation, _LONGEST)}", "     ")]
