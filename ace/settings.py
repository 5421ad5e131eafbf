"""The one declaration of a run's options: `Settings`, with their help, bounds, units and commands.

The keywords of the Python interface and the options of the command line are derived from it. It does not
know what the options do: the loops and the methods read them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum, StrEnum
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from ace.errors import InputError


class Command(StrEnum):
    """Name what takes a setting: a command, or a function of the Python interface.

    The values are the words of the command line after `ace`.
    """

    LEARN = "learn"
    COMPARE = "compare"
    ONLINE = "online"
    EVAL = "eval"
    SERVE = "serve"
    CONTEXT = "context show"


class FeedbackKind(StrEnum):
    """Say what a learner sees: LABELS gold answers and the match, EXECUTION what the environment shows."""

    LABELS = "labels"
    EXECUTION = "execution"
    NONE = "none"


class Profile(StrEnum):
    """Choose how much the learning roles are asked for: SMALL one line, FULL a diagnosis and candidates."""

    SMALL = "small"
    FULL = "full"


class Accept(StrEnum):
    """Choose when a version is selected: STRICT if clearly better, BEST if at least as good, ALWAYS."""

    STRICT = "strict"
    BEST = "best"
    ALWAYS = "always"


class Select(StrEnum):
    """Choose what is shown of a playbook that does not fit: HYBRID by the question, OLDEST by age."""

    HYBRID = "hybrid"
    OLDEST = "oldest"


class ExecutorKind(StrEnum):
    """Choose where samples in flight are worked on: THREADS of this process, or tasks of a RAY cluster."""

    THREADS = "threads"
    RAY = "ray"


class Part(StrEnum):
    """Name what learning can do without, so that its worth can be measured."""

    PROOF = "proof"  # attempts with a lesson: the first one is kept as it comes
    TRANSFER = "transfer"  # a second sample that a lesson makes right
    GUARD = "guard"  # samples that a lesson must not break
    BATCH = "batch"  # one reflection on several failures
    REFINE = "refine"  # after each epoch, duplicates joined and sections shortened


class Manner(Enum):
    """Name the manners of asking that a method may want, where an attempt takes one call."""

    THINK_FIRST = "thoughts first, then the answer"
    SELF_REFINE = "answers, each criticised and mended by the model itself"
    BEST_OF_N = "the answer that most of several agree on"


class Split(StrEnum):
    """Name a part of a task's samples."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


SINGLE_RUNS = (Command.LEARN, Command.ONLINE, Command.EVAL, Command.SERVE)
RUNS = (*SINGLE_RUNS, Command.COMPARE)
READERS = (*RUNS, Command.CONTEXT)
LEARNERS = (Command.LEARN, Command.ONLINE, Command.SERVE, Command.COMPARE)
STREAMS = (Command.ONLINE, Command.SERVE)
OFFLINE = (Command.LEARN, Command.COMPARE)
REMOVED: Mapping[str, Any] = {
    "rerun": False,
    "graduate": 1,
    "evict": 3,
    "recheck": 8,
    "validate_every": None,
    "merge": False,
    "verify": True,
    "refine": True,
}
"""Settings that runs of earlier releases recorded, each with the value that every run now goes by."""


