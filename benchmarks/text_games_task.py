"""Write a task folder of games in text, with the commands that win each of them.

    python benchmarks/text_games_task.py textworld ../cooking --games cookingworld
    python benchmarks/text_games_task.py scienceworld ../science --games find-plant use-thermometer

Needs the extra of that name. Train, val and test are those of the packages; a game whose own commands do not
win it is left out. The same arguments always write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.task import Attempt, Sample
from ace.task.environments.worlds.text_game import COMMANDS, SCIENCEWORLD, TEXTWORLD, TextGameEnvironment
from ace.task.makers.add_task import write_folder
from ace.task.makers.draft import TaskDraft

TASK = """name = "{name}"
environment = "{kind}"
instructions = "You play a game in text, by typing commands. Look around first, then do what the task asks."

[solver]
kind = "tools"
steps = {steps}

[{kind}]
steps = {steps}
"""
KINDS = {"textworld": TEXTWORLD, "scienceworld": SCIENCEWORLD}
NUMBERS = {"textworld": "seed", "scienceworld": "variation"}
FOLDS = {"train": "train", "val": "dev", "test": "test"}


def find_rows(
    environment: TextGameEnvironment, kind: str, games: list[str], split: str, count: int
) -> list[dict[str, Any]]:
    """Return so many rows of a split, from each of the games in turn, with the commands that win them."""
    numbers = {game: environment.list_numbers(game)[split] for game in games}
    rows: list[dict[str, Any]] = []
    for place in range(max(map(len, numbers.values()))):
        for game in games:
            if len(rows) == count:
                return rows
            if place >= len(numbers[game]):
                continue
            number = numbers[game][place]
            fields: dict[str, Any] = {"game": game, NUMBERS[kind]: number}
            if kind == "textworld":
                fields["fold"] = FOLDS[split]
            row = win(environment, Sample(f"{game}-{number}", "?", fields))
            if row:
                rows.append(row)
    return rows


def win(environment: TextGameEnvironment, sample: Sample) -> dict[str, Any]:
    """Return the row of a game that its own commands win, else nothing."""
    task, gold = environment.find_gold(sample)
    attempt = Attempt(sample.id, "", artifacts={COMMANDS: json.dumps(gold)})
    if len(gold) > environment.steps or not environment.score(sample, attempt).correct:
        print(f"left out: {sample.id}", file=sys.stderr)
        return {}
    return {"id": sample.id, "question": " ".join(task.split()), **sample.data, "gold": gold}


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("target", type=Path, help="the folder to create")
    for split, size in (("train", 40), ("val", 20), ("test", 20)):
        parser.add_argument(f"--{split}", type=int, default=size, help=f"rows (default {size})")
    parser.add_argument("--games", nargs="+", required=True, help="names of games, or of tasks")
    parser.add_argument("--steps", type=int, default=60, help="commands of an attempt (default 60)")
    options = parser.parse_args()
    if options.target.exists():
        parser.error(f"{options.target} exists")
    environment = TextGameEnvironment(KINDS[options.kind], steps=options.steps, most=1)
    parts = {}
    for split in FOLDS:
        size = getattr(options, split)
        parts[split] = find_rows(environment, options.kind, options.games, split, size)
    toml = TASK.format(name=options.kind, kind=options.kind, steps=options.steps)
    draft = options.target.with_name(f"{options.target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a start that was cut off
    write_folder(draft, TaskDraft(toml=toml), parts)
    draft.rename(options.target)
    print(options.target, {split: len(rows) for split, rows in parts.items()})


if __name__ == "__main__":
    main()
