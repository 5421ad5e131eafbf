"""The options that several commands share, and how settings and options become a command's parameters."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeVar, get_type_hints

import typer

from ace.cli.completion import complete_model, complete_run, complete_task
from ace.cli.playbook_places import TaskPlaybook, TracesFile
from ace.errors import UntrustedCode
from ace.settings import Command, Setting, Settings, settings_of

if TYPE_CHECKING:
    from ace.task import Task

DEFAULT_MODEL = "local/qwen2.5-coder-1.5b"


class StudyFormat(StrEnum):
    """Name how a study is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


Format = Annotated[StudyFormat, typer.Option(help="How to print the study.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


RunNumber = Annotated[
    int | None,
    typer.Argument(metavar="[RUN]", help="A number.  [default: the last]", autocompletion=complete_run),
]
REF = "A number, a branch or a tag."
VersionOption = Annotated[
    str | None, typer.Option("--version", metavar="VERSION", help=f"{REF}  [default: main]")
]
BranchName = Annotated[str, typer.Option("--branch", metavar="NAME", help="Work on this branch.")]
TaskFolder = Annotated[
    str,
    typer.Argument(
        metavar="TASK", help="A task folder, or its name in ./tasks.", autocompletion=complete_task
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Allow a task folder from elsewhere its code and databases, and remember it."
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="local/NAME, or any litellm model name.", autocompletion=complete_model
    ),
]
ApiBase = Annotated[str | None, typer.Option(metavar="URL", help="Where the model is served.")]
Port = Annotated[int, typer.Option(metavar="N", min=0, max=65_535, help="0: any that is free.")]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A further name by which clients call this machine."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the last unfinished run.")]
Reference = Annotated[
    str, typer.Option(metavar="METHOD", help="Compare all others with it.  [default: every two]")
]
Rows = Annotated[str, typer.Option(metavar="KIND", help="For csv: methods, pairs, cells, samples or curve.")]
Page = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write the study as an HTML page, too.")
]
RoleModel = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="For this role.  [default: --model]", autocompletion=complete_model),
]


def option_of(setting: Setting) -> Any:
    """Return a setting as typer reads it: its type with the option.

    A switch that is off needs no `--no-`. Choices and switches name themselves, so they have no unit.
    """
    about = setting.about
    name = setting.name.replace("_", "-")
    switches: tuple[str, ...] = ()
    unit: str | None = about.unit
    if setting.type is bool and setting.default is False:
        switches = (f"--{name}",)
    if setting.type is bool or issubclass(setting.type, StrEnum):
        unit = None
    option = typer.Option(*switches, metavar=unit, min=about.least, max=about.most, help=setting.help)
    return Annotated[setting.annotation, option]


def _cap(unit: str = "N") -> Any:
    """Return the option of a cap, whose value is counted in `unit`s."""
    return typer.Option(metavar=unit, min=0, help="Stop at this, keeping what is done; exit code 3.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Hold what learn, online and eval have in common. Caps are for the whole run with its resumptions."""

    command: ClassVar[Command]
    """Says which settings there are."""

    task: TaskFolder

    model: Model = DEFAULT_MODEL
    """The generator's, and that of each role without one of its own."""

    api_base: ApiBase = None
    playbook: TaskPlaybook = None
    branch: BranchName = "main"
    domain: Annotated[
        str,
        typer.Option(metavar="NAME", help="Work on the branch of this domain; learning begins it at main."),
    ] = ""

    settings: Settings = field(default_factory=Settings)
    """Spread over options of their own by `takes`."""

    max_calls: Annotated[int | None, _cap()] = None
    """A cap: calls of models; None for no cap."""

    max_tokens: Annotated[int | None, _cap()] = None
    """A cap: tokens of all calls; None for no cap."""

    max_cost: Annotated[float | None, _cap("DOLLARS")] = None
    """A cap in dollars; None for no cap."""

    max_seconds: Annotated[float | None, _cap()] = None
    """A cap in seconds; None for no cap."""

    trust: Trust = False
    json: Json = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions(RunOptions):
    """Hold the options of `ace eval`: without learning there is only the generator's model."""

    command: ClassVar[Command] = Command.EVAL

    version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="A number, a branch or a tag.  [default: the branch's newest]"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineOptions(RunOptions):
    """Hold the options of `ace online`."""

    command: ClassVar[Command] = Command.ONLINE

    reflector_model: RoleModel = None
    curator_model: RoleModel = None
    """None for the model of the generator."""

    stdin: Annotated[
        bool, typer.Option("--stdin", help="Serve the questions and feedback that come as JSON lines.")
    ] = False
    resume: Resume = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnOptions(RunOptions):
    """Hold the options of `ace learn`."""

    command: ClassVar[Command] = Command.LEARN

    task: Annotated[
        str,
        typer.Argument(
            metavar="[TASK]",
            autocompletion=complete_task,
            help="A task folder, or its name in ./tasks; needed unless recorded attempts are given.",
            show_default=False,
        ),
    ] = ""

    reflector_model: RoleModel = None
    curator_model: RoleModel = None
    """None for the model of the generator."""

    from_traces: TracesFile = None
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of recorded attempts without a TASK.  [default: the file's name]"),
    ] = None
    resume: Resume = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """Hold the options of `ace compare`."""

    command: ClassVar[Command] = Command.COMPARE

    task: TaskFolder

    methods: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Methods, with options of their own as in ace+no-refine+tries=3."),
    ] = "ace,zero_shot,few_shot"

    seeds: Annotated[str, typer.Option(metavar="NUMBERS", help="Each method runs once with each.")] = "0,1,2"

    floor: Annotated[bool, typer.Option(help="Run zero_shot as well, even where it is not named.")] = True

    study: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Made if missing, else extended.  [default: the task's name + .study.db]"
        ),
    ] = None

    reference: Reference = ""
    model: Model = DEFAULT_MODEL

    reflector_model: RoleModel = None
    curator_model: RoleModel = None
    """None for the model of the generator."""

    api_base: ApiBase = None

    settings: Settings = field(default_factory=Settings)
    """Those that all methods begin with."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")] = False
    format: Format = StudyFormat.TABLE
    rows: Rows = "methods"
    out: Page = None
    trust: Trust = False
    json: Json = False


class HasSettings(Protocol):
    """Describe the options that `takes` can read: a dataclass that says which command's settings it has."""

    command: ClassVar[Command]

    @property
    def settings(self) -> Settings:
        """Return the settings that its command takes."""
        ...


