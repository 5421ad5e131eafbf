"""`ace proxy`: the playbook in front of a model's API, for programs that nobody can change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli.compare_commands import TaskOrCommand
from ace.cli.options import AllowedHosts, Json, Port, Trust
from ace.cli.output import emit, note
from ace.cli.playbook_places import PlaybookFile, ProjectPlaybook, playbook_file, refuse_password
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.servers.proxy.projects import Project
    from ace.store.store_database import Place

ABOUT = "Put a playbook in front of a model's API, for every client of it."
_PROJECTS = Path("proxy.toml")


class ServeOrCommand(TaskOrCommand):
    """Read `ace proxy --upstream URL` as `ace proxy serve --upstream URL`."""

    default = "serve"


KIND = ServeOrCommand


Upstream = Annotated[
    str, typer.Option(metavar="URL", help="The API, as https://api.openai.com; for all projects.")
]
ProjectsFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Several playbooks, by the keys of their callers, in place of one."),
]
Host = Annotated[str, typer.Option(metavar="HOST", help="Other than loopback: with keys of projects.")]
Budget = Annotated[int, typer.Option(metavar="TOKENS", min=1, help="The most tokens of the playbook's text.")]
TaskName = Annotated[
    str, typer.Option(metavar="NAME", help="The task that episodes are recorded for, without --task.")
]
Task = Annotated[str | None, typer.Option(metavar="TASK", help="A task folder: its samples and its judge.")]
LearnerModel = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Learn from feedback with this model.  [default: do not]"),
]
Rate = Annotated[float, typer.Option(metavar="N", min=0.01, help="The most requests a second of a project.")]
MaxBytes = Annotated[int, typer.Option(metavar="BYTES", min=1, help="The most that a request may have.")]
MaxSpool = Annotated[
    int,
    typer.Option(
        metavar="BYTES", min=1, help="The most that waits to be recorded, for each project; more is dropped."
    ),
]
Silence = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.01, help="How long the API may say nothing.")
]


def serve(
    upstream: Upstream = "",
    playbook: PlaybookFile = None,
    projects: ProjectsFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8787,
    allow_host: AllowedHosts = None,
    budget: Budget = 2_000,
    name: TaskName = "agent",
    task: Task = None,
    model: LearnerModel = None,
    rate: Rate = 500.0,
    max_bytes: MaxBytes = 32_000_000,
    max_spool: MaxSpool = 2_000_000_000,
    silence: Silence = 600.0,
    trust: Trust = False,
) -> None:
    """Serve: the playbook goes into each request, episodes are recorded, feedback is taken.

    All else passes byte for byte. `ace proxy --upstream URL` is the same.
    """
    from ace.servers.proxy.forward import Limits
    from ace.servers.proxy.projects import Project, check_upstream, read_projects
    from ace.servers.proxy.run_proxy import run_proxy

    defaults = Project(
        name=name,
        playbook=Path(),
        upstream=check_upstream(upstream) if upstream else "",
        rate=rate,
        budget=budget,
        model=model or "",
        task=task or "",
    )
    if projects is not None:
        if playbook is not None or task is not None:
            hint = "Name playbooks and tasks in the file."
            raise InputError("With --projects there is no --playbook and no --task.", hint=hint)
        served = read_projects(projects, defaults)
    else:
        served = [read_single(defaults, playbook, trust)]
    words = ", ".join(str(project.playbook) for project in served[:5])
    run_proxy(
        served,
        lambda address: note(f"ace: serving {words} at {address}"),
        host=host,
        port=port,
        names=allow_host or (),
        limits=Limits(size=max_bytes, spool=max_spool, silence=silence),
        trust=trust,
    )


def read_single(defaults: Project, playbook: Place | None, trust: bool) -> Project:
    """Return the one project of a proxy without a file of projects. Raises InputError."""
    from dataclasses import replace

    from ace.cli.options import load_folder

    if not defaults.upstream:
        raise InputError("Which API?", hint="Give one with --upstream, as https://api.openai.com.")
    file = playbook_file(playbook)
    if not defaults.task:
        return replace(defaults, playbook=file)
    folder = Path(defaults.task)
    load_folder(defaults.task, trust=trust)  # what is wrong with it is said now
    if not folder.exists():
        folder = Path("tasks") / defaults.task
    return replace(defaults, playbook=file, task=str(folder.resolve()))


def add_project(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '_', '-' and '.'.")],
    playbook: ProjectPlaybook = None,
    projects: Annotated[
        Path, typer.Option(metavar="FILE", help="The file of projects, made if missing.")
    ] = _PROJECTS,
    json: Json = False,
) -> None:
    """Add a project to the file of projects, and print its key. The key is kept nowhere."""
    from ace.servers.proxy import projects as project_file

    refuse_password(playbook, "a file of projects")
    key = project_file.add_project(projects, name, playbook or Path(f"{name}.db"))
    text = f"Added {name} to {projects}. Its key, which nobody can look up later:\n{key}"
    emit(json, {"project": name, "file": str(projects), "key": key}, text)


COMMANDS = (serve, add_project)
