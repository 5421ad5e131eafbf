"""Methods supply context and learn, all behind one protocol. A new one is a line in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from ace.settings import Manner, Settings

__all__ = [
    "METHODS",
    "Bench",
    "Chore",
    "Equipment",
    "KnownMethod",
    "Lab",
    "Method",
    "Moment",
    "Stateless",
    "Summary",
    "Trial",
    "Update",
    "build_method",
    "find_method",
]


@dataclass(frozen=True, slots=True)
class KnownMethod:
    """Say how a method is built, and what there is to know of it before it is."""

    build: Callable[[RoleModels, Settings, Equipment], Method]

    manner: Manner | None = None
    """How it asks for an answer, where that is not as the task wants it."""

    learns: bool = True
    """False: a training sample is attempted in vain, and a comparison lets it answer at once."""

    prompts: tuple[str, ...] = ()
    """The packages whose `prompts/` it words its requests with; their hash stands in a run's record."""


_OWN_PROMPTS = ("ace.methods",)

METHODS: Mapping[str, KnownMethod] = MappingProxyType(
    {
        "ace": KnownMethod(build_ace, prompts=("ace.methods.ace",)),
        "zero_shot": KnownMethod(build_zero_shot, learns=False),
        "chain_of_thought": KnownMethod(
            partial(build_zero_shot, name="chain_of_thought"), Manner.THINK_FIRST, learns=False
        ),
        "self_refine": KnownMethod(
            partial(build_zero_shot, name="self_refine"), Manner.SELF_REFINE, learns=False
        ),
        "best_of_n": KnownMethod(partial(build_zero_shot, name="best_of_n"), Manner.BEST_OF_N, learns=False),
        "few_shot": KnownMethod(build_few_shot),
        "few_shot_nearest": KnownMethod(partial(build_few_shot, nearest=True)),
        "raw_episodes": KnownMethod(build_raw_episodes),
        "raw_episodes_nearest": KnownMethod(partial(build_raw_episodes, nearest=True)),
        "rewrite": KnownMethod(build_rewrite, prompts=_OWN_PROMPTS),
        "cheatsheet": KnownMethod(build_cheatsheet, prompts=_OWN_PROMPTS),
        "cheatsheet_retrieval": KnownMethod(partial(build_cheatsheet, retrieval=True), prompts=_OWN_PROMPTS),
        "ace_published": KnownMethod(build_published, prompts=_OWN_PROMPTS),
        "gepa": KnownMethod(build_gepa),
    }
)


def build_method(models: RoleModels, settings: Settings, equipment: Equipment | None = None) -> Method:
    """Return the method that `settings.method` names. Raises InputError for a name that is not in METHODS."""
    return find_method(settings.method).build(models, settings, equipment or Equipment())


def find_method(name: str) -> KnownMethod:
    """Return what is known of a method. Raises InputError for a name that is not in METHODS."""
    if name not in METHODS:
        names = ", ".join(METHODS)
        raise InputError(f"There is no method {name!r}.", hint=f"Choose from: {names}.")
    return METHODS[name]
