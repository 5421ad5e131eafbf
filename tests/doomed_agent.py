"""An agent in a process of its own, to be killed in the middle of an episode."""

from __future__ import annotations

from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import ace


def work_forever(path: Path, pipe: Connection) -> None:
    """Send a line for everything once it is acknowledged: episode, number of turns, feedback."""
    with ace.learner(path, None, name="doomed") as learner:
        for number in count():
            episode = learner.episode(f"Question {number}?", user="ann")
            for turn in range(1, 4):
                episode.tool("search", {"page": turn}, f"page {turn} of {number}")
                pipe.send((episode.id, turn, False))
            if number % 2:
                continue  # it is never finished
            episode.finish(f"answer {number}", right=False)
            pipe.send((episode.id, 3, True))
