"""The options that several commands share, and how a group of them becomes a command's parameters."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import typer

from ace.errors import InputError

DEFAULT_MODEL = "local/qwen2.5-coder-1.5b"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PlaybookFile = Annotated[
    Path | None, typer.Option("--playbook", metavar="FILE", help="[default: the only .db file here]")
]
RunNumber = Annotated[int | None, typer.Argument(metavar="[RUN]", help="A number.  [default: the last]")]
TaskPlaybook = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Made if missing.  [default: the task's name + .db]")
]
REF = "A number, a branch or a tag."
VersionOption = Annotated[
    str | None, typer.Option("--version", metavar="VERSION", help=f"{REF}  [default: main]")
]
BranchName = Annotated[str, typer.Option("--branch", metavar="NAME", help="Work on this branch.")]
TaskFolder = Annotated[str, typer.Argument(metavar="TASK", help="A task folder, or its name in ./tasks.")]
Model = Annotated[str, typer.Option(metavar="NAME", help="local/NAME, or any litellm model name.")]
ApiBase = Annotated[str | None, typer.Option(metavar="URL", help="Where the model is served.")]
RoleModel = Annotated[str | None, typer.Option(metavar="NAME", help="For this role.  [default: --model]")]
FeedbackName = Annotated[
    Literal["labels", "execution", "none"], typer.Option(help="What the learner may see of an outcome.")
]


def _number(text: str, *, least: int = 1, unit: str = "N") -> Any:
    return typer.Option(metavar=unit, min=least, help=text)


Budget = Annotated[int, _number("The most tokens of a prompt; fewer if the model reads fewer.")]
Select = Annotated[
    Literal["hybrid", "oldest"], typer.Option(help="When the playbook does not fit: by question, or by age.")
]
Cite = Annotated[bool, typer.Option("--cite", help="Show the generator bullets' ids, and ask which it used.")]


def _cap(unit: str = "N") -> Any:
    return _number("Stop at this, keeping what is done; exit code 3.", least=0, unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What learn, online and eval have in common."""

    task: TaskFolder
    model: Model = DEFAULT_MODEL
    api_base: ApiBase = None
    playbook: TaskPlaybook = None
    branch: BranchName = "main"
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed and batch size, same versions.")] = 0
    limit: Annotated[int | None, _number("Use this many samples of each split.")] = None
    workers: Annotated[int, _number("Samples in flight at once; slots of a local/ model.")] = 4
    budget: Budget = 10000
    select: Select = "hybrid"
    cite: Cite = False
    max_calls: Annotated[int | None, _cap()] = None
    max_tokens: Annotated[int | None, _cap()] = None
    max_cost: Annotated[float | None, _cap("DOLLARS")] = None
    max_seconds: Annotated[float | None, _cap()] = None
    json: Json = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions(RunOptions):
    """No learning, so only the generator's model."""

    split: Annotated[Literal["train", "val", "test"], typer.Option(help="Which questions.")] = "test"
    version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="A number, a branch or a tag.  [default: the branch's newest]"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningOptions(RunOptions):
    """Learning adds two roles and what they may see."""

    reflector_model: RoleModel = None
    curator_model: RoleModel = None
    feedback: FeedbackName = "labels"
    tries: Annotated[int, _number("Candidate lessons per mistake.")] = 2
    neighbours: Annotated[int, _number("Earlier samples a lesson must not break.", least=0)] = 1
    verify: Annotated[bool, typer.Option(help="Keep a lesson only when an attempt proves it.")] = True
    agreement: Annotated[int, _number("Attempts of which most must agree, without labels.")] = 3
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun", help="Try again what may have failed by bad luck, and learn no lesson of it."
        ),
    ] = False
    measure_credit: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Of batches, to measure bullets by leaving some out."
        ),
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineOptions(LearningOptions):
    """Online learning goes on while answers are given."""

    batch_size: Annotated[int, _number("Samples that share one playbook version.")] = 1
    behind: Annotated[
        bool, typer.Option("--behind", help="Learn in a thread behind: answers do not wait for it.")
    ] = False
    waiting: Annotated[int, _number("Answers that learning may be behind before it is waited for.")] = 16
    window: Annotated[int, _number("Answers that count for the latest accuracy.")] = 20
    drift: Annotated[
        bool, typer.Option(help="When answers get worse, let what was learned prove itself again.")
    ] = True
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Serve the questions and feedback that come as JSON lines.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnOptions(LearningOptions):
    """Offline learning goes over the training set, and can be continued."""

    task: Annotated[
        str,
        typer.Argument(
            metavar="[TASK]",
            help="A task folder, or its name in ./tasks; needed unless recorded attempts are given.",
            show_default=False,
        ),
    ] = ""
    from_traces: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Learn from recorded attempts instead of making them."),
    ] = None
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of recorded attempts without a TASK.  [default: the file's name]"),
    ] = None
    batch_size: Annotated[int, _number("Samples that share one playbook version.")] = 8
    epochs: Annotated[int, _number("Times over the training set.")] = 1
    replays: Annotated[int, _number("Times that what is still wrong comes back in an epoch.", least=0)] = 1
    graduate: Annotated[int, _number("Passes after which a sample comes back no more.")] = 1
    evict: Annotated[int, _number("Failures after which a sample comes back no more.")] = 3
    recheck: Annotated[int, _number("Right answers asked again before a version is selected.", least=0)] = 8
    validate: Annotated[
        bool | None,
        typer.Option(help="Choose the version by the validation set.  [default: if several epochs]"),
    ] = None
    validate_every: Annotated[
        int | None, _number("Steps between validations within an epoch.  [default: only at its end]")
    ] = None
    accept: Annotated[
        Literal["strict", "best", "always"],
        typer.Option(help="Select a version that is clearly better, at least as good, or just the newest."),
    ] = "best"
    merge: Annotated[
        bool, typer.Option("--merge", help="Let the curator merge bullets after each epoch.")
    ] = False
    refine: Annotated[
        bool, typer.Option(help="After each epoch, join bullets that say the same, settle those in conflict.")
    ] = True
    resume: Annotated[bool, typer.Option("--resume", help="Continue the last unfinished run.")] = False


