"""Measure a playbook on a task in stages, each once: empty, hand-written, learned. What the scripts share.

Each stage has a playbook file of its own, so a stopped measurement goes on where it was: a stage that is done
is read from its file, learning is resumed, and a scoring that was cut off is asked anew. Knows no task.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.errors import AceError, InputError
from ace.llm import DEFAULT_MODEL, Client, RoleModels, connect
from ace.llm.client import Usage
from ace.llm.prompts import hash_prompts
from ace.loop import evaluate, learn
from ace.playbook import Playbook
from ace.playbook.exchange import plan_import
from ace.playbook.formats import detect_format
from ace.runs.metrics import wilson
from ace.runs.records import Run
from ace.runs.report import Report
from ace.runs.steps import PhaseKind
from ace.safety.injection import find_suspicion
from ace.settings import Command, Settings, settings_of
from ace.store import Store
from ace.task import Task

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
EMPTY, REFERENCE = "empty", "reference"
STAMP = "measurement.json"
PROMPTS = ("ace.agent", "ace.methods.ace", "ace.memory", "ace.task.environments.sql.lessons")


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """Hold what a learn run did and took.

    `accepted` proposals are in the playbook, `quarantined` bullets of it wait for proof and are not shown.
    `refused` counts proposals by the rule that refused them.
    """

    proposed: int
    accepted: int
    quarantined: int
    refused: Mapping[str, int]
    seconds: float
    usage: Mapping[str, Usage]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Hold the scoring of one playbook on the test questions of a group (a seed), and how it was learned.

    `name` is "empty", "reference" or the variant of the settings that it was learned with.
    """

    group: str
    name: str
    right: Mapping[str, bool]
    seconds: float
    usage: Mapping[str, Usage]
    notes: tuple[str, ...]
    playbook: tuple[str, ...]
    learning: Learning | None = None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(sum(self.right.values()), len(self.right))

    def to_json(self) -> dict[str, Any]:
        counts = {"correct": sum(self.right.values()), "total": len(self.right), "ci95": self.interval}
        return counts | asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Hold what all stages share. Playbooks that are not learned are scored with the `plain` settings."""

    model: Client
    plain: Settings
    variants: Mapping[str, Settings]
    work: Path

    def measure(self, task: Task, group: str, reference: str = "") -> Iterator[Stage]:
        """Yield every stage of a task: those that are done come from their files.

        `reference` is the text of a hand-written playbook; without one that stage is left out.
        """
        yield from self.measure_plain(task, group, reference)
        yield from self.measure_learned(task, group)

    def measure_plain(self, task: Task, group: str, reference: str = "") -> Iterator[Stage]:
        """Yield the stages that learn nothing."""
        folder = self._open_folder(group)
        yield self._measure_stage(task, folder / f"{EMPTY}.db", self.plain)
        if reference:
            digest = hashlib.sha256(reference.encode()).hexdigest()[:8]
            file = folder / f"{REFERENCE}-{digest}.db"
            yield self._measure_stage(task, file, self.plain, reference=reference)

    def measure_learned(self, task: Task, group: str) -> Iterator[Stage]:
        """Yield a stage for each variant of the settings."""
        folder = self._open_folder(group)
        for name, settings in self.variants.items():
            yield self._measure_stage(task, folder / f"{name}.db", settings, learns=True)

    def _open_folder(self, group: str) -> Path:
        folder = self.work / group
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _measure_stage(
        self, task: Task, file: Path, settings: Settings, *, reference: str = "", learns: bool = False
    ) -> Stage:
        group, name = file.parent.name, REFERENCE if reference else file.stem
        print(f"{group}, {name}", flush=True)
        team, learning = RoleModels.of(self.model), None
        with Store.open(file) as store:
            if learns:
                if find_done(store, "learn") is None:
                    resume = store.last_unfinished("learn", task.name) is not None
                    learn(task, store, team, settings, progress=show_progress, resume=resume)
                learning = read_learning(store)
            elif reference and not len(store.checkout()):
                import_playbook(store, reference)
            if find_done(store, "eval") is None:
                evaluate(task, store, team, settings, progress=show_progress)
            run = find_done(store, "eval")
            assert run is not None
            report = Report.from_json(run.report or {})
            tested = [episode for episode in store.episodes(run=run.id) if episode.phase == PhaseKind.TEST]
            return Stage(
                group=group,
                name=name,
                right={episode.sample_id: episode.verdict.correct for episode in tested},
                seconds=report.seconds,
                usage=report.usage,
                notes=report.notes,
                playbook=tuple(bullet.content for bullet in store.checkout().active),
                learning=learning,
            )


def find_done(store: Store, kind: str) -> Run | None:
    """Return the first run of a kind that came to its end."""
    return next((run for run in store.runs() if run.kind == kind and run.status == "done"), None)


def read_learning(store: Store) -> Learning:
    """Return what the file's learn run did."""
    run = find_done(store, "learn")
    assert run is not None
    report = Report.from_json(run.report or {})
    refused = (proposal for proposal in store.proposals(run.id) if proposal.outcome == "rejected")
    return Learning(
        proposed=report.proposed,
        accepted=report.accepted,
        quarantined=report.quarantined,
        refused=dict(Counter(str(proposal.reason) for proposal in refused).most_common()),
        seconds=report.seconds,
        usage=report.usage,
        notes=report.notes,
    )


