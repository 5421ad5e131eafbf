"""Runs tasks of ScienceWorld (Wang et al., arXiv 2203.07540) for `text_game`."""

from __future__ import annotations

from typing import Any

from ace.task.environments.worlds.serve_world import GAME_REQUESTS, find_java, require, serve


class ScienceWorld:
    """Hold one task at a time. The Java process behind it is started once."""

    def __init__(self) -> None:
        require("scienceworld", "scienceworld")
        find_java()
        from scienceworld import ScienceWorldEnv

        self.tasks = ScienceWorldEnv("", envStepLimit=1_000_000)

    def numbers(self, game: str) -> dict[str, list[int]]:
        """Return the variations of a task's splits."""
        self.tasks.load(game, 0, "easy")
        return {
            "train": self.tasks.get_variations_train(),
            "val": self.tasks.get_variations_dev(),
            "test": self.tasks.get_variations_test(),
        }

    def start(
        self, game: str, variation: int, simplifications: str = "easy", gold: bool = False
    ) -> dict[str, Any]:
        """Begin a task; return its text, the first sight, and with `gold` the commands that win it."""
        names = self.tasks.get_task_names()
        if game not in names:
            raise ValueError(f"there is no task {game}; there are {', '.join(names)}")
        most = self.tasks.get_max_variations(game)
        if variation not in range(most):
            raise ValueError(f"{game} has the variations 0 to {most - 1}")
        self.tasks.load(game, variation, simplifications, generateGoldPath=gold)
        self.tasks.server.reset()
        text = str(self.tasks.server.step("look around"))  # as the package begins; gold commands count on it
        commands = self.tasks.get_gold_action_sequence() if gold else []
        task = self.tasks.taskdescription().removeprefix("Task Description:").strip()
        return {"task": task, "text": text, "gold": commands}

    def act(self, command: str) -> dict[str, Any]:
        """Type a command; return what the world says, and whether the task is over.

        The package's own step would list tens of thousands of commands each time, so it is left out.
        """
        server = self.tasks.server
        text = str(server.step(command))
        return {"text": text, "ended": bool(server.getCompleted()) or float(server.getScore()) < 0}

    def show(self, what: str) -> Any:
        """Return the sight, the inventory, or the forms of commands and the objects at hand. Takes no time.

        All combinations of forms and objects would be thousands.
        """
        if what == "commands":
            forms, objects = self.tasks.get_possible_actions(), self.tasks.get_possible_objects()
            return {"commands": sorted(forms), "OBJ": sorted(objects)}
        return str(self.tasks.look() if what == "look" else self.tasks.inventory())

    def score(self) -> float:
        """Return the score, from 0 to 1; a task that was failed has less."""
        return float(self.tasks.server.getScore())


if __name__ == "__main__":
    serve(ScienceWorld, GAME_REQUESTS)
