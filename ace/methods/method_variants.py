"""A method with options of its own, in one word: "ace+no-refine+tries=3". This is how ablations are named.

Behind the name of the method stand settings as on the command line without their dashes: `cite`, `tries=3`;
and `no-refine` or another part that `--without` names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ace.errors import InputError
from ace.methods import METHODS, find_method
from ace.settings import Command, Setting, Settings, settings_of

SHARED = ("feedback", "limit", "workers")
"""Settings that no variant may change: methods that see other samples or labels could not be compared."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Hold a method with its settings."""

    name: str
    """Its name as it is written, the options in the order of the alphabet."""

    method: str
    """A name of METHODS."""

    settings: Settings
    """What its runs take; the seed is that of the settings it was made from."""


def parse_variant(text: str, settings: Settings) -> Variant:
    """Read "METHOD+OPTION+OPTION=VALUE" as a method with `settings` that its options change.

    Raises InputError for an unknown method, an option that is none, and one that all methods must share.
    """
    method, *options = (part.strip() for part in text.split("+"))
    find_method(method)
    declared = {setting.name: setting for setting in settings_of(Command.COMPARE)}
    values: dict[str, Any] = {}
    for option in sorted(options):
        name, equals, word = option.partition("=")
        key = name.strip().replace("-", "_")
        negated = not equals and key.startswith("no_") and key not in declared
        if negated:
            key = key.removeprefix("no_")
            listing = next((each for each in declared.values() if key in list(each.about.parts or ())), None)
            if listing is not None and key not in declared:  # a part that learning goes without
                earlier = values.get(listing.name, getattr(settings, listing.name))
                values[listing.name] = ",".join(filter(None, (earlier, key)))
                continue
        if key in SHARED:
            raise InputError(f"{text}: {key} is the same for all methods.", hint=f"Give it as --{key}.")
        if key not in declared:
            names = ", ".join(each.replace("_", "-") for each in declared if each not in SHARED)
            raise InputError(f"{text}: there is no option {option!r}.", hint=f"There are: {names}.")
        if declared[key].type is not bool and not equals:
            raise InputError(f"{text}: {name} has no value.", hint=f"Write {name}=VALUE.")
        values[key] = _read_word(declared[key], word.strip()) if equals else not negated
    name = "+".join([method, *sorted(options)])
    return Variant(name, method, replace(settings, method=method, **values))


def _read_word(setting: Setting, word: str) -> Any:
    """Return a word as the value of a setting; what cannot be read stays, and the settings refuse it."""
    if word == "none" and setting.optional:
        return None
    if setting.type is bool:
        return {"true": True, "false": False}.get(word.lower(), word)
    try:
        return setting.type(word)
    except ValueError:
        return word


def list_variants(texts: Iterable[str], settings: Settings) -> list[Variant]:
    """Read several variants, each once, in their order. Raises InputError where there is none."""
    variants = {variant.name: variant for variant in (parse_variant(text, settings) for text in texts)}
    if not variants:
        raise InputError("There is no method to compare.", hint=f"Choose from: {', '.join(METHODS)}.")
    return list(variants.values())
