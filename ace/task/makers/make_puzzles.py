"""Puzzles that check themselves: equations whose signs are missing, and the game of 24."""

from __future__ import annotations

from ace.task.environments.arithmetic import find_expression, read_puzzle
from ace.task.makers.draft import MakeOptions, Row, TaskDraft
from ace.task.makers.source_data import SourceData

_TASK = '''name = "{name}"
environment = "arithmetic"
max_tokens = 300
instructions = """
{instructions}"""

[arithmetic]
'''
_BALANCE = """Put one of + - * / in place of every ? so that the equation holds. Products and quotients come
before sums and differences; the numbers keep their order, and there are no brackets. End with the whole
equation on one line."""
_GAME = """Use each of the four numbers once, with + - * / and brackets, so that the result is 24. End with
the whole equation on one line, as (1 + 2) * (3 + 5) = 24."""
_PUBLISHED = range(901, 1001)  # the ranks of the puzzles that the paper tests on


def make_balancer(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the equations, each once."""
    rows: dict[str, Row] = {}
    left_out: dict[str, str] = {}
    for place, entry in source.read_rows(
        "math_equation_balancer.jsonl", {"input": str, "target": str}
    ).items():
        question, name = entry["input"], f"balance-{place + 1}"
        numbers, value = read_puzzle(question)
        if not numbers:
            left_out[name] = "it is no puzzle such as '3 ? 4 = 7'"
        elif question in rows:
            left_out[name] = f"it is {rows[question]['id']} again"
        else:
            fields = {"numbers": numbers, "value": value, "ordered": True}
            rows[question] = {"id": name, "question": question, **fields, "answer": entry["target"]}
    toml = _TASK.format(name="equation_balancer", instructions=_BALANCE)
    return TaskDraft(toml=toml, learning=list(rows.values()), left_out=left_out)


def make_game(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the games of 24, those that the paper tests on held out. Answers are worked out here."""
    learning: list[Row] = []
    held_out: list[Row] = []
    left_out: dict[str, str] = {}
    for entry in source.read_table("game24.csv", ("Rank", "Puzzles")):
        rank, puzzle = entry["Rank"].strip(), entry["Puzzles"]
        words = puzzle.split()
        numbers = [int(word) for word in words if word.isdecimal()]
        expression = find_expression(numbers, 24) if len(numbers) == len(words) == 4 else ""
        if not expression:
            left_out[f"game-{rank}"] = f"{puzzle!r:.40} does not make 24"
            continue
        fields = {"numbers": numbers, "value": 24, "ordered": False, "answer": f"{expression} = 24"}
        row = {"id": f"game-{rank}", "question": f"Make 24 of {' '.join(words)}.", **fields}
        (held_out if rank.isdecimal() and int(rank) in _PUBLISHED else learning).append(row)
    toml = _TASK.format(name="game_of_24", instructions=_GAME)
    return TaskDraft(toml=toml, learning=learning, held_out=held_out, left_out=left_out)
