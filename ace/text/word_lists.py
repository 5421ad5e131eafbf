"""Word lists of a language, read from its data file (`english.toml`). A new language is a new file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from ace.errors import InputError

CLOSED_CLASSES = ("articles", "conjunctions", "prepositions", "auxiliaries", "questions", "pronouns")
"""Stop words that stand for nobody and claim nothing: for rules that must stay strict."""


@cache
def stop_words(language: str = "english", *classes: str) -> frozenset[str]:
    """Return the words that say nothing of their own, lower case; of the `classes` given, or of all.

    Raises InputError for a language without lists, or an unknown class.
    """
    by_class = _read_language(language)["stop_words"]
    words = set[str]()
    for name in classes or by_class:
        if name not in by_class:
            hint = f"Use some of {', '.join(by_class)}."
            raise InputError(f"No class {name!r} of stop words for {language}.", hint=hint)
        words.update(by_class[name].split())
    return frozenset(words)


def word_list(name: str, language: str = "english") -> tuple[str, ...]:
    """Return one list of a language, in the order of its file. Raises InputError where there is none."""
    lists = _read_language(language)["lists"]
    if name not in lists:
        raise InputError(f"No word list {name!r} for {language}.", hint=f"Use one of {', '.join(lists)}.")
    return tuple(lists[name].split())


@cache
def irregular_forms(language: str = "english") -> Mapping[str, str]:
    """Map irregular forms to their base form; empty for a language without lists."""
    try:
        table = _read_language(language)["irregular"]
    except InputError:
        return {}
    return {form: base for base, forms in table.items() for form in forms.split()}


@cache
def _read_language(language: str) -> dict[str, dict[str, str]]:
    """Return the tables of a language's file. Raises InputError where there is none."""
    file = files("ace.text").joinpath(f"{language}.toml")
    if not language.isalpha() or not file.is_file():
        hint = f"Add {language}.toml beside ace/text/english.toml, with the same tables."
        raise InputError(f"No word lists for {language!r:.40}.", hint=hint)
    return tomllib.loads(file.read_text("utf-8"))
