"""Writes the task.toml of a started task, with comments for whoever edits it."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from ace.task.environments.scorers import OPTIONS
from ace.task.new_task.scoring_proposal import AnswerForm, ScoringProposal

_OTHERS = {
    "exact": "the same text, but for case and spaces",
    "numeric": "the same number, however it is written",
    "short": "the right words or number, with few others around",
    "labels": "a list of labels",
    "json": "the same JSON value",
}
_HINTS = {
    "case": ("false", "whether capitals count"),
    "tolerance": ("0", 'what a number may be off by: an amount, or a share as "1%"'),
    "ordered": ("true", "whether labels must stand in their order"),
}


def write_toml(name: str, scoring: ScoringProposal, source: str) -> str:
    """Return task.toml without its splits, which `write_folder` adds under [data]."""
    lines = [
        *_comment(
            f"Written by `ace init` from {_quote(source)}. Edit it: every key is in docs/task-format.md, and "
            "`ace tasks check` says whether all is well."
        ),
        "",
        "# The playbook file is called after it.",
        f"name = {_quote(name)}",
        "# An answer is compared with the right one.",
        'environment = "answer"',
        "",
        "# What the agent is told before every question: what form an answer has, and nothing that it should",
        "# learn by itself.",
        f"instructions = {_quote(scoring.instructions)}",
        "",
        "# An answer that is longer is cut off, in tokens.",
        f"max_tokens = {2048 if scoring.form is AnswerForm.TEXT else 1024}",
        "",
        *_write_answer_table(scoring),
        "",
        "# Rows as JSON lines: train is learned from, val chooses a version, test is only ever scored.",
        "# No question may stand in two of them.",
    ]
    return "\n".join(lines)


def _write_answer_table(scoring: ScoringProposal) -> list[str]:
    """Return the lines of [answer]: the scorer with its options, and the extraction, each with its reason."""
    lines = [
        "[answer]",
        *_comment(f"Why {scoring.scorer}: {scoring.why_scorer}."),
        *[f"#   {scorer:<8} {about}" for scorer, about in _OTHERS.items()],
    ]
    if scoring.warning:
        lines += _comment(scoring.warning)
    lines.append(f"scorer = {_quote(scoring.scorer)}")
    for option in OPTIONS.get(scoring.scorer, ()):
        default, about = _HINTS[option]
        value = scoring.options.get(option)
        setting = f"# {option} = {default}" if value is None else f"{option} = {json.dumps(value)}"
        lines.append(f"{setting:<24}# {about}")
    lines.append("")
    if scoring.extract:
        lines += _comment(f"Where the answer stands in a reply: {scoring.why_extract}.")
        lines.append(f"extract = {_quote(scoring.extract)}")
    else:
        lines += _comment(f"The whole reply is the answer: {scoring.why_extract}.")
        lines.append('# extract = "last line"   # or "json:FIELD", or "regex:ANSWER: (.+)"')
    return lines


def _comment(text: str) -> list[str]:
    """Return a text as comment lines that fit a page."""
    return textwrap.wrap(text, 110, initial_indent="# ", subsequent_indent="# ")


def _quote(text: Any) -> str:
    """Return a text as TOML: as JSON has it, but for one control character that only JSON allows."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