@dataclass(frozen=True, slots=True)
class About:
    """Describe one setting beside its type and default: the metadata of a field of `Settings`."""

    help: str
    commands: tuple[Command, ...]
    least: float | None = None
    most: float | None = None
    unit: str = "N"
    unset: str = ""
    """What happens with None, as in "[default: ...]"."""
    parts: type[StrEnum] | None = None
    """What a text names some of, with commas between them; None for a text of any kind."""
    defaults: Mapping[Command, Any] = field(default_factory=dict)
    """The defaults of commands for which the field's is not right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold the options of a run, checked. `Settings.of` fills in the defaults of one command.

    Raises InputError for a value of another type or out of bounds. What each means is said in its `About`,
    and in docs/settings.md.
    """

    method: Annotated[str, About("The method that learns.", SINGLE_RUNS, unit="NAME")] = "ace"
    examples: Annotated[int, About("Examples that the few-shot methods show.", RUNS, least=1)] = 8
    calls: Annotated[
        int | None,
        About(
            "Calls of all roles that learning may take, then it ends; scoring takes none of them.",
            (Command.LEARN, Command.ONLINE, Command.COMPARE),
            least=0,
            unset="no limit",
        ),
    ] = None
    answers: Annotated[
        int, About("Answers to a question that best_of_n votes on, and self_refine writes.", RUNS, least=1)
    ] = 4
    seed: Annotated[int, About("Same seed and batch size, same versions.", SINGLE_RUNS)] = 0
    limit: Annotated[
        int | None,
        About(
            "Use only this many samples of each split.",
            (Command.LEARN, Command.ONLINE, Command.EVAL, Command.COMPARE),
            least=1,
            unset="all",
        ),
    ] = None
    workers: Annotated[int, About("Samples in flight at once; slots of a local/ model.", RUNS, least=1)] = 4
    executor: Annotated[ExecutorKind, About("Threads, or tasks of Ray.", RUNS)] = ExecutorKind.THREADS
    ray_address: Annotated[
        str | None, About("Head of a Ray cluster, or auto.", RUNS, unit="HOST:PORT", unset="this machine")
    ] = None
    budget: Annotated[
        int, About("Tokens of a whole prompt at most; fewer if the model reads fewer.", READERS, least=1)
    ] = 10_000
    select: Annotated[
        Select, About("Which bullets to show when not all fit: by question, or by age.", READERS)
    ] = Select.HYBRID
    top: Annotated[
        int | None,
        About("Show at most so many bullets, the nearest to the question.", READERS, least=1, unset="all"),
    ] = None
    cite: Annotated[
        bool, About("Show the ids of bullets to the generator, and ask which it used.", READERS)
    ] = False
    feedback: Annotated[FeedbackKind, About("What the learner may see of an outcome.", LEARNERS)] = (
        FeedbackKind.LABELS
    )
    profile: Annotated[
        Profile | None,
        About(
            "What the learning roles are asked for: one line, or a diagnosis with candidates.",
            LEARNERS,
            unset="full, if the model reads 16,000 tokens",
        ),
    ] = None
    rollouts: Annotated[
        int, About("Attempts at a sample that failed, to compare a right one with it.", LEARNERS, least=1)
    ] = 1
    tries: Annotated[int, About("Candidate lessons per mistake.", LEARNERS, least=1)] = 2
    neighbours: Annotated[int, About("Earlier samples that a lesson must not break.", LEARNERS, least=0)] = 1
    compose: Annotated[
        bool, About("Try lessons on a question made of two, where the environment makes one.", LEARNERS)
    ] = False
    agreement: Annotated[
        int, About("Attempts of which most must agree, where there are no labels.", LEARNERS, least=1)
    ] = 3
    without: Annotated[
        str | None,
        About(
            f"Learn without some of {', '.join(Part)}, to see what they are worth.",
            LEARNERS,
            unit="PART,...",
            unset="with all",
            parts=Part,
        ),
    ] = None
    batch_size: Annotated[
        int,
        About(
            "Samples that share one playbook version.",
            LEARNERS,
            least=1,
            defaults={Command.ONLINE: 1, Command.SERVE: 1},
        ),
    ] = 8
    epochs: Annotated[int, About("Passes over the training set.", OFFLINE, least=1)] = 1
    replays: Annotated[
        int, About("Times that samples still wrong come back in an epoch.", OFFLINE, least=0)
    ] = 1
    validate: Annotated[
        bool | None,
        About("Choose the version by the validation set.", OFFLINE, unset="if there is more than one epoch"),
    ] = None
    accept: Annotated[
        Accept, About("Select a version if clearly better, if at least as good, or always.", OFFLINE)
    ] = Accept.BEST
    measure: Annotated[bool, About("Score the test questions before and after.", (Command.LEARN,))] = True
    split: Annotated[Split, About("Which samples to score.", (Command.EVAL,))] = Split.TEST
    window: Annotated[int, About("Answers that count for the latest accuracy.", STREAMS, least=1)] = 20
    drift: Annotated[
        bool, About("When answers get worse, let what was learned prove itself again.", STREAMS)
    ] = True
    behind: Annotated[
        bool, About("Learn in a background thread, so that answers do not wait.", (Command.ONLINE,))
    ] = False
    waiting: Annotated[
        int, About("With --behind: answers that may wait to be learned from.", (Command.ONLINE,), least=1)
    ] = 16

    def __post_init__(self) -> None:
        for setting in declared_settings().values():
            value = setting.check(getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)

    @classmethod
    def of(
        cls, command: Command, values: Mapping[str, Any], *, beside: Collection[str] = (), caller: str = ""
    ) -> Settings:
        """Return the settings of one command: `values`, and its defaults for the rest.

        `beside` names what else the caller takes, for advice, and `caller` is what errors call it.
        Raises InputError for a name that the command does not take, and for a value out of bounds.
        """
        taken = {setting.name: setting for setting in settings_of(command)}
        for name in values:
            if name not in taken:
                raise _unknown_setting(caller or command, name, [*taken, *beside])
        defaults = {name: setting.default_for(command) for name, setting in taken.items()}
        return cls(**{**defaults, **values})

    def has(self, part: Part) -> bool:
        """Return whether learning does not go without a part."""
        return part not in (self.without or "").split(",")

    def record(self) -> dict[str, Any]:
        """Return what decides the outcome of a run, as JSON: who works on it, and where, does not.

        A run is resumed only with the same values.
        """
        values = asdict(self)
        del values["workers"], values["executor"], values["ray_address"]
        return values


