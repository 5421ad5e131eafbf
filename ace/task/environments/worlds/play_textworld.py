"""Runs games of TextWorldExpress (Jansen and Côté, arXiv 2208.01174) for `text_game`."""

from __future__ import annotations

from typing import Any

from ace.task.environments.worlds.serve_world import GAME_REQUESTS, find_java, require, serve


class TextWorld:
    """Hold one game at a time. The Java process behind it is started once."""

    def __init__(self) -> None:
        require("textworld_express", "textworld")
        find_java()
        from textworld_express import TextWorldExpressEnv

        self.games = TextWorldExpressEnv(envStepLimit=1_000_000)
        self.info: dict[str, Any] = {}

    def numbers(self, game: str) -> dict[str, list[int]]:
        """Return the seeds of a game's splits."""
        self.games.load(game, "")
        return {
            "train": self.games.getValidSeedsTrain(),
            "val": self.games.getValidSeedsDev(),
            "test": self.games.getValidSeedsTest(),
        }

    def start(
        self, game: str, seed: int, fold: str = "train", parameters: str = "", gold: bool = False
    ) -> dict[str, Any]:
        """Begin a game; return its task, the first sight, and with `gold` the commands that win it."""
        if game not in self.games.getGameNames():
            raise ValueError(f"there is no game {game}; there are {', '.join(self.games.getGameNames())}")
        text, self.info = self.games.reset(
            seed=seed, gameFold=fold, gameName=game, gameParams=parameters, generateGoldPath=gold
        )
        commands = self.games.getGoldActionSequence() if gold else []
        return {"task": self.info["taskDescription"], "text": text, "gold": commands}

    def act(self, command: str) -> dict[str, Any]:
        """Type a command; return what the game says, and whether it is over."""
        text, _, ended, self.info = self.games.step(command)
        return {"text": text, "ended": ended}

    def show(self, what: str) -> Any:
        """Return the sight, the inventory, or the commands that are understood now. Takes no time."""
        if what == "commands":
            return {"commands": sorted(self.info["validActions"])}
        return str(self.info[what])

    def score(self) -> float:
        """Return the game's score, from 0 to 1; a game that is lost has less."""
        return float(self.info["score"])


if __name__ == "__main__":
    serve(TextWorld, GAME_REQUESTS)