class NamesModels(HasSettings, Protocol):
    """Describe options that name a model, and may have another for a role, as `reflector_model`."""

    @property
    def model(self) -> str:
        """Return the name of the generator's model."""
        ...

    @property
    def api_base(self) -> str | None:
        """Return where it is served; None for the provider's own address."""
        ...


Options = TypeVar("Options", bound=HasSettings)
Result = TypeVar("Result")


def takes(options: type[Options]) -> Callable[[Callable[[Options], Result]], Callable[..., Result]]:
    """Turn a function of one options object into a function of its fields, which is what typer reads.

    In the place of the field `settings` stand the settings that its command takes. The function raises
    InputError for a setting out of bounds.
    """
    hints = get_type_hints(options, include_extras=True)
    settings = list(settings_of(options.command))
    parameters = list[inspect.Parameter]()

    def add_parameter(name: str, annotation: Any, default: Any) -> None:
        """Add a parameter of the function that typer reads; MISSING makes it required."""
        if default is MISSING:
            default = inspect.Parameter.empty
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(name, kind, annotation=annotation, default=default))

    for item in fields(options):  # type: ignore[arg-type]
        if item.name != "settings":
            add_parameter(item.name, hints[item.name], item.default)
            continue
        for setting in settings:
            add_parameter(setting.name, option_of(setting), setting.default_for(options.command))

    def spread(function: Callable[[Options], Result]) -> Callable[..., Result]:
        """Return the function as a command, whose parameters are the options' fields."""

        @wraps(function)
        def command(**values: Any) -> Result:
            chosen = {setting.name: values.pop(setting.name) for setting in settings}
            values["settings"] = Settings.of(options.command, chosen)
            return function(options(**values))

        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return spread


def spell_options(options: HasSettings, *names: str) -> str:
    """Return the options that differ from their defaults, as one would type them but for secrets.

    With `names`, return only those.
    """
    from ace.safety.secrets import hide_secrets

    choices = list[tuple[str, Any, Any]]()
    for item in fields(options):  # type: ignore[arg-type]
        if item.name != "settings":
            choices.append((item.name, getattr(options, item.name), item.default))
            continue
        for setting in settings_of(options.command):
            value = getattr(options.settings, setting.name)
            choices.append((setting.name, value, setting.default_for(options.command)))
    words = list[str]()
    for name, value, default in choices:
        if default in (MISSING, value) or (names and name not in names):
            continue
        option = name.replace("_", "-")
        if value is False:
            words.append(f"--no-{option}")
        elif value is True:
            words.append(f"--{option}")
        else:
            words += [f"--{option}", hide_secrets(str(value))]
    return shlex.join(words)


def load_folder(name: str, *, trust: bool = False, check: bool = True) -> Task:
    """Return the task in a folder, or in the folder of that name under ./tasks.

    Code of a folder from elsewhere is run with `trust`, or where a person at a terminal says so, and is
    remembered then. Raises TaskError.
    """
    from ace.task import load_task
    from ace.task.trust import remember_trust

    path, inside = Path(name), Path("tasks") / name
    if not path.exists() and inside.is_dir():
        path = inside
    try:
        return load_task(path, check=check)
    except UntrustedCode as error:
        is_asked = not trust and sys.stdin.isatty() and sys.stderr.isatty()
        if is_asked:
            trust = typer.confirm(f"{error.message} Allow it, and remember that?", err=True)
        if not trust:
            raise
        remember_trust(error)
    return load_task(path, check=check)
