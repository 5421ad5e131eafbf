"""The projects that a proxy serves: each has a playbook, keys of its callers, and limits of its own.

A key stands nowhere in the file: only its SHA-256 does. A key is 256 random bits, so that needs no salt.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from ace.errors import InputError, TaskError
from ace.store.store_database import Place, parse_place
from ace.task.samples import NAME
from ace.task.toml_table import TomlTable

_KIND = "sha256:"
_PREFIX = "ace-"  # of a key, so that people see what it is
_TABLE = """
[projects.{name}]
playbook = {playbook}
keys = [{key}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Hold what the proxy knows of one project."""

    name: str = "agent"
    """Names its table in the file, and the task that its episodes belong to where it has none of its own."""

    playbook: Place

    upstream: str
    """The address of the API, without the path of a request."""

    keys: tuple[str, ...] = ()
    """Hashes of the keys that name it, as `hash_key` writes them; none where everybody is its caller."""

    upstream_key: str = ""
    """The environment variable whose value goes upstream in place of a key of the project."""

    rate: float = 500.0
    """The most requests a second; twice as many at once."""

    budget: int = 2_000
    """The most tokens of the playbook's text."""

    model: str = ""
    """The model that learns; "" records only."""

    task: str = ""
    """The folder of a task whose samples prove lessons; "" for none."""


def hash_key(key: str) -> str:
    """Return what stands for a key in the file."""
    return _KIND + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def check_upstream(address: str) -> str:
    """Return the address of an API without a slash at its end. Raises InputError for what is none."""
    parts = urlsplit(address)
    try:
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.query or parts.fragment or parts.username or parts.password:
        hint = "Give one such as https://api.openai.com, without a key in it."
        raise InputError("The upstream is no address of an API.", hint=hint)
    return address.rstrip("/")


def read_projects(file: Path, defaults: Project) -> list[Project]:
    """Return the projects of a TOML file. Paths in it are relative to its folder.

    `defaults` has what a project does not say itself; its upstream may be "". Raises TaskError, which names
    the file and the field.
    """
    from pydantic import BaseModel, ConfigDict, Field

    class Table(BaseModel):
        """Check the table of a project."""

        model_config = ConfigDict(extra="forbid", strict=True)

        playbook: str = Field(min_length=1, description="the path of a playbook file, or postgresql://...")
        keys: list[str] = Field(
            min_length=1, description="a list of hashes, as `ace proxy add-project` makes"
        )
        upstream: str = defaults.upstream
        upstream_key: str = ""
        rate: float = Field(default=defaults.rate, gt=0, strict=False)
        budget: int = Field(default=defaults.budget, ge=1)
        model: str = defaults.model
        task: str = ""

    if not file.exists():
        raise TaskError(
            "There is no such file.", hint="`ace proxy add-project NAME` makes it.", file=str(file)
        )
    whole = TomlTable.from_file(file)
    unknown = sorted(set(whole.values) - {"projects"})
    if unknown:
        raise whole.problem(unknown[0], "Unknown key.", "Known: projects.")
    tables = whole.table("projects")
    if not tables.values:
        raise whole.problem("projects", "There is no project.", "`ace proxy add-project NAME` adds one.")
    projects: list[Project] = []
    owners: dict[str, str] = {}
    for name in tables.values:
        table = tables.table(name)
        values = table.validate(Table)
        if not NAME.fullmatch(name):
            raise tables.problem(name, "Expected letters, digits, '_', '-' and '.' as its name.")
        for key in values.keys:
            if len(key) != len(hash_key("")) or not key.startswith(_KIND):
                raise table.problem("keys", "One of them is no hash of a key: sha256: and 64 digits.")
            if owners.setdefault(key, name) != name:
                raise table.problem("keys", f"One of them is a key of {owners[key]!r}, too.")
        if not values.upstream:
            raise table.problem("upstream", "Missing.", "Give it here, or --upstream for all projects.")
        try:
            upstream = check_upstream(values.upstream)
        except InputError as error:
            raise table.problem("upstream", error.message, error.hint) from error
        more = values.model_dump(exclude={"playbook", "keys", "upstream"})
        playbook = locate_playbook(file, name, values.playbook)
        if more["task"]:
            more["task"] = str(file.parent / more["task"])
        keys = tuple(values.keys)
        projects.append(Project(name=name, playbook=playbook, keys=keys, upstream=upstream, **more))
    return projects


def locate_playbook(file: Path, project: str, text: str) -> Place:
    """Return where the playbook of a project is: a path is relative to the folder of the file of projects.

    Raises TaskError for an address that cannot be read.
    """
    try:
        place = parse_place(text)
    except InputError as error:
        field = f"projects.{project}.playbook"
        raise TaskError(error.message, hint=error.hint, file=str(file), field=field) from error
    return file.parent / place if isinstance(place, Path) else place


def identify_playbook(place: Place) -> Path | tuple[str, str]:
    """Return what is the same for two names of one playbook, as far as the names say it."""
    if isinstance(place, Path):
        return place.resolve()
    parts = urlsplit(place.url)
    server = f"{parts.hostname or ''}:{parts.port or 5432}"
    return f"{server}{parts.path}", place.schema


def add_project(file: Path, name: str, playbook: Place) -> str:
    """Add a project to a file, made if missing, and return its key, which is kept nowhere.

    What stands in the file stays; the password of an address is not written. Raises TaskError for a file that
    is wrong, InputError for a name that is taken or cannot be one, and for a playbook that another project
    has.
    """
    if not NAME.fullmatch(name):
        message = f"A project cannot be called {name!r:.60}."
        raise InputError(message, hint="Give letters, digits, '_', '-' and '.'.")
    before = ""
    if file.exists():
        values = TomlTable.from_file(file).table("projects").values
        if name in values:
            hint = "Give another name, or add a hash to its keys by hand."
            raise InputError(f"{file} has a project {name!r} already.", hint=hint)
        for other, fields in values.items():
            theirs = fields.get("playbook") if isinstance(fields, dict) else None
            if not isinstance(theirs, str):
                continue
            same = identify_playbook(locate_playbook(file, other, theirs))
            if same == identify_playbook(locate_playbook(file, name, str(playbook))):
                hint = "Give each project its own with --playbook; it is made when it is served."
                raise InputError(f"{file}: the project {other!r} has the playbook {playbook}.", hint=hint)
        before = file.read_text(encoding="utf-8")
    key = _PREFIX + secrets.token_urlsafe(32)
    written = json.dumps(str(playbook), ensure_ascii=False)
    quoted = name if "." not in name else json.dumps(name)
    text = _TABLE.format(name=quoted, playbook=written, key=json.dumps(hash_key(key)))
    if not before:
        text = text.lstrip("\n")
    elif not before.endswith("\n"):
        text = f"\n{text}"
    file.touch(mode=0o600)
    with file.open("a", encoding="utf-8") as target:  # so that two who add at once lose nothing
        target.write(text)
    return key


def require_distinct(projects: Sequence[Project]) -> list[Project]:
    """Return the projects with their playbooks' absolute paths. Raises TaskError where two share one."""
    owners: dict[Path | tuple[str, str], str] = {}
    resolved = []
    for project in projects:
        place = project.playbook
        if isinstance(place, Path):
            place = place.resolve()
        owner = owners.setdefault(identify_playbook(place), project.name)
        if owner != project.name:
            message = f"{owner!r} has the same playbook, {place}."
            raise TaskError(message, hint="Give each project its own.", field=f"projects.{project.name}")
        resolved.append(replace(project, playbook=place))
    return resolved