Options = TypeVar("Options")
Result = TypeVar("Result")


def takes(options: type[Options]) -> Callable[[Callable[[Options], Result]], Callable[..., Result]]:
    """A function of one options object becomes a function of its fields, which is what typer reads."""
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[item.name],
            default=inspect.Parameter.empty if item.default is MISSING else item.default,
        )
        for item in fields(options)  # type: ignore[arg-type]
    ]

    def spread(function: Callable[[Options], Result]) -> Callable[..., Result]:
        @wraps(function)
        def command(**given: Any) -> Result:
            return function(options(**given))

        command.__annotations__ = hints
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return spread


def spelled(options: RunOptions, *names: str) -> str:
    """The options that differ from their defaults, as one would type them; only `names`, if there are any."""
    words: list[str] = []
    for item in fields(options):
        value, name = getattr(options, item.name), item.name.replace("_", "-")
        if item.default in (MISSING, value) or (names and item.name not in names):
            continue
        switch = isinstance(value, bool)
        words += [f"--{name}" if value is not False else f"--no-{name}", *([] if switch else [str(value)])]
    return shlex.join(words)


def task_folder(name: str) -> Path:
    """TASK as a path: itself, or a folder of that name under ./tasks."""
    given = Path(name)
    return given if given.exists() or not (Path("tasks") / given).is_dir() else Path("tasks") / given


def playbook_file(given: Path | None) -> Path:
    """The file that was named, or the only one there is that does not hold documents."""
    if given:
        return given
    found = sorted(file for file in Path().glob("*.db") if not file.name.endswith(".documents.db"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(map(str, found)) or "none"
    raise InputError(f"Which playbook? The .db files here are: {names}.", hint="Give one with --playbook.")