@dataclass(frozen=True, slots=True)
class Setting:
    """Describe one field of `Settings` with all that an interface needs to offer it.

    `type` is the one behind `optional`, which says that None is a value, too. `default` is that of the field.
    """

    name: str
    type: type[bool] | type[int] | type[float] | type[str]
    optional: bool
    default: Any
    about: About

    def default_for(self, command: Command) -> Any:
        """Return the default that a command gives it."""
        return self.about.defaults.get(command, self.default)

    @property
    def annotation(self) -> Any:
        """Return its type as written in a signature, with None where that is a value."""
        return self.type | None if self.optional else self.type

    @property
    def help(self) -> str:
        """Return its help sentence, which says what None stands for."""
        if not self.about.unset:
            return self.about.help
        return f"{self.about.help}  [default: {self.about.unset}]"

    def check(self, value: Any) -> Any:
        """Return the value in its own type. Raises InputError with the name, the value and what to give."""
        if self.optional and (value is None or (self.about.parts and not value)):
            return None
        converted = self._convert(value)
        least, most = self.about.least, self.about.most
        is_valid = converted is not None
        if is_valid and least is not None:
            is_valid = converted >= least
        if is_valid and most is not None:
            is_valid = converted <= most
        if not is_valid:
            text = str(value) if isinstance(value, (bool, int, float)) else repr(value)
            raise InputError(f"{self.name} is {text}.", hint=f"{self._advise()}.")
        return converted

    def _convert(self, value: Any) -> Any:
        """Return the value as this type, or None where it is of another."""
        if issubclass(self.type, StrEnum):
            return self.type(value) if value in list(self.type) else None
        if self.about.parts is not None:
            if isinstance(value, str):
                value = value.split(",")
            names = {str(name).strip() for name in value} if isinstance(value, Collection) else {""}
            known = [part.value for part in self.about.parts]
            return ",".join(sorted(names, key=known.index)) if names <= set(known) else None
        if self.type in (bool, str):
            return value if isinstance(value, self.type) else None
        if isinstance(value, bool):
            return None
        if self.type is int:
            return int(value) if isinstance(value, Integral) else None
        return float(value) if isinstance(value, Real) else None

    def _advise(self) -> str:
        """Say what to give instead, as a sentence without its stop."""
        if issubclass(self.type, StrEnum):
            *others, last = self.type
            text = f"Use {', '.join(others)} or {last}"
        elif self.about.parts is not None:
            text = f"Name some of {', '.join(self.about.parts)}, with commas between them"
        elif self.type is bool:
            text = "Give True or False"
        elif self.type is str:
            text = "Give a name"
        elif self.about.most is not None:
            text = f"Give a number from {self.about.least} to {self.about.most}"
        else:
            text = "Give a whole number"
            if self.about.least is not None:
                text = f"{text}, at least {self.about.least}"
        if self.optional:
            text = f"{text}, or None ({self.about.unset})"
        return text


@cache
def declared_settings() -> Mapping[str, Setting]:
    """Return every setting by its name, in the order of their declaration."""
    hints = get_type_hints(Settings, include_extras=True)
    settings = {}
    for item in fields(Settings):
        annotation, about = get_args(hints[item.name])
        optional = get_origin(annotation) is not None
        if optional:
            annotation = next(member for member in get_args(annotation) if member is not NoneType)
        settings[item.name] = Setting(item.name, annotation, optional, item.default, about)
    return settings


def settings_of(command: Command) -> Iterator[Setting]:
    """Yield the settings that a command takes, in the order of their declaration."""
    for setting in declared_settings().values():
        if command in setting.about.commands:
            yield setting


def _unknown_setting(command: str, name: str, taken: Collection[str]) -> InputError:
    """Return the error for a name that is none: where it belongs, what comes close, or what there is."""
    from difflib import get_close_matches

    everywhere = declared_settings()
    close = get_close_matches(name, taken, n=1) or get_close_matches(name, everywhere, n=1)
    if name in everywhere:
        hint = f"It is for {' and '.join(everywhere[name].about.commands)}."
    else:
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(taken)}."
    return InputError(f"`{command}` takes no setting {name!r}.", hint=hint)