def import_playbook(store: Store, text: str) -> None:
    """Import a hand-written playbook as `ace playbook import` does. Raises InputError for a lost line."""
    reading = detect_format(text, file="reference.md").read(text, "reference.md", Playbook())
    plan = plan_import(reading, Playbook(), source="reference.md", suspicion=find_suspicion)
    if reading.unread or plan.held:
        lost = [*reading.unread, *plan.held]
        raise InputError(f"{len(lost)} lines of the hand-written playbook would not be used: {lost[0]}.")
    store.commit(plan.delta, author="person", reason="the hand-written playbook", aliases=plan.aliases)


def show_progress(phase: str, finished: int, total: int, note: str = "", /) -> None:
    print(f"  {phase}: {finished} of {total} {note}", flush=True)


def parse_settings(words: Sequence[str]) -> Settings:
    """Read the settings of `ace learn` as one types them; the last of a kind counts. Raises InputError."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for setting in settings_of(Command.LEARN):
        option = f"--{setting.name.replace('_', '-')}"
        if setting.type is bool:
            action = argparse.BooleanOptionalAction
            parser.add_argument(option, action=action, default=argparse.SUPPRESS)
        else:
            kind = int if setting.type is int else str
            parser.add_argument(option, type=kind, default=argparse.SUPPRESS)
    hint = "Give settings as in `ace learn --help`."
    try:
        values, unknown = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise InputError(f"{error}.", hint=hint) from error
    if unknown:
        raise InputError(f"`ace learn` has no setting {unknown[0]}.", hint=hint)
    # Stages are scored apart, so that each is scored once.
    return Settings.of(Command.LEARN, {**vars(values), "measure": False})


def add_options(parser: argparse.ArgumentParser, work: str) -> None:
    """Add the options that every measurement has; `work` is the default folder."""
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--profile", choices=["small", "full"], default="small")
    parser.add_argument("--variants", nargs="+", default=["default"], metavar="V", help=VARIANTS)
    parser.add_argument("--options", default="", help='options of `ace learn` for all variants: "--tries 3"')
    parser.add_argument("--limit", type=int, help="questions of each split; for trying it out")
    parser.add_argument("--workers", type=int, default=Settings().workers)
    parser.add_argument("--work", type=Path, default=Path(work), help=f"kept between starts (default {work})")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the pages go")
    parser.add_argument("--name", help="of the pages, where it is not the usual one")


VARIANTS = """`default`, or options of `ace learn` without their first dashes: without=refine, epochs=2,
neighbours=0+tries=3"""


def read_variants(options: argparse.Namespace) -> dict[str, Settings]:
    """Return the settings of `default` and of each variant.

    Raises InputError for an option that `ace learn` does not take.
    """
    words = ["--profile", options.profile, "--workers", str(options.workers)]
    if options.limit is not None:
        words += ["--limit", str(options.limit)]
    words += shlex.split(options.options)
    variants = {}
    for name in ["default", *options.variants]:
        own = [f"--{part}" for part in name.split("+") if part != "default"]
        if "/" in name:
            raise InputError(f"--variants: {name!r} cannot be the name of a file.")
        variants[name] = parse_settings([*words, *own])
    return variants


@contextmanager
def open_bench(options: argparse.Namespace, model: Client | None = None, **stamp: object) -> Iterator[Bench]:
    """Open the work folder and the model (or use the one that is given).

    `stamp` holds what the questions depend on. Raises InputError where the folder holds stages of another
    model, other settings, other prompts or another stamp: stages that cannot be compared.
    """
    settings = read_variants(options)
    plain, variants = settings["default"], {name: settings[name] for name in options.variants}
    wanted = {
        "model": model.model if model else options.model,
        "profile": options.profile,
        "options": options.options,
        "limit": options.limit,
        "prompts": hash_prompts(*PROMPTS),
        **stamp,
    }
    options.work.mkdir(parents=True, exist_ok=True)
    file = options.work / STAMP
    if file.exists():
        older = json.loads(file.read_text("utf-8"))
        changed = [name for name in wanted if older.get(name) != wanted[name]]
        if changed:
            message = f"{options.work} holds a measurement with other {', '.join(changed)}."
            raise InputError(message, hint="Give another --work.")
    file.write_text(json.dumps(wanted, indent=1) + "\n", "utf-8")
    if model is not None:
        yield Bench(model=model, plain=plain, variants=variants, work=options.work)
        return
    with connect(options.model, slots=options.workers) as client:
        yield Bench(model=client, plain=plain, variants=variants, work=options.work)


def run_script(
    read_options: Callable[[Sequence[str]], argparse.Namespace],
    measure: Callable[[argparse.Namespace, Sequence[str]], str],
) -> None:
    """Run a measurement from the command line: print its page, or what is wrong with what was given."""
    words = sys.argv[1:]
    try:
        print(measure(read_options(words), words))
    except AceError as error:
        raise SystemExit(f"error: {error}") from error


def describe_measurement(script: str, words: Sequence[str], model: str) -> dict[str, Any]:
    """Return what a result must name to be repeated. Where its files were kept is not part of that."""
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": shlex.join(["python", f"benchmarks/{script}", *_leave_out(words, {"--work", "--out"})]),
        "model": model,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "commit": git.stdout.strip(),
    }


def _leave_out(words: Sequence[str], options: Collection[str]) -> list[str]:
    """Return the words of a command without some options and their values."""
    rest, words = [], list(words)
    while words:
        word = words.pop(0)
        if word in options:
            words[:1] = []
        elif word.partition("=")[0] not in options:
            rest.append(word)
    return rest
