"""Multiple choice: the options of a question as lettered lines, and the letter of the right one.

The right answer of a data set may be a letter, a number from 0 or from 1, or the text of the option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ace.errors import InputError
from ace.task.new_task.row_table import RowTable

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Marking(StrEnum):
    """Name how a data set says which option is right."""

    TEXT = "the text of the option"
    LETTER = "the letter of the option"
    FROM_ZERO = "the number of the option, from 0"
    FROM_ONE = "the number of the option, from 1"


@dataclass(frozen=True, slots=True)
class Choices:
    """Read the options of rows, and what marks the right one."""

    columns: tuple[str, ...]
    """One column with a list, or a column for each option."""

    marking: Marking

    def options(self, values: Mapping[str, Any]) -> list[str]:
        """Return the options of a row, in order, without those that are empty."""
        return read_options(self.columns, values)

    def letter(self, values: Mapping[str, Any], answer: Any) -> str:
        """Return the letter of the right option. Raises ValueError where the answer marks none."""
        options = self.options(values)
        text = str(answer).strip()
        place = -1
        match self.marking:
            case Marking.TEXT:
                folded = [option.casefold() for option in options]
                place = folded.index(text.casefold()) if text.casefold() in folded else -1
            case Marking.LETTER:
                place = _LETTERS.find(text.upper()) if len(text) == 1 else -1
            case Marking.FROM_ZERO | Marking.FROM_ONE:
                number = int(text) if text.isdecimal() else -1
                place = number - (self.marking is Marking.FROM_ONE)
        if not 0 <= place < len(options):
            raise ValueError(f"{text!r:.40} marks none of its {len(options)} options")
        return _LETTERS[place]


def read_options(columns: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Return the options of a row: cells of several columns, or a list in one, also as {"text": [...]}."""
    cells: Any = [values.get(name, "") for name in columns]
    if len(columns) == 1:
        cells = cells[0]
        if isinstance(cells, dict):
            cells = cells.get("text", [])
        if not isinstance(cells, list):
            return []
    texts = [str(cell).strip() for cell in cells]
    return [text for text in texts if text][: len(_LETTERS)]


def find_choices(table: RowTable, columns: Sequence[str], answer: str) -> Choices:
    """Return how the rows of a table mark the right option: in the way that fits most of them.

    Raises InputError where no way fits nine of ten.
    """
    shares: dict[Marking, float] = {}
    for marking in Marking:
        choices = Choices(tuple(columns), marking)
        fitting = 0
        for row in table.rows:
            try:
                choices.letter(row.values, row.values.get(answer, ""))
            except ValueError:
                continue
            fitting += 1
        shares[marking] = fitting / max(len(table.rows), 1)
    # Where 1, 2 and 3 stand for four options, people who count from 0 would have used 0.
    numbers = {str(value).strip() for value in table.column(answer)}
    if "0" not in numbers and shares[Marking.FROM_ONE] >= shares[Marking.FROM_ZERO]:
        shares[Marking.FROM_ZERO] = 0.0
    best = max(shares, key=shares.__getitem__)
    if shares[best] < 0.9:
        message = (
            f"{table.file}: the options stand in {', '.join(columns)}, and {answer} marks none of them in "
            f"{1 - shares[best]:.0%} of the rows."
        )
        hint = "Expected a letter, a number or the text of an option. Name another column with --answer."
        raise InputError(message, hint=hint, field="answer")
    return Choices(tuple(columns), best)


def letter_options(question: str, options: Sequence[str]) -> str:
    """Return a question with its options below, a line each: "A) Paris"."""
    lines = [f"{letter}) {option}" for letter, option in zip(_LETTERS, options, strict=False)]
    return "\n".join([question.rstrip(), "", *lines])
