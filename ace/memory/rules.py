"""Patterns that rules for memories and summaries look for, read from rules.toml. Pure."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from ace.text.word_lists import word_list


@cache
def compile_rule(name: str) -> re.Pattern[str]:
    """Return one pattern that matches where any expression of the list `name` does, whatever the case.

    In the file <'> stands for any apostrophe, and <day> for the name of a weekday.
    """
    expressions = "|".join(read_list(name)).replace("<'>", "['\u2019]")
    expressions = expressions.replace("<day>", f"(?:{'|'.join(word_list('days'))})")
    return re.compile(expressions, re.IGNORECASE)


@cache
def read_list(name: str) -> tuple[str, ...]:
    """Return the entries of the list `name`, as they stand in the file.

    Raises KeyError for a list that is not there.
    """
    lists = tomllib.loads(files("ace.memory").joinpath("rules.toml").read_text("utf-8"))
    return tuple(lists[name])
