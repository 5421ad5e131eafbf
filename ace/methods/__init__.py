"""Methods supply context and learn, all behind one protocol. A new one is a line in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from ace.errors import InputError
from ace.llm.role_models import RoleModels
from ace.methods.ace.method import build_ace
from ace.methods.dynamic_cheatsheet import build_cheatsheet
from ace.methods.few_shot import build_few_shot
from ace.methods.gepa import build_gepa
from ace.methods.protocol import Bench, Chore, Equipment, Lab, Method, Moment, Summary, Trial, Update
from ace.methods.published import build_published
from ace.methods.raw_episodes import build_raw_episodes
from ace.methods.rewrite import build_rewrite
from ace.methods.stateless import Stateless
from ace.methods.zero_shot import build_zero_shot
from ace.settings import Settings

__all__ = [
    "LEARNS_NOTHING",
    "METHODS",
    "Bench",
    "Chore",
    "Equipment",
    "Lab",
    "Method",
    "Moment",
    "Stateless",
    "Summary",
    "Trial",
    "Update",
    "build_method",
    "check_method",
    "prompt_packages",
]

METHODS: Mapping[str, Callable[[RoleModels, Settings, Equipment], Method]] = MappingProxyType(
    {
        "ace": build_ace,
        "zero_shot": build_zero_shot,
        "chain_of_thought": partial(build_zero_shot, name="chain_of_thought"),
        "self_refine": partial(build_zero_shot, name="self_refine"),
        "best_of_n": partial(build_zero_shot, name="best_of_n"),
        "few_shot": build_few_shot,
        "few_shot_nearest": partial(build_few_shot, nearest=True),
        "raw_episodes": build_raw_episodes,
        "raw_episodes_nearest": partial(build_raw_episodes, nearest=True),
        "rewrite": build_rewrite,
        "cheatsheet": build_cheatsheet,
        "cheatsheet_retrieval": partial(build_cheatsheet, retrieval=True),
        "ace_published": build_published,
        "gepa": build_gepa,
    }
)
_PROMPTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ace": ("ace.methods.ace",),
        **dict.fromkeys(("rewrite", "cheatsheet", "cheatsheet_retrieval", "ace_published"), ("ace.methods",)),
    }
)
LEARNS_NOTHING = frozenset({"zero_shot", "chain_of_thought", "self_refine", "best_of_n"})
"""The methods for which a training sample is attempted in vain: a comparison lets them answer at once."""


def prompt_packages(name: str) -> tuple[str, ...]:
    """Return the packages whose `prompts/` a method words its requests with; their hash stands in a run's
    record.
    """
    return _PROMPTS.get(name, ())


def build_method(models: RoleModels, settings: Settings, equipment: Equipment | None = None) -> Method:
    """Return the method that `settings.method` names. Raises InputError for a name that is not in METHODS."""
    check_method(settings.method)
    return METHODS[settings.method](models, settings, equipment or Equipment())


def check_method(name: str) -> None:
    """Raise InputError for a name that is not in METHODS."""
    if name not in METHODS:
        names = ", ".join(METHODS)
        raise InputError(f"There is no method {name!r}.", hint=f"Choose from: {names}.")
