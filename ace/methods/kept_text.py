"""One text as a playbook: how methods that keep a whole text ask for it, replace it, and word trials for it.

The text is a bullet in a section of the method's own, so it is versioned, resumed and exported as lessons
are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ace.llm.client import Client, Request, Role, Subject
from ace.llm.prompts import messages, question, quote_field, quote_text, render
from ace.llm.window import window_of
from ace.methods.guard import guard_delta
from ace.methods.protocol import Trial, Update
from ace.playbook.model import Add, Bullet, Delta, Playbook, Revise, bullet_id
from ace.runs.records import Proposal, Reason
from ace.settings import Settings
from ace.task.trajectory import show_trajectory

_MOST_TOKENS = 4_000  # of a text that is kept: some 2,500 words
_CHARACTERS = 3  # of a token, about, and rather too few


def find_text(playbook: Playbook, section: str) -> Bullet | None:
    """Return the bullet that holds the text of a section: the newest, where there are several."""
    bullets = [bullet for bullet in playbook.active if bullet.section == section]
    return bullets[-1] if bullets else None


def replace_text(playbook: Playbook, section: str, text: str, episodes: Sequence[str]) -> Delta:
    """Return the delta that makes a text that of a section, in the place of what it held."""
    old = find_text(playbook, section)
    if old is not None:
        return (Revise(old.id, text, tuple(episodes)),)
    salt = ""
    while bullet_id(section, text, salt) in playbook.bullets:  # it was there before, and was removed
        salt += "+"
    return (Add(bullet_id(section, text, salt), section, text, tuple(episodes)),)


def find_longest(client: Client, settings: Settings) -> int:
    """Return how many tokens a kept text may have, so that a prompt has room for four times as much."""
    window = window_of(client).tokens
    tokens = min(_MOST_TOKENS, settings.budget // 4)
    return tokens if window is None else min(tokens, window // 6)


def describe_trial(trial: Trial, longest: int) -> dict[str, str]:
    """Return the question, the answer and the outcome of a trial, quoted, some `longest` tokens together.

    The outcome is what the learner may see: with labels whether it was right, the score and the right answer.
    """
    feedback = trial.feedback
    verdict = {True: "right", False: "wrong", None: ""}[feedback.passed]
    if feedback.passed is False and feedback.score:
        verdict = f"{verdict}, score {feedback.score:.2f}"
    characters = longest * _CHARACTERS // 4  # of a quarter
    seen = quote_text(feedback.text, characters) if feedback.text else ""
    expected = quote_text(feedback.right_answer, characters)
    return {
        "question": question(trial.sample.question, characters),
        "answer": quote_field(show_trajectory(trial.attempt, longest // 2), 2 * characters),
        "outcome": "\n".join(filter(None, (verdict, seen, expected))),
    }


def ask_for_text(client: Client, prompt: str, longest: int, subject: Subject, **values: Any) -> str:
    """Return what the curator's model writes, at most `longest` tokens; "" where it writes nothing.

    `prompt` names two templates, for the system message and the user message; both are given `values`. Raises
    ModelError as the client does.
    """
    values["longest"] = longest
    system, user = (render("ace.methods", f"{prompt}.{part}", **values) for part in ("system", "user"))
    request = Request(role=Role.CURATOR, messages=messages(system, user), max_tokens=longest, subject=subject)
    return client.complete(request).text.strip()


def is_for_all(trial: Trial) -> bool:
    """Return whether what a trial holds may be kept for everybody: nothing of it is one user's."""
    return not trial.sample.owner and not trial.private


def record_text(
    name: str, trials: Sequence[Trial], delta: Delta, playbook: Playbook, failures: Sequence[Proposal] = ()
) -> Update:
    """Return the update of a method that takes what was written as it is: unproven.

    What asks to be obeyed waits in quarantine or is left out, and secrets are hidden. `failures` are records
    of what could not be had.
    """
    safe = guard_delta(delta, playbook, [text for trial in trials for text in trial.private])
    waits = len(safe) != len(delta)  # one was left out, or has a quarantine behind it
    proposal = Proposal(
        sample_id=trials[0].sample.id if trials else "",
        author=name,
        delta=safe or delta,
        outcome="accepted" if safe else "rejected",
        why="some of it asks to be obeyed, or holds what must not be kept" if waits else "taken as it is",
        episodes=tuple(trial.episode for trial in trials),
        reason=Reason.QUARANTINED if waits else Reason.KEPT_UNPROVEN,
    )
    proposals = (*failures, proposal) if delta else tuple(failures)
    return Update(delta=safe, proposals=proposals, author=name)
